"""Operators that read or write at positions given by other values (600 lines allowed: they share their shape rules)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.dtypes import I32, I64
from tracegrad.errors import ArgumentError, DTypeError, IndexingError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Shape, Type, broadcast, one_axis, size_of
from tracegrad.ops.masks import is_recorded, mask_positions, number_of, put_under_mask


def adjacent(dims: tuple[int, ...]) -> bool:
    """Whether the indexed axes are neighbours: then the new axes stand in their place, otherwise in front."""
    return dims == tuple(range(dims[0], dims[0] + len(dims)))


def indexed_shape(operation: str, shape: Shape, indices: Sequence[Shape], dims: tuple[int, ...]) -> Shape:
    """The shape of x[...] with integer arrays of the shapes `indices` at the axes dims.  Raises IndexError when these do not broadcast."""
    try:
        new = broadcast(operation, *indices)
    except ShapeError:
        shown = ", ".join(str(list(s)) for s in indices)
        raise IndexingError(
            explain(operation, f"shape mismatch: indexing tensors could not be broadcast together with shapes {shown}")
        ) from None
    rest = tuple(n for i, n in enumerate(shape) if i not in dims)
    lead = dims[0] if adjacent(dims) else 0
    return (*rest[:lead], *new, *rest[lead:])


def _check_integers(operation: str, *indices: Type) -> None:
    for i in indices:
        if i.dtype is not I64 and i.dtype != I64 and i.dtype != I32:
            raise IndexingError(
                explain(operation, "tensors used as indices must be long, int, byte or bool tensors", index=i)
            )


class Index(Op):
    """x at integer positions, by NumPy's rule for the new axes.  dims: the axis that each index selects from.

    Shapes: x (*a), indices that broadcast to s -> s in place of the axes dims if they are neighbours, else s in front.
    """

    masks = "selects"
    inputs, attrs, linear, nondiff, function, method = ("x", "*indices"), ("dims",), ("x",), ("indices",), False, False
    numpy = jax = "K.index({x}, {indices}, {dims})"
    samples = ([A(4, 3), I(2, 3, below=4), (0,)], [A(4, 3), I(2, below=4), I(2, below=3), (0, 1)], [A(2, 4, 3), I(5, below=3), (2,)],
               [A(2, 4, 3), I(5, below=2), I(2, 1, below=3), (0, 2)], [A(4, 3), I(0, below=4), (0,)], [A(4), I(below=4), (0,)])  # fmt: skip

    @staticmethod
    def infer(x: Type, indices: tuple[Type, ...], dims: tuple[int, ...]) -> Type:
        """The indexed shape; x's dtype."""
        _check_integers("index", *indices)
        return Type(indexed_shape("index", x.shape, [i.shape for i in indices], dims), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, indices: tuple[Value, ...], x_type: Type, dims: tuple[int, ...]) -> Value:
        return F.index_put(F.zeros(x_type), g, *indices, dims=dims, accumulate=True)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: tuple[bool, ...], x: Value, indices: tuple[Value, ...], dims: tuple[int, ...]
    ) -> Value:
        new = len(broadcast("index", *(F.shape(i)[b:] for i, b in zip(indices, batched[1:], strict=True))))
        lead = dims[0] if adjacent(dims) else 0
        if not any(batched[1:]):
            result = F.index(x, *indices, dims=tuple(d + 1 for d in dims))
            return result if adjacent(dims) else _to_front(F, result, new)
        widened = _widen(F, batched[1:], indices, new)
        if not batched[0]:
            return _to_front(F, F.index(x, *widened, dims=dims), lead)
        result = F.index(x, _rows(F, size, new), *widened, dims=(0, *(d + 1 for d in dims)))
        return _new_axes_after(F, result, new, lead)


