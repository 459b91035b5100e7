"""Conditions on values that a program of XLA finds while it runs, where NumPy's kernels raise: whether all positions lie within their axes.

XLA takes another position in the place of one outside.  The kernels therefore note, while JAX traces them, whether all lie within; `noting` makes a function
return that besides its results, and who runs the program refuses the results.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Array = Any

__all__ = ["all_of", "every", "note", "note_positions", "noting"]


class _Noted(threading.local):
    conditions: list[Array] | None = None


_NOTED = _Noted()


def note(condition: Array) -> None:
    """Have the function that is being traced give False besides its results where this bool is false."""
    if _NOTED.conditions is not None:
        _NOTED.conditions.append(condition)


def note_positions(i: Array, size: int, wraps: bool = False) -> None:
    """Note that all positions lie in [0, size), or in [-size, size) where negative ones count from the end."""
    if _NOTED.conditions is None or not jnp.size(i):
        return
    i = jnp.asarray(i)
    first = jax.lax.full_like(i, -size if wraps else 0)
    unsigned = f"uint{8 * i.dtype.itemsize}"  # a negative distance from the first is a large one
    distance = jax.lax.convert_element_type(jax.lax.sub(i, first) if wraps else i, unsigned)
    within = jax.lax.lt(distance, jax.lax.full_like(distance, 2 * size if wraps else size))
    note(all_of(within))  # XLA vectorises this fold, and not that of the maximum


def all_of(bools: Array) -> Array:
    """Whether all elements are true, as one bool."""
    return jax.lax.reduce_and(bools, axes=tuple(range(bools.ndim)))


def noting(function: Callable[..., Any]) -> Callable[..., tuple[Any, Array | None]]:
    """The function with a bool as second result: whether all that its kernels noted was true; None if they noted nothing."""

    def with_conditions(*arguments: Any) -> tuple[Any, Array | None]:
        outer, _NOTED.conditions = _NOTED.conditions, []
        try:
            results, own = function(*arguments), _NOTED.conditions
        finally:
            _NOTED.conditions = outer
        return results, every(own) if own else None

    return with_conditions


def every(conditions: list[Array | None]) -> Array:
    """Whether all of these bools are true; None counts as true."""
    there = [c for c in conditions if c is not None]
    return functools.reduce(jax.lax.bitwise_and, there) if there else jax.lax.full((), True)
