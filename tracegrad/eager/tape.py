"""Tensor.graph(): the tape behind a tensor as a Graph, which prints, compares and converts like any other.  Loaded on first use."""

from __future__ import annotations

from typing import Any

import tracegrad.export  # noqa: F401  (gives the graph to_json, to_python, ...)
from tracegrad.eager.tensor import Tensor
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import BY_SEQUENCE, Node, input_type, make_leaf, make_node
from tracegrad.ir.types import Type
from tracegrad.slots import slots


def tape_graph(tensor: Tensor) -> Graph:
    """The program that made `tensor`, as autograd keeps it: what backward walks.

    Inputs a0, a1, ... are the leaves that require grad, in the order of their creation.  Captures c0, c1, ... stand for operands that autograd does not follow: the tape
    holds their types, so two uses of one such tensor are two captures.  Numbers are as they were.  A tensor without history gives a graph of one capture.
    The graph shares nothing with the tape: it stays as it is after backward.
    """
    node = tensor._node
    if node is None:
        alone = make_leaf(Type(tensor._data.shape, tensor._data.dtype))
        return Graph((), (alone,), (alone,))
    reached = _reached(node)
    inputs = [n for n in reached if n.op is None]
    values: dict[Node, Node] = {leaf: make_leaf(leaf.type, needs=True) for leaf in inputs}
    captures: list[Node] = []
    for old in reached:
        if old.op is not None:
            values[old] = _copied(old, values, captures)
    return Graph([values[leaf] for leaf in inputs], (values[node],), captures)


def _copied(old: Node, values: dict[Node, Node], captures: list[Node]) -> Node:
    """The node over the copies of its operands, with a new capture for each operand that is not followed."""

    def operand(position: int, value: Any) -> Any:
        if isinstance(value, Node):
            return values[value]
        if not isinstance(value, tuple):
            return value
        captures.append(make_leaf(input_type(old, position)))
        return captures[-1]

    inputs = tuple(operand(i, value) for i, value in enumerate(old.inputs))
    result = old.dtype if isinstance(old.dtype, tuple) else old.type
    return make_node(old.op, inputs, old.attrs, result)


def _reached(root: Node) -> list[Node]:
    """All nodes that the root stands on, leaves included, in program order."""
    seen, stack = {root}, [root]
    while stack:
        for source in stack.pop().inputs:
            if isinstance(source, Node) and source not in seen:
                seen.add(source)
                stack.append(source)
    return sorted(seen, key=BY_SEQUENCE)


slots.tape_graph = tape_graph
