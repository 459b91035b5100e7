"""What a function can read besides its arguments: plain Python values, lists of them, and which Tensor stands under a name.

A compiled program is right only while these are what they were when it was recorded, so every call compares them (values by equality and type, Tensors and
functions by identity; the elements of a Tensor are read anew anyway).  Containers with more than LIMIT entries are compared by identity and length, with a
warning; so are NumPy arrays of more than ARRAY_LIMIT bytes, whose elements are nevertheless seen where the array itself is an operand.
"""

from __future__ import annotations

import functools
import os
import sysconfig
import warnings
from collections.abc import Callable, Iterator
from itertools import chain
from operator import is_
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import explain

LIMIT = 2_000  # values watched for one function, and entries of one container
ARRAY_LIMIT = 16_384  # bytes of a NumPy array whose elements are compared; larger ones are compared by identity
_PLAIN = (int, float, bool, str, bytes, complex, type(None))
_CONTAINERS = (list, dict, set, tuple)
_MISSING = object()
_FOREIGN = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep,
    *{sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")},
)


class Watched:
    """One place that is read: how to read it, and what stood there."""

    __slots__ = ("contents", "read", "snapshot", "value")

    def __init__(self, read: Callable[[], Any], value: Any) -> None:
        self.read, self.value = read, value
        self.contents = contents(value)
        self.snapshot = snapshot(value)

    def unchanged(self) -> bool:
        """Whether the same value stands there now."""
        now = self.read()
        if now is self.value:
            for container, count, items in self.contents:
                if len(container) != count or not all(map(is_, elements(container), items)):
                    break
            else:
                return True
        if self.snapshot is _MISSING or snapshot(now) != self.snapshot:
            return False
        self.value, self.contents = now, contents(now)
        return True


class WatchedArray(Watched):
    """A small NumPy array: its elements, which Python code may have read."""

    __slots__ = ()

    def unchanged(self) -> bool:
        """Whether an array with the same elements stands there now."""
        now = self.read()
        same = isinstance(now, np.ndarray) and now.dtype == self.snapshot[0] and now.shape == self.snapshot[1]
        return same and now.tobytes() == self.snapshot[2]


def place(read: Callable[[], Any], value: Any) -> Watched:
    """The watch over one place."""
    if isinstance(value, np.ndarray) and value.nbytes <= ARRAY_LIMIT and value.dtype.kind in "biufc":
        made = WatchedArray(read, value)
        made.snapshot = (value.dtype, value.shape, value.tobytes())
        return made
    return Watched(read, value)


def contents(value: Any) -> list[tuple[Any, int, tuple[Any, ...]]]:
    """The containers inside `value` that can change, each with its length and its elements: while these are the same objects, nothing has changed."""
    found: list[tuple[Any, int, tuple[Any, ...]]] = []
    stack, seen, total = [value], set(), 0
    while stack:
        here = stack.pop()
        if type(here) not in _CONTAINERS or id(here) in seen:
            continue
        seen.add(id(here))
        if len(here) > LIMIT or total > LIMIT:
            warn_of_size(here)
            continue
        items = tuple(elements(here))
        total += len(items)
        if type(here) is not tuple:
            found.append((here, len(here), items))
        stack.extend(items)
    return found


def elements(container: Any) -> Any:
    """What a container holds, in order; keys and values of a dict."""
    return chain(container, container.values()) if type(container) is dict else container


def warn_of_size(container: Any) -> None:
    """Say that changes in a very large container are not seen."""
    text = explain(
        "compile",
        f"the function can read a {type(container).__name__} with {len(container)} entries; later changes in it will not be seen",
        "Pass what the function needs as an argument, or as a Tensor",
    )
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def snapshot(value: Any) -> Any:
    """A comparable copy of plain values and containers of them; _MISSING for what is compared by identity."""
    if isinstance(value, _PLAIN):
        return (type(value), repr(value) if isinstance(value, float) else value)
    if type(value) in _CONTAINERS and len(value) <= LIMIT:
        items = list(value.items()) if type(value) is dict else sorted(value, key=repr) if type(value) is set else value
        return (type(value), tuple(_snapshot_or_identity(v) for v in items))
    return _MISSING


def _snapshot_or_identity(value: Any) -> Any:
    found = snapshot(value)
    return found if found is not _MISSING else id(value)


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
            if read is not None and not fixed and not (isinstance(value, FunctionType) and is_foreign(value)):
                found.append(place(read, value))
            if not isinstance(value, (*_PLAIN, Tensor, np.ndarray)):
                stack.append(value)
    return found


def watch_gradients(found: list[Watched], captures: list[Tensor]) -> list[Watched]:
    """Watches over the `.grad` of Tensors that the function reads: an optimiser puts another Tensor there."""
    read = {id(t) for t in captures}
    holders: dict[int, Tensor] = {id(t): t for t in captures}
    for watched in found:
        inner = [watched.value, *(i for _, _, items in watched.contents for i in items)]
        holders.update((id(v), v) for v in inner if isinstance(v, Tensor))
    chosen = [t for t in holders.values() if id(getattr(t, "_grad", None)) in read]
    return [Watched(functools.partial(getattr, t, "_grad", None), t._grad) for t in chosen]


def places(thing: Any) -> Iterator[tuple[Callable[[], Any] | None, Any]]:
    """The places that one function or object reads directly: (how to read it, its value now); None for what a container's own watch sees."""
    if isinstance(thing, MethodType):
        yield from places(thing.__func__)
        yield None, thing.__self__
    elif isinstance(thing, functools.partial):
        yield (lambda: thing.func), thing.func
        yield (lambda: thing.args), thing.args
        yield (lambda: thing.keywords), thing.keywords
    elif isinstance(thing, FunctionType):
        if hasattr(thing, "__wrapped__"):
            yield (lambda: thing.__wrapped__), thing.__wrapped__
        yield from function_places(thing)
    elif isinstance(thing, (list, tuple, dict)):
        if len(thing) <= LIMIT:
            for item in thing.values() if isinstance(thing, dict) else thing:
                if not isinstance(item, _PLAIN):
                    yield None, item
    elif hasattr(thing, "__dict__") and not isinstance(thing, (ModuleType, type)) and not is_foreign(type(thing)):
        yield from object_places(thing)


def object_places(thing: Any) -> Iterator[tuple[Callable[[], Any] | None, Any]]:
    """The attributes of an object, as one dict; of a compiled function only what it compiles."""
    kind = type(thing)
    if kind.__module__.startswith("tracegrad.") and not kind.__module__.startswith(("tracegrad.nn", "tracegrad.optim")):
        if hasattr(thing, "__wrapped__"):
            yield None, thing.__wrapped__
        return
    yield functools.partial(attributes, thing), attributes(thing)
    call = getattr(kind, "__call__", None)  # noqa: B004  (its code names what it reads)
    if isinstance(call, FunctionType):
        yield None, call


def attributes(thing: Any) -> dict[str, Any]:
    """The attributes of an object without the compiled methods that are kept there."""
    found: dict[str, Any] = vars(thing)
    if any(map(_is_cache, found)):
        return {name: value for name, value in found.items() if not _is_cache(name)}
    return found


def _is_cache(name: str) -> bool:
    return name.startswith("_compiled_")


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
