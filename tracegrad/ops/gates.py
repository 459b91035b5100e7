"""Smooth activations of neural networks: a value times a gate, or a sigmoid in another form."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.errors import ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import one_axis
from tracegrad.ops.activations import Activation
from tracegrad.ops.checks import not_for

_TANH_SCALE, _CUBE = math.sqrt(2 / math.pi), 0.044715


class Gelu(Activation):
    """x times the normal distribution function at x, or its approximation by tanh.  Shape: (*a) -> (*a)."""

    attrs = ("approximate",)
    numpy = "K.gelu({x}, {approximate})"
    samples = (
        [A(2, 3), "none"],
        [A(2, 3), "tanh"],
        [A(), "none"],
        [A(0, 4), "tanh"],
        [A(6, lo=-30.0, hi=30.0), "none"],
        [A(6, lo=-30.0, hi=30.0), "tanh"],
    )

    @staticmethod
    def call(F: Ops, input: Any, *, approximate: str = "none") -> Value:  # noqa: A002
        """torch.nn.functional.gelu.  Raises RuntimeError for an unknown approximation."""
        if approximate not in ("none", "tanh"):
            raise ShapeError(explain("gelu", "approximate argument must be either none or tanh.", got=approximate))
        return F.gelu(input, approximate=approximate)

    @staticmethod
    def decompose(F: Ops, x: Value, approximate: str) -> Value:
        return F.mul(x, _gelu_gate(F, x, approximate))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, approximate: str) -> Value:
        if approximate == "none":
            return F.mul(g, F.gelu_slope(x))
        gate = _gelu_gate(F, x, approximate)
        slope = F.mul(F.add(F.mul(F.square(x), 3 * _CUBE), 1.0), 2 * _TANH_SCALE)
        return F.mul(g, F.mul(gate, F.add(F.mul(F.mul(F.rsub(gate, 1.0), slope), x), 1.0)))


def _gelu_gate(F: Ops, x: Value, approximate: str) -> Value:
    """ndtr, or its approximation (1 + tanh(u)) / 2, which is sigmoid(2 u): both have digits left far below 0."""
    if approximate == "none":
        return F.special_ndtr(x)
    inner = F.mul(F.mul(x, F.add(F.mul(F.square(x), _CUBE), 1.0)), 2 * _TANH_SCALE)
    gate: Value = F.sigmoid(inner)
    return gate


class GeluSlope(Activation):
    """The derivative of x ndtr(x).  Shape: (*a) -> (*a)."""

    numpy = "K.gelu_slope({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(6, lo=-30.0, hi=30.0)])

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return F.add(F.special_ndtr(x), F.mul(x, _density(F, x)))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.mul(_density(F, x), F.rsub(F.square(x), 2.0)))


def _density(F: Ops, x: Value) -> Value:
    """The normal density."""
    found: Value = F.mul(F.gaussian(x, scale=0.5), 1 / math.sqrt(2 * math.pi))
    return found


class Silu(Activation):
    """x sigmoid(x).  Shape: (*a) -> (*a)."""

    real_only = False
    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(6, lo=-300.0, hi=300.0)])

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return F.mul(x, F.sigmoid(x))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        gate = F.sigmoid(x)
        return F.mul(g, F.mul(gate, F.add(F.mul(x, F.rsub(gate, 1.0)), 1.0)))


class Mish(Activation):
    """x tanh(softplus(x)).  Shape: (*a) -> (*a)."""

    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(6, lo=-300.0, hi=300.0)])

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return F.mul(x, F.tanh(F.softplus(x, beta=1.0, threshold=20.0)))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        gate = F.tanh(F.softplus(x, beta=1.0, threshold=20.0))
        return F.mul(g, F.add(gate, F.mul(F.mul(x, F.sigmoid(x)), F.rsub(F.square(gate), 1.0))))


class LogSigmoid(Activation):
    """log(1 / (1 + exp(-x))), without overflow.  Shape: (*a) -> (*a)."""

    samples = ([A(2, 3)], [A()], [A(0, 4)], [A(6, lo=-900.0, hi=900.0)])

    @staticmethod
    def decompose(F: Ops, x: Value) -> Value:
        return F.sub(F.clamp(x, min=None, max=0.0), F.log1p(F.exp(F.neg(F.abs(x)))))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.sigmoid(F.neg(x)))


class Glu(Composite):
    """The first half of axis dim times the sigmoid of the second.  Shape: (*a, 2 n, *b) -> (*a, n, *b)."""

    function, method = False, False
    samples = ([A(2, 4)],)

    @staticmethod
    def call(F: Ops, input: Any, dim: int = -1) -> Value:  # noqa: A002
        """torch.nn.functional.glu.  Raises RuntimeError for an odd size or a 0-d input."""
        x = F.type(input)
        if not x.shape:
            raise ShapeError(explain("glu", "glu does not support 0-dimensional tensors"))
        not_for("glu_cpu", x, "biuc")
        axis = one_axis("glu", len(x.shape), dim)
        size = x.shape[axis]
        if size % 2:
            raise ShapeError(explain("glu", f"Halving dimension must be even, but dimension {axis} is size {size}"))
        first = F.slice(input, dim=axis, start=0, stop=size // 2, step=1)
        second = F.slice(input, dim=axis, start=size // 2, stop=size, step=1)
        return F.named(F.mul(first, F.sigmoid(second)), called="GluBackward0")


class Tanhshrink(Composite):
    """x - tanh(x).  Shape: (*a) -> (*a)."""

    function, method = False, False
    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """torch.nn.functional.tanhshrink."""
        return F.sub(input, F.tanh(input))


class Softsign(Composite):
    """x / (1 + |x|).  Shape: (*a) -> (*a)."""

    function, method = False, False
    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """torch.nn.functional.softsign."""
        return F.div(input, F.add(F.abs(input), 1))


__all__ = ["Gelu", "GeluSlope", "Glu", "LogSigmoid", "Mish", "Silu", "Softsign", "Tanhshrink"]
