"""Scatters that fold what meets at a position: sums, products, means, maxima and minima."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import I64
from tracegrad.errors import DTypeError, IndexingError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Type, one_axis, size_of
from tracegrad.ops.index import IndexSelect, _check_gather, _with_axis

_FOLDS = ("sum", "prod", "mean", "amax", "amin")


class ScatterFold(Op):
    """x with source folded in: out[p, index[p, j, q], q] = fold of all source[p, j, q] there, and of x's element if include_self.

    Shapes: x (*p, n, *q), index no larger apart from axis dim, source as index -> x's shape.  Ties of a maximum share the derivative evenly.
    """

    inputs, nondiff, function, method = ("x", "index", "source"), ("index",), False, False
    attrs, torch_name, real_only = ("dim", "fold", "include_self"), "ScatterReduceBackward0", True
    numpy = jax = "K.scatter_reduce({x}, {index}, {source}, {dim}, {fold}, {include_self})"
    samples = (
        [A(4, 3), I(5, 3, below=4), A(5, 3), 0, "sum", True], [A(4, 3), I(2, 2, below=4), A(2, 2), 0, "mean", True], [A(4), I(6, below=4), A(6), 0, "mean", False],
        [A(4, 3), I(4, 5, below=3), A(4, 5), 1, "prod", True], [A(4), I(6, below=4), A(6), 0, "prod", False], [A(4), I(6, below=4), A(6), 0, "amax", True],
        [A(4), I(6, below=4), A(6), 0, "amin", False], [A(), I(below=1), A(), 0, "sum", True], [A(3), I(0, below=3), A(0), 0, "amax", True],
    )  # fmt: skip

    @staticmethod
    def infer(x: Type, index: Type, source: Type, dim: int, fold: str, include_self: bool) -> Type:
        """x's type; RuntimeError for another dtype of source, and for shapes that do not fit."""
        if x.dtype != source.dtype:
            raise DTypeError(
                explain("scatter_reduce", "scatter(): Expected self.dtype to be equal to src.dtype", x=x, src=source)
            )
        if size_of(index.shape):
            _check_gather("scatter_reduce", x, index, dim)
        return x

    @staticmethod
    def grad_x(
        F: Ops,
        g: Value,
        x: Value,
        index: Value,
        source: Value,
        out: Value,
        x_type: Type,
        dim: int,
        fold: str,
        include_self: bool,
    ) -> Value:
        if not include_self:
            return F.where(_hit(F, index, x_type, dim), 0.0, g)
        if fold == "sum":
            return g
        if fold == "mean":
            return F.div(g, _counts(F, index, x_type, dim, True))
        if fold == "prod":
            safe = F.where(F.eq(x, 0), 1.0, x)
            return F.mul(g, F.div(_product(F, safe, index, source, dim, True), safe))
        return F.where(F.eq(x, out), _share(F, g, x, index, source, out, x_type, dim, True), 0.0)

    @staticmethod
    def grad_source(
        F: Ops,
        g: Value,
        x: Value,
        index: Value,
        source: Value,
        out: Value,
        x_type: Type,
        dim: int,
        fold: str,
        include_self: bool,
    ) -> Value:
        if fold == "sum":
            return F.gather(g, index, dim=dim)
        if fold == "mean":
            return F.gather(F.div(g, _counts(F, index, x_type, dim, include_self)), index, dim=dim)
        if fold == "prod":
            others = _other_factors(F, x, index, source, out, x_type, dim, include_self)
            return F.mul(F.gather(g, index, dim=dim), others)
        share = F.gather(_share(F, g, x, index, source, out, x_type, dim, include_self), index, dim=dim)
        return F.where(F.eq(source, F.gather(out, index, dim=dim)), share, 0.0)

    @classmethod
    def batch(
        cls,
        F: Ops,
        size: int,
        batched: tuple[bool, ...],
        x: Value,
        index: Value,
        source: Value,
        dim: int,
        fold: str,
        include_self: bool,
    ) -> Value:
        own = F.shape(x)[batched[0] :]
        x, index, source = _with_axis(F, size, batched, x, index, source)
        folded = getattr(F, cls.name)(x, index, source, dim=dim + 1, fold=fold, include_self=include_self)
        return F.reshape(folded, shape=(size, *own))


def _counts(F: Ops, index: Value, x_type: Type, dim: int, include_self: bool) -> Value:
    """How many elements each result is made of, at least 1."""
    start = F.ones(x_type) if include_self else F.zeros(x_type)
    counts = F.scatter_add(start, index, F.ones(Type(F.shape(index), x_type.dtype)), dim=dim)
    return counts if include_self else F.where(F.eq(counts, 0), 1.0, counts)


def _hit(F: Ops, index: Value, x_type: Type, dim: int) -> Value:
    """Where some element is folded in."""
    return F.ne(F.scatter_add(F.zeros(x_type), index, F.ones(Type(F.shape(index), x_type.dtype)), dim=dim), 0)


def _product(F: Ops, x: Value, index: Value, source: Value, dim: int, include_self: bool) -> Value:
    fold = F.scatter_multiply if F.type(x).dtype.kind == "c" else F.scatter_fold
    return fold(x, index, source, dim=dim, fold="prod", include_self=include_self)


