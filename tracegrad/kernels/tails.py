"""NumPy kernels of special functions and their derivatives where SciPy's or the plain formula loses digits: tails, and places near a zero.

numpy_kernels.py offers them as its own, loaded at the first use.  Each function may use NumPy, SciPy (imported inside the function) and the other functions of this
file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from math import factorial, pi, sqrt
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_LEAST = np.full((), -3e38, np.float32)  # costs less than a Python number


def in_pieces(function: Any, x: Array, *rest: Any) -> Array:
    """function(x, *rest) of elements, in pieces that stay in the cache with what the function makes on its way."""
    flat, out = np.ravel(x), np.empty(x.size, x.dtype)
    for start in range(0, x.size, 32768):
        out[start : start + 32768] = function(flat[start : start + 32768], *rest)
    return out.reshape(x.shape)


def gaussian(x: Array, scale: float) -> Array:
    """exp(-scale x**2) for a scale of few bits: the square is split in an exact part and a small one, so that no digits are lost in the tails."""
    if x.size > 32768:
        return in_pieces(gaussian, x, scale)
    if x.dtype.itemsize < 8:  # float64 has the digits
        wide = x.astype(np.float64)
        return np.exp(np.multiply(np.multiply(wide, wide), -scale)).astype(x.dtype)
    near = np.minimum(np.maximum(x, -60), 60)
    head = np.multiply(np.rint(np.multiply(near, 16)), 0.0625)
    rest = np.multiply(np.multiply(np.subtract(near, head), np.add(near, head)), -scale)
    return np.multiply(np.exp(np.multiply(np.multiply(head, head), -scale)), np.exp(rest)).astype(x.dtype, copy=False)


def erfc(x: Array) -> Array:
    """1 - erf(x); for large x, where SciPy's loses digits, by erfcx."""
    if x.size > 32768:
        return in_pieces(erfc, x)
    from scipy import special as functions

    found = np.asarray(functions.erfc(x))
    if found.dtype != np.float64:  # SciPy computes the smaller ones in float64
        return found.astype(x.dtype, copy=False)
    far = np.flatnonzero(np.greater(x, 2.5))
    if far.size:
        tail = np.ravel(x)[far]
        np.put(found, far, np.multiply(functions.erfcx(tail), gaussian(tail, 1.0)))
    return found


def ndtr(x: Array) -> Array:
    """The area under the normal density up to x; for x far below 0, where SciPy's loses digits, by erfcx."""
    if x.size > 32768:
        return in_pieces(ndtr, x)
    from scipy import special as functions

    found = np.asarray(functions.ndtr(x))
    if found.dtype != np.float64:
        return found.astype(x.dtype, copy=False)
    far = np.flatnonzero(np.less(x, -2.5))
    if far.size:
        tail = np.ravel(x)[far]
        np.put(found, far, np.multiply(functions.erfcx(np.multiply(tail, -sqrt(0.5))), 0.5 * gaussian(tail, 0.5)))
    return found


# the normal distribution above t, 0 <= t <= 14.4, is exp(-t**2 / 2) times this polynomial in (t - 1.5) / (t + 3.75), by t + 3.75, with a relative error of 1.5e-8
_TAIL = (
    *(0.0076923235, -0.012273425, -0.029046591, 0.07099016, 0.09611822),
    *(-0.6028668, 1.1957923, -1.4077535, 1.0803485),
)
_SIGN, _ONE = np.uint32(1 << 31), np.float32(1).view(np.uint32)
_GELU_PART = 65536  # elements worked on at a time


def _tails(x: Array, made: Array, wide: Array) -> tuple[Array, Array, Array]:
    """Of float32 x: t = |x|, exp(-t**2 / 2), and what it is multiplied by in the tail above t; in the memory of `made` and `wide`."""
    t, width, place, factor = made
    wide[...] = x  # the square rounded to float32 would cost t**2 / 2 units in the last place
    np.multiply(wide, wide, wide)
    np.exp(np.multiply(wide, -0.5, wide), wide)
    np.absolute(x, t)
    np.add(t, 3.75, width)
    np.divide(np.subtract(t, 1.5, place), width, place)
    np.multiply(place, _TAIL[0], factor)
    for c in _TAIL[1:-1]:
        np.multiply(np.add(factor, c, factor), place, factor)
    np.divide(np.add(factor, _TAIL[-1], factor), width, factor)
    place[...] = wide
    return t, place, factor


def _in_parts(x: Array) -> Any:
    """First the result; then parts of large float32 x, of the result, and of memory for four float32 arrays and one of float64."""
    flat, out = np.ravel(x), np.empty(x.size, np.float32)
    size = min(x.size, _GELU_PART)
    made, wide = np.empty((4, size), np.float32), np.empty(size, np.float64)
    yield out.reshape(x.shape)
    for start in range(0, x.size, size):
        part = flat[start : start + size]
        yield part, out[start : start + size], made[:, : part.size], wide[: part.size]


