"""Operators that give the same elements, in the same order, another shape."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ir.families import Composite, Movement
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, one_axis, size_of
from tracegrad.ops.reinterpret import view_under


def sizes(operation: str, given: Sequence[Any]) -> Shape:
    """Sizes given one by one or as one sequence, as a tuple of ints.  Raises TypeError for anything that is no int."""
    items = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    try:
        return tuple(n if type(n) is int else operator.index(n) for n in items)
    except TypeError as error:
        raise ArgumentError(explain(operation, f"sizes must be ints, got {tuple(items)!r}")) from error


def given_sizes(operation: str, lengths: tuple[Any, ...], size: Any) -> tuple[Any, ...]:
    """What the user gave by position, or under the name size.  Raises TypeError for neither."""
    if lengths or size is not None:
        return lengths or (size,)
    raise ArgumentError(explain(operation, "missing argument: size"))


def complete(operation: str, shape: Shape, count: int) -> Shape:
    """`shape` with the one size -1 replaced so that it has `count` elements.  Raises RuntimeError when that cannot be."""
    if shape and min(shape) >= 0 and size_of(shape) == count:  # the ordinary case
        return shape
    wrong = [(i, n) for i, n in enumerate(shape) if n < -1]
    if wrong:
        raise ShapeError(
            explain(operation, f"invalid shape dimension {wrong[0][1]} at index {wrong[0][0]} of shape {list(shape)}")
        )
    if shape.count(-1) > 1:
        raise ShapeError(explain(operation, "only one dimension can be inferred", shape=list(shape)))
    rest = size_of(tuple(n for n in shape if n != -1))
    if -1 in shape:
        if not rest and not count:
            raise ShapeError(
                explain(
                    operation,
                    f"cannot reshape tensor of 0 elements into shape {list(shape)}: the size -1 can be any value and is ambiguous",
                )
            )
        if not rest or count % rest:
            raise ShapeError(explain(operation, f"shape '{list(shape)}' is invalid for input of size {count}"))
        return tuple(count // rest if n == -1 else n for n in shape)
    if rest != count:
        raise ShapeError(explain(operation, f"shape '{list(shape)}' is invalid for input of size {count}"))
    return shape


def distinct_axes(operation: str, ndim: int, dims: Sequence[Any]) -> tuple[int, ...]:
    """dims as non-negative axes in the given order.  Raises IndexError for one out of range, RuntimeError for one that appears twice."""
    axes = tuple(one_axis(operation, ndim, d) for d in dims)
    for i, d in enumerate(axes):
        if d in axes[:i]:
            raise ShapeError(explain(operation, f"dim {d} appears multiple times in the list of dims", dims=list(dims)))
    return axes


def _memory(x: Any) -> np.ndarray[Any, Any] | None:
    """The array behind an eager value; None for a graph node."""
    data = getattr(x, "_data", x)
    return data if isinstance(data, np.ndarray) else None


def _shares(data: np.ndarray[Any, Any], shape: Shape) -> bool:
    """Whether the reshaped array shows the same memory."""
    try:
        np.reshape(data, shape, copy=False)
    except ValueError:
        return False
    return True


class Reshape(Movement):
    """The elements of x, in row-major order, in another shape of the same size; a view where memory allows.  Shape: (*a) -> shape."""

    attrs, view = ("shape",), True
    numpy, jax, onnx = "{x}.reshape({shape})", "jnp.reshape({x}, {shape})", "Reshape"
    torch_name = "ViewBackward0"
    samples = ([A(2, 3), (3, 2)], [A(4), (2, 1, 2)], [A(), (1, 1)], [A(0, 3), (3, 0)])

    @staticmethod
    def call(F: Ops, input: Any, *size: Any, shape: Any = None) -> Value:  # noqa: A002
        """input in the shape `shape`, given as a sequence or as several ints; one size may be -1."""
        wanted = complete("reshape", sizes("reshape", size or (shape,)), size_of(F.shape(input)))
        data = _memory(input)
        if data is None or data.flags.c_contiguous:
            return F.reshape(input, shape=wanted)
        # the names of torch's history: a view of a strided tensor, or a view of its contiguous copy
        return (
            F.reshape_alias(input, shape=wanted)
            if _shares(data, wanted)
            else F.unsafe_view(F.clone(input), shape=wanted)
        )

    @staticmethod
    def infer(x: Type, shape: Shape) -> Type:
        """The new shape, of as many elements."""
        if size_of(shape) != size_of(x.shape):
            raise ShapeError(
                explain("reshape", f"shape '{list(shape)}' is invalid for input of size {size_of(x.shape)}", x=x)
            )
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.reshape(g, shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape) -> Value:
        return F.reshape(x, shape=(size, *shape))


class UnsafeView(Reshape):
    """Reshape of a value that nothing else shows, under torch's name for it.  Shape: (*a) -> shape."""

    view, function, method, call = False, False, False, None
    numpy = "np.array({x}, order='C').reshape({shape})"
    torch_name = "UnsafeViewBackward0"

    @staticmethod
    def decompose(F: Ops, x: Value, shape: Shape) -> Value:
        return F.reshape(x, shape=shape)


