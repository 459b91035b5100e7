"""Positions in sorted values, and what occurs in a value: searchsorted, bucketize, unique and counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.errors import AxisError, DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, many_axes, one_axis, size_of
from tracegrad.ops.checks import is_number, not_for, whole
from tracegrad.ops.index import IndexOne
from tracegrad.ops.masks import UNKNOWN, read_mask

_INT32 = np.dtype(np.int32)


class SearchsortedRows(Op):
    """Where each element of x belongs in sorted edges.  Shapes: edges (n,), x (*a), or edges (*p, n), x (*p, m) -> x's shape."""

    inputs, attrs, nondiff_outputs, quiet, function, method = (
        ("edges", "x"),
        ("right", "dtype"),
        ("out",),
        True,
        False,
        False,
    )
    numpy = jax = "K.searchsorted({edges}, {x}, {right}, {dtype})"
    samples = (
        [A(4, lo=1, hi=1), A(2, 3), False, I64],
        [A(4, lo=1, hi=1), A(), True, I64],
        [A(2, 3, lo=0, hi=0), A(2, 4), True, I64],
    )

    @staticmethod
    def infer(edges: Type, x: Type, right: bool, dtype: Any) -> Type:
        """x's shape, the given integer dtype; RuntimeError where the shapes do not go together."""
        if not edges.shape:
            raise ShapeError(
                explain("searchsorted", "boundaries tensor should have positive dimension, but got 0 dimension")
            )
        if len(edges.shape) > 1 and edges.shape[:-1] != (x.shape[:-1] if x.shape else None):
            raise ShapeError(
                explain(
                    "searchsorted",
                    "boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor must match",
                    boundaries=edges, input=x,
                )
            )  # fmt: skip
        return Type(x.shape, dtype)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], edges: Value, x: Value, right: bool, dtype: Any) -> Value:
        if not batched[0] and len(F.shape(edges)) == 1:
            return F.searchsorted_rows(edges, x, right=right, dtype=dtype)
        (edges,), (x,) = F.lift(size, batched[:1], edges), F.lift(size, batched[1:], x)
        shape = F.shape(x)
        if len(F.shape(edges)) == 2:
            x = F.reshape(x, shape=(size, size_of(shape[1:])))
        return F.reshape(F.searchsorted_rows(edges, x, right=right, dtype=dtype), shape=shape)


class Searchsorted(Composite):
    """Where values belong in a sorted sequence (or in rows of sequences).  Shapes: (n,), (*a) -> (*a) or (*p, n), (*p, m) -> (*p, m); int64."""

    method = False
    numbers = ("sorted_sequence",)
    samples = ([A(4, lo=1, hi=1), A(2, 3)],)

    @staticmethod
    def call(
        F: Ops,
        sorted_sequence: Any,
        input: Any,
        *,
        out_int32: bool = False,
        right: bool = False,
        side: str | None = None,
        sorter: Any = None,
    ) -> Value:  # noqa: A002
        """The first positions where values could be put in so that the sequence stays sorted; the last ones if `right`."""
        if side not in (None, "left", "right"):
            raise ShapeError(explain("searchsorted", f"side can only be 'left' or 'right' but got {side}"))
        if side == "left" and right:
            raise ShapeError(
                explain(
                    "searchsorted", "side and right can't be set to opposites, got side of left while right was True"
                )
            )
        edges, own, given = sorted_sequence, F.type(sorted_sequence), F.type(input)
        if own.dtype.kind == "c" or given.dtype.kind == "c":
            not_for("searchsorted_out_cpu", own if own.dtype.kind == "c" else given, "c")
        if is_number(input):
            if len(F.shape(edges)) != 1:
                raise ShapeError(
                    explain("searchsorted", "input value can be a scalar only when boundaries tensor dimension is 1")
                )
            given = Type((), own.dtype)
            input = F.full(shape=(), value=input, dtype=own.dtype)  # noqa: A001
        if sorter is not None:
            if F.type(sorter).dtype != I64:
                raise DTypeError(
                    explain("searchsorted", "sorter must be a tensor of long dtype", sorter=F.type(sorter))
                )
            if F.shape(sorter) != F.shape(edges):
                raise ShapeError(explain("searchsorted", "boundary and sorter must have the same size"))
            edges = F.gather(edges, sorter, dim=len(F.shape(edges)) - 1)
        SearchsortedRows.infer(own, given, bool(right), I64)  # eager code asks the kernel alone
        return F.searchsorted_rows(
            edges, input, right=bool(right) or side == "right", dtype=_INT32 if out_int32 else I64
        )


