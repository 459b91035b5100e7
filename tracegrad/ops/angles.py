"""Inverse and hyperbolic functions, angles, and logarithms and powers of 2 and 10."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from tracegrad.errors import DTypeError, NotSupportedError, explain
from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A


class _Floating(Elementwise, family=True):
    """A function of floating-point and complex numbers, with an in-place form; integers become floating."""

    promotion: ClassVar[str] = "float"
    inplace: ClassVar[bool] = True


class _Real(_Floating, family=True):
    """A function of real numbers alone."""

    real_only: ClassVar[bool | type[Exception]] = True


class Sinh(_Floating):
    """Hyperbolic sine of every element.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx = "np.sinh({x})", "jnp.sinh({x})", "Sinh"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.cosh(x))


class Cosh(_Floating):
    """Hyperbolic cosine of every element.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx = "np.cosh({x})", "jnp.cosh({x})", "Cosh"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.sinh(x))


class RestOfSquare(_Real):
    """1 - x**2 of real numbers, with all digits also near -1 and 1.  Shape: (*a) -> (*a)."""

    function, method, inplace = False, False, False
    numpy, jax = "np.multiply(np.subtract(1, {x}), np.add({x}, 1))", "jnp.multiply(1 - {x}, {x} + 1)"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.mul(x, -2.0))


def _rest_of_square(F: Ops, x: Value) -> Value:
    """1 - x**2; for complex numbers in the form whose root has the right branch."""
    rest: Value = F.sub(1.0, F.square(x)) if F.is_complex(x) else F.rest_of_square(x)
    return rest


class Asin(_Floating):
    """The angle in [-pi/2, pi/2] whose sine is x.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx, aliases, pole = "np.arcsin({x})", "jnp.arcsin({x})", "Asin", ("arcsin",), "x = -1, 1"
    samples = ([A(2, 3, lo=-0.9, hi=0.9)], [A(lo=-0.9, hi=0.9)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, F.sqrt(_rest_of_square(F, x)))


class Acos(_Floating):
    """The angle in [0, pi] whose cosine is x.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx, aliases, pole = "np.arccos({x})", "jnp.arccos({x})", "Acos", ("arccos",), "x = -1, 1"
    samples = ([A(2, 3, lo=-0.9, hi=0.9)], [A(lo=-0.9, hi=0.9)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.neg(F.div(g, F.sqrt(_rest_of_square(F, x))))


class Atan(_Floating):
    """The angle in (-pi/2, pi/2) whose tangent is x.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx, aliases = "np.arctan({x})", "jnp.arctan({x})", "Atan", ("arctan",)
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, F.add(F.square(x), 1.0))


