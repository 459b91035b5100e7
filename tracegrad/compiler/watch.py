"""What a function can read besides its arguments: plain Python values, lists of them, and which Tensor stands under a name.

A compiled program is right only while these are what they were when it was recorded, so every call compares them (values by equality and type, Tensors and
functions by identity; the elements of a Tensor are read anew anyway).
"""

from __future__ import annotations

import functools
import os
import sysconfig
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tracegrad.eager.tensor import Tensor

LIMIT = 2_000  # values watched for one function
_PLAIN = (int, float, bool, str, bytes, complex, type(None))
_MISSING = object()
_FOREIGN = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
    *{sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")},
)


class Watched:
    """One place that is read: how to read it, and what stood there."""

    __slots__ = ("read", "snapshot", "value")

    def __init__(self, read: Callable[[], Any], value: Any) -> None:
        self.read, self.value = read, value
        self.snapshot = snapshot(value)

    def unchanged(self) -> bool:
        """Whether the same value stands there now."""
        now = self.read()
        if self.snapshot is _MISSING:
            return now is self.value
        return (now is self.value and not isinstance(now, (list, dict, set))) or snapshot(now) == self.snapshot


def snapshot(value: Any) -> Any:
    """A comparable copy of plain values and containers of them; _MISSING for what is compared by identity."""
    if isinstance(value, _PLAIN):
        return (type(value), repr(value) if isinstance(value, float) else value)
    if type(value) in (tuple, list, set, dict) and len(value) <= LIMIT:
        items = list(value.items()) if type(value) is dict else sorted(value, key=repr) if type(value) is set else value
        return (type(value), tuple(snapshot(v) if snapshot(v) is not _MISSING else id(v) for v in items))
    return _MISSING


def watch(function: Any) -> list[Watched]:
    """Every place that `function`, and the user's functions and objects that it names, can read."""
    found: list[Watched] = []
    seen: set[int] = set()
    stack: list[Any] = [function]
    while stack and len(found) < LIMIT:
        thing = stack.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        # what tracegrad's own wrappers close over is followed but cannot change
        fixed = isinstance(thing, FunctionType) and is_foreign(thing)
        for read, value in places(thing):
            if isinstance(value, (ModuleType, type)):
                continue
            if not fixed and not (isinstance(value, FunctionType) and is_foreign(value)):
                found.append(Watched(read, value))
            if not isinstance(value, (*_PLAIN, Tensor, np.ndarray)):
                stack.append(value)
    return found


def places(thing: Any) -> Iterator[tuple[Callable[[], Any], Any]]:
    """The places that one function or object reads directly: (how to read it, its value now)."""
    if isinstance(thing, MethodType):
        yield from places(thing.__func__)
        yield from places(thing.__self__)
    elif isinstance(thing, functools.partial):
        yield (lambda: thing.func), thing.func
        yield (lambda: thing.args), thing.args
        yield (lambda: thing.keywords), thing.keywords
    elif isinstance(thing, FunctionType):
        if hasattr(thing, "__wrapped__"):
            yield (lambda: thing.__wrapped__), thing.__wrapped__
        yield from function_places(thing)
    elif isinstance(thing, (list, tuple)) and len(thing) <= LIMIT:
        for item in thing:
            if not isinstance(item, _PLAIN):
                yield functools.partial(_same, item), item
    elif isinstance(thing, dict) and len(thing) <= LIMIT:
        for item in thing.values():
            if not isinstance(item, _PLAIN):
                yield functools.partial(_same, item), item
    elif hasattr(thing, "__dict__") and not isinstance(thing, (ModuleType, type)) and not is_foreign(type(thing)):
        for name, value in list(vars(thing).items()):
            yield functools.partial(vars(thing).get, name, _MISSING), value


def _same(item: Any) -> Any:
    return item


def function_places(function: FunctionType) -> Iterator[tuple[Callable[[], Any], Any]]:
    """Closure cells, defaults and globals of a function of the user's."""
    for cell in function.__closure__ or ():
        try:
            yield functools.partial(_cell, cell), cell.cell_contents
        except ValueError:  # an empty cell
            continue
    if is_foreign(function):
        return
    if function.__defaults__:
        yield (lambda: function.__defaults__), function.__defaults__
    if function.__kwdefaults__:
        yield (lambda: function.__kwdefaults__), function.__kwdefaults__
    for name in names_of(function.__code__):
        if name in function.__globals__:
            yield functools.partial(function.__globals__.get, name, _MISSING), function.__globals__[name]


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _MISSING


def names_of(code: CodeType) -> set[str]:
    """The global names that a code object and those inside it read."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_of(constant)
    return names


def is_foreign(thing: Any) -> bool:
    """Whether a function or class belongs to tracegrad, the standard library or an installed package."""
    if isinstance(thing, FunctionType):
        return thing.__code__.co_filename.startswith((*_FOREIGN, "<generated", "<frozen"))
    return (getattr(thing, "__module__", "") or "").partition(".")[0] in (
        "builtins",
        "numpy",
        "scipy",
        "collections",
        "functools",
        "threading",
    )
