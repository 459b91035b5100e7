"""Functions made of several operators that round half precision once: inside they compute in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tracegrad.dtypes import is_half
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.ir.half import rounded, wide


def rounds_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, computed in float32 as a whole where all its floating-point arguments are float16, or all bfloat16; its results have that dtype."""

    @functools.wraps(function)
    def whole(*args: Any, **kwargs: Any) -> Any:
        for a in args:
            if isinstance(a, Tensor) and a._data.itemsize == 2 and is_half(a._data.dtype):
                return _in_float32(function, a._data.dtype, args, kwargs)
        return function(*args, **kwargs)

    return whole


def _in_float32(function: Callable[..., Any], d: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for a in (*args, *kwargs.values()):
        if isinstance(a, Tensor) and a._data.dtype.kind in "fcV" and a._data.dtype != d:
            return function(*args, **kwargs)  # it says what it thinks of that
    found = function(*map(_wide, args), **{name: _wide(a) for name, a in kwargs.items()})
    return tuple(_rounded(v, d) for v in found) if isinstance(found, tuple) else _rounded(found, d)


def _wide(value: Any) -> Any:
    return wide(T, value) if isinstance(value, Tensor) else value


def _rounded(value: Any, d: Any) -> Any:
    return rounded(T, value, d) if isinstance(value, Tensor) else value


__all__ = ["rounds_once"]
