"""The kernels of tails.py for JAX: the same names and arguments, over jax.scipy.special; and log gamma, digamma and logit where JAX loses digits."""

from __future__ import annotations

from math import factorial, pi, sqrt
from typing import Any

import jax
import jax.numpy as jnp

Array = Any
functions = jax.scipy.special


def gaussian(x: Array, scale: float) -> Array:
    """exp(-scale x**2) for a scale of few bits: the square is split in an exact part and a small one."""
    near = jnp.clip(x, -60, 60)
    head = jnp.rint(near * 16) * 0.0625
    return jnp.exp(head * head * -scale) * jnp.exp((near - head) * (near + head) * -scale)


def erfc(x: Array) -> Array:
    """1 - erf(x); for large x by erfcx."""
    far = x > 2.0
    large = jnp.where(far, x, 2.0)
    return jnp.where(far, functions.erfcx(large) * gaussian(large, 1.0), functions.erfc(jnp.where(far, 0.0, x)))


def ndtr(x: Array) -> Array:
    """The area under the normal density up to x."""
    far = x < -2.0
    large = jnp.where(far, x, -2.0)
    tail = functions.erfcx(large * -sqrt(0.5)) * gaussian(large, 0.5) * 0.5
    return jnp.where(far, tail, functions.ndtr(jnp.where(far, 0.0, x)))


def log_ndtr(x: Array) -> Array:
    """log of ndtr; above 0 by the area beyond x, below by erfcx."""
    far = x > 2.5
    tail = jnp.log1p(-ndtr(jnp.where(far, -x, 0.0)))
    low = x < -1.0
    under = jnp.where(low, x, -1.0)
    below = jnp.log(functions.erfcx(under * -sqrt(0.5)) * 0.5) - 0.5 * under * under
    return jnp.where(far, tail, jnp.where(low, below, jnp.log(functions.ndtr(jnp.where(far | low, 0.0, x)))))


def tail_ratio(x: Array, n: int) -> Array:
    """i[n]erfc(x) / i[n - 1]erfc(x) of the repeated integrals of erfc, for x >= 1.5, by a continued fraction."""
    ratio = 1 / (x + jnp.sqrt(x * x + 2.0 * (n + 80)))
    return jax.lax.fori_loop(0, 80, lambda k, found: 1 / (2.0 * (n + 80 - k) * found + 2 * x), ratio)


def erfcx_slope(x: Array, n: int) -> Array:
    """The n-th derivative of erfc(x) exp(x**2): (-2)**n n! i[n]erfc(x) exp(x**2), by recurrence, upward where that is stable."""
    far = x > 1.5
    start = functions.erfcx(x)
    before, found, tail = jnp.full_like(start, 2 / sqrt(pi)), start, start
    large = jnp.where(far, x, 1.5)
    for k in range(1, n + 1):
        before, found = found, (before - 2 * x * found) / (2 * k)
        tail = tail * tail_ratio(large, k)
    return jnp.where(far, tail, found) * float((-2) ** n * factorial(n))


def normal_hazard(x: Array) -> Array:
    """The normal density at x over the area up to x: the derivative of log_ndtr."""
    right = x > 1.0
    far = gaussian(x, 0.5) / (functions.ndtr(jnp.where(right, x, 1.0)) * sqrt(2 * pi))
    return jnp.where(right, far, sqrt(2 / pi) / functions.erfcx(x * -sqrt(0.5)))


def normal_excess(x: Array) -> Array:
    """x + normal_hazard(x), which goes to 0 as -1/x far below 0."""
    far = x < -1.5 * sqrt(2)
    tail = tail_ratio(jnp.where(far, x * -sqrt(0.5), 1.5), 1) * sqrt(2)
    return jnp.where(far, tail, x + normal_hazard(x))


def erfinv(x: Array) -> Array:
    """The number whose erf is x: JAX's, with one more of Newton's steps."""
    found = functions.erfinv(x)
    size = jnp.abs(found)
    usual = jnp.isfinite(found)
    at = jnp.where(usual, size, 0.0)
    outside = (functions.erfcx(at) - (1 - jnp.abs(jnp.where(usual, x, 0.0))) * jnp.exp(at * at)) * (sqrt(pi) / 2)
    step = jnp.where(at > 0.5, outside, (jnp.abs(x) - functions.erf(at)) * jnp.exp(at * at) * (sqrt(pi) / 2))
    return jnp.where(usual, jnp.copysign(at + step, found), found)


