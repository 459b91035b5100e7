"""Whole parts of elements, and division with remainder.  Their derivatives are zero almost everywhere."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.families import Elementwise
from tracegrad.ir.node import Node
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import is_number, not_for


class _Rounding(Elementwise, family=True):
    """Whole numbers near x: no derivative but zero; integers stay as they are, bools are refused."""

    quiet, idempotent, inplace = True, True, True

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """x's type; NotImplementedError for bools."""
        not_for(cls.name, types[0], "b")
        return super().infer(*types)

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.zeros(x_type)


class Floor(_Rounding):
    """The largest whole number <= x.  Shape: (*a) -> (*a)."""

    real_only = True
    numpy, jax, onnx = "np.floor({x})", "jnp.floor({x})", "Floor"
    samples = ([A(2, 3)], [A()], [A(0, 4)])


class Ceil(_Rounding):
    """The smallest whole number >= x.  Shape: (*a) -> (*a)."""

    real_only = True
    numpy, jax, onnx = "np.ceil({x})", "jnp.ceil({x})", "Ceil"
    samples = ([A(2, 3)], [A()], [A(0, 4)])


class Trunc(_Rounding):
    """x without its fraction: the next whole number toward zero.  Shape: (*a) -> (*a)."""

    real_only = True
    aliases = ("fix",)
    numpy, jax = "np.trunc({x})", "jnp.trunc({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)])


class Round(_Rounding):
    """x rounded to `decimals` decimal places, halves to even.  Shape: (*a) -> (*a).  Integers only with decimals=0."""

    real_only = True
    attrs, quiet = ("decimals",), False
    numpy, jax, onnx = "K.round({x}, {decimals})", "K.round({x}, {decimals})", "Round"
    samples = ([A(2, 3), 0], [A(), 0], [A(0, 4), 0], [A(5), 1], [A(5, lo=-90, hi=90), -1])

    @classmethod
    def infer(cls, x: Type, decimals: int) -> Type:
        """x's type; NotImplementedError for bools, and for integers with decimals."""
        not_for("round", x, "biu" if decimals else "b")
        return x

    @staticmethod
    def torch_name(decimals: int) -> str:
        return "RoundBackward1" if decimals else "RoundBackward0"

    @staticmethod
    def call(F: Ops, input: Any, *, decimals: int = 0) -> Value:  # noqa: A002
        """input rounded to so many decimal places; negative: to tens, hundreds, ..."""
        return F.round(input, decimals=decimals)


class _Quotient(Elementwise, family=True):
    """Whole quotients and remainders: bools are refused."""

    inputs = ("x", "y")

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, common dtype; NotImplementedError for bools."""
        result = super().infer(*types)
        not_for(cls.name, result, "b")
        return result


class DivFloor(_Quotient):
    """x / y rounded down.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers stay integers; their division by zero raises RuntimeError."""

    real_only = True
    torch_name, function, method = "DivBackward2", False, False
    numpy, jax = "K.floor_divide({x}, {y})", "K.floor_divide({x}, {y})"
    samples = ([A(2, 3), A(3, lo=0.5)], [A(), A(2, lo=0.5)], [A(4), 0.7])

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.zeros(F.type(g))

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return F.zeros(F.type(g))


class DivTrunc(DivFloor):
    """x / y rounded toward zero.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers stay integers; their division by zero raises RuntimeError."""

    real_only = True
    name = "div_trunc"
    numpy, jax = "K.trunc_divide({x}, {y})", "K.trunc_divide({x}, {y})"


class FloorDivide(DivFloor):
    """x // y.  Shapes: (*a), (*b) -> broadcast(a, b).  As in torch its backward raises; div(x, y, rounding_mode="floor") has derivative zero."""

    name, torch_name, function, method, inplace = "floor_divide", "torch::autograd::NotImplemented", True, True, True
    numbers = ("input",)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        raise DifferentiationError(
            explain(
                "floor_divide",
                "derivative for floor_divide is not implemented",
                "Use div(x, y, rounding_mode='floor'), whose derivative is zero",
            )
        )

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return FloorDivide.grad_x(F, g)


class Remainder(_Quotient):
    """x - y * floor(x / y): the remainder with the sign of y.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers by zero raise RuntimeError."""

    real_only = True
    numbers = ("input",)
    inplace = True
    numpy, jax = "K.remainder({x}, {y})", "K.remainder({x}, {y})"
    samples = ([A(2, 3), A(3, lo=0.5)], [A(), A(2, lo=0.5)], [A(4), 0.7])

    @staticmethod
    def torch_name(node: Node) -> str:
        return "RemainderBackward0" if is_number(node.inputs[1]) else "RemainderBackward1"

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.neg(F.mul(g, F.div_floor(x, y)))


class Fmod(_Quotient):
    """x - y * trunc(x / y): the remainder with the sign of x.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers by zero raise RuntimeError."""

    real_only = True
    inplace, tensor_first = True, True
    numpy, jax = "K.fmod({x}, {y})", "K.fmod({x}, {y})"
    samples = ([A(2, 3), A(3, lo=0.5)], [A(), A(2, lo=0.5)], [A(4), 0.7])

    @staticmethod
    def torch_name(node: Node) -> str:
        return "FmodBackward0" if is_number(node.inputs[1]) else "FmodBackward1"

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.neg(F.mul(g, F.div_trunc(x, y)))