class ReshapeAlias(Reshape):
    """Reshape of a value that is not contiguous, under torch's name for it.  Shape: (*a) -> shape."""

    function, method, call = False, False, None
    torch_name = "ReshapeAliasBackward0"

    @staticmethod
    def decompose(F: Ops, x: Value, shape: Shape) -> Value:
        return F.reshape(x, shape=shape)


class View(Composite):
    """input in another shape, sharing its memory.  Shape: (*a) -> shape.  Raises RuntimeError where memory does not allow it."""

    function = False
    samples = ([A(2, 3), (3, 2)], [A(4), (2, -1)])

    @staticmethod
    def call(F: Ops, input: Any, *lengths: Any, size: Any = None, dtype: Any = None) -> Value:  # noqa: A002
        """input in the shape given as a sequence or as several ints; one size may be -1.  Or, for a dtype, input's bytes read as that dtype."""
        size = given_sizes("view", lengths, size if dtype is None else dtype)
        if len(size) == 1 and isinstance(size[0], str):
            raise ArgumentError(explain("view", f"sizes must be ints, got {size[0]!r}"))
        if len(size) == 1 and (isinstance(size[0], dtypes.dtype) or size[0] in (float, int, bool, complex)):
            return view_under(F, input, size[0])
        wanted = complete("view", sizes("view", size), size_of(F.shape(input)))
        data = _memory(input)
        if data is not None and not data.flags.c_contiguous and not _shares(data, wanted):
            raise ShapeError(
                explain(
                    "view",
                    f"view size {list(wanted)} is not compatible with the strides of a tensor of shape {list(data.shape)}",
                    "Use reshape",
                )
            )
        return F.reshape(input, shape=wanted)


class ViewAs(Composite):
    """input in the shape of other.  Shapes: (*a), (*b) -> (*b)."""

    function, samples = False, ([A(2, 3), A(3, 2)],)

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """input.view(other.shape)."""
        return F.view(input, F.shape(other))


class ReshapeAs(Composite):
    """input in the shape of other, copied if need be.  Shapes: (*a), (*b) -> (*b)."""

    function, samples = False, ([A(2, 3), A(3, 2)],)

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """input.reshape(other.shape)."""
        return Reshape.call(F, input, F.shape(other))


class Flatten(Composite):
    """The axes from start_dim to end_dim as one.  Shape: (*a, *b, *c) -> (*a, product of b, *c).  A value with one axis is returned itself."""

    samples = ([A(2, 3, 4)], [A()], [A(2, 3, 4), 1], [A(2, 3, 4), 0, -2])

    @staticmethod
    def call(F: Ops, input: Any, start_dim: int = 0, end_dim: int = -1) -> Value:  # noqa: A002
        """input with the axes start_dim to end_dim (inclusive) merged."""
        shape = F.shape(input)
        start, end = (one_axis("flatten", len(shape), d) for d in (start_dim, end_dim))
        if start > end:
            raise ShapeError(explain("flatten", "flatten() has invalid args: start_dim cannot come after end_dim"))
        if not shape:
            return Reshape.call(F, input, (1,))
        return (
            input
            if start == end
            else Reshape.call(F, input, (*shape[:start], size_of(shape[start : end + 1]), *shape[end + 1 :]))
        )


