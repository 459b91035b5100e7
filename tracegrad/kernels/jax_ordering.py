"""The kernels of ordering.py for JAX: the same names and arguments, over jax.numpy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from tracegrad.kernels.jax_conditions import note_positions

Array = Any


def order(x: Array, dim: int, descending: bool) -> Array:
    """The positions that sort x along an axis, equal elements in their order; descending: nan first."""
    if not x.ndim:
        return jnp.zeros((), jnp.int64)
    if not descending:
        return jnp.argsort(x, dim, stable=True).astype(jnp.int64)
    back = jnp.flip(jnp.argsort(jnp.flip(x, dim), dim, stable=True), dim)
    return (x.shape[dim] - 1 - back).astype(jnp.int64)


def sort(x: Array, dim: int, descending: bool) -> tuple[Array, Array]:
    """The elements in order along an axis, and their positions."""
    found = order(x, dim, descending)
    return (jnp.take_along_axis(x, found, dim) if x.ndim else x), found


def topk(x: Array, k: int, dim: int, largest: bool) -> tuple[Array, Array]:
    """The k largest or smallest elements along an axis in order, and their positions."""
    if not x.ndim:
        return x, jnp.zeros((), jnp.int64)
    found = jnp.take(order(x, dim, largest), jnp.arange(k), dim)
    return jnp.take_along_axis(x, found, dim), found


def _pick(x: Array, found: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    values = jnp.take_along_axis(x, found, dim)
    return (values, found) if keepdim else (values.squeeze(dim), found.squeeze(dim))


def kthvalue(x: Array, k: int, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The k-th smallest element along an axis, counted from 1, and its position."""
    if not x.ndim:
        return x, jnp.zeros((), jnp.int64)
    return _pick(x, jnp.take(order(x, dim, False), jnp.asarray([k - 1]), dim), dim, keepdim)


