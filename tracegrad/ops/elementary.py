"""Elementary functions of elements."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.dtypes import BOOL
from tracegrad.errors import DTypeError, explain
from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import not_for, real_type


class Abs(Elementwise):
    """The magnitude of every element of x; of complex elements a real number.  Shape: (*a) -> (*a).  Refuses bools.  Derivative 0 at 0."""

    masks = "linear"  # the slope is never infinite
    holomorphic = False
    idempotent, quiet, inplace, aliases = True, True, True, ("absolute",)
    numpy, jax, onnx = "np.absolute({x})", "jnp.abs({x})", "Abs"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """x's shape, the dtype of its parts; NotImplementedError for bools."""
        not_for(cls.name, types[0], "b")
        return real_type(super().infer(*types))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(F.as_dtype(g, F.type(x).dtype), F.sgn(x)) if F.is_complex(x) else F.mul(g, F.sign(x))


class Sign(Elementwise):
    """-1, 0 or 1 by the sign of every element of x; 0 for nan, as in torch.  Shape: (*a) -> (*a).  Its derivative is 0."""

    real_only = True
    idempotent, quiet, inplace = True, True, True
    numpy, jax, onnx = "K.sign({x})", "K.sign({x})", "Sign"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x_type: Type) -> Value:
        return F.zeros(x_type)


class Exp(Elementwise):
    """e to the power of every element of x.  Shape: (*a) -> (*a)."""

    promotion, inplace = "float", True
    numpy, jax, onnx = "np.exp({x})", "jnp.exp({x})", "Exp"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(g, out)


class Expm1(Elementwise):
    """exp(x) - 1, exact also near 0.  Shape: (*a) -> (*a)."""

    promotion, inplace = "float", True
    numpy, jax = "np.expm1({x})", "jnp.expm1({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(3, lo=-1e-9, hi=1e-9)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(g, F.add(out, 1.0))


