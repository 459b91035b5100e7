"""schedule: program order.  Rewriting makes new nodes late; here each value is computed shortly before what
reads it, outputs in their order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.passes.rewrite import on


def schedule(graph: Graph) -> Graph:
    """The graph with its nodes in depth-first order of the outputs, then the effects.  Graphs with side
    effects keep their order."""
    if any(node.op is not None and not node.op.pure for node in graph.nodes):
        return graph
    order = depth_first([*graph.outputs, *(new for _, new in graph.effects)], set(graph.leaves))
    if all(a.seq < b.seq for a, b in pairwise(order)):
        return graph
    values: dict[Node, Any] = {}
    for node in order:
        inputs = tuple([values.get(i, i) if i.__class__ is Node else i for i in node.inputs])
        values[node] = on(node, inputs)
    outputs = [values.get(o, o) if isinstance(o, Node) else o for o in graph.outputs]
    effects = [(old, values.get(new, new)) for old, new in graph.effects]
    return Graph(graph.inputs, outputs, graph.captures, effects, graph.names)


def depth_first(roots: list[Any], done: set[Node]) -> list[Node]:
    """All nodes that the roots need, each after its inputs and as late as the first reader allows."""
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(r, False) for r in reversed(roots) if isinstance(r, Node)]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if ready:
            done.add(node)
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend((i, False) for i in reversed(node.inputs) if isinstance(i, Node) and i not in done)
    return order
