"""Operators that take pieces of a value: select, slice, split, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentError, IndexingError, ShapeError, explain
from tracegrad.ir.families import Composite, Movement
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, one_axis
from tracegrad.ops.checks import is_known, whole
from tracegrad.ops.control import Alias


def _replaced(shape: Shape, dim: int, *sizes: int) -> Shape:
    return (*shape[:dim], *sizes, *shape[dim + 1 :])


def _index_source(x: str, dim: int, item: str) -> str:
    return f"{x}[{':, ' * dim}{item}]"


class Whole(Alias):
    """A view of all of x: what x[...] gives.  Shape: (*a) -> (*a)."""

    torch_name = "AliasBackward0"

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return x


class Select(Movement):
    """x at one position of an axis.  Shape: (*a, n, *b) -> (*a, *b)."""

    masks = "selects"
    attrs, view = ("dim", "index"), True
    numpy, jax = "K.select_axis({x}, {dim}, {index})", "jax.lax.index_in_dim({x}, {index}, {dim}, keepdims=False)"
    samples = ([A(2, 3), 0, 1], [A(2, 3, 4), 1, 2], [A(3), 0, 0])

    @staticmethod
    def expression(backend: str, x: str, dim: int, index: int) -> str:
        return _index_source(x, dim, f"{index}, ..." if backend == "numpy" else str(index))

    @staticmethod
    def call(F: Ops, input: Any, dim: int, index: int) -> Value:  # noqa: A002
        """input at position index of axis dim; both may be negative."""
        shape = F.shape(input)
        if not shape:
            raise IndexingError(explain("select", "select() cannot be applied to a 0-dim tensor."))
        axis = one_axis("select", len(shape), dim)
        return F.select(input, dim=axis, index=position("select", shape, axis, index))

    @staticmethod
    def infer(x: Type, dim: int, index: int) -> Type:
        """The shape without the axis."""
        return Type(_replaced(x.shape, dim), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: int, index: int) -> Value:
        return F.select_backward(g, shape=x_type.shape, dim=dim, index=index)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int, index: int) -> Value:
        return F.select(x, dim=dim + 1, index=index)


def position(operation: str, shape: Shape, dim: int, index: Any) -> int:
    """`index` as a non-negative position on axis dim.  Raises IndexError when it is outside, TypeError for a fraction."""
    if isinstance(index, float):
        raise ArgumentError(explain(operation, "argument 'index' must be int, not float"))
    size, i = shape[dim], int(index)
    if not -size <= i < size:
        raise IndexingError(
            explain(operation, f"index {i} is out of bounds for dimension {dim} with size {size}", shape=list(shape))
        )
    return i + size if i < 0 else i


class SelectBackward(Movement):
    """Zeros with x at one position of an axis.  Shape: (*a, *b) -> shape = (*a, n, *b)."""

    attrs, function, method = ("shape", "dim", "index"), False, False
    numpy, jax = "K.put_select({x}, {shape}, {dim}, {index})", "K.put_select({x}, {shape}, {dim}, {index})"
    torch_name = "SelectBackwardBackward0"
    samples = ([A(3), (2, 3), 0, 1], [A(2, 4), (2, 3, 4), 1, 2], [A(), (3,), 0, 0])

    @staticmethod
    def infer(x: Type, shape: Shape, dim: int, index: int) -> Type:
        """The given shape."""
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, dim: int, index: int) -> Value:
        return F.select(g, dim=dim, index=index)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape, dim: int, index: int) -> Value:
        return F.select_backward(x, shape=(size, *shape), dim=dim + 1, index=index)


class Slice(Movement):
    """x[start:stop:step] along one axis, with 0 <= start <= stop <= n and step > 0.  Shape: (*a, n, *b) -> (*a, count, *b)."""

    masks = "selects"
    attrs, view, function, method = ("dim", "start", "stop", "step"), True, False, False
    numpy = "K.slice_axis({x}, {dim}, {start}, {stop}, {step})"
    jax = "jax.lax.slice_in_dim({x}, {start}, {stop}, {step}, {dim})"
    samples = ([A(5), 0, 1, 4, 1], [A(2, 6), 1, 0, 6, 2], [A(2, 3), 0, 1, 1, 1], [A(0, 3), 1, 1, 3, 1])

    @staticmethod
    def expression(backend: str, x: str, dim: int, start: int, stop: int, step: int) -> str:
        return _index_source(x, dim, f"{start or ''}:{stop}" + (f":{step}" if step != 1 else ""))

    @staticmethod
    def infer(x: Type, dim: int, start: int, stop: int, step: int) -> Type:
        """The shape with the number of positions."""
        return Type(_replaced(x.shape, dim, len(range(start, stop, step))), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: int, start: int, stop: int, step: int) -> Value:
        return F.slice_backward(g, shape=x_type.shape, dim=dim, start=start, stop=stop, step=step)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int, start: int, stop: int, step: int) -> Value:
        return F.slice(x, dim=dim + 1, start=start, stop=stop, step=step)


class SliceBackward(Movement):
    """Zeros with x in a slice of one axis.  Shape: (*a, count, *b) -> shape = (*a, n, *b)."""

    attrs, function, method = ("shape", "dim", "start", "stop", "step"), False, False
    numpy = jax = "K.put_slice({x}, {shape}, {dim}, {start}, {stop}, {step})"
    torch_name = "SliceBackwardBackward0"
    samples = ([A(3), (5,), 0, 1, 4, 1], [A(2, 3), (2, 6), 1, 0, 6, 2], [A(0, 3), (2, 3), 0, 1, 1, 1])

    @staticmethod
    def infer(x: Type, shape: Shape, dim: int, start: int, stop: int, step: int) -> Type:
        """The given shape."""
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, dim: int, start: int, stop: int, step: int) -> Value:
        return F.slice(g, dim=dim, start=start, stop=stop, step=step)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, shape: Shape, dim: int, start: int, stop: int, step: int
    ) -> Value:
        return F.slice_backward(x, shape=(size, *shape), dim=dim + 1, start=start, stop=stop, step=step)


class SplitPiece(Slice):
    """One result of split with one size: a slice, under torch's name.  Shape: (*a, n, *b) -> (*a, count, *b)."""

    torch_name, one_of_many, result_number = "SplitBackward0", True, "position"
    attrs = (*Slice.attrs, "position")
    samples = ([A(5), 0, 2, 4, 1, 1], [A(2, 6), 1, 0, 3, 1, 0])

    @staticmethod
    def expression(backend: str, x: str, dim: int, start: int, stop: int, step: int, position: int = 0) -> str:
        return Slice.expression(backend, x, dim, start, stop, step)

    @staticmethod
    def infer(x: Type, dim: int, start: int, stop: int, step: int, position: int = 0) -> Type:
        """The shape with the number of positions."""
        return Slice.infer(x, dim, start, stop, step)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, dim: int, start: int, stop: int, step: int, position: int = 0
    ) -> Value:
        return F.slice(x, dim=dim + 1, start=start, stop=stop, step=step)

    @staticmethod
    def decompose(F: Ops, x: Value, dim: int, start: int, stop: int, step: int, position: int) -> Value:
        return F.slice(x, dim=dim, start=start, stop=stop, step=step)


