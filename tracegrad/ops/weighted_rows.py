"""Sums of rows that lie at given places, times given weights, and the two products that give their derivatives.

NumPy has kernels for them, products with a sparse matrix (kernels/weighted_rows.py); `decompose` says the same in simpler operators, for JAX.
"""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import I64
from tracegrad.errors import ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Shape, Type


class WeightedRows(Op):
    """Sums of weight times the rows of x that index names.  Shapes: x (m, c), index (k, t), weight (k, t) -> (k, c)."""

    inputs, linear, multilinear, nondiff = ("x", "index", "weight"), ("x", "weight"), True, ("index",)
    numpy = "K.weighted_rows({x}, {index}, {weight})"
    function, method = False, False
    samples = (
        [A(4, 3), I(5, 2, below=4), A(5, 2)],
        [A(3, 1), I(2, 1, below=3), A(2, 1)],
        [A(3, 2), I(0, 2, below=3), A(0, 2)],
    )

    @staticmethod
    def infer(x: Type, index: Type, weight: Type) -> Type:
        """A row for every row of index.  Raises RuntimeError for shapes that do not fit."""
        _check("weighted_rows", x, index, weight)
        return Type((index.shape[0], x.shape[1]), x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value, index: Value, weight: Value) -> Value:
        return F.sum(F.mul(_rows(F, x, index), F.unsqueeze(weight, dim=2)), dim=(1,), keepdim=False)

    @staticmethod
    def grad_x(F: Ops, g: Value, index: Value, weight: Value, x_type: Type) -> Value:
        return F.spread_rows(g, index, weight, count=x_type.shape[0])

    @staticmethod
    def grad_weight(F: Ops, g: Value, x: Value, index: Value) -> Value:
        return F.row_products(x, index, g)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value, weight: Value) -> Value:
        x, index, weight = _all_batched(F, size, batched, x, index, weight)
        at = _own(F, index, F.shape(x)[1])
        return _parted(F, size, F.weighted_rows(_joined(F, x), _joined(F, at), _joined(F, weight)))


class SpreadRows(Op):
    """The rows of x times weights, added where index says: the transpose of weighted_rows.  Shapes: x (k, c), index (k, t), weight (k, t) -> (count, c)."""

    inputs, attrs, linear = ("x", "index", "weight"), ("count",), ("x", "weight")
    multilinear, nondiff = True, ("index",)
    numpy = "K.spread_rows({x}, {index}, {weight}, {count})"
    function, method = False, False
    samples = ([A(5, 3), I(5, 2, below=4), A(5, 2), 4], [A(0, 2), I(0, 2, below=3), A(0, 2), 3])

    @staticmethod
    def infer(x: Type, index: Type, weight: Type, count: int) -> Type:
        """`count` rows.  Raises RuntimeError for shapes that do not fit."""
        _check("spread_rows", x, index, weight)
        if x.shape[0] != index.shape[0]:
            raise ShapeError(explain("spread_rows", "expects a row for every row of index", x=x, index=index))
        return Type((count, x.shape[1]), x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value, index: Value, weight: Value, count: int) -> Value:
        k, t = F.shape(index)
        parts = F.reshape(F.mul(F.unsqueeze(x, dim=1), F.unsqueeze(weight, dim=2)), shape=(k * t, F.shape(x)[1]))
        zeros = F.zeros(Type((count, F.shape(x)[1]), F.type(x).dtype))
        return F.index_add(zeros, F.reshape(index, shape=(k * t,)), parts, dim=0)

    @staticmethod
    def grad_x(F: Ops, g: Value, index: Value, weight: Value) -> Value:
        return F.weighted_rows(g, index, weight)

    @staticmethod
    def grad_weight(F: Ops, g: Value, x: Value, index: Value) -> Value:
        return F.row_products(g, index, x)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value, weight: Value, count: int) -> Value:
        x, index, weight = _all_batched(F, size, batched, x, index, weight)
        at = _own(F, index, count)
        made = F.spread_rows(_joined(F, x), _joined(F, at), _joined(F, weight), count=size * count)
        return _parted(F, size, made)


