"""The operations of the methods on Tensors: for recording, for methods that are differentiated themselves, and for dtypes that arrays cannot calculate with.

A name that ends in _ writes its first operand.  arrays.py has the same functions for arrays.
"""

from __future__ import annotations

from typing import Any

from tracegrad.config import local
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor

sqrt, absolute, sign = (public_function(name) for name in ("sqrt", "abs", "sign"))
_maximum, _where = public_function("maximum"), public_function("where")


def _kept(x: Any) -> Any:
    """x for a derivative that reads it later, when x itself may have been written."""
    copied: Any = x
    return copied.clone() if local.grad_enabled and isinstance(x, Tensor) else x


def add(x: Any, y: Any, alpha: Any = 1) -> Any:
    """x + alpha y."""
    return x + _kept(y) * alpha if isinstance(alpha, Tensor) else x.add(y, alpha=alpha)


def add_(x: Any, y: Any, alpha: Any = 1) -> None:
    """x += alpha y."""
    if isinstance(alpha, Tensor):
        x.add_(_kept(y) * alpha)
    else:
        x.add_(y, alpha=alpha)


def mul_(x: Any, y: Any) -> None:
    """x *= y."""
    factor: Any = y
    x.mul_(factor.to(x.dtype) if isinstance(y, Tensor) else y)  # rounded to x's dtype first, as a number is


def copy_(x: Any, y: Any) -> None:
    """x = y, in place."""
    if isinstance(y, Tensor):
        x.copy_(y)
    else:
        x.fill_(y)


def begin_(x: Any, y: Any) -> None:
    """x = y in place, without derivative."""
    x.copy_(y.detach())


def lerp_(x: Any, y: Any, weight: Any) -> None:
    """x += weight (y - x)."""
    x.lerp_(y, weight)


def addcmul_(x: Any, y: Any, z: Any, value: Any = 1) -> None:
    """x += value y z."""
    y, z = _kept(y), _kept(z)
    if isinstance(value, Tensor):
        x.add_(y * value * z)
    else:
        x.addcmul_(y, z, value=value)


def less_square(x: Any, y: Any) -> Any:
    """x - y^2."""
    y = _kept(y)
    return x.addcmul(y, y, value=-1)


def addcdiv_(x: Any, y: Any, z: Any, value: Any = 1) -> None:
    """x += value y / z."""
    y, z = _kept(y), _kept(z)
    if isinstance(value, Tensor):
        x.add_(y * value / z)
    else:
        x.addcdiv_(y, z, value=value)


def clamp_(x: Any, low: float, high: float) -> None:
    """x = min(max(x, low), high), in place."""
    x.clamp_(low, high)


def maximum(x: Any, y: Any, out: Any) -> Any:
    """The larger of x and y, in `out`."""
    return out.copy_(_maximum(_kept(x), _kept(y)))


def plus(x: Any, number: Any) -> Any:
    """x + number; x is not used any more."""
    return x + number


def over(x: Any, y: Any) -> Any:
    """x / y; x is not used any more."""
    return x / y


def where(condition: Any, number: float, x: Any) -> Any:
    """The number, in the dtype of x, where the condition is true."""
    return _where(condition, number, x)


def value(x: Any) -> Any:
    """The one element of x for arithmetic with numbers: a number, or while recording x itself in float64."""
    return x.item() if local.trace is None else x.double()


def choose(condition: Any, first: Any, second: Any) -> Any:
    """What first() gives where the condition is true, second() elsewhere."""
    if isinstance(condition, Tensor):
        return _where(condition, first(), second())
    return first() if condition else second()


def at_least_one(number: Any) -> Any:
    """max(number, 1)."""
    return number.clamp(min=1) if isinstance(number, Tensor) else max(1, number)  # type: ignore[attr-defined]
