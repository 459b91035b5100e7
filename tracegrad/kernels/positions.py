"""NumPy kernels of slices, positions, masks and pieces, and of values made from numbers.  numpy_kernels.py offers them as its own.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_WHOLE = tuple((slice(None),) * n for n in range(65))  # the leading part of an index: n whole axes


def slice_axis(x: Array, dim: int, start: int, stop: int, step: int) -> Array:
    """The view x[:, ..., start:stop:step] with the slice at axis dim."""
    return x[(*_WHOLE[dim], slice(start, stop, step))]


def select_axis(x: Array, dim: int, index: int) -> Array:
    """The view of x at one position of axis dim; an array also where it has no axes."""
    return x[(*_WHOLE[dim], index, ...)]


def put_slice(g: Array, shape: tuple[int, ...], dim: int, start: int, stop: int, step: int) -> Array:
    """Zeros of `shape` with g in the slice."""
    out = np.zeros(shape, g.dtype)
    out[(*_WHOLE[dim], slice(start, stop, step))] = g
    return out


def put_select(g: Array, shape: tuple[int, ...], dim: int, index: int) -> Array:
    """Zeros of `shape` with g at one position of axis dim."""
    out = np.zeros(shape, g.dtype)
    out[(*_WHOLE[dim], index)] = g
    return out


def place(
    xs: tuple[Array, ...], shape: tuple[int, ...], dim: int, starts: tuple[int, ...], steps: tuple[int, ...]
) -> Array:
    """Zeros of `shape` to which each of xs is added in its slice of axis dim."""
    first, before = xs[0], _WHOLE[dim]
    if first.shape == shape:
        out = np.array(first, order="C")
    else:
        out = np.zeros(shape, first.dtype)
        out[(*before, slice(starts[0], starts[0] + first.shape[dim] * steps[0], steps[0]))] = first
    for x, start, step in zip(xs[1:], starts[1:], steps[1:], strict=True):
        here = out[(*before, slice(start, start + x.shape[dim] * step, step))]
        np.add(here, x, here)
    return out


def diagonal(x: Array, offset: int, dim1: int, dim2: int) -> Array:
    """The diagonal as a view that can be written, unlike NumPy's."""
    view = x.diagonal(offset, dim1, dim2)
    if x.flags.writeable:
        view.flags.writeable = True
    return view


