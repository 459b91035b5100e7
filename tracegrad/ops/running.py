"""Running products and sums of exponentials along an axis, and the recurrence that their derivatives are made of."""

from __future__ import annotations

import math
from typing import Any

from tracegrad import dtypes
from tracegrad.errors import DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, one_axis
from tracegrad.ops.checks import not_for
from tracegrad.ops.reduce import folded

_SAMPLES = ([A(5), 0], [A(4, 3), 0], [A(2, 3), 1], [A(2, 3, 2), 1], [A(), 0], [A(0, 3), 1], [A(1), 0], [A(3, 0), 1])


def _shifted(F: Ops, x: Value, dim: int, first: float) -> Value:
    """x moved by one along dim, with the number `first` in front and the last element gone."""
    shape, t = F.shape(x), F.type(x)
    if not shape[dim]:
        return x
    start = F.full(shape=(*shape[:dim], 1, *shape[dim + 1 :]), value=first, dtype=t.dtype)
    return F.cat(start, F.slice(x, dim=dim, start=0, stop=shape[dim] - 1, step=1), dim=dim)


def _backward_recurrence(F: Ops, a: Value, b: Value, dim: int) -> Value:
    """r[i] = b[i] + a[i + 1] * r[i + 1], from the end."""
    factors = _shifted(F, F.flip(a, dims=(dim,)), dim, 0.0)
    return F.flip(F.linear_recurrence(factors, F.flip(b, dims=(dim,)), dim=dim), dims=(dim,))


class LinearRecurrence(Op):
    """s[i] = a[i] * s[i - 1] + b[i] along axis dim, from s[-1] = 0.  Shapes: (*a), (*a) -> (*a)."""

    inputs, attrs, function, method, linear = ("a", "b"), ("dim",), False, False, ("b",)
    numpy = jax = "K.linear_recurrence({a}, {b}, {dim})"
    samples = (
        [A(5), A(5), 0],
        [A(4, 3), A(4, 3), 0],
        [A(2, 3), A(2, 3), 1],
        [A(), A(), 0],
        [A(0, 3), A(0, 3), 1],
        [A(1), A(1), 0],
    )

    @staticmethod
    def infer(a: Type, b: Type, dim: int) -> Type:
        """b's type, which is a's."""
        return b

    @staticmethod
    def grad_a(F: Ops, g: Value, a: Value, out: Value, a_type: Type, dim: int) -> Value:
        if not a_type.shape:
            return F.zeros(a_type)
        return F.mul(_backward_recurrence(F, a, g, dim), _shifted(F, out, dim, 0.0))

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value, a_type: Type, dim: int) -> Value:
        return _backward_recurrence(F, a, g, dim) if a_type.shape else g

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], a: Value, b: Value, dim: int) -> Value:
        a, b = F.lift(size, batched, a, b)
        return F.linear_recurrence(a, b, dim=dim + 1) if len(F.shape(b)) > 1 else b


class Cumprod(Op):
    """Products of the elements up to and with each position of axis dim.  Shape: (*a) -> (*a).  Derivatives of every order are right at zeros."""

    attrs, inplace = ("dim",), True
    numpy = jax = "K.cumprod({x}, {dim})"
    samples = (*_SAMPLES, [A(5, lo=0, hi=0), 0])

    @staticmethod
    def infer(x: Type, dim: int) -> Type:
        """x's type."""
        return x

    @staticmethod
    def call(F: Ops, input: Any, dim: int, *, dtype: Any = None) -> Value:  # noqa: A002
        """Products along dim, computed in dtype if given."""
        return folded(F, "cumprod", input, dtype, {"dim": one_axis("cumprod", len(F.shape(input)), dim)})

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type, dim: int) -> Value:
        """The product of all before k, times g[k] + x[k + 1] * (g[k + 1] + x[k + 2] * ...)."""
        if not x_type.shape:
            return g
        before = F.cumprod(_shifted(F, x, dim, 1.0), dim=dim)
        return F.mul(before, _backward_recurrence(F, x, g, dim))

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int) -> Value:
        return F.cumprod(x, dim=dim + 1) if len(F.shape(x)) > 1 else x