def _other_factors(
    F: Ops, x: Value, index: Value, source: Value, out: Value, x_type: Type, dim: int, include_self: bool
) -> Value:
    """For each element of source the product of the other factors of its result, with right derivatives where factors are 0."""
    zero = F.eq(source, 0)
    safe = F.where(zero, 1.0, source)
    rest = F.gather(_product(F, x, index, safe, dim, include_self), index, dim=dim)
    nothing = F.zeros(x_type)
    count = F.gather(F.scatter_add(nothing, index, F.cast(zero, dtype=x_type.dtype), dim=dim), index, dim=dim)
    zeros = F.gather(F.scatter_add(nothing, index, F.where(zero, source, 0.0), dim=dim), index, dim=dim)
    other_zero = F.where(F.eq(count, 2), F.sub(zeros, source), 0.0)  # of more zeros the product is flat
    among_zeros = F.mul(rest, F.where(F.eq(count, 1), 1.0, other_zero))
    return F.where(zero, among_zeros, F.div(F.gather(out, index, dim=dim), safe))


def _share(
    F: Ops, g: Value, x: Value, index: Value, source: Value, out: Value, x_type: Type, dim: int, include_self: bool
) -> Value:
    """g over the number of elements that equal the extreme."""
    start = F.cast(F.eq(x, out), dtype=x_type.dtype) if include_self else F.zeros(x_type)
    equal = F.cast(F.eq(source, F.gather(out, index, dim=dim)), dtype=x_type.dtype)
    count = F.scatter_add(start, index, equal, dim=dim)
    return F.div(g, F.where(F.eq(count, 0), 1.0, count))


class IndexFold(ScatterFold):
    """ScatterFold, as index_reduce records it.  Shapes: x (*p, n, *q), index and source (*p, k, *q) -> x's shape."""

    torch_name = "IndexReduceBackward0"
    numpy = "K.scatter_reduce({x}, {index}, {source}, {dim}, {fold}, {include_self}, IndexError)"


class ScatterMultiply(ScatterFold):
    """ScatterFold, as scatter with reduce='multiply' records it, for all dtypes.  Shapes: x (*p, n, *q), index and source (*p, k, *q) -> x's shape."""

    real_only = False
    samples = ([A(4, 3), I(5, 3, below=4), A(5, 3), 0, "prod", True], [A(4), I(6, below=4), A(6), 0, "prod", True])


class ScatterReduce(Composite):
    """x with the elements of src folded in at positions along an axis.  Shapes: (*p, n, *q), index no larger than src -> (*p, n, *q)."""

    inplace = True
    tensors = ("index",)
    samples = ([A(4, 3), 0, I(2, 3, below=4), A(2, 3), "sum"],)

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Value:  # noqa: A002
        """The sum, prod, mean, amax or amin of src's elements at each position, with input's own element unless include_self is false."""
        if reduce not in _FOLDS:
            raise ShapeError(
                explain("scatter_reduce", f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
            )
        axis = one_axis("scatter_reduce", len(F.shape(input)), dim)
        if 0 in F.shape(index) and F.type(index).dtype != I64:  # torch does not look at the dtype of no positions
            index = F.as_dtype(index, I64)
        ScatterFold.infer(F.type(input), F.type(index), F.type(src), axis, reduce, True)
        source, wanted = src, F.shape(index)
        if len(F.shape(src)) != len(wanted) or any(i > n for i, n in zip(wanted, F.shape(src), strict=True)):
            raise ShapeError(
                explain(
                    "scatter_reduce", "Expected index to be no larger than src", index=F.type(index), src=F.type(src)
                )
            )
        for d, n in enumerate(wanted):
            if n != F.shape(source)[d]:
                source = F.slice(source, dim=d, start=0, stop=n, step=1)
        return F.scatter_fold(input, index, source, dim=axis, fold=reduce, include_self=bool(include_self))


class IndexReduce(Composite):
    """x with the slices of source folded in at positions of an axis.  Shapes: (*p, n, *q), (k,), (*p, k, *q) -> (*p, n, *q)."""

    inplace = True
    tensors = ("index", "source")
    samples = ([A(4, 3), 0, I(2, below=4), A(2, 3), "prod"],)

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Value:  # noqa: A002
        """The prod, mean, amax or amin of the slices of source at each position, with input's own unless include_self is false."""
        if reduce not in _FOLDS[1:]:
            raise ShapeError(
                explain("index_reduce", f"Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
            )
        axis, shape = one_axis("index_reduce", len(F.shape(input)), dim), F.shape(source)
        if len(F.shape(index)) > 1:
            raise IndexingError(
                explain("index_reduce", f"Index is supposed to be a vector, but got dim: {len(F.shape(index))}")
            )
        IndexSelect.infer(F.type(input), F.type(index), axis)
        count = size_of(F.shape(index))
        own = F.shape(input)
        if len(shape) != len(own) or any(n != m for d, (n, m) in enumerate(zip(shape, own, strict=True)) if d != axis):
            problem = "source tensor shape must match self tensor shape, excluding the specified dimension"
            raise ShapeError(
                explain("index_reduce", f"{problem}. Got self.shape = {list(own)} source.shape = {list(shape)}")
            )
        if shape and shape[axis] != count:
            raise ShapeError(
                explain(
                    "index_reduce",
                    f"Number of indices ({count}) should be equal to source.size(dim): ({shape[axis]}), for dim: {axis}",
                )
            )
        at = F.reshape(index, shape=tuple(count if d == axis else 1 for d in range(len(shape))))
        places = F.expand(at, shape=shape)
        IndexFold.infer(F.type(input), F.type(places), F.type(source), axis, reduce, True)
        return F.index_fold(input, places, source, dim=axis, fold=reduce, include_self=bool(include_self))