class IndexOne(Op):
    """x at integer positions of one axis: index with a single operand, which eager code reads on its fast path.  Shapes: (*a, n, *b), (*s) -> (*a, *s, *b)."""

    masks = "selects"
    inputs, attrs, linear, nondiff, function, method = (
        ("x", "positions"),
        ("dim",),
        ("x",),
        ("positions",),
        False,
        False,
    )
    numpy, jax = "{x}.take({positions}, {dim})", "K.index({x}, ({positions},), ({dim},))"
    torch_name, quiet = "IndexBackward0", True
    samples = (
        [A(4, 3), I(2, 3, below=4), 0],
        [A(2, 4, 3), I(5, below=3), 2],
        [A(4, 3), I(0, below=4), 0],
        [A(4), I(below=4), 0],
    )

    @staticmethod
    def infer(x: Type, positions: Type, dim: int) -> Type:
        """The positions' axes in place of axis dim."""
        return Index.infer(x, (positions,), (dim,))

    @staticmethod
    def grad_x(F: Ops, g: Value, positions: Value, x_type: Type, dim: int) -> Value:
        return F.index_put(F.zeros(x_type), g, positions, dims=(dim,), accumulate=True)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, positions: Value, dim: int) -> Value:
        return Index.batch(F, size, batched, x, (positions,), (dim,))

    @staticmethod
    def decompose(F: Ops, x: Value, positions: Value, dim: int) -> Value:
        return F.index(x, positions, dims=(dim,))


def _to_front(F: Ops, x: Value, axis: int) -> Value:
    """x with one axis moved to the front."""
    ndim = len(F.shape(x))
    return x if not axis else F.permute(x, dims=(axis, *(d for d in range(ndim) if d != axis)))


def _rows(F: Ops, size: int, new: int) -> Value:
    """The positions of the batch, with `new` further axes of size 1."""
    return F.reshape(F.arange(start=0, step=1, count=size, dtype=I64), shape=(size, *(1,) * new))


def _widen(F: Ops, batched: Sequence[bool], indices: Sequence[Value], new: int) -> list[Value]:
    """Batched indices with 1s after the batch axis up to `new` further axes; an unbatched index broadcasts as it is."""
    out = []
    for i, is_batched in zip(indices, batched, strict=True):
        shape = F.shape(i)
        out.append(F.reshape(i, shape=(shape[0], *(1,) * (new + 1 - len(shape)), *shape[1:])) if is_batched else i)
    return out


def _new_axes_after(F: Ops, x: Value, new: int, lead: int) -> Value:
    """(b, *s, *lead, *rest) as (b, *lead, *s, *rest): where a batched index with its batch axis in front puts things, and where they belong."""
    ndim = len(F.shape(x))
    order = (0, *range(1 + new, 1 + new + lead), *range(1, 1 + new), *range(1 + new + lead, ndim))
    return x if order == tuple(range(ndim)) else F.permute(x, dims=order)


