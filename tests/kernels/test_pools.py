"""The maxima of windows and their positions are those of a loop, for every layout, tie, nan and padding."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tracegrad.kernels import pools
from tracegrad.kernels.pools import max_pool, spread_pool, sum_pool


def by_hand(x, kernel, stride, padding, dilation, sizes):
    """Window by window: a greater element or a nan takes the place of the one before."""
    first = x.ndim - len(kernel)
    own = x.shape[first:]
    values, places = np.empty((*x.shape[:first], *sizes), x.dtype), np.empty((*x.shape[:first], *sizes), np.int64)
    for lead in np.ndindex(*x.shape[:first]):
        for out in np.ndindex(*sizes):
            best, chosen = None, 0
            for place in np.ndindex(*kernel):
                at = tuple(
                    o * t - p + j * d for o, t, p, j, d in zip(out, stride, padding, place, dilation, strict=True)
                )
                if any(a < 0 or a >= n for a, n in zip(at, own, strict=True)):
                    continue
                value = x[(*lead, *at)]
                if best is None or value > best or value != value:
                    best, chosen = value, int(np.ravel_multi_index(at, own))
            values[(*lead, *out)], places[(*lead, *out)] = best, chosen
    return values, places


def _input(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    if kind == "nan":
        x[rng.random(shape) < 0.3] = np.nan
    if kind == "infinite":
        x[rng.random(shape) < 0.8] = -np.inf
    if kind == "ties":
        x = np.round(x)
    if kind == "int64":
        return np.round(3 * x).astype(np.int64)
    return x.swapaxes(0, 1) if kind == "strided" else x.astype(np.float32) if kind == "float32" else x


@pytest.mark.parametrize("kind", ["float32", "strided", "nan", "infinite", "ties", "int64"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_maxima_and_positions_are_those_of_a_loop(axes: int, kind: str) -> None:
    x = _input(kind, (2, 3, *(7, 5, 4)[:axes]))
    for k, t, p, d in itertools.product((2, 3), (1, 2), (0, 1), (1, 2)):
        sizes = tuple((s + 2 * p - d * (k - 1) - 1) // t + 1 for s in x.shape[2:])
        if min(sizes) < 1:
            continue
        given = [(v,) * axes for v in (k, t, p, d)]
        values, places = max_pool(x, *given, sizes)
        wanted, chosen = by_hand(x, *given, sizes)
        np.testing.assert_array_equal(values, wanted)
        np.testing.assert_array_equal(places, chosen)
        assert values.dtype == x.dtype
        assert values.flags.c_contiguous


def test_no_examples_give_no_maxima() -> None:
    values, places = max_pool(np.empty((0, 3, 4)), (2,), (2,), (0,), (1,), (2,))
    assert values.shape == places.shape == (0, 3, 2)


def test_windows_of_more_than_255_elements_count_their_positions() -> None:
    x = np.arange(400.0).reshape(1, 20, 20)
    values, places = max_pool(x, (20, 20), (1, 1), (0, 0), (1, 1), (1, 1))
    assert values.item() == 399
    assert places.item() == 399


def test_rows_of_long_windows_give_the_maxima_of_the_positions_one_by_one(monkeypatch) -> None:
    for kind in ("float32", "strided", "nan", "infinite", "ties", "int64"):
        x = _input(kind, (2, 3, 12, 8))
        given = ((4, 4), (4, 4), (0, 0), (1, 1), (3, 2))
        monkeypatch.setattr(pools, "_MANY", 32)
        one_by_one = max_pool(x, *given)
        monkeypatch.setattr(pools, "_MANY", 1)
        for found, wanted in zip(max_pool(x, *given), one_by_one, strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("many", [1, 32])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_sums_of_windows_and_their_transpose(monkeypatch, axes: int, many: int) -> None:
    monkeypatch.setattr(pools, "_MANY", many)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 2, *(7, 5, 4)[:axes])).swapaxes(0, 1)
    for k, t, p in itertools.product((1, 2, 3), (1, 2, 3), (0, 1)):
        sizes = tuple((s + 2 * p - k) // t + 1 for s in x.shape[2:])
        given = [(v,) * axes for v in (k, t, p)]
        found = sum_pool(x, *given, sizes)
        wide = np.pad(x, [(0, 0)] * 2 + [(p, p + t)] * axes)
        wanted = np.empty(found.shape)
        for place in np.ndindex(*sizes):
            at = tuple(slice(o * t, o * t + k) for o in place)
            wanted[(..., *place)] = wide[(..., *at)].sum(tuple(range(2, 2 + axes)))
        np.testing.assert_allclose(found, wanted, atol=1e-13)
        g = rng.standard_normal(found.shape)
        back = spread_pool(g, *given, x.shape[2:])
        assert back.shape == x.shape
        np.testing.assert_allclose((back * x).sum(), (g * found).sum(), rtol=1e-11)
