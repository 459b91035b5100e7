"""Special functions of elements, from scipy.special: error and gamma functions, logarithms with care at 0, Bessel functions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from tracegrad.errors import DTypeError, explain
from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ops.checks import is_number, whole

_ANY = ([A(2, 3)], [A()], [A(0, 4)])
_POSITIVE = ([A(2, 3, lo=0.4, hi=3.0)], [A(lo=0.4, hi=3.0)], [A(0, 4)])
_INSIDE = ([A(2, 3, lo=0.1, hi=0.9)], [A(lo=0.1, hi=0.9)], [A(0, 4)])


class Special(Elementwise, family=True):
    """A function of real floating-point numbers with an in-place form; integers become floating."""

    promotion: ClassVar[str] = "float"
    inplace: ClassVar[bool] = True
    real_only: ClassVar[bool] = True
    tensor_first: ClassVar[bool] = True


class OfNamespace(Special, family=True):
    """A function that only torch.special has: its operator is `special_<name>`."""

    function: ClassVar[bool] = False
    method: ClassVar[bool] = False
    inplace: ClassVar[bool] = False


class Erfc(Special):
    """1 - erf(x), exact also where that is small.  Shape: (*a) -> (*a)."""

    numpy = jax = "K.erfc({x})"
    samples = (*_ANY, [A(3, lo=5, hi=20)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.mul(F.gaussian(x, scale=1.0), -2 / math.sqrt(math.pi)))


class Erfinv(Special):
    """The number whose erf is x; infinite at -1 and 1, nan outside.  Shape: (*a) -> (*a)."""

    pole = "x = -1, 1"
    numpy, jax = "K.special('erfinv', {x})", "K.erfinv({x})"
    samples = ([A(2, 3, lo=-0.9, hi=0.9)], [A(lo=-0.9, hi=0.9)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.erfinv_slope(x))


class Lgamma(Special):
    """log |gamma(x)|; inf at 0, -1, -2 ...  Shape: (*a) -> (*a)."""

    pole = "x = 0, -1, -2 ..."
    numpy = jax = "K.lgamma({x})"
    samples = (*_POSITIVE, [A(3, lo=-0.9, hi=-0.1)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.digamma(x))


class Digamma(Special):
    """The derivative of lgamma.  Shape: (*a) -> (*a)."""

    pole = "x = 0, -1, -2 ..."
    numpy = jax = "K.digamma({x})"
    samples = _POSITIVE

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.polygamma(x, order=1))


class Polygamma(Special):
    """The derivative of digamma of an order.  Shape: (*a) -> (*a)."""

    attrs, pole = ("order",), "x = 0, -1, -2 ..."
    numpy = jax = "K.polygamma({x}, {order})"
    samples = ([A(2, 3, lo=0.4, hi=3.0), 1], [A(lo=0.4, hi=3.0), 2], [A(0, 4), 0], [A(3, lo=0.4, hi=3.0), 0])

    @classmethod
    def infer(cls, x: Any, order: int) -> Any:
        """x's type, which must be floating."""
        return super().infer(x)

    @staticmethod
    def call(F: Ops, n: Any, input: Any) -> Value:  # noqa: A002
        """polygamma(n, input); as a method x.polygamma(n).  Raises RuntimeError for a negative n."""
        if not is_number(n):
            n, input = input, n  # noqa: A001  (the method's order)
        if whole("polygamma", "n", n) < 0:
            raise DTypeError(explain("polygamma", "polygamma(n, x) does not support negative n.", n=n))
        return F.polygamma(input, order=int(n))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, order: int) -> Value:
        return F.mul(g, F.polygamma(x, order=order + 1))


class Logit(Special):
    """log(x / (1 - x)) of x, or of x within [eps, 1 - eps].  Shape: (*a) -> (*a)."""

    attrs, pole = ("eps",), "x = 0, 1"
    numpy = jax = "K.logit({x}, {eps})"
    samples = ([A(2, 3, lo=0.1, hi=0.9), None], [A(lo=0.2, hi=0.8), 0.1], [A(0, 4), None], [A(5, lo=-1, hi=2), 0.2])

    @classmethod
    def infer(cls, x: Any, eps: Any) -> Any:
        """x's type, which must be floating."""
        return super().infer(x)

    @staticmethod
    def call(F: Ops, input: Any, eps: float | None = None) -> Value:  # noqa: A002
        """logit of input, clamped to [eps, 1 - eps] if eps is given."""
        return F.logit(input, eps=None if eps is None else float(eps))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, eps: Any) -> Value:
        low, rest = 0.0 if eps is None or eps < 0 else eps, 0.0 if eps is not None and eps >= 0 else math.nan
        inside = F.logical_and(F.ge(x, low), F.le(x, 1.0 - low))
        return F.where(inside, F.div(g, F.mul(x, F.sub(1.0, x))), rest)