class IndexPut(Op):
    """x with values written at integer positions, or added to what is there.  Shapes: x (*a), values that broadcast to x[indices] -> (*a).

    Positions that occur twice add twice with accumulate; without it the last one is kept, and the derivative of values goes to all of them, as in torch.
    """

    masks = "selects"
    inputs, attrs, nondiff = ("x", "values", "*indices"), ("dims", "accumulate"), ("indices",)
    linear, inplace = ("x", "values"), True
    numpy = jax = "K.index_put({x}, {values}, {indices}, {dims}, {accumulate})"
    samples = ([A(4, 3), A(2, 3), I(2, below=4), (0,), True], [A(4), A(), I(2, below=4), (0,), True], [A(4, 3), A(1, 3), I(1, below=4), (0,), False],
               [A(2, 4, 3), A(2, 5, 4), I(5, below=2), I(2, 1, below=3), (0, 2), True], [A(2, 4, 3), A(2, 4, 1), I(4, below=3), (2,), True],
               [A(4, 3), A(3), I(0, below=4), (0,), True])  # fmt: skip

    @staticmethod
    def call(F: Ops, input: Any, indices: Any, values: Any, accumulate: bool = False) -> Value:  # noqa: A002
        """input with values at the positions of the first axes, one index (or one mask) for each."""
        if not isinstance(indices, (tuple, list)):
            raise ArgumentError(
                explain("index_put", f"indices must be a tuple of Tensors, not {type(indices).__name__}")
            )
        if any(i is None for i in indices):
            raise ArgumentError(explain("index_put", "expected Tensor as index, but got NoneType"))
        shape = F.shape(input)
        taken = sum(max(len(t.shape), 1) if t.dtype.kind == "b" else 1 for t in map(F.type, indices))
        if taken > len(shape):
            raise IndexingError(
                explain("index_put", f"too many indices for tensor of dimension {len(shape)} (got {taken})")
            )
        positions: list[Any] = []
        for i in indices:
            is_mask = F.type(i).dtype.kind == "b"
            if is_mask and F.shape(i) != shape[len(positions) : len(positions) + len(F.shape(i))]:
                raise IndexingError(
                    explain(
                        "index_put",
                        f"The shape of the mask {list(F.shape(i))} does not match the shape of the indexed tensor {list(shape)}",
                    )
                )
            if is_mask and len(indices) == 1 and is_recorded(i) and F.shape(i):
                _check_put_dtype(F.type(input), F.type(values))
                return put_under_mask(F, input, i, values, 0, bool(accumulate))
            positions += mask_positions(F, i) if is_mask else [i]
        if any(size_of(F.shape(i)) and not n for i, n in zip(positions, shape, strict=False)):
            raise IndexingError(
                explain("index_put", "index is out of bounds for dimension with size 0", input=F.type(input))
            )
        _check_put_dtype(F.type(input), F.type(values))
        return F.index_put(input, values, *positions, dims=tuple(range(len(positions))), accumulate=bool(accumulate))

    @staticmethod
    def infer(x: Type, values: Type, indices: tuple[Type, ...], dims: tuple[int, ...], accumulate: bool) -> Type:
        """x's type."""
        _check_integers("index_put", *indices)
        shape = indexed_shape("index_put", x.shape, [i.shape for i in indices], dims)
        lead = len(shape) - len(values.shape)
        if lead < 0 or any(n not in (1, shape[lead + i]) for i, n in enumerate(values.shape)):
            raise ShapeError(
                explain(
                    "index_put",
                    f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to indexing result of shape {list(shape)}",
                )
            )
        return x

    @staticmethod
    def grad_x(
        F: Ops, g: Value, indices: tuple[Value, ...], values_type: Type, dims: tuple[int, ...], accumulate: bool
    ) -> Value:
        return (
            g
            if accumulate
            else F.index_put(g, F.full(shape=(), value=0, dtype=F.type(g).dtype), *indices, dims=dims, accumulate=False)
        )

    @staticmethod
    def grad_values(F: Ops, g: Value, indices: tuple[Value, ...], values_type: Type, dims: tuple[int, ...]) -> Value:
        return F.sum_to(F.index(g, *indices, dims=dims), shape=values_type.shape)

    @staticmethod
    def batch(
        F: Ops,
        size: int,
        batched: tuple[bool, ...],
        x: Value,
        values: Value,
        indices: tuple[Value, ...],
        dims: tuple[int, ...],
        accumulate: bool,
    ) -> Value:
        own = [F.shape(i)[b:] for i, b in zip(indices, batched[2:], strict=True)]
        shape = F.shape(x)[batched[0] :]
        new, lead = len(broadcast("index_put", *own)), dims[0] if adjacent(dims) else 0
        target = indexed_shape("index_put", shape, own, dims)
        (x,) = F.lift(size, batched[:1], x)
        value_shape = F.shape(values)[batched[1] :]
        front = size if batched[1] else 1
        values = F.reshape(values, shape=(front, *(1,) * (len(target) - len(value_shape)), *value_shape))
        values = F.expand(values, shape=(size, *target))
        order = (0, *range(1 + lead, 1 + lead + new), *range(1, 1 + lead), *range(1 + lead + new, 1 + len(target)))
        values = F.permute(values, dims=order)
        widened = _widen(F, batched[2:], indices, new)
        return F.index_put(
            x, values, _rows(F, size, new), *widened, dims=(0, *(d + 1 for d in dims)), accumulate=accumulate
        )


def _check_put_dtype(x: Type, values: Type) -> None:
    if values.dtype != x.dtype:
        raise ShapeError(
            explain("index_put", "Index put requires the source and destination dtypes match", input=x, values=values)
        )


