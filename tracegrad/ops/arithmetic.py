"""Sums, products and powers of elements."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A


class Add(Elementwise):
    """x + y.  Shapes: (*a), (*b) -> broadcast(a, b).  Saves nothing for the backward."""

    inputs, linear, commutative = ("x", "y"), ("x", "y"), True
    numpy, jax, onnx = "np.add({x}, {y})", "jnp.add({x}, {y})", "Add"
    samples = ([A(2, 3), A(2, 3)], [A(2, 1), A(3)], [A(), A(4)], [A(0, 3), A(3)])

    @staticmethod
    def call(F: Ops, input: Any, other: Any, *, alpha: Any = 1) -> Value:  # noqa: A002
        """input + alpha * other."""
        return F.add(input, other if alpha == 1 else F.mul(other, alpha))

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return g


class Sub(Elementwise):
    """x - y.  Shapes: (*a), (*b) -> broadcast(a, b).  Saves nothing for the backward."""

    inputs, linear = ("x", "y"), ("x", "y")
    numpy, jax, onnx = "np.subtract({x}, {y})", "jnp.subtract({x}, {y})", "Sub"
    samples = ([A(2, 3), A(2, 3)], [A(2, 1), A(3)], [A(), A(4)], [A(0, 3), A(3)])

    @staticmethod
    def call(F: Ops, input: Any, other: Any, *, alpha: Any = 1) -> Value:  # noqa: A002
        """input - alpha * other."""
        return F.sub(input, other if alpha == 1 else F.mul(other, alpha))

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return F.neg(g)


class Mul(Elementwise):
    """x * y.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    inputs, linear, multilinear, commutative = ("x", "y"), ("x", "y"), True, True
    numpy, jax, onnx = "np.multiply({x}, {y})", "jnp.multiply({x}, {y})", "Mul"
    samples = ([A(2, 3), A(3)], [A(2, 1), A(1, 3)], [A(), A()], [A(0, 3), A(3)])

    @staticmethod
    def grad_x(F: Ops, g: Value, y: Value) -> Value:
        return F.mul(g, y)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, x)


class Div(Elementwise):
    """x / y.  Shapes: (*a), (*b) -> broadcast(a, b).  Division by zero gives inf or nan; integers give the default float dtype."""

    inputs, promotion, pole = ("x", "y"), "float", "y == 0"
    numpy, jax, onnx = "np.divide({x}, {y})", "jnp.divide({x}, {y})", "Div"
    samples = ([A(2, 3), A(3, lo=0.5)], [A(2, 1), A(1, 3, lo=0.5)], [A(), A(lo=0.5)], [A(0, 3), A(3, lo=0.5)])

    @staticmethod
    def grad_x(F: Ops, g: Value, y: Value) -> Value:
        return F.div(g, y)

    @staticmethod
    def grad_y(F: Ops, g: Value, y: Value, out: Value) -> Value:
        return F.neg(F.div(F.mul(g, out), y))


class Neg(Elementwise):
    """-x.  Shape: (*a) -> (*a)."""

    linear, involution = ("x",), True
    numpy, jax, onnx = "np.negative({x})", "jnp.negative({x})", "Neg"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.neg(g)
