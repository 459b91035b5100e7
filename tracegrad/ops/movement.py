"""Operators that rearrange or repeat elements, or zero a triangle of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ir.families import Composite, Movement
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, one_axis
from tracegrad.ops.checks import whole
from tracegrad.ops.reshape import distinct_axes, given_sizes, sizes


class Permute(Movement):
    """x with its axes in the order dims.  Shape: (a0, a1, ...) -> (a[dims[0]], a[dims[1]], ...)."""

    attrs, view = ("dims",), True
    numpy, jax, onnx = "{x}.transpose({dims})", "jnp.transpose({x}, {dims})", "Transpose"
    samples = ([A(2, 3, 4), (2, 0, 1)], [A(2, 3), (1, 0)], [A(), ()])

    @staticmethod
    def call(F: Ops, input: Any, *order: Any, dims: Any = None) -> Value:  # noqa: A002
        """input with its axes in the order dims, given as a sequence or as several ints."""
        ndim, wanted = len(F.shape(input)), sizes("permute", order or (dims,))
        if len(wanted) != ndim:
            raise ShapeError(
                explain(
                    "permute",
                    f"the number of dims {len(wanted)} does not match the {ndim} axes of the input",
                    dims=list(wanted),
                )
            )
        return F.permute(input, dims=distinct_axes("permute", ndim, wanted))

    @staticmethod
    def infer(x: Type, dims: Shape) -> Type:
        """The permuted shape."""
        if sorted(dims) != list(range(len(x.shape))):
            raise ShapeError(explain("permute", f"dims={dims} is not an order of the {len(x.shape)} axes", x=x))
        return Type(tuple(x.shape[d] for d in dims), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, dims: Shape) -> Value:
        return F.permute(g, dims=tuple(sorted(range(len(dims)), key=dims.__getitem__)))

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dims: Shape) -> Value:
        return F.permute(x, dims=(0, *(d + 1 for d in dims)))


class Transpose(Movement):
    """x with two axes exchanged.  Shape: (..., n, ..., m, ...) -> (..., m, ..., n, ...)."""

    attrs, view, aliases = ("dim0", "dim1"), True, ("swapaxes", "swapdims")
    numpy, jax = "{x}.swapaxes({dim0}, {dim1})", "jnp.swapaxes({x}, {dim0}, {dim1})"
    samples = ([A(2, 3, 4), 0, 2], [A(2, 3), 0, 1], [A(0, 3), 1, 0])

    @staticmethod
    def call(F: Ops, input: Any, dim0: int, dim1: int) -> Value:  # noqa: A002
        """input with the axes dim0 and dim1 exchanged."""
        ndim = len(F.shape(input))
        first, second = one_axis("transpose", ndim, dim0), one_axis("transpose", ndim, dim1)
        return F.transpose(input, dim0=first, dim1=second) if ndim else F.t(input)

    @staticmethod
    def infer(x: Type, dim0: int, dim1: int) -> Type:
        """The shape with two sizes exchanged."""
        shape = list(x.shape)
        shape[dim0], shape[dim1] = shape[dim1], shape[dim0]
        return Type(tuple(shape), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, dim0: int, dim1: int) -> Value:
        return F.transpose(g, dim0=dim0, dim1=dim1)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim0: int, dim1: int) -> Value:
        return F.transpose(x, dim0=dim0 + 1, dim1=dim1 + 1)

    @staticmethod
    def decompose(F: Ops, x: Value, dim0: int, dim1: int) -> Value:
        order = list(range(len(F.shape(x))))
        order[dim0], order[dim1] = order[dim1], order[dim0]
        return F.permute(x, dims=tuple(order))


class T(Movement):
    """A matrix with its axes exchanged; vectors and scalars as they are.  Shapes: (n, m) -> (m, n); (n,) -> (n,); () -> ()."""

    view, involution = True, True
    numpy, jax = "{x}.transpose()", "jnp.transpose({x})"
    samples = ([A(2, 3)], [A(3)], [A()])

    @staticmethod
    def infer(x: Type) -> Type:
        """The reversed shape of at most two axes."""
        if len(x.shape) > 2:
            raise ShapeError(
                explain(
                    "t",
                    f"t() expects a tensor with <= 2 dimensions, but self is {len(x.shape)}D",
                    "Use mT or permute",
                    x=x,
                )
            )
        return Type(x.shape[::-1], x.dtype)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """input with its two axes exchanged."""
        if len(F.shape(input)) > 2:
            T.infer(F.type(input))
        return F.t(input)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.t(g)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.transpose(x, dim0=1, dim1=2) if len(F.shape(x)) == 3 else F.whole(x)

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return F.permute(x, dims=tuple(range(len(F.shape(x))))[::-1])


class Movedim(Composite):
    """Axes moved to other places; the others keep their order.  Shape: a permutation of x's."""

    aliases = ("moveaxis",)
    samples = ([A(2, 3, 4), 0, 2], [A(2, 3, 4), (0, 1), (-1, 0)])

    @staticmethod
    def call(F: Ops, input: Any, source: Any, destination: Any) -> Value:  # noqa: A002
        """input with the axes `source` (an int or ints) at the places `destination`."""
        ndim = len(F.shape(input))
        pair = [(s,) if isinstance(s, (int, np.integer)) else tuple(s) for s in (source, destination)]
        if isinstance(source, (tuple, list)) != isinstance(destination, (tuple, list)):
            raise ArgumentError(explain("movedim", "source and destination must both be ints or both be sequences"))
        if len(pair[0]) != len(pair[1]):
            raise ShapeError(
                explain("movedim", f"source and destination have different lengths: {source} and {destination}")
            )
        ranged = [tuple(one_axis("movedim", ndim, d) for d in p) for p in pair]
        origin, target = (distinct_axes("movedim", ndim, p) for p in ranged)
        if not ndim:
            return F.whole(input)
        order = [d for d in range(ndim) if d not in origin]
        for place, axis in sorted(zip(target, origin, strict=True)):
            order.insert(place, axis)
        return F.permute(input, dims=tuple(order))


