"""The kernels of loops.py for JAX: lax.cond, lax.scan and lax.while_loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from tracegrad.kernels.jax_conditions import all_of, every, note, noting

Array = Any
Function = Callable[..., Sequence[Array]]

__all__ = ["cond", "scan", "while_backward", "while_loop"]


def cond(pred: Array, xs: Sequence[Array], true: Function, false: Function) -> tuple[Array, ...]:
    """The results of one of two bodies."""
    kinds = [v.dtype for v in jax.eval_shape(lambda *a: tuple(map(jnp.asarray, noting(true)(*a)[0])), *xs)]

    noted: list[Array] = []

    def strict(body: Function) -> Function:
        def branch(*given: Array) -> tuple[tuple[Array, ...], Array]:
            found, fits = noting(body)(*given)
            noted.extend(() if fits is None else (fits,))
            return tuple(jnp.asarray(v, d) for v, d in zip(found, kinds, strict=True)), every([fits])

        return branch

    results, fits = jax.lax.cond(pred, strict(true), strict(false), *xs)
    if noted:
        note(fits)
    return tuple(results)


def scan(
    xs: Sequence[Array], body: Function, carries: int, slices: int, length: int, reverse: bool
) -> tuple[Array, ...]:
    """The last carried values, and the stacks of what the body gives besides."""
    constants = xs[carries + slices :]

    def step(state: Any, rows: Any) -> Any:
        found, fits = noting(body)(*state, *rows, *constants)
        return _like(found[:carries], state), (fits, tuple(map(jnp.asarray, found[carries:])))

    first, rows = tuple(map(jnp.asarray, xs[:carries])), tuple(xs[carries : carries + slices])
    last, (fits, stacks) = jax.lax.scan(step, first, rows, length=length, reverse=reverse)
    if fits is not None:
        note(all_of(fits))
    return (*last, *stacks)


def while_loop(xs: Sequence[Array], cond: Function, body: Function, carries: int) -> tuple[Array, ...]:
    """The carried values when the condition first fails."""
    constants = xs[carries:]
    first = tuple(map(jnp.asarray, xs[:carries]))
    noted: list[Array] = []

    def going_on(state: Any) -> Any:
        found, fits = noting(cond)(*state[1], *constants)
        return jnp.logical_and(jnp.asarray(found[0]), every([state[0], fits]))

    def step(state: Any) -> Any:
        found, fits = noting(body)(*state[1], *constants)
        own = [f for f in (noting(cond)(*state[1], *constants)[1], fits) if f is not None]
        noted.extend(own)
        return every([state[0], *own]), _like(found, state[1])

    fits, last = jax.lax.while_loop(going_on, step, (every([]), first))
    at_end = noting(cond)(*last, *constants)[1]
    if noted or at_end is not None:
        note(every([fits, at_end]))
    return tuple(last)


def while_backward(*_arguments: Any) -> Any:
    """Raises: XLA keeps no list of values whose length is not known when it compiles."""
    raise RuntimeError(
        "while_loop: its reverse needs the carried values of every step, whose number JAX must know beforehand. "
        "Use fori_loop with static bounds, give while_loop max_steps=, or compile for the backend 'numpy'"
    )


def _like(values: Sequence[Array], state: Sequence[Array]) -> tuple[Array, ...]:
    """The values in the dtypes that are carried."""
    return tuple(jnp.asarray(v, h.dtype) for v, h in zip(values, state, strict=True))
