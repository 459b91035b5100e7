"""Values with elements replaced at positions: composites of index_put, that keep its derivatives."""

from __future__ import annotations

from typing import Any

from tracegrad.config import local
from tracegrad.dtypes import BOOL, I32, I64, from_numpy
from tracegrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError, explain
from tracegrad.ir.families import Composite, Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I, M
from tracegrad.ir.types import Type, broadcast, one_axis, size_of
from tracegrad.ops.masks import in_order_of, is_recorded, mask_positions, number_of


def _positions(F: Ops, operation: str, index: Any) -> Any:
    """A vector of positions; a 0-d tensor counts as one.  Raises IndexError for another dtype or more axes."""
    kind = F.type(index)
    if kind.weak:
        raise ArgumentError(explain(operation, "argument 'index' must be Tensor, not a number"))
    if len(kind.shape) > 1 or (kind.dtype != I64 and operation != "index_copy"):
        raise IndexingError(explain(operation, "index is a vector of dtype int64", index=kind))
    if kind.dtype != I64:
        raise DTypeError(explain(operation, "Expected a long tensor for index", index=kind))
    return index if kind.shape else F.reshape(index, shape=(1,))


def _outside(index: Any, size: int) -> bool:
    """Whether a position is negative or behind the end: known of a tensor's values only, not in a recording."""
    read = getattr(index, "_data", None)
    if read is None or local.trace is not None or not read.size:
        return False
    return bool(read.view(f"u{read.itemsize}").max() >= size)  # a negative number is a large one without its sign


def _none_negative(F: Ops, index: Value, size: int) -> Value:
    """The positions; in a recording those before the first become one behind the end, which index_put refuses (it takes -1 for the last)."""
    return F.where(F.lt(index, 0), size, index) if is_recorded(index) else index


def _same_dtype(F: Ops, operation: str, x: Any, source: Any) -> None:
    if F.type(x).dtype != F.type(source).dtype:
        problem = f"self and source expected to have the same dtype, but got (self) {from_numpy(F.type(x).dtype)} and (source) {from_numpy(F.type(source).dtype)}"
        raise DTypeError(explain(operation, problem, "Convert one with .to(dtype)"))


def _put(
    F: Ops, operation: str, x: Any, values: Any, positions: list[Any], dims: tuple[int, ...], accumulate: bool = False
) -> Value:
    """index_put, also on a 0-d value."""
    shape = F.shape(x)
    if any(size_of(F.shape(p)) and not (shape or (1,))[d] for p, d in zip(positions, dims, strict=True)):
        raise IndexingError(explain(operation, "index is out of bounds for dimension with size 0", x=F.type(x)))
    whole = x if shape else F.reshape(x, shape=(1,))
    made = F.index_put(whole, values, *positions, dims=dims, accumulate=accumulate)
    return made if shape else F.reshape(made, shape=())


class IndexFill(Composite):
    """x with a number written at positions of one axis.  Shapes: (*a, n, *b), (k,), () -> (*a, n, *b)."""

    inplace = True
    samples = ([A(4, 3), 0, I(2, below=4), 0.5], [A(4, 3), 1, I(2, below=3), A()], [A(), 0, I(1, below=1), 2])

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any, value: Any) -> Value:  # noqa: A002
        """input with value (a number or a 0-d tensor) in the slices at the positions index of axis dim."""
        kind = F.type(input)
        if F.shape(value):
            problem = f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {len(F.shape(value))} dimension(s)"
            raise ShapeError(explain("index_fill", problem))
        axis, positions = one_axis("index_fill", len(kind.shape), dim), _positions(F, "index_fill", index)
        if F.type(value).weak:
            value = F.full(shape=(), value=number_of(kind.dtype, value), dtype=kind.dtype)
            made = _put(F, "index_fill", input, value, [positions], (axis,))
            return F.named(made, called="IndexFillBackward0")
        count = (kind.shape or (1,))[axis]
        there = F.full(shape=(), value=True, dtype=BOOL)
        mask = _put(F, "index_fill", F.full(shape=(count,), value=False, dtype=BOOL), there, [positions], (0,))
        mask = F.reshape(mask, shape=tuple(count if d == axis else 1 for d in range(len(kind.shape))))
        made = F.masked_fill(input, mask, F.as_dtype(value, kind.dtype))  # the value counts once where positions repeat
        return F.named(made, called="IndexFillBackward1")