class SplitSizesPiece(SplitPiece):
    """One result of split with several sizes: a slice, under torch's name.  Shape: (*a, n, *b) -> (*a, count, *b)."""

    torch_name = "SplitWithSizesBackward0"


class UnbindPiece(Select):
    """One result of unbind: select, under torch's name.  Shape: (*a, n, *b) -> (*a, *b)."""

    function, method, call = False, False, None
    torch_name, one_of_many, result_number = "UnbindBackward0", True, "index"

    @staticmethod
    def decompose(F: Ops, x: Value, dim: int, index: int) -> Value:
        return F.select(x, dim=dim, index=index)


class Narrow(Composite):
    """`length` positions of an axis from `start` on.  Shape: (*a, n, *b) -> (*a, length, *b)."""

    samples = ([A(2, 5), 1, 1, 3], [A(4), 0, -2, 2])

    @staticmethod
    def call(F: Ops, input: Any, dim: int, start: Any, length: int) -> Value:  # noqa: A002
        """input[start : start + length] along dim; start may be negative."""
        shape = F.shape(input)
        if not shape:
            raise ShapeError(explain("narrow", "narrow() cannot be applied to a 0-dim tensor."))
        axis = one_axis("narrow", len(shape), dim)
        size = shape[axis]
        if type(start) is not int and not is_known(start):
            _start(start, read=False)
            return _narrow_at(F, input, axis, start, length)
        first = _start(start)
        if not -size <= first <= size:
            raise IndexingError(
                explain("narrow", f"start {first} is out of range [-{size}, {size}]", shape=list(shape))
            )
        first += size if first < 0 else 0
        if length < 0:
            raise ShapeError(explain("narrow", f"length must be non-negative, got {length}"))
        if first + length > size:
            raise ShapeError(
                explain(
                    "narrow", f"start ({first}) + length ({length}) exceeds dimension size ({size}).", shape=list(shape)
                )
            )
        return F.slice(input, dim=axis, start=first, stop=first + length, step=1)


