"""What partitions and row-wise steps find is what sorting and accumulating find: ties, nan and every axis."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.kernels import ordering

SHAPES = [((3000,), 0), ((40, 70), 1), ((70, 40), 0), ((5, 200, 3), 1)]


def _input(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    if kind == "nan":
        x[rng.random(shape) < 0.01] = np.nan
    if kind == "infinite":
        x[rng.random(shape) < 0.3] = np.inf
    if kind == "int64":
        return rng.integers(-(2**60), 2**60, shape)
    if kind == "float32":
        return x.astype(np.float32)
    return np.round(x, 1) if kind == "ties" else x


@pytest.mark.parametrize("kind", ["float32", "float64", "nan", "infinite", "ties", "int64"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_the_first_few_are_those_of_a_stable_sort(shape: tuple[int, ...], dim: int, kind: str) -> None:
    x = _input(kind, shape)
    for k in (1, 5):
        for largest in (True, False):
            values, places = ordering.topk(x, k, dim, largest)
            wanted = np.take(ordering.order(x, dim, largest), np.arange(k), dim)
            np.testing.assert_array_equal(places, wanted)
            np.testing.assert_array_equal(values, np.take_along_axis(x, wanted, dim))


@pytest.mark.parametrize("kind", ["float32", "float64", "nan", "infinite", "ties", "int64"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_an_element_of_a_rank_is_that_of_a_stable_sort(shape: tuple[int, ...], dim: int, kind: str) -> None:
    x = _input(kind, shape)
    for k in (1, 7, shape[dim] // 2):
        values, places = ordering.kthvalue(x, k, dim, True)
        wanted = np.take(ordering.order(x, dim, False), [k - 1], dim)
        np.testing.assert_array_equal(places, wanted)
        np.testing.assert_array_equal(values, np.take_along_axis(x, wanted, dim))


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("kind", ["float32", "nan", "infinite", "ties"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_medians_of_many_are_those_of_their_rows(shape: tuple[int, ...], dim: int, kind: str, skip: bool) -> None:
    x = _input(kind, shape)
    values, places = ordering.median_dim(x, dim, False, skip)
    rows = np.moveaxis(x, dim, -1).reshape(-1, shape[dim])
    for row, value, place in zip(rows, values.reshape(-1), places.reshape(-1), strict=True):
        ranks, count = np.argsort(row, kind="stable"), np.count_nonzero(~np.isnan(row))
        middle = count if count < len(row) and not skip else (count - 1) // 2
        assert place == ranks[middle]
        np.testing.assert_array_equal(value, row[place])


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("step", [np.multiply, np.maximum, np.minimum])
def test_steps_over_rows_accumulate(step: np.ufunc, dim: int) -> None:
    x = np.random.default_rng(0).standard_normal((30, 40, 50))
    x[3, 4, 5] = np.nan
    found = ordering.accumulated(step, x, dim)
    np.testing.assert_array_equal(found, step.accumulate(x, axis=dim))
    assert found.flags.c_contiguous
    assert ordering.accumulated(step, x[:0], dim).shape == x[:0].shape


@pytest.mark.parametrize("dim", [0, 1])
def test_recurrences_over_long_rows_are_those_by_doubling(dim: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 90, 90))
    found = ordering.linear_recurrence(a, b, dim)
    wanted = np.moveaxis(b.copy(), dim, 0)
    for i in range(1, 90):
        wanted[i] += np.moveaxis(a, dim, 0)[i] * wanted[i - 1]
    np.testing.assert_allclose(found, np.moveaxis(wanted, 0, dim), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5000,), (70, 100), (300, 1013), (4, 30, 64)])
def test_long_rows_are_summed_by_blocks_with_no_larger_errors(shape: tuple[int, ...], dtype: type) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    exact = np.cumsum(x, axis=-1, dtype=np.longdouble)
    found = ordering.cumsum(x, len(shape) - 1)
    assert found.dtype == dtype
    assert found.shape == shape
    assert np.abs(found - exact).max() < 1.5 * np.abs(np.cumsum(x, axis=-1) - exact).max()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_stays_behind_its_place_in_running_sums(value: float) -> None:
    x = np.ones((50, 100))
    x[3, 41] = value
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ordering.cumsum(x, 1), np.cumsum(x, axis=1))
