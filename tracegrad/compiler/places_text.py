"""Names for what a function reads outside of its arguments: `config['lr']`, `model.layers[0].scale`, and the line that reads it."""

from __future__ import annotations

import dis
from collections import deque
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from tracegrad.compiler.walk import MISSING, PLAIN, contents_of, is_foreign_file, names_of

LARGEST = 20_000  # objects that are looked at for one name


def name_of(root: Any, holder: Any, key: Any) -> tuple[str, tuple[str, int] | None]:
    """How the function `root` comes to the entry `key` of a table, container or cell, and the first line that reads it; ("", None) where no way is found."""
    codes: list[CodeType] = []
    seen: set[int] = set()
    queue: deque[tuple[Any, str]] = deque([(root, "")])
    while queue and len(seen) < LARGEST:
        thing, path = queue.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, FunctionType) and not is_foreign_file(thing.__code__.co_filename):
            codes.append(thing.__code__)
        for table, name, value, shown in _parts(thing, path):
            if table is holder and key is not None and (_same(name, key) or isinstance(table, CellType)):
                return shown, _line(codes, shown)
            queue.append((value, shown))
        if thing is holder:
            shown = path if key is None else f"{path}[{key_text(key)}]"
            return shown, _line(codes, path)
    return "", None


def key_text(key: Any) -> str:
    """A key of a dict, or an index; objects by their class, since their own text may be long."""
    return repr(key) if isinstance(key, PLAIN) else f"<{type(key).__name__}>"


def _same(name: Any, key: Any) -> bool:
    return name is key or (isinstance(name, PLAIN) and isinstance(key, PLAIN) and name == key)


def _parts(thing: Any, path: str) -> Iterator[tuple[Any, Any, Any, str]]:
    """What a thing leads to: the table where it stands, its name there, itself, and its path."""
    if isinstance(thing, FunctionType):
        for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
            value = contents_of(cell)
            if value is not MISSING:
                yield cell, "cell", value, name
        for name in names_of(thing.__code__) & thing.__globals__.keys():
            yield thing.__globals__, name, thing.__globals__[name], name
        if hasattr(thing, "__wrapped__"):
            yield None, None, thing.__wrapped__, path
    elif isinstance(thing, MethodType):
        yield None, None, thing.__func__, path
        yield None, None, thing.__self__, path or "self"
    elif isinstance(thing, dict):
        yield from ((thing, k, v, f"{path}[{key_text(k)}]") for k, v in list(thing.items()))
    elif isinstance(thing, (list, tuple, deque)):
        yield from ((thing, i, v, f"{path}[{i}]") for i, v in enumerate(thing))
    elif isinstance(thing, ModuleType) and is_foreign_file(getattr(thing, "__file__", None) or "<frozen"):
        return
    else:
        table = getattr(thing, "__dict__", None) or {}
        yield from ((table, k, v, f"{path}.{k}" if path else k) for k, v in list(table.items()) if isinstance(k, str))
        if not isinstance(thing, (type, ModuleType)):
            yield None, None, type(thing), path


def _line(codes: list[CodeType], path: str) -> tuple[str, int] | None:
    """The first line that reads the last name in a path, else its first name."""
    words = [w for w in path.replace("[", ".").split(".") if w.isidentifier()]
    for word in (*words[:0:-1], *words[:1]):
        for code in codes:
            line = _reading(code, word)
            if line is not None:
                return code.co_filename, line
    return None


def _reading(code: CodeType, word: str) -> int | None:
    line = code.co_firstlineno
    for step in dis.get_instructions(code):
        line = step.starts_line if type(step.starts_line) is int else getattr(step, "line_number", None) or line
        if step.argval == word and step.opname.startswith("LOAD_"):
            return line
        if isinstance(step.argval, CodeType):
            inner = _reading(step.argval, word)
            if inner is not None:
                return inner
    return None


__all__ = ["key_text", "name_of"]
