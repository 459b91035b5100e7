"""Kernels about complex numbers.  Arrays in, arrays out; exported Python modules carry copies."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def complex_of(re: Array, im: Array) -> Array:
    """re + i im; inf and nan stay in the part where they stand."""
    if re.dtype != im.dtype or re.dtype.name not in ("float32", "float64"):
        raise TypeError("complex: the parts must have one dtype, float32 or float64")
    out = np.empty(np.broadcast_shapes(re.shape, im.shape), np.result_type(re.dtype, np.complex64))
    out.real, out.imag = re, im
    return out


def put_part(x: Array, part: Array, imaginary: bool) -> Array:
    """x with other imaginary or real parts."""
    return complex_of(x.real, part) if imaginary else complex_of(part, x.imag)


def polar(size: Array, angle: Array) -> Array:
    """size * (cos(angle) + i sin(angle))."""
    return complex_of(np.multiply(size, np.cos(angle)), np.multiply(size, np.sin(angle)))


def angle(x: Array) -> Array:
    """The angle in radians; of real numbers 0, pi below 0, nan for nan."""
    if x.dtype.kind == "c":
        return np.arctan2(x.imag, x.real)
    return np.where(np.isnan(x), x, np.where(np.less(x, 0), x.dtype.type(np.pi), x.dtype.type(0)))


def sgn(x: Array) -> Array:
    """x / |x|, 0 at 0; the sign of real numbers, 0 for nan."""
    if x.dtype.kind == "b":
        return np.array(x)
    if x.dtype.kind != "c":
        return np.subtract(np.greater(x, 0), np.less(x, 0), dtype=x.dtype)
    size = np.absolute(x)
    return np.where(
        np.equal(size, 0), x.dtype.type(0), np.divide(x, np.where(np.equal(size, 0), size.dtype.type(1), size))
    )


def view_as_real(x: Array) -> Array:
    """The parts of each value along a new last axis, in x's memory."""
    if x.dtype.kind != "c":
        raise TypeError("view_as_real: only for complex numbers")
    return np.asarray(x)[..., None].view(x.real.dtype)


def view_as_complex(x: Array) -> Array:
    """The values whose parts stand along the last axis, in x's memory."""
    if x.dtype.name not in ("float32", "float64"):
        raise TypeError("view_as_complex: only for float32 and float64")
    if x.size and x.strides[-1] != x.itemsize:
        raise RuntimeError("view_as_complex: Tensor must have a last dimension with stride 1")
    kind = np.result_type(x.dtype, np.complex64)
    if not x.size:
        return np.empty(x.shape[:-1], kind)
    return np.asarray(x.view(kind)[..., 0])


def squared_size(x: Array) -> Array:
    """|x|**2."""
    return np.add(np.square(x.real), np.square(x.imag)) if x.dtype.kind == "c" else np.square(x)
