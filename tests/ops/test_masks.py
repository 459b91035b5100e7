"""The operators whose shapes depend on the values of a mask, which the generated tests cannot draw."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.autograd.engine import grad
from tracegrad.eager.dispatch import T
from tracegrad.ir.raw import N
from tracegrad.ops.index import IndexPut
from tracegrad.ops.masks import IndexMask, IndexMaskBackward, number_of

CASES = [
    ((4,), (4,), 0),
    ((2, 3), (2, 3), 0),
    ((2, 3), (3,), 1),
    ((2, 3, 4), (2, 3), 0),
    ((2, 3, 4), (3,), 1),
    ((0, 3), (0,), 0),
]


def drawn(shape, mask_shape):
    generator = np.random.default_rng(5)
    return generator.normal(size=shape), generator.random(mask_shape) < 0.6


@pytest.mark.parametrize(("shape", "mask_shape", "dim"), CASES, ids=str)
def test_the_backward_is_the_transpose(shape, mask_shape, dim):
    x, mask = drawn(shape, mask_shape)
    taken = N.index_mask(x, mask, dim=dim)
    g = np.random.default_rng(1).normal(size=taken.shape)
    put = N.index_mask_backward(g, mask, shape=shape, dim=dim)
    assert put.shape == shape
    np.testing.assert_allclose((put * x).sum(), (g * taken).sum())


@pytest.mark.parametrize(("shape", "mask_shape", "dim"), CASES, ids=str)
def test_first_and_second_derivatives(shape, mask_shape, dim):
    data, mask = drawn(shape, mask_shape)
    x, m = tg.tensor(data, requires_grad=True), tg.tensor(mask)
    taken = T.index_mask(x, m, dim=dim)
    (g,) = grad((taken * taken * taken).sum(), x, create_graph=True)
    spread = np.broadcast_to(mask.reshape((1,) * dim + mask_shape + (1,) * (len(shape) - dim - len(mask_shape))), shape)
    np.testing.assert_allclose(g.detach().numpy(), np.where(spread, 3 * data**2, 0))
    (second,) = grad(g.sum(), x)
    np.testing.assert_allclose(second.numpy(), np.where(spread, 6 * data, 0))


@pytest.mark.parametrize(("shape", "mask_shape", "dim"), CASES, ids=str)
def test_a_batch_of_values_under_one_mask(shape, mask_shape, dim):
    _, mask = drawn(shape, mask_shape)
    x = np.random.default_rng(2).normal(size=(5, *shape))
    together = IndexMask.batch(N, 5, (True, False), x, mask, dim)
    np.testing.assert_array_equal(together, np.stack([N.index_mask(row, mask, dim=dim) for row in x]))
    back = IndexMaskBackward.batch(N, 5, (True, False), together, mask, shape, dim)
    np.testing.assert_array_equal(
        back, np.stack([N.index_mask_backward(row, mask, shape=shape, dim=dim) for row in together])
    )


def test_a_batch_of_masks_is_refused():
    with pytest.raises(NotImplementedError, match="mask"):
        IndexMask.batch(N, 2, (False, True), np.ones(3), np.ones((2, 3), bool), 0)


@pytest.mark.parametrize("batched", [(x, v, i) for x in (0, 1) for v in (0, 1) for i in (0, 1) if x or v or i], ids=str)
@pytest.mark.parametrize("dims", [(0,), (1,), (0, 2), (1, 2)], ids=str)
def test_index_put_of_every_batch(batched, dims):
    generator, size, shape = np.random.default_rng(3), 4, (3, 5, 2)
    limits = [shape[d] for d in dims]
    indices = [generator.integers(0, n, (size, 3) if batched[2] else (3,)) for n in limits]
    x = generator.normal(size=(size, *shape) if batched[0] else shape)
    one = N.index(np.zeros(shape), *(i[0] if batched[2] else i for i in indices), dims=dims).shape
    values = generator.normal(size=(size, *one) if batched[1] else one)
    together = IndexPut.batch(
        N, size, (*map(bool, batched[:2]), *[bool(batched[2])] * len(dims)), x, values, tuple(indices), dims, True
    )
    for row in range(size):
        alone = N.index_put(
            x[row] if batched[0] else x,
            values[row] if batched[1] else values,
            *(i[row] if batched[2] else i for i in indices),
            dims=dims,
            accumulate=True,
        )
        np.testing.assert_allclose(together[row], alone)


@pytest.mark.parametrize(
    ("dtype", "value", "want"),
    [("bool", 2.5, True), ("int64", -1.7, -1), ("uint8", -1, 255), ("float32", 2, 2), ("int8", -128, -128)],
)
def test_numbers_take_the_dtype_of_the_tensor(dtype, value, want):
    assert number_of(np.dtype(dtype), value) == want


@pytest.mark.parametrize(("dtype", "value", "error"), [("int64", float("nan"), RuntimeError), ("int8", 128, RuntimeError), ("uint8", 300, RuntimeError), ("int64", 2**70, ValueError),
                                                       ("float64", 1j, RuntimeError)])  # fmt: skip
def test_numbers_that_do_not_fit_are_refused(dtype, value, error):
    with pytest.raises(error):
        number_of(np.dtype(dtype), value)