class Bucketize(Composite):
    """The numbers of the intervals between sorted boundaries that values lie in.  Shapes: (*a), (n,) -> (*a), int64."""

    method = False
    numbers, tensors = ("input",), ("boundaries",)
    samples = ([A(2, 3), A(4, lo=1, hi=1)],)

    @staticmethod
    def call(F: Ops, input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Value:  # noqa: A002
        """searchsorted(boundaries, input); with `right` a value on a boundary belongs to the interval above it."""
        if len(F.shape(boundaries)) != 1:
            raise ShapeError(
                explain("bucketize", f"boundaries tensor must be 1 dimension, but got dim({len(F.shape(boundaries))})")
            )
        return Searchsorted.call(F, boundaries, input, out_int32=out_int32, right=right)


class UniqueNode(IndexOne):
    """The elements or slices at the first position of each kind.  Shapes: x (*a, n, *b), (k) -> (*a, k, *b).  The derivative goes to those positions."""

    torch_name = "Unique2Backward0"


class UniqueDimNode(IndexOne):
    """UniqueNode under the name that torch gives unique(dim=...).  Shapes: x (*a, n, *b), (k) -> (*a, k, *b)."""

    torch_name = "UniqueDimBackward0"


class UniqueConsecutiveNode(IndexOne):
    """UniqueNode under the name that torch gives unique_consecutive.  Shapes: x (*a, n, *b), (k) -> (*a, k, *b)."""

    torch_name = "UniqueConsecutiveBackward0"


class UniquePositions(Op):
    """Of the slices along axis dim: the positions of the first of each kind in order, the kind of each, and how many there are of each kind.

    Shapes: (*p, n, *q) -> (k,), (n,), (k,).  in_order: a kind is a run of equal neighbours.  Not for recorded code.
    """

    attrs, outputs, nondiff_outputs = (
        ("dim", "in_order"),
        ("positions", "kinds", "counts"),
        ("positions", "kinds", "counts"),
    )
    value_dependent, quiet, function, method = True, True, False, False
    numpy = jax = "K.unique_positions({x}, {dim}, {in_order})"
    samples = ()  # the shapes of its results depend on values

    @staticmethod
    def infer(x: Type, dim: int, in_order: bool) -> tuple[Type, Type, Type]:
        """An unknown count of positions."""
        return Type((UNKNOWN,), I64), Type((x.shape[dim],), I64), Type((UNKNOWN,), I64)


def _unique(F: Ops, node: str, x: Any, dim: Any, in_order: bool, inverse: bool, counts: bool) -> Any:
    read_mask(x)
    shape: tuple[int, ...] = F.shape(x)
    axis = 0 if dim is None else one_axis("unique", len(shape), dim)
    if dim is not None and not shape:
        raise AxisError(explain("unique", f"Dimension specified as {dim} but tensor has no dimensions"))
    source = F.reshape(x, shape=(size_of(shape),)) if dim is None or not shape else x
    if F.type(x).dtype.kind == "c":
        raise NotSupportedError(explain("unique", "not implemented for complex numbers", x=F.type(x)))
    if F.shape(source)[axis] and not size_of(shape):
        raise ShapeError(
            explain("unique", "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")
        )
    at, kinds, lengths = F.unique_positions(source, dim=axis, in_order=in_order)
    found = [getattr(F, node)(source, at, dim=axis)]
    if inverse:
        found.append(F.reshape(kinds, shape=shape) if dim is None else kinds)
    if counts:
        found.append(lengths)
    return found[0] if len(found) == 1 else tuple(found)


class Unique(Composite):
    """The different elements in order, or the different slices along an axis.  Shape: (*a) -> (k,), or k in place of dim.  Every nan is of its own kind."""

    samples = ()  # the shape of its result depends on values

    @staticmethod
    def call(
        F: Ops,
        input: Any,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> Any:  # noqa: A002
        """The different elements, then the kind of each element and the counts where asked for; in order also where `sorted` is false."""
        return _unique(
            F, "unique_node" if dim is None else "unique_dim_node", input, dim, False, return_inverse, return_counts
        )


class UniqueConsecutive(Composite):
    """The elements, or slices along an axis, without those that equal their predecessor.  Shape: (*a) -> (k,), or k in place of dim."""

    samples = ()  # the shape of its result depends on values

    @staticmethod
    def call(
        F: Ops, input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> Any:  # noqa: A002
        """The first of each run, then the run of each element and the lengths where asked for."""
        return _unique(F, "unique_consecutive_node", input, dim, True, return_inverse, return_counts)


class BincountNode(Op):
    """How often each number 0 ... occurs, or the sum of the weights there.  Shapes: x (n,), weights (n,) -> (max(x) + 1,), at least minlength."""

    inputs, attrs, nondiff_outputs, function, method = ("x", "weights?"), ("minlength",), ("out",), False, False
    value_dependent, quiet = True, True
    numpy = jax = "K.bincount({x}, {weights}, {minlength})"
    samples = ()  # the shape of its result depends on values

    @staticmethod
    def infer(x: Type, weights: Type | None, minlength: int) -> Type:
        """An unknown count of int64, or of the weights' sums."""
        if weights is None:
            return Type((UNKNOWN,), I64)
        return Type((UNKNOWN,), weights.dtype if weights.dtype == np.float32 else np.dtype(np.float64))


class Bincount(Composite):
    """How often each number 0, 1, ... occurs.  Shape: (n,) -> (max + 1,), int64, or the weights' sums."""

    samples = ()  # the shape of its result depends on values

    @staticmethod
    def call(F: Ops, input: Any, weights: Any = None, minlength: int = 0) -> Value:  # noqa: A002
        """Counts, or sums of weights; at least minlength of them.  Raises RuntimeError for negative numbers and for anything but a vector."""
        t = F.type(input)
        if t.dtype.kind not in "iu":
            raise NotSupportedError(
                explain("bincount", "not implemented for this dtype", "Convert it to int64", input=t)
            )
        minlength = whole("bincount", "minlength", minlength)
        if minlength < 0:
            raise ShapeError(explain("bincount", "minlength should be >= 0", minlength=minlength))
        if len(t.shape) != 1 or (size_of(t.shape) and bool((read_mask(input) < 0).any())):
            raise ShapeError(explain("bincount", "only supports 1-d non-negative integral inputs.", input=t))
        if weights is not None and F.shape(weights) != t.shape:
            raise ShapeError(
                explain("bincount", "weights should be 1-d and have the same length as input", weights=F.type(weights))
            )
        read_mask(input)
        return F.bincount_node(input, weights, minlength=int(minlength))


class CountNonzero(Composite):
    """How many elements are not zero, of all or over the axes dim.  Shape: (*a) -> a without dim, int64."""

    samples = ([A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None) -> Value:  # noqa: A002
        """The count over dim, an int or a tuple; None for all."""
        axes = many_axes("count_nonzero", len(F.shape(input)), dim)
        return F.sum(F.as_dtype(F.ne(input, 0), I64), dim=axes, keepdim=False)


class HistcBins(Op):
    """How many elements lie in each of `bins` equal parts of [low, high], the last one closed.  Shape: (*a) -> (bins,), x's dtype."""

    real_only = True
    attrs, nondiff_outputs, quiet, function, method = ("bins", "low", "high"), ("out",), True, False, False
    numpy = jax = "K.histc({x}, {bins}, {low}, {high})"
    samples = ([A(7), 4, -1.0, 1.0], [A(2, 3), 3, -2.0, 2.0], [A(), 2, 0.0, 0.0], [A(0), 3, 0.0, 1.0])

    @staticmethod
    def infer(x: Type, bins: int, low: float, high: float) -> Type:
        """bins counts of x's dtype."""
        return Type((bins,), x.dtype)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, bins: int, low: float, high: float) -> Value:
        return F.stack(
            *(F.histc_bins(F.select(x, dim=0, index=i), bins=bins, low=low, high=high) for i in range(size)), dim=0
        )


class Histc(Composite):
    """How many elements lie in each of `bins` equal parts of [min, max].  Shape: (*a) -> (bins,), input's dtype."""

    samples = ([A(7), 4, -1.0, 1.0],)

    @staticmethod
    def call(F: Ops, input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Value:  # noqa: A002
        """Counts between min and max; between the smallest and the largest element where both are equal."""
        t = F.type(input)
        if t.dtype.kind not in "fV":
            raise NotSupportedError(explain("histc", "not implemented for this dtype", input=t))
        bins = whole("histc", "bins", bins)
        if bins <= 0:
            raise ShapeError(explain("histc", "bins must be > 0", bins=bins))
        if max < min:
            raise ShapeError(explain("histc", "max must be larger than min", min=min, max=max))
        return F.histc_bins(input, bins=int(bins), low=float(min), high=float(max))
