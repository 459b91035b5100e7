"""The kernels of windows.py, and of views by strides, for JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from tracegrad.kernels.windows import layout_positions, strided_positions

Array = Any


def strided_view(x: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
    """The elements offset + sum(i * strides) of x in row-major order."""
    return x.reshape(-1)[strided_positions(shape, strides, offset)]


def copy_slices(x: Array, part: Array, strides: tuple[int, ...], offset: int) -> Array:
    """x with the elements offset + sum(i * strides), in row-major order, replaced by those of part."""
    return x.reshape(-1).at[strided_positions(part.shape, strides, offset)].set(part).reshape(x.shape)


def as_strided(x: Array, size: tuple[int, ...], stride: tuple[int, ...], offset: int, layout: tuple[int, ...]) -> Array:
    """The elements offset + sum(i * stride) of x, as if it lay in memory with the strides `layout`."""
    return x.reshape(-1)[layout_positions(x.shape, layout, size, stride, offset)]


def put_strided(
    g: Array, shape: tuple[int, ...], stride: tuple[int, ...], offset: int, layout: tuple[int, ...]
) -> Array:
    """Zeros of `shape` to which g is added where as_strided read it."""
    positions = layout_positions(shape, layout, g.shape, stride, offset)
    shown = np.flatnonzero(positions >= 0)
    places, part = positions.reshape(-1)[shown], g.reshape(-1)[shown]
    return jnp.zeros(int(np.prod(shape)), g.dtype).at[places].add(part).reshape(shape)


def strided_or_zero(
    x: Array, size: tuple[int, ...], stride: tuple[int, ...], offset: int, layout: tuple[int, ...]
) -> Array:
    """The elements that as_strided shows, with zeros for what lies outside of x."""
    return jnp.append(x.reshape(-1), jnp.zeros(1, x.dtype))[layout_positions(x.shape, layout, size, stride, offset)]


def unfold(x: Array, dim: int, size: int, step: int) -> Array:
    """The windows along axis dim, with their elements on a new last axis."""
    count = (x.shape[dim] - size) // step + 1
    positions = np.arange(count)[:, None] * step + np.arange(size)
    return jnp.moveaxis(jnp.take(x, positions, dim), dim + 1, -1)


def put_unfolded(g: Array, shape: tuple[int, ...], dim: int, size: int, step: int) -> Array:
    """Zeros of `shape` to which the windows g are added in their places."""
    positions = np.arange(g.shape[dim])[:, None] * step + np.arange(size)
    return jnp.zeros(shape, g.dtype).at[(*(slice(None),) * dim, positions)].add(jnp.moveaxis(g, -1, dim + 1))
