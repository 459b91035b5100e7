"""NumPy kernels of sorting and of what is found by it.  numpy_kernels.py offers them as its own, loaded at the first use.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.  nan counts as the largest number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def order(x: Array, dim: int, descending: bool) -> Array:
    """The positions that sort x along an axis, equal elements in their order; descending: nan first."""
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, dim, kind="stable")
    back = np.flip(np.argsort(np.flip(x, dim), dim, kind="stable"), dim)
    return np.subtract(x.shape[dim] - 1, back)


def sort(x: Array, dim: int, descending: bool) -> tuple[Array, Array]:
    """The elements in order along an axis, and their positions."""
    found = order(x, dim, descending)
    return (np.take_along_axis(x, found, dim) if x.ndim else np.array(x)), found


def _rows(x: Array, dim: int) -> Array | None:
    """x with axis dim last, as rows; None where sorting is as quick, and where there are nan."""
    if x.shape[dim] < 64 or x.size < 1024 or (x.dtype.kind == "f" and np.isnan(np.maximum.reduce(x, axis=None))):
        return None
    return np.ascontiguousarray(np.moveaxis(x, dim, -1)).reshape(-1, x.shape[dim])


def _few(x: Array, k: int, dim: int, largest: bool) -> Array | None:
    """The positions of the first k along an axis in order, found without sorting the rest; None where rows have equals at the edge."""
    rows = _rows(x, dim) if k and 8 * k <= x.shape[dim] else None
    if rows is None:
        return None
    n = rows.shape[1]
    at = n - k if largest else k - 1
    edge = np.partition(rows, at, axis=1)[:, at : at + 1]
    places = np.flatnonzero(np.greater_equal(rows, edge) if largest else np.less_equal(rows, edge))
    if places.size != k * len(rows):
        return None
    found = np.remainder(places.reshape(-1, k), n)
    ranks = order(np.take_along_axis(rows, found, 1), 1, largest)
    found = np.take_along_axis(found, ranks, 1).reshape(*x.shape[:dim], *x.shape[dim + 1 :], k)
    return np.ascontiguousarray(np.moveaxis(found, -1, dim))


def _ranked(x: Array, rank: int, dim: int) -> Array | None:
    """The position of the element of a rank along an axis, which is kept with size 1, equal elements in their order; None where sorting is as quick."""
    rows = _rows(x, dim)
    if rows is None:
        return None
    value = np.partition(rows, rank, axis=1)[:, rank : rank + 1]
    same = np.equal(rows, value)
    before = np.subtract(rank, np.count_nonzero(np.less(rows, value), axis=1, keepdims=True))
    if before.any():  # of equal elements not the first
        same = np.greater(np.cumsum(same, axis=1), before)
    found = same.argmax(1).reshape((*x.shape[:dim], *x.shape[dim + 1 :]))
    return np.expand_dims(found, dim)


def topk(x: Array, k: int, dim: int, largest: bool) -> tuple[Array, Array]:
    """The k largest or smallest elements along an axis in order, and their positions."""
    if not x.ndim:
        return np.array(x), np.zeros((), np.int64)
    found = _few(x, k, dim, largest)
    if found is None:
        found = np.take(order(x, dim, largest), np.arange(k), dim)
    return np.take_along_axis(x, found, dim), found


def _pick(x: Array, found: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The elements at one position each along an axis, which `found` has kept."""
    values = np.take_along_axis(x, found, dim)
    if not keepdim:
        values, found = values.squeeze(dim), found.squeeze(dim)
    return np.asarray(values, order="C"), np.asarray(found, order="C")


