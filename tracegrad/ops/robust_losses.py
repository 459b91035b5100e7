"""A loss that is squared near 0 and linear from there on: what huber_loss and smooth_l1_loss are made of."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import not_for, real_number


class Huber(Elementwise):
    """x^2 / 2 up to |x| = delta, delta (|x| - delta / 2) from there on.  Shape: (*a) -> (*a).

    closed: whether the second derivative at |x| = delta is that of the square.  Source: P. J. Huber, Robust Estimation of a Location Parameter, 1964.
    """

    attrs = ("delta", "closed")
    function, method, real_only = False, False, True
    numpy = "K.huber({x}, {delta})"
    samples = ([A(2, 3, lo=-3.0, hi=3.0), 1.0, True], [A(), 0.5, False], [A(0, 4), 1.0, True], [A(5), 0.3, False])

    @classmethod
    def infer(cls, x: Type, delta: float, closed: bool) -> Type:
        """x's type; NotImplementedError for integers and bools, TypeError for a delta that is no number."""
        real_number("huber", "delta", delta)
        not_for("huber_cpu", x, "biu")
        return x

    @staticmethod
    def decompose(F: Ops, x: Value, delta: float, closed: bool) -> Value:
        near = _within(F, x, delta, closed)
        return F.mul(near, F.sub(x, F.mul(near, 0.5)))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, delta: float, closed: bool) -> Value:
        return F.mul(g, _within(F, x, delta, closed))


def _within(F: Ops, x: Value, delta: Any, closed: bool) -> Value:
    """x within [-delta, delta]; closed: with derivative 1 on the bounds."""
    near: Value = F.clamp(x, min=-delta, max=delta) if closed else F.hardtanh(x, low=-delta, high=delta)
    return near


__all__ = ["Huber"]
