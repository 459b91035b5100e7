"""How large values are and how far apart: norms, variance and standard deviation over axes."""

from __future__ import annotations

import math
from typing import Any

from tracegrad import dtypes
from tracegrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite, Reduction
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, many_axes, reduced
from tracegrad.ops.checks import as_number, needs_floating, real_type
from tracegrad.ops.reduce import Dim, folded_count


class _Spread(Reduction, family=True):
    """Variance and standard deviation: sum of squared deviations over (count - correction)."""

    masks = "folds"
    attrs = ("dim", "keepdim", "correction")
    samples = (
        [A(2, 3), (0,), False, 1], [A(2, 3), (1,), True, 0], [A(2, 3), None, False, 1], [A(2, 3, 2), (0, 2), False, 1.5], [A(4, lo=1e6, hi=1000002.0), None, False, 1],
    )  # fmt: skip

    @classmethod
    def infer(cls, x: Type, dim: Dim, keepdim: bool, correction: float) -> Type:
        """The reduced shape; the dtype of x's parts, which must be floating."""
        needs_floating(cls.name, x.dtype, "std and var only support floating point and complex dtypes")
        return Type(reduced(x.shape, dim, keepdim), real_type(x).dtype)

    @classmethod
    def batch(cls, F: Any, size: int, batched: Any, x: Any, dim: Dim, keepdim: bool, correction: float = 1) -> Any:
        """The same reduction one axis further in."""
        axes = range(len(F.shape(x)) - 1) if dim is None else dim
        return getattr(F, cls.name)(x, dim=tuple(d + 1 for d in axes), keepdim=keepdim, correction=correction)


def _spread_attrs(
    F: Ops, operation: str, x: Any, dim: Any, unbiased: Any, keepdim: bool, correction: Any
) -> dict[str, Any]:
    """dim, keepdim and correction from torch's two forms: (dim, unbiased, keepdim), (unbiased) and (dim, correction=, keepdim=)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    t = F.type(x)
    needs_floating(operation, t.dtype, "std and var only support floating point and complex dtypes")
    degrees = (1 if unbiased is None or unbiased else 0) if correction is None else correction
    return {"dim": many_axes(operation, len(t.shape), dim), "keepdim": bool(keepdim), "correction": degrees}


def _variance_slope(F: Ops, g: Value, x: Value, x_type: Type, dim: Dim, correction: float) -> Value:
    """The derivative of the variance times g, whose folded axes are kept."""
    degrees = folded_count(x_type.shape, dim) - correction
    deviation = F.sub(x, F.mean(x, dim=dim, keepdim=True))
    if degrees <= 0:  # as torch has it
        slope = F.where(F.eq(deviation, 0), math.nan, F.add(F.zeros(x_type), math.inf))
        return F.mul(F.as_dtype(g, x_type.dtype), slope)
    return F.mul(F.as_dtype(F.mul(g, 2 / degrees), x_type.dtype), deviation)


class Var(_Spread):
    """Variance over the axes dim, with `correction` subtracted from the count.  Shape: (*a) -> a without dim.  nan without degrees of freedom."""

    holomorphic = False
    pole = "fewer elements than the correction"
    numpy, jax = "K.var({x}, {dim}, {keepdim}, {correction})", "K.var({x}, {dim}, {keepdim}, {correction})"

    @staticmethod
    def call(
        F: Ops, input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
    ) -> Value:  # noqa: A002
        """Variance over dim; correction=1 (unbiased) unless given."""
        return F.var(input, **_spread_attrs(F, "var", input, dim, unbiased, keepdim, correction))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type, dim: Dim, correction: float) -> Value:
        return _variance_slope(F, F.unreduce(g, shape=x_type.shape, dim=dim), x, x_type, dim, correction)


class Std(_Spread):
    """Standard deviation: the root of var.  Shape: (*a) -> a without dim.  Its derivative is 0 where it is 0, as in torch."""

    holomorphic = False
    pole = "fewer elements than the correction"
    numpy, jax = "K.std({x}, {dim}, {keepdim}, {correction})", "K.std({x}, {dim}, {keepdim}, {correction})"

    @staticmethod
    def call(
        F: Ops, input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
    ) -> Value:  # noqa: A002
        """Standard deviation over dim; correction=1 (unbiased) unless given."""
        return F.std(input, **_spread_attrs(F, "std", input, dim, unbiased, keepdim, correction))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, x_type: Type, dim: Dim, correction: float) -> Value:
        g, out = (F.unreduce(v, shape=x_type.shape, dim=dim) for v in (g, out))
        half = F.where(F.eq(out, 0), 0.0, F.div(g, F.mul(out, 2)))
        return _variance_slope(F, half, x, x_type, dim, correction)

    @staticmethod
    def jvp(
        F: Ops, t_x: Value, x: Value, out: Value, x_type: Type, dim: Dim, keepdim: bool, correction: float
    ) -> Value:
        degrees = folded_count(x_type.shape, dim) - correction
        deviation = F.sub(x, F.mean(x, dim=dim, keepdim=True))
        change = F.real(F.mul(F.conj(deviation), t_x)) if x_type.dtype.kind == "c" else F.mul(deviation, t_x)
        along = F.sum(change, dim=dim, keepdim=keepdim)
        return F.where(F.eq(out, 0), 0.0, F.div(F.mul(along, 1 / degrees if degrees else math.inf), out))


class LinalgVectorNorm(Op):
    """(sum of |x|**ord)**(1/ord) over the axes dim; ord inf, -inf and 0 give maximum, minimum and count of |x|.  Shape: (*a) -> a without dim.

    The derivative is 0 where the norm is 0, as in torch; ties of a maximum share evenly.
    """

    masks = "folds"
    holomorphic = False
    attrs, function, method, pole = ("ord", "dim", "keepdim"), False, False, "zeros of x for ord < 1"
    numpy, jax = "K.vector_norm({x}, {ord}, {dim}, {keepdim})", "K.vector_norm({x}, {ord}, {dim}, {keepdim})"
    samples = (
        [A(2, 3), 2.0, None, False], [A(2, 3), 2.0, (1,), True], [A(2, 3), 1.0, (0,), False], [A(2, 3), math.inf, (1,), False], [A(2, 3), -math.inf, None, False],
        [A(2, 3, lo=0.5), 3.0, (0,), False], [A(2, 3, lo=0.5), 1.5, None, False], [A(2, 3, lo=0.5), 0.5, None, False], [A(2, 3), 0.0, (1,), False],
        [A(2, 3, lo=0.5), -1.0, (1,), False], [A(0, 3), 2.0, (0,), False], [A(), 2.0, None, False], [A(3, lo=0, hi=0), 2.0, None, False],
    )  # fmt: skip

    @staticmethod
    def infer(x: Type, ord: float, dim: Dim, keepdim: bool) -> Type:  # noqa: A002
        """The reduced shape; the dtype of x's parts, which must be floating."""
        needs_floating("linalg_vector_norm", x.dtype, "Expected a floating point or complex tensor as input")
        if ord in (math.inf, -math.inf) or ord < 0:
            axes = range(len(x.shape)) if dim is None else dim
            if any(x.shape[d] == 0 for d in axes):
                raise ShapeError(
                    explain(
                        "linalg_vector_norm",
                        f"cannot compute the {ord} norm on an empty tensor because the operation does not have an identity",
                        x=x,
                    )
                )
        return Type(reduced(x.shape, dim, keepdim), real_type(x).dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, x_type: Type, ord: float, dim: Dim) -> Value:  # noqa: A002
        if ord == 0:
            return F.zeros(x_type)
        if ord == 1:
            return F.mul(F.sgn(x), F.as_dtype(F.unreduce(g, shape=x_type.shape, dim=dim), x_type.dtype))
        g, norm = (F.unreduce(v, shape=x_type.shape, dim=dim) for v in (g, out))
        if ord == 2:
            share = F.where(F.eq(norm, 0), 0.0, F.div(g, norm))
            return F.mul(x, F.as_dtype(share, x_type.dtype))  # 0 where the norm is 0, to any order
        if math.isinf(ord):
            hit = F.eq(F.abs(x), norm)
            share = F.div(g, F.sum(F.cast(hit, dtype=F.type(norm).dtype), dim=dim, keepdim=True))
            return F.where(hit, F.mul(F.sgn(x), F.as_dtype(share, x_type.dtype)), 0.0)
        inner = F.where(F.eq(x, 0), 0.0, F.pow(F.abs(x), ord - 1))
        scale = F.where(F.eq(norm, 0), 1.0, norm) if ord > 1 else norm
        size = F.mul(inner, F.mul(g, F.pow(scale, 1 - ord)))
        return F.mul(F.sgn(x), F.as_dtype(size, x_type.dtype))

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, ord: float, dim: Dim, keepdim: bool) -> Value:  # noqa: A002
        axes = range(len(F.shape(x)) - 1) if dim is None else dim
        return F.linalg_vector_norm(x, ord=ord, dim=tuple(d + 1 for d in axes), keepdim=keepdim)


