"""The operations of the methods on arrays of float32 or float64, where nothing is recorded.  A name that ends in _ writes its first operand.

tensors.py has the same functions for Tensors; each method is one function over either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

sqrt, absolute, sign = np.sqrt, np.abs, np.sign


def add(x: Any, y: Any, alpha: Any = 1) -> Any:
    """x + alpha y."""
    return x + y if alpha == 1 else x + y * alpha


def add_(x: Any, y: Any, alpha: Any = 1) -> None:
    """x += alpha y."""
    np.add(x, y if alpha == 1 else y * alpha, x)


def mul_(x: Any, y: Any) -> None:
    """x *= y."""
    np.multiply(x, y, x)


def copy_(x: Any, y: Any) -> None:
    """x = y, in place."""
    x[...] = y


def begin_(x: Any, y: Any) -> None:
    """x = y in place, without derivative."""
    x[...] = y


def lerp_(x: Any, y: Any, weight: float) -> None:
    """x += weight (y - x), from the nearer end."""
    step = y - x
    if weight < 0.5:
        step *= weight
        np.add(x, step, x)
    else:
        step *= 1 - x.dtype.type(weight)
        np.subtract(y, step, x)


def addcmul_(x: Any, y: Any, z: Any, value: Any = 1) -> None:
    """x += value y z."""
    step = y * z if value == 1 else y * value * z
    np.add(x, step, x)


def less_square(x: Any, y: Any) -> Any:
    """x - y^2."""
    return x - y * y


def addcdiv_(x: Any, y: Any, z: Any, value: Any = 1) -> None:
    """x += value y / z."""
    if value == 1:
        step = y / z
    else:
        step = y * value
        step /= z
    np.add(x, step, x)


def clamp_(x: Any, low: float, high: float) -> None:
    """x = min(max(x, low), high), in place."""
    np.clip(x, low, high, x)


def maximum(x: Any, y: Any, out: Any) -> Any:
    """The larger of x and y, in `out`."""
    return np.maximum(x, y, out=out)


def plus(x: Any, number: Any) -> Any:
    """x + number; x is not used any more."""
    x += number
    return x


def over(x: Any, y: Any) -> Any:
    """x / y; x is not used any more."""
    x /= y
    return x


def where(condition: Any, number: float, x: Any) -> Any:
    """The number, in the dtype of x, where the condition is true."""
    return np.where(condition, x.dtype.type(number), x)


def value(x: Any) -> Any:
    """The one element of x, for arithmetic with numbers."""
    return x.item()


def choose(condition: Any, first: Any, second: Any) -> Any:
    """What first() gives where the condition is true, second() elsewhere."""
    return first() if condition else second()


def at_least_one(number: Any) -> Any:
    """max(number, 1)."""
    return max(1, number)
