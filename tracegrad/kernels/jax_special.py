"""The kernels of special.py for JAX: the same names and arguments, over jax.scipy.special."""

from __future__ import annotations

from math import factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tracegrad.kernels import special as host
from tracegrad.kernels.jax_tails import digamma

Array = Any
_RENAMED = {"psi": "digamma"}
_FAR = 10_000.0  # so many terms are added at most


def special(name: str, *xs: Any) -> Array:
    """A function of jax.scipy.special, or SciPy's called from the program where JAX has none."""
    if name == "zeta":
        return _zeta(*xs)
    found = getattr(jax.scipy.special, _RENAMED.get(name, name), None)
    if found is not None:
        return found(*xs)
    shape = jnp.broadcast_shapes(*(jnp.shape(x) for x in xs))
    made = jax.ShapeDtypeStruct(shape, jnp.result_type(*xs))
    return jax.pure_callback(
        lambda *arrays: host.special(name, *map(np.asarray, arrays)), made, *xs, vmap_method="broadcast_all"
    )


def polygamma(x: Array, n: int) -> Array:
    """The n-th derivative of digamma."""
    return digamma(x) if n == 0 else (-1.0) ** (n + 1) * factorial(n) * _zeta(jnp.asarray(n + 1, x.dtype), x)


def _zeta(s: Array, q: Array) -> Array:
    """The sum of (q + k)^-s over k >= 0.  JAX's begins with nine terms, which leaves few digits far below 0: terms below 0 are added one by one here."""
    s, q = jnp.broadcast_arrays(s, q)
    below = (q < 0) & (q > -_FAR)

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        place, total = state
        here = below & (place < 0)
        return jnp.where(here, place + 1, place), total + jnp.where(here, jnp.power(place, -s), 0)

    place, total = jax.lax.while_loop(lambda state: jnp.any(below & (state[0] < 0)), step, (q, jnp.zeros_like(q)))
    return total + jax.scipy.special.zeta(s, place)


def xlogy(x: Any, y: Any) -> Array:
    """x * log(y); 0 where x is 0, unless y is nan."""
    return jnp.where(jnp.isnan(y), jnp.asarray(y, jnp.result_type(x, y)), jax.scipy.special.xlogy(x, y))


def sinc_slope(x: Array, n: int) -> Array:
    """The n-th derivative of sin(pi x) / (pi x), as the NumPy kernel computes it."""
    near = jnp.abs(x) < 0.5
    small, large = jnp.where(near, x, 0), jnp.where(near, 1, x)
    series = jnp.zeros_like(x)
    for k in range(16 + n // 2, (n - 1) // 2, -1):
        factor = (-1.0) ** k * np.pi ** (2 * k) * factorial(2 * k) / factorial(2 * k - n) / factorial(2 * k + 1)
        series = series * jnp.square(small) + float(factor)
    if n % 2:
        series = series * small
    found, turned = jnp.sinc(large), float(np.pi) * large
    for m in range(1, n + 1):
        wave = (jnp.sin, jnp.cos, jnp.sin, jnp.cos)[m % 4](turned)
        sign = -1.0 if m % 4 in (2, 3) else 1.0
        found = (float(sign * np.pi ** (m - 1)) * wave - m * found) / large
    return jnp.where(near, series, found)


def frexp(x: Array) -> tuple[Array, Array]:
    """x as mantissa * 2**exponent with a mantissa in [0.5, 1)."""
    mantissa, exponent = jnp.frexp(x)
    return mantissa, jnp.where(jnp.isfinite(x), exponent, 0).astype(jnp.int32)


def spherical_j0(x: Array) -> Array:
    """sin(x) / x, 0 at infinity."""
    return jnp.where(jnp.isinf(x), 0, jnp.sinc(x / float(np.pi)))


def signbit(x: Array) -> Array:
    """Whether the sign is minus."""
    return jnp.signbit(x) if x.dtype.kind == "f" else jnp.less(x, 0)
