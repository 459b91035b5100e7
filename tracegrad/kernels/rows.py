"""NumPy kernels of values set in proportion over axes, and of their derivatives.  numpy_kernels.py offers them as its own, loaded at the first use.

Large arrays are worked on in parts that stay in the cache.  Each function may use NumPy and the other functions of this file, and nothing else: exported Python
modules carry copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_SHORT = 4096  # elements up to which a plain sum of squares rounds no worse than a few units
_ROWS_PART = 65536  # elements that are worked on at a time
_SLICES_PART = 262144  # the same for slices, of which more is made at a time
_LARGE_ROWS = 2 * _ROWS_PART
# np.setbufsize: NumPy spreads a column beside rows shorter than its buffer into that buffer, which takes longer than the arithmetic
_BUFFER = 256


def _sides(shape: tuple[int, ...], dim: tuple[int, ...]) -> tuple[int, int, int] | None:
    """A shape as (n, c, m), of which dim are the first and the last axis; None if it cannot be seen so."""
    kept = [i for i in range(len(shape)) if i not in dim]
    if kept and kept != list(range(kept[0], kept[-1] + 1)):
        return None
    n, c, m = 1, 1, 1
    for i, size in enumerate(shape):
        if not kept:
            m *= size
        elif i < kept[0]:
            n *= size
        elif i > kept[-1]:
            m *= size
        else:
            c *= size
    return n, c, m


def _parts_of_rows(sides: tuple[int, int, int], *arrays: Array) -> Iterator[list[Array]]:
    """Views of arrays of c slices, some of the slices at a time; rows where n is 1."""
    n, c, m = sides
    count = max(_SLICES_PART // max(n * m, 1), 1)
    seen = [np.ascontiguousarray(a).reshape(sides if n > 1 else (c, m)) for a in arrays]
    for start in range(0, c, count):
        yield [a[:, start : start + count] if n > 1 else a[start : start + count] for a in seen]


def _sums(x: Array) -> Array:
    """The sums over rows, or over the first and the last of three axes; the axes are kept."""
    if x.ndim == 2 and 1 < x.shape[1] <= _SHORT and x.size >= 1024:  # several times faster than add.reduce
        return np.dot(x, np.ones((x.shape[1], 1), x.dtype))
    if x.dtype.char in "fd" and x.shape[-1] > 256:
        return _by_blocks(x, None)
    total: Array = np.add.reduce(x, axis=1 if x.ndim == 2 else (0, 2), keepdims=True)
    return total


def _products(x: Array, y: Array) -> Array:
    """The sums of x * y as `_sums` has them."""
    if x.dtype.char not in "fd":
        return np.einsum("ij,ij->i", x, y)[:, None] if x.ndim == 2 else _sums(np.multiply(x, y))
    if x.ndim == 2 and x.shape[1] <= _SHORT:
        return np.vecdot(x, y)[:, None]
    return _by_blocks(x, y) if x.shape[-1] > 256 else _sums(np.multiply(x, y))


def _by_blocks(x: Array, y: Array | None) -> Array:
    """The sums of x * y, or of x, as `_sums` has them: those of short blocks of the rows by BLAS, and theirs by pairs."""
    n = x.shape[-1]
    width = 1024 if n > 1024 else n
    whole = n // width * width
    blocks = (*x.shape[:-1], whole // width, width)
    other = np.ones(width, x.dtype) if y is None else y[..., :whole].reshape(blocks)
    total: Array = np.add.reduce(np.vecdot(x[..., :whole].reshape(blocks), other), axis=-1, keepdims=True)
    if whole < n:
        rest = x[..., whole:] if y is None else np.multiply(x[..., whole:], y[..., whole:])
        total = np.add(total, np.add.reduce(rest, axis=-1, keepdims=True))
    return total if x.ndim == 2 else np.add.reduce(total, axis=0, keepdims=True)


def _standard(x: Array, count: int, eps: float) -> tuple[Array, Array]:
    """x less its mean and the factor that brings it to variance 1."""
    centered = np.subtract(x, np.divide(_sums(x), count))
    width = np.sqrt(np.add(np.divide(_products(centered, centered), count), eps))
    return centered, np.reciprocal(width)


def standardise(x: Array, dim: tuple[int, ...], eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps) with mean and variance over axes."""
    if not x.size:
        return np.array(x)
    sides = _sides(x.shape, dim) if x.size >= _LARGE_ROWS else None
    if sides is not None:
        out, before = np.empty(x.shape, x.dtype), np.setbufsize(_BUFFER if sides[2] >= 2 * _BUFFER else 8192)
        try:
            for part, made in _parts_of_rows(sides, x, out):
                np.multiply(*_standard(part, sides[0] * sides[2], eps), out=made)
        finally:
            np.setbufsize(before)
        return out
    total = np.add.reduce(x, axis=dim, keepdims=True)
    count = x.size // total.size
    centered = np.asarray(np.subtract(x, np.divide(total, count), order="C"))
    if 1 < count <= _SHORT and dim == tuple(range(x.ndim - len(dim), x.ndim)):
        rows = centered.reshape(-1, count)
        squares = np.einsum("ij,ij->i", rows, rows).reshape(total.shape)
    else:
        squares = np.add.reduce(np.square(centered), axis=dim, keepdims=True)
    width = np.sqrt(np.add(np.divide(squares, count), eps))
    return np.multiply(centered, np.reciprocal(width), out=centered)


