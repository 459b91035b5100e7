"""The kernels about complex numbers for JAX, and about the bytes of values; imported by jax_kernels.py alone."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = Any


def squared_size(x: Array) -> Array:
    """|x|**2."""
    return jnp.square(jnp.real(x)) + jnp.square(jnp.imag(x)) if jnp.iscomplexobj(x) else jnp.square(x)


def complex_of(re: Array, im: Array) -> Array:
    """re + i im."""
    return jax.lax.complex(*jnp.broadcast_arrays(re, im))


def put_part(x: Array, part: Array, imaginary: bool) -> Array:
    """x with other imaginary or real parts."""
    return complex_of(jnp.real(x), part) if imaginary else complex_of(part, jnp.imag(x))


def polar(size: Array, angle: Array) -> Array:
    """size * (cos(angle) + i sin(angle))."""
    return complex_of(size * jnp.cos(angle), size * jnp.sin(angle))


def angle(x: Array) -> Array:
    """The angle in radians; of real numbers 0, pi below 0, nan for nan."""
    if jnp.iscomplexobj(x):
        return jnp.arctan2(jnp.imag(x), jnp.real(x))
    return jnp.where(jnp.isnan(x), x, jnp.where(x < 0, np.pi, 0)).astype(x.dtype)


def sgn(x: Array) -> Array:
    """x / |x|, 0 at 0; the sign of real numbers, 0 for nan."""
    if not jnp.iscomplexobj(x):
        return x if x.dtype == bool else jnp.greater(x, 0).astype(x.dtype) - jnp.less(x, 0).astype(x.dtype)
    size = jnp.abs(x)
    return jnp.where(size == 0, 0, x / jnp.where(size == 0, 1, size))


def view_dtype(x: Array, dtype: Any) -> Array:
    """The bytes of x as another dtype; the last axis grows or shrinks with the size of an element."""
    old, new = x.dtype.itemsize, np.dtype(dtype).itemsize
    if jnp.iscomplexobj(x) and x.dtype != dtype:  # JAX takes no bytes of complex numbers
        pairs = jnp.stack((jnp.real(x), jnp.imag(x)), -1)
        if old == new:
            return view_dtype(pairs, dtype)[..., 0]
        return view_dtype(pairs.reshape(*x.shape[:-1], -1), dtype)
    if np.dtype(dtype).kind == "c" and x.dtype != dtype:
        pairs = view_dtype(x[..., None] if old == new else x, np.empty(0, dtype).real.dtype)
        pairs = pairs.reshape(*x.shape[:-1], x.shape[-1] * old // new, 2) if old != new else pairs
        return jax.lax.complex(pairs[..., 0], pairs[..., 1])
    if new > old:
        x = x.reshape(*x.shape[:-1], x.shape[-1] * old // new, new // old)
    out = jax.lax.bitcast_convert_type(x, dtype)
    return out.reshape(*x.shape[:-1], -1) if new < old else out
