"""The engine of the passes: walk a graph, replace nodes by rule, keep what did not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracegrad.errors import PassError, explain
from tracegrad.ir.builder import Builder, build
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_node
from tracegrad.ir.op import Op
from tracegrad.passes.rules import AnyRule

Change = Callable[[Node], Any]
MOST_REWRITES = 200  # of one node: far more than any chain of rules that ends


def remake(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], location: Any) -> Node:
    """One node of `op`; for several results the node itself, not its projections."""
    if op.name == "project":
        parent = inputs[0]
        return make_node(op, inputs, attrs, parent.types[attrs[0]], needs=parent.needs, extra=location)
    made = build(op, inputs, attrs, location)
    node: Node = made[0].inputs[0] if op.several() else made
    return node


def transform(graph: Graph, change: Change) -> Graph:
    """The graph with every node, rebuilt where its inputs changed, replaced by `change(node)`.

    Leaves stay the same nodes, and so does everything that does not change; the graph itself is returned when
    nothing does. Operators with side effects keep their order.
    """
    values: dict[Node, Any] = {}
    changed = False
    for node in graph.nodes:
        op = node.op
        assert op is not None
        inputs = tuple(values.get(i, i) if isinstance(i, Node) else i for i in node.inputs)
        here = node
        if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)) or (changed and not op.pure):
            here = remake(op, inputs, node.attrs, node.extra)
        result = change(here)
        if result is not node:
            values[node] = result
            changed = True
    if not changed:
        return graph
    outputs = [values.get(o, o) if isinstance(o, Node) else o for o in graph.outputs]
    effects = [(old, values.get(new, new)) for old, new in graph.effects]
    return Graph(graph.inputs, outputs, graph.captures, effects, graph.names)


class Rewriter:
    """Applies rules to nodes until none fits; `log` counts how often each fired.  Rules of the class `fast` need fast=True."""

    def __init__(
        self, rules: Iterable[AnyRule], stage: str, log: dict[str, int] | None = None, fast: bool = False
    ) -> None:
        self.stage, self.log = stage, {} if log is None else log
        self.builder = Builder()
        self.everywhere: list[AnyRule] = []
        self.by_root: dict[str, list[AnyRule]] = {}
        for rule in rules:
            if rule.exactness == "fast" and not fast:
                continue
            if rule.roots is None:
                self.everywhere.append(rule)
            else:
                for root in rule.roots:
                    self.by_root.setdefault(root, []).append(rule)
        self.counts: dict[Node, int] = {}

    def run(self, graph: Graph) -> Graph:
        """The graph after as many rounds as change something."""
        for _ in range(MOST_REWRITES):
            self.counts = use_counts(graph)
            after = transform(graph, self.settle)
            if after is graph:
                return graph
            graph = after
        raise PassError(explain(self.stage, f"the rules do not come to an end; fired: {self.log}"))

    def settle(self, node: Node) -> Any:
        """`node`, or what the rules make of it."""
        for _ in range(MOST_REWRITES):
            after = self.once(node)
            if after is None:
                return node
            self.counts[after] = self.counts.get(after, 0) + self.counts.get(node, 1)
            node = after
            if node.op is None:
                return node
        raise PassError(explain(self.stage, f"the rules do not come to an end at {describe(node)}; fired: {self.log}"))

    def once(self, node: Node) -> Node | None:
        """The first replacement that a rule offers."""
        op = node.op
        if op is None or op.several():
            return None
        self.builder.location = node.extra
        for rule in (*self.by_root.get(op.name, ()), *self.everywhere):
            try:
                after = rule.apply(self.builder, node, self.uses)
            except Exception as error:
                raise PassError(
                    explain(self.stage, f"rule {rule.name!r} failed at {describe(node)}: {error}")
                ) from error
            if after is None or after is node:
                continue
            if not isinstance(after, Node) or after.type != node.type:
                shown = after.type if isinstance(after, Node) else repr(after)
                raise PassError(explain(self.stage, f"rule {rule.name!r} left {shown} where {describe(node)} stood"))
            self.log[rule.name] = self.log.get(rule.name, 0) + 1
            return after
        return None

    def uses(self, node: Node) -> int:
        """How many nodes and outputs read `node`; 1 for one that a rule has just made."""
        return self.counts.get(node, 1)


def rewrite(
    graph: Graph, rules: Sequence[AnyRule], stage: str, log: dict[str, int] | None = None, *, fast: bool = False
) -> Graph:
    """The graph after `rules`, applied until none fits.  Raises PassError naming the rule and the node where
    one goes wrong."""
    return Rewriter(rules, stage, log, fast).run(graph)


def use_counts(graph: Graph) -> dict[Node, int]:
    """How many nodes, outputs and effects read each node."""
    counts: dict[Node, int] = {}
    readers = [node.inputs for node in graph.nodes]
    for values in (*readers, graph.outputs, tuple(new for _, new in graph.effects)):
        for value in values:
            if isinstance(value, Node):
                counts[value] = counts.get(value, 0) + 1
    return counts


def describe(node: Node) -> str:
    """`add: f32[3] (train.py:41)`, for messages."""
    name = node.op.name if node.op is not None else "leaf"
    place = f" ({node.extra[0]}:{node.extra[1]})" if isinstance(node.extra, tuple) else ""
    return f"{name}: {', '.join(map(str, node.types))}{place}"
