"""The kernels of numpy_kernels.py for JAX: the same names and arguments, over jax.numpy.  Imported by the JAX backend alone."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tracegrad.kernels import numpy_kernels, random
from tracegrad.kernels.jax_complex_numbers import angle, complex_of, polar, put_part, sgn, squared_size, view_dtype  # noqa: F401  (kernels under one name)
from tracegrad.kernels.jax_conditions import note, note_positions
from tracegrad.kernels.jax_ctc import banded_recurrence, ctc_paths  # noqa: F401
from tracegrad.kernels.jax_folded_scatters import scatter_reduce  # noqa: F401
from tracegrad.kernels.jax_loops import cond, scan, while_backward, while_loop  # noqa: F401
from tracegrad.kernels.jax_matrices import *  # noqa: F403  (kernels under one name)
from tracegrad.kernels.jax_ordering import *  # noqa: F403  (kernels under one name)
from tracegrad.kernels.jax_polynomials import airy_ai, polynomial  # noqa: F401
from tracegrad.kernels.jax_special import *  # noqa: F403  (kernels under one name)
from tracegrad.kernels.jax_tails import (  # noqa: F401
    bessel_ratio,
    digamma,
    erfc,
    erfcx_slope,
    erfinv,
    erfinv_slope,
    gamma_density,
    gaussian,
    lgamma,
    log_ndtr,
    logit,
    ndtr,
    ndtri_slope,
    normal_excess,
    normal_hazard,
)
from tracegrad.kernels.jax_windows import *  # noqa: F403  (kernels under one name)

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
    if type(y) is bool:
        return x if y else jnp.ones(x.shape, bool)
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
        if y == -0.5:
            return jnp.reciprocal(jnp.sqrt(x))
        return jnp.power(x, y)
    if type(y) is complex:
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
    """The remainder with the sign of y; a remainder of 0.0 has the sign of x."""
    found = jnp.remainder(x, y)
    return jnp.where(jnp.equal(found, 0), jnp.fmod(x, y), found) if found.dtype.kind == "f" else found


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
    squares = squared_size(x - center)
    return jnp.sum(squares, axis=dim, keepdims=keepdim) / jnp.asarray(max(count - correction, 0), squares.dtype)


def std(x: Array, dim: Any, keepdim: bool, correction: float) -> Array:
    """The root of the variance."""
    return jnp.sqrt(var(x, dim, keepdim, correction))


def trace(x: Array) -> Array:
    """The sum of the diagonal, in x's dtype."""
    return jnp.sum(jnp.diagonal(x)).astype(x.dtype)


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
        return jnp.sqrt(jnp.sum(squared_size(x), axis=dim, keepdims=keepdim))
    size = jnp.abs(x)
    if order == 1:
        return jnp.sum(size, axis=dim, keepdims=keepdim)
    if order == float("inf"):
        return jnp.max(size, axis=dim, keepdims=keepdim)
    if order == -float("inf"):
        return jnp.min(size, axis=dim, keepdims=keepdim)
    if order == 0:
        return jnp.sum(jnp.not_equal(x, 0).astype(size.dtype), axis=dim, keepdims=keepdim)
    return jnp.power(jnp.sum(jnp.power(size, order), axis=dim, keepdims=keepdim), 1 / order)


def max_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Largest elements along an axis and the first positions of them."""
    return jnp.max(x, axis=dim, keepdims=keepdim), jnp.argmax(x, axis=dim, keepdims=keepdim)


def min_dim(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Smallest elements along an axis and the first positions of them."""
    return jnp.min(x, axis=dim, keepdims=keepdim), jnp.argmin(x, axis=dim, keepdims=keepdim)


def logsumexp(x: Array, dim: Any, keepdim: bool) -> Array:
    """log(sum(exp(x))) with the maximum taken out."""
    offset = jnp.max(jnp.real(x), axis=dim, keepdims=True, initial=-jnp.inf)
    offset = jnp.where(jnp.isinf(offset), jnp.zeros_like(offset), offset)
    found = jnp.log(jnp.sum(jnp.exp(x - offset), axis=dim, keepdims=True)) + offset
    return found if keepdim else jnp.sum(found, axis=dim)


