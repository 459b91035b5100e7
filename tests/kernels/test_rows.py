"""Kernels over rows agree with the formulas in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.kernels import numpy_kernels as K
from tracegrad.kernels.rows import log_softmax_backward, product, softmax_backward, standardise, standardise_backward


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "dim"),
    [
        ((300, 20), (1,)),
        ((300, 20), (0,)),
        ((4, 6, 50, 3), (2, 3)),
        ((4, 6, 50), (0, 2)),
        ((2, 9000), (1,)),
        ((5,), ()),
        ((7, 1), (1,)),
    ],
)
def test_standardise_is_its_formula(shape: tuple[int, ...], dim: tuple[int, ...], dtype: type) -> None:
    x = (np.random.default_rng(0).standard_normal(shape) * 3 + 100).astype(dtype)
    for laid in (x, np.asfortranarray(x)):
        found, wide = standardise(laid, dim, 1e-5), x.astype(np.float64)
        center = wide.mean(dim, keepdims=True)
        wanted = (wide - center) / np.sqrt(((wide - center) ** 2).mean(dim, keepdims=True) + 1e-5)
        np.testing.assert_allclose(found, wanted, atol=2e-4 if dtype is np.float32 else 1e-12)
        assert found.dtype == dtype
        assert found.flags.c_contiguous


def test_no_elements_are_standardised_to_none() -> None:
    assert standardise(np.empty((0, 3)), (1,), 1e-5).shape == (0, 3)
    assert standardise(np.empty((3, 0)), (1,), 1e-5).shape == (3, 0)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("shape", [(3000,), (300, 16), (5, 30, 40), (2, 5000)])
def test_norms_of_rows_are_roots_of_sums_of_squares(shape: tuple[int, ...], keepdim: bool) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    found = K.vector_norm(x, 2.0, (len(shape) - 1,), keepdim)
    wanted = np.sqrt((x.astype(np.float64) ** 2).sum(-1, keepdims=keepdim))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert found.shape == wanted.shape
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32


@pytest.mark.parametrize(("shape", "dim"), [((5,), (0,)), ((3, 4), (0, 1)), ((3, 4), (1,)), ((3, 4, 2), (0, 2))])
def test_standardise_backward_is_the_slope_of_standardise(shape: tuple[int, ...], dim: tuple[int, ...]) -> None:
    x, slope, way = np.random.default_rng(0).standard_normal((3, *shape))
    apart = standardise(x + 1e-6 * way, dim, 1e-5) - standardise(x - 1e-6 * way, dim, 1e-5)
    found = standardise_backward(slope, x, dim, 1e-5)
    np.testing.assert_allclose((found * way).sum(), (slope * apart).sum() / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "dim"), [((300, 700), 1), ((300, 700), 0), ((2, 70000), 1), ((3, 400, 200), 1), ((40, 5), 1), ((), 0)]
)
def test_the_derivatives_of_softmax_are_their_formulas(shape: tuple[int, ...], dim: int, dtype: type) -> None:
    draw = np.random.default_rng(0)
    slope, y = draw.standard_normal(shape).astype(dtype), draw.uniform(-3, 1, shape).astype(dtype)
    axis = dim if shape else None
    s, p = slope.astype(np.float64), y.astype(np.float64)
    for laid in (slope, np.asfortranarray(slope)):
        found, logged = softmax_backward(laid, y, dim), log_softmax_backward(laid, y, dim)
        assert found.dtype == logged.dtype == dtype
        for made, wanted in (
            (found, p * (s - (s * p).sum(axis, keepdims=True))),
            (logged, s - np.exp(p) * s.sum(axis, keepdims=True)),
        ):
            near = 64 * np.finfo(dtype).eps * max(np.abs(wanted).max(), 1)
            np.testing.assert_allclose(made, wanted, rtol=0, atol=near)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(
    "shape", [(5000,), (4097,), (70, 131), (1, 5000), (5000, 1), (70_001,), (2, 40_001), (3, 40, 100), (0, 3), ()]
)
def test_a_product_in_halves_is_the_product(shape: tuple[int, ...], keepdim: bool) -> None:
    x = np.asarray(np.random.default_rng(0).uniform(0.9, 1.1, shape))
    for dim in (None, *[(axis,) for axis in range(len(shape))], tuple(range(len(shape)))):
        for laid in (x, x.copy(order="F")):
            wanted = np.multiply.reduce(x, axis=dim, keepdims=keepdim)
            found = product(laid, dim, keepdim)
            assert np.shape(found) == np.shape(wanted)
            np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_a_product_in_halves_keeps_nan_and_the_last_of_an_odd_number() -> None:
    x = np.ones(4097)
    x[-1] = 3.0
    assert product(x, None, False) == 3.0
    x[7] = np.nan
    assert np.isnan(product(x, None, False))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("kind", ["ordinary", "one zero", "two zeros", "tiny", "huge", "mixed"])
def test_products_of_others_are_right_at_zeros_and_far_from_one(kind: str, dim: int, dtype: type) -> None:
    x = np.random.default_rng(0).uniform(0.8, 1.2, (90, 80)).astype(dtype)
    x[4, :50] = {"ordinary": 1, "one zero": 0, "two zeros": 0, "tiny": 1e-30, "huge": 1e30, "mixed": 1e20}[kind]
    x[:60, 5] = {"ordinary": 1, "one zero": 1, "two zeros": 0, "tiny": 1e-30, "huge": 1e30, "mixed": 1e-20}[kind]
    wide = x.astype(np.longdouble)
    wanted = np.stack([np.prod(np.delete(wide, i, dim), dim) for i in range(x.shape[dim])], dim)
    with np.errstate(all="ignore"):
        found = K.products_of_others(x, dim)
        np.testing.assert_allclose(found, wanted.astype(dtype), rtol=2e-5 if dtype is np.float32 else 1e-13, atol=1e-44)
    assert found.dtype == dtype