class IndexCopy(Composite):
    """x with the slices of source written at positions of one axis.  Shapes: (*a, n, *b), (k,), (*a, k, *b) -> (*a, n, *b)."""

    inplace = True
    tensors = ("index", "source")
    samples = ([A(4, 3), 0, I(1, below=4), A(1, 3)], [A(4, 3), 1, I(1, below=3), A(4, 1)])

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any, source: Any) -> Value:  # noqa: A002
        """input with the slices of source in place of those at the positions index of axis dim."""
        shape, own = F.shape(input), F.shape(source)
        axis = one_axis("index_copy", len(shape), dim)
        positions = _positions(F, "index_copy", index)
        count = size_of(F.shape(positions))
        if shape and own and len(own) != len(shape):
            problem = f"Source dimensionality ({len(own)}) and destination dimensionality ({len(shape)}) must match"
            raise IndexingError(explain("index_copy", problem))
        if shape and own and ((*own[:axis], *own[axis + 1 :]) != (*shape[:axis], *shape[axis + 1 :])):
            problem = "Source/destination tensor must have same slice shapes"
            raise ShapeError(explain("index_copy", problem, destination=list(shape), source=list(own)))
        if (own[axis] if own else 1) != count:
            problem = f"Number of indices ({count}) should be equal to source.size(dim) ({own[axis] if own else 1})"
            raise IndexingError(explain("index_copy", problem))
        _same_dtype(F, "index_copy", input, source)
        if _outside(positions, (shape or (1,))[axis]):
            raise IndexingError(explain("index_copy", "index is out of bounds", destination=F.type(input)))
        positions = _none_negative(F, positions, (shape or (1,))[axis])
        return F.named(_put(F, "index_copy", input, source, [positions], (axis,)), called="IndexCopyBackward0")


class MaskedScatter(Composite):
    """x with the first elements of source, in order, where the mask holds.  Shapes: (*a), a mask that broadcasts to a, any -> (*a)."""

    inplace = True
    tensors = ("source",)
    samples = ([A(2, 3), M(2, 3), A(6)], [A(2, 3), M(3), A(2, 4)], [A(3), M(2, 3), A(6)])

    @staticmethod
    def call(F: Ops, input: Any, mask: Any, source: Any) -> Value:  # noqa: A002
        """input with elements of source where mask is true.  Raises RuntimeError for too few of them."""
        if F.type(mask).dtype != BOOL:
            raise DTypeError(
                explain("masked_scatter", "masked_scatter_ only supports boolean masks", mask=F.type(mask))
            )
        _same_dtype(F, "masked_scatter", input, source)
        shape = broadcast("masked_scatter", F.shape(input), F.shape(mask))
        x, where = F.expand(input, shape=shape), F.expand(mask, shape=shape)
        if is_recorded(where):
            flat = F.reshape(source, shape=(size_of(F.shape(source)),))
            return F.where(where, in_order_of(F, where, flat, 0), x)
        if not shape:
            x, where = F.reshape(x, shape=(1,)), F.reshape(where, shape=(1,))
        positions = mask_positions(F, where)
        count, have = len(positions[0]), size_of(F.shape(source))
        if count > have:
            problem = f"Number of elements of source ({have}) < number of ones in mask ({count})"
            raise ShapeError(explain("masked_scatter", problem))
        values = F.slice(F.reshape(source, shape=(have,)), dim=0, start=0, stop=count, step=1)
        made = F.index_put(x, values, *positions, dims=tuple(range(len(positions))), accumulate=False)
        return F.named(F.reshape(made, shape=shape), called="MaskedScatterBackward0")


class Scatter(Composite):
    """x with source written at positions: out[p, index[p, j, q], q] = source[p, j, q].  Shapes: (*p, n, *q), index no larger than source -> x's shape."""

    inplace = True
    numbers = ("src",)
    samples = (
        [A(4, 3), 0, I(1, 3, below=4), A(2, 3)],
        [A(4, 3), 1, I(2, 1, below=3), 1.5],
        [A(4), 0, I(1, below=4), A(1)],
    )

    @staticmethod
    def call(
        F: Ops, input: Any, dim: int, index: Any, src: Any = None, value: Any = None, *, reduce: Any = None
    ) -> Value:  # noqa: A002
        """input with src (a tensor or a number) at the positions index along dim.  reduce='add' adds instead.  Raises RuntimeError for a position out of range."""
        source = value if src is None else src
        called = "ScatterBackward1" if src is None or F.type(src).weak else "ScatterBackward0"
        kind, positions = F.type(input), F.type(index)
        if source is None or positions.weak:
            raise ArgumentError(explain("scatter", "takes (dim, index, src) or (dim, index, value)"))
        axis = one_axis("scatter", len(kind.shape), dim)
        if F.type(source).weak:
            value = F.full(shape=(), value=number_of(kind.dtype, source), dtype=kind.dtype)
            source = F.expand(value, shape=positions.shape)
        if reduce not in (None, "add", "multiply"):
            raise ShapeError(explain("scatter", "reduce argument must be either add or multiply.", reduce=reduce))
        index = index if positions.dtype == I64 else _as_long(F, index)
        _check_scatter(F, input, axis, index, source)
        if not size_of(positions.shape):
            return F.named(F.clone(input), called=called)
        if not kind.shape:
            shape = F.shape(F.reshape(index, shape=(size_of(positions.shape),)))
            input, index, source = (F.reshape(v, shape=s) for v, s in ((input, (1,)), (index, shape), (source, shape)))  # noqa: A001
        for d, n in enumerate(F.shape(index)):
            if n != F.shape(source)[d]:
                source = F.slice(source, dim=d, start=0, stop=n, step=1)
        made = _scattered(F, input, index, source, axis, reduce)
        made = made if kind.shape else F.reshape(made, shape=())
        return made if reduce else F.named(made, called=called)


