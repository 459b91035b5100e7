"""Values kept within bounds that are numbers or tensors."""

from __future__ import annotations

from typing import Any

from tracegrad import dtypes
from tracegrad.errors import ArgumentError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Elementwise
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import as_number, is_number
from tracegrad.ops.masks import number_of


class Clamp(Elementwise):
    """x within [min, max], numbers or None for no bound; max wins where they cross.  Shape: (*a) -> (*a).  The derivative is 1 on the bounds."""

    masks = "selects"
    real_only = True
    attrs, torch_name, quiet, inplace, onnx, aliases = ("min", "max"), "ClampBackward1", True, True, "Clip", ("clip",)
    numpy, jax = "K.clamp({x}, {min}, {max})", "K.clamp({x}, {min}, {max})"
    samples = (
        [A(2, 3), -1.0, 1.0],
        [A(5), None, 0.5],
        [A(5), 0, None],
        [A(), 0.0, 1.0],
        [A(0, 2), 0.0, 1.0],
        [A(3), 1.0, -1.0],
    )

    @classmethod
    def infer(cls, x: Type, min: Any, max: Any) -> Type:  # noqa: A002
        """x's type; RuntimeError without any bound."""
        if min is None and max is None:
            raise ShapeError(explain(cls.name, "At least one of 'min' or 'max' must not be None"))
        return x

    @staticmethod
    def call(F: Ops, input: Any, min: Any = None, max: Any = None) -> Value:  # noqa: A002
        """input within [min, max]: numbers or tensors, or None for no bound."""
        return _clamped(F, "clamp", input, min, max)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, min: Any, max: Any) -> Value:  # noqa: A002
        inside = F.le(x, max) if min is None else F.ge(x, min)
        if min is not None and max is not None:
            inside = F.logical_and(inside, F.le(x, max))
        return F.where(inside, g, 0.0)


class ClampMin(Clamp):
    """x, but not less than the number min.  Shape: (*a) -> (*a).  The derivative is 1 on the bound."""

    real_only = True
    name, torch_name, onnx, aliases = "clamp_min", "ClampMinBackward0", "", ()
    samples = ([A(2, 3), -1.0, None], [A(), 0.5, None])

    @staticmethod
    def call(F: Ops, input: Any, min: Any) -> Value:  # noqa: A002
        """input, but not less than min, a number or a tensor."""
        return F.clamp_min_tensor(input, min) if not is_number(min) else _clamped(F, "clamp_min", input, min, None)


class ClampMax(Clamp):
    """x, but not more than the number max.  Shape: (*a) -> (*a).  The derivative is 1 on the bound."""

    real_only = True
    name, torch_name, onnx, aliases = "clamp_max", "ClampMaxBackward0", "", ()
    samples = ([A(2, 3), None, 1.0], [A(), None, 0.5])

    @staticmethod
    def call(F: Ops, input: Any, max: Any) -> Value:  # noqa: A002
        """input, but not more than max, a number or a tensor."""
        return F.clamp_max_tensor(input, max) if not is_number(max) else _clamped(F, "clamp_max", input, None, max)


def _clamped(F: Ops, operation: str, x: Any, low: Any, high: Any) -> Any:
    if low is None and high is None:
        raise ShapeError(explain(operation, "At least one of 'min' or 'max' must not be None"))
    if not (
        (low is None or type(low) is float or not isinstance(low, complex))
        and (high is None or type(high) is float or not isinstance(high, complex))
    ):
        raise NotSupportedError(explain(operation, "clamp is not supported for complex types", min=low, max=high))
    if (low is None or is_number(low)) and (high is None or is_number(high)):
        own = F.type(x).dtype
        if own.kind not in "fV":
            numbers = [dtypes.number_dtype(b) for b in (low, high) if b is not None]
            own = dtypes.result_dtype([own], [], numbers)
            x = F.as_dtype(x, own)
            if own.kind in "iu":
                low, high = (None if b is None else number_of(own, b) for b in (low, high))
        return getattr(F, operation)(x, min=low, max=high)
    if any(is_number(b) or isinstance(b, (str, bytes, list, tuple, dict)) for b in (low, high)):
        numbers = as_number(low), as_number(high)
        if all(b is None or is_number(b) for b in numbers):
            return _clamped(F, operation, x, *numbers)
        kinds = {"min": type(low).__name__, "max": type(high).__name__}
        raise ArgumentError(explain(operation, "min and max must be two numbers or two tensors", **kinds))
    if high is None:
        return F.clamp_lower(x, low)
    return F.clamp_upper(x, high) if low is None else F.clamp_tensor(x, low, high)


