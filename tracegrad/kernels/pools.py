"""NumPy kernels of maxima and sums over windows.  numpy_kernels.py offers them as its own, loaded at the first use.

Each function may use NumPy and the other functions of this file and of sliding.py, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tracegrad.kernels.sliding import padded, pieces, windows

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

_MANY = 32  # elements of a window from which on windows are copied as rows, if that is not much more memory


def sum_pool(x: Array, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape) -> Array:
    """The sums of windows over the last axes of x, which is padded by zeros; axis by axis."""
    first = x.ndim - len(kernel)
    for i, (k, t, p, n) in enumerate(zip(kernel, stride, padding, sizes, strict=True)):
        last, reach = x.swapaxes(first + i, -1), (n - 1) * t + 1
        wide = last if not p and reach + k - 1 <= last.shape[-1] else padded(last, (p,), 0, (reach + k - 1,))
        if k > _MANY:
            total = np.add.reduce(windows(wide, (k,), (t,), (1,), (n,)), axis=-1)
        else:
            total = wide[..., :reach:t].copy(order="K")
            for j in range(1, k):
                np.add(total, wide[..., j : j + reach : t], out=total)
        x = total.swapaxes(first + i, -1)
    return np.ascontiguousarray(x)


def spread_pool(x: Array, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape) -> Array:
    """Each element of x added to all elements of its window: the transpose of sum_pool."""
    first = x.ndim - len(kernel)
    for i, (k, t, p, n) in enumerate(zip(kernel, stride, padding, sizes, strict=True)):
        axis, count = first + i, x.shape[first + i]
        total = max((count - 1) * t + k, n + p)
        made = np.zeros((*x.shape[:axis], total, *x.shape[axis + 1 :]), x.dtype)
        out, last = made.swapaxes(axis, -1), x.swapaxes(axis, -1)
        if t >= k:  # every element has one window
            windows(out, (k,), (t,), (1,), (count,))[...] = last[..., None]
        else:
            for j in range(k):
                part = out[..., j : j + (count - 1) * t + 1 : t]
                np.add(part, last, out=part)
        x = out[..., p : p + n].swapaxes(axis, -1)
    return np.ascontiguousarray(x)


def max_pool(
    x: Array, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, sizes: Shape
) -> tuple[Array, Array]:
    """The maxima of windows over the last axes, nan before all, and the positions in their plane of the first of them (of several nan the last)."""
    first = x.ndim - len(kernel)
    shape, own = (*x.shape[:first], *sizes), x.shape[first:]
    if 0 in shape:
        return np.empty(shape, x.dtype), np.empty(shape, np.int64)
    reach = tuple((n - 1) * t + d * (k - 1) + 1 for n, t, d, k in zip(sizes, stride, dilation, kernel, strict=True))
    low: Any = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    wide = padded(x, padding, low, reach)
    if wide is x and math.prod(kernel) > _MANY and math.prod(kernel) * math.prod(shape) <= 4 * x.size:
        rows = windows(x, kernel, stride, dilation, sizes).reshape(*shape, -1)
        chosen = rows.argmax(-1, keepdims=True)
        best, chosen = np.take_along_axis(rows, chosen, -1).reshape(shape), chosen.reshape(shape)
    else:
        best = np.empty(shape, x.dtype)
        for number, piece in enumerate(pieces(wide, kernel, stride, dilation, sizes)):
            if number:
                np.maximum(best, piece, out=best)
            else:
                best[...] = piece
        if x.dtype.kind == "f" and wide is not x:  # what lies around x is never chosen
            wide = padded(x, padding, np.nan, reach)
        chosen = _chosen(best, pieces(wide, kernel, stride, dilation, sizes), math.prod(kernel))
    missing = x.dtype.kind == "f" and bool(np.isnan(np.maximum.reduce(best, axis=None)))
    plane = [1] * len(own)
    for axis in range(len(own) - 2, -1, -1):
        plane[axis] = plane[axis + 1] * own[axis + 1]
    steps = [sum(j * d * s for j, d, s in zip(place, dilation, plane, strict=True)) for place in np.ndindex(*kernel)]
    places = np.array([*steps, 0]).take(chosen)
    for axis, (t, p, s, n) in enumerate(zip(stride, padding, plane, sizes, strict=True)):
        places += ((np.arange(n) * t - p) * s).reshape((n,) + (1,) * (len(own) - axis - 1))
    if missing:
        _last_nan(x, best, places, kernel, stride, padding, dilation, reach)
    return best, places


def _chosen(best: Array, candidates: Iterator[Array], count: int) -> Array:
    """The number of the first candidate that equals best."""
    chosen = np.zeros(best.shape, np.min_scalar_type(count))
    open_still, differs = np.ones(best.shape, bool), np.empty(best.shape, bool)
    for piece in candidates:
        np.not_equal(piece, best, out=differs)
        np.logical_and(open_still, differs, out=open_still)
        np.add(chosen, open_still.view(np.uint8), out=chosen)
    return chosen


def _last_nan(
    x: Array, best: Array, places: Array, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, reach: Shape
) -> None:
    """The position of the last nan of each window that has one, written into places."""
    own, sizes = x.shape[x.ndim - len(kernel) :], best.shape[x.ndim - len(kernel) :]
    numbers = padded(np.arange(math.prod(own)).reshape(own), padding, 0, reach)
    wide = padded(np.isnan(x), padding, False, reach)
    found = pieces(wide, kernel, stride, dilation, sizes)
    for number, there in zip(pieces(numbers, kernel, stride, dilation, sizes), found, strict=True):
        np.copyto(places, number, where=there)