class BroadcastTo(Movement):
    """x repeated along new leading axes and axes of size 1, without copying.  Shape: (*a) -> shape."""

    attrs, view = ("shape",), True
    numpy, jax, onnx = "K.broadcast_to({x}, {shape})", "jnp.broadcast_to({x}, {shape})", "Expand"
    torch_name = "ExpandBackward0"
    samples = ([A(3, 1), (2, 3, 4)], [A(), (2,)], [A(1), (0,)])

    @staticmethod
    def call(F: Ops, input: Any, *lengths: Any, size: Any = None) -> Value:  # noqa: A002
        """input expanded to the sizes, given as a sequence or as several ints; -1 keeps a size."""
        wanted = sizes("broadcast_to", given_sizes("broadcast_to", lengths, size))
        return F.broadcast_to(input, shape=expanded("broadcast_to", F.shape(input), wanted))

    @staticmethod
    def infer(x: Type, shape: Shape) -> Type:
        """The given shape."""
        lead = len(shape) - len(x.shape)
        if lead < 0 or any(size not in (1, shape[lead + i]) for i, size in enumerate(x.shape)):
            raise ShapeError(explain("broadcast_to", f"x cannot be expanded to shape {list(shape)}", x=x))
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.sum_to(g, shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape) -> Value:
        own = F.shape(x)[1:]
        return F.broadcast_to(F.reshape(x, shape=(size, *(1,) * (len(shape) - len(own)), *own)), shape=(size, *shape))


