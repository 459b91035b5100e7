"""Elementary functions of elements."""

from __future__ import annotations

from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A


class Sin(Elementwise):
    """Sine of every element of x, in radians.  Shape: (*a) -> (*a)."""

    promotion = "float"
    numpy, jax, onnx = "np.sin({x})", "jnp.sin({x})", "Sin"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.cos(x))


class Cos(Elementwise):
    """Cosine of every element of x, in radians.  Shape: (*a) -> (*a)."""

    promotion = "float"
    numpy, jax, onnx = "np.cos({x})", "jnp.cos({x})", "Cos"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.neg(F.mul(g, F.sin(x)))


class Exp(Elementwise):
    """e to the power of every element of x.  Shape: (*a) -> (*a)."""

    promotion = "float"
    numpy, jax, onnx = "np.exp({x})", "jnp.exp({x})", "Exp"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(g, out)


class Log(Elementwise):
    """Natural logarithm of every element of x; -inf at 0, nan below.  Shape: (*a) -> (*a)."""

    promotion, pole = "float", "x == 0"
    numpy, jax, onnx = "np.log({x})", "jnp.log({x})", "Log"
    samples = ([A(2, 3, lo=0.5)], [A(lo=0.5)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, x)