def erfinv_slope(x: Array) -> Array:
    """The derivative of erfinv, from the distance of x to 1, which is exact; infinite at -1 and 1."""
    rest = 1 - jnp.abs(x)
    return jnp.where(rest == 0, jnp.inf, functions.erfcx(jnp.abs(erfinv(x))) * (sqrt(pi) / 2) / rest)


def ndtri_slope(x: Array) -> Array:
    """The derivative of ndtri, from the distance of x to 0 or 1, which is exact; infinite there."""
    rest = jnp.minimum(x, 1 - x)
    found = functions.erfcx(jnp.abs(functions.ndtri(x)) * sqrt(0.5)) * sqrt(pi / 2) / rest
    return jnp.where(rest == 0, jnp.inf, found)


def lgamma(x: Array) -> Array:
    """log |gamma(x)|; around its zeros 1 and 2 by its series."""
    from scipy.special import zeta

    apart = x - 1.0
    second = apart > 0.5
    t = apart - second
    near = jnp.abs(t) < 0.25
    t = jnp.where(near, t, 0.0)
    total = jnp.zeros_like(t)
    for k in range(28, 1, -1):
        total = total * t + float((-1) ** k * zeta(k) / k)
    total = (total * t - 0.5772156649015329) * t + jnp.where(second, jnp.log1p(t), 0.0)
    return jnp.where(near, total, functions.gammaln(x))


def digamma(x: Array) -> Array:
    """The logarithmic derivative of gamma; -inf at 0, inf at -0, nan at the other poles; below 0 by reflection."""
    left = x < 0
    rest = x - jnp.rint(x)
    found = functions.digamma(jnp.where(left, 1 - x, x)) - jnp.where(left, float(pi) / jnp.tan(float(pi) * rest), 0.0)
    found = jnp.where(left & (rest == 0), jnp.nan, found)
    return jnp.where(x == 0, jnp.copysign(jnp.inf, -x), found).astype(x.dtype)


def logit(x: Array, eps: Any) -> Array:
    """log(x / (1 - x)) of x within [eps, 1 - eps]; exact also around 1/2."""
    x = x if eps is None else jnp.clip(x, eps, 1 - eps)
    near = (x > 0.3) & (x < 0.65)
    middle = jnp.where(near, x, 0.5)
    return jnp.where(near, jnp.log1p((2 * middle - 1) / (1 - middle)), functions.logit(x))


def gamma_density(a: Array, x: Array) -> Array:
    """x**(a - 1) exp(-x) / gamma(a); for large a by Stirling's series, in which the large terms of the exponent have cancelled."""
    plain = jnp.exp(functions.xlogy(a - 1, x) - (x + functions.gammaln(a)))
    big = jnp.maximum(a, 10.0)
    apart, inverse = (x - big) / big, 1 / (big * big)
    rest = jnp.zeros_like(big)
    for term in (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        rest = rest * inverse + term
    found = jnp.exp(big * (jnp.log1p(apart) - apart) - rest / big) * jnp.sqrt(big * (1 / (2 * pi))) / x
    return jnp.where((a >= 10.0) & (x > 0), found, plain)


def bessel_ratio(x: Array, n: int) -> Array:
    """I[n](x) / x**n, which is even and has no pole; by its series near 0, elsewhere by recurrence from the orders 0 and 1."""
    bound = 2.0 + 2.0 * n
    size = jnp.abs(x)
    square = jnp.square(jnp.minimum(size, bound))
    found, added = jnp.zeros_like(square), jnp.full_like(square, 1.0 / (2.0**n * factorial(n)))
    for k in range(1, 24 + 4 * n):
        found, added = found + added, added * square * (0.25 / (k * (k + n)))
    large = jnp.maximum(size, bound)
    before, last = functions.i0(large), functions.i1(large)
    for k in range(1, n):
        before, last = last, before - 2 * k / large * last
    return jnp.where(size > bound, last / large**n, found)