def _small_backward(slope: Array, x: Array, dim: tuple[int, ...], eps: float) -> Array:
    """`standardise_backward` by as few calls of NumPy as it takes."""
    total = np.add.reduce(x, axis=dim, keepdims=True)
    share = total.size / x.size
    centered = np.asarray(np.subtract(x, np.multiply(total, share)), order="C")
    squares = np.add.reduce(np.multiply(centered, centered), axis=dim, keepdims=True)
    square = np.reciprocal(np.add(np.multiply(squares, share), eps))
    along = np.add.reduce(np.multiply(slope, centered), axis=dim, keepdims=True)
    np.multiply(centered, np.multiply(np.multiply(along, share), square), out=centered)
    np.subtract(slope, centered, out=centered)
    np.subtract(centered, np.multiply(np.add.reduce(slope, axis=dim, keepdims=True), share), out=centered)
    return np.multiply(centered, np.sqrt(square), out=centered)


def standardise_backward(slope: Array, x: Array, dim: tuple[int, ...], eps: float) -> Array:
    """The derivative of `standardise` at x applied to a slope: its part that changes neither mean nor variance, by the width."""
    if x.size < 4096:
        return _small_backward(slope, x, dim, eps) if x.size else np.array(slope)
    sides = _sides(x.shape, dim)
    if sides is None:
        axes = [i for i in range(x.ndim) if i not in dim]
        order = (*dim, *axes)
        moved = standardise_backward(slope.transpose(order), x.transpose(order), tuple(range(len(dim))), eps)
        return np.ascontiguousarray(moved.transpose(np.argsort(order)))
    count, out = sides[0] * sides[2], np.empty(x.shape, x.dtype)
    before = np.setbufsize(_BUFFER if sides[2] >= 2 * _BUFFER else 8192)
    try:
        for part, steep, made in _parts_of_rows(sides, x, slope, out):
            centered, factor = _standard(part, count, eps)
            along = np.multiply(np.divide(_products(steep, centered), count), np.square(factor))
            level = np.divide(_sums(steep), count)
            np.multiply(centered, along, out=centered)
            np.subtract(steep, centered, out=centered)
            np.subtract(centered, level, out=centered)
            np.multiply(centered, factor, out=made)
    finally:
        np.setbufsize(before)
    return out