def gelu(x: Array, approximate: str) -> Array:
    """x times ndtr(x), or times its approximation by tanh; large float32 with errors up to 5 units in the last place, in both tails."""
    if approximate == "tanh":
        inner = np.multiply(np.multiply(x, np.add(np.multiply(np.square(x), 0.044715), 1.0)), 2 * sqrt(2 / pi))
        return np.multiply(x, np.reciprocal(np.add(np.exp(np.negative(inner)), 1.0)))
    if x.size < 1024 or x.dtype != np.float32:
        return np.multiply(x, ndtr(x))
    parts = _in_parts(x)
    out: Array = next(parts)
    for part, found, made, wide in parts:
        t, density, factor = _tails(part, made, wide)
        np.minimum(part.view(np.uint32), _SIGN, out=found.view(np.uint32))  # x from 0 on, else -0.0
        np.subtract(found, np.multiply(np.multiply(density, factor, factor), t, factor), found)
        if not np.maximum.reduce(t) < np.inf:
            np.copyto(found, np.inf, where=np.equal(part, np.inf))
    return out


def gelu_slope(x: Array) -> Array:
    """The derivative of x ndtr(x): ndtr(x) plus x times the normal density."""
    if x.size < 1024 or x.dtype != np.float32:
        return np.add(ndtr(x), np.multiply(np.multiply(gaussian(x, 0.5), 1 / sqrt(2 * pi)), x))
    parts = _in_parts(x)
    out: Array = next(parts)
    for part, found, made, wide in parts:
        t, density, factor = _tails(part, made, wide)
        np.subtract(factor, np.multiply(t, 1 / sqrt(2 * pi), t), factor)
        np.multiply(density, factor, factor)  # the slope at -t; that at t is 1 less it
        signs, bits = found.view(np.uint32), factor.view(np.uint32)
        np.bitwise_and(np.invert(part.view(np.uint32), signs), _SIGN, signs)
        np.bitwise_xor(bits, signs, bits)
        np.minimum(signs, _ONE, out=signs)  # 1.0 from 0 on, else 0.0
        np.add(found, factor, found)
    return out


def log_ndtr(x: Array) -> Array:
    """log of ndtr; for x far above 0 by the area beyond x."""
    from scipy import special as functions

    found = np.asarray(functions.log_ndtr(x))
    if found.dtype != np.float64:
        return found.astype(x.dtype, copy=False)
    far = np.flatnonzero(np.greater(x, 2.5))
    if far.size:
        np.put(found, far, np.log1p(np.negative(ndtr(np.negative(np.ravel(x)[far])))))
    return found


def tail_ratio(x: Array, n: int) -> Array:
    """i[n]erfc(x) / i[n - 1]erfc(x) of the repeated integrals of erfc, for x >= 1.5, by a continued fraction."""
    doubled = np.add(x, x)
    ratio = np.reciprocal(np.add(x, np.sqrt(np.add(np.square(x), 2.0 * (n + 80)))))
    for k in range(n + 79, n - 1, -1):
        ratio = np.reciprocal(np.add(np.multiply(ratio, 2.0 * (k + 1)), doubled))
    return ratio


def erfcx_slope(x: Array, n: int) -> Array:
    """The n-th derivative of erfc(x) exp(x**2): (-2)**n n! i[n]erfc(x) exp(x**2), by recurrence, upward where that is stable."""
    from scipy import special as functions

    start = np.asarray(functions.erfcx(x))
    before, found = np.full_like(start, 2 / sqrt(pi)), start
    for k in range(1, n + 1):
        before, found = found, np.asarray(np.divide(np.subtract(before, np.multiply(np.multiply(x, 2), found)), 2 * k))
    far = np.flatnonzero(np.greater(x, 1.5))
    if far.size:
        large, tail = np.ravel(x)[far], np.ravel(start)[far]
        for k in range(1, n + 1):
            tail = np.multiply(tail, tail_ratio(large, k))
        np.put(found, far, tail)
    return np.multiply(found, float((-2) ** n * factorial(n))).astype(x.dtype, copy=False)


def normal_hazard(x: Array) -> Array:
    """The normal density at x over the area up to x: the derivative of log_ndtr."""
    if x.size > 32768:
        return in_pieces(normal_hazard, x)
    from scipy import special as functions

    found = np.asarray(np.divide(sqrt(2 / pi), functions.erfcx(np.multiply(x, -sqrt(0.5)))))
    far = np.flatnonzero(np.greater(x, 1.0))
    if far.size:
        large = np.ravel(x)[far]
        np.put(found, far, np.divide(gaussian(large, 0.5), np.multiply(functions.ndtr(large), sqrt(2 * pi))))
    return found.astype(x.dtype, copy=False)


