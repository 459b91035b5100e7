"""The kernel of folded_scatters.py for JAX."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from tracegrad.kernels.jax_conditions import note_positions

Array = Any


def _grid(i: Array, dim: int) -> tuple[Any, ...]:
    places = list(jnp.meshgrid(*(jnp.arange(n) for n in i.shape), indexing="ij", sparse=True))
    places[dim] = i
    return tuple(places)


def scatter_reduce(x: Array, i: Array, source: Array, dim: int, fold: str, include_self: bool) -> Array:
    """x with the source elements folded in at position i along axis dim."""
    if not x.ndim or not i.ndim:
        return scatter_reduce(x.reshape(-1), i.reshape(-1), source.reshape(-1), 0, fold, include_self).reshape(x.shape)
    note_positions(i, x.shape[dim])
    if x.dtype.kind == "b":  # JAX adds and multiplies no bools
        fold = {"sum": "amax", "prod": "amin"}.get(fold, fold)
        x = x if include_self or fold not in ("amax", "amin") else x.at[_grid(i, dim)].set(fold == "amin")
        include_self = True
    at = _grid(i, dim)
    if fold in ("amax", "amin"):
        start = x if include_self else x.at[at].set(source)
        return start.at[at].max(source) if fold == "amax" else start.at[at].min(source)
    start = x if include_self else x.at[at].set(1 if fold == "prod" else 0)
    if fold == "prod":
        return start.at[at].multiply(source)
    total = start.at[at].add(source)
    if fold != "mean":
        return total
    count = jnp.maximum(jnp.full(x.shape, 1 if include_self else 0, x.dtype).at[at].add(1), 1)
    return jnp.floor_divide(total, count) if x.dtype.kind in "iu" else total / count