class IndexSelect(Op):
    """Slices of x at positions of one axis.  Shapes: x (*a, n, *b), index (k,) or () -> (*a, k, *b).  Raises IndexError for a position outside [0, n)."""

    masks = "selects"
    tensors = ("index",)
    inputs, attrs, linear, nondiff = ("x", "index"), ("dim",), ("x",), ("index",)
    numpy = jax = "K.index_select({x}, {index}, {dim})"
    samples = (
        [A(4, 3), I(2, below=4), 0],
        [A(4, 3), I(5, below=3), 1],
        [A(2, 3), I(0, below=2), 0],
        [A(3), I(below=3), 0],
    )

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any) -> Value:  # noqa: A002
        """The slices of input at the positions index of axis dim."""
        axis = one_axis("index_select", len(F.shape(input)), dim)
        IndexSelect.infer(F.type(input), F.type(index), axis)  # NumPy would take more than torch does
        return F.index_select(input, index, dim=axis)

    @staticmethod
    def infer(x: Type, index: Type, dim: int) -> Type:
        """The number of positions in place of axis dim."""
        _check_vector("index_select", index)
        if not x.shape and size_of(index.shape) != 1:
            raise ShapeError(
                explain("index_select", f"Index to scalar can have only 1 value, got {size_of(index.shape)} value(s)")
            )
        return Type((*x.shape[:dim], size_of(index.shape), *x.shape[dim + 1 :]) if x.shape else (), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, index: Value, x_type: Type, dim: int) -> Value:
        return F.index_add(F.zeros(x_type), index, g, dim=dim)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value, dim: int) -> Value:
        if not batched[1]:
            return F.index_select(x, index, dim=dim + 1) if len(F.shape(x)) > 1 else F.whole(x)
        ndim = len(F.shape(x)) - batched[0]
        if not ndim:
            return x if batched[0] else F.broadcast_to(x, shape=(size,))
        flat = F.reshape(index, shape=(size, size_of(F.shape(index)[1:])))
        return Index.batch(F, size, batched, x, (flat,), (dim,))


def _check_vector(operation: str, index: Type) -> None:
    if index.weak:
        raise ArgumentError(explain(operation, "argument 'index' must be Tensor, not a number"))
    if len(index.shape) > 1:
        raise IndexingError(explain(operation, "Index is supposed to be a vector", index=index))
    if index.dtype is not I64 and index.dtype != I64 and index.dtype != I32:
        raise DTypeError(explain(operation, "Expected dtype int32 or int64 for index", index=index))


class IndexAdd(Op):
    """x with the slices of source added at positions of one axis.  Shapes: x (*a, n, *b), index (k,), source (*a, k, *b) -> (*a, n, *b)."""

    inputs, attrs, linear, nondiff, inplace = ("x", "index", "source"), ("dim",), ("x", "source"), ("index",), True
    tensors = ("index", "source")
    numpy = jax = "K.index_add({x}, {index}, {source}, {dim})"
    samples = (
        [A(4, 3), I(2, below=4), A(2, 3), 0],
        [A(4, 3), I(5, below=3), A(4, 5), 1],
        [A(2, 3), I(0, below=2), A(0, 3), 0],
    )

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Value:  # noqa: A002
        """input with alpha * source added at the positions index of axis dim."""
        added = source if alpha == 1 else F.mul(source, number_of(F.type(input).dtype, alpha))
        axis = one_axis("index_add", len(F.shape(input)), dim)
        IndexAdd.infer(F.type(input), F.type(index), F.type(added), axis)  # NumPy would broadcast
        return F.index_add(input, index, added, dim=axis)

    @staticmethod
    def infer(x: Type, index: Type, source: Type, dim: int) -> Type:
        """x's type."""
        _check_vector("index_add", index)
        if x.dtype != source.dtype:
            raise DTypeError(
                explain("index_add", "self and source expected to have the same dtype", x=x, source=source)
            )
        wanted = (*x.shape[:dim], size_of(index.shape), *x.shape[dim + 1 :]) if x.shape else ()
        if source.shape != wanted or (not x.shape and size_of(index.shape) != 1):
            raise ShapeError(
                explain("index_add", f"source must have the shape {list(wanted)}", x=x, index=index, source=source)
            )
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_source(F: Ops, g: Value, index: Value, source_type: Type, dim: int) -> Value:
        return F.reshape(F.index_select(g, index, dim=dim), shape=source_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value, source: Value, dim: int) -> Value:
        parts = [
            F.index_add(*(_row(F, v, b, i) for v, b in zip((x, index, source), batched, strict=True)), dim=dim)
            for i in range(size)
        ]
        if batched[1]:
            return F.stack(*parts, dim=0)
        (x,), (source,) = F.lift(size, batched[:1], x), F.lift(size, batched[2:], source)
        if len(F.shape(x)) == 1:  # of single numbers
            x, source = (F.reshape(v, shape=(size, 1)) for v in (x, source))
            return F.reshape(F.index_add(x, index, source, dim=1), shape=(size,))
        return F.index_add(x, index, source, dim=dim + 1)


