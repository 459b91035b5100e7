"""The hard points of accuracy.py: functions under PyTorch's names, where they are taken, and what they are there by mpmath or by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple

import mpmath as mp


class Case(NamedTuple):
    """text: as the table shows it; function(lib, x): elementwise over a library; exact: the same of one mpmath number; points; single: other points for float32."""

    text: str
    function: Callable[[Any, Any], Any]
    exact: Callable[[Any], Any]
    points: tuple[float, ...]
    single: tuple[float, ...] = ()


class Whole(NamedTuple):
    """A function of a whole array at one point: its value, the gradient of its sum and the row sums of the Hessian, by hand."""

    text: str
    function: Callable[[Any, Any], Any]
    point: Any
    value: Any
    first: Any
    second: Any


def _phi(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _log_gamma(x: Any) -> Any:
    return mp.log(abs(mp.gamma(x)))


def _inverse_erf(x: Any) -> Any:
    return (
        mp.findroot(lambda y: mp.erf(y) - x, mp.erfinv(x), tol=mp.mpf(10) ** (-2 * mp.mp.dps + 20)) if x else mp.mpf(0)
    )


def _quantile(p: Any) -> Any:
    """The number with normal distribution function p, by Newton's steps on its logarithm."""
    if p > 0.5:
        return -_quantile(1 - p)
    z = -mp.sqrt(-2 * mp.log(p)) if p < 0.1 else mp.mpf(0)
    for _ in range(60):
        area = _phi(z)
        step = mp.log(area / p) * area / mp.npdf(z)
        z -= step
        if abs(step) < mp.mpf(10) ** (-mp.mp.dps + 5):
            break
    return z


def _logistic(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _gelu_tanh(x: Any) -> Any:
    return x * _logistic(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3))


