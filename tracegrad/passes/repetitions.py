"""What repeats in a graph: stretches of nodes in program order whose text recurs with a period, and what one step of each reads."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import literal_key
from tracegrad.ir.node import Node
from tracegrad.ir.types import size_of

LEAST_STEPS = 4
PERIODS = 12  # tried for each stretch of nodes, and as many for words of WORD nodes
WORD = 8
MOST_RUNS = 64
SMALL = 64  # elements of a value that may be stacked
_ALONE, _SELECTS, _PLAIN = range(3)  # operators that do not repeat, that read one slice, and others
_INTS = {int}
_NONE = -(1 << 60)  # the place of an operand that is a number
_INPUTS = attrgetter("inputs")

Array = np.ndarray[Any, Any]


class Run(NamedTuple):
    """Nodes start, start + 1, ... of a graph: `steps` times `period` of them."""

    start: int
    period: int
    steps: int

    @property
    def end(self) -> int:
        """The position behind the last node."""
        return self.start + self.period * self.steps

    @property
    def saved(self) -> int:
        """How many nodes fewer one step has than all of them."""
        return self.period * (self.steps - 1)


class Affine(NamedTuple):
    """What a step reads slice by slice: at step k the position first + by * k of `source` along axis dim.  The source is a place in the graph, or (run, offset) of another run."""

    source: Any
    dim: int
    first: int
    by: int


class Plan:
    """How one run becomes a scan.

    operands  per operand of one step, in order: ("here", offset), ("carried", number), ("constant", place), ("row", number) or ("number", value)
    carried   (offset of the value, place of the first one) of each carried value
    rows      what is read slice by slice: Affine, or a tuple of places to stack
    selects   offsets of the nodes that are such a read themselves, with the row that they read
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.operands: list[tuple[str, Any]] = []
        self.carried: list[tuple[int, int]] = []
        self.rows: list[Any] = []
        self.selects: dict[int, int] = {}
        self.last: set[int] = set()  # offsets of which only the last step's value is read outside
        self.stacked: set[int] = set()  # offsets of which other steps' values are

    def number(self, kept: list[Any], value: Any) -> int:
        """The place of a value in a list, which it joins."""
        if value not in kept:
            kept.append(value)
        return kept.index(value)


