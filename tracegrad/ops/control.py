"""Operators about values rather than numbers: one of several results, conversions of dtype, the end of differentiation."""

from __future__ import annotations

from typing import Any

from tracegrad.devices import axis_order
from tracegrad.dtypes import NumpyDType
from tracegrad.errors import DTypeError, explain
from tracegrad.ir.families import Elementwise, Movement
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, C
from tracegrad.ir.types import Type


class Project(Op):
    """One result of an operator that has several.  Shape: that of the result."""

    stored = True
    masks = "linear"
    attrs, function, method = ("index",), False, False
    nondiff = ("x",)  # the sweep collects projections itself
    numpy, jax = "{x}[{index}]", "{x}[{index}]"
    samples = ()

    @staticmethod
    def infer(x: Any, index: int) -> Type:
        """The type of that result."""
        types: tuple[Type, ...] = x
        return types[index]


class Cast(Elementwise):
    """x converted to another dtype; float to int truncates.  Shape: (*a) -> (*a)."""

    stored = True
    attrs, promotion, linear, function, method = ("dtype",), "", ("x",), False, False
    holomorphic = False  # the gradient of a real value is the real part of what arrives
    numpy, jax = "K.copied({x}, {dtype})", "jnp.asarray({x}, {dtype})"
    torch_name = "ToCopyBackward0"
    samples = ([A(2, 3), "float32"], [A(), "float64"], [A(2, 3), "complex128"], [C(2, 3), "complex64"])

    @staticmethod
    def infer(x: Type, dtype: NumpyDType) -> Type:
        """x's shape with the new dtype.  Raises RuntimeError from complex to real: that is what `real` is for."""
        if x.dtype.kind == "c" and dtype.kind != "c":
            raise DTypeError(explain("cast", "complex numbers have no real value", "Take real() or abs() first", x=x))
        return Type(x.shape, dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value | None:
        return F.as_dtype(g, x_type.dtype) if x_type.dtype.kind in "fcV" else None


class Promote(Cast):
    """The conversion that a mixed-dtype operator makes by itself; grad_fn does not show it.  Shape: (*a) -> (*a)."""

    name = "promote"


class Detach(Movement):
    """x without its history.  A node, so that a recording never mistakes its result for a constant.  Shape: (*a) -> (*a)."""

    nondiff, linear, view = ("x",), (), True
    numpy, jax = "{x}.view()", "jax.lax.stop_gradient({x})"
    samples = ([A(2, 3)], [A()])

    @staticmethod
    def infer(x: Type) -> Type:
        """x's type."""
        return x

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.detach(x)


class StopReverse(Movement):
    """x as code under no_grad() reads it: no cotangent comes back, but tangents pass, as in torch.  Shape: (*a) -> (*a)."""

    nondiff, linear, view, function, method = ("x",), (), True, False, False
    numpy, jax = "{x}.view()", "{x}"
    samples = ([A(2, 3)], [A()])

    @staticmethod
    def infer(x: Type) -> Type:
        """x's type."""
        return x

    @staticmethod
    def jvp(F: Ops, t_x: Value) -> Value:
        return t_x

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return F.stop_reverse(x)


class Alias(Movement):
    """x itself, as a node of its own: the place where one level of differentiation begins.  Shape: (*a) -> (*a)."""

    view, function, method = True, False, False
    numpy, jax = "{x}.view()", "{x}"
    samples = ([A(2, 3)], [A()])

    @staticmethod
    def infer(x: Type) -> Type:
        """x's type."""
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Value:
        return x


class Flat(Elementwise):
    """value itself, which depends on x as well, with derivative 0: torch's second backward of relu has such an edge.  Shapes: (*a), (*a) -> (*a)."""

    stored = True
    inputs, attrs = ("value", "x"), ("step",)
    function, method, promotion, linear, quiet = False, False, "", ("value",), True
    numpy, jax = "np.positive({value})", "{value}"
    samples = ([A(2, 3), A(2, 3), "FlatBackward0"], [A(), A(), "FlatBackward0"])

    @staticmethod
    def torch_name(step: str) -> str:
        return step

    @classmethod
    def infer(cls, value: Type, x: Type, step: str) -> Type:
        """value's type."""
        return value

    @staticmethod
    def grad_value(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.zeros(x_type)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, value: Value, x: Value, step: str) -> Value:
        return F.flat(*F.lift(size, batched, value, x), step=step)


class Clone(Elementwise):
    """A copy of x in memory of its own; gradients flow through.  Shape: (*a) -> (*a)."""

    stored = True
    promotion, linear, quiet = "", ("x",), True
    numpy, jax, onnx = "K.copied({x})", "jnp.array({x})", "Identity"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def call(F: Ops, input: Any, *, memory_format: Any = None) -> Value:  # noqa: A002
        """A copy, in memory of the order that input has unless memory_format asks for another one."""
        if memory_format is None:
            return F.clone(input)
        order = axis_order("clone", memory_format, len(F.shape(input)))
        made = F.clone(input)
        return made if order is None else F.row_major(made, order)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g