def _narrow_at(F: Ops, x: Any, axis: int, start: Any, length: int) -> Value:
    """narrow from a position that is computed in a recording: a copy."""
    size = F.shape(x)[axis]
    if not 0 <= length <= size:
        raise ShapeError(explain("narrow", f"length {length} is outside [0, {size}]"))
    first = F.as_dtype(F.where(F.lt(start, 0), F.add(start, size), start), I64)
    counted = F.arange(start=0, step=1, count=length, dtype=I64)
    return F.index_select(x, F.add(counted, first), dim=axis)


def _start(start: Any, read: bool = True) -> int:
    """The start of narrow: an int, or a 0-d whole-number Tensor.  Raises RuntimeError for a Tensor of another kind."""
    data = getattr(start, "_data", None)
    if data is not None and (data.ndim or data.dtype.kind not in "iu"):
        raise ShapeError(explain("narrow", "start must be an 0-dim integral Tensor.", shape=list(data.shape)))
    if data is not None:
        return int(data) if read else 0
    return whole("narrow", "start", start)


class Split(Composite):
    """Views of consecutive pieces along an axis: each of one size (the last may be smaller), or of the given sizes.  Shape: (n, ...) -> several (m, ...)."""

    samples = ([A(5), 2], [A(5, 2), [2, 3]], [A(2, 6), 3, 1], [A(0), 2])

    @staticmethod
    def call(F: Ops, tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Value, ...]:
        """The pieces of tensor along dim as a tuple."""
        shape = F.shape(tensor)
        if not shape:
            raise ShapeError(explain("split", "split expects at least a 1-dimensional tensor"))
        axis = one_axis("split", len(shape), dim)
        if isinstance(split_size_or_sections, (tuple, list)):
            lengths = [whole("split", "split_sizes", n) for n in split_size_or_sections]
            return _by_sizes(F, tensor, shape[axis], lengths, axis)
        return _by_size(F, tensor, shape[axis], whole("split", "split_size", split_size_or_sections), axis)


def _by_size(F: Ops, x: Any, total: int, size: int, axis: int) -> tuple[Value, ...]:
    if size < 0:
        raise ShapeError(explain("split", f"split expects split_size be non-negative, but got split_size={size}"))
    if not size and total:
        raise ShapeError(
            explain("split", f"split_size can only be 0 if dimension size is 0, but got dimension size of {total}")
        )
    starts = range(0, total, size) if total else (0,)
    return tuple(
        F.split_piece(x, dim=axis, start=i, stop=min(i + size, total), step=1, position=n) for n, i in enumerate(starts)
    )


def _by_sizes(F: Ops, x: Any, total: int, sizes: Sequence[int], axis: int) -> tuple[Value, ...]:
    if any(n < 0 for n in sizes):
        raise ShapeError(
            explain(
                "split",
                f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}",
            )
        )
    if sum(sizes) != total:
        raise ShapeError(
            explain(
                "split",
                f"split_with_sizes expects split_sizes to sum exactly to {total}, but got split_sizes={list(sizes)}",
            )
        )
    ends = np.cumsum(sizes, dtype=int).tolist()
    return tuple(
        F.split_sizes_piece(x, dim=axis, start=end - n, stop=end, step=1, position=i)
        for i, (n, end) in enumerate(zip(sizes, ends, strict=True))
    )


