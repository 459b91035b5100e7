"""Whose code it is, and what it names: the user's, or that of tracegrad, the standard library and installed packages."""

from __future__ import annotations

import functools
import opcode
import os
import sys
import sysconfig
from types import CodeType
from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
INSTALLED = tuple({sysconfig.get_path(kind) + os.sep for kind in ("stdlib", "platstdlib", "purelib", "platlib")})
FOREIGN = (PACKAGE, *INSTALLED, "<generated", "<frozen")
INTERNAL = (PACKAGE, "<generated", "<numpy", "<frozen")  # what messages about the user's lines pass over
HEAP_TYPE = 1 << 9  # a flag of classes that Python code has made
STORE = opcode.opmap["STORE_ATTR"]
IDENTITY, CONSTANT = opcode.opmap["IS_OP"], opcode.opmap["LOAD_CONST"]


def names_of(code: CodeType) -> set[str]:
    """The names of globals and attributes that a code object and those inside it use."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_of(constant)
    return names


def stores_attributes(code: CodeType) -> bool:
    """Whether a code object, or one inside it, sets attributes."""
    inside = (c for c in code.co_consts if isinstance(c, CodeType))
    return STORE in code.co_code[::2] or "setattr" in code.co_names or any(map(stores_attributes, inside))


@functools.lru_cache(1024)
def compares_identity(code: CodeType) -> bool:
    """Whether a code object, or one inside it, asks by `is` for anything but None, True or False."""
    words, constants = code.co_code, code.co_consts
    for i in range(0, len(words), 2):
        known = i > 1 and words[i - 2] == CONSTANT and words[i - 1] < len(constants)
        if words[i] == IDENTITY and not (known and constants[words[i - 1]] in (None, True, False)):
            return True
    return any(map(compares_identity, (c for c in constants if isinstance(c, CodeType))))


def slots_of(thing: Any) -> list[str]:
    """The slots of an object of a class of the user's."""
    found: list[str] = []
    for cls in type(thing).__mro__:
        own = cls.__dict__.get("__slots__", ())
        if own and not is_foreign_class(cls):
            found += [own] if isinstance(own, str) else [s for s in own if s not in ("__dict__", "__weakref__")]
    return found


@functools.cache
def is_foreign_file(file: str) -> bool:
    """Whether a file belongs to tracegrad, the standard library or an installed package."""
    return file.startswith(FOREIGN)


def is_foreign_class(cls: type) -> bool:
    """Whether a class belongs to tracegrad, the standard library or an installed package."""
    module = cls.__module__
    if module == "__main__":
        return False
    if module == "builtins":  # a class of text that exec() runs without a module's name is there as well
        return not cls.__flags__ & HEAP_TYPE
    return _is_foreign_module(module)


@functools.cache
def _is_foreign_module(name: str) -> bool:
    module = sys.modules.get(name)
    if name.partition(".")[0] in ("builtins", "tracegrad") or name in sys.builtin_module_names:
        return True
    file = getattr(module, "__file__", None)
    if file is None:  # a namespace that somebody made by hand is the user's
        return getattr(getattr(module, "__spec__", None), "origin", None) is not None
    return is_foreign_file(file)


def is_trimmed(cls: type) -> bool:
    """Whether only named attributes of such an object count: all its code is the user's, but for the base class of modules."""
    return all(
        not is_foreign_class(c)
        or c is object
        or (c.__module__.startswith("tracegrad.nn.module") and c.__name__ in ("Module", "ModuleState"))
        for c in cls.__mro__
    )


_places: dict[str, int] = {}  # per file: 0 for this package's, 1 for installed ones, 2 for the user's


def at(location: tuple[str, int] | None) -> str:
    """How messages name a line of the user's; nothing where none is known."""
    return f" at {location[0]}:{location[1]}" if location is not None else ""


def user_location() -> tuple[str, int] | None:
    """File and line of the nearest frame of the user's: outside this package, the standard library and installed packages.

    When all the code is of installed packages, the nearest frame outside this one.
    """
    frame = sys._getframe(1)
    nearest = None
    while frame is not None:
        file = frame.f_code.co_filename
        kind = _places.get(file)
        if kind is None:
            kind = _places[file] = 0 if file.startswith(INTERNAL) else 1 if file.startswith(INSTALLED) else 2
        if kind:
            if kind == 2:
                return file, frame.f_lineno
            nearest = nearest or (file, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return nearest
