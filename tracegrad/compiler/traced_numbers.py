"""Numbers that stay in a recording: what `.item()` gives there, and Python floats among the arguments.

They are 0-d float64, int64 or bool Tensors that follow the dtypes of the Tensors that they meet, as Python's numbers do.  Arithmetic and comparisons are recorded; whatever needs
Python's own number (`float`, `int`, `math` functions, formatting, hashing) reads it, which the recording notes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.dtypes import F64
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import MissingAttributeError


def plain(value: Any) -> Any:
    """Python's number for a TracedNumber (which the recording notes as read); anything else as it is."""
    return value.item() if isinstance(value, TracedNumber) else value


def _nonzero_divisor(divisor: Any) -> None:
    if isinstance(divisor, TracedNumber) and not divisor:
        raise ZeroDivisionError("division by zero")
    if not isinstance(divisor, Tensor) and isinstance(divisor, (int, float)) and not divisor:
        raise ZeroDivisionError("division by zero")


def _divided(name: str) -> Callable[[Any, Any], Any]:
    of_tensors, python = getattr(Tensor, name), getattr(operator, name.strip("_").removeprefix("r"))
    reflected, direct = name.startswith("__r"), getattr(Tensor, name.replace("__r", "__"))

    def divide(self: Any, other: Any) -> Any:
        numbers = isinstance(other, TracedNumber) or not isinstance(other, Tensor)
        if not numbers:  # a Tensor, which asks a number's class first
            return direct(other, self) if reflected else of_tensors(self, other)
        if numbers:
            _nonzero_divisor(self if reflected else other)
        if numbers and self._data.dtype.kind in "iub" and python is operator.truediv:
            self = T.cast(self, dtype=F64)
        return of_tensors(self, other)

    divide.__name__ = name
    return divide


def _power(self: Any, other: Any, modulus: Any = None) -> Any:
    if modulus is not None:
        return pow(plain(self), plain(other), plain(modulus))
    if isinstance(other, Tensor) and not isinstance(other, TracedNumber):
        return Tensor.__pow__(self, other)  # type: ignore[operator]
    whole = self._data.dtype.kind in "iub"
    if not isinstance(other, Tensor) and isinstance(other, int) and (other >= 0 or not whole):
        if other < 0:
            _nonzero_divisor(self)
        return Tensor.__pow__(self, other)  # type: ignore[operator]
    if not whole and bool(self > 0):
        return Tensor.__pow__(self, other)  # type: ignore[operator]
    return plain(self) ** plain(other)


def _anew(name: str) -> Callable[[Any, Any], Any]:
    """`x += y` for a number, which is never changed itself."""
    python = getattr(operator, name.strip("_").removeprefix("i"), None) or getattr(operator, f"{name.strip('_')[1:]}_")

    def assign(self: Any, other: Any) -> Any:
        return python(self, other)

    assign.__name__ = name
    return assign


def _power_of(self: Any, base: Any) -> Any:
    """base ** self; in the program where the base is a positive float."""
    if type(base) is float and base > 0:
        return T.pow(base, self if self._data.dtype.kind == "f" else T.cast(self, dtype=F64))
    return base ** plain(self)


def _by_value(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: TracedNumber, *args: Any) -> Any:
        return function(plain(self), *map(plain, args))

    return apply


class TracedNumber(Tensor):
    """A number of a recording; see the module."""

    __slots__ = ()
    _python: type = object

    def item(self) -> Any:
        """Python's number, which the recording notes as read."""
        if local.trace is not None:
            local.trace.leave(self, "float" if self._data.dtype.kind == "f" else "int")
        return self._data.item()

    tolist = item

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # type: ignore[override]
        """Python's class for such a number, so that isinstance() takes it for one."""
        return self._python

    @__class__.setter
    def __class__(self, kind: type) -> None:
        object.__dict__["__class__"].__set__(self, kind)

    def __repr__(self) -> str:
        if local.trace is not None:
            local.trace.leave(self, "print")
        return repr(self._data.item())

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        if local.trace is not None:
            local.trace.leave(self, "format")
        return format(self._data.item(), spec)

    def __hash__(self) -> int:
        return hash(self.item())

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise MissingAttributeError(f"a number of a recording has no attribute {name!r}")
        return getattr(self.item(), name)

    __truediv__, __rtruediv__ = _divided("__truediv__"), _divided("__rtruediv__")
    __floordiv__, __rfloordiv__ = _divided("__floordiv__"), _divided("__rfloordiv__")
    __mod__, __rmod__ = _divided("__mod__"), _divided("__rmod__")
    __pow__ = _power
    __rpow__ = _power_of
    __iadd__, __isub__, __imul__, __imatmul__ = map(_anew, ("__iadd__", "__isub__", "__imul__", "__imatmul__"))
    __itruediv__, __ifloordiv__, __imod__ = map(_anew, ("__itruediv__", "__ifloordiv__", "__imod__"))
    __ipow__, __ilshift__, __irshift__ = map(_anew, ("__ipow__", "__ilshift__", "__irshift__"))
    __iand__, __ior__, __ixor__ = map(_anew, ("__iand__", "__ior__", "__ixor__"))
    __round__, __trunc__, __floor__, __ceil__ = (_by_value(f) for f in (round, math.trunc, math.floor, math.ceil))
    __divmod__ = _by_value(divmod)
    __rdivmod__ = _by_value(lambda x, other: divmod(other, x))


class TracedFloat(TracedNumber):
    """A float of a recording."""

    __slots__ = ()
    _shown, _python = "float", float


class TracedInt(TracedNumber):
    """An int of a recording."""

    __slots__ = ()
    _shown, _python = "int", int


class TracedBool(TracedNumber):
    """A truth value of a recording."""

    __slots__ = ()
    _shown, _python = "bool", bool

    def item(self) -> bool:
        """Python's bool, which the recording notes as read."""
        return bool(self)


def number_class(d: np.dtype[Any]) -> type[TracedNumber]:
    """The class for numbers of this dtype."""
    return TracedFloat if d.kind == "f" else TracedBool if d.kind == "b" else TracedInt
