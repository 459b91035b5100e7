"""What a compiled function may return besides Tensors."""

from __future__ import annotations

import enum
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tracegrad import devices, dtypes, pytree
from tracegrad.compiler.call_trace import NotCompilable
from tracegrad.compiler.kinds import compared, is_record, parts_of
from tracegrad.eager.tensor import Size, Tensor

STATIC: tuple[type, ...] = (
    bool, int, float, complex, str, bytes, type(None), dtypes.dtype, slice, type(Ellipsis), np.ndarray, np.generic, np.dtype, range, type, enum.Enum, devices.device, Size,
)  # fmt: skip


class Made:
    """An object of the user's that the function has made: its class, the names of its attributes, and what they hold."""

    def __init__(self, cls: type, names: tuple[Any, ...], values: list[Any]) -> None:
        self.cls, self.names, self.values = cls, names, values

    @staticmethod
    def again(meta: tuple[type, tuple[Any, ...]], values: list[Any]) -> Any:
        """Another object like it."""
        cls, names = meta
        made = cls.__new__(cls)  # type: ignore[call-overload]
        for name, value in zip(names, values, strict=True):
            if isinstance(name, str):
                object.__setattr__(made, name, value)
            elif isinstance(made, dict):
                dict.__setitem__(made, name[1], value)
            else:
                list.append(made, value)
        return made


pytree.register(Made, lambda made: (made.values, (made.cls, made.names)), Made.again)


def taken_apart(result: Any, existed: Callable[[Any], bool]) -> Any:
    """The result with objects that the function has made as containers of their parts; `existed` tells which were there before.

    Raises NotCompilable for a part that may hold values of the recorded call and cannot be made again: a closure, a generator, a module.
    """
    around: set[int] = set()

    def part(value: Any) -> Any:
        kind: Any = type(value)
        if isinstance(value, (Tensor, *STATIC)) or compared(value, kind) is not None:
            return value
        if existed(value):
            return value
        if kind is SimpleNamespace or (
            is_record(kind) and id(value) not in around and kind.__new__ in (object.__new__, dict.__new__, list.__new__)
        ):
            around.add(id(value))
            names, parts = parts_of(value, kind)
            made = Made(kind, names, [whole(v) for _, v in parts])
            around.discard(id(value))
            return made
        raise NotCompilable(f"returned a {kind.__name__}, which every later call would return again as it is now", None)

    def whole(value: Any) -> Any:
        return part(value) if is_leaf(value) else pytree.map(part, value, is_leaf=is_leaf)

    def is_leaf(value: Any) -> bool:
        return hasattr(type(value), "__dataclass_fields__") and is_record(type(value))

    return whole(result)
