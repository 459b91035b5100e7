"""Distances between values and between all pairs of rows."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ops.checks import needs_floating
from tracegrad.ops.spread import LinalgVectorNorm


class DistNorm(LinalgVectorNorm):
    """The norm of a difference, as dist records it.  Shape: (*a) -> ()."""

    torch_name = "DistBackward0"


class CdistNorm(LinalgVectorNorm):
    """The norms of differences, as cdist records them.  Shape: (*p, n, m, k) -> (*p, n, m)."""

    torch_name = "CdistBackward0"


class Dist(Composite):
    """The p-norm of input - other.  Shapes: (*a), (*b) -> ()."""

    samples = ([A(3), A(3)],)

    @staticmethod
    def call(F: Ops, input: Any, other: Any, p: float = 2) -> Value:  # noqa: A002
        """The p-norm of the difference."""
        apart = F.sub(input, other)
        needs_floating("dist", F.type(apart).dtype, "norm(): input dtype should be either floating point or complex")
        return F.dist_norm(apart, ord=float(p), dim=None, keepdim=False)


class Cdist(Composite):
    """The p-norms of the differences of all pairs of rows.  Shapes: (*p, n, k), (*p, m, k) -> (*p, n, m)."""

    method = False
    samples = ([A(2, 3), A(4, 3)],)

    @staticmethod
    def call(
        F: Ops, x1: Any, x2: Any, p: float = 2.0, compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary"
    ) -> Value:
        """Distances between the rows of x1 and those of x2, exact also for near rows, whatever compute_mode says."""
        a, b = F.type(x1), F.type(x2)
        for name, t in (("X1", a), ("X2", b)):
            if t.dtype.kind not in "fV":
                raise DTypeError(explain("cdist", f"only supports floating-point dtypes, {name} got: {t.dtype}"))
            if len(t.shape) < 2:
                raise ShapeError(explain("cdist", f"only supports at least 2D tensors, {name} got: {len(t.shape)}D"))
        if a.shape[-1] != b.shape[-1]:
            raise ShapeError(explain("cdist", "X1 and X2 must have the same number of columns.", X1=a, X2=b))
        if a.dtype != b.dtype:
            raise DTypeError(explain("cdist", "expected operands of one dtype", X1=a, X2=b))
        if p < 0:
            raise ShapeError(explain("cdist", "only supports non-negative p values", p=p))
        apart = F.sub(F.unsqueeze(x1, dim=len(a.shape) - 1), F.unsqueeze(x2, dim=len(b.shape) - 2))
        ndim = len(F.shape(apart))
        if not a.shape[-1]:
            return F.sum(apart, dim=(ndim - 1,), keepdim=False)
        return F.cdist_norm(apart, ord=float(p), dim=(ndim - 1,), keepdim=False)
