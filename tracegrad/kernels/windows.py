"""NumPy kernels of views by strides and of windows, whose elements may lie in one place of memory.  numpy_kernels.py offers them as its own.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


def memory_of(x: Array) -> Array | None:
    """All the memory that x shows a part of, as one flat array; None when it has gaps or is no NumPy array."""
    while type(x.base) is np.ndarray:
        x = x.base
    if not x.flags.c_contiguous:
        x = x.transpose(sorted(range(x.ndim), key=lambda axis: -x.strides[axis]))
    return x.reshape(-1) if x.flags.c_contiguous else None


def view_memory(x: Array, shape: Shape, strides: Shape, distance: int) -> Array | None:
    """The array of this shape and these strides (in bytes) that begins `distance` bytes behind x; None when x's memory does not hold it."""
    memory = memory_of(x)
    if memory is None:
        return None
    start = x.__array_interface__["data"][0] - memory.__array_interface__["data"][0] + distance
    last = start + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + x.itemsize
    if 0 in shape:
        start = 0 if start < 0 or start > memory.nbytes else start
    elif start < 0 or last > memory.nbytes or min((0, *strides)) < 0:
        return None
    return np.ndarray(shape, x.dtype, memory, start, strides)


def dense_like(x: Array, dtype: Any = None) -> Array:
    """An empty array of x's shape with the axes of x in memory, without gaps; an axis of step 0 (x shows one element often) keeps its place, as in torch."""
    if x.flags.c_contiguous:
        return np.empty(x.shape, dtype or x.dtype)
    steps, order = x.strides, list(range(x.ndim))
    for i in range(1, x.ndim):  # sorted by insertion: steps of 0 compare with nothing
        here = i
        for before in range(i - 1, -1, -1):
            a, b = order[before], order[here]
            if not steps[a] or not steps[b]:
                continue
            if steps[a] < steps[b] or (steps[a] == steps[b] and x.shape[a] < x.shape[b]):
                order[before], order[here], here = b, a, before
            else:
                break
    made = np.empty([x.shape[i] for i in order], dtype or x.dtype)
    return made.transpose([order.index(i) for i in range(x.ndim)])


def copied(x: Array, dtype: Any = None) -> Array:
    """x in memory of its own."""
    if not x.shape and type(x) is np.ndarray:
        return x.astype(dtype or x.dtype)
    if x.flags.forc or 0 not in x.strides:
        return np.array(x, dtype)
    made = dense_like(x, dtype)
    np.copyto(made, x, casting="unsafe")
    return made


def concatenated(xs: Any, dim: int) -> Array:
    """The arrays joined along an axis, row by row in memory."""
    made: Array = np.concatenate(xs, dim)
    return made if made.flags.c_contiguous else np.ascontiguousarray(made)


def strided_positions(shape: Shape, strides: Shape, offset: int) -> Array:
    """The positions offset + sum(i * strides), as an array of that shape."""
    found = np.full(shape, offset)
    for axis, (size, step) in enumerate(zip(shape, strides, strict=True)):
        found += (np.arange(size) * step).reshape((size,) + (1,) * (len(shape) - axis - 1))
    return found


def layout_positions(own: Shape, layout: Shape, shape: Shape, strides: Shape, offset: int) -> Array:
    """The row-major positions, in a value of shape `own` that lies in memory with the strides `layout`, of the elements that a view by strides shows.

    An element of the memory that is none of the value's has the position -1.
    """
    positions = strided_positions(shape, strides, offset)
    if not positions.size:
        return positions
    places = strided_positions(own, layout, 0) if layout else np.arange(math.prod(own))
    numbers = np.full(places.max(initial=-1) + 1, -1)
    numbers[places.reshape(-1)] = np.arange(places.size)
    inside = (positions >= 0) & (positions < numbers.size)
    if inside.all():
        return numbers[positions]
    return np.where(inside, numbers[np.where(inside, positions, 0)] if numbers.size else -1, -1)


def offset_of(data: Array) -> int:
    """How many elements of data's memory lie before its first one."""
    memory = memory_of(data)
    if memory is None:
        return 0
    return int(data.__array_interface__["data"][0] - memory.__array_interface__["data"][0]) // data.itemsize


def within(own: Shape, layout: Shape, shape: Shape, strides: Shape, offset: int) -> bool:
    """Whether all elements of the view are elements of the value, each of which has a place of its own."""
    if 0 in shape:
        return True
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if offset < 0 or last >= (extent(own, layout) if layout else math.prod(own)):
        return False
    if layout and any(n > 1 and not step for n, step in zip(own, layout, strict=True)):
        return False
    return (
        not layout
        or extent(own, layout) == math.prod(own)
        or bool((layout_positions(own, layout, shape, strides, offset) >= 0).all())
    )


def extent(own: Shape, layout: Shape) -> int:
    """How many places of memory lie between the first and behind the last element of a value that lies there with the strides `layout`."""
    return sum((n - 1) * step for n, step in zip(own, layout, strict=True)) + 1 if 0 not in own else 0


def as_strided(x: Array, size: Shape, stride: Shape, offset: int, layout: Shape) -> Array:
    """The elements offset + sum(i * stride) of x, laid out in memory with the strides `layout` (() is row-major); a view where x lies so."""
    lies_so = x.strides == tuple(s * x.itemsize for s in layout) if layout else x.flags.c_contiguous
    if lies_so:
        view = view_memory(x, size, tuple(s * x.itemsize for s in stride), offset * x.itemsize)
        if view is not None:
            return view
    return x.reshape(-1)[layout_positions(x.shape, layout, size, stride, offset)]


def strided_or_zero(x: Array, size: Shape, stride: Shape, offset: int, layout: Shape) -> Array:
    """The elements that as_strided shows, with zeros for what lies outside of x."""
    positions = layout_positions(x.shape, layout, size, stride, offset)
    return np.append(x.reshape(-1), x.dtype.type(0))[positions]


def put_strided(g: Array, shape: Shape, stride: Shape, offset: int, layout: Shape) -> Array:
    """Zeros of `shape` to which g is added where as_strided read it; elements read twice get both."""
    out = np.zeros(shape, g.dtype)
    positions = layout_positions(shape, layout, g.shape, stride, offset)
    shown = positions >= 0
    np.add.at(out.reshape(-1), positions[shown], g[shown])
    return out


def unfold(x: Array, dim: int, size: int, step: int) -> Array:
    """The windows of `size` elements that begin every `step` elements of axis dim, with their elements on a new last axis; a view."""
    length, pace = x.shape[dim], x.strides[dim]
    count = (length - size) // step + 1
    shape = (*x.shape[:dim], count, *x.shape[dim + 1 :], size)
    view = view_memory(x, shape, (*x.strides[:dim], pace * step, *x.strides[dim + 1 :], pace), 0)
    if view is not None:
        return view
    positions = np.arange(count)[:, None] * step + np.arange(size)
    return np.moveaxis(x.take(positions, dim), dim + 1, -1)


def put_unfolded(g: Array, shape: Shape, dim: int, size: int, step: int) -> Array:
    """Zeros of `shape` to which the windows g are added in their places."""
    out, count = np.zeros(shape, g.dtype), g.shape[dim]
    before = (slice(None),) * dim
    for i in range(size):
        here = out[(*before, slice(i, i + count * step, step))]
        np.add(here, g[..., i], here)
    return out