class Planner:
    """Finds the runs of a graph that can become scans.

    places    of the nodes in program order; leaves have negative ones
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.nodes = graph, graph.nodes
        self.places: dict[Node, int] = {leaf: -1 - i for i, leaf in enumerate(graph.leaves)}
        self.places.update(zip(self.nodes, range(len(self.nodes)), strict=True))
        self.plans: list[Plan] = []

    def search(self, least: int, labels: Sequence[int] | None = None) -> list[Plan]:
        """The plans of the runs that save at least so many nodes each, in program order.  `labels` are those of the nodes, where they are known."""
        found = np.array(list(map(Labels(), self.nodes)) if labels is None else labels)
        for run in runs(found, least):
            plan = self.best(run, least)
            if plan is not None:
                self.plans.append(plan)
        return self.plans

    def best(self, run: Run, least: int) -> Plan | None:
        """The first plan that covers most of the run, taking one to four periods as a step: `x[t % 2]` repeats after two."""
        chosen = None
        for together in range(1, 5):
            plan = self.plan(Run(run.start, run.period * together, run.steps // together))
            if plan is not None and (chosen is None or plan.run.saved > chosen.run.saved):
                chosen = plan
            if chosen is not None and 2 * chosen.run.saved >= run.saved:
                break
        return chosen if chosen is not None and chosen.run.saved >= least else None

    def node(self, place: int) -> Node:
        """The node at a place."""
        return self.nodes[place] if place >= 0 else self.graph.leaves[-1 - place]

    def plan(self, run: Run) -> Plan | None:
        """How the run becomes a scan, perhaps without some of its first and last steps; None where its operands do not allow it."""
        if run.steps < LEAST_STEPS:
            return None
        inputs = chain.from_iterable(map(_INPUTS, self.nodes[run.start : run.end]))
        flat = list(map(self.places.get, inputs, repeat(_NONE)))
        table = np.array(flat, np.int64).reshape(run.steps, -1)
        offsets = np.repeat(
            np.arange(run.period), [len(n.inputs) for n in self.nodes[run.start : run.start + run.period]]
        )
        indices = self.select_positions(run)
        columns = np.hstack([table, indices]) if indices.size else table
        run, kept = steady(columns, run)
        if run.steps < LEAST_STEPS:
            return None
        table, indices = table[kept], indices[kept]
        for skipped in (0, 1):  # the first step may be none of them
            first = Run(run.start + skipped * run.period, run.period, run.steps - skipped)
            if first.steps < LEAST_STEPS:
                return None
            plan = self.fit(first, table[skipped:], offsets, indices[skipped:])
            if plan is not None:
                return plan
        return None

    def select_positions(self, run: Run) -> Array:
        """Per step the positions that its `select` nodes read."""
        first = self.nodes[run.start : run.start + run.period]
        chosen = [o for o, node in enumerate(first) if node.op.name == "select"]  # type: ignore[union-attr]
        found = [[self.nodes[run.start + k * run.period + o].attrs[1] for o in chosen] for k in range(run.steps)]
        return np.array(found, np.int64).reshape(run.steps, len(chosen))

    def fit(self, run: Run, table: Array, offsets: Array, indices: Array) -> Plan | None:
        """The plan for exactly this run, or None."""
        plan = Plan(run)
        body = self.nodes[run.start : run.start + run.period]
        moving = table[-1] - table[-2]
        numbers = iter(range(indices.shape[1]))
        column = 0
        for o, node in enumerate(body):
            by, at = 0, -1
            if node.op.name == "select":  # type: ignore[union-attr]
                at = next(numbers)
                by = int(indices[-1, at] - indices[-2, at])
            for value in node.inputs:
                kind = self.operand(plan, table[:, column], int(moving[column]), int(offsets[column]), value)
                if kind is None or (by and kind[0] != "constant"):
                    return None
                if by:
                    plan.selects[o] = plan.number(plan.rows, Affine(kind[1], node.attrs[0], int(indices[0, at]), by))
                plan.operands.append(kind)
                column += 1
        return plan

    def operand(self, plan: Plan, column: Array, moving: int, offset: int, value: Any) -> tuple[str, Any] | None:
        """What one operand is to a step."""
        run, last = plan.run, int(column[-1])
        if last == _NONE:
            return ("number", value)
        if last >= run.start:  # a value of this run
            back = run.start + (run.steps - 1) * run.period + offset - last
            inside = back <= offset
            if moving != run.period or back > offset + run.period:
                return None
            if inside:
                return ("here", offset - back) if column[0] == run.start + offset - back else None
            first, source = int(column[0]), self.node(last)
            if first >= run.start or self.node(first).dtype != source.dtype or self.node(first).shape != source.shape:
                return None
            if isinstance(source.dtype, tuple):
                return None
            return ("carried", plan.number(plan.carried, (offset - back + run.period, first)))
        if moving == 0 and column[0] == last:
            return ("constant", last) if not isinstance(self.node(last).dtype, tuple) else None
        return self.row(plan, column, moving)

    def row(self, plan: Plan, column: Array, moving: int) -> tuple[str, Any] | None:
        """An operand from before the run that differs from step to step."""
        if column[0] != column[-1] - moving * (len(column) - 1):
            return None
        first, last = int(column[0]), int(column[-1])
        if isinstance(self.node(first).dtype, tuple):
            return None
        for number, other in enumerate(self.plans):
            inside = other.run.start <= min(first, last) and max(first, last) < other.run.end
            if inside and moving % other.run.period == 0:
                k, o = divmod(first - other.run.start, other.run.period)
                row = Affine((number, o), 0, k, moving // other.run.period)
                if o in other.selects:  # what it reads itself, read again
                    read = other.rows[other.selects[o]]
                    row = Affine(read.source, read.dim, read.first + read.by * k, read.by * row.by)
                return ("row", plan.number(plan.rows, row))
        kinds = {(self.node(int(p)).shape, self.node(int(p)).dtype) for p in column}
        if len(kinds) == 1 and size_of(self.node(first).shape) <= SMALL:
            return ("row", plan.number(plan.rows, tuple(map(int, column))))
        return None


def steady(table: Array, run: Run) -> tuple[Run, slice]:
    """The longest part of the run around its middle in which all places grow evenly, with one step before it; and its rows in the table."""
    grows = table[1:] - table[:-1]
    middle = len(grows) // 2
    same = (grows == grows[middle]).all(axis=1)
    breaks = np.flatnonzero(~same)
    first = int(breaks[breaks < middle].max(initial=-1)) + 1
    last = int(breaks[breaks > middle].min(initial=len(grows))) + 1  # behind the last step
    first = max(first - 1, 0)
    return Run(run.start + first * run.period, run.period, last - first), slice(first, last)


class Labels:
    """A number per node that is equal for nodes of the same operator, types, attributes and numbers among the operands; for `select` whatever it selects."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}
        self._kinds: dict[Any, int] = {}

    def __call__(self, node: Node) -> int:
        """The label of a node."""
        known, op, attrs = self._known, node.op, node.attrs
        kind = self._kinds.get(op)
        if kind is None:
            kind = self._kinds[op] = _kind(op)
        if attrs:
            attrs = attrs[0] if kind == _SELECTS else _attributes(attrs)
        dtype: Any = node.dtype
        if (
            dtype.__class__ is not tuple
        ):  # hashing one takes longer than all the rest; two objects for one dtype only cost a chance
            dtype = id(dtype)
        key: Any = (op, attrs, node.shape, dtype, len(node.inputs))
        if kind == _ALONE:
            key = len(known)
        else:
            for x in node.inputs:
                if x.__class__ is not Node:
                    key = (key, *[x.__class__ is Node or literal_key(x) for x in node.inputs])
                    break
        return known.setdefault(key, len(known))


