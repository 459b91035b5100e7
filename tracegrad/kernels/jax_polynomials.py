"""The kernels of polynomials.py for JAX: the same names and arguments, by the recurrences of three terms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tracegrad.kernels import polynomials as host

Array = Any


def polynomial(x: Any, n: Any, family: str, shifted: bool) -> Array:
    """The polynomial of a family and of degree trunc(n) at x, or at 2 x - 1; 0 for negative degrees, nan beyond 2**20, 0 at degrees that are not finite."""
    dtype = jnp.result_type(x, n)
    order = jnp.asarray(n, dtype)
    beyond = jnp.isfinite(order) & (order > 2**20)  # the recurrence takes a step for each degree
    degree = jnp.where(jnp.isfinite(order) & (order > -1) & ~beyond, n, -1).astype(jnp.int32)
    at, degree = jnp.broadcast_arrays(jnp.asarray(x, dtype), degree)
    if shifted:
        at = at + at - 1
    first = {"t": at, "u": 2 * at, "v": 2 * at - 1, "w": 2 * at + 1, "h": 2 * at, "he": at, "l": 1 - at, "p": at}[
        family
    ]
    one = jnp.ones_like(at)
    highest = jnp.max(degree, initial=0)

    def step(state: Any) -> Any:
        k, before, last, found = state
        now = _next(family, at, before, last, k.astype(dtype))
        return k + 1, last, now, jnp.where(degree == k + 1, now, found)

    start = jnp.where(degree == 0, one, jnp.where(degree == 1, first, 0))
    begin = (jnp.asarray(1, jnp.int32), one, first, start.astype(dtype))
    found = jax.lax.while_loop(lambda state: state[0] < highest, step, begin)[3]
    return jnp.where(beyond, jnp.nan, found)


def _next(family: str, x: Array, before: Array, last: Array, k: Array) -> Array:
    """The polynomial of degree k + 1 from those of degrees k - 1 and k."""
    if family == "h":
        return 2 * x * last - 2 * k * before
    if family == "he":
        return x * last - k * before
    if family == "l":
        return ((2 * k + 1 - x) * last - k * before) / (k + 1)
    if family == "p":
        return ((2 * k + 1) * x * last - k * before) / (k + 1)
    return 2 * x * last - before


def airy_ai(x: Array) -> Array:
    """Airy's function Ai, by SciPy called from the program."""
    made = jax.ShapeDtypeStruct(jnp.shape(x), x.dtype)
    return jax.pure_callback(lambda a: host.airy_ai(np.asarray(a)), made, x, vmap_method="broadcast_all")
