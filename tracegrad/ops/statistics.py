"""Several statistics at once, those that skip nan, quantiles, covariances, extremes of both kinds and distances."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from tracegrad import dtypes
from tracegrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape, Type, many_axes, one_axis, size_of
from tracegrad.ops.checks import has_elements, is_number, needs_floating, whole
from tracegrad.ops.extremes import Amax, Amin
from tracegrad.ops.reduce import Dim, folded, total
from tracegrad.ops.results import named_result
from tracegrad.ops.spread import Std, Var, _spread_attrs

_NO_DEGREES = "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations."


class _SpreadAndMean(Op, family=True):
    """The variance or standard deviation over axes, and the mean."""

    attrs: ClassVar[tuple[str, ...]] = ("dim", "keepdim", "correction")
    function: ClassVar[bool] = False
    method: ClassVar[bool] = False
    holomorphic: ClassVar[bool] = False
    pole: ClassVar[str] = "fewer elements than the correction"

    @classmethod
    def batch(cls, F: Any, size: int, batched: Any, x: Any, dim: Dim, keepdim: bool, correction: float) -> Any:
        """The same one axis further in."""
        axes = range(len(F.shape(x)) - 1) if dim is None else dim
        return getattr(F, cls.name)(x, dim=tuple(d + 1 for d in axes), keepdim=keepdim, correction=correction)


class VarAndMean(_SpreadAndMean):
    """Variance and mean over the axes dim.  Shape: (*a) -> twice a without dim."""

    outputs, torch_name, samples = ("var", "mean"), "VarMeanBackward0", Var.samples[:4]
    numpy = jax = "(K.var({x}, {dim}, {keepdim}, {correction}), K.mean({x}, {dim}, {keepdim}))"

    @staticmethod
    def infer(x: Type, dim: Dim, keepdim: bool, correction: float) -> tuple[Type, Type]:
        """The reduced shape twice."""
        spread = Var.infer(x, dim, keepdim, correction)
        return spread, Type(spread.shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g_var: Value, g_mean: Value, x: Value, x_type: Type, dim: Dim, correction: float) -> Value:
        return F.add(Var.grad_x(F, g_var, x, x_type, dim, correction), _mean_slope(F, g_mean, x_type, dim))


class StdAndMean(_SpreadAndMean):
    """Standard deviation and mean over the axes dim.  Shape: (*a) -> twice a without dim."""

    outputs, torch_name, samples = ("std", "mean"), "StdMeanBackward0", Std.samples[:4]
    numpy = jax = "(K.std({x}, {dim}, {keepdim}, {correction}), K.mean({x}, {dim}, {keepdim}))"

    @staticmethod
    def infer(x: Type, dim: Dim, keepdim: bool, correction: float) -> tuple[Type, Type]:
        """The reduced shape twice."""
        spread = Std.infer(x, dim, keepdim, correction)
        return spread, Type(spread.shape, x.dtype)

    @staticmethod
    def grad_x(
        F: Ops, g_std: Value, g_mean: Value, x: Value, std: Value, x_type: Type, dim: Dim, correction: float
    ) -> Value:
        return F.add(Std.grad_x(F, g_std, x, std, x_type, dim, correction), _mean_slope(F, g_mean, x_type, dim))


def _mean_slope(F: Ops, g: Value, x_type: Type, dim: Dim) -> Value:
    count = size_of(x_type.shape if dim is None else tuple(x_type.shape[d] for d in dim))
    return F.expand(F.unreduce(F.div(g, float(max(count, 1))), shape=x_type.shape, dim=dim), shape=x_type.shape)


class VarMean(Composite):
    """Variance and mean over axes.  Shape: (*a) -> twice a without dim."""

    method = False
    samples = ([A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(
        F: Ops, input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
    ) -> Any:  # noqa: A002
        """(variance, mean) over dim; correction=1 (unbiased) unless given."""
        return tuple(F.var_and_mean(input, **_spread_attrs(F, "var_mean", input, dim, unbiased, keepdim, correction)))


class StdMean(Composite):
    """Standard deviation and mean over axes.  Shape: (*a) -> twice a without dim."""

    method = False
    samples = ([A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(
        F: Ops, input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
    ) -> Any:  # noqa: A002
        """(standard deviation, mean) over dim; correction=1 (unbiased) unless given."""
        return tuple(F.std_and_mean(input, **_spread_attrs(F, "std_mean", input, dim, unbiased, keepdim, correction)))


class Nansum(Composite):
    """Sum over axes of the elements that are not nan.  Shape: (*a) -> a without dim (1s there if keepdim)."""

    samples = ([A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """Sum over dim with nan as 0, computed in dtype if given."""
        t = F.type(input)
        if t.dtype.kind == "c":
            raise DTypeError(explain("nansum", "does not support complex inputs", input=t))
        x = F.where(F.isnan(input), 0.0, input) if t.dtype.kind in "fV" else input
        axes = {"dim": many_axes("nansum", len(t.shape), dim), "keepdim": bool(keepdim)}
        total = folded(F, "sum", x, dtype, axes)
        return F.named(total, called="NansumBackward0") if F.is_floating(total) else total


class Nanmean(Composite):
    """Mean over axes of the elements that are not nan.  Shape: (*a) -> a without dim (1s there if keepdim)."""

    samples = ([A(2, 3)], [A(2, 3), 1])

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Value:  # noqa: A002
        """nansum over the count of the elements that are not nan."""
        needs_floating("nanmean", F.type(input).dtype, "expected input to have floating point or complex dtype")
        if dtype is not None:
            problem = "could not infer output dtype. Optional dtype must be either a floating point or complex dtype"
            needs_floating("nanmean", dtypes.to_numpy(dtype), problem)
        total = Nansum.call(F, input, dim, keepdim, dtype=dtype)
        axes = many_axes("nanmean", len(F.shape(input)), dim)
        present = F.cast(F.logical_not(F.isnan(input)), dtype=F.type(total).dtype)
        return F.div(total, F.sum(present, dim=axes, keepdim=bool(keepdim)))


_WAYS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(F: Ops, operation: str, x: Any, q: Any, dim: Any, keepdim: bool, way: str) -> Value:
    t = F.type(x)
    _check_quantile(F, operation, t, q, way)
    if dim is None:
        rows, axis = F.reshape(x, shape=(size_of(t.shape),)), 0
    else:
        rows, axis = (x if t.shape else F.reshape(x, shape=(1,))), one_axis(operation, len(t.shape), dim)
    ndim = len(F.shape(rows))
    last = ndim - 1
    rows = F.permute(rows, dims=(*(d for d in range(ndim) if d != axis), axis)) if axis != last else rows
    n = F.shape(rows)[-1]
    if not size_of(F.shape(rows)):
        raise ShapeError(explain(operation, "input tensor must be non-empty", input=t))
    levels = F.full(shape=(1,), value=q, dtype=t.dtype) if is_number(q) else F.reshape(q, shape=(size_of(F.shape(q)),))
    values = F.sort_dim(rows, dim=last, descending=False)[0]
    found = _at_levels(F, values, levels, n, way, operation == "nanquantile")
    return _placed(F, found, t.shape, None if dim is None else axis, keepdim, () if is_number(q) else F.shape(q))


def _check_quantile(F: Ops, operation: str, t: Type, q: Any, way: str) -> None:
    if t.dtype.kind not in "fV":
        raise DTypeError(explain(operation, "input tensor must be either float or double dtype", input=t))
    if way not in _WAYS:
        raise ShapeError(
            explain(
                operation, f"interpolation must be one of linear, lower, higher, midpoint or nearest, but got {way}"
            )
        )
    if is_number(q):
        if not 0 <= q <= 1:
            raise ShapeError(explain(operation, f"q must be in the range [0, 1] but got {q}"))
        return
    if isinstance(q, (list, tuple)):
        raise ArgumentError(explain(operation, f"argument 'q' must be a float or a Tensor, not {type(q).__name__}"))
    given = F.type(q)
    if len(given.shape) > 1:
        raise ShapeError(explain(operation, "q must be a scalar or 1D tensor", q=given))
    if given.dtype != t.dtype:
        raise DTypeError(explain(operation, "q tensor must be same dtype as the input tensor", q=given, input=t))
    numbers = getattr(q, "_data", None)
    if numbers is not None and not ((numbers >= 0) & (numbers <= 1)).all():
        raise ShapeError(explain(operation, "q values must be in the range [0, 1]"))


def _at_levels(F: Ops, values: Value, levels: Value, n: int, way: str, skip: bool) -> Value:
    """The quantiles of the last axis of sorted values: one for each level, on a new last axis."""
    lead, count, d = F.shape(values)[:-1], F.shape(levels)[0], F.type(values).dtype
    missing = F.sum(F.cast(F.isnan(values), dtype=d), dim=(len(lead),), keepdim=True)
    last = F.sub(float(n - 1), missing) if skip else F.full(shape=(*lead, 1), value=n - 1, dtype=d)
    rank = F.clamp_min(F.mul(F.reshape(levels, shape=(*(1,) * len(lead), count)), last), min=0.0, max=None)
    if not skip:
        rank = F.where(F.gt(missing, 0), float(n - 1), rank)  # nan come last
    if way == "nearest":
        rank = F.round(rank, decimals=0)
    below = F.floor(F.expand(rank, shape=(*lead, count)) if way != "higher" else F.ceil(rank))
    low = F.gather(values, F.cast(below, dtype=dtypes.I64), dim=len(lead))
    if way not in ("linear", "midpoint"):
        return low
    high = F.gather(values, F.cast(F.ceil(rank), dtype=dtypes.I64), dim=len(lead))
    return (
        F.lerp(low, high, 0.5 if way == "midpoint" else F.sub(rank, below))
        if way == "linear"
        else _middle(F, low, high, rank, below)
    )


def _middle(F: Ops, low: Value, high: Value, rank: Value, below: Value) -> Value:
    return F.where(F.eq(rank, below), low, F.lerp(low, high, F.mul(F.ones(F.type(low)), 0.5)))


def _placed(F: Ops, found: Value, shape: Shape, axis: int | None, keepdim: bool, own: Shape) -> Value:
    """Quantiles on the last axis in torch's order: levels first, the folded axes kept if asked for."""
    ndim = len(F.shape(found))
    found = F.permute(found, dims=(ndim - 1, *range(ndim - 1)))
    rest = tuple(n for d, n in enumerate(shape) if d != axis) if axis is not None and shape else ()
    if keepdim:
        rest = (1,) * len(shape) if axis is None else tuple(1 if d == axis else n for d, n in enumerate(shape))
    return F.named(F.reshape(found, shape=(*own, *rest)), called="SqueezeBackward4")


