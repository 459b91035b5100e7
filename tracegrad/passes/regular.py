"""regular: what loops over an axis leave, in forms that are alike for every step, so that `roll` finds the steps.

Pieces of an axis (`for row in x`, `x.unbind()`, `x[i : i + 1]`, `x.split(1)`) become selections where they are read.  Rows that are written one after the other become
a stack, and reads of them the values.  `cat` of equal parts becomes a stack.  Numbers that grow evenly from step to step are read from an `arange`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tracegrad.dtypes import F64
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.raw import compute
from tracegrad.ir.types import Shape, size_of
from tracegrad.passes.repetitions import LEAST_STEPS
from tracegrad.passes.rewrite import on

COUNTED = frozenset(("add", "sub", "mul", "div"))  # whose number may be one of a row
MOST_ON_A_LINE = 4  # operators of one kind with a number
NARROW = frozenset(("slice", "split_piece"))
PIECES = frozenset(("unbind_piece", "split_piece", "copy_slices"))  # what tells that a long program is worth a look


class Row(NamedTuple):
    """A write of one position along an axis: `base` with `value` at `place` of axis dim."""

    base: Node
    value: Node
    dim: int
    place: int


class Rows:
    """Rows written one after the other: what was there before, the axis, and the values by their places.  first and by say where they begin and which way they go."""

    def __init__(self, base: Node, dim: int) -> None:
        self.base, self.dim = base, dim
        self.writes: list[Node] = []
        self.values: dict[int, Node] = {}

    def fits(self, row: Row) -> bool:
        """Whether a further row goes on evenly."""
        places = list(self.values)
        if row.dim != self.dim or row.base is not self.writes[-1] or row.place in self.values:
            return False
        by = row.place - places[-1]
        return abs(by) == 1 if len(places) == 1 else by == places[-1] - places[-2]


def regular(graph: Graph) -> Graph:
    """A graph that gives the same, in which steps of loops are alike; the graph itself where nothing is to be done."""
    made = _Regular(graph)
    return made.rebuilt() if made.found else graph


class _Regular:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.users = graph.users()
        self.kept = {n for pair in graph.effects for n in pair} | set(graph.outputs)
        self.values: dict[Node, Any] = {}
        self.numbers: dict[tuple[Node, int], tuple[Count, int]] = {}  # operands that are read from a row, and where
        self.rows: dict[Node, tuple[Rows, int]] = {}  # writes, with how many rows there are then
        self._find_rows()
        self._find_numbers()
        self.late = {node for node in graph.nodes if self.is_piece(node)}
        self.skipped = {part for node in self.rows for part in (node, node.inputs[1])}
        cats = any(node.op.name == "cat" and _are_equal(node) for node in graph.nodes)  # type: ignore[union-attr]
        self.found = bool(self.late or self.rows or self.numbers or cats)

    def is_piece(self, node: Node) -> bool:
        """Whether a node reads one position of an axis: it is made where it is read."""
        name, attrs = node.op.name, node.attrs  # type: ignore[union-attr]
        if name == "unbind_piece" or (name == "select" and node.inputs[0] in self.rows):
            return node not in self.kept
        return name in NARROW and attrs[2] == attrs[1] + 1 and attrs[3] == 1 and node not in self.kept

    # --- what is there

    def _find_rows(self) -> None:
        last: dict[Node, Rows] = {}
        chains: list[Rows] = []
        for node in self.graph.nodes:
            row = _row_of(node) if node.op.name == "copy_slices" else None  # type: ignore[union-attr]
            if row is None:
                continue
            rows = last.pop(row.base, None)
            if rows is None or not rows.fits(row):
                rows = Rows(row.base, row.dim)
                chains.append(rows)
            rows.writes.append(node)
            rows.values[row.place] = row.value
            last[node] = rows
        for rows in chains:
            if len(rows.writes) >= LEAST_STEPS and self._are_hidden(rows):
                self.rows.update((node, (rows, k + 1)) for k, node in enumerate(rows.writes))

    def _are_hidden(self, rows: Rows) -> bool:
        """Whether all but the last of the writes are only written on, or read along the same axis."""
        for node, following in zip(rows.writes, rows.writes[1:], strict=False):
            if node in self.kept:
                return False
            for user in self.users[node]:
                reads = user.op.name == "select" and user.attrs[0] == rows.dim  # type: ignore[union-attr]
                if user is not following and (not reads or user in self.kept):
                    return False
        return all(len(self.users[node.inputs[1]]) == 1 for node in rows.writes)

    def _find_numbers(self) -> None:
        groups: dict[Any, list[tuple[Node, int]]] = {}
        for node in self.graph.nodes:
            if node.op.name in COUNTED:  # type: ignore[union-attr]
                for i, value in enumerate(node.inputs):
                    if type(value) in (int, float) and isinstance(node.inputs[1 - i], Node):
                        key = (node.op, i, type(value), node.shape, node.dtype, node.extra)
                        groups.setdefault(key, []).append((node, i))
        for group in groups.values():
            for apart in range(1, MOST_ON_A_LINE + 1):
                found = [_evenly(group[k::apart]) for k in range(apart)] if len(group) % apart == 0 else [None]
                if None not in found:
                    for count, places in zip(found, (group[k::apart] for k in range(apart)), strict=True):
                        self.numbers.update((place, (count, k)) for k, place in enumerate(places) if count)  # type: ignore[misc]
                    break

    # --- the new graph

    def rebuilt(self) -> Graph:
        """The graph anew."""
        specs = dict.fromkeys(spec for spec, _ in self.numbers.values())
        self.sources = {spec: spec.node() for spec in specs}
        for node in self.graph.nodes:
            rows, count = self.rows.get(node, (None, 0))
            with B.at(node.extra):
                if rows is not None and count == len(rows.writes):
                    self.values[node] = self.together(rows, node)
                elif node not in self.skipped and node not in self.late:
                    self.values[node] = self.remade(node)
        graph = self.graph
        effects = [(old, self.value(new)) for old, new in graph.effects]
        return Graph(graph.inputs, map(self.value, graph.outputs), graph.captures, effects, graph.names)

    def remade(self, node: Node) -> Any:
        """A node on the new operands."""
        inputs = []
        for i, x in enumerate(node.inputs):
            found = self.numbers.get((node, i))
            inputs.append(self.value(x) if found is None else B.select(self.sources[found[0]], dim=0, index=found[1]))
        if node.op.name == "cat" and _are_equal(node):  # type: ignore[union-attr]
            return B.reshape(B.stack(*inputs, dim=node.attrs[0]), shape=node.shape)
        return on(node, tuple(inputs))

    def value(self, x: Any) -> Any:
        """What stands for an operand."""
        if x.__class__ is not Node or x.op is None:
            return x
        found = self.values.get(x)
        if found is None:
            with B.at(x.extra):
                found = self.values[x] = self.piece(x)
        return found

    def piece(self, x: Node) -> Any:
        """One position of an axis."""
        name, source = x.op.name, x.inputs[0]  # type: ignore[union-attr]
        if name in NARROW:
            dim, place = x.attrs[0], x.attrs[1]
            return B.unsqueeze(B.select(self.value(source), dim=dim, index=place), dim=dim)
        dim, place = x.attrs[0], x.attrs[1]
        if source in self.rows:
            rows, count = self.rows[source]
            written = list(rows.values)[:count]
            if dim == rows.dim and place in written:
                return self.value(rows.values[place])
            if count < len(rows.writes):
                source = rows.base
        return B.select(self.value(source), dim=dim, index=place)

    def together(self, rows: Rows, node: Node) -> Any:
        """The rows as one value, with what was before and behind them."""
        dim, low, high = rows.dim, min(rows.values), max(rows.values) + 1
        parts = [B.stack(*(self.value(rows.values[p]) for p in range(low, high)), dim=dim)]
        base = self.value(rows.base)
        if low:
            parts.insert(0, B.slice(base, dim=dim, start=0, stop=low, step=1))
        if high < node.shape[dim]:
            parts.append(B.slice(base, dim=dim, start=high, stop=node.shape[dim], step=1))
        return parts[0] if len(parts) == 1 else B.cat(*parts, dim=dim)


def _row_of(node: Node) -> Row | None:
    """The write as one of a single position along an axis; None where it is not one."""
    base, part = node.inputs
    strides, offset = node.attrs
    if part.op is None or part.op.name != "overwrite":
        return None
    value = part.inputs[1]
    if value.__class__ is not Node or value.shape != part.shape or value.dtype != part.dtype or not size_of(base.shape):
        return None
    every = _steps(base.shape)
    for dim, step in enumerate(every):
        rest = every[:dim] + every[dim + 1 :], base.shape[:dim] + base.shape[dim + 1 :]
        if rest == (tuple(strides), part.shape) and offset % step == 0 and offset // step < base.shape[dim]:
            return Row(base, value, dim, offset // step)
    return None


def _steps(shape: Shape) -> Shape:
    """How far apart the positions of each axis are, in row-major order."""
    found = [1]
    for size in reversed(shape[1:]):
        found.insert(0, found[0] * size)
    return tuple(found[: len(shape)])


class Count(NamedTuple):
    """Numbers that grow evenly: (start + step * i) * factor for i < length, rounded as Python does."""

    start: Any
    step: Any
    length: int
    factor: Any
    dtype: Any

    def node(self) -> Any:
        """The numbers as a value."""
        if self.factor is None:
            return B.arange(start=self.start, step=self.step, count=self.length, dtype=self.dtype)
        made = B.mul(B.arange(start=self.start, step=self.step, count=self.length, dtype=F64), self.factor)
        return made if self.dtype == F64 else B.cast(made, dtype=self.dtype)

    def array(self) -> Any:
        """The numbers."""
        if self.factor is None:
            return compute(REGISTRY["arange"], (), (self.start, self.step, self.length, self.dtype))
        made: Any = compute(REGISTRY["arange"], (), (self.start, self.step, self.length, F64))
        return (made * self.factor).astype(self.dtype)


def _evenly(group: list[tuple[Node, int]]) -> Count | bool | None:
    """How the numbers at these operands grow; False where they are all the same, None where they are uneven."""
    numbers: Any = [node.inputs[i] for node, i in group]
    if all(n == numbers[0] for n in numbers):
        return False
    dtype = group[0][0].inputs[1 - group[0][1]].dtype
    if len(numbers) < LEAST_STEPS or dtype.kind not in "fiu":
        return None
    return next((s for s in _counts(numbers, dtype) if _are(numbers, s)), None)


def _counts(numbers: list[Any], dtype: Any) -> Iterator[Count]:
    """How numbers may come of the steps' count."""
    by = numbers[1] - numbers[0]
    if not all(map(math.isfinite, numbers)) or not by:
        return
    if type(by) is float:
        for start in {round(numbers[0] / by), round(numbers[-1] / by) + 1 - len(numbers)}:
            for k, number in enumerate(numbers):
                if start + k:
                    yield Count(start, 1, len(numbers), number / (start + k), dtype)
                    break
    yield Count(numbers[0], by, len(numbers), None, dtype)


def _are(numbers: list[Any], count: Count) -> bool:
    try:
        return np.array_equal(count.array(), np.array(numbers, count.dtype))
    except OverflowError:
        return False


def _are_equal(node: Node) -> bool:
    """Whether a `cat` joins several values of one shape."""
    return len(node.inputs) >= LEAST_STEPS and len({x.shape for x in node.inputs}) == 1