def put_diagonal(g: Array, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Array:
    """Zeros of `shape` with g on the diagonal."""
    out = np.zeros(shape, g.dtype)
    diagonal(out, offset, dim1, dim2)[...] = g
    return out


def squeeze(x: Array, dim: Any) -> Array:
    """x without the axes of size 1: all (None), one, or a tuple of them; axes of another size stay."""
    axes = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return x.reshape([n for i, n in enumerate(x.shape) if n != 1 or i not in axes])


def unsqueeze(x: Array, dim: int) -> Array:
    """The view of x with an axis of size 1 before axis dim."""
    return x[(*_WHOLE[dim], None)]


def flip(x: Array, dims: tuple[int, ...]) -> Array:
    """x in reverse order along dims, in memory of its own."""
    return x[tuple(slice(None, None, -1) if i in dims else slice(None) for i in range(x.ndim))].copy()


def stack(xs: tuple[Array, ...], dim: int) -> Array:
    """Arrays of one shape joined along a new axis dim."""
    return np.asarray(np.concatenate([x[(*_WHOLE[dim], None)] for x in xs], dim), order="C")


# Products: what NumPy would do with other ranks, or with booleans, is not what torch's product of that name does


def _refuse_product(a: Array, b: Array) -> None:
    raise TypeError(f"no product of arrays of shapes {a.shape} and {b.shape} and dtype {a.dtype}")


def dot(a: Array, b: Array) -> Array:
    """Sum of the products of two vectors."""
    return np.dot(a, b) if a.ndim == b.ndim == 1 and a.dtype.kind != "b" else _refuse_product(a, b)  # type: ignore[return-value]


def mv(a: Array, b: Array) -> Array:
    """Matrix times vector."""
    return np.dot(a, b) if a.ndim == 2 and b.ndim == 1 and a.dtype.kind != "b" else _refuse_product(a, b)  # type: ignore[return-value]


def mm(a: Array, b: Array) -> Array:
    """Product of two matrices."""
    return np.dot(a, b) if a.ndim == b.ndim == 2 and a.dtype.kind != "b" else _refuse_product(a, b)  # type: ignore[return-value]


def bmm(a: Array, b: Array) -> Array:
    """Products of two stacks of equal length."""
    fits = a.ndim == b.ndim == 3 and len(a) == len(b) and a.dtype.kind != "b"
    return np.matmul(a, b) if fits else _refuse_product(a, b)  # type: ignore[return-value]


def matmul(a: Array, b: Array) -> Array:
    """a @ b; a matrix on the right of a stack is one product instead of many."""
    if a.dtype.kind == "b" or a.ndim < 2 or b.ndim < 2:
        _refuse_product(a, b)
    if b.ndim == 2 and a.ndim > 2 and a.flags.c_contiguous and a.size:
        return np.matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
    return np.matmul(a, b)


def index(x: Array, indices: tuple[Array, ...], dims: tuple[int, ...]) -> Array:
    """x at integer positions, by NumPy's rule for the place of the new axes.  dims: the axis of each index."""
    if len(dims) == 1:
        return x.take(indices[0], dims[0])
    places = flat_places(x, indices) if x.size >= 1024 and len(dims) == x.ndim else None
    if places is not None:
        return x.reshape(-1).take(places, mode="wrap")
    return np.asarray(x[full_index(x.ndim, indices, dims)], order="C")


def full_index(ndim: int, indices: tuple[Array, ...], dims: tuple[int, ...]) -> tuple[Any, ...]:
    """The index tuple for x[...]: whole slices where dims names no index."""
    at: list[Any] = [slice(None)] * ndim
    for d, i in zip(dims, indices, strict=True):
        at[d] = i
    return tuple(at[: dims[-1] + 1])


def index_put(x: Array, values: Array, indices: tuple[Array, ...], dims: tuple[int, ...], accumulate: bool) -> Array:
    """A copy of x with values written (or added, repeated positions as often as they occur) at integer positions."""
    if accumulate and len(dims) == 1 and x.size >= 4096:
        return add_slices(x, indices[0], values, dims[0])
    out = np.array(x, order="C")
    places = flat_places(x, indices) if x.size >= 1024 and len(dims) == x.ndim else None
    if not accumulate and places is not None:
        out.reshape(-1)[places] = values
        return out
    at = full_index(x.ndim, indices, dims)
    if not accumulate:
        out[at] = values
        return out
    if places is None:
        places = np.arange(out.size).reshape(out.shape)[at]
    np.add.at(out.reshape(-1), places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))
    return out


def flat_places(x: Array, indices: tuple[Array, ...]) -> Array | None:
    """The row-major positions of elements of x, given by their positions along all axes; None where these are few, which NumPy finds as quickly.

    Raises IndexError for a position outside of x.
    """
    if max(i.size for i in indices) < 1024:
        return None
    places: Any = None
    for i, size, step in zip(indices, x.shape, np.cumprod((1, *x.shape[:0:-1]))[::-1].tolist(), strict=True):
        own = axis_positions(i, size)
        own = own * step if step != 1 else own
        places = own if places is None else places + own
    return places  # type: ignore[no-any-return]


def add_slices(x: Array, i: Array, values: Array, dim: int) -> Array:
    """A copy of x with values added to its slices at the positions i of axis dim; many long slices by a product with a sparse matrix."""
    n, inner, stacks = x.shape[dim], math.prod(x.shape[dim + 1 :]), math.prod(x.shape[:dim])
    if inner < 4 or i.size * inner < 32768 or x.dtype.char not in "fdFD":
        out, places = np.array(x, order="C"), axis_places(x.shape, i, dim)
        np.add.at(out.reshape(-1), places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))
        return out
    from scipy.sparse import csc_array

    at, out = axis_positions(i.reshape(-1), n), np.empty(x.shape, x.dtype)
    every = np.broadcast_to(values, (*x.shape[:dim], *i.shape, *x.shape[dim + 1 :])).reshape(stacks, at.size, inner)
    chosen = csc_array((np.ones(at.size, x.dtype), at, np.arange(at.size + 1)), shape=(n, at.size))
    for own, rows, part in zip(x.reshape(stacks, n, inner), every, out.reshape(stacks, n, inner), strict=True):
        np.add(own, chosen @ rows, out=part)
    return out


