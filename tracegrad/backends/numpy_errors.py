"""What a kernel raises inside a compiled NumPy function, as eager code raises it, with the user's line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.backends.source import bodies_of
from tracegrad.errors import DataError, IndexingError, LinAlgError, TracegradError
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.raw import compute
from tracegrad.ir.text import location_of

FILE = "<generated NumPy function>"
_LINE = re.compile(r"^\s*\w+ \S?= .*  # (?:\(.*?\)|\S+)  (?P<place>\S.*:\d+)$")


def named(error: Exception, source: str, origin: Graph | None, arrays: Sequence[Any]) -> Exception:
    """The error to raise instead: what the operators of `origin`, as they were recorded, raise for these arrays one after the other, else the error itself.

    Its class is the one that eager code raises, its text ends with the user's line, and `leaves_read` has the positions of the leaves that were read before.  An exception of the user's own, from a callback, stays what it is and gets a note.
    """
    known = of_operators(origin, arrays) if origin is not None else None
    if known is not None:
        return known
    place = _place_in(error, source)
    if isinstance(error, (TracegradError, np.linalg.LinAlgError)) or type(error) in (RuntimeError, IndexError):
        return _with_place(error, place)
    if place:
        error.add_note(f"in compiled code, at {place}")
    return error


def of_operators(origin: Graph, arrays: Sequence[Any]) -> Exception | None:
    """The error of the first operator that fails at these arrays for the leaves, with its place; None as for `named`."""
    found = _failing(origin, arrays)
    if found is None:
        return None
    known = _with_place(*found[:2])
    known.leaves_read = found[2]  # type: ignore[attr-defined]
    return known


def _failing(origin: Graph, arrays: Sequence[Any]) -> tuple[Exception, str, frozenset[int]] | None:
    """The error of the first operator that fails, its place, and the leaves that it and those before it read.

    None where none fails, or where running them again would repeat an effect.
    """
    if not _pure(origin):
        return None
    values: dict[Any, Any] = dict(zip(origin.leaves, arrays, strict=True))
    for node in origin.nodes:
        inputs = tuple([values[i] if isinstance(i, Node) else i for i in node.inputs])
        assert node.op is not None
        try:
            values[node] = (
                inputs[0][node.attrs[0]] if node.op.name == "project" else compute(node.op, inputs, node.attrs)
            )
        except Exception as error:
            location = location_of(node)
            before = {i for n in origin.nodes[: origin.nodes.index(node) + 1] for i in n.inputs if isinstance(i, Node)}
            read = frozenset(i for i, leaf in enumerate(origin.leaves) if leaf in before)
            return error, f"{location[0]}:{location[1]}" if location is not None else "", read
    return None


def _pure(graph: Graph) -> bool:
    return all(n.op is not None and n.op.pure and all(map(_pure, bodies_of(n))) for n in graph.nodes)


def _with_place(error: Exception, place: str) -> Exception:
    """The error in our classes, with its place behind the text."""
    text = str(error)
    where = f" (at {place})" if place and place not in text else ""
    if isinstance(error, np.linalg.LinAlgError):
        return LinAlgError(f"{text}{where}")
    kind = {IndexError: IndexingError, RuntimeError: DataError}.get(type(error), type(error))
    if not issubclass(kind, TracegradError):
        error.add_note(f"in compiled code{where}")
        return error
    return kind(f"{text}{where}")


def _place_in(error: Exception, source: str) -> str:
    """The user's line of the innermost line of generated text that the error passed through: what its comment says."""
    line, traceback = 0, error.__traceback__
    inside = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILE:
            line, inside = traceback.tb_lineno, traceback.tb_frame.f_code.co_flags & 0x10
        traceback = traceback.tb_next
    lines = source.splitlines()
    line -= 1 + (1 if inside else 0)  # a text with parameters stands inside a function, a line further down
    while 0 <= line < len(lines):  # the comment stands on the first of an operator's lines
        found = _LINE.match(lines[line])
        if found is not None:
            return found["place"]
        if lines[line].startswith("def "):
            return ""
        line -= 1
    return ""


__all__ = ["FILE", "named", "of_operators"]
