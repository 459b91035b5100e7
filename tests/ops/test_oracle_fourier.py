"""torch.fft against torch: values, names and derivatives over kinds, lengths, axes and norms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.differential import check

torch = pytest.importorskip("torch")
KINDS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")


def draw(shape, is_complex):
    """Normal numbers."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=shape)
    return x + 1j * generator.normal(size=shape) if is_complex else x


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_one_axis_equals_torch(kind, is_complex):
    for shape in ((5,), (4,), (1,), (3, 4)):
        for norm in (None, "ortho", "forward", "x"):
            check(torch, lambda t, v, n=norm: getattr(t.fft, kind)(v, norm=n), draw(shape, is_complex))
        for length in (0, 1, 3, 6):
            check(torch, lambda t, v, n=length: getattr(t.fft, kind)(v, n), draw(shape, is_complex))
        check(torch, lambda t, v: getattr(t.fft, kind)(v, dim=1), draw(shape, is_complex))


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("kind", [k + end for k in KINDS for end in "2n"])
def test_several_axes_equal_torch(kind, is_complex):
    for shape in ((3, 4), (2, 3, 4), (3,)):
        for options in (
            {},
            {"norm": "ortho"},
            {"s": (2, 3)},
            {"s": (4, -1)},
            {"dim": (1, 0)},
            {"dim": (0, 0)},
            {"s": (3,)},
        ):
            check(torch, lambda t, v, o=options: getattr(t.fft, kind)(v, **o), draw(shape, is_complex), orders=1)


@pytest.mark.parametrize("n", [1, 4, 5])
def test_frequencies_and_shifts_equal_torch(n):
    check(torch, lambda t: (t.fft.fftfreq(n), t.fft.rfftfreq(n, 0.5), t.fft.fftfreq(n, d=2, dtype=t.float64)), orders=0)
    check(torch, lambda t, x: (t.fft.fftshift(x), t.fft.ifftshift(x, dim=0)), draw((n, 3), False))
