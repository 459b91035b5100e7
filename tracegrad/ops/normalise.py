"""Exponentials put in proportion over an axis: softmax and its relatives."""

from __future__ import annotations

import math
from typing import Any

from tracegrad import dtypes
from tracegrad.errors import ArgumentError, DTypeError, explain
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


def _axes(x_type: Type, dim: int) -> tuple[int, ...] | None:
    return (dim,) if x_type.shape else None


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
    def grad_x(F: Ops, g: Value, out: Value, x_type: Type, dim: int) -> Value:
        return F.mul(out, F.sub(g, F.sum(F.mul(g, out), dim=_axes(x_type, dim), keepdim=True)))


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
    def grad_x(F: Ops, g: Value, out: Value, x_type: Type, dim: int) -> Value:
        return F.sub(g, F.mul(F.exp(out), F.sum(g, dim=_axes(x_type, dim), keepdim=True)))
