"""Views by strides and windows along an axis.  Their elements may lie in one place of memory: their derivatives add there."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ir.families import Movement
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, one_axis, size_of
from tracegrad.kernels.windows import extent, memory_of, offset_of, within
from tracegrad.ops.checks import whole
from tracegrad.ops.control import Alias

Array = np.ndarray[Any, Any]


class AsStrided(Movement):
    """The elements offset + sum(i * strides) of x as it lies in memory: with the strides `layout`, or row-major for ().  Shape: (*a) -> shape."""

    masks = "selects"
    attrs, view = ("shape", "strides", "offset", "layout"), True
    numpy = jax = "K.as_strided({x}, {shape}, {strides}, {offset}, {layout})"
    samples = (
        [A(2, 3), (3, 2), (1, 3), 0, ()],
        [A(6), (4, 3), (1, 1), 0, ()],
        [A(3, 4), (2, 2, 2), (0, 2, 3), 1, ()],
        [A(2, 3), (2, 2), (2, 1), 1, (1, 2)],
        [A(3, 2), (3,), (4,), 0, (4, 1)],
        [A(4), (), (), 2, ()],
        [A(4), (0, 2), (1, 1), 0, ()],
    )

    @staticmethod
    def call(F: Ops, input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Value:  # noqa: A002
        """input's memory shown with these sizes and strides, from storage_offset on (counted from the beginning of the memory; input's own by default)."""
        shape, strides = (_ints("as_strided", name, v) for name, v in (("size", size), ("stride", stride)))
        _check_strides(shape, strides, storage_offset)
        data = input._data if hasattr(input, "_data") else input
        own = offset_of(data)
        offset = (own if storage_offset is None else int(storage_offset)) - own
        layout = () if data.flags.c_contiguous else tuple(s // data.itemsize for s in data.strides)
        check_memory(data, shape, strides, own + offset)
        if not within(data.shape, layout, shape, strides, offset):
            base = _base(input)
            if base is not input:  # elements of the base that input does not show
                return AsStrided.call(F, base, shape, strides, own + offset)
        return F.as_strided(input, shape=shape, strides=strides, offset=offset, layout=layout)

    @staticmethod
    def infer(x: Type, shape: Shape, strides: Shape, offset: int, layout: Shape) -> Type:
        """The given shape.  Raises RuntimeError when an element is none of x's."""
        if not within(x.shape, layout, shape, strides, offset):
            raise ShapeError(
                explain(
                    "as_strided",
                    f"shape {list(shape)} with strides {list(strides)} and offset {offset} reads memory that is not x's",
                    x=x,
                )
            )
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, strides: Shape, offset: int, layout: Shape) -> Value:
        return F.put_strided(g, shape=x_type.shape, strides=strides, offset=offset, layout=layout)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, shape: Shape, strides: Shape, offset: int, layout: Shape
    ) -> Value:
        strides, layout = _batched(F.shape(x)[1:], strides, layout)
        return F.as_strided(x, shape=(size, *shape), strides=strides, offset=offset, layout=layout)


class StridedOrZero(AsStrided):
    """as_strided as a copy, with zeros for elements that are none of x's: how a derivative reads.  Shape: (*a) -> shape."""

    view, function, method, torch_name = False, False, False, "AsStridedBackward0"
    numpy = jax = "K.strided_or_zero({x}, {shape}, {strides}, {offset}, {layout})"

    @staticmethod
    def infer(x: Type, shape: Shape, strides: Shape, offset: int, layout: Shape) -> Type:
        """The given shape."""
        return Type(shape, x.dtype)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, shape: Shape, strides: Shape, offset: int, layout: Shape
    ) -> Value:
        rows = [
            F.strided_or_zero(F.select(x, dim=0, index=i), shape=shape, strides=strides, offset=offset, layout=layout)
            for i in range(size)
        ]
        return F.stack(*rows, dim=0)


class PutStrided(Movement):
    """Zeros of `shape` to which x is added where as_strided reads; elements read twice get both.  Shape: (*a) -> shape."""

    stored = False  # elements that are shown twice are added up
    attrs, function, method, quiet = ("shape", "strides", "offset", "layout"), False, False, False
    torch_name = "AsStridedBackward0"
    numpy = jax = "K.put_strided({x}, {shape}, {strides}, {offset}, {layout})"
    samples = (
        [A(3, 2), (2, 3), (1, 3), 0, ()],
        [A(4, 3), (6,), (1, 1), 0, ()],
        [A(2, 2), (2, 3), (2, 1), 1, (1, 2)],
        [A(), (4,), (), 2, ()],
        [A(0, 2), (4,), (1, 1), 0, ()],
    )

    @staticmethod
    def infer(x: Type, shape: Shape, strides: Shape, offset: int, layout: Shape) -> Type:
        """The given shape."""
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, strides: Shape, offset: int, layout: Shape) -> Value:
        return F.strided_or_zero(g, shape=x_type.shape, strides=strides, offset=offset, layout=layout)

    @staticmethod
    def batch(
        F: Ops, size: int, batched: Any, x: Value, shape: Shape, strides: Shape, offset: int, layout: Shape
    ) -> Value:
        strides, layout = _batched(shape, strides, layout)
        return F.put_strided(x, shape=(size, *shape), strides=strides, offset=offset, layout=layout)


class WrittenBase(Alias):
    """What a write through a view left of its base, under torch's name for it.  Shape: (*a) -> (*a)."""

    torch_name = "CopySlices"

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return x