def _row(F: Ops, value: Value, batched: bool, i: int) -> Value:
    return F.select(value, dim=0, index=i) if batched else value


def _check_gather(operation: str, x: Type, index: Type, dim: int) -> None:
    if index.dtype is not I64 and index.dtype != I64 and index.dtype != I32:
        raise DTypeError(explain(operation, "Expected dtype int32/int64 for index", index=index))
    if max(len(index.shape), 1) != max(len(x.shape), 1):
        raise ShapeError(
            explain(operation, "Index tensor must have the same number of dimensions as input tensor", x=x, index=index)
        )
    if any(i > n for d, (i, n) in enumerate(zip(index.shape, x.shape, strict=False)) if d != dim):
        raise ShapeError(
            explain(
                operation,
                f"Size does not match: expected index to be no larger than self apart from dimension {dim}",
                x=x,
                index=index,
            )
        )


class Gather(Op):
    """out[p, j, q] = x[p, index[p, j, q], q] along axis dim.  Shapes: x (*p, n, *q), index (*p', k, *q') with p' <= p, q' <= q -> index's shape.

    Raises RuntimeError for a position outside [0, n).
    """

    masks = "selects"
    tensors = ("index",)
    inputs, attrs, linear, nondiff, onnx = ("x", "index"), ("dim",), ("x",), ("index",), "GatherElements"
    numpy = jax = "K.gather({x}, {index}, {dim})"
    samples = (
        [A(4, 3), I(2, 3, below=4), 0],
        [A(4, 3), I(2, 2, below=3), 1],
        [A(4), I(6, below=4), 0],
        [A(4, 3), I(0, 3, below=4), 0],
        [A(), I(below=1), 0],
    )

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Value:  # noqa: A002
        """input at the positions index along dim."""
        axis = one_axis("gather", len(F.shape(input)), dim)
        own = F.type(index)
        if 0 in own.shape:  # torch looks at neither its dtype nor its other sizes
            nothing = F.full(shape=(0,) * len(F.shape(input)), value=0, dtype=I64)
            return F.reshape(F.gather(input, nothing, dim=axis), shape=own.shape)
        Gather.infer(F.type(input), own, axis)  # NumPy would broadcast
        return F.gather(input, index, dim=axis)

    @staticmethod
    def infer(x: Type, index: Type, dim: int) -> Type:
        """index's shape, x's dtype."""
        _check_gather("gather", x, index, dim)
        return Type(index.shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, index: Value, x_type: Type, dim: int) -> Value:
        return F.scatter_add(F.zeros(x_type), index, g, dim=dim)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value, dim: int) -> Value:
        own = F.shape(index)[batched[1] :]
        x, index = _with_axis(F, size, batched, x, index)
        return F.reshape(F.gather(x, index, dim=dim + 1), shape=(size, *own))


def _with_axis(F: Ops, size: int, batched: tuple[bool, ...], *values: Value) -> tuple[Value, ...]:
    """Operands of gather and scatter_add with a batch axis and at least one more, which a scalar stands for."""
    lifted = F.lift(size, batched, *values)
    return tuple(v if len(F.shape(v)) > 1 else F.reshape(v, shape=(size, 1)) for v in lifted)