def expanded(operation: str, shape: Shape, wanted: Shape) -> Shape:
    """`wanted` with its sizes -1 taken from `shape`.  Raises RuntimeError when shape cannot be expanded to it."""
    lead = len(wanted) - len(shape)
    if lead < 0:
        raise ShapeError(
            explain(
                operation,
                f"the number of sizes ({len(wanted)}) must be at least the number of axes ({len(shape)})",
                shape=list(shape),
            )
        )
    for i, n in enumerate(wanted):
        if n < -1 or (n == -1 and i < lead):
            raise ShapeError(
                explain(
                    operation,
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}",
                )
            )
        if i >= lead and n != -1 and shape[i - lead] not in (1, n):
            raise ShapeError(
                explain(
                    operation,
                    f"The expanded size of the tensor ({n}) must match the existing size ({shape[i - lead]}) at non-singleton dimension {i}",
                    target=list(wanted),
                    shape=list(shape),
                )
            )
    return tuple(shape[i - lead] if n == -1 else n for i, n in enumerate(wanted))


class Expand(Composite):
    """input repeated along new leading axes and axes of size 1, without copying.  Shape: (*a) -> size."""

    function = False
    samples = ([A(3, 1), (2, 3, 4)], [A(3, 1), (-1, 4)])

    @staticmethod
    def call(F: Ops, input: Any, *lengths: Any, size: Any = None, implicit: bool = False) -> Value:  # noqa: A002
        """input expanded to the sizes, given as a sequence or as several ints; -1 keeps a size."""
        wanted = sizes("expand", given_sizes("expand", lengths, size))
        return F.broadcast_to(input, shape=expanded("expand", F.shape(input), wanted))


class ExpandAs(Composite):
    """input expanded to other's shape.  Shapes: (*a), (*b) -> (*b)."""

    function, samples = False, ([A(3, 1), A(2, 3, 4)],)

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """input.expand(other.shape)."""
        return F.broadcast_to(input, shape=expanded("expand_as", F.shape(input), F.shape(other)))


class Flip(Movement):
    """x in reverse order along the axes dims; always a copy.  Shape: (*a) -> (*a)."""

    attrs, involution = ("dims",), True
    numpy, jax = "K.flip({x}, {dims})", "jnp.flip({x}, {dims})"
    samples = ([A(2, 3), (0,)], [A(2, 3), (0, 1)], [A(2, 3), ()], [A(0, 3), (0,)])

    @staticmethod
    def call(F: Ops, input: Any, *order: Any, dims: Any = None) -> Value:  # noqa: A002
        """input reversed along dims, given as a sequence or as several ints."""
        wanted = sizes("flip", order or (dims,))
        return F.flip(input, dims=distinct_axes("flip", len(F.shape(input)), wanted))

    @staticmethod
    def infer(x: Type, dims: Shape) -> Type:
        """x's type."""
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, dims: Shape) -> Value:
        return F.flip(g, dims=dims)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dims: Shape) -> Value:
        return F.flip(x, dims=tuple(d + 1 for d in dims))


class Repeat(Movement):
    """Copies of x side by side: repeats[i] along axis i, counted from the right for x's own axes.  Shape: (*a) -> repeats * a."""

    stored = False  # the rule adds
    attrs, function = ("repeats",), False
    numpy, jax = "np.tile(np.asarray({x}, order='C'), {repeats})", "jnp.tile({x}, {repeats})"
    samples = ([A(2, 3), (2, 2)], [A(3), (2, 3)], [A(), (2,)], [A(2, 3), (0, 1)])

    @staticmethod
    def call(F: Ops, input: Any, *repeats: Any) -> Value:  # noqa: A002
        """input repeated; as many counts as axes, or more for new leading axes."""
        if not repeats:
            raise ArgumentError(explain("repeat", 'repeat() missing 1 required positional arguments: "repeats"'))
        counts, ndim = sizes("repeat", repeats), len(F.shape(input))
        if len(counts) < ndim:
            raise ShapeError(
                explain(
                    "repeat",
                    f"Number of dimensions of repeat dims ({len(counts)}) can not be smaller than number of dimensions of tensor ({ndim})",
                )
            )
        if any(n < 0 for n in Repeat.infer(F.type(input), counts).shape):
            raise ShapeError(
                explain("repeat", f"Trying to create tensor with negative dimension, repeats={list(counts)}")
            )
        return F.repeat(input, repeats=tuple(max(n, 0) for n in counts))

    @staticmethod
    def infer(x: Type, repeats: Shape) -> Type:
        """Each size times its count."""
        own = (1,) * (len(repeats) - len(x.shape)) + x.shape
        return Type(tuple(n * r for n, r in zip(own, repeats, strict=True)), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type, repeats: Shape) -> Value:
        own = (1,) * (len(repeats) - len(x_type.shape)) + x_type.shape
        pairs = tuple(n for pair in zip(repeats, own, strict=True) for n in pair)
        total = F.sum(F.reshape(g, shape=pairs), dim=tuple(range(0, len(pairs), 2)), keepdim=False) if pairs else g
        return F.reshape(total, shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, repeats: Shape) -> Value:
        own = F.shape(x)[1:]
        lead = len(repeats) - len(own)
        return F.repeat(F.reshape(x, shape=(size, *(1,) * lead, *own)), repeats=(1, *repeats))


