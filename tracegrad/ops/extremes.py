"""Larger and smaller values: of two operands and over axes."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import I64
from tracegrad.errors import ArgumentError, AxisError, DTypeError, explain
from tracegrad.ir.families import Composite, Elementwise, Reduction
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, many_axes, one_axis, reduced, size_of
from tracegrad.ops.checks import has_elements, is_number
from tracegrad.ops.results import named_result

_PAIRS = ([A(2, 3), A(3)], [A(2, 1), A(1, 3)], [A(), A(4)], [A(0, 3), A(3)], [A(3, lo=1, hi=1), A(3, lo=1, hi=1)])


class Maximum(Elementwise):
    """The larger of x and y; nan if one is nan.  Shapes: (*a), (*b) -> broadcast(a, b).  Ties share the derivative evenly."""

    masks = "selects"
    tensors = ("other",)
    real_only = DTypeError  # torch's class for these
    inputs, commutative, quiet, tensor_first, samples = ("x", "y"), True, True, True, _PAIRS
    numpy, jax, onnx = "np.maximum({x}, {y})", "jnp.maximum({x}, {y})", "Max"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.lt(x, y), 0.0, F.where(F.eq(x, y), F.mul(g, 0.5), g))

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.lt(y, x), 0.0, F.where(F.eq(x, y), F.mul(g, 0.5), g))


class Minimum(Elementwise):
    """The smaller of x and y; nan if one is nan.  Shapes: (*a), (*b) -> broadcast(a, b).  Ties share the derivative evenly."""

    masks = "selects"
    tensors = ("other",)
    real_only = DTypeError  # torch's class for these
    inputs, commutative, quiet, tensor_first, samples = ("x", "y"), True, True, True, _PAIRS
    numpy, jax, onnx = "np.minimum({x}, {y})", "jnp.minimum({x}, {y})", "Min"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.gt(x, y), 0.0, F.where(F.eq(x, y), F.mul(g, 0.5), g))

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.gt(y, x), 0.0, F.where(F.eq(x, y), F.mul(g, 0.5), g))


# --- over axes


class Amax(Reduction):
    """The largest element over the axes dim; nan if there is one.  Shape: (*a) -> a without dim (1s there if keepdim).  Ties share evenly."""

    masks = "selects"
    real_only = True
    quiet, onnx = True, "ReduceMax"
    numpy = "np.maximum.reduce({x}, axis={dim}, keepdims={keepdim})"
    jax = "jnp.max({x}, axis={dim}, keepdims={keepdim})"
    samples = (
        [A(2, 3), (0,), False],
        [A(2, 3), (1,), True],
        [A(2, 3), None, False],
        [A(2, 3, 2), (0, 2), False],
        [A(0, 3), (1,), False],
        [A(), None, False],
    )

    @classmethod
    def infer(cls, x: Type, dim: tuple[int, ...] | None, keepdim: bool) -> Type:
        """The reduced shape; RuntimeError or IndexError when nothing is there to choose from."""
        has_elements(cls.name.removesuffix("_all"), x, dim)
        return Type(reduced(x.shape, dim, keepdim), x.dtype)

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = (), keepdim: bool = False) -> Value:  # noqa: A002
        """The largest element over dim, an int or a tuple; () for all."""
        return F.amax(input, dim=many_axes("amax", len(F.shape(input)), dim), keepdim=bool(keepdim))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, x_type: Type, dim: Any) -> Value:
        g, out = (F.unreduce(v, shape=x_type.shape, dim=dim) for v in (g, out))
        return F.where(F.isnan(out), out, shared(F, g, F.eq(x, out), x_type, dim))

    @staticmethod
    def jvp(F: Ops, t_x: Value, x: Value, out: Value, x_type: Type, dim: Any, keepdim: bool) -> Value:
        hit = F.eq(x, F.unreduce(out, shape=x_type.shape, dim=dim))
        change = F.sum(shared(F, t_x, hit, x_type, dim), dim=dim, keepdim=keepdim)
        return F.where(F.isnan(out), out, change)


def shared(F: Ops, g: Value, hit: Value, x_type: Type, dim: Any) -> Value:
    """g in equal parts where `hit` holds along dim, 0 elsewhere."""
    return F.where(hit, F.div(g, F.sum(F.cast(hit, dtype=x_type.dtype), dim=dim, keepdim=True)), 0.0)


class Amin(Amax):
    """The smallest element over the axes dim; nan if there is one.  Shape: (*a) -> a without dim (1s there if keepdim).  Ties share evenly."""

    real_only = True
    onnx = "ReduceMin"
    numpy = "np.minimum.reduce({x}, axis={dim}, keepdims={keepdim})"
    jax = "jnp.min({x}, axis={dim}, keepdims={keepdim})"

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = (), keepdim: bool = False) -> Value:  # noqa: A002
        """The smallest element over dim, an int or a tuple; () for all."""
        return F.amin(input, dim=many_axes("amin", len(F.shape(input)), dim), keepdim=bool(keepdim))


class MaxAll(Amax):
    """What max(x) without dim records.  Shape: (*a) -> ().  Ties, and several nan, share the derivative evenly."""

    real_only = True
    name, torch_name, function, method, onnx, call, jvp = "max_all", "MaxBackward1", False, False, "", None, None
    samples = ([A(2, 3), None, False], [A(), None, False], [A(4, lo=1, hi=1), None, False])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value, x_type: Type, dim: Any) -> Value:
        g, out = (F.unreduce(v, shape=x_type.shape, dim=dim) for v in (g, out))
        return shared(F, g, F.logical_or(F.eq(x, out), F.logical_and(F.isnan(x), F.isnan(out))), x_type, dim)


class MinAll(MaxAll):
    """What min(x) without dim records.  Shape: (*a) -> ().  Ties, and several nan, share the derivative evenly."""

    real_only = True
    name, torch_name = "min_all", "MinBackward1"
    numpy, jax = Amin.numpy, Amin.jax


class MaxDim(Op):
    """The largest element along axis dim, and the position of the first such.  Shape: (*p, n, *q) -> twice (*p, *q), or (*p, 1, *q) if keepdim.

    The derivative goes to the chosen element alone.
    """

    masks = "selects"
    real_only = DTypeError  # torch's class for these
    attrs, outputs, nondiff_outputs = ("dim", "keepdim"), ("values", "indices"), ("indices",)
    torch_name, function, method, quiet = "MaxBackward0", False, False, True
    numpy, jax = "K.max_dim({x}, {dim}, {keepdim})", "K.max_dim({x}, {dim}, {keepdim})"
    samples = (
        [A(2, 3), 0, False],
        [A(2, 3), 1, True],
        [A(2, 3, 2), 1, False],
        [A(0, 3), 1, False],
        [A(4, lo=1, hi=1), 0, False],
    )

    @classmethod
    def infer(cls, x: Type, dim: int, keepdim: bool) -> tuple[Type, Type]:
        """The reduced shape, with x's dtype and int64; IndexError for an axis without elements."""
        has_elements(cls.name.removesuffix("_dim"), x, dim)
        shape = reduced(x.shape, (dim,), keepdim)
        return Type(shape, x.dtype), Type(shape, I64)

    @staticmethod
    def grad_x(F: Ops, g_values: Value, indices: Value, x_type: Type, dim: int) -> Value:
        g, at = (F.unreduce(v, shape=x_type.shape, dim=(dim,)) for v in (g_values, indices))
        return F.scatter_add(F.zeros(x_type), at, g, dim=dim)

    @classmethod
    def batch(cls, F: Ops, size: int, batched: Any, x: Value, dim: int, keepdim: bool) -> Any:
        """The same one axis further in."""
        return getattr(F, cls.name)(x, dim=dim + 1, keepdim=keepdim)


