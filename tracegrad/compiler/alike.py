"""Recorded pieces by their form: as they are, and with loops as scans, which have one form for all lengths."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from tracegrad.compiler.rolling import as_followed
from tracegrad.compiler.sizes import Number, form_and_numbers
from tracegrad.ir.graph import Graph
from tracegrad.passes.regular import regular
from tracegrad.passes.repetitions import LEAST_STEPS
from tracegrad.passes.roll import roll


class Text(NamedTuple):
    """A graph with its form and its numbers."""

    graph: Graph
    form: tuple[Any, ...]
    numbers: tuple[Number, ...]


class Piece:
    """A recorded piece, as it is and with its repetitions as scans."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def plain(self) -> Text | None:
        """As it was recorded."""
        found = form_and_numbers(self.graph)
        return None if found is None else Text(self.graph, *found)

    @cached_property
    def rolled(self) -> Text | None:
        """With scans for even the shortest repetitions; None where there are none."""
        needs = any(leaf.needs for leaf in self.graph.leaves)
        alike = regular(self.graph)
        made = roll(alike, differentiated=needs, least=LEAST_STEPS)
        same = as_followed(made, self.graph) if made is not alike else None
        found = form_and_numbers(same) if same is not None else None
        return None if same is None or found is None else Text(same, *found)


def like(text: Text | None, how: str, pieces: Iterable[Piece]) -> Text | None:
    """The piece of the same form, as it is or with scans."""
    if text is None:
        return None
    for piece in pieces:
        found: Text | None = getattr(piece, how)
        if found is not None and found.form == text.form:
            return found
    return None


def sizeless(key: Any) -> Any:
    """A signature without its sizes and ints."""
    if type(key) is not tuple:
        return key
    if len(key) == 2 and key[0] is int:
        return int
    if key and all(type(part) is int for part in key):
        return len(key)
    return tuple(map(sizeless, key))
