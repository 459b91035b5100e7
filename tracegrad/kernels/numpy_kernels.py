"""What one NumPy expression cannot say.  Arrays in, arrays out; knows nothing of the rest of the package.

Each function may use NumPy, SciPy (imported inside the function) and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes along which `shape` was broadcast to x's shape."""
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, size in enumerate(shape) if size == 1 and x.shape[lead + i] != 1)
    total = np.add.reduce(x, axis=axes, keepdims=True) if axes else x
    return np.asarray(total).reshape(shape)


def power(x: Array, y: Any) -> Array:
    """x ** y; small whole exponents by multiplication, which is exact and many times faster than pow."""
    if type(y) is int or type(y) is float:
        if y == 2:
            return np.square(x)
        if y == 3:
            return np.multiply(np.square(x), x)
        if y == 1:
            return np.positive(x)
        if y == 0.5:
            return np.sqrt(x)
        if y < 0 and x.dtype.kind in "iu":
            raise RuntimeError("pow: Integers to negative integer powers are not allowed")
        if y == -1:
            return np.reciprocal(x)
        return np.power(x, y)
    if y.dtype.kind == "i" and (y < 0).any():
        whole = np.power(x, np.absolute(y))  # integers below zero: 1/x**|y| rounded toward zero, as torch has it
        return np.where(y < 0, np.where(np.absolute(whole) == 1, whole, 0), whole).astype(y.dtype)
    return np.power(x, y)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x repeated to shape without copying."""
    if x.shape == shape:
        return x
    if x.ndim == 0 and type(x) is np.ndarray:  # several times faster than np.broadcast_to
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    return np.broadcast_to(x, shape)


# Slices, positions and pieces

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


def place(xs: tuple[Array, ...], shape: tuple[int, ...], dim: int, starts: tuple[int, ...], steps: tuple[int, ...]) -> Array:
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
    return np.concatenate([x[(*_WHOLE[dim], None)] for x in xs], dim)


def matmul(a: Array, b: Array) -> Array:
    """a @ b; a matrix on the right of a stack is one product instead of many."""
    if b.ndim == 2 and a.ndim > 2 and a.flags.c_contiguous and a.size:
        return np.matmul(a.reshape(-1, a.shape[-1]), b).reshape(*a.shape[:-1], b.shape[1])
    return np.matmul(a, b)


def index(x: Array, indices: tuple[Array, ...], dims: tuple[int, ...]) -> Array:
    """x at integer positions, by NumPy's rule for the place of the new axes.  dims: the axis of each index."""
    if len(dims) == 1:
        return x.take(indices[0], dims[0])
    return x[full_index(x.ndim, indices, dims)]


def full_index(ndim: int, indices: tuple[Array, ...], dims: tuple[int, ...]) -> tuple[Any, ...]:
    """The index tuple for x[...]: whole slices where dims names no index."""
    at: list[Any] = [slice(None)] * ndim
    for d, i in zip(dims, indices, strict=True):
        at[d] = i
    return tuple(at[: dims[-1] + 1])


def index_put(x: Array, values: Array, indices: tuple[Array, ...], dims: tuple[int, ...], accumulate: bool) -> Array:
    """A copy of x with values written (or added, repeated positions as often as they occur) at integer positions."""
    out = np.array(x, order="C")
    at = full_index(x.ndim, indices, dims)
    if not accumulate:
        out[at] = values
        return out
    places = np.arange(out.size).reshape(out.shape)[at]
    np.add.at(out.reshape(-1), places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))
    return out


def check_positions(i: Array, size: int, kind: type[Exception]) -> None:
    """Raise `kind` unless all positions lie in [0, size)."""
    if i.size and (i.min() < 0 or i.max() >= size):
        bad = i[(i < 0) | (i >= size)].flat[0]
        raise kind(f"index {bad} is out of bounds for an axis with size {size}")


def index_select(x: Array, i: Array, dim: int) -> Array:
    """Slices of x at the positions i of axis dim.  Raises IndexError for a position outside [0, size)."""
    if not x.ndim:
        check_positions(i, 1, IndexError)
        return np.array(x)
    check_positions(i, x.shape[dim], IndexError)
    return x.take(i.reshape(-1), dim)


def index_add(x: Array, i: Array, source: Array, dim: int) -> Array:
    """x with the slices of source added at the positions i of axis dim."""
    if not x.ndim:
        check_positions(i, 1, IndexError)
        return np.asarray(x + source.sum(dtype=x.dtype))
    check_positions(i, x.shape[dim], IndexError)
    return index_put(x, source, (i.reshape(-1),), (dim,), True)


def grid(i: Array, dim: int) -> tuple[Array, ...]:
    """Index arrays with which x[...] reads x at i along axis dim and at i's own position along the others."""
    open_axes = [np.arange(n).reshape((1,) * d + (n,) + (1,) * (i.ndim - d - 1)) for d, n in enumerate(i.shape)]
    open_axes[dim] = i
    return tuple(open_axes)