class MinDim(MaxDim):
    """The smallest element along axis dim, and the position of the first such.  Shape: (*p, n, *q) -> twice (*p, *q), or (*p, 1, *q) if keepdim.

    The derivative goes to the chosen element alone.
    """

    real_only = DTypeError  # torch's class for these
    name, torch_name = "min_dim", "MinBackward0"
    numpy, jax = "K.min_dim({x}, {dim}, {keepdim})", "K.min_dim({x}, {dim}, {keepdim})"


def _extreme(F: Ops, operation: str, x: Any, dim: Any, keepdim: bool, other: Any) -> Any:
    """torch's three forms of max and min: (x), (x, dim, keepdim) and (x, other)."""
    if dim is None and other is None:
        if keepdim:
            raise ArgumentError(explain(operation, "takes keepdim only together with dim"))
        return getattr(F, f"{operation}_all")(x, dim=None, keepdim=False)
    if not isinstance(dim, int):
        second = dim if other is None else other
        if (dim is not None and other is not None) or is_number(second) or isinstance(second, (str, list, tuple)):
            raise ArgumentError(
                explain(operation, "takes (input), (input, dim, keepdim) or (input, other)", got=type(second).__name__)
            )
        return getattr(F, f"{operation}imum")(x, second)
    axis = one_axis(operation, len(F.shape(x)), dim)
    whole = x if F.shape(x) else F.reshape(x, shape=(1,))
    values, indices = getattr(F, f"{operation}_dim")(whole, dim=axis, keepdim=bool(keepdim) and whole is x)
    return named_result(operation, ("values", "indices"), (values, indices))