class ScatterAdd(Op):
    """x with source added: out[p, index[p, j, q], q] += source[p, j, q].  Shapes: x (*p, n, *q), index no larger than source -> x's shape.

    Raises RuntimeError for a position outside [0, n).
    """

    inputs, attrs, linear, nondiff, inplace, onnx = (
        ("x", "index", "source"),
        ("dim",),
        ("x", "source"),
        ("index",),
        True,
        "ScatterElements",
    )
    tensors = ("index",)
    numpy = jax = "K.scatter_add({x}, {index}, {source}, {dim})"
    samples = (
        [A(4, 3), I(2, 3, below=4), A(2, 3), 0],
        [A(4, 3), I(2, 2, below=3), A(3, 2), 1],
        [A(4), I(6, below=4), A(6), 0],
        [A(), I(below=1), A(), 0],
    )

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: Any, src: Any) -> Value:  # noqa: A002
        """input with src added at the positions index along dim."""
        axis = one_axis("scatter_add", len(F.shape(input)), dim)
        if 0 in F.shape(index) and F.type(index).dtype != I64:  # torch does not look at the dtype of no positions
            index = F.as_dtype(index, I64)
        ScatterAdd.infer(F.type(input), F.type(index), F.type(src), axis)  # NumPy would broadcast
        if 0 in F.shape(index) and len(F.shape(src)) != len(F.shape(index)):  # nor at the shape of what it does not add
            return F.clone(input)
        return F.scatter_add(input, index, src, dim=axis)

    @staticmethod
    def infer(x: Type, index: Type, source: Type, dim: int) -> Type:
        """x's type."""
        if size_of(index.shape):
            _check_gather("scatter_add", x, index, dim)
            if len(source.shape) != len(index.shape) or any(
                i > n for i, n in zip(index.shape, source.shape, strict=True)
            ):
                raise ShapeError(
                    explain("scatter_add", "Expected index to be no larger than src", index=index, src=source)
                )
        if x.dtype != source.dtype:
            raise DTypeError(explain("scatter_add", "Expected self.dtype to be equal to src.dtype", x=x, src=source))
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_source(F: Ops, g: Value, index: Value, source_type: Type, dim: int) -> Value:
        part = F.gather(g, index, dim=dim)
        shape = F.shape(index)
        for d, (small, n) in enumerate(zip(shape, source_type.shape, strict=True)):
            if small != n:  # torch reads only the leading part of a larger source
                shape = (*shape[:d], n, *shape[d + 1 :])
                part = F.slice_backward(part, shape=shape, dim=d, start=0, stop=small, step=1)
        return part

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, index: Value, source: Value, dim: int) -> Value:
        own = F.shape(x)[batched[0] :]
        x, index, source = _with_axis(F, size, batched, x, index, source)
        return F.reshape(F.scatter_add(x, index, source, dim=dim + 1), shape=(size, *own))


class TakeAlongDim(Composite):
    """input at positions along dim, its other axes broadcast against those of indices.  Shapes: (*a, n, *b), (*a', k, *b') -> broadcast with k at dim."""

    samples = ([A(2, 3), I(2, 1, below=3), 1], [A(2, 3), I(1, 2, below=6)], [A(4, 3), I(1, 3, below=4), 0])

    @staticmethod
    def call(F: Ops, input: Any, indices: Any, dim: int | None = None) -> Value:  # noqa: A002
        """gather with broadcasting; with dim None positions count through all elements."""
        if F.type(indices).dtype != I64:
            raise DTypeError(explain("take_along_dim", "dtype of indices should be Long", indices=F.type(indices)))
        if dim is None:
            return F.gather(_flat(F, input), _flat(F, indices), dim=0)
        shape, own = F.shape(input), F.shape(indices)
        if len(shape) != len(own):
            raise ShapeError(
                explain(
                    "take_along_dim",
                    f"input and indices should have the same number of dimensions, but got {len(shape)} and {len(own)}",
                )
            )
        axis = one_axis("take_along_dim", len(shape), dim)
        common = broadcast("take_along_dim", (*shape[:axis], 1, *shape[axis + 1 :]), (*own[:axis], 1, *own[axis + 1 :]))
        indices = F.remainder(indices, shape[axis]) if shape[axis] else indices  # torch wraps positions here
        source = F.expand(input, shape=(*common[:axis], shape[axis], *common[axis + 1 :]))
        return F.gather(source, F.expand(indices, shape=(*common[:axis], own[axis], *common[axis + 1 :])), dim=axis)


def _flat(F: Ops, x: Any) -> Value:
    return F.reshape(x, shape=(size_of(F.shape(x)),))
