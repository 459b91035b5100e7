"""The kernels of ctc.py for JAX: the same names and arguments, over jax.numpy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Array = Any


def _shifted(x: Array, count: int, fill: float) -> Array:
    """x moved by `count` along its last axis, with `fill` in front."""
    front = jnp.full((*x.shape[:-1], min(count, x.shape[-1])), fill, x.dtype)
    return jnp.concatenate([front, x[..., : max(x.shape[-1] - count, 0)]], -1)


def ctc_paths(emit: Array, start: Array, jumps: Array) -> Array:
    """log of the summed probabilities of all alignments that end in state s at time t."""
    if not emit.size:
        return emit
    start = start + emit[0]

    def advance(before: Array, now: Array) -> tuple[Array, Array]:
        stay, step = before, _shifted(before, 1, -jnp.inf)
        jump = jnp.where(jumps, _shifted(before, 2, -jnp.inf), -jnp.inf)
        top = jnp.maximum(jnp.maximum(stay, step), jump)
        level = jnp.where(top == -jnp.inf, 0.0, top)
        total = jnp.exp(stay - level) + jnp.exp(step - level) + jnp.exp(jump - level)
        made = jnp.log(total) + level + now
        return made, made

    rest = jax.lax.scan(advance, start, emit[1:])[1]
    return jnp.concatenate([start[None], rest])


def banded_recurrence(b: Array, stay: Array, step: Array, jump: Array) -> Array:
    """y[t, s] = b[t, s] + stay[t, s] y[t - 1, s] + step[t, s] y[t - 1, s - 1] + jump[t, s] y[t - 1, s - 2], from y[-1] = 0."""
    if not b.size:
        return b

    def advance(before: Array, now: Any) -> tuple[Array, Array]:
        b, stay, step, jump = now
        made = b + stay * before + step * _shifted(before, 1, 0.0) + jump * _shifted(before, 2, 0.0)
        return made, made

    rest = jax.lax.scan(advance, b[0], (b[1:], stay[1:], step[1:], jump[1:]))[1]
    return jnp.concatenate([b[:1], rest])


__all__ = ["banded_recurrence", "ctc_paths"]
