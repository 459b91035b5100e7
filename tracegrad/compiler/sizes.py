"""The numbers of a graph apart from its form: two recordings of one function at different sizes have one form and other numbers.

0, 1 and -1 belong to the form, because a size of 1 is stretched and an empty one has rules of its own; so do truth values, dtypes, axes' count and all that is no number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type

Number = int | float
EXACT = frozenset(("pow", "float_power"))  # simplified by the value of their exponents


class _Mark:
    """Stands in a form where a number was taken out."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown


POSITIVE, NEGATIVE, FLOAT, MANY, SLICE, BODY, VALUE = map(
    _Mark, ("positive", "negative", "float", "many", "slice", "body", "value")
)


class _Reader:
    """Takes values apart, one after the other."""

    def __init__(self) -> None:
        self.form: list[Any] = []
        self.numbers: list[Number] = []
        self.possible = True

    def graph(self, graph: Graph) -> None:
        places = {node: i for i, node in enumerate((*graph.leaves, *graph.nodes))}
        self.form += (BODY, len(graph.inputs), len(graph.captures), len(graph.nodes), len(graph.outputs))
        for leaf in graph.leaves:
            self.form.append(leaf.needs)
            self.value(leaf.types)
        for node in graph.nodes:
            self.node(node, places)
        for value in (*graph.outputs, *(v for pair in graph.effects for v in pair)):
            self.operand(value, places, False)

    def node(self, node: Node, places: dict[Node, int]) -> None:
        op = node.op
        assert op is not None
        self.possible = self.possible and op.pure
        self.form += (op, node.needs, len(node.inputs))
        for value in node.inputs:
            if value.__class__ is Node:
                self.form += (VALUE, places[value])
            else:
                self.operand(value, places, op.name in EXACT)
        for attr in node.attrs:
            self.value(attr)
        if node.dtype.__class__ is tuple:
            self.value(node.dtype)
        else:
            self.form += (node.dtype.char, len(node.shape))
            for size in node.shape:
                self.whole(size)

    def operand(self, value: Any, places: dict[Node, int], exact: bool) -> None:
        if isinstance(value, Node):
            self.form += (VALUE, places[value])
        elif exact:
            self.form.append((type(value), repr(value)))
        else:
            self.value(value)

    def value(self, value: Any) -> None:
        kind = type(value)
        if kind is int:
            self.whole(value)
        elif kind is float:
            self.real(value)
        elif kind is tuple or kind is Type:
            self.form += (MANY, kind, len(value))
            for part in value:
                self.value(part)
        elif kind is slice:
            self.form.append(SLICE)
            for part in (value.start, value.stop, value.step):
                self.value(part)
        elif isinstance(value, Graph):
            self.graph(value)
        elif isinstance(value, np.dtype):
            self.form.append((np.dtype, value.name))
        else:
            self.form.append((kind, repr(value) if kind is complex else value))

    def whole(self, value: int) -> None:
        if -2 < value < 2:
            self.form.append((int, value))
        else:
            self.form.append(POSITIVE if value > 0 else NEGATIVE)
            self.numbers.append(value)

    def real(self, value: float) -> None:
        if not math.isfinite(value) or value in (0.0, 1.0, -1.0):
            self.form.append((float, repr(value)))
        else:
            self.form.append((FLOAT, value > 0, abs(value) < 1))
            self.numbers.append(value)


def form_and_numbers(graph: Graph) -> tuple[tuple[Any, ...], tuple[Number, ...]] | None:
    """The form of a graph and its numbers, which together make the graph; None where replaying its operators would do something twice."""
    reader = _Reader()
    reader.graph(graph)
    return (tuple(reader.form), tuple(reader.numbers)) if reader.possible else None