class Max(Composite):
    """The largest element (input), the largest along an axis with its positions (input, dim), or the larger of two (input, other).  Shape: by form."""

    samples = ([A(2, 3)], [A(2, 3), 1], [A(2, 3), A(3)])

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:  # noqa: A002
        """max(input), max(input, dim, keepdim=False) -> (values, indices), or max(input, other)."""
        return _extreme(F, "max", input, dim, keepdim, other)


class Min(Composite):
    """The smallest element (input), the smallest along an axis with its positions (input, dim), or the smaller of two (input, other).  Shape: by form."""

    samples = ([A(2, 3)], [A(2, 3), 1], [A(2, 3), A(3)])

    @staticmethod
    def call(F: Ops, input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:  # noqa: A002
        """min(input), min(input, dim, keepdim=False) -> (values, indices), or min(input, other)."""
        return _extreme(F, "min", input, dim, keepdim, other)


class Argmax(Op):
    """The position of the first largest element along axis dim; of the flattened x for None.  Shape: (*a) -> a without dim (1 there if keepdim), int64."""

    real_only = DTypeError  # torch's class for these
    attrs, nondiff_outputs, quiet, onnx = ("dim", "keepdim"), ("out",), True, "ArgMax"
    numpy, jax = "{x}.argmax({dim}, keepdims={keepdim})", "jnp.argmax({x}, {dim}, keepdims={keepdim})"
    samples = (
        [A(2, 3), 0, False],
        [A(2, 3), 1, True],
        [A(2, 3), None, False],
        [A(2, 3), None, True],
        [A(), None, False],
    )

    @classmethod
    def infer(cls, x: Type, dim: int | None, keepdim: bool) -> Type:
        """The reduced shape, int64; IndexError without elements, RuntimeError for bools."""
        _check_search(cls.name, x, dim)
        return Type(reduced(x.shape, None if dim is None else (dim,), keepdim), I64)

    @staticmethod
    def call(F: Ops, input: Any, dim: int | None = None, keepdim: bool = False) -> Value:  # noqa: A002
        """The position of the first largest element along dim; None: of the flattened input."""
        return F.argmax(input, **_search_attrs(F, "argmax", input, dim, keepdim))

    @classmethod
    def batch(cls, F: Ops, size: int, batched: Any, x: Value, dim: int | None, keepdim: bool) -> Value:
        """The same one axis further in; the flattened form over all axes but the first."""
        function, shape = getattr(F, cls.name), F.shape(x)
        if dim is not None:
            return function(x, dim=dim + 1, keepdim=keepdim)
        found = function(F.reshape(x, shape=(size, size_of(shape[1:]))), dim=1, keepdim=False)
        return F.reshape(found, shape=(size, *(1,) * (len(shape) - 1))) if keepdim else found


class Argmin(Argmax):
    """The position of the first smallest element along axis dim; of the flattened x for None.  Shape: (*a) -> a without dim (1 there if keepdim), int64."""

    real_only = DTypeError  # torch's class for these
    onnx = "ArgMin"
    numpy, jax = "{x}.argmin({dim}, keepdims={keepdim})", "jnp.argmin({x}, {dim}, keepdims={keepdim})"

    @staticmethod
    def call(F: Ops, input: Any, dim: int | None = None, keepdim: bool = False) -> Value:  # noqa: A002
        """The position of the first smallest element along dim; None: of the flattened input."""
        return F.argmin(input, **_search_attrs(F, "argmin", input, dim, keepdim))


def _refuse_bool(operation: str, x: Type) -> None:
    if x.dtype.kind == "b":
        raise DTypeError(explain(operation, "does not support bool input", x=x))


def _check_search(operation: str, x: Type, dim: int | None) -> None:
    _refuse_bool(operation, x)
    if dim is None and size_of(x.shape) == 0:
        raise AxisError(explain(operation, "Expected reduction dim to be specified for input.numel() == 0", x=x))
    has_elements(operation, x, dim)


def _search_attrs(F: Ops, operation: str, x: Any, dim: Any, keepdim: bool) -> dict[str, Any]:
    t = F.type(x)
    _refuse_bool(operation, t)
    axis = (
        None
        if dim is None or (not t.shape and one_axis(operation, 0, dim) == 0)
        else one_axis(operation, len(t.shape), dim)
    )
    _check_search(operation, t, axis)
    return {"dim": axis, "keepdim": bool(keepdim)}