class Tile(Composite):
    """Copies of input side by side; missing counts on the left are 1.  Shape: (*a) -> dims * a."""

    samples = ([A(2, 3), (2,)], [A(3), (2, 3)])

    @staticmethod
    def call(F: Ops, input: Any, *counts: Any, dims: Any = None) -> Value:  # noqa: A002
        """input repeated dims[i] times along axis i, both aligned on the right."""
        wanted, ndim = sizes("tile", counts or (dims,)), len(F.shape(input))
        return Repeat.call(F, input, (1,) * (ndim - len(wanted)) + wanted)


def _check_matrix(operation: str, shape: Shape) -> None:
    if len(shape) < 2:
        raise ShapeError(explain(operation, "input tensor must have at least 2 dimensions", shape=list(shape)))


class Tril(Movement):
    """x with zeros above the diagonal number `diagonal` of its last two axes.  Shape: (*p, n, m) -> (*p, n, m)."""

    masks = "selects"
    attrs, idempotent, inplace = ("diagonal",), True, True
    numpy, jax = "np.ascontiguousarray(np.tril({x}, {diagonal}))", "jnp.tril({x}, {diagonal})"
    samples = ([A(3, 3), 0], [A(2, 3, 4), 1], [A(2, 3), -1], [A(0, 3), 0])

    @staticmethod
    def call(F: Ops, input: Any, diagonal: int = 0) -> Value:  # noqa: A002
        """The lower triangle of input.  Raises RuntimeError below two axes."""
        _check_matrix("tril", F.shape(input))
        return F.tril(input, diagonal=whole("triangle", "diagonal", diagonal))

    @staticmethod
    def infer(x: Type, diagonal: int) -> Type:
        """x's type."""
        _check_matrix("tril or triu", x.shape)
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, diagonal: int) -> Value:
        return F.tril(g, diagonal=diagonal)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, diagonal: int) -> Value:
        return F.tril(x, diagonal=diagonal)


class Triu(Tril):
    """x with zeros below the diagonal number `diagonal` of its last two axes.  Shape: (*p, n, m) -> (*p, n, m)."""

    numpy, jax = "np.ascontiguousarray(np.triu({x}, {diagonal}))", "jnp.triu({x}, {diagonal})"

    @staticmethod
    def call(F: Ops, input: Any, diagonal: int = 0) -> Value:  # noqa: A002
        """The upper triangle of input.  Raises RuntimeError below two axes."""
        _check_matrix("triu", F.shape(input))
        return F.triu(input, diagonal=whole("triangle", "diagonal", diagonal))

    @staticmethod
    def grad_x(F: Ops, g: Value, diagonal: int) -> Value:
        return F.triu(g, diagonal=diagonal)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, diagonal: int) -> Value:
        return F.triu(x, diagonal=diagonal)
