"""unfold and fold, and maxima of windows of different lengths, with their derivatives, against torch."""

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("stride", [1, (2, 3)])
@pytest.mark.parametrize("padding", [0, (1, 2)])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
@pytest.mark.parametrize("kernel", [(3, 2), (1, 4), 2])
def test_columns_of_windows_and_their_sums(kernel, dilation, padding, stride):
    given, x = (kernel, dilation, padding, stride), numbers(2, 3, 11, 12)
    columns = {}
    for lib in (torch, tg):
        image = lib.tensor(x, requires_grad=True)
        made = lib.nn.functional.unfold(image, *given)
        g = lib.tensor(numbers(*made.shape), requires_grad=True)
        folded = lib.nn.functional.fold(g, (11, 12), *given)
        made.backward(g.detach())
        folded.backward(lib.tensor(x))
        columns[lib] = [t.detach().numpy() for t in (made, image.grad, folded, g.grad)]
    for found, wanted in zip(columns[tg], columns[torch], strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize(("d", "sizes"), [(1, 3), (2, (3, 4)), (3, (2, 3, 4))])
def test_maxima_of_windows_of_different_lengths(d, sizes):
    x = np.round(numbers(2, 3, *(7, 9, 10)[:d]))  # with several equal maxima
    x[0, 0].flat[5] = np.nan
    found = {}
    for lib in (torch, tg):
        leaf = lib.tensor(x, requires_grad=True)
        pool = getattr(lib.nn.functional, f"adaptive_max_pool{d}d")
        values, positions = pool(leaf, sizes, return_indices=True)
        values.sum().backward()
        found[lib] = [t.detach().numpy() for t in (values, positions, leaf.grad)]
    for ours, theirs in zip(found[tg], found[torch], strict=True):
        np.testing.assert_array_equal(ours, theirs)