class BoundedPositions(Elementwise):
    """Positions, once all of them are known to lie in [0, count).  Shape: (*a) -> (*a), int64.  Raises RuntimeError for others."""

    attrs, nondiff, promotion, function, method = ("count",), ("x",), "none", False, False
    numpy = jax = "K.bounded_positions({x}, {count})"
    samples = ([I(2, 3, below=4), 4], [I(below=2), 2])

    @classmethod
    def infer(cls, *given: Any) -> Type:
        """x's type."""
        x: Type = given[0]
        return x


def _scattered(F: Ops, x: Value, index: Value, source: Value, axis: int, reduce: str | None) -> Value:
    if reduce == "add":
        return F.scatter_add(x, index, source, dim=axis)
    if reduce == "multiply":
        return F.scatter_multiply(x, index, source, dim=axis, fold="prod", include_self=True)
    places = [_along(F, d, n, len(F.shape(x))) for d, n in enumerate(F.shape(index))]
    if is_recorded(index):
        places[axis] = F.bounded_positions(index, count=F.shape(x)[axis])
    else:
        places[axis] = index
    return F.index_put(x, source, *places, dims=tuple(range(len(places))), accumulate=False)


def _as_long(F: Ops, index: Value) -> Value:
    """Positions as int64.  Raises RuntimeError for another dtype than int32, unless there are none."""
    kind = F.type(index)
    if kind.dtype != I32 and size_of(kind.shape):
        raise DTypeError(explain("scatter", "Expected dtype int32/int64 for index", index=kind))
    return F.as_dtype(index, I64)


def _along(F: Ops, axis: int, size: int, ndim: int) -> Value:
    """The positions 0 ... size-1 along one of ndim axes."""
    counted = F.arange(start=0, step=1, count=size, dtype=I64)
    return F.reshape(counted, shape=tuple(size if d == axis else 1 for d in range(ndim)))


def _check_scatter(F: Ops, x: Any, dim: int, index: Any, source: Any) -> None:
    kind, positions, given = F.type(x), F.type(index), F.type(source)
    if kind.dtype != given.dtype:
        raise DTypeError(explain("scatter", "Expected self.dtype to be equal to src.dtype", input=kind, src=given))
    if not size_of(positions.shape):
        return
    own, shape, values = positions.shape or (1,), kind.shape or (1,), given.shape or (1,)
    fits = len(own) == len(shape) == len(values) and all(
        n <= values[d] and (d == dim or n <= shape[d]) for d, n in enumerate(own)
    )
    if not fits:
        problem = "Expected index to be no larger than self apart from dimension dim, and no larger than src"
        raise ShapeError(explain("scatter", problem, index=positions, input=kind, src=given))
    if _outside(index, shape[dim]):
        raise ShapeError(explain("scatter", f"index is out of bounds for dimension {dim} with size {shape[dim]}"))


class Put(Composite):
    """x with source written, or added, at positions that count through all elements.  Shapes: (*a), (*b), (*b) -> (*a)."""

    inplace = True
    tensors = ("index", "source")
    samples = ([A(2, 3), I(1, below=6), A(1)], [A(4), I(2, 2, below=4), A(2, 2), True])

    @staticmethod
    def call(F: Ops, input: Any, index: Any, source: Any, accumulate: bool = False) -> Value:  # noqa: A002
        """input, read in row-major order, with the elements of source at the positions index."""
        count = size_of(F.shape(index))
        if F.type(index).dtype != I64:
            raise DTypeError(explain("put", "index must be an int64 tensor", index=F.type(index)))
        if size_of(F.shape(source)) != count:
            problem = f"Expected source and index to have the same number of elements, but got {size_of(F.shape(source))} and {count}"
            raise IndexingError(explain("put", problem))
        _same_dtype(F, "put", input, source)
        shape = F.shape(input)
        flat = F.reshape(input, shape=(size_of(shape),))
        values, places = F.reshape(source, shape=(count,)), F.reshape(index, shape=(count,))
        made = F.reshape(_put(F, "put", flat, values, [places], (0,), bool(accumulate)), shape=shape)
        return F.named(made, called="PutBackward0")
