"""Which outputs of a program share a step on the tape: those whose derivatives read values in common, which one backward frees for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node


class Group(NamedTuple):
    """Outputs with one step, and whether their derivatives read values: where they read none, nothing is freed."""

    outputs: tuple[int, ...]
    saves: bool


def groups_of(graph: Graph, follows: Sequence[bool]) -> list[Group]:
    """The outputs that derivatives flow to, by the steps that they share."""
    reads = _readers(graph)
    leader: dict[Node, int] = {}  # by node with values behind it: the first output that depends on it
    root = list(range(len(graph.outputs)))

    def group(i: int) -> int:
        while root[i] != i:
            i = root[i]
        return i

    for i, output in enumerate(graph.outputs):
        stack = [output] if follows[i] and isinstance(output, Node) and output in reads else []
        while stack:
            node = stack.pop()
            if node in leader:
                root[group(i)] = group(leader[node])
                continue
            leader[node] = i
            stack.extend(source for source in node.inputs if isinstance(source, Node) and source in reads)
    found: dict[int, list[int]] = {}
    for i, followed in enumerate(follows):
        if followed:
            found.setdefault(group(i), []).append(i)
    return [Group(tuple(places), any(graph.outputs[i] in reads for i in places)) for places in found.values()]


def _readers(graph: Graph) -> set[Node]:
    """The nodes on whose way back to the leaves a derivative reads a value."""
    found: set[Node] = set()
    for node in graph.nodes:
        assert node.op is not None
        if node.needs and (
            node.op.reads_values
            or hasattr(node.op, "vjp")
            or any(i in found for i in node.inputs if isinstance(i, Node))
        ):
            found.add(node)
    return found


__all__ = ["Group", "groups_of"]