class Log(Elementwise):
    """Natural logarithm of every element of x; -inf at 0, nan below.  Shape: (*a) -> (*a)."""

    promotion, pole, inplace = "float", "x == 0", True
    numpy, jax, onnx = "np.log({x})", "jnp.log({x})", "Log"
    samples = ([A(2, 3, lo=0.5)], [A(lo=0.5)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, x)


class Log1p(Elementwise):
    """log(1 + x), exact also near 0; -inf at -1, nan below.  Shape: (*a) -> (*a)."""

    promotion, pole, torch_name, inplace = "float", "x == -1", "Log1PBackward0", True
    numpy, jax = "np.log1p({x})", "jnp.log1p({x})"
    samples = ([A(2, 3, lo=-0.5)], [A(lo=-0.5)], [A(0, 4)], [A(3, lo=-1e-9, hi=1e-9)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, F.add(x, 1.0))


class Sin(Elementwise):
    """Sine of every element of x, in radians.  Shape: (*a) -> (*a)."""

    promotion, inplace = "float", True
    numpy, jax, onnx = "np.sin({x})", "jnp.sin({x})", "Sin"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.cos(x))


class Cos(Elementwise):
    """Cosine of every element of x, in radians.  Shape: (*a) -> (*a)."""

    promotion, inplace = "float", True
    numpy, jax, onnx = "np.cos({x})", "jnp.cos({x})", "Cos"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.neg(F.mul(g, F.sin(x)))


class Tan(Elementwise):
    """Tangent of every element of x, in radians.  Shape: (*a) -> (*a)."""

    promotion, pole, inplace = "float", "x near an odd multiple of pi/2", True
    numpy, jax, onnx = "np.tan({x})", "jnp.tan({x})", "Tan"
    samples = ([A(2, 3, lo=-1.0, hi=1.0)], [A(lo=-1.0, hi=1.0)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(g, F.add(F.square(out), 1.0))


class Tanh(Elementwise):
    """Hyperbolic tangent of every element of x.  Shape: (*a) -> (*a)."""

    promotion, inplace = "float", True
    numpy, jax, onnx = "np.tanh({x})", "jnp.tanh({x})", "Tanh"
    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(4, lo=-900.0, hi=900.0)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(g, F.sub(1.0, F.square(out)))


class Sigmoid(Elementwise):
    """1 / (1 + exp(-x)), finite for every x.  Shape: (*a) -> (*a)."""

    promotion, inplace = "float", True
    numpy, jax, onnx = "K.sigmoid({x})", "jax.nn.sigmoid({x})", "Sigmoid"
    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(4, lo=-900.0, hi=900.0)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(g, F.mul(out, F.sub(1.0, out)))


class Sqrt(Elementwise):
    """The square root of every element of x; nan below 0.  Shape: (*a) -> (*a).  Derivative inf at 0."""

    promotion, pole, inplace = "float", "x == 0 (derivative)", True
    numpy, jax, onnx = "np.sqrt({x})", "jnp.sqrt({x})", "Sqrt"
    samples = ([A(2, 3, lo=0.5)], [A(lo=0.5)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.div(g, F.mul(out, 2))


class Rsqrt(Elementwise):
    """1 / sqrt(x); inf at 0, nan below.  Shape: (*a) -> (*a)."""

    promotion, pole, inplace = "float", "x == 0", True
    numpy, jax = "K.rsqrt({x})", "jax.lax.rsqrt({x})"
    samples = ([A(2, 3, lo=0.5)], [A(lo=0.5)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(F.mul(g, -0.5), F.pow(out, 3))


class Relu(Elementwise):
    """x where it is positive, else 0; nan stays nan.  Shape: (*a) -> (*a).  Refuses bools.  Derivative 0 at 0."""

    masks = "selects"
    real_only = True
    idempotent, quiet, inplace = True, True, True
    numpy, jax, onnx = "K.relu({x})", "jnp.maximum({x}, 0)", "Relu"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """x's type; RuntimeError for bools."""
        if types[0].dtype == BOOL:
            raise DTypeError(explain("relu", "Boolean inputs not supported for relu"))
        return super().infer(*types)

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.flat_in(F.where(F.le(out, 0), 0.0, g), out, "ThresholdBackwardBackward0")


class Erf(Elementwise):
    """The error function of every element of x: 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x.  Shape: (*a) -> (*a)."""

    real_only = True
    promotion, inplace = "float", True
    numpy, jax, onnx = "K.erf({x})", "jax.scipy.special.erf({x})", "Erf"
    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(4, lo=-30.0, hi=30.0)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.mul(F.gaussian(x, scale=1.0), 2 / math.sqrt(math.pi)))


class Softplus(Elementwise):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold.  Shape: (*a) -> (*a).  Refuses integers and bools."""

    real_only = True
    attrs, function, method, onnx = ("beta", "threshold"), False, False, "Softplus"
    numpy, jax = "K.softplus({x}, {beta}, {threshold})", "K.softplus({x}, {beta}, {threshold})"
    samples = (
        [A(2, 3), 1.0, 20.0],
        [A(), 2.0, 20.0],
        [A(0, 4), 1.0, 20.0],
        [A(6, lo=-900.0, hi=900.0), 1.0, 20.0],
        [A(6, lo=-9.0, hi=9.0), 0.5, 1.0],
    )

    @classmethod
    def infer(cls, x: Type, beta: float, threshold: float) -> Type:
        """x's type; NotImplementedError for integers and bools."""
        not_for(cls.name, x, "biu")
        return x

    @staticmethod
    def call(F: Ops, input: Any, beta: float = 1, threshold: float = 20) -> Value:  # noqa: A002
        """torch.nn.functional.softplus."""
        return F.softplus(input, beta=float(beta), threshold=float(threshold))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, beta: float, threshold: float) -> Value:
        scaled = F.mul(x, beta)
        return F.where(F.gt(scaled, threshold), g, F.mul(g, F.sigmoid(scaled)))
