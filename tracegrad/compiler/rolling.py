"""The nodes of a recording in its own order, and its repetitions as scans before anything else looks at them: what follows goes by the text, not by the steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import BY_SEQUENCE, Node, make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.passes.differentiate import followed_outputs
from tracegrad.passes.regular import PIECES, regular
from tracegrad.passes.repetitions import Labels
from tracegrad.passes.roll import least_nodes, roll

_OPERATOR = attrgetter("op")


class Recorded:
    """The nodes that a recording has made so far, with their labels.

    found   what `program` found last        total  how many were made when `roll` was asked
    """

    total = 0

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.found: list[Node] = []
        self._labels: list[int] = []
        self._label = Labels()
        self._labels_found: list[int] = []

    def add(self, node: Node) -> None:
        """Note a node that was made just now."""
        self.nodes.append(node)
        self._labels.append(self._label(node))

    def program(self, roots: Iterable[Any], stop: Collection[Node]) -> list[Node]:
        """All nodes that the roots depend on, in program order, without those in `stop` and what is behind them; a leaf that is not in `stop` is among them."""
        start = {r for r in roots if r.__class__ is Node}
        while True:
            found: list[Node] = []
            labels: list[int] = []
            reached = set(start)
            for node, label in zip(reversed(self.nodes), reversed(self._labels), strict=True):
                if node in reached and node not in stop:
                    found.append(node)
                    labels.append(label)
                    reached.update([i for i in node.inputs if i.__class__ is Node])
            if len(reached) == len(found) + sum([node in reached for node in stop]):
                found.reverse()
                labels.reverse()
                self.found, self._labels_found = found, labels
                return found
            self._learn(reached.difference(found), stop)

    def _learn(self, unknown: set[Node], stop: Collection[Node]) -> None:
        """Take in nodes that were made without being noted, and what they are made of."""
        labels = dict(zip(self.nodes, self._labels, strict=True))
        stack = list(unknown)
        while stack:
            node = stack.pop()
            if node not in labels and node not in stop:
                labels[node] = self._label(node)
                stack.extend([i for i in node.inputs if i.__class__ is Node])
        self.nodes = sorted(labels, key=BY_SEQUENCE)
        self._labels = [labels[node] for node in self.nodes]

    def roll(self, leaves: Sequence[Node], roots: list[Any], backend: str) -> list[Any]:
        """Put scans in the place of the repetitions in what was found; the roots of what it is then.  The recording is over."""
        self.total = len(self.nodes)
        if len(self.found) < least_nodes(backend):
            return roots
        graph = Graph(leaves, roots, known=self.found)
        needs = any(leaf.needs for leaf in leaves)
        alike = regular(graph) if any(op.name in PIECES for op in set(map(_OPERATOR, self.found))) else graph  # type: ignore[union-attr]
        made = roll(alike, backend, differentiated=needs, labels=self._labels_found if alike is graph else None)
        same = as_followed(made, graph) if made is not alike else None
        if same is None:
            return roots
        self.nodes, self.found, self._labels, self._labels_found = [], list(same.nodes), [], []
        return list(same.outputs)


def as_followed(made: Graph, graph: Graph) -> Graph | None:
    """The rolled graph with derivatives for the outputs that had some, and no others; None where one has lost them.  A scan has derivatives for all of its results."""
    if not any(leaf.needs for leaf in graph.leaves):
        return made
    had, has = followed_outputs(graph), followed_outputs(made)
    if any(before and not now for before, now in zip(had, has, strict=True)):
        return None
    outputs = [stopped(o) if now and not before else o for o, before, now in zip(made.outputs, had, has, strict=True)]
    return made.with_outputs(outputs) if had != has else made


def stopped(node: Any) -> Node:
    """The value of a node without its derivatives."""
    return make_node(REGISTRY["stop_reverse"], (node,), (), node.type, needs=False, extra=node.extra)
