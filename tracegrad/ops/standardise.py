"""Values brought to mean 0 and variance 1 over axes: what the normalisation layers are made of."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type
from tracegrad.ops.checks import real_number, whole_numbers


class Standardise(Op):
    """(x - mean) / sqrt(variance + eps) with mean and variance over the axes dim.  Shape: (*a) -> (*a)."""

    attrs, function, method, real_only = ("dim", "eps"), False, False, True
    numpy = "K.standardise({x}, {dim}, {eps})"
    samples = (
        [A(2, 3), (1,), 1e-5],
        [A(2, 3, 4), (0, 2), 1e-5],
        [A(4, 3, 2), (1, 2), 0.1],
        [A(0, 3), (1,), 1e-5],
        [A(2, 3, lo=-900.0, hi=900.0), (1,), 1e-5],
    )

    @staticmethod
    def infer(x: Type, dim: Shape, eps: float) -> Type:
        """x's type.  Raises TypeError or RuntimeError for axes that x does not have, or an eps that is no number."""
        real_number("standardise", "eps", eps)
        whole_numbers("standardise", len(dim) if isinstance(dim, tuple) else 1, 0, dim=dim)
        if len(set(dim)) != len(dim) or max(dim, default=0) >= max(len(x.shape), 1):
            raise ShapeError(explain("standardise", f"x does not have the axes {dim}", x=x))
        return x

    @staticmethod
    def decompose(F: Ops, x: Value, dim: Shape, eps: float) -> Value:
        centered = F.sub(x, F.mean(x, dim=dim, keepdim=True))
        variance = F.mean(F.square(centered), dim=dim, keepdim=True)
        return F.mul(centered, F.rsqrt(F.add(variance, eps)))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, dim: Shape, eps: float) -> Value:
        return F.standardise_backward(g, x, dim=dim, eps=eps)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: Shape, eps: float) -> Value:
        return F.standardise(x, dim=tuple(d + 1 for d in dim), eps=eps)


class StandardiseBackward(Op):
    """The derivative of standardise at x, applied to a slope; symmetric.  Shapes: (*a), (*a) -> (*a)."""

    inputs, attrs, linear = ("slope", "x"), ("dim", "eps"), ("slope",)
    function, method, real_only = False, False, True
    numpy = "K.standardise_backward({slope}, {x}, {dim}, {eps})"
    samples = (
        [A(2, 3), A(2, 3), (1,), 1e-2],
        [A(2, 3, 4), A(2, 3, 4), (0, 2), 1e-2],
        [A(2, 3, 4), A(2, 3, 4), (1,), 1e-2],
        [A(0, 3), A(0, 3), (1,), 1e-5],
    )

    @staticmethod
    def infer(slope: Type, x: Type, dim: Shape, eps: float) -> Type:
        """x's type.  Raises RuntimeError where the slope has another."""
        if slope != x:
            raise ShapeError(explain("standardise_backward", "the slope must have the type of x", slope=slope, x=x))
        return Standardise.infer(x, dim, eps)

    @staticmethod
    def decompose(F: Ops, slope: Value, x: Value, dim: Shape, eps: float) -> Value:
        y, scale = _standard(F, x, dim, eps)
        return F.mul(scale, _rest(F, slope, y, dim))

    @staticmethod
    def grad_slope(F: Ops, g: Value, x: Value, dim: Shape, eps: float) -> Value:
        return F.standardise_backward(g, x, dim=dim, eps=eps)

    @staticmethod
    def grad_x(F: Ops, g: Value, slope: Value, x: Value, dim: Shape, eps: float) -> Value:
        # of <g, scale (slope - mean(slope) - y mean(slope y))>, where y and scale depend on x
        y, scale = _standard(F, x, dim, eps)

        def mean(v: Value) -> Value:
            return F.mean(v, dim=dim, keepdim=True)

        first, second = mean(F.mul(slope, y)), mean(F.mul(g, y))
        along = F.add(F.mul(g, first), F.mul(slope, second))
        both = F.sub(mean(F.mul(g, slope)), F.add(F.mul(mean(g), mean(slope)), F.mul(first, second)))
        steep = F.mul(F.square(scale), F.add(_rest(F, along, y, dim), F.mul(y, both)))
        return F.neg(steep)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, slope: Value, x: Value, dim: Shape, eps: float) -> Value:
        both = F.lift(size, batched, slope, x)
        return F.standardise_backward(*both, dim=tuple(d + 1 for d in dim), eps=eps)


def _standard(F: Ops, x: Value, dim: Shape, eps: float) -> tuple[Value, Value]:
    """x less its mean and by its width, and one over the width."""
    centered = F.sub(x, F.mean(x, dim=dim, keepdim=True))
    scale = F.rsqrt(F.add(F.mean(F.square(centered), dim=dim, keepdim=True), eps))
    return F.mul(centered, scale), scale


def _rest(F: Ops, slope: Value, y: Value, dim: Shape) -> Value:
    """The slope without its mean and without its part along y."""
    spread = F.mul(y, F.mean(F.mul(slope, y), dim=dim, keepdim=True))
    rest: Value = F.sub(F.sub(slope, F.mean(slope, dim=dim, keepdim=True)), spread)
    return rest


__all__ = ["Standardise", "StandardiseBackward"]
