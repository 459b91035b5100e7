"""Activations of neural networks that choose between pieces: straight lines, exponentials and constants."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.errors import DataError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite, Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import not_for, real_number
from tracegrad.ops.masks import number_of


class Activation(Elementwise, family=True):
    """A function of every element of x that keeps a floating dtype; known as torch.nn.functional.<name>."""

    function, method, real_only = False, False, True

    @classmethod
    def infer(cls, x: Type, *attributes: Any) -> Type:
        """x's type; NotImplementedError for integers and bools."""
        not_for(cls.name, x, "biu")
        return x


class NumericActivation(Activation, family=True):
    """An activation whose attributes are real numbers."""

    @classmethod
    def infer(cls, x: Type, *attributes: Any) -> Type:
        """x's type; NotImplementedError for integers and bools, TypeError for attributes that are no numbers."""
        for name, value in zip(cls.attrs, attributes, strict=True):
            real_number(cls.name, name, value)
        return super().infer(x)


class LeakyRelu(NumericActivation):
    """x where it is positive, else slope * x.  Shape: (*a) -> (*a).  Derivative `slope` at 0."""

    masks, attrs, onnx = "each", ("slope",), "LeakyRelu"
    numpy = "K.leaky_relu({x}, {slope})"
    samples = ([A(2, 3), 0.01], [A(), 0.2], [A(0, 4), 0.01], [A(5, lo=-1e3, hi=1e3), 0.1])

    @staticmethod
    def call(F: Ops, input: Any, negative_slope: float = 0.01) -> Value:  # noqa: A002
        """torch.nn.functional.leaky_relu."""
        return F.leaky_relu(input, slope=float(negative_slope))

    @staticmethod
    def decompose(F: Ops, x: Value, slope: float) -> Value:
        return F.where(F.gt(x, 0), x, F.mul(x, slope))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, slope: float) -> Value:
        return F.flat_in(F.where(F.gt(x, 0), g, F.mul(g, slope)), x, "LeakyReluBackwardBackward0")


class RreluWithNoise(Elementwise):
    """x where it is positive, else noise * x.  Shapes: (*a), (*a) -> (*a).  Noise has no derivative."""

    function, method, real_only, nondiff = False, False, True, ("noise",)
    inputs = ("x", "noise")
    samples = ([A(2, 3), A(2, 3, lo=0.1, hi=0.3)], [A(), A(lo=0.1, hi=0.3)], [A(0, 4), A(0, 4)])

    @staticmethod
    def decompose(F: Ops, x: Value, noise: Value) -> Value:
        return F.where(F.gt(x, 0), x, F.mul(x, noise))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, noise: Value) -> Value:
        return F.where(F.gt(x, 0), g, F.mul(g, noise))


class Elu(NumericActivation):
    """scale * x where x is positive, else scale * alpha * (exp(input_scale * x) - 1).  Shape: (*a) -> (*a)."""

    attrs, onnx = ("alpha", "scale", "input_scale"), ""
    samples = (
        [A(2, 3), 1.0, 1.0, 1.0],
        [A(), 0.5, 2.0, 1.0],
        [A(0, 4), 1.0, 1.0, 1.0],
        [A(6, lo=-900.0, hi=900.0), 2.0, 1.0, 0.5],
    )

    @staticmethod
    def call(F: Ops, input: Any, alpha: float = 1.0) -> Value:  # noqa: A002
        """torch.nn.functional.elu."""
        return F.elu(input, alpha=float(alpha), scale=1.0, input_scale=1.0)

    @staticmethod
    def decompose(F: Ops, x: Value, alpha: float, scale: float, input_scale: float) -> Value:
        low = F.mul(F.expm1(F.mul(F.clamp(x, min=None, max=0.0), input_scale)), alpha * scale)
        return F.where(F.gt(x, 0), x if scale == 1 else F.mul(x, scale), low)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, alpha: float, scale: float, input_scale: float) -> Value:
        slope = F.mul(F.exp(F.mul(F.where(F.lt(x, 0), x, 0.0), input_scale)), alpha * scale * input_scale)
        return F.where(F.gt(x, 0), g if scale == 1 else F.mul(g, scale), F.mul(g, slope))


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


class Selu(Composite):
    """scale * elu(x, alpha) with the constants of Klambauer et al. 2017.  Shape: (*a) -> (*a)."""

    method = False
    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """torch.nn.functional.selu."""
        return F.elu(input, alpha=SELU_ALPHA, scale=SELU_SCALE, input_scale=1.0)


