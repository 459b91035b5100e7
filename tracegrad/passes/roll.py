"""roll: text that repeats, as an unrolled Python loop leaves it, becomes a scan.

A run is a stretch of nodes in program order that repeats with a period: the same operators with the same attributes, whose operands lie equally far back.  One step of
a run may read values of the step before (carried), values from before the run (constants), `x[t]` for a position that is an affine function of the step (read
slice by slice), the values of another run at such a step (the same), and small values that differ from step to step (stacked).  Everything is linear in the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.masking import multiplies
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.op import SELECTIONS
from tracegrad.ir.types import Type
from tracegrad.passes.repetitions import LEAST_STEPS, Affine, Plan, Planner
from tracegrad.passes.rewrite import on

LEAST_NODES = {
    "jax": 700
}  # that must be saved; XLA takes a third of a second for a loop, and as long for so many operators
LEAST_NODES_ELSEWHERE = 512


def least_nodes(backend: str) -> int:
    """How many nodes the scans of a program must save for this backend."""
    return LEAST_NODES.get(backend, LEAST_NODES_ELSEWHERE)


def roll(
    graph: Graph,
    backend: str = "numpy",
    *,
    differentiated: bool = False,
    labels: Sequence[int] | None = None,
    least: int | None = None,
) -> Graph:
    """The graph with its long repetitions as scans; the graph itself where they are too few to be worth it.

    differentiated   the graph will be; then a loop stays unrolled if its derivative can be infinite and some of its values are not selected: the cotangents of those
                     are zeros in the reverse of a scan, where they are absent, or masked (ir/masking), in that of its steps
    labels           of the nodes, where they are known (repetitions.Labels)
    least            how many nodes scans must save; as many as pay for this backend by default
    """
    least = least_nodes(backend) if least is None else least
    if len(graph.nodes) < least:
        return graph
    known: dict[Any, Graph | None] = graph.__dict__.setdefault("_rolled", {})  # None for the graph itself
    key = least, differentiated
    if key not in known:
        planner = Planner(graph)
        plans = planner.search(max(least // 8, LEAST_STEPS), labels)
        known[key] = None
        if sum(p.run.saved for p in plans) >= least:
            roller = _Roller(planner)
            if not (differentiated and any(map(roller.selects_behind_poles, plans))):
                known[key] = roller.rebuilt()
    return known[key] or graph


class _Roller:
    """Puts scans in the place of runs."""

    def __init__(self, planner: Planner) -> None:
        self.graph, self.nodes, self.plans = planner.graph, planner.nodes, planner.plans
        self.places, self.node = planner.places, planner.node
        self.values: dict[int, Any] = {}
        self.stacks: dict[int, dict[int, Any]] = {}  # per run the stacks of the values that are read outside, by offset
        inside = np.full(len(self.nodes), -1)
        for number, plan in enumerate(self.plans):
            inside[plan.run.start : plan.run.end] = number
        self.owner: list[int] = inside.tolist()
        self.loose: list[int] = np.flatnonzero(inside < 0).tolist()  # places outside of the runs
        self.note_uses()

    def note_uses(self) -> None:
        """Note which values of the runs are read outside of them."""
        outside = [x for i in self.loose for x in self.nodes[i].inputs]
        outside += [*self.graph.outputs, *(new for _, new in self.graph.effects)]
        for value in outside:
            if value.__class__ is Node:
                self.use(self.places[value])
        for plan in self.plans:
            for place in [p for _, p in plan.carried] + [v for kind, v in plan.operands if kind == "constant"]:
                self.use(place)
            for row in plan.rows:
                if isinstance(row, Affine) and isinstance(row.source, tuple):
                    self.plans[row.source[0]].stacked.add(row.source[1])
                    continue
                for place in (row.source,) if isinstance(row, Affine) else row:
                    self.use(place)

    def use(self, place: int) -> None:
        """The value at a place is read outside."""
        if place < 0 or self.owner[place] < 0:
            return
        plan = self.plans[self.owner[place]]
        k, o = divmod(place - plan.run.start, plan.run.period)
        if o in plan.selects:  # it is read from its own source
            return
        (plan.last if k == plan.run.steps - 1 else plan.stacked).add(o)

    def selects_behind_poles(self, plan: Plan) -> bool:
        """Whether a derivative in the run can be infinite, and a selection may take only some of the values that come of it."""
        run = plan.run
        body = self.nodes[run.start : run.start + run.period]
        if not any(node.op.pole and multiplies(node) for node in body):  # type: ignore[union-attr]
            return False
        inside = any(node.op in SELECTIONS and o not in plan.selects for o, node in enumerate(body))
        return bool(plan.stacked) or inside or any(node.op in SELECTIONS for node in self.nodes[run.end :])

    def rebuilt(self) -> Graph:
        """The graph with a scan for every run."""
        starts = {plan.run.start: plan for plan in self.plans}
        place = 0
        while place < len(self.nodes):
            plan = starts.get(place)
            if plan is not None:
                with B.at(self.nodes[place].extra):
                    self.make_scan(plan)
                place = plan.run.end
                continue
            node = self.nodes[place]
            together = self.restacked(node) if node.op is not None and node.op.name == "stack" else None
            if together is not None:
                self.values[place] = together
            else:
                inputs = tuple([self.value(x) for x in node.inputs])
                if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
                    self.values[place] = on(node, inputs)
            place += 1
        graph = self.graph
        effects = [(old, self.value(new)) for old, new in graph.effects]
        return Graph(graph.inputs, map(self.value, graph.outputs), graph.captures, effects, graph.names)

    def value(self, x: Any) -> Any:
        """What stands for an operand in the new graph."""
        return self.at(self.places[x]) if x.__class__ is Node else x

    def at(self, place: int) -> Any:
        """What stands for the value at a place."""
        found = self.values.get(place)
        if found is not None:
            return found
        if place < 0 or self.owner[place] < 0:
            return self.node(place)
        number = self.owner[place]
        plan = self.plans[number]
        k, o = divmod(place - plan.run.start, plan.run.period)
        row = Affine((number, o), 0, 0, 1) if o not in plan.selects else plan.rows[plan.selects[o]]
        with B.at(self.nodes[place].extra):
            made = self.values[place] = B.select(self.source(row), dim=row.dim, index=row.first + row.by * k)
        return made

    def source(self, row: Affine) -> Any:
        """What is read slice by slice."""
        return self.stacks[row.source[0]][row.source[1]] if isinstance(row.source, tuple) else self.at(row.source)

    def make_scan(self, plan: Plan) -> None:
        """Build the scan of a run and note what stands for its values."""
        run = plan.run
        carried: list[tuple[int, int | None]] = list(plan.carried)
        known = {o for o, _ in carried}
        carried += [(o, None) for o in sorted(plan.last - plan.stacked - known)]
        stacked = sorted(plan.stacked)
        body = self.nodes[run.start : run.start + run.period]
        carries = [_leaf(body[o].type) for o, _ in carried]
        sources = [self.row(row, run.steps) for row in plan.rows]
        rows = [_leaf(Type(x.shape[1:], x.dtype)) for x in sources]
        constants: dict[int, Node] = {}
        inner = self.step(plan, carries, rows, constants)
        leaves = [*carries, *rows, *constants.values()]
        graph = Graph(leaves, [*(inner[o] for o, _ in carried), *(inner[o] for o in stacked)])
        first = [
            B.zeros(leaf.type) if at is None else self.at(at) for leaf, (_, at) in zip(carries, carried, strict=True)
        ]
        answers = B.scan(
            *first,
            *sources,
            *map(self.at, constants),
            body=graph,
            carries=len(carries),
            slices=len(rows),
            length=run.steps,
            reverse=False,
        )
        last = run.end - run.period
        self.values.update((last + o, v) for (o, _), v in zip(carried, answers, strict=False))
        self.stacks[self.owner[run.start]] = dict(zip(stacked, answers[len(carries) :], strict=True))

    def step(self, plan: Plan, carries: list[Node], rows: list[Node], constants: dict[int, Node]) -> list[Node]:
        """The nodes of one step over its leaves; `constants` gets a leaf for each place that it reads."""
        inner: list[Node] = []

        def resolved(kind: str, what: Any) -> Any:
            if kind == "constant":
                if what not in constants:
                    constants[what] = _leaf(self.node(what).type)
                return constants[what]
            return {"here": inner, "carried": carries, "row": rows}[kind][what] if kind != "number" else what

        operands = iter(plan.operands)
        for o, node in enumerate(self.nodes[plan.run.start : plan.run.start + plan.run.period]):
            given = [next(operands) for _ in node.inputs]
            chosen = plan.selects.get(o)
            inner.append(rows[chosen] if chosen is not None else on(node, tuple([resolved(*g) for g in given])))
        return inner

    def row(self, row: Any, steps: int) -> Any:
        """What the steps read slice by slice, with the steps along axis 0."""
        if not isinstance(row, Affine):
            return self.gathered(row)
        x = self.source(row)
        last = row.first + row.by * (steps - 1)
        low, high = min(row.first, last), max(row.first, last)
        if (low, high + 1, abs(row.by)) != (0, x.shape[row.dim], 1):
            x = B.slice(x, dim=row.dim, start=low, stop=high + 1, step=abs(row.by))
        if row.by < 0:
            x = B.flip(x, dims=(row.dim,))
        return _moved(x, row.dim, 0)

    def gathered(self, places: Sequence[int]) -> Any:
        """The values at these places along axis 0: what another run gives step after step, onwards or backwards, as it lies in its stack."""
        parts: list[Any] = []
        loose: list[int] = []
        at = 0
        while at < len(places):
            number, o, first = self.step_of(places[at])
            end, by = at + 1, 0
            while number is not None and end < len(places):
                following = self.step_of(places[end])
                step = following[2] - first - by * (end - at - 1)
                if following[:2] != (number, o) or abs(step) != 1 or by not in (0, step):
                    break
                end, by = end + 1, step
            if end - at < LEAST_STEPS:
                loose.append(places[at])
                at += 1
                continue
            parts += [B.stack(*map(self.at, loose), dim=0)] if loose else []
            parts.append(self.row(Affine((number, o), 0, first, by), end - at))
            loose, at = [], end
        parts += [B.stack(*map(self.at, loose), dim=0)] if loose else []
        return parts[0] if len(parts) == 1 else B.cat(*parts, dim=0)

    def step_of(self, place: int) -> tuple[int | None, int, int]:
        """The run, the offset and the step whose value a stack holds for a place; no run where none does."""
        number = self.owner[place] if place >= 0 else -1
        if number < 0 or number not in self.stacks:
            return None, 0, 0
        run = self.plans[number].run
        step, o = divmod(place - run.start, run.period)
        return (number, o, step) if o in self.stacks[number] else (None, 0, 0)

    def restacked(self, node: Node) -> Any:
        """A stack of what all steps of a run give, one after the other, perhaps with other values before and behind; None for another stack."""
        places = [self.places[x] for x in node.inputs]
        inside = [i for i, p in enumerate(places) if p >= 0 and self.owner[p] >= 0]
        if not inside:
            return None
        number = self.owner[places[inside[0]]]
        run = self.plans[number].run
        first = inside[0]
        o = places[first] - run.start
        if (
            o >= run.period
            or o in self.plans[number].selects
            or places[first : first + run.steps] != list(range(places[first], run.end, run.period))
        ):
            return None
        parts = [self.stacks[number][o]]
        for others, before in ((node.inputs[:first], True), (node.inputs[first + run.steps :], False)):
            if others:
                parts.insert(0 if before else 1, B.stack(*map(self.value, others), dim=0))
        return _moved(B.cat(*parts, dim=0) if len(parts) > 1 else parts[0], 0, node.attrs[0])


def _leaf(t: Type) -> Node:
    return make_leaf(t, needs=t.dtype.kind in "fcV")


def _moved(x: Node, source: int, target: int) -> Any:
    """x with one axis moved, the others in order."""
    if source == target:
        return x
    order = [d for d in range(len(x.shape)) if d != source]
    order.insert(target, source)
    return B.permute(x, dims=tuple(order))