def axis_positions(i: Array, size: int) -> Array:
    """The positions i of an axis counted from its beginning.  Raises IndexError for one outside [-size, size)."""
    return i if i.dtype == np.int64 and i.size and i.view(np.uint64).max() < size else np.arange(size)[i]


def axis_places(shape: tuple[int, ...], i: Array, dim: int) -> Array:
    """The row-major positions, in an array of `shape`, of its slices at the positions i of axis dim.  Raises IndexError for one outside."""
    n, lead, inner = shape[dim], 1, 1
    for size in shape[:dim]:
        lead *= size
    for size in shape[dim + 1 :]:
        inner *= size
    rows = axis_positions(i.reshape(-1), n)[None]
    if lead != 1:
        rows = np.add((np.arange(lead) * n)[:, None], rows)
    if inner != 1:
        rows = np.add((rows * inner)[:, :, None], np.arange(inner))
    return rows.reshape((*shape[:dim], *i.shape, *shape[dim + 1 :]))


def check_positions(i: Array, size: int, kind: type[Exception]) -> None:
    """Raise `kind` unless all positions lie in [0, size)."""
    if i.size and i.view(f"u{i.itemsize}").max() >= size:  # a negative number is a large one without its sign
        bad = i[(i < 0) | (i >= size)].flat[0]
        raise kind(f"index {bad} is out of bounds for an axis with size {size}")


def bounded_positions(i: Array, size: int) -> Array:
    """The positions.  Raises RuntimeError for one outside [0, size)."""
    check_positions(i, size, RuntimeError)
    return i


def index_select(x: Array, i: Array, dim: int) -> Array:
    """Slices of x at the positions i of axis dim.  Raises IndexError for a position outside [0, size); RuntimeError, as torch, for one in the rows of a matrix."""
    if not x.ndim:
        check_positions(i, 1, IndexError)
        return np.array(x)
    check_positions(i, x.shape[dim], RuntimeError if dim == 1 and x.ndim == 2 else IndexError)
    return x.take(i.reshape(-1), dim, mode="wrap")  # quicker than to look at them once more


def index_add(x: Array, i: Array, source: Array, dim: int) -> Array:
    """x with the slices of source added at the positions i of axis dim.  Raises RuntimeError for a position outside [0, size), IndexError in a vector."""
    if not x.ndim:
        check_positions(i, 1, RuntimeError)
        return np.asarray(x + source.sum(dtype=x.dtype))
    check_positions(i, x.shape[dim], RuntimeError if x.ndim > 1 else IndexError)
    return index_put(x, source, (i.reshape(-1),), (dim,), True)


def element_places(shape: tuple[int, ...], i: Array, dim: int) -> Array:
    """The row-major positions, in an array of `shape`, of the elements at i along axis dim and at i's own position along the others."""
    step, steps = 1, [1] * len(shape)
    for axis in range(len(shape) - 1, -1, -1):
        steps[axis], step = step, step * shape[axis]
    places = np.multiply(i, steps[dim], dtype=np.int64) if steps[dim] != 1 else i
    base: Any = None
    for axis, size in enumerate(i.shape):
        if axis != dim and size > 1:
            own = (np.arange(size) * steps[axis]).reshape((size,) + (1,) * (i.ndim - axis - 1))
            base = own if base is None else base + own
    return places if base is None else np.add(places, base)


def gather(x: Array, i: Array, dim: int) -> Array:
    """x at position i along axis dim.  Raises RuntimeError for a position outside [0, size)."""
    if not x.ndim or not i.ndim:
        check_positions(i, x.shape[0] if x.ndim else 1, RuntimeError)
        return x.reshape(-1)[i]
    check_positions(i, x.shape[dim], RuntimeError)
    return x.reshape(-1).take(element_places(x.shape, i, dim), mode="wrap")  # quicker than to look at them once more


def scatter_add(x: Array, i: Array, source: Array, dim: int) -> Array:
    """x with source added at position i along axis dim.  Raises RuntimeError for a position outside [0, size)."""
    if not x.ndim or not i.ndim:
        check_positions(i, x.shape[0] if x.ndim else 1, RuntimeError)
        return index_put(x.reshape(-1), source.reshape(-1)[: i.size], (i.reshape(-1),), (0,), True).reshape(x.shape)
    check_positions(i, x.shape[dim], RuntimeError)
    part = source if source.shape == i.shape else source[tuple(slice(n) for n in i.shape)]
    out, places = np.array(x, order="C"), element_places(x.shape, i, dim)
    if i.shape[dim] == 1:  # no position occurs twice
        out.reshape(-1)[places] += part
    else:  # much faster on flat arrays than on others
        np.add.at(out.reshape(-1), places.reshape(-1), part.reshape(-1))
    return out