class Quantile(Composite):
    """The elements that a share q of the others lies below, of all or along an axis.  Shape: q's shape, then a without dim.  nan where there is one."""

    samples = ([A(2, 3), 0.3], [A(2, 3), 0.3, 1])

    @staticmethod
    def call(
        F: Ops, input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Value:  # noqa: A002
        """Quantiles for q, a number or a vector of them, between two elements as `interpolation` says."""
        return _quantile(F, "quantile", input, q, dim, bool(keepdim), interpolation)


class Nanquantile(Composite):
    """quantile of the elements that are not nan.  Shape: q's shape, then a without dim."""

    samples = ([A(2, 3), 0.3], [A(2, 3), 0.3, 1])

    @staticmethod
    def call(
        F: Ops, input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Value:  # noqa: A002
        """Quantiles for q, a number or a vector of them, between two elements as `interpolation` says."""
        return _quantile(F, "nanquantile", input, q, dim, bool(keepdim), interpolation)


class AminOfBoth(Amin):
    """The smallest elements, as aminmax records them.  Shape: (*a) -> a without dim."""

    function, method, call, torch_name = False, False, None, "AminmaxBackward0"


class AmaxOfBoth(Amax):
    """The largest elements, as aminmax records them.  Shape: (*a) -> a without dim."""

    function, method, call, torch_name = False, False, None, "AminmaxBackward0"


class Aminmax(Composite):
    """The smallest and the largest elements, of all or along an axis.  Shape: (*a) -> twice a without dim."""

    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:  # noqa: A002
        """(min, max) over dim; None for all."""
        shape: Shape = F.shape(input)
        axes = None if dim is None else many_axes("aminmax", len(shape), one_axis("aminmax", len(shape), dim))
        if axes is not None:
            has_elements("aminmax", F.type(input), axes)
        elif not size_of(shape):
            raise ShapeError(
                explain("aminmax", "cannot compute aminmax over an empty dimension as the operation has no identity.")
            )
        both = (getattr(F, name)(input, dim=axes, keepdim=bool(keepdim)) for name in ("amin_of_both", "amax_of_both"))
        return named_result("aminmax", ("min", "max"), both)


def _covariance(F: Ops, x: Any, correction: int, fweights: Any, aweights: Any) -> Value:
    t = F.type(x)
    if len(t.shape) > 2:
        raise ShapeError(
            explain(
                "cov", f"expected input to have two or fewer dimensions but got an input with {len(t.shape)} dimensions"
            )
        )
    if t.dtype.kind == "b":
        raise DTypeError(explain("cov", "bool dtype is not supported for input", input=t))
    rows = F.reshape(x, shape=(1, size_of(t.shape))) if len(t.shape) < 2 else x
    rows = rows if F.is_floating(rows) else F.as_dtype(rows, dtypes.default.float)
    if aweights is not None and F.is_floating(aweights):
        rows = F.as_dtype(rows, dtypes.promote_types(F.type(rows).dtype, F.type(aweights).dtype))
    d, n = F.type(rows).dtype, F.shape(rows)[1]
    _check_weights(F, fweights, aweights, n)
    weights = aweights if fweights is None else fweights
    if weights is None:
        mean = F.mean(rows, dim=(1,), keepdim=True) if n else F.sum(rows, dim=(1,), keepdim=True)
        apart = scaled = F.sub(rows, mean)
        factor: Any = float(n - correction) if n > correction else 0.0
        if n <= correction:
            warnings.warn(_NO_DEGREES, UserWarning, stacklevel=6)
    else:
        if fweights is not None and aweights is not None:
            weights = F.mul(F.as_dtype(fweights, F.type(aweights).dtype), aweights)
        same, count = F.as_dtype(weights, d), _in_floating(F, total(F, weights, None))
        apart = F.sub(rows, F.div(F.sum(F.mul(rows, same), dim=(1,), keepdim=True), F.as_dtype(count, d)))
        scaled = F.mul(apart, same)
        factor = F.sub(count, float(correction))
        if aweights is not None and correction != 0:
            power = F.sum(F.mul(weights, aweights), dim=None, keepdim=False)
            factor = F.sub(count, F.div(F.mul(power, float(correction)), count))
        factor = F.as_dtype(F.clamp_min(factor, min=0.0, max=None), d)
    product = F.matmul(apart, F.conj(F.mT(scaled)) if d.kind == "c" else F.mT(scaled))
    made = F.div(product, factor)
    return made if len(t.shape) == 2 and F.shape(made) != (1, 1) else F.squeeze(made, dim=None)


def _in_floating(F: Ops, x: Value) -> Value:
    return x if F.is_floating(x) else F.as_dtype(x, dtypes.F64)


def _check_weights(F: Ops, fweights: Any, aweights: Any, n: int) -> None:
    for name, given, kinds, wanted in (
        ("fweights", fweights, "iu", "integral"),
        ("aweights", aweights, "fV", "floating point"),
    ):
        if given is None:
            continue
        t, numbers = F.type(given), getattr(given, "_data", None)
        if len(t.shape) > 1:
            problem = f"cov(): expected {name} to have one or fewer dimensions but got {len(t.shape)}"
        elif t.dtype.kind not in kinds:
            problem = f"cov(): expected {name} to have {wanted} dtype but got {t}"
        elif size_of(t.shape) != n:
            problem = f"cov(): expected {name} to have the same numel as there are observations in the input but got {size_of(t.shape)} != {n}"
        elif numbers is not None and (numbers < 0).any():
            problem = f"cov(): {name} cannot be negative"
        elif numbers is not None and numbers.size and not numbers.any():
            problem = "cov(): weights sum to zero, can't be normalized"
        else:
            continue
        raise ShapeError(explain("cov", problem))


class Cov(Composite):
    """The covariances of the rows, each an observed variable.  Shapes: (k, n) -> (k, k), (n,) -> ()."""

    samples = ([A(2, 4)], [A(4)])

    @staticmethod
    def call(F: Ops, input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Value:  # noqa: A002
        """Covariances with `correction` subtracted from the count; fweights: how often each observation occurred, aweights: how much it counts."""
        correction = whole("cov", "correction", correction)
        return F.named(_covariance(F, input, correction, fweights, aweights), called="SqueezeBackward0")


class Corrcoef(Composite):
    """The correlations of the rows, each an observed variable.  Shapes: (k, n) -> (k, k), (n,) -> ()."""

    samples = ([A(2, 4)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """Covariances over the products of standard deviations, within [-1, 1]."""
        found = _covariance(F, input, 1, None, None)
        if not F.shape(found):
            return F.div(found, found)
        spread = F.sqrt(F.diagonal(found, offset=0, dim1=0, dim2=1))
        scaled = F.div(F.div(found, F.unsqueeze(spread, dim=1)), F.unsqueeze(spread, dim=0))
        if F.is_complex(scaled):
            return F.complex(*(F.clamp(part, min=-1.0, max=1.0) for part in (F.real(scaled), F.imag(scaled))))
        return F.named(F.clamp(scaled, min=-1.0, max=1.0), called="ClampBackward1")
