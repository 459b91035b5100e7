"""cse: equal nodes become one.  Operands of commutative operators are compared in either order; only pure
operators are merged."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.graph import Graph, attribute_key
from tracegrad.ir.literals import literal_key
from tracegrad.ir.node import Node
from tracegrad.passes.rewrite import transform


def cse(graph: Graph) -> Graph:
    """The graph with one node per value that is computed the same way from the same values."""
    known: dict[Any, Node] = {}

    def merge(node: Node) -> Node:
        assert node.op is not None
        if not node.op.pure:
            return node
        return known.setdefault(structural_key(node), node)

    return transform(graph, merge)


def structural_key(node: Node) -> Any:
    """What two nodes have in common exactly when they compute the same value: operator, inputs and attributes.

    Numbers are told apart by type and text: 1, 1.0 and True differ, and so do 0.0 and -0.0.
    """
    assert node.op is not None
    inputs: list[Any] = [i if i.__class__ is Node else literal_key(i) for i in node.inputs]
    if node.op.commutative:
        inputs.sort(key=_place)
    return (node.op, *inputs, *map(attribute_key, node.attrs))


def _place(value: Any) -> int:
    return value.seq if value.__class__ is Node else -1