class Celu(Elu):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)): elu with input_scale = 1 / alpha, under torch's name for it.  Shape: (*a) -> (*a)."""

    function = True
    samples = ([A(2, 3), 2.0, 1.0, 0.5], [A(), 0.5, 1.0, 2.0], [A(0, 4), 1.0, 1.0, 1.0])

    @staticmethod
    def call(F: Ops, input: Any, alpha: float = 1.0) -> Value:  # noqa: A002
        """torch.nn.functional.celu."""
        if not alpha:
            raise DataError(explain("celu", "ZeroDivisionError: alpha cannot be 0 for CELU"))
        return F.celu(input, alpha=float(alpha), scale=1.0, input_scale=1.0 / alpha)


class Hardtanh(Elementwise):
    """x within [low, high].  Shape: (*a) -> (*a).  Derivative 0 on the bounds and outside."""

    masks, attrs, quiet = "selects", ("low", "high"), True
    function, method, real_only = False, False, True
    numpy = jax = "K.clamp({x}, {low}, {high})"
    samples = ([A(2, 3), -1.0, 1.0], [A(), 0.0, 6.0], [A(0, 4), -1.0, 1.0])

    @classmethod
    def infer(cls, x: Type, low: float, high: float) -> Type:
        """x's type; RuntimeError for bools or bounds in the wrong order."""
        if x.dtype.kind == "b":
            raise ShapeError(explain("hardtanh", "Bool inputs not supported for hardtanh"))
        if low > high:
            raise ShapeError(explain("hardtanh", "min_val cannot be greater than max_val", min_val=low, max_val=high))
        return x

    @staticmethod
    def call(F: Ops, input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Value:  # noqa: A002
        """torch.nn.functional.hardtanh."""
        kind = F.type(input).dtype.kind
        if kind == "f":
            return F.hardtanh(input, low=float(min_val), high=float(max_val))
        low, high = (int(v) if kind in "iu" else float(v) for v in (min_val, max_val))
        if kind == "u" and low < 0:
            raise DTypeError(explain("hardtanh", "cannot do hardtanh on an unsigned type with negative limits"))
        return F.hardtanh(input, low=low, high=high)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, low: float, high: float) -> Value:
        inside = F.logical_and(F.gt(x, low), F.lt(x, high))
        return F.flat_in(F.where(inside, g, 0.0), x, "HardtanhBackwardBackward0")


class Relu6(Composite):
    """min(max(x, 0), 6).  Shape: (*a) -> (*a)."""

    function, method = False, False
    samples = ([A(2, 3, lo=-9.0, hi=9.0)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """torch.nn.functional.relu6."""
        return Hardtanh.call(F, input, 0.0, 6.0)


class Threshold(Elementwise):
    """x where it is above the level, else the value.  Shape: (*a) -> (*a)."""

    masks, attrs = "selects", ("level", "value")
    method, real_only, quiet = False, True, True
    samples = ([A(2, 3), 0.1, 20.0], [A(), 0.0, -1.0], [A(0, 4), 0.0, 0.0])

    @classmethod
    def infer(cls, x: Type, level: float, value: float) -> Type:
        """x's type."""
        return x

    @staticmethod
    def call(F: Ops, input: Any, threshold: float, value: float) -> Value:  # noqa: A002
        """torch.nn.functional.threshold."""
        not_for("threshold_cpu", F.type(input), "b")
        if F.type(input).dtype.kind in "iu":
            threshold, value = (number_of(F.type(input).dtype, v) for v in (threshold, value))
        return F.threshold(input, level=threshold, value=value)

    @staticmethod
    def decompose(F: Ops, x: Value, level: float, value: float) -> Value:
        return F.where(F.le(x, level), F.full(shape=(), value=value, dtype=F.type(x).dtype), x)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, level: float) -> Value:
        return F.flat_in(F.where(F.le(x, level), 0.0, g), x, "ThresholdBackwardBackward0")


class Hardsigmoid(Activation):
    """0 up to -3, 1 from 3 on, x / 6 + 1/2 between.  Shape: (*a) -> (*a)."""

    masks, quiet = "each", True
    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(7, lo=-9.0, hi=9.0)])

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return F.div(F.clamp(F.add(x, 3.0), min=0.0, max=6.0), 6.0)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.where(F.logical_and(F.gt(x, -3.0), F.lt(x, 3.0)), F.div(g, 6.0), 0.0)


class Hardswish(Activation):
    """0 up to -3, x from 3 on, x (x + 3) / 6 between.  Shape: (*a) -> (*a)."""

    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(7, lo=-9.0, hi=9.0)])

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return F.div(F.mul(x, F.clamp(F.add(x, 3.0), min=0.0, max=6.0)), 6.0)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        between = F.mul(g, F.add(F.div(x, 3.0), 0.5))
        return F.where(F.le(x, -3.0), 0.0, F.where(F.lt(x, 3.0), between, g))


