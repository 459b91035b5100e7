"""Exponentials put in proportion over an axis: softmax and its relatives."""

from __future__ import annotations

import math
from typing import Any

from tracegrad import dtypes
from tracegrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Reduction
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, many_axes, one_axis, reduced
from tracegrad.ops.checks import is_floating, not_for


class Logsumexp(Reduction):
    """log(sum(exp(x))) over the axes dim, without overflow.  Shape: (*a) -> a without dim (1s there if keepdim).  No elements, or all -inf: -inf, with derivative 0."""

    masks = "folds"
    onnx = "ReduceLogSumExp"
    numpy, jax = "K.logsumexp({x}, {dim}, {keepdim})", "K.logsumexp({x}, {dim}, {keepdim})"
    samples = (
        [A(2, 3), (1,), True],
        [A(2, 3, lo=-900.0, hi=900.0), (0,), False],
        [A(2, 3), None, False],
        [A(0, 3), (0,), False],
        [A(), None, False],
    )

    @staticmethod
    def call(F: Ops, input: Any, dim: Any, keepdim: bool = False) -> Value:  # noqa: A002
        """logsumexp over dim, an int or a tuple; integers give the default float dtype."""
        t = F.type(input)
        if dim is None:
            raise ArgumentError(explain("logsumexp", "argument 'dim' must be tuple of ints, not NoneType"))
        x = input if is_floating(t.dtype) else F.as_dtype(input, dtypes.default.float)
        return F.logsumexp(x, dim=many_axes("logsumexp", len(t.shape), dim), keepdim=bool(keepdim))

    @classmethod
    def infer(cls, x: Type, dim: tuple[int, ...] | None, keepdim: bool) -> Type:
        """The reduced shape; x's dtype, which must be floating."""
        if not is_floating(x.dtype):
            raise DTypeError(explain("logsumexp", "Expected floating point type for the result", x=x))
        return Type(reduced(x.shape, dim, keepdim), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, x_type: Type, dim: Any) -> Value:
        g, out = (F.unreduce(v, shape=x_type.shape, dim=dim) for v in (g, F.where(F.eq(out, -math.inf), 0.0, out)))
        return F.mul(g, F.exp(F.sub(x, out)))  # all -inf: exp(-inf - 0) = 0


class _Proportion(Op, family=True):
    """Operators along one axis that keep the shape and need a floating dtype."""

    attrs = ("dim",)

    @classmethod
    def infer(cls, x: Type, dim: int) -> Type:
        """x's type; NotImplementedError for integers and bools."""
        not_for(f"{cls.name}_lastdim_kernel_impl", x, "biu")
        return x

    @classmethod
    def batch(cls, F: Any, size: int, batched: Any, x: Any, dim: int) -> Any:
        """The same one axis further in; a 0-d value becomes an axis of size 1."""
        function = getattr(F, cls.name)
        if len(F.shape(x)) == 1:
            return F.reshape(function(F.reshape(x, shape=(size, 1)), dim=1), shape=(size,))
        return function(x, dim=dim + 1)


def _operands(F: Ops, operation: str, x: Any, dim: Any, dtype: Any) -> tuple[Any, int]:
    """x in the wanted dtype, and the axis."""
    axis = one_axis(operation, len(F.shape(x)), dim)
    if dtype is not None:
        x = F.as_dtype(x, dtypes.to_numpy(dtype))
    not_for(f"{operation}_lastdim_kernel_impl", F.type(x), "biu")
    return x, axis


_SAMPLES = (
    [A(2, 3), 1],
    [A(2, 3), 0],
    [A(3, 2, 2), 1],
    [A(2, 3, lo=-900.0, hi=900.0), 1],
    [A(), 0],
    [A(0, 3), 1],
    [A(2, 0), 1],
)


class Softmax(_Proportion):
    """exp(x) / sum(exp(x)) along axis dim, without overflow.  Shape: (*a) -> (*a)."""

    masks = "rows"
    real_only = True
    samples, onnx = _SAMPLES, "Softmax"
    numpy, jax = "K.softmax({x}, {dim})", "K.softmax({x}, {dim})"

    @staticmethod
    def call(F: Ops, input: Any, dim: int, dtype: Any = None) -> Value:  # noqa: A002
        """softmax along dim, computed in dtype if given."""
        x, axis = _operands(F, "softmax", input, dim, dtype)
        return F.softmax(x, dim=axis)

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value, dim: int) -> Value:
        return F.softmax_backward(g, out, dim=dim)