class RowProducts(Op):
    """The products of the rows of x that index names with the rows of y, summed over the row.  Shapes: x (m, c), index (k, t), y (k, c) -> (k, t)."""

    inputs, linear, multilinear, nondiff = ("x", "index", "y"), ("x", "y"), True, ("index",)
    numpy = "K.row_products({x}, {index}, {y})"
    function, method = False, False
    samples = ([A(4, 3), I(5, 2, below=4), A(5, 3)], [A(3, 2), I(0, 2, below=3), A(0, 2)])

    @staticmethod
    def infer(x: Type, index: Type, y: Type) -> Type:
        """A number for every position of index.  Raises RuntimeError for shapes that do not fit."""
        if not len(x.shape) == len(y.shape) == len(index.shape) == 2 or index.dtype != I64:
            raise ShapeError(explain("row_products", "expects matrices, index of int64", x=x, index=index, y=y))
        if x.shape[1] != y.shape[1] or y.shape[0] != index.shape[0] or x.dtype != y.dtype:
            raise ShapeError(explain("row_products", "the shapes do not fit", x=x, index=index, y=y))
        return Type(index.shape, x.dtype)

    @staticmethod
    def decompose(F: Ops, x: Value, index: Value, y: Value) -> Value:
        return F.sum(F.mul(_rows(F, x, index), F.unsqueeze(y, dim=1)), dim=(2,), keepdim=False)

    @staticmethod
    def grad_x(F: Ops, g: Value, index: Value, y: Value, x_type: Type) -> Value:
        return F.spread_rows(y, index, g, count=x_type.shape[0])

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, index: Value) -> Value:
        return F.weighted_rows(x, index, g)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value, y: Value) -> Value:
        x, index, y = _all_batched(F, size, batched, x, index, y)
        at = _own(F, index, F.shape(x)[1])
        return _parted(F, size, F.row_products(_joined(F, x), _joined(F, at), _joined(F, y)))


def _check(operation: str, x: Type, index: Type, weight: Type) -> None:
    if len(x.shape) != 2 or len(index.shape) != 2 or index.dtype != I64:
        raise ShapeError(explain(operation, "expects matrices, index of int64", x=x, index=index))
    if weight.shape != index.shape or weight.dtype != x.dtype:
        problem = "weight must have the shape of index and the dtype of x"
        raise ShapeError(explain(operation, problem, x=x, index=index, weight=weight))


def _rows(F: Ops, x: Value, index: Value) -> Value:
    k, t = F.shape(index)
    return F.reshape(F.index_select(x, F.reshape(index, shape=(k * t,)), dim=0), shape=(k, t, F.shape(x)[1]))


def _all_batched(F: Ops, size: int, batched: tuple[bool, ...], *values: Value) -> list[Any]:
    """The values, each with the leading axis."""
    pairs = zip(batched, values, strict=True)
    return [v if has else F.broadcast_to(v, shape=(size, *F.shape(v))) for has, v in pairs]


def _own(F: Ops, index: Value, count: int) -> Value:
    """Positions in tables of `count` rows as positions in these tables one below the other."""
    size: int = F.shape(index)[0]
    first = F.arange(start=0, step=count, count=size, dtype=I64)
    return F.add(index, F.reshape(first, shape=(size, 1, 1)))


def _joined(F: Ops, x: Value) -> Value:
    a, b, c = F.shape(x)
    return F.reshape(x, shape=(a * b, c))


def _parted(F: Ops, size: int, x: Value) -> Value:
    shape: Shape = F.shape(x)
    return F.reshape(x, shape=(size, shape[0] // size, shape[1]))


__all__ = ["RowProducts", "SpreadRows", "WeightedRows"]