def softmax(x: Array, dim: int) -> Array:
    """exp(x) in proportion to its sum along an axis."""
    return jax.nn.softmax(x, axis=dim if x.ndim else None)


def log_softmax(x: Array, dim: int) -> Array:
    """The logarithm of softmax."""
    return jax.nn.log_softmax(x, axis=dim if x.ndim else None)


# Slices, positions and pieces


def _whole(dim: int) -> tuple[slice, ...]:
    return (slice(None),) * dim


def put_slice(g: Array, shape: tuple[int, ...], dim: int, start: int, stop: int, step: int) -> Array:
    """Zeros of `shape` with g in the slice."""
    return jnp.zeros(shape, g.dtype).at[(*_whole(dim), slice(start, stop, step))].set(g)


def put_select(g: Array, shape: tuple[int, ...], dim: int, index: int) -> Array:
    """Zeros of `shape` with g at one position of axis dim."""
    return jnp.zeros(shape, g.dtype).at[(*_whole(dim), index)].set(g)


def put_diagonal(g: Array, shape: tuple[int, ...], offset: int, dim1: int, dim2: int) -> Array:
    """Zeros of `shape` with g on the diagonal."""
    out = jnp.moveaxis(jnp.zeros(shape, g.dtype), (dim1, dim2), (-2, -1))
    i = jnp.arange(g.shape[-1])
    out = out.at[..., i - min(offset, 0), i + max(offset, 0)].set(g)
    return jnp.moveaxis(out, (-2, -1), (dim1, dim2))


def squeeze(x: Array, dim: Any) -> Array:
    """x without the axes of size 1 among dim (None: all)."""
    axes = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    return x.reshape([n for i, n in enumerate(x.shape) if n != 1 or i not in axes])


def full_index(ndim: int, indices: tuple[Array, ...], dims: tuple[int, ...]) -> tuple[Any, ...]:
    """The index tuple for x[...]: whole slices where dims names no index."""
    at: list[Any] = [slice(None)] * ndim
    for d, i in zip(dims, indices, strict=True):
        at[d] = i
    return tuple(at[: dims[-1] + 1])


def index(x: Array, indices: tuple[Array, ...], dims: tuple[int, ...]) -> Array:
    """x at integer positions."""
    for i, d in zip(indices, dims, strict=True):
        note_positions(i, x.shape[d], wraps=True)
    return x[full_index(x.ndim, indices, dims)]


def index_put(x: Array, values: Array, indices: tuple[Array, ...], dims: tuple[int, ...], accumulate: bool) -> Array:
    """x with values written (or added) at integer positions."""
    for i, d in zip(indices, dims, strict=True):
        note_positions(i, x.shape[d], wraps=True)
    places = x.at[full_index(x.ndim, indices, dims)]
    add = places.max if x.dtype.kind == "b" else places.add  # JAX adds no bools
    return add(values) if accumulate else places.set(values)


def index_select(x: Array, i: Array, dim: int) -> Array:
    """Slices of x at the positions i of axis dim."""
    note_positions(i, x.shape[dim] if x.ndim else 1)
    return x[full_index(x.ndim, (i.reshape(-1),), (dim,))] if x.ndim else x


def index_add(x: Array, i: Array, source: Array, dim: int) -> Array:
    """x with the slices of source added at the positions i of axis dim."""
    if not x.ndim:
        return index_add(x.reshape(1), i, source.reshape(i.size), 0).reshape(())
    note_positions(i, x.shape[dim])
    places = x.at[full_index(x.ndim, (i.reshape(-1),), (dim,))]
    return places.max(source) if x.dtype.kind == "b" else places.add(source)  # JAX adds no bools


