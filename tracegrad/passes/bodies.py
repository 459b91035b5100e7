"""bodies: what is done to a graph is done to the bodies of its branches and loops."""

from __future__ import annotations

from collections.abc import Callable

from tracegrad.ir.bodies import with_bodies
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_node
from tracegrad.passes.rewrite import transform


def in_bodies(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with `change` applied to every body in it; the graph itself when it has none.  Equal bodies stay equal."""
    done: dict[Graph, Graph] = {}

    def once(body: Graph) -> Graph:
        if body not in done:
            done[body] = change(body)
        return done[body]

    def replace(node: Node) -> Node:
        attrs = with_bodies(node.attrs, once) if node.op is not None and node.op.several() else node.attrs
        if attrs is node.attrs:
            return node
        return make_node(node.op, node.inputs, attrs, node.dtype, needs=node.needs, extra=node.extra)

    return transform(graph, replace)
