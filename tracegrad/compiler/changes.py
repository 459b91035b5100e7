"""Changes of Python objects: the line of the user's code that makes one, and how it was before."""

from __future__ import annotations

import opcode
from collections import deque
from collections.abc import Iterable, Iterator
from types import CellType, CodeType
from typing import Any

from tracegrad.compiler.ownership import is_foreign_file

BY_NAME = frozenset(
    opcode.opmap[name] for name in ("STORE_ATTR", "STORE_GLOBAL", "STORE_NAME", "DELETE_ATTR", "DELETE_GLOBAL")
)
OF_CELLS = opcode.opmap["STORE_DEREF"]
OF_ENTRIES = frozenset(opcode.opmap[name] for name in ("STORE_SUBSCR", "DELETE_SUBSCR"))
OF_METHODS = {opcode.opmap[name]: name == "LOAD_ATTR" for name in ("LOAD_ATTR", "LOAD_METHOD") if name in opcode.opmap}
METHODS = frozenset(
    "append appendleft extend extendleft insert pop popleft popitem remove clear update setdefault add discard sort reverse rotate __setitem__ "
    "__delitem__ setattr subtract".split()
)


def line_of_change(codes: Iterable[CodeType], name: Any) -> tuple[str, int] | None:
    """Where these codes change what has this name, or, without one, an entry of a container; the first line of them where none is found."""
    own = [code for code in codes if not is_foreign_file(code.co_filename)]
    own.sort(key=lambda code: (code.co_name == "__init__", code.co_filename, code.co_firstlineno))
    for wanted in (_names, _changes) if isinstance(name, str) else (_changes,):
        for code in own:
            for offset, operation, number in _instructions(code):
                if wanted(code, operation, number, name):
                    return code.co_filename, _line(code, offset)
    return (own[0].co_filename, own[0].co_firstlineno) if own else None


def put_back(changed: Iterable[tuple[Any, Any, Any]], sized: Iterable[tuple[Any, int]]) -> bool:
    """Let places hold again what they did: (the value then, the holder, the name) of each, and tables with as many names as they had; False where that is not known."""
    for table, size in sized:
        if type(table) is not dict or len(table) < size:
            return False
        for name in list(table)[size:]:
            del table[name]
    for was, holder, name in changed:
        if isinstance(holder, CellType):
            holder.cell_contents = was
        elif isinstance(holder, dict) and name is not None:
            holder[name] = was
        elif isinstance(holder, (list, deque)):
            holder.clear()
            holder.extend(was)
        elif isinstance(holder, set) or (isinstance(holder, dict) and isinstance(was, dict)):
            holder.clear()
            holder.update(was)
        elif isinstance(holder, dict) and isinstance(was, list):  # its keys, which come with the whole of it
            continue
        else:
            return False
    return True


def _names(code: CodeType, operation: int, number: int, name: str) -> bool:
    return operation in BY_NAME and code.co_names[number] == name


def _changes(code: CodeType, operation: int, number: int, name: Any) -> bool:
    if operation in OF_ENTRIES or operation == OF_CELLS or operation in BY_NAME:
        return operation != OF_CELLS or bool(code.co_freevars)
    if operation not in OF_METHODS:
        return False
    shifted = OF_METHODS[operation] and "LOAD_METHOD" not in opcode.opmap  # from 3.12 on one operation for both
    return code.co_names[number >> 1 if shifted else number] in METHODS


def _instructions(code: CodeType) -> Iterator[tuple[int, int, int]]:
    """(offset, operation, argument)."""
    text, extended = code.co_code, 0
    for offset in range(0, len(text), 2):
        operation, number = text[offset], text[offset + 1] | extended
        extended = number << 8 if operation == opcode.EXTENDED_ARG else 0
        yield offset, operation, number


def _line(code: CodeType, offset: int) -> int:
    return next(
        (line for start, end, line in code.co_lines() if start <= offset < end and line is not None),
        code.co_firstlineno,
    )
