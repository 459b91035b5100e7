"""NumPy kernels of elementwise functions for which several fast passes beat one slow ufunc.  numpy_kernels.py offers them as its own, loaded at the first use.

NumPy has no vector instructions for some ufuncs (maximum with a number, logaddexp, fmod, hypot) and branches at every element of a selection.
Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_F32 = np.dtype(np.float32)
_ZERO = np.zeros((), np.float32)  # costs less than a Python number
_LARGE = 2048  # elements from which on more calls of NumPy cost less than slow loops


def large(x: Any) -> bool:
    """Whether x is an array of many floating numbers."""
    return type(x) is np.ndarray and x.size >= _LARGE and x.dtype.kind == "f"


def relu(x: Any) -> Array:
    """x, but not less than 0."""
    if type(x) is np.ndarray and x.dtype is _F32:
        return np.maximum(x, _ZERO) if x.size < _LARGE else np.clip(x, 0, np.inf)
    return np.clip(x, 0, np.inf) if large(x) else np.maximum(x, 0)


def leaky_relu(x: Any, slope: float) -> Array:
    """x where it is positive, slope * x elsewhere."""
    low = np.multiply(x, slope)
    if large(x) and 0 < slope <= 1:
        return np.maximum(x, low, out=low)
    return np.where(np.greater(x, 0), x, low)


def choose(c: Array, x: Any, y: Any) -> Array:
    """x where the mask holds, y elsewhere; large floats of one dtype and the mask's shape by their bits."""
    like = x if isinstance(x, np.ndarray) else y
    if not large(like) or like.dtype.itemsize > 8 or not isinstance(c, np.ndarray) or c.shape != like.shape:
        return np.where(c, x, y)
    x, y = np.asarray(x, like.dtype), np.asarray(y, like.dtype)
    if (x.ndim and x.shape != c.shape) or (y.ndim and y.shape != c.shape):
        return np.where(c, x, y)
    whole = np.dtype(f"i{like.dtype.itemsize}")
    bits = np.ascontiguousarray(c).view(np.int8).astype(whole)
    np.negative(bits, out=bits)
    other = y.view(whole)
    np.bitwise_and(bits, np.bitwise_xor(x.view(whole), other), out=bits)
    return np.bitwise_xor(bits, other, out=bits).view(like.dtype)


def hypot(x: Any, y: Any) -> Array:
    """sqrt(x * x + y * y); in float64 no square of a float32 overflows."""
    if type(x) is not np.ndarray or x.size < _LARGE or not (large(y) and x.dtype == y.dtype == np.float32):
        return np.hypot(x, y)
    if not (np.isfinite(np.maximum.reduce(x, axis=None)) and np.isfinite(np.maximum.reduce(y, axis=None))):
        return np.hypot(x, y)
    a, b = x.astype(np.float64), y.astype(np.float64)
    np.square(a, out=a)
    np.square(b, out=b)
    total = np.add(a, b, out=a if a.shape == np.broadcast_shapes(a.shape, b.shape) else None)
    return np.sqrt(total, out=total).astype(np.float32)


def quotients(x: Any, y: Any, way: Any) -> tuple[Array, Array, Array] | None:
    """Large float32 x and y in float64 and their quotient, rounded by `way`; None unless all are finite and quotients below 2**24, for which it is exact."""
    if not (large(x) and large(y) and x.dtype == y.dtype == np.float32 and x.shape == y.shape):
        return None
    a, b = x.astype(np.float64), y.astype(np.float64)
    if not np.isfinite(np.maximum.reduce(b, axis=None) - np.minimum.reduce(b, axis=None)):
        return None
    found = np.divide(a, b)
    way(found, out=found)
    if not -(2**24) < np.minimum.reduce(found, axis=None) <= np.maximum.reduce(found, axis=None) < 2**24:
        return None
    return a, b, found


def check_divisor(x: Any, y: Any) -> None:
    """Raise RuntimeError for a division of integers by zero, to which NumPy answers 0."""
    if np.result_type(x, y).kind in "iu" and not np.all(y) and np.size(x):
        raise RuntimeError("ZeroDivisionError: integer division or remainder by zero")