class Chunk(Composite):
    """Views of at most `chunks` pieces of one size (the last may be smaller).  Shape: (n, ...) -> several (m, ...)."""

    samples = ([A(5), 2], [A(2, 6), 3, 1], [A(2), 4])

    @staticmethod
    def call(F: Ops, input: Any, chunks: int, dim: int = 0) -> tuple[Value, ...]:  # noqa: A002
        """The pieces of input along dim as a tuple."""
        shape = F.shape(input)
        if not shape:
            raise ShapeError(explain("chunk", "chunk expects at least a 1-dimensional tensor"))
        if chunks <= 0:
            raise ShapeError(explain("chunk", f"chunk expects `chunks` to be greater than 0, got: {chunks}"))
        axis = one_axis("chunk", len(shape), dim)
        size = -(-shape[axis] // chunks)
        if not size:  # torch gives as many empty pieces as were asked for
            return _by_sizes(F, input, 0, [0] * chunks, axis)
        return _by_size(F, input, shape[axis], size, axis)


class Unbind(Composite):
    """Views of all positions of an axis.  Shape: (*a, n, *b) -> n times (*a, *b)."""

    samples = ([A(2, 3)], [A(2, 3), 1], [A(0, 3)])

    @staticmethod
    def call(F: Ops, input: Any, dim: int = 0) -> tuple[Value, ...]:  # noqa: A002
        """The slices of input along dim as a tuple.  Raises IndexError for a 0-d input."""
        shape = F.shape(input)
        if not shape:
            raise IndexingError(explain("unbind", "Dimension specified as 0 but tensor has no dimensions"))
        axis = one_axis("unbind", len(shape), dim)
        return tuple(F.unbind_piece(input, dim=axis, index=i) for i in range(shape[axis]))


class Diagonal(Movement):
    """The elements x[..., i, ..., i + offset, ...] on a new last axis.  Shape: x without dim1 and dim2, and the diagonal's length at the end."""

    masks = "selects"
    attrs, view = ("offset", "dim1", "dim2"), True
    numpy, jax = "K.diagonal({x}, {offset}, {dim1}, {dim2})", "jnp.diagonal({x}, {offset}, {dim1}, {dim2})"
    samples = ([A(3, 3), 0, 0, 1], [A(2, 4), 1, 0, 1], [A(3, 2, 4), -1, 2, 0], [A(2, 3), 5, 0, 1])

    @staticmethod
    def call(F: Ops, input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:  # noqa: A002
        """The diagonal of input over the axes dim1 and dim2; a view."""
        ndim = len(F.shape(input))
        first, second = one_axis("diagonal", ndim, dim1), one_axis("diagonal", ndim, dim2)
        if first == second:
            raise ShapeError(explain("diagonal", f"diagonal dimensions cannot be identical {dim1}, {dim2}"))
        return F.diagonal(input, offset=whole("diagonal", "offset", offset), dim1=first, dim2=second)

    @staticmethod
    def infer(x: Type, offset: int, dim1: int, dim2: int) -> Type:
        """The other axes, then the diagonal."""
        n, m = x.shape[dim1], x.shape[dim2]
        count = max(min(n, m - offset) if offset >= 0 else min(n + offset, m), 0)
        return Type((*(size for i, size in enumerate(x.shape) if i not in (dim1, dim2)), count), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, offset: int, dim1: int, dim2: int) -> Value:
        return F.diagonal_backward(g, shape=x_type.shape, offset=offset, dim1=dim1, dim2=dim2)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, offset: int, dim1: int, dim2: int) -> Value:
        return F.diagonal(x, offset=offset, dim1=dim1 + 1, dim2=dim2 + 1)


class DiagonalBackward(Movement):
    """Zeros with x on a diagonal.  Shape: (*a, count) -> shape."""

    attrs, function, method = ("shape", "offset", "dim1", "dim2"), False, False
    numpy = jax = "K.put_diagonal({x}, {shape}, {offset}, {dim1}, {dim2})"
    torch_name = "DiagonalBackwardBackward0"
    samples = (
        [A(3), (3, 3), 0, 0, 1],
        [A(2), (2, 4), 1, 0, 1],
        [A(2, 3), (3, 2, 4), -1, 2, 0],
        [A(0), (2, 3), 5, 0, 1],
    )

    @staticmethod
    def infer(x: Type, shape: Shape, offset: int, dim1: int, dim2: int) -> Type:
        """The given shape."""
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, offset: int, dim1: int, dim2: int) -> Value:
        return F.diagonal(g, offset=offset, dim1=dim1, dim2=dim2)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape, offset: int, dim1: int, dim2: int) -> Value:
        return F.diagonal_backward(x, shape=(size, *shape), offset=offset, dim1=dim1 + 1, dim2=dim2 + 1)
