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
    def grad_x(F: Ops, g: Value, x: Value, out: Value, dim: Shape, eps: float) -> Value:
        scale = F.rsqrt(F.add(F.var(x, dim=dim, keepdim=True, correction=0), eps))
        spread = F.mul(out, F.mean(F.mul(g, out), dim=dim, keepdim=True))
        return F.mul(scale, F.sub(F.sub(g, F.mean(g, dim=dim, keepdim=True)), spread))

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: Shape, eps: float) -> Value:
        return F.standardise(x, dim=tuple(d + 1 for d in dim), eps=eps)


__all__ = ["Standardise"]
