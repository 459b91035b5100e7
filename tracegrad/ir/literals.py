"""Typed literals of the text and JSON forms: how attribute values and Python numbers are written, and the limits on what a file may hold.

A literal is one of: int, float, bool, complex, None, str, `...`, an element type (`f32`), `slice(a, b, c)`, and tuples of these.  Writing is injective: two
values have the same text only if they have the same type and value (1, 1.0 and True differ, -0.0 differs from 0.0; every nan is `nan`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tracegrad.dtypes import NUMBERS
from tracegrad.ir.types import SHORT_NAMES, Type


class Limits(NamedTuple):
    """What a file may hold before it is refused.

    characters  length of the text             depth     nesting of tuples and JSON values
    nodes       lines of the graph             axes      axes of one value
    operands    operands of one node           elements  elements of one value
    digits      digits of one integer
    """

    characters: int = 500_000_000
    nodes: int = 2_000_000
    operands: int = 100_000
    digits: int = 1000
    depth: int = 50
    axes: int = 64
    elements: int = 2**48


LIMITS = Limits()
_PLAIN = (*NUMBERS, str)


def literal_text(value: Any) -> str:
    """The text of a literal; `<Name>` for an object that has none, which the parser refuses."""
    if value is None or value is Ellipsis or isinstance(value, bool):
        return "..." if value is Ellipsis else repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, complex):
        return f"complex({float_text(value.real)}, {float_text(value.imag)})"
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, np.dtype) and value.name in SHORT_NAMES:
        return SHORT_NAMES[value.name]
    if isinstance(value, slice):
        return f"slice({literal_text(value.start)}, {literal_text(value.stop)}, {literal_text(value.step)})"
    if type(value) is not Type and isinstance(value, tuple):
        items = ", ".join(literal_text(v) for v in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    return object_text(value)


def float_text(value: float) -> str:
    """repr of a float; `nan`, `inf`, `-inf` for those."""
    return "nan" if math.isnan(value) else float.__repr__(value)


def string_text(value: str) -> str:
    """A JSON string in ASCII."""
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return f"\\{character}"
    if 32 <= code < 127:
        return character
    if code < 0x10000:
        return f"\\u{code:04x}"
    return f"\\u{0xD7C0 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"  # a surrogate pair


def object_text(value: Any) -> str:
    """`<Name>` of an object that is no literal: its name if it is a class or function, its repr if that is one word, else its class's name."""
    name = getattr(value, "__name__", None) or repr(value)
    shown = name if isinstance(name, str) and name.isidentifier() else type(value).__name__
    return f"<{''.join(c if c.isascii() and (c.isalnum() or c == '_') else '_' for c in shown)}>"


def is_literal(value: Any) -> bool:
    """Whether the text form can hold the value."""
    if isinstance(value, slice):
        return all(is_literal(v) for v in (value.start, value.stop, value.step))
    if type(value) is not Type and isinstance(value, tuple):
        return all(is_literal(v) for v in value)
    if isinstance(value, np.dtype):
        return value.name in SHORT_NAMES
    return value is None or value is Ellipsis or isinstance(value, _PLAIN)


def is_number(value: Any) -> bool:
    """Whether the value is exactly a Python number, the only literal that may be an operand or an output."""
    return type(value) in NUMBERS


def literal_key(value: Any) -> Any:
    """A hashable value that is equal for equal literals of equal type, and for one and the same object otherwise."""
    if value.__class__ is float and value and value == value:  # all but 0.0, -0.0 and nan
        return value, float
    return literal_text(value) if is_literal(value) else ("object", id(value))