CASES = (
    Case("`erf(x)`", lambda t, x: t.erf(x), mp.erf, (1e-8, 0.5, 3.0, 5.5), (1e-4, 0.5, 3.0)),
    Case("`erfc(x)`", lambda t, x: t.erfc(x), mp.erfc, (-5.0, 0.5, 5.0, 15.3, 26.1), (-3.0, 0.5, 5.0, 8.7)),
    Case("`special.erfcx(x)`", lambda t, x: t.special.erfcx(x), lambda x: mp.exp(x * x) * mp.erfc(x),
         (-20.0, -3.0, 1e-3, 0.9, 1.7, 5.0, 50.0, 1e5), (-8.0, -3.0, 1e-3, 0.9, 1.7, 5.0, 50.0)),
    Case("`erfinv(x)`", lambda t, x: t.erfinv(x), _inverse_erf, (1e-10, 0.5, -0.999, 1 - 1e-9), (1e-5, 0.5, -0.999, 1 - 1e-6)),
    Case("`special.ndtr(x)`", lambda t, x: t.special.ndtr(x), _phi, (-37.0, -10.0, -1e-8, 1.0, 8.0), (-12.0, -1e-4, 1.0, 5.0)),
    Case("`special.log_ndtr(x)`", lambda t, x: t.special.log_ndtr(x), lambda x: mp.log(_phi(x)) if x < 0 else mp.log1p(-_phi(-x)), (-1e6, -1e3, -30.0, -3.0, -0.5, 0.3, 6.0, 30.0),
         (-1e3, -30.0, -3.0, -0.5, 0.3, 6.0)),
    Case("`special.ndtri(x)`", lambda t, x: t.special.ndtri(x), _quantile, (1e-200, 1e-5, 0.4, 1 - 1e-9), (1e-30, 1e-5, 0.4, 1 - 1e-6)),
    Case("`lgamma(x)`", lambda t, x: t.lgamma(x), _log_gamma, (1e-10, 1 + 1e-7, 2 - 1e-7, 1e10, -0.5, -3.7), (1e-10, 1.001, 1e8, -0.5, -3.7)),
    Case("`digamma(x)`", lambda t, x: t.digamma(x), mp.digamma, (1e-8, 1.4616, 1e10, -0.5, -5.0001), (1e-8, 1.46, 1e8, -0.5, -5.01)),
    Case("`polygamma(1, x)`", lambda t, x: t.polygamma(1, x), lambda x: mp.polygamma(1, x), (1e-8, 1.5, 1e6, -0.5, -5.0001), (1e-8, 1.5, 1e6, -0.5)),
    Case("`polygamma(3, x)`", lambda t, x: t.polygamma(3, x), lambda x: mp.polygamma(3, x), (1e-3, 1.5, 1e6), (1e-3, 1.5, 100.0)),
    Case("`special.zeta(3.5, x)`", lambda t, x: t.special.zeta(3.5, x), lambda x: mp.zeta(mp.mpf(3.5), x), (1e-3, 1.0, 50.0), (1e-3, 1.0, 50.0)),
    Case("`igamma(2.5, x)`", lambda t, x: t.igamma(t.full_like(x, 2.5), x), lambda x: mp.gammainc(2.5, 0, x, regularized=True), (1e-10, 2.0, 30.0), (1e-10, 2.0, 9.0)),
    Case("`igammac(2.5, x)`", lambda t, x: t.igammac(t.full_like(x, 2.5), x), lambda x: mp.gammainc(2.5, x, mp.inf, regularized=True), (1e-3, 2.0, 100.0), (1e-3, 2.0, 40.0)),
    Case("`igamma(1000, x)`", lambda t, x: t.igamma(t.full_like(x, 1000.0), x), lambda x: mp.gammainc(1000, 0, x, regularized=True), (900.0, 1000.0, 1010.0), (990.0, 1000.0)),
    Case("`i0(x)`", lambda t, x: t.i0(x), lambda x: mp.besseli(0, x), (1e-10, 3.0, 20.0), (1e-3, 3.0, 20.0)),
    Case("`special.i1(x)`", lambda t, x: t.special.i1(x), lambda x: mp.besseli(1, x), (1e-10, 3.0, 20.0), (1e-3, 3.0, 20.0)),
    Case("`special.i0e(x)`", lambda t, x: t.special.i0e(x), lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), (1e-10, 3.0, 20.0, 1e4), (1e-3, 3.0, 20.0, 1e3)),
    Case("`special.i1e(x)`", lambda t, x: t.special.i1e(x), lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), (1e-10, 3.0, 20.0, 1e4), (1e-3, 3.0, 20.0, 1e3)),
    Case("`special.entr(x)`", lambda t, x: t.special.entr(x), lambda x: -x * mp.log(x), (1e-300, 0.3, 2.0), (1e-30, 0.3, 2.0)),
    Case("`logit(x)`", lambda t, x: t.logit(x), lambda x: mp.log(x / (1 - x)), (1e-100, 0.5 + 1e-9, 0.3, 1 - 1e-12), (1e-15, 0.5001, 0.3, 1 - 1e-6)),
    Case("`sinc(x)`", lambda t, x: t.sinc(x), lambda x: mp.sincpi(x), (1e-9, 1e-3, 0.3, 0.7, 3.25), (1e-4, 1e-2, 0.3, 0.7)),
    Case("`expm1(x)`", lambda t, x: t.expm1(x), mp.expm1, (-45.0, -1e-12, 1e-20, 1.0), (-20.0, -1e-6, 1.0)),
    Case("`log1p(x)`", lambda t, x: t.log1p(x), mp.log1p, (-1 + 1e-12, 1e-20, 1e-12, 5.0), (-1 + 1e-6, 1e-30, 1e-6, 5.0)),
    Case("`sigmoid(x)`", lambda t, x: t.sigmoid(x), _logistic, (-700.0, -40.0, 0.5, 3.0), (-80.0, -20.0, 0.5, 3.0)),
    Case("`softplus(x)`", lambda t, x: t.nn.functional.softplus(x), lambda x: mp.log1p(mp.exp(x)), (-700.0, -40.0, 0.5, 15.0), (-80.0, -20.0, 0.5, 15.0)),
    Case("`logsigmoid(x)`", lambda t, x: t.nn.functional.logsigmoid(x), lambda x: -mp.log1p(mp.exp(-x)), (-700.0, 0.5, 40.0, 700.0), (-80.0, 0.5, 20.0)),
    Case("`gelu(x)`", lambda t, x: t.nn.functional.gelu(x), lambda x: x * _phi(x), (-35.0, -6.0, -1e-8, 0.5, 6.0), (-12.0, -6.0, -1e-4, 0.5, 6.0)),
    Case("`gelu(x)`, 1,200 elements", lambda t, x: t.nn.functional.gelu(t.cat([x] * 240))[:5], lambda x: x * _phi(x), (-35.0, -6.0, -1e-8, 0.5, 6.0), (-12.0, -4.5, -2.5, -0.3, 1.3)),
    Case("`gelu(x, approximate='tanh')`", lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), _gelu_tanh, (-20.0, -6.0, -1e-8, 0.5, 6.0), (-9.0, -6.0, -1e-4, 0.5)),
    Case("`silu(x)`", lambda t, x: t.nn.functional.silu(x), lambda x: x * _logistic(x), (-700.0, -40.0, 1e-8, 3.0), (-80.0, -20.0, 1e-4, 3.0)),
    Case("`mish(x)`", lambda t, x: t.nn.functional.mish(x), lambda x: x * mp.tanh(mp.log1p(mp.exp(x))), (-700.0, -40.0, 1e-8, 3.0), (-80.0, -20.0, 1e-4, 3.0)),
    Case("`asin(x)`", lambda t, x: t.asin(x), mp.asin, (1e-12, 0.5, 1 - 1e-13), (1e-6, 0.5, 1 - 1e-6)),
    Case("`acos(x)`", lambda t, x: t.acos(x), mp.acos, (-1 + 1e-13, 0.5, 1 - 1e-13), (-1 + 1e-6, 0.5, 1 - 1e-6)),
    Case("`acosh(x)`", lambda t, x: t.acosh(x), mp.acosh, (1 + 1e-13, 2.0, 1e100), (1 + 1e-6, 2.0, 1e10)),
    Case("`atanh(x)`", lambda t, x: t.atanh(x), mp.atanh, (1e-12, 0.5, 1 - 1e-13), (1e-6, 0.5, 1 - 1e-6)),
    Case("`tanh(x)`", lambda t, x: t.tanh(x), mp.tanh, (1e-12, 0.5, 2.0), (1e-6, 0.5, 2.0)),
    Case("`logaddexp(x, 1)`", lambda t, x: t.logaddexp(x, t.ones_like(x)), lambda x: mp.log(mp.exp(x) + mp.e), (-80.0, -20.0, 1.0, 4.0), (-80.0, -20.0, 1.0, 4.0)),
    Case("`atan2(x, 1e-200)`", lambda t, x: t.atan2(x, t.full_like(x, 1e-200)), lambda x: mp.atan2(x, mp.mpf(1e-200)), (1e-200, 1e-190)),
    Case("`x ** 2.5`", lambda t, x: x**2.5, lambda x: x ** mp.mpf(2.5), (1e-100, 0.7, 1e80), (1e-10, 0.7, 1e10)),
)  # fmt: skip

