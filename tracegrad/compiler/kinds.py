"""Kinds of arguments: which are plain values, which are taken apart, and into what."""

from __future__ import annotations

import enum
import functools
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import CellType, FunctionType, MethodType, SimpleNamespace
from typing import Any

import numpy as np

from tracegrad import devices, dtypes, pytree
from tracegrad.compiler.walk import MISSING, contents_of, is_foreign_class, is_foreign_file, slots_of
from tracegrad.eager.tensor import Size, Tensor

COMPARED = (
    bool,
    int,
    str,
    bytes,
    type(Ellipsis),
    type(NotImplemented),
    dtypes.dtype,
    devices.device,
    Size,
    np.dtype,
    np.bool_,
    np.integer,
    enum.Enum,
)
VALUE_MODULES = frozenset(
    ("decimal", "_decimal", "fractions", "datetime", "pathlib", "uuid", "re", "zoneinfo", "ipaddress")
)
PLAIN = (int, float, complex, str, bytes, type(None), enum.Enum, dtypes.dtype)
BARE = frozenset(
    ("builtins", "typing", "abc", "types", "collections.abc", "_typing")
)  # bases without state of their own


def compared(value: Any, kind: Any) -> Any:
    """What tells a plain value from others of its kind; None where it is known by identity."""
    if kind is complex:
        return repr(value)
    if kind is range or kind is slice:
        bounds = (value.start, value.stop, value.step)
        return bounds if all(b is None or isinstance(b, int) for b in bounds) else None
    if kind is set or kind is frozenset:
        parts = [(type(v), repr(v) if isinstance(v, (float, complex)) else v) for v in value]
        return frozenset(parts) if all(issubclass(t, PLAIN) for t, _ in parts) else None
    if kind.__module__ in VALUE_MODULES:
        try:
            hash(value)
        except TypeError:
            return None
        return value
    return None


def is_whole(function: FunctionType) -> bool:
    """Whether a function is known by identity: one of a library, or with attributes."""
    return bool(function.__dict__) or (not function.__closure__ and is_foreign_file(function.__code__.co_filename))


def held(container: Any) -> list[Any]:
    """The parts of a container, an object or a function, to be compared by identity."""
    kind = type(container)
    if kind is FunctionType or is_record(kind):
        names, parts = parts_of(container, kind)
        return [sys.intern(n) if type(n) is str else n for n in names if type(n) is str] + [v for _, v in parts]
    if isinstance(container, dict):
        return [*container, *container.values()]
    return list(container) if isinstance(container, (list, set, deque)) else []


@functools.cache
def is_array(kind: Any) -> bool:
    """Whether instances are arrays of JAX."""
    return kind.__module__.partition(".")[0] in ("jax", "jaxlib") and hasattr(kind, "__array__")


@functools.cache
def is_opened(kind: Any) -> bool:
    """Whether what instances hold is looked at one by one."""
    return kind in (FunctionType, MethodType, functools.partial) or pytree.is_container(kind) or is_record(kind)


@functools.cache
def is_record(kind: Any) -> bool:
    """Whether instances are taken apart in place: objects of the user's classes, dataclasses, and dicts and lists of subclasses."""
    if (
        issubclass(kind, (BaseException, type, tuple, Tensor))
        or pytree.is_registered(kind)
        or (kind.__module__ == "builtins" and is_foreign_class(kind))
    ):
        return False
    if hasattr(kind, "__next__") or hasattr(kind, "__array__"):
        return False
    if kind is SimpleNamespace or hasattr(kind, "__dataclass_fields__"):
        return True
    bases = [c for c in kind.__mro__ if is_foreign_class(c)]
    return not is_foreign_class(kind) and all(c.__module__ in BARE or c in (OrderedDict, defaultdict) for c in bases)


def is_frozen(kind: Any) -> bool:
    """Whether instances are of a frozen dataclass, of which a copy is as good."""
    return bool(getattr(getattr(kind, "__dataclass_params__", None), "frozen", False))


Part = tuple[Callable[[Any], None], Any]


def parts_of(value: Any, kind: Any) -> tuple[Any, list[Part]]:
    """What tells an object (a function) from others whose parts are alike, and its parts: how each is put, and what it is now."""
    if kind is FunctionType:
        full = [c for c in value.__closure__ or () if contents_of(c) is not MISSING]
        parts: list[Part] = [(functools.partial(setattr, c, "cell_contents"), c.cell_contents) for c in full]
        parts += [
            (functools.partial(setattr, value, name), getattr(value, name))
            for name in ("__defaults__", "__kwdefaults__")
            if getattr(value, name)
        ]
        return (value.__code__, id(value.__globals__), len(full), len(parts)), parts
    slots = (
        slots_of(value)
        if "__dict__" in dir(kind) or not is_foreign_class(kind)
        else list(getattr(kind, "__dataclass_fields__", ()))
    )
    names: list[Any] = [*getattr(value, "__dict__", ()), *(s for s in slots if hasattr(value, s))]
    parts = [(functools.partial(object.__setattr__, value, n), object.__getattribute__(value, n)) for n in names]
    if isinstance(value, (dict, list)):
        base = dict if isinstance(value, dict) else list
        keys = list(dict.keys(value)) if isinstance(value, dict) else range(len(value))
        parts += [(functools.partial(base.__setitem__, value, k), base.__getitem__(value, k)) for k in keys]  # type: ignore[index]
        names += [(type(k), k) for k in keys]
    return tuple(names), parts


def root_of(value: Any, kind: Any) -> Any:
    """What of an object that is taken apart is watched: its class; of a function what its code names."""
    if kind is not FunctionType:
        return kind
    cells = tuple([CellType(None) for _ in value.__closure__ or ()])
    return FunctionType(value.__code__, value.__globals__, value.__name__, None, cells)
