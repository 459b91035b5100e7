"""Operators that rearrange or repeat elements."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import ShapeError, explain
from tracegrad.ir.families import Movement
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, size_of


class Reshape(Movement):
    """The elements of x, in row-major order, in another shape of the same size.  Shape: (*a) -> shape."""

    attrs, view = ("shape",), True
    numpy, jax, onnx = "{x}.reshape({shape})", "jnp.reshape({x}, {shape})", "Reshape"
    torch_name = "ViewBackward0"
    samples = ([A(2, 3), (3, 2)], [A(4), (2, 1, 2)], [A(), (1, 1)], [A(0, 3), (3, 0)])

    @staticmethod
    def infer(x: Type, shape: Shape) -> Type:
        """The new shape, of as many elements."""
        if size_of(shape) != size_of(x.shape):
            raise ShapeError(explain("reshape", f"shape {list(shape)} is invalid for input of size {size_of(x.shape)}", x=x))
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.reshape(g, shape=x_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, shape: Shape) -> Value:
        return F.reshape(x, shape=(size, *shape))


class Permute(Movement):
    """x with its axes in the order dims.  Shape: (a0, a1, ...) -> (a[dims[0]], a[dims[1]], ...)."""

    attrs, view = ("dims",), True
    numpy, jax, onnx = "{x}.transpose({dims})", "jnp.transpose({x}, {dims})", "Transpose"
    samples = ([A(2, 3, 4), (2, 0, 1)], [A(2, 3), (1, 0)], [A(), ()])

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


class BroadcastTo(Movement):
    """x repeated along new leading axes and axes of size 1.  Shape: (*a) -> shape."""

    attrs, view = ("shape",), True
    numpy, jax, onnx = "K.broadcast_to({x}, {shape})", "jnp.broadcast_to({x}, {shape})", "Expand"
    torch_name = "ExpandBackward0"
    samples = ([A(3, 1), (2, 3, 4)], [A(), (2,)], [A(1), (0,)])

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