def kthvalue(x: Array, k: int, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The k-th smallest element along an axis, counted from 1, and its position."""
    if not x.ndim:
        return np.array(x), np.zeros((), np.int64)
    found = _ranked(x, k - 1, dim)
    return _pick(x, np.take(order(x, dim, False), [k - 1], dim) if found is None else found, dim, keepdim)


def median_dim(x: Array, dim: int, keepdim: bool, skip: bool) -> tuple[Array, Array]:
    """The lower median along an axis and its position; nan and its first position where there is one, unless nan are to be skipped."""
    if not x.ndim:
        return np.array(x), np.zeros((), np.int64)
    found = _ranked(x, (x.shape[dim] - 1) // 2, dim)
    if found is not None:
        return _pick(x, found, dim, keepdim)
    ranks, n, missing = order(x, dim, False), x.shape[dim], np.isnan(x)
    count = np.subtract(n, np.add.reduce(missing, axis=dim, keepdims=True))
    middle = np.floor_divide(np.maximum(np.subtract(count, 1), 0), 2)
    if not skip:  # the nan come last, the first of them at `count`
        middle = np.where(np.less(count, n), np.minimum(count, n - 1), (n - 1) // 2)
    return _pick(x, np.take_along_axis(ranks, middle, dim), dim, keepdim)


def median(x: Array, skip: bool) -> Array:
    """The lower median of all elements; nan where there is one, unless nan are to be skipped, and where there are no elements."""
    if not x.size:
        return np.full((), np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype)
    return median_dim(x.reshape(-1), 0, False, skip)[0]


def mode(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The most frequent element along an axis, the smallest of several, and the last position of it."""
    if not x.ndim:
        return np.array(x), np.zeros((), np.int64)
    values, ranks = sort(x, dim, False)
    values, n = np.moveaxis(values, dim, -1), x.shape[dim]
    place = np.broadcast_to(np.arange(n), values.shape)
    new = np.ones(values.shape, bool)
    np.not_equal(values[..., 1:], values[..., :-1], out=new[..., 1:])
    start = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    length = np.subtract(place, start)  # in a run of equals the last has the greatest
    last = length.argmax(-1, keepdims=True)
    return _pick(x, np.take_along_axis(ranks, np.moveaxis(last, -1, dim), dim), dim, keepdim)


def _running(x: Array, better: Array, values: Array, dim: int) -> tuple[Array, Array]:
    """Running values and where each was last met."""
    shape = [1] * x.ndim
    shape[dim] = x.shape[dim]
    place = np.arange(x.shape[dim]).reshape(shape)
    return values, accumulated(np.maximum, np.multiply(better, place), dim)


def cummax(x: Array, dim: int) -> tuple[Array, Array]:
    """The largest elements up to each position of an axis, and the last positions of them."""
    if not x.ndim:
        return np.array(x), np.zeros((), np.int64)
    x = np.asarray(x, order="C")
    values = accumulated(np.maximum, x, dim)
    return _running(x, np.logical_or(np.equal(x, values), np.isnan(x)), values, dim)


def cummin(x: Array, dim: int) -> tuple[Array, Array]:
    """The smallest elements up to each position of an axis, and the last positions of them."""
    if not x.ndim:
        return np.array(x), np.zeros((), np.int64)
    x = np.asarray(x, order="C")
    values = accumulated(np.minimum, x, dim)
    return _running(x, np.logical_or(np.equal(x, values), np.isnan(x)), values, dim)


def linear_recurrence(a: Array, b: Array, dim: int) -> Array:
    """s[i] = a[i] * s[i - 1] + b[i] along an axis with s[-1] = 0, by doubling."""
    if not b.ndim:
        return np.array(b)
    n = b.shape[dim]
    if b.size >= 64 * n:  # long rows: one step after the other over whole rows
        factors, found = np.ascontiguousarray(np.moveaxis(a, dim, 0)), np.array(np.moveaxis(b, dim, 0), order="C")
        product = np.empty(found.shape[1:], found.dtype)
        for i in range(1, n):
            np.add(found[i], np.multiply(factors[i], found[i - 1], out=product), out=found[i])
        return np.ascontiguousarray(np.moveaxis(found, 0, dim))
    a, s = np.moveaxis(np.array(a), dim, 0), np.moveaxis(np.array(b), dim, 0)
    step = 1
    while step < n:
        s[step:] = np.add(s[step:], np.multiply(a[step:], s[:-step]))
        a[step:] = np.multiply(a[step:], a[:-step])
        step *= 2
    return np.moveaxis(s, 0, dim)


def accumulated(step: Any, x: Array, dim: int) -> Array:
    """step folded over the elements up to and with each position of an axis; with many rows step by step over all of them, which is quicker."""
    x = np.asarray(x, order="C")
    n = x.shape[dim]
    if x.size < 256 * n or n < 2:
        found: Array = step.accumulate(x, axis=dim)
        return found
    rows = np.array(np.moveaxis(x, dim, 0), order="C")
    for i in range(1, n):
        step(rows[i], rows[i - 1], out=rows[i])
    return np.ascontiguousarray(np.moveaxis(rows, 0, dim))


def cumsum(x: Array, dim: int) -> Array:
    """Sums up to and with each position of an axis."""
    if x.dtype.char == "e":
        return cumsum(x.astype(np.float32), dim).astype(np.float16)
    if x.size < 4096:
        return np.add.accumulate(np.asarray(x, order="C"), axis=dim) if x.ndim else np.array(x)
    if dim == x.ndim - 1 and x.shape[-1] >= 64 and x.dtype.char in "fd":
        found = _sums_by_blocks(np.ascontiguousarray(x))
        if np.isfinite(found[..., -1]).all():  # 0 times infinity has not come in
            return found
    return accumulated(np.add, x, dim)


def _sums_by_blocks(x: Array) -> Array:
    """Running sums of rows by products of blocks with a triangle of ones, which have vector instructions, and fewer roundings one after the other."""
    n, width = x.shape[-1], 20
    blocks = -(-n // width)
    rows, out = x.reshape(-1, n), np.empty((x.size // n, n), x.dtype)
    ones, count = np.triu(np.ones((width, width), x.dtype)), max(65536 // n, 1)
    for start in range(0, len(rows), count):
        part = rows[start : start + count]
        if n % width:
            padded = np.zeros((len(part), blocks * width), x.dtype)
            padded[:, :n] = part
            part = padded
        sums = np.dot(part.reshape(-1, width), ones)
        before = np.zeros((len(part), blocks), x.dtype)
        np.add.accumulate(sums[:, -1].reshape(-1, blocks)[:, :-1], axis=1, out=before[:, 1:])
        np.add(sums, before.reshape(-1, 1), out=sums)
        out[start : start + count] = sums.reshape(len(part), -1)[:, :n]
    return out.reshape(x.shape)


def cumprod(x: Array, dim: int) -> Array:
    """Products up to and with each position of an axis."""
    if x.dtype == np.float16:
        return cumprod(x.astype(np.float32), dim).astype(np.float16)
    return accumulated(np.multiply, x, dim) if x.ndim else np.array(x)


def logaddexp(x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y)) without overflow; of complex numbers the larger real part plus the principal logarithm of 1 + exp(difference)."""
    if type(x) is np.ndarray and x.size < 1024 and x.dtype.kind == "f":
        return np.logaddexp(x, y)  # type: ignore[no-any-return]
    if np.result_type(x, y).kind != "c":
        return _real_logaddexp(x, y)
    x, y = np.broadcast_arrays(x, y)
    below = np.less(np.real(x), np.real(y))
    low, high = np.where(below, x, y), np.where(below, y, x)
    level, equal = np.real(low), np.equal(np.real(low), np.real(high))
    found = np.log1p(np.exp(low - high)) + high
    found = np.where(np.isposinf(level) & equal, np.log(np.exp(low) + np.exp(high)), found)
    found = np.where(np.isneginf(level) & equal, low, found)
    return np.where(np.isnan(x) | np.isnan(y), complex(np.nan, np.nan), found).astype(x.dtype, copy=False)


def _real_logaddexp(x: Any, y: Any) -> Array:
    """The greater one plus log1p(exp(-distance)): NumPy's ufunc has no vector instructions."""
    if max(np.size(x), np.size(y)) < 1024:
        return np.asarray(np.logaddexp(x, y))
    found, more = np.maximum(x, y), np.subtract(x, y)
    np.absolute(more, out=more)
    np.negative(more, out=more)
    np.exp(more, out=more)
    np.log1p(more, out=more)
    if not np.isfinite(found).all():
        np.copyto(more, 0, where=np.isinf(found))  # equal infinities have no distance
    return np.add(found, more, out=found)


def logcumsumexp(x: Array, dim: int) -> Array:
    """log(sum(exp(x))) up to and with each position of an axis."""
    if not x.ndim or x.dtype.kind != "c":
        return np.logaddexp.accumulate(np.asarray(x, order="C"), axis=dim) if x.ndim else np.array(x)
    made = np.array(x)
    rows = np.moveaxis(made, dim, 0)
    for i in range(1, len(rows)):
        rows[i] = logaddexp(rows[i], rows[i - 1])
    return made


def searchsorted(edges: Array, x: Array, right: bool, dtype: Any) -> Array:
    """Where each element of x belongs in the rows of edges; nan belongs at the end.  Shapes: (n,), (*a) -> (*a) or (*p, n), (*p, m) -> (*p, m)."""
    side = "right" if right else "left"
    if edges.ndim == 1:
        return np.asarray(np.searchsorted(edges, x, side)).astype(dtype)
    n, m = edges.shape[-1], x.shape[-1]
    if not n or not x.size:
        return np.zeros(x.shape, dtype)
    rows, count = edges.reshape(-1, n), x.reshape(-1, m)
    found = np.empty(count.shape, np.int64)
    lead = np.arange(len(rows))[:, None]
    both = np.concatenate((count, rows) if not right else (rows, count), -1)
    place = np.argsort(both, -1, kind="stable")
    is_edge = np.less(place, n) if right else np.greater_equal(place, m)
    before = np.cumsum(is_edge, -1)
    ranks = np.empty_like(place)
    ranks[lead, place] = before
    found[...] = ranks[:, n:] if right else ranks[:, :m]
    return found.reshape(x.shape).astype(dtype)


def roll(x: Array, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Array:
    """x moved along axes, what leaves at the end coming back at the start."""
    return np.roll(np.asarray(x, order="C"), shifts if dims else shifts[0], dims or None) if x.size else np.array(x)


def unique_positions(x: Array, dim: int, in_order: bool) -> tuple[Array, Array, Array]:
    """Of the slices along an axis: the positions of the first of each kind, the kind of each, and the counts.  in_order: kinds are runs of equals."""
    rows = np.moveaxis(x, dim, 0).reshape(x.shape[dim], -1 if x.size else 1)
    n = len(rows)
    if in_order or not n:
        ranks = np.arange(n)
    else:
        ranks = np.argsort(rows[:, 0], kind="stable") if rows.shape[1] == 1 else np.lexsort(rows.T[::-1])
    new, placed = np.ones(n, bool), rows[ranks]
    np.any(placed[1:] != placed[:-1], axis=1, out=new[1:])
    starts = np.flatnonzero(new)
    kinds = np.empty(n, np.int64)
    kinds[ranks] = np.cumsum(new) - 1
    return ranks[starts], kinds, np.diff(np.append(starts, n))


def bincount(x: Array, weights: Any, minlength: int) -> Array:
    """How often each number occurs, or the sums of the weights there."""
    try:
        found = np.bincount(x, weights, minlength)
    except ValueError:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.") from None
    if weights is None:
        return found
    return found.astype(weights.dtype if weights.dtype == np.float32 else np.float64, copy=False)


def repeated_positions(counts: Array) -> Array:
    """0 counts[0] times, 1 counts[1] times and so on, in the dtype of the counts."""
    try:
        return np.repeat(np.arange(counts.size, dtype=counts.dtype), counts)
    except ValueError:
        raise RuntimeError("repeat_interleave: repeats can not be negative") from None


def histc(x: Array, bins: int, low: float, high: float) -> Array:
    """How many elements lie in each of equal parts of an interval, the last one closed; without width that of the elements."""
    x = x.reshape(-1)
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not np.isfinite([low, high]).all():
        raise RuntimeError(f"histc: range of [{low}, {high}] is not finite")
    if low == high:
        low, high = low - 1, high + 1
    inside = x[np.logical_and(np.greater_equal(x, low), np.less_equal(x, high))]
    part = np.minimum(((inside - low) * (bins / (high - low))).astype(np.int64), bins - 1)
    return np.bincount(part, minlength=bins).astype(x.dtype)


def take(x: Array, index: Array) -> Array:
    """Elements at positions that count through all of them; negative ones from the end."""
    return x.reshape(-1).take(index)
