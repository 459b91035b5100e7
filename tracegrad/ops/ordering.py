"""Elements in order: sorting, the k largest, medians, the most frequent, and running maxima.  A derivative goes to the chosen elements."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, one_axis, reduced, size_of
from tracegrad.ops.checks import has_elements, not_for, whole
from tracegrad.ops.results import named_result

FIELDS = ("values", "indices")


class Chosen(Op, family=True):
    """Elements chosen along axis dim, and their positions."""

    masks: ClassVar[str] = "selects"
    outputs: ClassVar[tuple[str, ...]] = FIELDS
    nondiff_outputs: ClassVar[tuple[str, ...]] = ("indices",)
    function: ClassVar[bool] = False
    method: ClassVar[bool] = False
    quiet: ClassVar[bool] = True

    @classmethod
    def batch(cls, F: Any, size: int, batched: tuple[bool, ...], x: Any, *attrs: Any) -> Any:
        """The same one axis further in; a 0-d value becomes an axis of size 1."""
        given = dict(zip(cls.attrs, attrs, strict=True))
        shape = F.shape(x)
        found = getattr(F, cls.name)(
            x if len(shape) > 1 else F.reshape(x, shape=(size, 1)), **{**given, "dim": given["dim"] + 1}
        )
        return found if len(shape) > 1 else tuple(F.reshape(v, shape=(size,)) for v in found)


class _ChosenFew(Chosen, family=True):
    """Any number of elements chosen along axis dim, all different."""

    @staticmethod
    def grad_x(F: Ops, g_values: Value, indices: Value, x_type: Type, dim: int) -> Value:
        return F.scatter_add(F.zeros(x_type), indices, g_values, dim=dim)


class _ChosenOne(Chosen, family=True):
    """One element chosen along axis dim, which keepdim keeps with size 1."""

    @staticmethod
    def grad_x(F: Ops, g_values: Value, indices: Value, x_type: Type, dim: int) -> Value:
        if not x_type.shape:
            return g_values
        g, at = (F.unreduce(v, shape=x_type.shape, dim=(dim,)) for v in (g_values, indices))
        return F.scatter_add(F.zeros(x_type), at, g, dim=dim)


class SortDim(_ChosenFew):
    """The elements along axis dim in order, nan as the largest, equal ones in their order; and their positions.  Shape: (*a) -> twice (*a)."""

    attrs, torch_name = ("dim", "descending"), "SortBackward0"
    numpy = jax = "K.sort({x}, {dim}, {descending})"
    samples = (
        [A(5), 0, False],
        [A(2, 3), 0, True],
        [A(2, 3, 2), 1, False],
        [A(), 0, False],
        [A(0, 3), 1, True],
        [A(4, lo=1, hi=1), 0, True],
    )

    @staticmethod
    def infer(x: Type, dim: int, descending: bool) -> tuple[Type, Type]:
        """x's type, and int64; RuntimeError for complex numbers."""
        if x.dtype.kind == "c":
            raise DTypeError(explain("sort", "Sort does not support complex dtypes on CPU", x=x))
        return x, Type(x.shape, I64)


def _sorted(F: Ops, operation: str, x: Any, dim: Any, descending: Any) -> Any:
    SortDim.infer(F.type(x), 0, False)  # eager code asks the kernel alone
    return F.sort_dim(x, dim=one_axis(operation, len(F.shape(x)), dim), descending=bool(descending))