class Ravel(Composite):
    """All elements along one axis.  Shape: (*a) -> (product of a,)."""

    samples = ([A(2, 3)], [A()])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """input.reshape(-1), copied unless it is contiguous."""
        data, shape = _memory(input), (size_of(F.shape(input)),)
        return F.reshape(input if data is None or data.flags.c_contiguous else F.clone(input), shape=shape)


class Unflatten(Composite):
    """One axis as several.  Shape: (*a, n, *b) -> (*a, *sizes, *b), with n elements in sizes."""

    samples = ([A(6, 2), 0, (2, 3)], [A(6, 2), 0, (2, -1)])

    @staticmethod
    def call(F: Ops, input: Any, dim: int, sizes: Any) -> Value:  # noqa: A002
        """input with the axis dim opened into `sizes`; one of them may be -1."""
        shape = F.shape(input)
        axis = one_axis("unflatten", len(shape), dim)
        if not shape:
            raise ShapeError(explain("unflatten", "a value without axes has none to open"))
        opened = complete("unflatten", tuple(sizes), shape[axis])
        return F.reshape(input, shape=(*shape[:axis], *opened, *shape[axis + 1 :]))


class Unsqueeze(Movement):
    """x with an axis of size 1 inserted at dim.  Shape: (*a, *b) -> (*a, 1, *b)."""

    attrs, view = ("dim",), True
    numpy, jax, onnx = "K.unsqueeze({x}, {dim})", "jnp.expand_dims({x}, {dim})", "Unsqueeze"
    samples = ([A(2, 3), 0], [A(2, 3), 2], [A(), 0], [A(0), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: int) -> Value:  # noqa: A002
        """input with a new axis before axis dim; dim may be negative, from the end of the result."""
        return F.unsqueeze(input, dim=one_axis("unsqueeze", len(F.shape(input)) + 1, dim))

    @staticmethod
    def infer(x: Type, dim: int) -> Type:
        """The shape with a 1 at dim."""
        return Type((*x.shape[:dim], 1, *x.shape[dim:]), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.reshape(g, shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int) -> Value:
        return F.unsqueeze(x, dim=dim + 1)

    @staticmethod
    def decompose(F: Ops, x: Value, dim: int) -> Value:
        shape = F.shape(x)
        return F.reshape(x, shape=(*shape[:dim], 1, *shape[dim:]))


def squeezed(shape: Shape, dim: Any) -> Shape:
    """`shape` without the sizes 1 among the axes dim (None: all; an int; a tuple)."""
    axes = range(len(shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    return tuple(n for i, n in enumerate(shape) if n != 1 or i not in axes)


class Squeeze(Movement):
    """x without axes of size 1: all of them, or those among dim.  Shape: (*a) -> a without 1s."""

    attrs, view = ("dim",), True
    numpy, jax = "K.squeeze({x}, {dim})", "K.squeeze({x}, {dim})"
    samples = ([A(2, 1, 3), None], [A(2, 1, 1), 1], [A(2, 1), 0], [A(1, 3, 1), (0, 2)], [A(), None])

    @staticmethod
    def torch_name(dim: Any) -> str:
        return "SqueezeBackward0" if dim is None else "SqueezeBackward1" if isinstance(dim, int) else "SqueezeBackward2"

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None) -> Value:  # noqa: A002
        """input without its axes of size 1, or without those among dim (an int or ints) that have size 1."""
        ndim = len(F.shape(input))
        if dim is None:
            return F.squeeze(input, dim=None)
        if isinstance(dim, (tuple, list)):
            return F.squeeze(input, dim=distinct_axes("squeeze", ndim, dim))
        return F.squeeze(input, dim=one_axis("squeeze", ndim, dim))

    @staticmethod
    def infer(x: Type, dim: Any) -> Type:
        """The shape without those axes."""
        return Type(squeezed(x.shape, dim), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.reshape(g, shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: Any) -> Value:
        return F.reshape(x, shape=(size, *squeezed(F.shape(x)[1:], dim)))

    @staticmethod
    def decompose(F: Ops, x: Value, dim: Any) -> Value:
        return F.reshape(x, shape=squeezed(F.shape(x), dim))
