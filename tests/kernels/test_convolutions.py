"""Convolution kernels meet the sum over every window, element by element, whatever the block in which they work."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tracegrad.kernels import convolutions
from tracegrad.kernels.sliding import padded


def by_hand(x, weight, stride, padding, dilation, groups):
    """Every output element as one sum of products."""
    (n, _, *own), (m, each, *kernel) = x.shape, weight.shape
    wide = padded(x, padding)
    sizes = [
        (s + 2 * p - d * (k - 1) - 1) // t + 1
        for s, p, d, k, t in zip(own, padding, dilation, kernel, stride, strict=True)
    ]
    out = np.zeros((n, m, *sizes))
    for place in itertools.product(*map(range, sizes)):
        at = tuple(
            slice(o * t, o * t + d * (k - 1) + 1, d) for o, t, d, k in zip(place, stride, dilation, kernel, strict=True)
        )
        for channel in range(m):
            first = channel // (m // groups) * each
            part = wide[(slice(None), slice(first, first + each), *at)]
            out[(slice(None), channel, *place)] = (part * weight[channel]).sum(tuple(range(1, part.ndim)))
    return out


SIZES = [(2, 4, 6, 2), (1, 3, 5, 1), (3, 4, 4, 4), (0, 2, 2, 1), (5, 1, 1, 1)]
ARGUMENTS = [(1, 0, 1, 3), (2, 1, 1, 2), (1, 2, 2, 3), (3, 1, 2, 2), (2, 0, 1, 1)]


@pytest.mark.parametrize("block", [2**17, 50])
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("stride", "padding", "dilation", "kernel"), ARGUMENTS)
@pytest.mark.parametrize(("n", "c", "m", "groups"), SIZES)
def test_convolutions_and_their_transposes_agree_with_sums(
    monkeypatch, n, c, m, groups, stride, padding, dilation, kernel, axes, block
) -> None:
    monkeypatch.setattr(convolutions, "_BLOCK", block)
    rng = np.random.default_rng(0)
    t, p, d = ((v,) * axes for v in (stride, padding, dilation))
    x = rng.standard_normal((n, c, *(6, 7, 5)[:axes]))
    weight = rng.standard_normal((m, c // groups, *(kernel,) * axes))
    bias = rng.standard_normal(m)
    wanted = by_hand(x, weight, t, p, d, groups)
    found = convolutions.convolution(x, weight, bias, t, p, d, False, (0,) * axes, groups)
    np.testing.assert_allclose(found, wanted + bias.reshape(-1, *(1,) * axes), rtol=1e-12, atol=1e-12)
    # <g, C x> = <C^T g, x> = <weight, dC/dweight^T g>: the transposes have no other definition
    g = rng.standard_normal(wanted.shape)
    product = (g * wanted).sum()
    slope = convolutions.convolution_weight(x, g, weight.shape[2:], t, p, d, groups)
    assert slope.shape == weight.shape
    np.testing.assert_allclose((slope * weight).sum(), product, rtol=1e-10, atol=1e-10)
    rest = tuple((s + 2 * padding - dilation * (kernel - 1) - 1) % stride for s in x.shape[2:])
    back = convolutions.convolution(g, weight, None, t, p, d, True, rest, groups)
    assert back.shape == x.shape
    np.testing.assert_allclose((back * x).sum(), product, rtol=1e-10, atol=1e-10)


def test_strided_views_of_any_layout_are_convolved() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, 6, 2, 3)).transpose(2, 3, 0, 1)
    weight = rng.standard_normal((3, 3, 2, 4)).transpose(1, 0, 3, 2)[:, :, ::2]
    wanted = by_hand(x, weight, (1, 1), (0, 0), (1, 1), 1)
    found = convolutions.convolution(x, weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert found.flags.c_contiguous