class Norm(Composite):
    """torch.norm: the vector p-norm over dim.  Shape: (*a) -> a without dim (1s there if keepdim)."""

    numbers = ("input",)
    samples = ([A(2, 3)], [A(2, 3), 1.0, 1])

    @staticmethod
    def call(F: Ops, input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """The p-norm over dim ("fro" is 2; None for all axes), computed in dtype if given, which may not be narrower."""
        p = as_number(p)
        if isinstance(p, str) and p != "fro":
            if p == "nuc":
                axes = range(len(F.shape(input))) if dim is None else (dim,) if isinstance(dim, int) else dim
                return F.matrix_norm(input, "nuc", tuple(axes), keepdim, dtype=dtype)
            raise DTypeError(explain("norm", f"Order {p} not supported"))
        if not isinstance(p, (str, int, float, type(None))):
            raise ArgumentError(explain("norm", f"p must be a number or 'fro', not {type(p).__name__}"))
        t = F.type(input)
        needs_floating("linalg.vector_norm", t.dtype, "Expected a floating point or complex tensor as input")
        x = input if dtype is None else F.as_dtype(input, wider(t, dtypes.to_numpy(dtype)))
        order = 2.0 if p in ("fro", None) else float(p)
        return F.linalg_vector_norm(x, ord=order, dim=many_axes("norm", len(t.shape), dim), keepdim=bool(keepdim))


def wider(x: Type, wanted: dtypes.NumpyDType) -> dtypes.NumpyDType:
    """The dtype to compute a norm in.  Raises RuntimeError unless it is floating and holds all of x's values."""
    needs_floating("linalg.vector_norm", wanted, "dtype should be floating point or complex")
    if dtypes.promote_types(x.dtype, wanted) != wanted:
        raise DTypeError(
            explain("linalg.vector_norm", f"the input should be convertible without narrowing to {wanted}", x=x)
        )
    return wanted
