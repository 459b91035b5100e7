"""The cross entropy of probabilities with two classes, element by element."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ops.checks import is_number


class BinaryCrossEntropy(Elementwise):
    """-(y log x + (1 - y) log(1 - x)), the logarithms at least -100.  Shapes: (*a), (*b) -> broadcast(a, b).  The slope by x divides by at least 1e-12."""

    inputs, function, method, real_only = ("x", "y"), False, False, True
    samples = (
        [A(2, 3, lo=0.1, hi=0.9), A(2, 3, lo=0.0, hi=1.0)],
        [A(lo=0.1, hi=0.9), A(lo=0.0, hi=1.0)],
        [A(0, 3, lo=0.1, hi=0.9), A(3, lo=0.0, hi=1.0)],
    )

    @staticmethod
    def decompose(F: Ops, x: Value, y: Value) -> Value:
        x, y = _strong(F, x, y), _strong(F, y, x)
        yes, no = _logarithms(F, x)
        return F.sub(F.mul(F.sub(y, 1.0), no), F.mul(y, yes))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        width = F.clamp(F.mul(F.rsub(x, 1.0), x), min=1e-12, max=None)
        return F.mul(g, F.div(F.sub(x, y), width))

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value) -> Value:
        yes, no = _logarithms(F, _strong(F, x, g))
        return F.mul(g, F.sub(no, yes))


def _strong(F: Ops, x: Any, like: Value) -> Value:
    """x; a Python number as a value of the dtype of `like`, since a function of it alone would have the default dtype."""
    return F.full(shape=(), value=float(x), dtype=F.type(like).dtype) if is_number(x) and not is_number(like) else x


def _logarithms(F: Ops, x: Value) -> tuple[Value, Value]:
    """log(x) and log(1 - x), at least -100."""
    return F.clamp(F.log(x), min=-100.0, max=None), F.clamp(F.log1p(F.neg(x)), min=-100.0, max=None)


__all__ = ["BinaryCrossEntropy"]