def gather(x: Array, i: Array, dim: int) -> Array:
    """x at position i along axis dim.  Raises RuntimeError for a position outside [0, size)."""
    if not x.ndim or not i.ndim:
        check_positions(i, x.shape[0] if x.ndim else 1, RuntimeError)
        return x.reshape(-1)[i]
    check_positions(i, x.shape[dim], RuntimeError)
    return x[grid(i, dim)]


def scatter_add(x: Array, i: Array, source: Array, dim: int) -> Array:
    """x with source added at position i along axis dim.  Raises RuntimeError for a position outside [0, size)."""
    if not x.ndim or not i.ndim:
        check_positions(i, x.shape[0] if x.ndim else 1, RuntimeError)
        return index_put(x.reshape(-1), source.reshape(-1)[: i.size], (i.reshape(-1),), (0,), True).reshape(x.shape)
    check_positions(i, x.shape[dim], RuntimeError)
    return index_put(x, source[tuple(slice(n) for n in i.shape)], grid(i, dim), tuple(range(x.ndim)), True)


def index_mask(x: Array, mask: Array, dim: int) -> Array:
    """The elements of x where the mask, which covers the axes from dim on, is true."""
    return x[(*_WHOLE[dim], mask)]


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
    """start + step * i for i < count, computed in float64 (or int64) and rounded once."""
    wide = np.int64 if isinstance(start, int) and isinstance(step, int) else np.float64
    return (np.arange(count).astype(wide) * wide(step) + wide(start)).astype(dtype)


