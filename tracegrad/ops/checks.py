"""What several type rules refuse, with the class that torch raises for it."""

from __future__ import annotations

from typing import Any

from tracegrad.config import local
from tracegrad.dtypes import NUMBERS, TORCH_CLASS, NumpyDType, category, from_numpy
from tracegrad.errors import ArgumentError, AxisError, DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import Type, size_of


def not_for(operation: str, x: Type, kinds: str) -> None:
    """Raise NotImplementedError if x's dtype is of one of these NumPy kinds ("b" bool, "iu" integers, "f" floating, "c" complex)."""
    if category(x.dtype) in kinds:
        raise NotSupportedError(explain(operation, f"not implemented for '{TORCH_CLASS[x.dtype.name]}'", x=x))


def has_elements(operation: str, x: Type, dim: Any) -> None:
    """Raise torch's error if a fold without a value for "no elements" runs over an empty axis.  dim: an axis, several, or None for all."""
    if dim is None:
        if size_of(x.shape) == 0:
            raise ShapeError(
                explain(
                    operation,
                    "Expected reduction dim to be specified for input.numel() == 0",
                    "Specify the reduction dim with the 'dim' argument",
                    x=x,
                )
            )
        return
    for d in (dim,) if isinstance(dim, int) else dim:
        if x.shape and x.shape[d] == 0:
            raise AxisError(explain(operation, f"Expected reduction dim {d} to have non-zero size", x=x))


def real_type(x: Type) -> Type:
    """The type of the parts of a complex value; a real type is its own."""
    return Type(x.shape, from_numpy(x.dtype).to_real().numpy) if x.dtype.kind == "c" else x


def needs_floating(operation: str, d: NumpyDType, problem: str) -> None:
    """Raise RuntimeError with torch's text for this operation unless the dtype is floating or complex."""
    if not is_floating(d):
        raise DTypeError(explain(operation, f"{problem}. Got: {TORCH_CLASS[d.name]}"))


def is_floating(d: NumpyDType) -> bool:
    """Whether the dtype is floating or complex."""
    return d.kind in "fcV"


def whole(operation: str, name: str, value: Any) -> int:
    """A whole number given by the user as an int.  Raises TypeError for anything else, floats included."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(explain(operation, f"argument {name!r} must be int, not {type(value).__name__}"))
    return int(value.__index__())


def real_number(operation: str, name: str, value: Any) -> None:
    """Raise TypeError unless an attribute is a real Python number."""
    if not isinstance(value, (int, float)):
        raise ArgumentError(explain(operation, f"argument {name!r} must be a number, not {type(value).__name__}"))


def whole_numbers(operation: str, count: int, least: int, **values: Any) -> None:
    """Raise TypeError unless each attribute is a tuple of `count` ints, and RuntimeError if one of these is below `least`."""
    for name, value in values.items():
        if type(value) is not tuple or len(value) != count or any(type(v) is not int for v in value):
            raise ArgumentError(explain(operation, f"argument {name!r} must be a tuple of {count} ints, not {value!r}"))
        if min(value, default=least) < least:
            raise ShapeError(explain(operation, f"argument {name!r} must be at least {least}, got {value}"))


def is_known(value: Any) -> bool:
    """Whether the values of a Tensor may decide about a program: those of an argument of a recording may not."""
    return local.trace is None or not hasattr(value, "_node") or local.trace.is_known(value)


def as_number(value: Any) -> Any:
    """The Python number that a NumPy number or a tensor without axes is, where torch's signature has a number; anything else as it is."""
    if value is None or is_number(value) or getattr(value, "shape", None) != ():
        return value
    return value.item() if hasattr(value, "item") else value


def is_number(value: Any) -> bool:
    """Whether an operand is a Python number, whose value is a static part of the program; not one that a recording keeps as a Tensor."""
    return type(value) in NUMBERS or (isinstance(value, NUMBERS) and not hasattr(value, "_data"))