WHOLE = (
    Whole("`x ** 2.5` at 0", lambda t, x: x**2.5, [0.0], [0.0], [0.0], [0.0]),
    Whole("`x ** 1.5` at 0", lambda t, x: x**1.5, [0.0], [0.0], [0.0], [inf]),
    Whole("`x ** 0.0` at 0", lambda t, x: x**0.0, [0.0], [1.0], [0.0], [0.0]),
    Whole("`0 ** x`", lambda t, x: t.pow(0.0, x), [0.5, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    Whole("`xlogy(x, 0)` at 0, 0", lambda t, x: t.xlogy(t.zeros_like(x), x), [0.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    Whole("`prod(x)`, one zero", lambda t, x: t.prod(x), [2.0, 0.0, 3.0], 0.0, [0.0, 6.0, 0.0], [3.0, 5.0, 2.0]),
    Whole("`prod(x)`, two zeros", lambda t, x: t.prod(x), [0.0, 0.0, 3.0], 0.0, [0.0, 0.0, 0.0], [3.0, 3.0, 0.0]),
    Whole("`prod(x)`, three zeros", lambda t, x: t.prod(x), [0.0, 0.0, 0.0], 0.0, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    Whole("`cumprod(x, 0)`, one zero", lambda t, x: t.cumprod(x, 0), [2.0, 0.0, 3.0], [2.0, 0.0, 0.0], [1.0, 8.0, 0.0], [4.0, 6.0, 2.0]),
    Whole("`cumprod(x, 0)`, two zeros", lambda t, x: t.cumprod(x, 0), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [4.0, 4.0, 0.0]),
    Whole("`logsumexp(x, 0)`, all -inf", lambda t, x: t.logsumexp(x, 0), [-inf, -inf], -inf, [0.0, 0.0], [0.0, 0.0]),
    Whole("`logcumsumexp(x, 0)`, -inf first", lambda t, x: t.logcumsumexp(x, 0), [-inf, 1.0, -inf], [-inf, 1.0, 1.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]),
    Whole("`logaddexp(x, -inf)`", lambda t, x: t.logaddexp(x, t.full_like(x, -inf)), [-inf, 1.0], [-inf, 1.0], [0.0, 1.0], [0.0, 0.0]),
    Whole("`norm(x)` at 0", lambda t, x: t.norm(x), [0.0, 0.0], 0.0, [0.0, 0.0], [0.0, 0.0]),
    Whole("`hypot(x, 0)` at 0", lambda t, x: t.hypot(x, t.zeros_like(x)), [0.0], [0.0], [0.0], [0.0]),
    Whole("`var(x)`, equal", lambda t, x: t.var(x), [3.0, 3.0], 0.0, [0.0, 0.0], [0.0, 0.0]),
)  # fmt: skip