class ReadAgain(Alias):
    """A view read from its written base by its own operators, under torch's name for it.  Shape: (*a) -> (*a)."""

    torch_name = "AsStridedBackward0"

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return x


class Unfold(Movement):
    """Windows of `length` elements that begin every `step` elements of an axis, their elements on a new last axis.

    Shape: (*a, n, *b) -> (*a, (n - length) // step + 1, *b, length); () counts as (1,).
    """

    attrs, view, function = ("dim", "length", "step"), True, False
    numpy = jax = "K.unfold({x}, {dim}, {length}, {step})"
    samples = ([A(7), 0, 3, 2], [A(2, 5), 1, 2, 1], [A(4, 3), 0, 4, 1], [A(3, 2), 0, 0, 1], [A(0, 3), 1, 2, 1])

    @staticmethod
    def call(F: Ops, input: Any, dimension: int, size: int, step: int) -> Value:  # noqa: A002
        """The windows of input along an axis; a view.  Raises RuntimeError for a window longer than the axis or a step below 1."""
        shape = F.shape(input)
        axis = one_axis("unfold", len(shape), dimension)
        length, pace = whole("unfold", "size", size), whole("unfold", "step", step)
        if not shape:  # () counts as (1,), and its one window loses the axis of windows
            shape = (1,)
        if length < 0:
            raise ShapeError(explain("unfold", f"size is {length} but must be >= 0"))
        if length > shape[axis]:
            raise ShapeError(
                explain("unfold", f"maximum size for tensor at dimension {axis} is {shape[axis]} but size is {length}")
            )
        if pace <= 0:
            raise ShapeError(explain("unfold", f"step is {pace} but must be > 0"))
        if not F.shape(input):
            return F.slice(F.unsqueeze(input, dim=0), dim=0, start=0, stop=length, step=1)
        return F.unfold(input, dim=axis, length=length, step=pace)

    @staticmethod
    def infer(x: Type, dim: int, length: int, step: int) -> Type:
        """The number of windows in place of the axis, and their length at the end."""
        count = (x.shape[dim] - length) // step + 1
        return Type((*x.shape[:dim], count, *x.shape[dim + 1 :], length), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, dim: int, length: int, step: int) -> Value:
        return F.put_unfolded(g, shape=x_type.shape, dim=dim, length=length, step=step)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int, length: int, step: int) -> Value:
        return F.unfold(x, dim=dim + 1, length=length, step=step)


class PutUnfolded(Movement):
    """Zeros of `shape` to which the windows x are added in their places.  Shape: (*a, count, *b, length) -> shape."""

    stored = False  # elements that are shown twice are added up
    attrs, function, method, quiet = ("shape", "dim", "length", "step"), False, False, False
    numpy = jax = "K.put_unfolded({x}, {shape}, {dim}, {length}, {step})"
    torch_name = "UnfoldBackwardBackward0"
    samples = ([A(3, 3), (7,), 0, 3, 2], [A(2, 4, 2), (2, 5), 1, 2, 1], [A(1, 3, 4), (4, 3), 0, 4, 1])

    @staticmethod
    def infer(x: Type, shape: Shape, dim: int, length: int, step: int) -> Type:
        """The given shape."""
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, dim: int, length: int, step: int) -> Value:
        return F.unfold(g, dim=dim, length=length, step=step)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape, dim: int, length: int, step: int) -> Value:
        return F.put_unfolded(x, shape=(size, *shape), dim=dim + 1, length=length, step=step)


def _base(x: Any) -> Any:
    while hasattr(x, "_view"):
        x = x._view[0]
    return x


def _ints(operation: str, name: str, values: Any) -> Shape:
    if not isinstance(values, (tuple, list)):
        raise ArgumentError(
            explain(operation, f"argument {name!r} must be a tuple of ints, not {type(values).__name__}")
        )
    return tuple(whole(operation, name, v) for v in values)


def _check_strides(shape: Shape, strides: Shape, offset: Any) -> None:
    if len(shape) != len(strides):
        raise ShapeError(
            explain(
                "as_strided",
                f"mismatch in length of strides and shape: {len(strides)} strides, {len(shape)} sizes",
                size=list(shape),
                stride=list(strides),
            )
        )
    if min((0, *strides)) < 0:
        raise ShapeError(explain("as_strided", "Negative strides are not supported", stride=list(strides)))
    if min((0, *shape)) < 0:
        raise ShapeError(explain("as_strided", "Trying to create tensor with negative dimension", size=list(shape)))
    if offset is not None and offset < 0:
        raise ShapeError(explain("as_strided", "Tensor: invalid storage offset", storage_offset=offset))


def check_memory(data: Array, shape: Shape, strides: Shape, offset: int) -> None:
    """Raise RuntimeError where a view by strides leaves the memory of an array."""
    if 0 in shape:
        return
    memory = memory_of(data)
    held = data.size if memory is None else memory.nbytes // data.itemsize
    needed = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + 1
    if needed > held:
        raise ShapeError(
            explain(
                "as_strided",
                f"sizes {list(shape)}, strides {list(strides)} and storage offset {offset} are out of bounds for storage of size {held * data.itemsize}",
            )
        )


def _batched(own: Shape, strides: Shape, layout: Shape) -> tuple[Shape, Shape]:
    """Strides and layout of a stack of such values, one behind the other in memory."""
    pace = extent(own, layout) if layout else size_of(own)
    return (pace, *strides), (pace, *layout) if layout else ()
