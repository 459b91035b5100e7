"""Derivatives of special functions that have no accurate form in other operators, as operators of their own: none of them is a public function."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ops.special_functions import OfNamespace

_INSIDE = ([A(2, 3, lo=0.1, hi=0.9)], [A(lo=0.1, hi=0.9)], [A(0, 4)])


class _Slope(OfNamespace, family=True):
    """A function of real floating-point numbers that only derivative rules call."""

    promotion: ClassVar[str] = "float"
    samples: ClassVar[Any] = ([A(2, 3)], [A()], [A(0, 4)], [A(5, lo=-4.0, hi=4.0)])


class Gaussian(_Slope):
    """exp(-scale x**2), for a scale of 1 or 1/2; no digits are lost in the tails.  Shape: (*a) -> (*a)."""

    attrs = ("scale",)
    numpy = jax = "K.gaussian({x}, {scale})"
    samples = ([A(2, 3), 1.0], [A(), 0.5], [A(0, 4), 1.0], [A(5, lo=-6.0, hi=6.0), 0.5])

    @classmethod
    def infer(cls, x: Any, scale: float) -> Any:
        """x's type, which must be floating."""
        return super().infer(x)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, scale: float) -> Value:
        return F.mul(g, F.mul(F.mul(x, out), -2.0 * scale))


class ErfcxSlope(_Slope):
    """The derivative of special.erfcx of an order.  Shape: (*a) -> (*a)."""

    attrs = ("order",)
    numpy = jax = "K.erfcx_slope({x}, {order})"
    samples = ([A(2, 3), 1], [A(), 2], [A(0, 4), 1], [A(5, lo=-2.0, hi=20.0), 2])

    @classmethod
    def infer(cls, x: Any, order: int) -> Any:
        """x's type, which must be floating."""
        return super().infer(x)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, order: int) -> Value:
        return F.mul(g, F.erfcx_slope(x, order=order + 1))


class NormalHazard(_Slope):
    """h(x), the normal density at x over the area up to x: the derivative of special.log_ndtr.  Shape: (*a) -> (*a)."""

    numpy = jax = "K.normal_hazard({x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.neg(F.mul(g, F.mul(out, F.normal_excess(x))))


class NormalExcess(_Slope):
    """x + h(x), which goes to 0 as -1/x far below 0.  Shape: (*a) -> (*a)."""

    numpy = jax = "K.normal_excess({x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.sub(1.0, F.mul(F.normal_hazard(x), out)))


class ErfinvSlope(_Slope):
    """The derivative of erfinv; infinite at -1 and 1.  Shape: (*a) -> (*a)."""

    pole, samples = "x = -1, 1", ([A(2, 3, lo=-0.9, hi=0.9)], [A(lo=-0.9, hi=0.9)], [A(0, 4)])
    numpy = jax = "K.erfinv_slope({x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.mul(F.mul(F.erfinv(x), F.square(out)), 2.0))


class NdtriSlope(_Slope):
    """The derivative of special.ndtri; infinite at 0 and 1.  Shape: (*a) -> (*a)."""

    pole, samples = "x = 0, 1", _INSIDE
    numpy = jax = "K.ndtri_slope({x})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.mul(F.special_ndtri(x), F.square(out)))


class GammaDensity(_Slope):
    """x**(a - 1) exp(-x) / gamma(a): the derivative of igamma by x.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    inputs = ("a", "x")
    numpy = jax = "K.gamma_density({a}, {x})"
    samples = (
        [A(3, lo=0.5, hi=30), A(2, 3, lo=0.5, hi=30)],
        [A(lo=0.5, hi=3), A(lo=0.5)],
        [A(0, 3, lo=0.5), A(3, lo=0.5)],
    )

    @staticmethod
    def grad_a(F: Ops, g: Value, a: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.mul(out, F.sub(F.log(x), F.digamma(a))))

    @staticmethod
    def grad_x(F: Ops, g: Value, a: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.mul(out, F.sub(F.div(F.sub(a, 1.0), x), 1.0)))


class BesselRatio(_Slope):
    """I[n](x) / x**n of the modified Bessel function of order n.  Shape: (*a) -> (*a)."""

    attrs = ("order",)
    numpy = jax = "K.bessel_ratio({x}, {order})"
    samples = ([A(2, 3), 1], [A(), 2], [A(0, 4), 1], [A(5, lo=-6.0, hi=6.0), 2])

    @classmethod
    def infer(cls, x: Any, order: int) -> Any:
        """x's type, which must be floating."""
        return super().infer(x)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, order: int) -> Value:
        return F.mul(g, F.mul(x, F.bessel_ratio(x, order=order + 1)))