def floor_divide(x: Any, y: Any) -> Array:
    """The quotient rounded down; for floating operands inf or nan where y is 0."""
    exact = quotients(x, y, np.floor) if type(x) is np.ndarray and x.size >= _LARGE else None
    if exact is not None:
        return exact[2].astype(np.float32)
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


def fmod(x: Any, y: Any) -> Array:
    """The remainder with the sign of x, also where it is 0."""
    exact = quotients(x, y, np.trunc) if type(x) is np.ndarray and x.size >= _LARGE else None
    if exact is None:
        check_divisor(x, y)
        return np.fmod(x, y)
    a, b, found = exact
    np.multiply(found, b, out=found)
    rest = np.subtract(a, found, out=found).astype(np.float32)
    bits = rest.view(np.uint32)
    np.bitwise_or(bits, np.bitwise_and(x.view(np.uint32), np.uint32(2**31)), out=bits)
    return rest


def remainder(x: Any, y: Any) -> Array:
    """The remainder with the sign of y; a remainder of 0.0 has the sign of x."""
    if (
        type(x) is not np.ndarray
        or x.size < _LARGE
        or not (large(y) and x.dtype == y.dtype == np.float32 and x.shape == y.shape)
    ):
        check_divisor(x, y)
        found = np.remainder(x, y)
        return np.where(np.equal(found, 0), np.fmod(x, y), found) if found.dtype.kind == "f" else found
    rest = fmod(x, y)
    other = np.not_equal(np.less(rest, 0), np.less(y, 0))
    np.logical_and(other, np.not_equal(rest, 0), out=other)
    return choose(other, np.add(rest, y), rest)


def nan_to_num(x: Any, number: float, posinf: Any, neginf: Any) -> Array:
    """x with nan and infinities replaced by numbers."""
    if x.dtype.kind != "f":
        return np.nan_to_num(x, nan=number, posinf=posinf, neginf=neginf)
    found = np.array(x)
    if x.size >= _LARGE and np.isfinite(x).all():
        return found
    if posinf is None or neginf is None:
        most = np.finfo(x.dtype).max
        posinf, neginf = most if posinf is None else posinf, -most if neginf is None else neginf
    np.copyto(found, number, where=np.isnan(x))
    np.copyto(found, posinf, where=np.equal(x, np.inf))
    np.copyto(found, neginf, where=np.equal(x, -np.inf))
    return found


def lerp(x: Array, end: Array, weight: Any) -> Array:
    """x + weight * (end - x), exact at both ends."""
    if not isinstance(weight, (int, float)):
        way = np.subtract(end, x)
        return np.where(np.abs(weight) < 0.5, x + weight * way, end - way * (1 - weight))
    way = np.subtract(end, x)
    if abs(weight) < 0.5:
        return np.add(x, np.multiply(way, weight))
    return np.subtract(end, np.multiply(way, 1 - weight))


def huber(x: Array, delta: float) -> Array:
    """x * x / 2 up to |x| = delta, delta * (|x| - delta / 2) from there on: near * (x - near / 2) for the nearest number within the bounds."""
    near = np.clip(x, -delta, delta)
    if not large(near):
        return np.multiply(near, np.subtract(x, np.multiply(near, 0.5)))
    rest = np.multiply(near, near.dtype.type(0.5))
    np.subtract(x, rest, out=rest)
    return np.multiply(near, rest, out=rest)


def softshrink(x: Array, lambd: float) -> Array:
    """x moved toward 0 by lambd, but not past it; a result 0 has the sign of x."""
    if not large(x) or x.dtype.itemsize > 8:
        return np.copysign(np.subtract(x, np.clip(x, -lambd, lambd)), x)
    rest = np.clip(x, -lambd, lambd)
    np.subtract(x, rest, out=rest)
    whole = np.dtype(f"u{x.dtype.itemsize}")
    sign = np.bitwise_and(x.view(whole), whole.type(1 << 8 * x.dtype.itemsize - 1))
    np.bitwise_or(rest.view(whole), sign, out=rest.view(whole))
    return rest