class Hardshrink(NumericActivation):
    """x where |x| > lambd, else 0.  Shape: (*a) -> (*a)."""

    masks, attrs, function, method, quiet = "selects", ("lambd",), True, True, True
    samples = ([A(2, 3), 0.5], [A(), 0.0], [A(0, 4), 0.5])

    @staticmethod
    def call(F: Ops, input: Any, lambd: float = 0.5) -> Value:  # noqa: A002
        """torch.nn.functional.hardshrink."""
        return F.hardshrink(input, lambd=float(lambd))

    @staticmethod
    def decompose(F: Ops, x: Value, lambd: float) -> Value:
        return F.where(F.logical_and(F.ge(x, -lambd), F.le(x, lambd)), 0.0, x)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, lambd: float) -> Value:
        inside = F.logical_and(F.ge(x, -lambd), F.le(x, lambd))
        return F.flat_in(F.where(inside, 0.0, g), x, "HardshrinkBackwardBackward0")


class Softshrink(NumericActivation):
    """x moved toward 0 by lambd, 0 where |x| <= lambd.  Shape: (*a) -> (*a)."""

    masks, attrs, quiet = "selects", ("lambd",), True
    numpy = "K.softshrink({x}, {lambd})"
    samples = ([A(2, 3), 0.5], [A(), 0.0], [A(0, 4), 0.5])

    @staticmethod
    def call(F: Ops, input: Any, lambd: float = 0.5) -> Value:  # noqa: A002
        """torch.nn.functional.softshrink.  Raises RuntimeError for a negative lambd."""
        not_for("softshrink", F.type(input), "biu")
        if not 0 <= lambd < math.inf:
            raise ShapeError(explain("softshrink", f"lambda must be at least 0, but found {lambd:g}"))
        return F.softshrink(input, lambd=float(lambd))

    @staticmethod
    def decompose(F: Ops, x: Value, lambd: float) -> Value:
        inside = F.mul(x, 0.0)  # keeps nan
        return F.where(F.gt(x, lambd), F.sub(x, lambd), F.where(F.lt(x, -lambd), F.add(x, lambd), inside))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, lambd: float) -> Value:
        inside = F.logical_and(F.ge(x, -lambd), F.le(x, lambd))
        return F.flat_in(F.where(inside, 0.0, g), x, "SoftshrinkBackwardBackward0")


class PreluKernel(Elementwise):
    """x where it is positive, else weight * x.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    inputs, function, method, real_only = ("x", "weight"), False, False, True
    samples = ([A(2, 3), A(2, 3)], [A(2, 3), A(3)], [A(), A()], [A(0, 3), A(3)])

    @staticmethod
    def decompose(F: Ops, x: Value, weight: Value) -> Value:
        return F.where(F.gt(x, 0), x, F.mul(x, weight))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, weight: Value) -> Value:
        return F.where(F.gt(x, 0), g, F.mul(g, weight))

    @staticmethod
    def grad_weight(F: Ops, g: Value, x: Value) -> Value:
        return F.where(F.gt(x, 0), 0.0, F.mul(g, x))


class Prelu(Composite):
    """x where it is positive, else weight * x with one weight, or one per channel (axis 1).  Shapes: (*a), (1,) or (c,) -> (*a)."""

    samples = ([A(2, 3), A(1)],)

    @staticmethod
    def call(F: Ops, input: Any, weight: Any) -> Value:  # noqa: A002
        """torch.nn.functional.prelu.  Raises RuntimeError when the weights are not one or one per channel."""
        x, w = F.type(input), F.type(weight)
        if x.dtype != w.dtype:
            raise ShapeError(explain("prelu", f"Type promoting not supported. Got {x} and {w}"))
        not_for("prelu_cpu", x, "biuc")
        count = 1
        for size in w.shape:
            count *= size
        if count != 1:
            if not x.shape:
                raise ShapeError(explain("prelu", "Not allow zero-dim input tensor", x=x, weight=w))
            channels = x.shape[1] if len(x.shape) > 1 else 1
            if channels != count:
                problem = f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel size = {channels}"
                raise ShapeError(explain("prelu", problem, x=x, weight=w))
        if len(w.shape) > 1:
            raise ShapeError(
                explain("prelu", f"Expected `weight` to be a scalar or 1D tensor, but got: ndim = {len(w.shape)}")
            )
        if w.shape and len(x.shape) != 1:
            shape = tuple(count if i == 1 else 1 for i in range(len(x.shape))) if len(x.shape) > 1 else ()
            weight = F.reshape(weight, shape=shape)
        return F.prelu_kernel(input, weight)


__all__ = [
    "Celu",
    "Elu",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyRelu",
    "Prelu",
    "PreluKernel",
    "Relu6",
    "RreluWithNoise",
    "Selu",
    "Softshrink",
    "Threshold",
]