def _kind(op: Any) -> int:
    if op is None or not op.pure or op.value_dependent:
        return _ALONE
    return _SELECTS if op.name == "select" else _PLAIN


def _attributes(attrs: tuple[Any, ...]) -> Any:
    """A hashable value that is equal for equal attributes of equal types."""
    for value in attrs:
        kind = value.__class__
        if kind is float or kind is complex or (kind is tuple and {*map(type, value)} - _INTS):
            return literal_key(attrs)
    return (attrs, *map(type, attrs))


def runs(found: Array, least: int) -> list[Run]:
    """Stretches of labels that repeat at least LEAST_STEPS times and save at least `least` nodes, in order."""
    pending, chosen = [(0, len(found))], list[Run]()
    while pending and len(chosen) < MOST_RUNS:
        low, high = pending.pop()
        run = longest(found[low:high], least)
        if run is not None:
            run = run._replace(start=run.start + low)
            chosen.append(run)
            pending += [(low, run.start), (run.end, high)]
    return sorted(chosen)


def longest(found: Array, least: int) -> Run | None:
    """The stretch that saves most."""
    if len(found) < least:
        return None
    best: Run | None = None
    saved = least - 1
    for p in periods(found):
        breaks = np.flatnonzero(found[p:] != found[:-p])
        edges = np.concatenate(([-1], breaks, [len(found) - p]))
        lengths = np.diff(edges) - 1
        at = int(np.argmax(lengths))
        steps = int(lengths[at]) // p + 1
        if steps >= LEAST_STEPS and p * (steps - 1) > saved:
            best, saved = Run(int(edges[at]) + 1, p, steps), p * (steps - 1)
    return best


def periods(found: Array) -> list[int]:
    """Distances at which labels recur most often, and at which WORD labels in a row do: one label may come several times in each step."""
    words = np.zeros(max(len(found) - WORD + 1, 0), np.uint64)
    for i in range(WORD):
        words = words * np.uint64(0x9E3779B97F4A7C15) + found[i : i + len(words)].astype(np.uint64)
    candidates: set[int] = set()
    for labels in (found, words):
        order = np.argsort(labels, kind="stable")
        gaps = (order[1:] - order[:-1])[labels[order[1:]] == labels[order[:-1]]]
        counts = np.bincount(gaps[gaps <= len(found) // LEAST_STEPS], minlength=1)
        often = np.argsort(-counts, kind="stable")[:PERIODS]
        candidates.update(often[counts[often] > 0].tolist())
    return sorted(candidates)