def grid(i: Array, dim: int) -> tuple[Array, ...]:
    """Index arrays with which x[...] reads x at i along axis dim and at i's own position along the others."""
    open_axes = [jnp.arange(n).reshape((1,) * d + (n,) + (1,) * (i.ndim - d - 1)) for d, n in enumerate(i.shape)]
    open_axes[dim] = i
    return tuple(open_axes)


def bounded_positions(i: Array, size: int) -> Array:
    """The positions, which must lie in [0, size)."""
    note_positions(i, size)
    return i


def gather(x: Array, i: Array, dim: int) -> Array:
    """x at position i along axis dim."""
    note_positions(i, x.shape[dim] if x.ndim else 1)
    return x[grid(i, dim)] if x.ndim and i.ndim else x.reshape(-1)[i]


def scatter_add(x: Array, i: Array, source: Array, dim: int) -> Array:
    """x with source added at position i along axis dim."""
    if not x.ndim or not i.ndim:
        return scatter_add(x.reshape(-1), i.reshape(-1), source.reshape(-1)[: i.size], 0).reshape(x.shape)
    note_positions(i, x.shape[dim])
    places, part = x.at[grid(i, dim)], source[tuple(slice(n) for n in i.shape)]
    return places.max(part) if x.dtype.kind == "b" else places.add(part)  # JAX adds no bools


def index_mask(x: Array, mask: Array, dim: int) -> Array:
    """The elements of x where the mask is true; only outside jit, where the shape is known."""
    return x[(*_whole(dim), mask)]


def put_mask(g: Array, mask: Array, shape: tuple[int, ...], dim: int) -> Array:
    """Zeros of `shape` with g where the mask is true."""
    return jnp.zeros(shape, g.dtype).at[(*_whole(dim), mask)].set(g)


# Values made from numbers


def arange(start: Any, step: Any, count: int, dtype: Any) -> Array:
    """start + step * i for i < count, rounded once."""
    return jnp.asarray(numpy_kernels.arange(start, step, count, dtype))


def linspace(start: Any, end: Any, steps: int, dtype: Any) -> Array:
    """`steps` equidistant values from start to end."""
    return jnp.asarray(numpy_kernels.linspace(start, end, steps, dtype))


def random_uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """The same uniform numbers as in NumPy."""
    return random.uniform(jnp, key, shape, dtype)


def random_normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Array:
    """The same normal numbers as in NumPy, to the rounding of log, sin and cos."""
    return random.normal(jnp, key, shape, dtype)


def random_integers(key: Any, low: int, high: int, shape: tuple[int, ...], dtype: Any) -> Array:
    """The same integers as in NumPy."""
    return random.integers(jnp, key, low, high, shape, dtype)


def random_permutation(key: Any, n: int, dtype: Any) -> Array:
    """The same permutation as in NumPy."""
    return random.permutation(jnp, key, n, dtype)


def distribution_parameter(x: Array, fits: Array, problem: str) -> Array:  # noqa: ARG001  (the text is the NumPy kernel's)
    """x; notes whether all of fits is true."""
    note(jnp.all(fits))
    return x


def poisson_counts(u: Array, rate: Array) -> Array:
    """The same Poisson counts as in NumPy, to the rounding of their probabilities."""
    return random.counts_of_poisson(jnp, jax.scipy.special, u, rate)


def binomial_counts(u: Array, count: Array, prob: Array) -> Array:
    """The same binomial counts as in NumPy, to the rounding of their probabilities."""
    return random.counts_of_binomial(jnp, jax.scipy.special, u, count, prob)


def place(
    xs: tuple[Array, ...], shape: tuple[int, ...], dim: int, starts: tuple[int, ...], steps: tuple[int, ...]
) -> Array:
    """Zeros of `shape` to which each part is added in a slice of axis dim."""
    out = jnp.zeros(shape, xs[0].dtype)
    for x, start, step in zip(xs, starts, steps, strict=True):
        part = out.at[(*(slice(None),) * dim, slice(start, start + step * x.shape[dim], step))]
        out = part.max(x) if out.dtype == bool else part.add(x)
    return out