def _by_rows(step: Callable[..., object], dim: int, *arrays: Array) -> Array | None:
    """step(*rows, out) on large arrays in parts; None where they are small or their rows are not along the last axis."""
    x = arrays[-1]
    if (
        x.size < _LARGE_ROWS
        or not 1 < x.shape[-1] <= _ROWS_PART
        or dim != x.ndim - 1
        or any(a.shape != x.shape for a in arrays)
    ):
        return None
    n, out = x.shape[-1], np.empty(x.shape, x.dtype)
    rows, seen = out.reshape(-1, n), [np.ascontiguousarray(a).reshape(-1, n) for a in arrays]
    count = max(_ROWS_PART // n, 1)
    before = np.setbufsize(_BUFFER if n >= 2 * _BUFFER else 8192)
    try:
        for start in range(0, len(rows), count):
            step(*(a[start : start + count] for a in seen), rows[start : start + count])
    finally:
        np.setbufsize(before)
    return out


def softmax(x: Array, dim: int) -> Array:
    """exp(x) in proportion to its sum along an axis."""
    if not x.ndim:
        return np.exp(np.subtract(x, x))
    if not x.size:
        return np.array(x)
    found = _by_rows(_softmax_rows, dim, x) if x.size >= _LARGE_ROWS else None
    if found is not None:
        return found
    grown = np.subtract(x, np.maximum.reduce(x, axis=dim, keepdims=True), order="C")
    np.exp(grown, out=grown)
    return np.divide(grown, np.add.reduce(grown, axis=dim, keepdims=True), out=grown)


def _softmax_rows(x: Array, out: Array) -> None:
    np.subtract(x, np.maximum.reduce(x, axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    np.divide(out, _sums(out), out=out)


def log_softmax(x: Array, dim: int) -> Array:
    """The logarithm of softmax."""
    if not x.ndim:
        return np.subtract(x, x)
    if not x.size:
        return np.array(x)
    found = _by_rows(_log_softmax_rows, dim, x) if x.size >= _LARGE_ROWS else None
    if found is not None:
        return found
    moved = np.subtract(x, np.maximum.reduce(x, axis=dim, keepdims=True), order="C")
    return np.subtract(moved, np.log(np.add.reduce(np.exp(moved), axis=dim, keepdims=True)), out=moved)


def _log_softmax_rows(x: Array, out: Array) -> None:
    np.subtract(x, np.maximum.reduce(x, axis=1, keepdims=True), out=out)
    np.subtract(out, np.log(_sums(np.exp(out))), out=out)


def softmax_backward(slope: Array, y: Array, dim: int) -> Array:
    """y * (slope - sum(slope * y)) along an axis."""
    if not y.ndim or not y.size:
        return np.multiply(y, np.subtract(slope, np.multiply(slope, y)))
    found = _by_rows(_softmax_rows_backward, dim, slope, y) if dim else None
    if found is not None:
        return found
    if y.ndim == 2 and dim == 1 and y.shape[1] <= _SHORT and y.size >= 1024:
        total = _products(slope, y)
    else:
        total = np.add.reduce(np.multiply(slope, y), axis=dim, keepdims=True)
    made = np.subtract(slope, total, order="C")
    return np.multiply(made, y, out=made)


def _softmax_rows_backward(slope: Array, y: Array, out: Array) -> None:
    np.subtract(slope, _products(slope, y), out=out)
    np.multiply(out, y, out=out)


def log_softmax_backward(slope: Array, y: Array, dim: int) -> Array:
    """slope - exp(y) * sum(slope) along an axis."""
    if not y.ndim or not y.size:
        return np.subtract(slope, np.multiply(np.exp(y), slope))
    found = _by_rows(_log_softmax_rows_backward, dim, slope, y) if dim else None
    if found is not None:
        return found
    made = np.exp(y, order="C")
    rows = slope.ndim == 2 and dim == 1
    np.multiply(made, _sums(slope) if rows else np.add.reduce(slope, axis=dim, keepdims=True), out=made)
    return np.subtract(slope, made, out=made)


def _log_softmax_rows_backward(slope: Array, y: Array, out: Array) -> None:
    np.exp(y, out=out)
    np.multiply(out, _sums(slope), out=out)
    np.subtract(slope, out, out=out)


def product(x: Array, dim: tuple[int, ...] | None, keepdim: bool) -> Array:
    """Product over axes.  Large floats in parts that are multiplied with each other: a fold of neighbours has no vector instructions."""
    if not x.flags.c_contiguous:
        made = np.multiply.reduce(x, axis=dim, keepdims=keepdim)
        return made if made.flags.c_contiguous else made.copy()
    if x.size < _SHORT or x.dtype.kind != "f":
        return np.multiply.reduce(x, axis=dim, keepdims=keepdim)
    if dim is None or len(dim) == x.ndim:
        rows = x.reshape(1, -1)
    elif dim == (x.ndim - 1,) and x.shape[-1] >= 64:
        rows = x.reshape(-1, x.shape[-1])
    else:
        return np.multiply.reduce(x, axis=dim, keepdims=keepdim)
    made, count = np.empty(len(rows), x.dtype), max(_SLICES_PART // rows.shape[1], 1)
    for start in range(0, len(rows), count):
        made[start : start + count] = _product_of_rows(rows[start : start + count])
    shape = tuple(
        1 if dim is None or i in dim else n for i, n in enumerate(x.shape) if keepdim or (dim and i not in dim)
    )
    return made.reshape(shape)


def _product_of_rows(rows: Array) -> Array:
    """The products of rows, which are folded: long ones into 16384 elements, a single one into 128, others into halves again and again."""
    while rows.shape[1] >= 64:
        n = rows.shape[1]
        width = 16384 if n >= 32768 else 128 if len(rows) == 1 and n >= 1024 else n // 2
        whole = n // width * width
        if whole == 2 * width:
            made = np.multiply(rows[:, :width], rows[:, width:whole])
        else:
            made = np.multiply.reduce(rows[:, :whole].reshape(len(rows), -1, width), axis=1)
        if whole < n:
            np.multiply(made[:, : n - whole], rows[:, whole:], out=made[:, : n - whole])
        rows = made
    product: Array = np.multiply.reduce(rows, axis=1)
    return product


def products_of_others(x: Array, dim: int) -> Array:
    """Along an axis, for each element the product of all others."""
    if x.size >= _SHORT and x.dtype.char in "fd":
        found = _total_by_each(x, dim)
        if found is not None:
            return found
    last = x.swapaxes(dim, -1)
    before, after = np.ones(last.shape, x.dtype), np.ones(last.shape, x.dtype)
    np.multiply.accumulate(last[..., :-1], axis=-1, out=before[..., 1:])
    np.multiply.accumulate(last[..., :0:-1], axis=-1, out=after[..., -2::-1])
    return np.multiply(before, after).swapaxes(dim, -1)


def _total_by_each(x: Array, dim: int) -> Array | None:
    """The product of all elements by each, in float64; None where an element is 0, or a quotient might not be the product of the others."""
    if not x.all():
        return None
    wide = np.asarray(x, np.float64, order="C")
    total = product(wide, (dim,), True)
    size = np.absolute(total)
    if not np.less(np.maximum.reduce(size, axis=None), 1e300):
        return None
    if x.dtype == np.float64 and np.minimum.reduce(size, axis=None) < 1e-290:
        return None  # in float32 all of them are 0 there: no element is below 1e-45
    found: Array = np.divide(total, wide, out=wide if wide is not x else None)
    return found.astype(x.dtype, copy=False)