class LogSoftmax(_Proportion):
    """x - logsumexp(x) along axis dim, without overflow.  Shape: (*a) -> (*a)."""

    masks = "rows"
    real_only = True
    samples, onnx = _SAMPLES, "LogSoftmax"
    numpy, jax = "K.log_softmax({x}, {dim})", "K.log_softmax({x}, {dim})"

    @staticmethod
    def call(F: Ops, input: Any, dim: int, dtype: Any = None) -> Value:  # noqa: A002
        """log_softmax along dim, computed in dtype if given."""
        x, axis = _operands(F, "log_softmax", input, dim, dtype)
        return F.log_softmax(x, dim=axis)

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value, dim: int) -> Value:
        return F.log_softmax_backward(g, out, dim=dim)


class _SlopeOfProportion(Op, family=True):
    """The derivative of an operator above, one kernel instead of several passes over memory; y is that operator's result."""

    masks = "rows"
    inputs, attrs, linear = ("slope", "y"), ("dim",), ("slope",)
    function, method, real_only = False, False, True
    samples = (
        [A(2, 3), A(2, 3, lo=-2.0, hi=1.0), 1],
        [A(3, 2, 2), A(3, 2, 2), 0],
        [A(), A(), 0],
        [A(0, 3), A(0, 3), 1],
    )

    @classmethod
    def infer(cls, slope: Type, y: Type, dim: int) -> Type:
        """The common type of both.  Raises RuntimeError where they differ."""
        if slope != y:
            raise ShapeError(explain(cls.name, "the slope must have the type of the result", slope=slope, y=y))
        return y

    @classmethod
    def batch(cls, F: Any, size: int, batched: Any, slope: Any, y: Any, dim: int) -> Any:
        """The same one axis further in; 0-d values become an axis of size 1."""
        both, function = F.lift(size, batched, slope, y), getattr(F, cls.name)
        if len(F.shape(both[0])) == 1:
            wide = (F.reshape(v, shape=(size, 1)) for v in both)
            return F.reshape(function(*wide, dim=1), shape=(size,))
        return function(*both, dim=dim + 1)


class SoftmaxBackward(_SlopeOfProportion):
    """y * (slope - sum(slope * y)) along axis dim: the derivative of softmax.  Shapes: (*a), (*a) -> (*a)."""

    numpy, torch_name = "K.softmax_backward({slope}, {y}, {dim})", "SoftmaxBackwardDataBackward0"

    @staticmethod
    def decompose(F: Ops, slope: Value, y: Value, dim: int) -> Value:
        return F.mul(y, F.sub(slope, _total(F, F.mul(slope, y), dim)))

    @staticmethod
    def grad_slope(F: Ops, g: Value, y: Value, dim: int) -> Value:
        return F.softmax_backward(g, y, dim=dim)

    @staticmethod
    def grad_y(F: Ops, g: Value, slope: Value, y: Value, dim: int) -> Value:
        away = F.sub(slope, _total(F, F.mul(slope, y), dim))
        return F.sub(F.mul(g, away), F.mul(slope, _total(F, F.mul(g, y), dim)))


class LogSoftmaxBackward(_SlopeOfProportion):
    """slope - exp(y) * sum(slope) along axis dim: the derivative of log_softmax.  Shapes: (*a), (*a) -> (*a)."""

    numpy, torch_name = "K.log_softmax_backward({slope}, {y}, {dim})", "LogSoftmaxBackwardDataBackward0"

    @staticmethod
    def decompose(F: Ops, slope: Value, y: Value, dim: int) -> Value:
        return F.sub(slope, F.mul(F.exp(y), _total(F, slope, dim)))

    @staticmethod
    def grad_slope(F: Ops, g: Value, y: Value, dim: int) -> Value:
        return F.sub(g, _total(F, F.mul(g, F.exp(y)), dim))

    @staticmethod
    def grad_y(F: Ops, g: Value, slope: Value, y: Value, dim: int) -> Value:
        return F.neg(F.mul(F.mul(g, F.exp(y)), _total(F, slope, dim)))


def _total(F: Ops, x: Value, dim: int) -> Value:
    return F.sum(x, dim=(dim,) if F.shape(x) else None, keepdim=True)
