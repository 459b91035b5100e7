"""NumPy kernels of special functions.  numpy_kernels.py offers them as its own, loaded at the first use.

Each function may use NumPy, SciPy (imported inside the function) and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def special(name: str, *xs: Any) -> Array:
    """A function of scipy.special, in the dtype of the operands."""
    from scipy import special as functions

    return np.asarray(getattr(functions, name)(*xs)).astype(np.result_type(*xs), copy=False)


def digamma(x: Array) -> Array:
    """The logarithmic derivative of gamma; -inf at 0, inf at -0, nan at the other poles."""
    found = np.asarray(special("psi", x))
    poles = np.equal(x, 0)
    if poles.any():
        found = np.where(poles, np.copysign(np.asarray(np.inf, x.dtype), np.negative(x)), found)
    return found


def polygamma(x: Array, n: int) -> Array:
    """The n-th derivative of digamma."""
    return (
        digamma(x)
        if n == 0
        else np.multiply((-1.0) ** (n + 1) * factorial(n), special("zeta", np.asarray(n + 1, x.dtype), x))
    )


def xlogy(x: Any, y: Any) -> Array:
    """x * log(y); 0 where x is 0, unless y is nan."""
    return special("xlogy", x, y)


def logit(x: Array, eps: Any) -> Array:
    """log(x / (1 - x)) of x within [eps, 1 - eps]."""
    return special("logit", x if eps is None else np.clip(x, eps, 1 - eps))


def sinc_slope(x: Array, n: int) -> Array:
    """The n-th derivative of sin(pi x) / (pi x): by its series near 0, elsewhere by x f[n] = (sin(pi x) / pi)[n] - n f[n - 1]."""
    near = np.less(np.absolute(x), 0.5)
    small, large = np.where(near, x, 0), np.where(near, 1, x)
    series = np.zeros_like(x)
    for k in range(16 + n // 2, (n - 1) // 2, -1):
        factor = (-1.0) ** k * np.pi ** (2 * k) * factorial(2 * k) / factorial(2 * k - n) / factorial(2 * k + 1)
        series = np.add(np.multiply(series, np.square(small)), factor)
    if n % 2:
        series = np.multiply(series, small)
    found, turned = np.sinc(large), np.multiply(np.pi, large)
    for m in range(1, n + 1):
        wave = (np.sin, np.cos, np.sin, np.cos)[m % 4](turned)
        sign = -1.0 if m % 4 in (2, 3) else 1.0
        found = np.divide(np.subtract(np.multiply(sign * np.pi ** (m - 1), wave), np.multiply(m, found)), large)
    return np.where(near, series, found).astype(x.dtype, copy=False)


def frexp(x: Array) -> tuple[Array, Array]:
    """x as mantissa * 2**exponent with a mantissa in [0.5, 1)."""
    mantissa, exponent = np.frexp(x)
    return np.asarray(mantissa), np.where(np.isfinite(x), exponent, 0).astype(np.int32)


def spherical_j0(x: Array) -> Array:
    """sin(x) / x, 0 at infinity."""
    return np.where(np.isinf(x), 0, np.sinc(np.divide(x, np.pi))).astype(x.dtype, copy=False)


def signbit(x: Array) -> Array:
    """Whether the sign is minus."""
    return np.signbit(x) if x.dtype.kind == "f" else np.less(x, 0)
