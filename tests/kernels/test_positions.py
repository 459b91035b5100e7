"""Kernels that read and write at positions count them in flat memory: every axis, index dtype and layout."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tracegrad.kernels import folded_scatters, positions

SHAPES = [(5,), (3, 4), (2, 3, 4), (4, 1, 3), (1,)]
CASES = [(shape, dim) for shape in SHAPES for dim in range(len(shape))]


def _at(shape: tuple[int, ...], i: np.ndarray, dim: int):
    """Each position of i with the position of x that it means, one by one."""
    for place in itertools.product(*map(range, i.shape)):
        yield place, (*place[:dim], int(i[place]), *place[dim + 1 :])


def _operands(shape: tuple[int, ...], dim: int, dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    own = tuple(n + 2 if axis == dim else max(n - 1, 1) for axis, n in enumerate(shape))
    return rng.standard_normal(shape), rng.integers(0, shape[dim], own).astype(dtype), rng.standard_normal(own)


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize(("shape", "dim"), CASES)
def test_gather_and_scatter_add_meet_the_elements_of_a_loop(shape: tuple[int, ...], dim: int, dtype: type) -> None:
    x, i, source = _operands(shape, dim, dtype)
    taken, added = np.empty(i.shape), x.copy()
    for place, there in _at(shape, i, dim):
        taken[place] = x[there]
        added[there] += source[place]
    for laid in (x, np.asfortranarray(x)):
        np.testing.assert_array_equal(positions.gather(laid, i, dim), taken)
        np.testing.assert_allclose(positions.scatter_add(laid, i, source, dim), added, rtol=1e-14)


@pytest.mark.parametrize("fold", ["sum", "prod", "amax", "amin"])
@pytest.mark.parametrize(("shape", "dim"), CASES)
def test_scatter_reduce_folds_the_elements_of_a_loop(shape: tuple[int, ...], dim: int, fold: str) -> None:
    x, i, source = _operands(shape, dim, np.int64)
    step = {"sum": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[fold]
    wanted = x.copy()
    for place, there in _at(shape, i, dim):
        wanted[there] = step(wanted[there], source[place])
    np.testing.assert_allclose(folded_scatters.scatter_reduce(x, i, source, dim, fold, True), wanted, rtol=1e-14)


@pytest.mark.parametrize(("shape", "dim"), CASES)
def test_index_add_adds_repeated_slices_and_index_put_counts_from_the_end(shape: tuple[int, ...], dim: int) -> None:
    rng = np.random.default_rng(1)
    i = rng.integers(0, shape[dim], 7)
    x, source = rng.standard_normal(shape), rng.standard_normal((*shape[:dim], 7, *shape[dim + 1 :]))
    wanted = np.moveaxis(x.copy(), dim, 0)
    for k, part in zip(i, np.moveaxis(source, dim, 0), strict=True):
        wanted[k] += part
    wanted = np.moveaxis(wanted, 0, dim)
    np.testing.assert_allclose(positions.index_add(x, i.astype(np.int32), source, dim), wanted, rtol=1e-14)
    np.testing.assert_allclose(positions.index_put(x, source, (i - shape[dim],), (dim,), True), wanted, rtol=1e-14)


def test_places_of_int32_positions_do_not_overflow() -> None:
    i = np.full((70000, 1), 60, np.int32)
    assert positions.element_places((70000, 70000), i, 1).max() == 69999 * 70000 + 60
    assert positions.element_places((70000, 70000), i.T.copy(), 0).max() == 60 * 70000 + 69999


def test_positions_outside_are_refused() -> None:
    with pytest.raises(IndexError):
        positions.index_put(np.zeros(3), np.ones(1), (np.array([3]),), (0,), True)
    with pytest.raises(RuntimeError):
        positions.gather(np.zeros((2, 3)), np.array([[3]]), 1)