class ClampTensor(Elementwise):
    """x within the bounds min and max, elementwise; max wins where they cross.  Shapes: (*a), (*b), (*c) -> broadcast(a, b, c)."""

    masks = "selects"
    real_only = True
    inputs, torch_name, quiet, function, method = ("x", "min", "max"), "ClampBackward0", True, False, False
    numpy, jax = "np.minimum(np.maximum({x}, {min}), {max})", "jnp.minimum(jnp.maximum({x}, {min}), {max})"
    samples = ([A(2, 3), A(3, hi=0.0), A(2, 1, lo=0.0)], [A(5), A(5), A(5)], [A(), A(), A()])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, min: Value, max: Value) -> Value:  # noqa: A002
        return F.where(F.logical_and(F.ge(x, min), F.le(x, max)), g, 0.0)

    @staticmethod
    def grad_min(F: Ops, g: Value, x: Value, min: Value, max: Value) -> Value:  # noqa: A002
        return F.where(F.logical_and(F.lt(min, max), F.lt(x, min)), g, 0.0)

    @staticmethod
    def grad_max(F: Ops, g: Value, x: Value, min: Value, max: Value) -> Value:  # noqa: A002
        return F.where(F.logical_or(F.lt(max, min), F.gt(x, max)), g, 0.0)


class ClampMinTensor(Elementwise):
    """x, but not less than the tensor min.  Shapes: (*a), (*b) -> broadcast(a, b).  On the bound the derivative is x's."""

    masks = "selects"
    real_only = True
    inputs, torch_name, quiet, function, method = ("x", "min"), "ClampMinBackward1", True, False, False
    numpy, jax = "np.maximum({x}, {min})", "jnp.maximum({x}, {min})"
    samples = ([A(2, 3), A(3)], [A(), A()])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, min: Value) -> Value:  # noqa: A002
        return F.where(F.ge(x, min), g, 0.0)

    @staticmethod
    def grad_min(F: Ops, g: Value, x: Value, min: Value) -> Value:  # noqa: A002
        return F.where(F.lt(x, min), g, 0.0)


class ClampLower(ClampMinTensor):
    """clamp(x, min=tensor): clamp_min under the name that torch shows for it.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    real_only = True
    name, torch_name = "clamp_lower", "ClampBackward0"


class ClampMaxTensor(Elementwise):
    """x, but not more than the tensor max.  Shapes: (*a), (*b) -> broadcast(a, b).  On the bound the derivative is x's."""

    masks = "selects"
    real_only = True
    inputs, torch_name, quiet, function, method = ("x", "max"), "ClampMaxBackward1", True, False, False
    numpy, jax = "np.minimum({x}, {max})", "jnp.minimum({x}, {max})"
    samples = ([A(2, 3), A(3)], [A(), A()])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, max: Value) -> Value:  # noqa: A002
        return F.where(F.le(x, max), g, 0.0)

    @staticmethod
    def grad_max(F: Ops, g: Value, x: Value, max: Value) -> Value:  # noqa: A002
        return F.where(F.gt(x, max), g, 0.0)


class ClampUpper(ClampMaxTensor):
    """clamp(x, max=tensor): clamp_max under the name that torch shows for it.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    real_only = True
    name, torch_name = "clamp_upper", "ClampBackward0"
