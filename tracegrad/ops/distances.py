"""Distances between values and between all pairs of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentValueError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, broadcast
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

    tensors = ("other",)
    samples = ([A(3), A(3)],)

    @staticmethod
    def call(F: Ops, input: Any, other: Any, p: float = 2) -> Value:  # noqa: A002
        """The p-norm of the difference."""
        apart = F.sub(input, other)
        needs_floating("dist", F.type(apart).dtype, "norm(): input dtype should be either floating point or complex")
        return F.dist_norm(apart, ord=float(p), dim=None, keepdim=False)


_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


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
        if compute_mode not in _MODES:
            raise ArgumentValueError(explain("cdist", f"{compute_mode} is not a valid value for compute_mode"))
        if not p >= 0:
            raise ShapeError(explain("cdist", "only supports non-negative p values", p=p))
        if p in (1, 2) and a.shape[-1]:
            stacks = broadcast("cdist", a.shape[:-2], b.shape[:-2])
            rows = [F.expand(x, shape=(*stacks, *t.shape[-2:])) for x, t in ((x1, a), (x2, b))]
            return F.row_distances(*rows, ord=float(p))
        apart = F.sub(F.unsqueeze(x1, dim=len(a.shape) - 1), F.unsqueeze(x2, dim=len(b.shape) - 2))
        ndim = len(F.shape(apart))
        if not a.shape[-1]:
            return F.sum(apart, dim=(ndim - 1,), keepdim=False)
        return F.cdist_norm(apart, ord=float(p), dim=(ndim - 1,), keepdim=False)


def _pairs(F: Ops, n: int) -> list[Value]:
    """The numbers of the first and of the second row of each pair: (0, 1), (0, 2), ..., (1, 2), ..."""
    rows = np.triu_indices(n, 1)
    return [F.literal(values=tuple(r.tolist()), shape=(len(r),), dtype=I64) for r in rows]


class PairDifferences(Op):
    """The differences of all pairs of rows: (0, 1), (0, 2), ..., (1, 2), ...  Shape: (n, k) -> (n (n - 1) / 2, k)."""

    linear, function, method = ("x",), False, False
    numpy = "K.pair_differences({x})"
    samples = ([A(4, 3)], [A(1, 3)], [A(0, 2)], [A(2, 0)])

    @staticmethod
    def infer(x: Type) -> Type:
        """One row for each pair.  Raises RuntimeError unless x has two axes."""
        if len(x.shape) != 2:
            raise ShapeError(explain("pair_differences", "x must be a matrix", x=x))
        n, k = x.shape
        return Type((n * (n - 1) // 2, k), x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        first, second = (F.index_select(x, rows, dim=0) for rows in _pairs(F, F.shape(x)[0]))
        return F.sub(first, second)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.pair_sums(g, shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        first, second = (F.index_select(x, rows, dim=1) for rows in _pairs(F, F.shape(x)[1]))
        return F.sub(first, second)


class PairSums(Op):
    """For each row the sum over the pairs that begin with it less the sum over those that end with it: the transpose of pair_differences.

    Shape: (n (n - 1) / 2, k) -> shape, which is (n, k).
    """

    attrs, linear, function, method = ("shape",), ("x",), False, False
    numpy = "K.pair_sums({x}, {shape})"
    samples = ([A(6, 3), (4, 3)], [A(0, 3), (1, 3)], [A(1, 0), (2, 0)])

    @staticmethod
    def infer(x: Type, shape: Shape) -> Type:
        """The given shape.  Raises RuntimeError where x has not one row for each pair."""
        if len(shape) != 2 or x.shape != (shape[0] * (shape[0] - 1) // 2, shape[1]):
            raise ShapeError(explain("pair_sums", f"x must have a row for each pair of {shape[:1]} rows", x=x))
        return Type(shape, x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value, shape: Shape) -> Value:
        first, second = _pairs(F, shape[0])
        total = F.index_add(F.zeros(Type(shape, F.type(x).dtype)), first, x, dim=0)
        return F.index_add(total, second, F.neg(x), dim=0)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.pair_differences(g)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape) -> Value:
        first, second = _pairs(F, shape[0])
        total = F.index_add(F.zeros(Type((size, *shape), F.type(x).dtype)), first, x, dim=1)
        return F.index_add(total, second, F.neg(x), dim=1)
