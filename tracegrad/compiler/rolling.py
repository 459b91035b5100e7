"""The nodes of a recording in its own order, and its repetitions as scans before anything else looks at them: what follows goes by the text, not by the steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import BY_SEQUENCE, Node
from tracegrad.passes.differentiate import followed_outputs
from tracegrad.passes.repetitions import Labels
from tracegrad.passes.roll import least_nodes, roll


class Recorded:
    """The nodes that a recording has made so far, with their labels.

    found   what `program` found last
    """

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
        if len(self.found) < least_nodes(backend):
            return roots
        graph = Graph(leaves, roots, known=self.found)
        needs = any(leaf.needs for leaf in leaves)
        made = roll(graph, backend, differentiated=needs, labels=self._labels_found)
        if made is graph or (needs and followed_outputs(made) != followed_outputs(graph)):
            return roots
        self.nodes, self.found, self._labels, self._labels_found = [], list(made.nodes), [], []
        return list(made.outputs)
