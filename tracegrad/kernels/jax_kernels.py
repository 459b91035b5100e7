"""The kernels of numpy_kernels.py for JAX: the same names and arguments, over jax.numpy.  Imported by the JAX backend alone."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Array = Any


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes along which `shape` was broadcast to x's shape."""
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, size in enumerate(shape) if size == 1 and x.shape[lead + i] != 1)
    return jnp.sum(x, axis=axes, keepdims=True).reshape(shape) if axes else x.reshape(shape)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x repeated to shape."""
    return jnp.broadcast_to(x, shape)


# Elementary functions


def power(x: Any, y: Any) -> Array:
    """x ** y; small whole exponents by multiplication, as in the NumPy kernel."""
    if type(y) is int or type(y) is float:
        if y == 2:
            return jnp.square(x)
        if y == 3:
            return jnp.square(x) * x
        if y == 1:
            return jnp.positive(x)
        if y == 0.5:
            return jnp.sqrt(x)
        if y == -1:
            return jnp.reciprocal(x)
        return jnp.power(x, y)
    if y.dtype.kind == "i":
        whole = jnp.power(x, jnp.abs(y))
        return jnp.where(y < 0, jnp.where(jnp.abs(whole) == 1, whole, 0), whole).astype(y.dtype)
    return jnp.power(x, y)


def sign(x: Array) -> Array:
    """-1, 0 or 1; 0 for nan."""
    return x if x.dtype == bool else jnp.greater(x, 0).astype(x.dtype) - jnp.less(x, 0).astype(x.dtype)


def round(x: Array, decimals: int) -> Array:  # noqa: A001
    """x rounded to decimals places, halves to even; integers as they are."""
    if x.dtype.kind in "iu":
        return x
    scale = 10.0 ** abs(decimals)
    if decimals >= 0:
        return jnp.rint(x * scale) / scale if decimals else jnp.rint(x)
    return jnp.rint(x / scale) * scale


def softplus(x: Array, beta: float, threshold: float) -> Array:
    """log(1 + exp(beta * x)) / beta; x itself above the threshold."""
    scaled = x * beta
    return jnp.where(scaled > threshold, x, jnp.log1p(jnp.exp(jnp.minimum(scaled, threshold))) / beta)


def clamp(x: Array, low: Any, high: Any) -> Array:
    """x within [low, high]; None is no bound."""
    if low is not None:
        x = jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


# Whole quotients and remainders


def floor_divide(x: Any, y: Any) -> Array:
    """The quotient rounded down; for floating operands inf or nan where y is 0."""
    found = jnp.floor_divide(x, y)
    return found if found.dtype.kind != "f" else jnp.where(jnp.equal(y, 0), jnp.divide(x, y), found)


def trunc_divide(x: Any, y: Any) -> Array:
    """The quotient rounded toward zero."""
    found = jnp.floor_divide(x, y)
    if found.dtype.kind == "f":
        return jnp.trunc(jnp.divide(x, y))
    return found + jnp.logical_and(found < 0, jnp.remainder(x, y) != 0)


def remainder(x: Any, y: Any) -> Array:
    """The remainder with the sign of y."""
    return jnp.remainder(x, y)


def fmod(x: Any, y: Any) -> Array:
    """The remainder with the sign of x."""
    return jnp.fmod(x, y)


# Folds over axes


def mean(x: Array, dim: Any, keepdim: bool) -> Array:
    """Sum by count; nan without elements."""
    total = jnp.sum(x, axis=dim, keepdims=keepdim)
    return total / jnp.asarray(x.size // max(total.size, 1), x.dtype)


def var(x: Array, dim: Any, keepdim: bool, correction: float) -> Array:
    """Squared deviations from the mean by (count - correction), or by 0 if that is negative."""
    center = mean(x, dim, True)
    count = x.size // max(center.size, 1)
    return jnp.sum(jnp.square(x - center), axis=dim, keepdims=keepdim) / jnp.asarray(max(count - correction, 0), x.dtype)


def products_of_others(x: Array, dim: int) -> Array:
    """Along an axis, for each element the product of those before it times the product of those after it."""
    last = jnp.swapaxes(x, dim, -1)
    one = jnp.ones_like(last[..., :1])
    before = jnp.concatenate([one, jnp.cumprod(last[..., :-1], axis=-1)], axis=-1)
    after = jnp.concatenate([one, jnp.cumprod(last[..., :0:-1], axis=-1)], axis=-1)[..., ::-1]
    return jnp.swapaxes(before * after, dim, -1)


def cumsum(x: Array, dim: int) -> Array:
    """Sums up to and with each position of axis dim."""
    return jnp.cumsum(x, axis=dim) if x.ndim else x


def vector_norm(x: Array, order: float, dim: Any, keepdim: bool) -> Array:
    """The p-norm over axes; order inf, -inf, 0: maximum, minimum, count of |x|."""
    if order == 2:
        return jnp.sqrt(jnp.sum(jnp.square(x), axis=dim, keepdims=keepdim))
    size = jnp.abs(x)
    if order == 1:
        return jnp.sum(size, axis=dim, keepdims=keepdim)
    if order == float("inf"):
        return jnp.max(size, axis=dim, keepdims=keepdim)
    if order == -float("inf"):
        return jnp.min(size, axis=dim, keepdims=keepdim)
    if order == 0:
        return jnp.sum(jnp.not_equal(x, 0).astype(x.dtype), axis=dim, keepdims=keepdim)
    return jnp.power(jnp.sum(jnp.power(size, order), axis=dim, keepdims=keepdim), 1 / order)


def max_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Largest elements along an axis and the first positions of them."""
    return jnp.max(x, axis=dim, keepdims=keepdim), jnp.argmax(x, axis=dim, keepdims=keepdim)


def min_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Smallest elements along an axis and the first positions of them."""
    return jnp.min(x, axis=dim, keepdims=keepdim), jnp.argmin(x, axis=dim, keepdims=keepdim)


def logsumexp(x: Array, dim: Any, keepdim: bool) -> Array:
    """log(sum(exp(x))) with the maximum taken out."""
    offset = jnp.max(x, axis=dim, keepdims=True, initial=-jnp.inf)
    offset = jnp.where(jnp.isinf(offset), jnp.zeros_like(offset), offset)
    found = jnp.log(jnp.sum(jnp.exp(x - offset), axis=dim, keepdims=True)) + offset
    return found if keepdim else jnp.sum(found, axis=dim)


def softmax(x: Array, dim: int) -> Array:
    """exp(x) in proportion to its sum along an axis."""
    return jax.nn.softmax(x, axis=dim if x.ndim else None)


def log_softmax(x: Array, dim: int) -> Array:
    """The logarithm of softmax."""
    return jax.nn.log_softmax(x, axis=dim if x.ndim else None)