def median_dim(x: Array, dim: int, keepdim: bool, skip: bool) -> tuple[Array, Array]:
    """The lower median along an axis and its position; nan and its first position where there is one, unless nan are to be skipped."""
    if not x.ndim:
        return x, jnp.zeros((), jnp.int64)
    ranks, n = order(x, dim, False), x.shape[dim]
    count = n - jnp.sum(jnp.isnan(x), axis=dim, keepdims=True)
    middle = jnp.maximum(count - 1, 0) // 2
    if not skip:
        middle = jnp.where(count < n, jnp.minimum(count, n - 1), (n - 1) // 2)
    return _pick(x, jnp.take_along_axis(ranks, middle, dim), dim, keepdim)


def median(x: Array, skip: bool) -> Array:
    """The lower median of all elements; nan where there is one, unless nan are to be skipped, and where there are no elements."""
    if not x.size:
        return jnp.full((), jnp.nan if x.dtype.kind == "f" else jnp.iinfo(x.dtype).min, x.dtype)
    return median_dim(x.reshape(-1), 0, False, skip)[0]


def mode(x: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The most frequent element along an axis, the smallest of several, and the last position of it."""
    if not x.ndim:
        return x, jnp.zeros((), jnp.int64)
    values, ranks = sort(x, dim, False)
    values = jnp.moveaxis(values, dim, -1)
    place = jnp.broadcast_to(jnp.arange(x.shape[dim]), values.shape)
    new = jnp.concatenate([jnp.ones_like(values[..., :1], bool), values[..., 1:] != values[..., :-1]], -1)
    start = jax.lax.cummax(jnp.where(new, place, 0), axis=values.ndim - 1)
    last = jnp.argmax(place - start, -1, keepdims=True)
    return _pick(x, jnp.take_along_axis(ranks, jnp.moveaxis(last, -1, dim), dim), dim, keepdim)


def _where_met(x: Array, values: Array, dim: int) -> Array:
    shape = [1] * x.ndim
    shape[dim] = x.shape[dim]
    place = jnp.arange(x.shape[dim], dtype=jnp.int64).reshape(shape)
    return jax.lax.cummax(jnp.where((x == values) | jnp.isnan(x), place, 0), axis=dim)


def cummax(x: Array, dim: int) -> tuple[Array, Array]:
    """The largest elements up to each position of an axis, and the last positions of them."""
    if not x.ndim or not x.size:
        return x, jnp.zeros(x.shape, jnp.int64)
    values = jax.lax.associative_scan(jnp.maximum, x, axis=dim)
    return values, _where_met(x, values, dim)


def cummin(x: Array, dim: int) -> tuple[Array, Array]:
    """The smallest elements up to each position of an axis, and the last positions of them."""
    if not x.ndim or not x.size:
        return x, jnp.zeros(x.shape, jnp.int64)
    values = jax.lax.associative_scan(jnp.minimum, x, axis=dim)
    return values, _where_met(x, values, dim)


def linear_recurrence(a: Array, b: Array, dim: int) -> Array:
    """s[i] = a[i] * s[i - 1] + b[i] along an axis with s[-1] = 0."""
    if not b.ndim or not b.size:
        return b

    def join(left: Any, right: Any) -> Any:
        return left[0] * right[0], left[1] * right[0] + right[1]

    return jax.lax.associative_scan(join, (a, b), axis=dim)[1]


def cumprod(x: Array, dim: int) -> Array:
    """Products up to and with each position of an axis."""
    return jnp.cumprod(x, axis=dim) if x.ndim else x


def logaddexp(x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y)) without overflow; of complex numbers the larger real part plus the principal logarithm of 1 + exp(difference)."""
    if not jnp.iscomplexobj(x) and not jnp.iscomplexobj(y):
        return jnp.logaddexp(x, y)
    x, y = jnp.broadcast_arrays(x, y)
    below = x.real < y.real
    low, high = jnp.where(below, x, y), jnp.where(below, y, x)
    equal = low.real == high.real
    found = jnp.log1p(jnp.exp(low - high)) + high
    found = jnp.where(jnp.isposinf(low.real) & equal, jnp.log(jnp.exp(low) + jnp.exp(high)), found)
    found = jnp.where(jnp.isneginf(low.real) & equal, low, found)
    return jnp.where(jnp.isnan(x) | jnp.isnan(y), complex(jnp.nan, jnp.nan), found)


def logcumsumexp(x: Array, dim: int) -> Array:
    """log(sum(exp(x))) up to and with each position of an axis."""
    if x.ndim and x.size and jnp.iscomplexobj(x):  # the imaginary part depends on the order of the steps
        rows = jnp.moveaxis(x, dim, 0)

        def step(before: Any, row: Any) -> Any:
            made = logaddexp(row, before)
            return made, made

        rest = jax.lax.scan(step, rows[0], rows[1:])[1]
        return jnp.moveaxis(jnp.concatenate((rows[:1], rest)), 0, dim)
    return jax.lax.associative_scan(jnp.logaddexp, x, axis=dim) if x.ndim and x.size else x


def searchsorted(edges: Array, x: Array, right: bool, dtype: Any) -> Array:
    """Where each element of x belongs in the rows of edges; nan belongs at the end."""
    side = "right" if right else "left"
    if edges.ndim == 1:
        return jnp.searchsorted(edges, x, side=side).astype(dtype)
    if not edges.shape[-1] or not x.size:
        return jnp.zeros(x.shape, dtype)
    rows, wanted = edges.reshape(-1, edges.shape[-1]), x.reshape(-1, x.shape[-1])
    found = jax.vmap(lambda e, v: jnp.searchsorted(e, v, side=side))(rows, wanted)
    return found.reshape(x.shape).astype(dtype)


def roll(x: Array, shifts: tuple[int, ...], dims: tuple[int, ...]) -> Array:
    """x moved along axes, what leaves at the end coming back at the start."""
    return jnp.roll(x, shifts if dims else shifts[0], dims or None) if x.size else x


def histc(x: Array, bins: int, low: float, high: float) -> Array:
    """How many elements lie in each of equal parts of an interval, the last one closed; without width that of the elements."""
    x = x.reshape(-1)
    start, stop = (jnp.min(x), jnp.max(x)) if low == high and x.size else (low, high)
    same = jnp.equal(start, stop)
    start, stop = jnp.where(same, start - 1, start), jnp.where(same, stop + 1, stop)
    inside = (x >= start) & (x <= stop)
    part = jnp.minimum(((x - start) * (bins / (stop - start))).astype(jnp.int64), bins - 1)
    return jnp.zeros(bins, x.dtype).at[jnp.where(inside, part, bins)].add(1, mode="drop")


def take(x: Array, index: Array) -> Array:
    """Elements at positions that count through all of them; negative ones from the end."""
    note_positions(index, x.size, wraps=True)
    return x.reshape(-1).take(index) if index.size else jnp.zeros(index.shape, x.dtype)