class SincSlope(Special):
    """The derivative of sinc of an order.  Shape: (*a) -> (*a)."""

    attrs, function, method, inplace, real_only = ("order",), False, False, False, False
    numpy = jax = "K.sinc_slope({x}, {order})"
    samples = ([A(2, 3), 1], [A(), 2], [A(0, 4), 1], [A(4, lo=-1e-3, hi=1e-3), 2], [A(3, lo=0, hi=0), 3])

    @classmethod
    def infer(cls, x: Any, order: int) -> Any:
        """x's type, which must be floating."""
        return super().infer(x)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, order: int) -> Value:
        return F.mul(g, F.sinc_slope(x, order=order + 1))


class Sinc(Special):
    """sin(pi x) / (pi x); 1 at 0, where all derivatives are right.  Shape: (*a) -> (*a)."""

    real_only = False
    numpy, jax = "np.sinc({x})", "jnp.sinc({x})"
    samples = (*_ANY, [A(3, lo=0, hi=0)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.sinc_slope(x, order=1))


class I0(Special):
    """Modified Bessel function of the first kind, order 0.  Shape: (*a) -> (*a)."""

    name, torch_name, samples = "i0", "I0Backward0", _ANY
    numpy = jax = "K.special('i0', {x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.special_i1(x))


class SpecialI0e(OfNamespace):
    """i0 times exp(-|x|).  Shape: (*a) -> (*a)."""

    name, torch_name, samples = "special_i0e", "SpecialI0EBackward0", _ANY
    numpy = jax = "K.special('i0e', {x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.sub(F.special_i1e(x), F.mul(F.sign(x), out)))


class SpecialI1(OfNamespace):
    """Modified Bessel function of the first kind, order 1.  Shape: (*a) -> (*a)."""

    name, torch_name, samples = "special_i1", "SpecialI1Backward0", _ANY
    numpy = jax = "K.special('i1', {x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.sub(F.i0(x), F.bessel_ratio(x, order=1)))


def _per(F: Ops, out: Value, x: Value) -> Value:
    """out / x of a function that is x / 2 near 0."""
    near = F.eq(x, 0)
    return F.where(near, 0.5, F.div(out, F.where(near, 1.0, x)))


class SpecialI1e(OfNamespace):
    """i1 times exp(-|x|).  Shape: (*a) -> (*a)."""

    name, torch_name, samples = "special_i1e", "SpecialI1EBackward0", _ANY
    numpy = jax = "K.special('i1e', {x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.sub(F.special_i0e(x), F.add(F.mul(F.sign(x), out), _per(F, out, x))))


class SpecialEntr(OfNamespace):
    """-x log(x); 0 at 0, -inf below.  Shape: (*a) -> (*a)."""

    torch_name, samples, pole = "SpecialEntrBackward0", _POSITIVE, "x = 0"
    numpy = jax = "K.special('entr', {x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.neg(F.mul(g, F.add(F.log(x), 1.0)))


class SpecialNdtr(OfNamespace):
    """The area under the normal density up to x.  Shape: (*a) -> (*a)."""

    torch_name, samples = "MulBackward1", _ANY
    numpy = jax = "K.ndtr({x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.mul(F.gaussian(x, scale=0.5), 1 / math.sqrt(2 * math.pi)))


class SpecialNdtri(OfNamespace):
    """The number up to which the area under the normal density is x.  Shape: (*a) -> (*a)."""

    samples, pole = _INSIDE, "x = 0, 1"
    numpy = jax = "K.special('ndtri', {x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.ndtri_slope(x))


class SpecialLogNdtr(OfNamespace):
    """log of ndtr, also where that underflows.  Shape: (*a) -> (*a)."""

    samples = (*_ANY, [A(3, lo=-30, hi=-5)])
    numpy = jax = "K.log_ndtr({x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.normal_hazard(x))


class SpecialErfcx(OfNamespace):
    """erfc(x) exp(x**2).  Shape: (*a) -> (*a)."""

    samples = (*_ANY, [A(3, lo=5, hi=20)])
    numpy = jax = "K.special('erfcx', {x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.erfcx_slope(x, order=1))