class Asinh(_Floating):
    """The number whose hyperbolic sine is x.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx, aliases = "np.arcsinh({x})", "jnp.arcsinh({x})", "Asinh", ("arcsinh",)
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, F.sqrt(F.add(F.square(x), 1.0)))


class Acosh(_Floating):
    """The number >= 0 whose hyperbolic cosine is x.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx, aliases, pole = "np.arccosh({x})", "jnp.arccosh({x})", "Acosh", ("arccosh",), "x = 1"
    samples = ([A(2, 3, lo=1.2, hi=3)], [A(lo=1.2, hi=3)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        if F.is_complex(x):  # the root of a product would take the other branch for a negative real part
            return F.div(g, F.mul(F.sqrt(F.sub(x, 1.0)), F.sqrt(F.add(x, 1.0))))
        return F.div(g, F.sqrt(F.rsub(F.rest_of_square(x), 0.0)))  # 0 at -1 and 1, where neg would give -0


class Atanh(_Floating):
    """The number whose hyperbolic tangent is x.  Shape: (*a) -> (*a)."""

    numpy, jax, onnx, aliases, pole = "np.arctanh({x})", "jnp.arctanh({x})", "Atanh", ("arctanh",), "x = -1, 1"
    samples = ([A(2, 3, lo=-0.9, hi=0.9)], [A(lo=-0.9, hi=0.9)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, _rest_of_square(F, x))


class Deg2rad(_Real):
    """Degrees as radians.  Shape: (*a) -> (*a)."""

    real_only = DTypeError  # torch's class for these
    name, torch_name, linear = "deg2rad", "Deg2RadBackward0", ("x",)
    numpy, jax = "np.deg2rad({x})", "jnp.deg2rad({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.mul(g, math.pi / 180)


class Rad2deg(_Real):
    """Radians as degrees.  Shape: (*a) -> (*a)."""

    real_only = DTypeError  # torch's class for these
    name, torch_name, linear = "rad2deg", "Rad2DegBackward0", ("x",)
    numpy, jax = "np.rad2deg({x})", "jnp.rad2deg({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.mul(g, 180 / math.pi)


class Log2(_Floating):
    """Logarithm to base 2.  Shape: (*a) -> (*a)."""

    name, torch_name, pole = "log2", "Log2Backward0", "x = 0"
    numpy, jax = "np.log2({x})", "jnp.log2({x})"
    samples = ([A(2, 3, lo=0.2)], [A(lo=0.2)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, F.mul(x, math.log(2)))


class Log10(_Floating):
    """Logarithm to base 10.  Shape: (*a) -> (*a)."""

    name, torch_name, pole = "log10", "Log10Backward0", "x = 0"
    numpy, jax = "np.log10({x})", "jnp.log10({x})"
    samples = ([A(2, 3, lo=0.2)], [A(lo=0.2)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.div(g, F.mul(x, math.log(10)))


class Exp2(_Floating):
    """2 to the power of every element.  Shape: (*a) -> (*a)."""

    name, torch_name = "exp2", "Exp2Backward0"
    numpy, jax = "np.exp2({x})", "jnp.exp2({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.mul(F.mul(g, out), math.log(2))


class Atan2(_Real):
    """The angle of the point (y, x), in (-pi, pi].  Shapes: (*a), (*b) -> broadcast(a, b)."""

    name, torch_name, inputs = "atan2", "Atan2Backward0", ("x", "y")
    tensors = ("other",)
    aliases, pole = ("arctan2",), "x = y = 0"
    numpy, jax = "np.arctan2({x}, {y})", "jnp.arctan2({x}, {y})"
    samples = ([A(2, 3), A(3, lo=0.3)], [A(2, 1, lo=0.3), A(3)], [A(), A(lo=0.5)], [A(0, 3), A(3)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.mul(g, _over_square(F, y, F.hypot(x, y)))

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.neg(F.mul(g, _over_square(F, x, F.hypot(x, y))))


def _over_square(F: Ops, x: Value, r: Value) -> Value:
    """x / r**2 without underflow or overflow of the square; 0 where r is 0."""
    slope: Value = F.where(F.eq(r, 0), 0.0, F.div(F.div(x, r), r))
    return slope


class Hypot(_Real):
    """sqrt(x**2 + y**2) without overflow.  Shapes: (*a), (*b) -> broadcast(a, b).  Derivative 0 where both are 0, as norm's."""

    inputs, pole = ("x", "y"), "x = y = 0"
    tensors = ("other",)

    @classmethod
    def check_operands(cls, x: Any, y: Any) -> None:
        """NotImplementedError for two whole numbers."""
        if x.dtype.kind in "biu" and y.dtype.kind in "biu":
            raise NotSupportedError(explain("hypot_cpu", "not implemented for whole numbers", x=x.dtype, y=y.dtype))

    numpy, jax = "K.hypot({x}, {y})", "jnp.hypot({x}, {y})"
    samples = ([A(2, 3), A(3, lo=0.3)], [A(2, 1, lo=0.3), A(3)], [A(), A(lo=0.5)], [A(0, 3), A(3)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.where(F.eq(out, 0), 0.0, F.div(x, out)))

    @staticmethod
    def grad_y(F: Ops, g: Value, y: Value, out: Value) -> Value:
        return F.mul(g, F.where(F.eq(out, 0), 0.0, F.div(y, out)))