class Logcumsumexp(Op):
    """log(sum(exp(x))) of the elements up to and with each position of axis dim, without overflow.  Shape: (*a) -> (*a).  All -inf: -inf."""

    attrs, masks = ("dim",), "stops"
    numpy = jax = "K.logcumsumexp({x}, {dim})"
    samples = (*_SAMPLES, [A(5, lo=-900.0, hi=900.0), 0])

    @staticmethod
    def infer(x: Type, dim: int) -> Type:
        """x's type; NotImplementedError for integers and bools."""
        not_for("logcumsumexp_out_cpu", x, "biu")
        return x

    @staticmethod
    def call(F: Ops, input: Any, dim: int) -> Value:  # noqa: A002
        """logcumsumexp along dim."""
        not_for("logcumsumexp_out_cpu", F.type(input), "biu")
        return F.logcumsumexp(input, dim=one_axis("logcumsumexp", len(F.shape(input)), dim))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, x_type: Type, dim: int) -> Value:
        """exp(x[k] - out[k]) * (g[k] + exp(out[k] - out[k + 1]) * (g[k + 1] + ...)): no exponent is positive."""
        if not x_type.shape:
            return g
        nothing = F.eq(out, -math.inf)
        level = F.where(nothing, 0.0, out)
        before = _shifted(F, level, dim, 0.0)
        started = F.logical_not(_shifted(F, nothing, dim, True))
        ratio = F.where(started, F.exp(F.sub(before, level)), 0.0)
        total = _backward_recurrence(F, ratio, g, dim)
        return F.mul(F.where(nothing, 0.0, F.exp(F.sub(F.where(nothing, 0.0, x), level))), total)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dim: int) -> Value:
        return F.logcumsumexp(x, dim=dim + 1) if len(F.shape(x)) > 1 else x


def _neighbours(F: Ops, x: Any, dim: int, join: Any) -> Value:
    n = F.shape(x)[dim]
    return join(
        F.slice(x, dim=dim, start=min(1, n), stop=n, step=1), F.slice(x, dim=dim, start=0, stop=max(n - 1, 0), step=1)
    )


def _spacing(F: Ops, operation: str, y: Any, x: Any, dim: int) -> Value:
    """The distances between neighbouring x along dim, in the form that goes with y.  Raises RuntimeError for another number of points."""
    ndim, points = len(F.shape(y)), F.shape(x)
    if len(points) == 1:
        if points[0] != F.shape(y)[dim]:
            raise ShapeError(
                explain(operation, f"There must be one `x` value for each sample point, got {points[0]}", y=F.type(y))
            )
        gaps = _neighbours(F, x, 0, F.sub)
        return F.reshape(gaps, shape=tuple(F.shape(gaps)[0] if d == dim else 1 for d in range(ndim)))
    if len(points) < ndim:
        x = F.reshape(x, shape=(*(1,) * (ndim - len(points)), *points))
    return _neighbours(F, x, dim, F.sub)


def _pairs(F: Ops, operation: str, y: Any, dim: Any) -> tuple[Value, int]:
    """The sums of neighbours along an axis, and the axis.  Raises RuntimeError for bools."""
    t = F.type(y)
    axis = one_axis(operation, len(t.shape), dim)
    if t.dtype.kind == "b":
        raise DTypeError(explain(operation, "received a bool input for `x` or `y`, but bool is not supported", y=t))
    return _neighbours(F, y, axis, F.add), axis


class Trapezoid(Composite):
    """The integral of y along an axis by the trapezoidal rule.  Shape: (*a) -> a without dim."""

    aliases = ("trapz",)
    method = False
    samples = ([A(2, 3)], [A(4), A(4)])

    @staticmethod
    def call(F: Ops, y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Value:
        """The integral over points x, or over points that are dx (1) apart."""
        t = F.type(y)
        axis = one_axis("trapezoid", len(t.shape), dim)
        if t.shape and not t.shape[axis]:
            return F.zeros(Type((*t.shape[:axis], *t.shape[axis + 1 :]), t.dtype))
        areas, axis = _pairs(F, "trapezoid", y, dim)
        if x is not None:
            areas = F.mul(areas, _spacing(F, "trapezoid", y, x, axis))
        total = F.sum(areas if F.is_floating(areas) else F.as_dtype(areas, dtypes.I64), dim=(axis,), keepdim=False)
        if x is not None:
            return F.named(F.div(total, 2.0), called="DivBackward1")
        return F.named(F.mul(total, (1 if dx is None else dx) / 2.0), called="MulBackward1")


class CumulativeTrapezoid(Composite):
    """The integrals of y up to each point along an axis, by the trapezoidal rule.  Shape: (*p, n, *q) -> (*p, n - 1, *q)."""

    method = False
    samples = ([A(2, 3)], [A(4), A(4)])

    @staticmethod
    def call(F: Ops, y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Value:
        """The integrals over points x, or over points that are dx (1) apart."""
        areas, axis = _pairs(F, "cumulative_trapezoid", y, dim)
        if x is None:
            return F.cumsum(F.mul(areas, (1 if dx is None else dx) / 2.0), dim=axis)
        areas = F.mul(areas, _spacing(F, "cumulative_trapezoid", y, x, axis))
        return F.named(
            F.div(F.cumsum(areas if F.is_floating(areas) else F.as_dtype(areas, dtypes.I64), dim=axis), 2.0),
            called="DivBackward1",
        )