class Sort(Composite):
    """The elements in order along an axis, and their positions.  Shape: (*a) -> twice (*a)."""

    samples = ([A(2, 3)], [A(2, 3), 0, True])

    @staticmethod
    def call(F: Ops, input: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:  # noqa: A002
        """(values, indices) along dim; always stable."""
        if isinstance(dim, bool):
            raise ArgumentError(
                explain("sort", "received an invalid combination of arguments: dim must be int, not bool")
            )
        return named_result("sort", FIELDS, _sorted(F, "sort", input, dim, descending))


class Argsort(Composite):
    """The positions that sort along an axis.  Shape: (*a) -> (*a), int64."""

    samples = ([A(2, 3)], [A(2, 3), 0, True])

    @staticmethod
    def call(F: Ops, input: Any, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Value:  # noqa: A002
        """The positions of the elements in order along dim; always stable."""
        return _sorted(F, "argsort", input, dim, descending)[1]


class Msort(Composite):
    """The elements in order along the first axis.  Shape: (*a) -> (*a)."""

    samples = ([A(4, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """The values of sort(input, 0)."""
        return _sorted(F, "msort", input, 0, False)[0]


class TopkDim(_ChosenFew):
    """The k largest (or smallest) elements along axis dim in order, and their positions.  Shape: (*p, n, *q) -> twice (*p, k, *q)."""

    attrs, torch_name = ("k", "dim", "largest"), "TopkBackward0"
    numpy = jax = "K.topk({x}, {k}, {dim}, {largest})"
    samples = (
        [A(5), 2, 0, True],
        [A(4, 3), 3, 0, False],
        [A(2, 3), 0, 1, True],
        [A(), 1, 0, True],
        [A(4, lo=1, hi=1), 2, 0, True],
    )

    @staticmethod
    def infer(x: Type, k: int, dim: int, largest: bool) -> tuple[Type, Type]:
        """k elements in place of axis dim; RuntimeError for more than there are, for bools and complex numbers."""
        if x.dtype.kind in "bc":
            raise DTypeError(
                explain(
                    "topk", f"topk does not support {'bool' if x.dtype.kind == 'b' else 'complex'} dtypes on CPU", x=x
                )
            )
        if not 0 <= k <= (x.shape[dim] if x.shape else 1):
            raise ShapeError(explain("topk", "selected index k out of range", k=k, x=x))
        shape = (*x.shape[:dim], k, *x.shape[dim + 1 :]) if x.shape else ()
        return Type(shape, x.dtype), Type(shape, I64)


class Topk(Composite):
    """The k largest or smallest elements along an axis, and their positions.  Shape: (*p, n, *q) -> twice (*p, k, *q)."""

    samples = ([A(2, 3), 2], [A(4, 3), 2, 0, False])

    @staticmethod
    def call(F: Ops, input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:  # noqa: A002
        """(values, indices) along dim; in order also where `sorted` is false, first positions where elements are equal."""
        axis, count = one_axis("topk", len(F.shape(input)), dim), whole("topk", "k", k)
        TopkDim.infer(F.type(input), count, axis, bool(largest))  # eager code asks the kernel alone
        return named_result("topk", FIELDS, F.topk_dim(input, k=count, dim=axis, largest=bool(largest)))


class KthvalueDim(_ChosenOne):
    """The k-th smallest element along axis dim, and its position.  Shape: (*p, n, *q) -> twice (*p, *q), or (*p, 1, *q) if keepdim."""

    attrs, torch_name = ("k", "dim", "keepdim"), "KthvalueBackward0"
    numpy = jax = "K.kthvalue({x}, {k}, {dim}, {keepdim})"
    samples = (
        [A(5), 2, 0, False],
        [A(4, 3), 3, 0, True],
        [A(0, 3), 2, 1, False],
        [A(), 1, 0, False],
        [A(4, lo=1, hi=1), 2, 0, False],
    )

    @staticmethod
    def infer(x: Type, k: int, dim: int, keepdim: bool) -> tuple[Type, Type]:
        """The reduced shape; RuntimeError for k outside 1 ... n, NotImplementedError for bools and complex numbers."""
        has_elements("kthvalue", x, dim)
        not_for("kthvalue_cpu", x, "bc")
        if not 1 <= k <= (x.shape[dim] if x.shape else 1):
            raise ShapeError(explain("kthvalue", f"selected number k out of range for dimension {dim}", k=k, x=x))
        shape = reduced(x.shape, (dim,), keepdim)
        return Type(shape, x.dtype), Type(shape, I64)


class Kthvalue(Composite):
    """The k-th smallest element along an axis, counted from 1, and its position.  Shape: (*p, n, *q) -> twice (*p, *q)."""

    samples = ([A(2, 3), 2], [A(4, 3), 2, 0, True])

    @staticmethod
    def call(F: Ops, input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:  # noqa: A002
        """(values, indices) along dim."""
        axis, rank, keep = (
            one_axis("kthvalue", len(F.shape(input)), dim),
            whole("kthvalue", "k", k),
            bool(keepdim) and bool(F.shape(input)),
        )
        KthvalueDim.infer(F.type(input), rank, axis, keep)
        found = F.kthvalue_dim(input, k=rank, dim=axis, keepdim=keep)
        return named_result("kthvalue", FIELDS, found)


class MedianDim(_ChosenOne):
    """The lower median along axis dim, and its position; nan if there is one, unless skip.  Shape: (*p, n, *q) -> twice (*p, *q), or (*p, 1, *q) if keepdim."""

    attrs = ("dim", "keepdim", "skip")
    numpy = jax = "K.median_dim({x}, {dim}, {keepdim}, {skip})"
    samples = ([A(5), 0, False, False], [A(4, 3), 0, True, True], [A(0, 3), 1, False, False], [A(), 0, False, True])

    @staticmethod
    def torch_name(dim: int, keepdim: bool, skip: bool) -> str:
        return "NanmedianBackward1" if skip else "MedianBackward1"

    @staticmethod
    def infer(x: Type, dim: int, keepdim: bool, skip: bool) -> tuple[Type, Type]:
        """The reduced shape; IndexError without elements, NotImplementedError for bools and complex numbers."""
        has_elements("median", x, dim)
        not_for("median_cpu", x, "bc")
        shape = reduced(x.shape, (dim,), keepdim)
        return Type(shape, x.dtype), Type(shape, I64)


class MedianAll(Op):
    """The lower median of all elements; nan if there is one, unless skip.  Shape: (*a) -> ().  Ties share the derivative evenly."""

    masks, quiet = "selects", True
    attrs, function, method = ("skip",), False, False
    numpy = jax = "K.median({x}, {skip})"
    samples = ([A(5), False], [A(2, 3), True], [A(), False])

    @staticmethod
    def torch_name(skip: bool) -> str:
        return "NanmedianBackward0" if skip else "MedianBackward0"

    @staticmethod
    def infer(x: Type, skip: bool) -> Type:
        """One element; NotImplementedError for bools and complex numbers."""
        not_for("median_cpu", x, "bc")
        return Type((), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, x_type: Type) -> Value:
        hit = F.logical_or(F.eq(x, out), F.logical_and(F.isnan(x), F.isnan(out)))
        return F.where(hit, F.div(g, F.sum(F.cast(hit, dtype=x_type.dtype), dim=None, keepdim=False)), 0.0)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, skip: bool) -> Value:
        rows = F.reshape(x, shape=(size, size_of(F.shape(x)[1:])))
        return F.median_dim(rows, dim=1, keepdim=False, skip=skip)[0]


def _median(F: Ops, operation: str, x: Any, dim: Any, keepdim: bool) -> Any:
    skip = operation == "nanmedian"
    not_for("median_cpu", F.type(x), "bc")
    if dim is None:
        return F.median_all(x, skip=skip)
    axis = one_axis(operation, len(F.shape(x)), dim)
    has_elements("median", F.type(x), axis)
    found = F.median_dim(x, dim=axis, keepdim=bool(keepdim) and bool(F.shape(x)), skip=skip)
    return named_result(operation, FIELDS, found)


class Median(Composite):
    """The lower of the middle elements; of all (input), or along an axis with its positions (input, dim).  Shape: by form."""

    samples = ([A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: int | None = None, keepdim: bool = False) -> Any:  # noqa: A002
        """median(input), or median(input, dim, keepdim=False) -> (values, indices); nan where there is one."""
        return _median(F, "median", input, dim, keepdim)


class Nanmedian(Composite):
    """median of the elements that are not nan.  Shape: by form."""

    samples = ([A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: int | None = None, keepdim: bool = False) -> Any:  # noqa: A002
        """nanmedian(input), or nanmedian(input, dim, keepdim=False) -> (values, indices)."""
        return _median(F, "nanmedian", input, dim, keepdim)


class ModeDim(_ChosenOne):
    """The most frequent element along axis dim, the smallest of several, and its last position.  Shape: (*p, n, *q) -> twice (*p, *q), or (*p, 1, *q)."""

    attrs, torch_name, real_only = ("dim", "keepdim"), "ModeBackward0", True
    numpy = jax = "K.mode({x}, {dim}, {keepdim})"
    samples = ([A(5), 0, False], [A(4, 3), 0, True], [A(0, 3), 1, False], [A(), 0, False], [A(3, lo=1, hi=1), 0, False])

    @staticmethod
    def infer(x: Type, dim: int, keepdim: bool) -> tuple[Type, Type]:
        """The reduced shape; IndexError without elements."""
        has_elements("mode", x, dim)
        shape = reduced(x.shape, (dim,), keepdim)
        return Type(shape, x.dtype), Type(shape, I64)


class Mode(Composite):
    """The most frequent element along an axis, and its position.  Shape: (*p, n, *q) -> twice (*p, *q)."""

    samples = ([A(2, 3)], [A(4, 3), 0, True])

    @staticmethod
    def call(F: Ops, input: Any, dim: int = -1, keepdim: bool = False) -> Any:  # noqa: A002
        """(values, indices) along dim."""
        axis = one_axis("mode", len(F.shape(input)), dim)
        has_elements("mode", F.type(input), axis)
        return named_result("mode", FIELDS, F.mode_dim(input, dim=axis, keepdim=bool(keepdim) and bool(F.shape(input))))
