"""Distances of all pairs of rows as one step each, and their derivatives.

NumPy has kernels for them (kernels/pairs.py); `decompose` says the same in simpler operators, for JAX.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.errors import ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type


class RowDistances(Op):
    """The 1-norms or 2-norms (ord) of the differences of all rows of x1 and x2.  Shapes: x1 (*p, n, k), x2 (*p, m, k) -> (*p, n, m).

    The derivative is 0 where rows are equal, as in torch.
    """

    inputs, attrs, function, method = ("x1", "x2"), ("ord",), False, False
    real_only = True
    torch_name, pole = "CdistBackward0", "equal rows"
    numpy = "K.row_distances({x1}, {x2}, {ord})"
    samples = (
        [A(3, 2), A(4, 2), 2.0], [A(2, 3, 1), A(2, 2, 1), 1.0], [A(0, 2), A(3, 2), 2.0], [A(27, 5), A(40, 5), 2.0],
    )  # fmt: skip

    @staticmethod
    def infer(x1: Type, x2: Type, ord: float) -> Type:  # noqa: A002
        """A number for every pair.  Raises RuntimeError for shapes that do not fit."""
        if len(x1.shape) < 2 or x1.shape[:-2] != x2.shape[:-2] or x1.shape[-1] != x2.shape[-1] or x1.dtype != x2.dtype:
            raise ShapeError(explain("row_distances", "expects stacks of rows of one size", x1=x1, x2=x2))
        if ord not in (1, 2):
            raise ShapeError(explain("row_distances", "knows the 1-norm and the 2-norm", ord=ord))
        return Type((*x1.shape[:-1], x2.shape[-2]), x1.dtype)

    @staticmethod
    def decompose(F: Ops, x1: Value, x2: Value, ord: float) -> Value:  # noqa: A002
        return F.linalg_vector_norm(_apart(F, x1, x2), ord=ord, dim=(len(F.shape(x1)),), keepdim=False)

    @staticmethod
    def grad_x1(F: Ops, g: Value, x1: Value, x2: Value, out: Value, ord: float) -> Value:  # noqa: A002
        return F.row_slopes(g, x1, x2, out, ord=ord)

    @staticmethod
    def grad_x2(F: Ops, g: Value, x1: Value, x2: Value, out: Value, ord: float) -> Value:  # noqa: A002
        return F.row_slopes(F.mT(g), x2, x1, F.mT(out), ord=ord)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x1: Value, x2: Value, ord: float) -> Value:  # noqa: A002
        return F.row_distances(*F.lift(size, batched, x1, x2), ord=ord)


class RowSlopes(Op):
    """For each row of x1 the sum over x2's rows of weight times the derivative of their distance: the transposed derivative of row_distances.

    Shapes: weight, distance (*p, n, m), x1 (*p, n, k), x2 (*p, m, k) -> (*p, n, k).
    """

    inputs, attrs, linear = ("weight", "x1", "x2", "distance"), ("ord",), ("weight",)
    function, method, pole, real_only = False, False, "equal rows", True
    numpy = "K.row_slopes({weight}, {x1}, {x2}, {distance}, {ord})"
    samples = (
        [A(3, 4), A(3, 2), A(4, 2), A(3, 4, lo=0.5), 2.0], [A(2, 3, 2), A(2, 3, 1), A(2, 2, 1), A(2, 3, 2), 1.0], [A(0, 3), A(0, 2), A(3, 2), A(0, 3), 2.0],
    )  # fmt: skip

    @staticmethod
    def infer(weight: Type, x1: Type, x2: Type, distance: Type, ord: float) -> Type:  # noqa: A002
        """The type of x1.  Raises RuntimeError for shapes that do not fit."""
        if weight != distance or weight != RowDistances.infer(x1, x2, ord):
            problem = "weight and distance must have a number for every pair"
            raise ShapeError(explain("row_slopes", problem, weight=weight, x1=x1, x2=x2, distance=distance))
        return x1

    @staticmethod
    def decompose(F: Ops, weight: Value, x1: Value, x2: Value, distance: Value, ord: float) -> Value:  # noqa: A002
        share, apart = _share(F, weight, distance, ord), _unit(F, _apart(F, x1, x2), ord)
        return F.sum(_chosen(F, weight, F.mul(apart, _last(F, share))), dim=(len(F.shape(x1)) - 1,), keepdim=False)

    @staticmethod
    def grad_weight(F: Ops, g: Value, x1: Value, x2: Value, distance: Value, ord: float) -> Value:  # noqa: A002
        return _share(F, _along(F, g, x1, x2, ord), distance, ord)

    @staticmethod
    def grad_x1(F: Ops, g: Value, weight: Value, distance: Value, x1_type: Type, ord: float) -> Value:  # noqa: A002
        if ord == 1:
            return F.zeros(x1_type)
        return F.mul(g, F.sum(_share(F, weight, distance, ord), dim=(len(x1_type.shape) - 1,), keepdim=True))

    @staticmethod
    def grad_x2(F: Ops, g: Value, weight: Value, distance: Value, x2_type: Type, ord: float) -> Value:  # noqa: A002
        if ord == 1:
            return F.zeros(x2_type)
        return F.neg(F.matmul(F.mT(_share(F, weight, distance, ord)), g))

    @staticmethod
    def grad_distance(F: Ops, g: Value, weight: Value, x1: Value, x2: Value, distance: Value, ord: float) -> Value:  # noqa: A002
        if ord == 1:
            return F.zeros(F.type(distance))
        along = _share(F, _along(F, g, x1, x2, ord), distance, ord)
        return F.neg(F.mul(along, _share(F, weight, distance, ord)))

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, weight: Value, x1: Value, x2: Value, distance: Value, ord: float  # noqa: A002
    ) -> Value:  # fmt: skip
        return F.row_slopes(*F.lift(size, batched, weight, x1, x2, distance), ord=ord)


class PairDistances(Op):
    """The 1-norms or 2-norms (ord) of the differences of all pairs of rows: (0, 1), (0, 2), ..., (1, 2), ...  Shape: (n, k) -> (n (n - 1) / 2).

    The derivative is 0 where rows are equal, as in torch.
    """

    attrs, function, method, torch_name, pole = ("ord",), False, False, "PdistBackward0", "equal rows"
    real_only = True
    numpy = "K.pair_distances({x}, {ord})"
    samples = ([A(4, 3), 2.0], [A(4, 3), 1.0], [A(1, 3), 2.0], [A(0, 2), 2.0], [A(30, 6), 2.0])

    @staticmethod
    def infer(x: Type, ord: float) -> Type:  # noqa: A002
        """One number for each pair.  Raises RuntimeError unless x has two axes."""
        if len(x.shape) != 2 or ord not in (1, 2):
            raise ShapeError(explain("pair_distances", "expects a matrix and the 1-norm or the 2-norm", x=x, ord=ord))
        return Type((x.shape[0] * (x.shape[0] - 1) // 2,), x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value, ord: float) -> Value:  # noqa: A002
        return F.linalg_vector_norm(F.pair_differences(x), ord=ord, dim=(1,), keepdim=False)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, ord: float) -> Value:  # noqa: A002
        return F.pair_slopes(g, x, out, ord=ord)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, ord: float) -> Value:  # noqa: A002
        rows = np.triu_indices(F.shape(x)[1], 1)
        first, second = (F.literal(values=tuple(r.tolist()), shape=(len(r),), dtype=I64) for r in rows)
        apart = F.sub(F.index_select(x, first, dim=1), F.index_select(x, second, dim=1))
        return F.linalg_vector_norm(apart, ord=ord, dim=(2,), keepdim=False)


class PairSlopes(Op):
    """For each row of x the sum over all its pairs of weight times the derivative of their distance: the transposed derivative of pair_distances.

    Shapes: weight, distance (n (n - 1) / 2), x (n, k) -> (n, k).
    """

    inputs, attrs, linear = ("weight", "x", "distance"), ("ord",), ("weight",)
    function, method, pole, real_only = False, False, "equal rows", True
    numpy = "K.pair_slopes({weight}, {x}, {distance}, {ord})"
    samples = ([A(6), A(4, 3), A(6, lo=0.5), 2.0], [A(6), A(4, 3), A(6), 1.0], [A(0), A(1, 2), A(0), 2.0])

    @staticmethod
    def infer(weight: Type, x: Type, distance: Type, ord: float) -> Type:  # noqa: A002
        """The type of x.  Raises RuntimeError for shapes that do not fit."""
        if weight != distance or weight != PairDistances.infer(x, ord):
            problem = "weight and distance must have a number for every pair"
            raise ShapeError(explain("pair_slopes", problem, weight=weight, x=x, distance=distance))
        return x

    @staticmethod
    def decompose(F: Ops, weight: Value, x: Value, distance: Value, ord: float) -> Value:  # noqa: A002
        share, apart = _share(F, weight, distance, ord), _unit(F, F.pair_differences(x), ord)
        return F.pair_sums(_chosen(F, weight, F.mul(apart, _last(F, share))), shape=F.shape(x))

    @staticmethod
    def grad_weight(F: Ops, g: Value, x: Value, distance: Value, ord: float) -> Value:  # noqa: A002
        return _share(F, _along_pairs(F, g, x, ord), distance, ord)

    @staticmethod
    def grad_x(F: Ops, g: Value, weight: Value, distance: Value, x_type: Type, ord: float) -> Value:  # noqa: A002
        if ord == 1:
            return F.zeros(x_type)
        share = _last(F, _share(F, weight, distance, ord))
        return F.pair_sums(F.mul(F.pair_differences(g), share), shape=x_type.shape)

    @staticmethod
    def grad_distance(F: Ops, g: Value, weight: Value, x: Value, distance: Value, ord: float) -> Value:  # noqa: A002
        if ord == 1:
            return F.zeros(F.type(distance))
        along = _share(F, _along_pairs(F, g, x, ord), distance, ord)
        return F.neg(F.mul(along, _share(F, weight, distance, ord)))

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, weight: Value, x: Value, distance: Value, ord: float) -> Value:  # noqa: A002
        weight, x, distance = (
            v if has else F.broadcast_to(v, shape=(size, *F.shape(v)))
            for has, v in zip(batched, (weight, x, distance), strict=True)
        )
        rows = np.triu_indices(F.shape(x)[1], 1)
        first, second = (F.literal(values=tuple(r.tolist()), shape=(len(r),), dtype=I64) for r in rows)
        apart = F.sub(F.index_select(x, first, dim=1), F.index_select(x, second, dim=1))
        change = _chosen(F, weight, F.mul(_unit(F, apart, ord), _last(F, _share(F, weight, distance, ord))))
        total = F.index_add(F.zeros(F.type(x)), first, change, dim=1)
        return F.index_add(total, second, F.neg(change), dim=1)


def _last(F: Ops, x: Value) -> Value:
    """x with one more axis at its end."""
    return F.unsqueeze(x, dim=len(F.shape(x)))


def _apart(F: Ops, x1: Value, x2: Value) -> Value:
    """The differences of all rows of x1 and x2.  Shapes: (*p, n, k), (*p, m, k) -> (*p, n, m, k)."""
    ndim = len(F.shape(x1))
    return F.sub(F.unsqueeze(x1, dim=ndim - 1), F.unsqueeze(x2, dim=ndim - 2))


def _unit(F: Ops, apart: Value, ord: float) -> Value:  # noqa: A002
    """Differences for ord 2, whose part in the slope is divided by the distance; their signs for ord 1."""
    return F.sgn(apart) if ord == 1 else apart


def _share(F: Ops, weight: Value, distance: Value, ord: float) -> Value:  # noqa: A002
    """What differences are multiplied by: weight for ord 1, weight / distance for ord 2, 0 where that is 0."""
    return weight if ord == 1 else F.where(F.eq(distance, 0), 0.0, F.div(weight, distance))


def _chosen(F: Ops, weight: Value, terms: Value) -> Value:
    """terms, but 0 where the weight is: a pair that a selection left out counts for nothing, wherever its rows are."""
    return F.where(_last(F, F.eq(weight, 0)), 0.0, terms)


def _along(F: Ops, g: Value, x1: Value, x2: Value, ord: float) -> Value:  # noqa: A002
    """The products of g's rows with all differences."""
    ndim = len(F.shape(x1))
    products = F.mul(_unit(F, _apart(F, x1, x2), ord), F.unsqueeze(g, dim=ndim - 1))
    return F.sum(products, dim=(ndim,), keepdim=False)


def _along_pairs(F: Ops, g: Value, x: Value, ord: float) -> Value:  # noqa: A002
    """The products of the differences of g's rows with those of x's, pair by pair."""
    return F.sum(F.mul(_unit(F, F.pair_differences(x), ord), F.pair_differences(g)), dim=(1,), keepdim=False)


__all__ = ["PairDistances", "PairSlopes", "RowDistances", "RowSlopes"]