def index_mask(x: Array, mask: Array, dim: int) -> Array:
    """The elements of x where the mask, which covers the axes from dim on, is true."""
    return np.asarray(x[(*_WHOLE[dim], mask)], order="C")


def put_mask(g: Array, mask: Array, shape: tuple[int, ...], dim: int) -> Array:
    """Zeros of `shape` with g where the mask is true."""
    out = np.zeros(shape, g.dtype)
    out[(*_WHOLE[dim], mask)] = g
    return out


# Values made from numbers


def full(shape: tuple[int, ...], value: Any, dtype: Any) -> Array:
    """A constant in every element."""
    if type(value) is int and not value:
        return np.zeros(shape, dtype)
    out = np.empty(shape, dtype)
    out[...] = value
    return out


def arange(start: Any, step: Any, count: int, dtype: Any) -> Array:
    """start + step * i for i < count, in int64 or in float64 with PyTorch's roundings, which depend on the dtype.

    PyTorch fills a whole number of pairs of vector registers from their first element on, rounded to dtype, and the rest one by one.
    """
    if isinstance(start, int) and isinstance(step, int):
        return (np.arange(count) * np.int64(step) + np.int64(start)).astype(dtype)
    i, lanes = np.arange(count), 32 // np.dtype(dtype).itemsize
    if np.dtype(dtype).kind in "iu":
        return (i * np.float64(step) + np.float64(start)).astype(dtype)
    wide: Any = np.float32 if np.dtype(dtype).itemsize == 2 else np.float64
    if count < 2 * lanes:
        return _fused(wide(step), i.astype(wide), wide(start), dtype).astype(dtype)
    first = np.where(i < count - count % (2 * lanes), i - i % lanes, i)
    begun = _fused(wide(step), first.astype(wide), wide(start), dtype).astype(dtype).astype(wide)
    return _fused(wide(step), (i - first).astype(wide), begun, dtype).astype(dtype)


def linspace(start: Any, end: Any, steps: int, dtype: Any) -> Array:
    """`steps` values from start to end, computed from both ends inwards so that both are exact; floats are rounded once, as PyTorch's."""
    if steps == 1:
        return np.array([start]).astype(dtype)
    kind = np.dtype(np.float64) if np.dtype(dtype).kind in "iub" else np.dtype(dtype)
    if kind != dtype:  # the bounds as that dtype holds them: linspace(-1, 1, 3, uint8) begins at 255
        start, end = np.asarray([start, end]).astype(dtype).tolist()
    first, last = kind.type(start), kind.type(end)
    step, half = (last - first) / kind.type(max(steps - 1, 1)), steps // 2
    i, base = np.arange(steps), np.full(steps, last, kind)
    i[half:] -= steps - 1
    base[:half] = first
    x = i.astype(kind)
    found = _fused(step, x, base) if kind.char in "fd" else base + step * x
    return found.astype(dtype, copy=False)


def _fused(a: Any, x: Array, b: Any, dtype: Any = np.float64) -> Array:
    """a * x + b, rounded once.  In float64 the errors of the product and of the sum are added afterwards (Dekker 1971), unless the result gets a smaller dtype and nothing cancels."""
    if x.dtype == np.float32:
        return (x.astype(np.float64) * a + b).astype(np.float32)
    if np.dtype(dtype).itemsize < 8:
        total = a * x + b
        if not (np.abs(total) < 1e-7 * np.abs(b)).any():
            return total
    product, (a_high, a_low), (x_high, x_low) = a * x, _halves(a), _halves(x)
    lost = ((a_high * x_high - product) + a_high * x_low + a_low * x_high) + a_low * x_low
    total = product + b
    part = total - product
    lost = lost + ((product - (total - part)) + (b - part))
    return np.where(np.isfinite(lost), total + lost, total)


def _halves(x: Any) -> tuple[Any, Any]:
    """x as a sum of two numbers of half as many digits."""
    scaled = x * 134217729.0
    high = scaled - (scaled - x)
    return high, x - high
