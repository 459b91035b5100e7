"""The kernels of loops.py for JAX: lax.cond, lax.scan and lax.while_loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

Array = Any
Function = Callable[..., Sequence[Array]]

__all__ = ["cond", "scan", "while_backward", "while_loop"]


def cond(pred: Array, xs: Sequence[Array], true: Function, false: Function) -> tuple[Array, ...]:
    """The results of one of two bodies."""
    kinds = [v.dtype for v in jax.eval_shape(lambda *a: tuple(map(jnp.asarray, true(*a))), *xs)]

    def strict(body: Function) -> Function:
        return lambda *given: tuple(jnp.asarray(v, d) for v, d in zip(body(*given), kinds, strict=True))

    return tuple(jax.lax.cond(pred, strict(true), strict(false), *xs))


def scan(
    xs: Sequence[Array], body: Function, carries: int, slices: int, length: int, reverse: bool
) -> tuple[Array, ...]:
    """The last carried values, and the stacks of what the body gives besides."""
    constants = xs[carries + slices :]

    def step(state: Any, rows: Any) -> Any:
        found = body(*state, *rows, *constants)
        return _like(found[:carries], state), tuple(map(jnp.asarray, found[carries:]))

    first, rows = tuple(map(jnp.asarray, xs[:carries])), tuple(xs[carries : carries + slices])
    last, stacks = jax.lax.scan(step, first, rows, length=length, reverse=reverse)
    return (*last, *stacks)


def while_loop(xs: Sequence[Array], cond: Function, body: Function, carries: int) -> tuple[Array, ...]:
    """The carried values when the condition first fails."""
    constants = xs[carries:]
    first = tuple(map(jnp.asarray, xs[:carries]))
    return tuple(
        jax.lax.while_loop(
            lambda state: jnp.asarray(cond(*state, *constants)[0]),
            lambda state: _like(body(*state, *constants), state),
            first,
        )
    )


def while_backward(*_arguments: Any) -> Any:
    """Raises: XLA keeps no list of values whose length is not known when it compiles."""
    raise RuntimeError(
        "while_loop: its reverse needs the carried values of every step, whose number JAX must know beforehand. "
        "Use fori_loop with static bounds, give while_loop max_steps=, or compile for the backend 'numpy'"
    )


def _like(values: Sequence[Array], state: Sequence[Array]) -> tuple[Array, ...]:
    """The values in the dtypes that are carried."""
    return tuple(jnp.asarray(v, h.dtype) for v, h in zip(values, state, strict=True))
