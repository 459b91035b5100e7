"""Whether the user's code catches what an operator raises for some values: a program has one course, and raises instead."""

from __future__ import annotations

import opcode
import sys
from collections.abc import Iterable
from types import CodeType
from typing import Any

from tracegrad.compiler.ownership import INTERNAL
from tracegrad.ir.op import Op
from tracegrad.ir.raw import compute

BEGINS, OF_WITH = opcode.opmap["PUSH_EXC_INFO"], opcode.opmap["WITH_EXCEPT_START"]
SWALLOWING = frozenset(("suppress", "ExitStack"))  # context managers that may let a function go on


def handlers_of(code: CodeType) -> list[tuple[int, int]]:
    """The pieces of a code object, as (start, end) in bytes, that stand in a `try` of its own: not those of a mere `with`."""
    found, table, text = [], iter(code.co_exceptiontable), code.co_code
    swallows = not SWALLOWING.isdisjoint(code.co_names)

    def number() -> int:
        byte = next(table)
        value = byte & 63
        while byte & 64:
            byte = next(table)
            value = value << 6 | byte & 63
        return value

    try:
        while True:
            start, length, target, _ = 2 * number(), 2 * number(), 2 * number(), number()
            if text[target] == BEGINS and (swallows or text[target + 2] != OF_WITH):
                found.append((start, start + length))
    except StopIteration:
        return found


def computed_or_noted(trace: Any, op: type[Op], values: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """What an operator's kernel gives while it is recorded; the recording is told where it raises."""
    try:
        return compute(op, values, attrs)
    except Exception:
        trace.failed()
        raise


def succeeded(_: Any) -> bool:
    """That there is a value at all: the operator has not failed."""
    return True


def any_catches(codes: Iterable[CodeType]) -> bool:
    """Whether one of these code objects, or of those inside them, has a handler."""
    return any(
        (code.co_exceptiontable and handlers_of(code))
        or any_catches(c for c in code.co_consts if isinstance(c, CodeType))
        for code in codes
    )


def may_be_caught() -> bool:
    """Whether code between the compiled function and the operator that is being recorded would catch what this raises."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(INTERNAL):
            if code.co_exceptiontable and any(a <= frame.f_lasti < b for a, b in handlers_of(code)):
                return True
        elif code.co_name == "_record":
            return False
        frame = frame.f_back  # type: ignore[assignment]
    return False