def normal_excess(x: Array) -> Array:
    """x + normal_hazard(x), which goes to 0 as -1/x far below 0."""
    found = np.asarray(np.add(x, normal_hazard(x)))
    far = np.flatnonzero(np.less(x, -1.5 * sqrt(2)))
    if far.size:
        np.put(found, far, np.multiply(tail_ratio(np.multiply(np.ravel(x)[far], -sqrt(0.5)), 1), sqrt(2)))
    return found.astype(x.dtype, copy=False)


def erfinv_slope(x: Array) -> Array:
    """The derivative of erfinv, from the distance of x to 1, which is exact; infinite at -1 and 1."""
    from scipy import special as functions

    rest = np.subtract(1.0, np.absolute(x))
    found = np.divide(np.multiply(functions.erfcx(np.absolute(functions.erfinv(x))), sqrt(pi) / 2), rest)
    return np.where(np.equal(rest, 0), np.inf, found).astype(x.dtype, copy=False)


def ndtri_slope(x: Array) -> Array:
    """The derivative of ndtri, from the distance of x to 0 or 1, which is exact; infinite there."""
    from scipy import special as functions

    rest = np.minimum(x, np.subtract(1.0, x))
    at = np.multiply(np.absolute(functions.ndtri(x)), sqrt(0.5))
    found = np.divide(np.multiply(functions.erfcx(at), sqrt(pi / 2)), rest)
    return np.where(np.equal(rest, 0), np.inf, found).astype(x.dtype, copy=False)


def lgamma(x: Array) -> Array:
    """log |gamma(x)|; around its zeros 1 and 2, where SciPy's loses digits, by its series."""
    if x.size > 32768:
        return in_pieces(lgamma, x)
    from scipy import special as functions

    found = np.asarray(functions.gammaln(np.maximum(x, _LEAST)))  # inf there, as at every whole number below 0
    if x.dtype.itemsize < 8:
        return found if found.dtype is x.dtype else found.astype(x.dtype)
    apart = np.absolute(np.subtract(np.absolute(np.subtract(x, 1.5)), 0.5))
    near = np.flatnonzero(np.less(apart, 0.1))
    if near.size:
        np.put(found, near, lgamma_series(np.subtract(np.ravel(x)[near], 1.0)))
    return found


def lgamma_series(z: Array) -> Array:
    """log gamma(1 + z) for z around 0 and around 1: there log gamma(1 + z) = log1p(z - 1) + log gamma(1 + (z - 1))."""
    from scipy import special as functions

    zeta = functions.zeta(np.arange(17))
    second = np.greater(z, 0.5)
    t = np.subtract(z, second)
    total = np.zeros_like(t)
    for k in range(16, 1, -1):
        total = np.add(np.multiply(total, t), (-1) ** k * float(zeta[k]) / k)
    total = np.multiply(np.add(np.multiply(total, t), -0.5772156649015329), t)
    return np.add(total, np.where(second, np.log1p(t), 0.0))


def gamma_density(a: Array, x: Array) -> Array:
    """x**(a - 1) exp(-x) / gamma(a); for large a by Stirling's series, in which the large terms of the exponent have cancelled."""
    from scipy import special as functions

    dtype = np.result_type(a, x)
    plain = np.exp(np.subtract(functions.xlogy(np.subtract(a, 1.0), x), np.add(x, functions.gammaln(a))))
    big = np.maximum(a, 10.0)
    apart = np.divide(np.subtract(x, big), big)
    inverse = np.reciprocal(np.square(big))
    rest = np.zeros_like(big)
    for term in (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        rest = np.add(np.multiply(rest, inverse), term)
    power = np.subtract(np.multiply(big, np.subtract(np.log1p(apart), apart)), np.divide(rest, big))
    found = np.divide(np.multiply(np.exp(power), np.sqrt(np.multiply(big, 1 / (2 * pi)))), x)
    return np.where(np.logical_and(np.greater_equal(a, 10.0), np.greater(x, 0)), found, plain).astype(dtype, copy=False)


def bessel_ratio(x: Array, n: int) -> Array:
    """I[n](x) / x**n, which is even and has no pole; by its series near 0."""
    from scipy import special as functions

    square, term = np.square(np.minimum(np.absolute(x), 2.0)), 1.0 / (2.0**n * factorial(n))
    found, added = np.zeros_like(square), np.full_like(square, term)
    for k in range(1, 18):
        found = np.add(found, added)
        added = np.multiply(added, np.multiply(square, 0.25 / (k * (k + n))))
    found = np.asarray(found)
    far = np.flatnonzero(np.greater(np.absolute(x), 2.0))
    if far.size:
        large = np.absolute(np.ravel(x)[far])
        np.put(found, far, np.divide(functions.iv(n, large) if n > 1 else functions.i1(large), np.power(large, n)))
    return found.astype(x.dtype, copy=False)
