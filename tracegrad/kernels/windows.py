"""NumPy kernels of views by strides and of windows, whose elements may lie in one place of memory.  numpy_kernels.py offers them as its own.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

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


def strided_positions(shape: Shape, strides: Shape, offset: int) -> Array:
    """The positions offset + sum(i * strides), as an array of that shape."""
    found = np.full(shape, offset)
    for axis, (size, step) in enumerate(zip(shape, strides, strict=True)):
        found += (np.arange(size) * step).reshape((size,) + (1,) * (len(shape) - axis - 1))
    return found


def layout_positions(own: Shape, layout: Shape, shape: Shape, strides: Shape, offset: int) -> Array:
    """The row-major positions, in a value of shape `own` that lies in memory with the strides `layout`, of the elements that a view by strides shows."""
    positions = strided_positions(shape, strides, offset)
    if not layout or not positions.size:
        return positions
    places = strided_positions(own, layout, 0)
    numbers = np.full(places.max() + 1, -1)
    numbers[places.reshape(-1)] = np.arange(places.size)
    return numbers[positions]


def as_strided(x: Array, size: Shape, stride: Shape, offset: int, layout: Shape) -> Array:
    """The elements offset + sum(i * stride) of x, laid out in memory with the strides `layout` (() is row-major); a view where x lies so."""
    lies_so = x.strides == tuple(s * x.itemsize for s in layout) if layout else x.flags.c_contiguous
    if lies_so:
        view = view_memory(x, size, tuple(s * x.itemsize for s in stride), offset * x.itemsize)
        if view is not None:
            return view
    return x.reshape(-1)[layout_positions(x.shape, layout, size, stride, offset)]


def put_strided(g: Array, shape: Shape, stride: Shape, offset: int, layout: Shape) -> Array:
    """Zeros of `shape` to which g is added where as_strided read it; elements read twice get both."""
    out = np.zeros(shape, g.dtype)
    np.add.at(out.reshape(-1), layout_positions(shape, layout, g.shape, stride, offset), g)
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