def linspace(start: Any, end: Any, steps: int, dtype: Any) -> Array:
    """`steps` values from start to end, computed from both ends inwards so that both are exact."""
    if steps == 1:
        return np.array([start]).astype(dtype)
    kind = np.dtype(dtype) if np.dtype(dtype).kind in "fc" else np.dtype(np.float64)
    first, last = kind.type(start), kind.type(end)
    step, i = (last - first) / kind.type(max(steps - 1, 1)), np.arange(steps)
    return np.where(i < steps // 2, first + step * i.astype(kind), last - step * (steps - 1 - i).astype(kind)).astype(dtype)


def strided_view(x: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
    """The elements offset + sum(i * strides) of x in row-major order, as a view of x if that is how x lies in memory."""
    x = np.ascontiguousarray(x)
    if 0 in shape:
        return np.empty(shape, x.dtype)
    return np.ndarray(shape, x.dtype, x, offset * x.itemsize, tuple(s * x.itemsize for s in strides))


def copy_slices(x: Array, part: Array, strides: tuple[int, ...], offset: int) -> Array:
    """A copy of x whose elements offset + sum(i * strides), in row-major order, are those of part."""
    out = np.array(x, order="C")
    strided_view(out, part.shape, strides, offset)[...] = part
    return out


# Elementary functions


def sign(x: Array) -> Array:
    """-1, 0 or 1; 0 for nan."""
    if x.dtype.kind == "b":
        return np.array(x)
    return np.subtract(np.greater(x, 0), np.less(x, 0), dtype=x.dtype)


def round(x: Array, decimals: int) -> Array:  # noqa: A001
    """x rounded to decimals places, halves to even; integers as they are."""
    if x.dtype.kind in "iu":
        return np.array(x)
    return np.round(x, decimals) if decimals else np.rint(x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); an overflow of exp gives the right 0."""
    return np.reciprocal(np.add(np.exp(np.negative(x)), 1))


def softplus(x: Array, beta: float, threshold: float) -> Array:
    """log(1 + exp(beta * x)) / beta; x itself above the threshold."""
    scaled = np.multiply(x, beta)
    return np.where(scaled > threshold, x, np.log1p(np.exp(np.minimum(scaled, threshold))) / beta)


def erf(x: Array) -> Array:
    """The error function, in x's dtype."""
    from scipy.special import erf as function

    return np.asarray(function(x)).astype(x.dtype, copy=False)


def clamp(x: Array, low: Any, high: Any) -> Array:
    """x within [low, high]; None is no bound."""
    if low is not None:
        x = np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


# Whole quotients and remainders: NumPy answers 0 to an integer division by zero


def check_divisor(x: Any, y: Any) -> None:
    """Raise RuntimeError for a division of integers by zero."""
    if np.result_type(x, y).kind in "iu" and not np.all(y):
        raise RuntimeError("ZeroDivisionError: integer division or remainder by zero")


def floor_divide(x: Any, y: Any) -> Array:
    """The quotient rounded down; for floating operands inf or nan where y is 0."""
    check_divisor(x, y)
    found = np.floor_divide(x, y)
    if found.dtype.kind != "f":
        return found
    return np.where(np.equal(y, 0), np.divide(x, y), found)


def trunc_divide(x: Any, y: Any) -> Array:
    """The quotient rounded toward zero."""
    check_divisor(x, y)
    if np.result_type(x, y).kind == "f":
        return np.trunc(np.divide(x, y))
    found = np.floor_divide(x, y)
    return np.add(found, np.logical_and(np.less(found, 0), np.not_equal(np.remainder(x, y), 0)))


def remainder(x: Any, y: Any) -> Array:
    """The remainder with the sign of y."""
    check_divisor(x, y)
    return np.remainder(x, y)


def fmod(x: Any, y: Any) -> Array:
    """The remainder with the sign of x."""
    check_divisor(x, y)
    return np.fmod(x, y)


# Folds over axes


def mean(x: Array, dim: Any, keepdim: bool) -> Array:
    """Sum by count; nan without elements."""
    total = np.add.reduce(x, axis=dim, keepdims=keepdim)
    return np.divide(total, x.size // max(total.size, 1))


def var(x: Array, dim: Any, keepdim: bool, correction: float) -> Array:
    """Squared deviations from the mean by (count - correction), or by 0 if that is negative."""
    center = mean(x, dim, True)
    deviation = np.subtract(x, center)
    count = x.size // max(center.size, 1)
    return np.divide(np.add.reduce(np.square(deviation), axis=dim, keepdims=keepdim), max(count - correction, 0))


def products_of_others(x: Array, dim: int) -> Array:
    """Along an axis, for each element the product of those before it times the product of those after it."""
    last = x.swapaxes(dim, -1)
    before, after = np.ones(last.shape, x.dtype), np.ones(last.shape, x.dtype)
    np.multiply.accumulate(last[..., :-1], axis=-1, out=before[..., 1:])
    np.multiply.accumulate(last[..., :0:-1], axis=-1, out=after[..., -2::-1])
    return np.multiply(before, after).swapaxes(dim, -1)


def cumsum(x: Array, dim: int) -> Array:
    """Sums up to and with each position of axis dim."""
    return np.add.accumulate(x, axis=dim) if x.ndim else np.array(x)


def vector_norm(x: Array, order: float, dim: Any, keepdim: bool) -> Array:
    """The p-norm over axes; order inf, -inf, 0: maximum, minimum, count of |x|."""
    if order == 2:
        return np.sqrt(np.add.reduce(np.square(x), axis=dim, keepdims=keepdim))
    size = np.absolute(x)
    if order == 1:
        return np.add.reduce(size, axis=dim, keepdims=keepdim)
    if order == np.inf:
        return np.maximum.reduce(size, axis=dim, keepdims=keepdim)
    if order == -np.inf:
        return np.minimum.reduce(size, axis=dim, keepdims=keepdim)
    if order == 0:
        return np.add.reduce(np.not_equal(x, 0), axis=dim, keepdims=keepdim, dtype=x.dtype)
    return np.power(np.add.reduce(np.power(size, order), axis=dim, keepdims=keepdim), 1 / order)


def max_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Largest elements along an axis and the first positions of them."""
    return np.maximum.reduce(x, axis=dim, keepdims=keepdim), x.argmax(dim, keepdims=keepdim)


def min_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Smallest elements along an axis and the first positions of them."""
    return np.minimum.reduce(x, axis=dim, keepdims=keepdim), x.argmin(dim, keepdims=keepdim)


def largest(x: Array, dim: Any) -> Array:
    """The maximum over axes, which are kept, for use as an offset: 0 where it is infinite or there is no element."""
    found = np.maximum.reduce(x, axis=dim, keepdims=True, initial=-np.inf)
    return np.where(np.isinf(found), x.dtype.type(0), found)


def logsumexp(x: Array, dim: Any, keepdim: bool) -> Array:
    """log(sum(exp(x))) with the maximum taken out."""
    offset = largest(x, dim)
    total = np.add.reduce(np.exp(np.subtract(x, offset)), axis=dim, keepdims=True)
    found = np.add(np.log(total), offset)
    return found if keepdim else np.add.reduce(found, axis=dim)


def softmax(x: Array, dim: int) -> Array:
    """exp(x) in proportion to its sum along an axis."""
    axis = dim if x.ndim else None
    if not x.size:
        return np.array(x)
    grown = np.exp(np.subtract(x, np.maximum.reduce(x, axis=axis, keepdims=True)))
    return np.divide(grown, np.add.reduce(grown, axis=axis, keepdims=True))


def log_softmax(x: Array, dim: int) -> Array:
    """The logarithm of softmax."""
    axis = dim if x.ndim else None
    if not x.size:
        return np.array(x)
    moved = np.subtract(x, np.maximum.reduce(x, axis=axis, keepdims=True))
    return np.subtract(moved, np.log(np.add.reduce(np.exp(moved), axis=axis, keepdims=True)))
