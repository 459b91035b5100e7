"""decompose: composite operators are opened into the operators they are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tracegrad.ir.builder import Builder
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.passes.rewrite import by_signature, transform


def decompose(graph: Graph, backend: str = "numpy", *, every: bool = False, names: Collection[str] = ()) -> Graph:
    """The graph without operators that `backend` has no expression for; with every=True without any that can
    be opened.

    `names` opens those operators as well.  Rounding may differ from the composite's own kernel.
    """

    def opens(op: type[Op]) -> bool:
        return op.decompose is not None and (every or op.name in names or not has_expression(op, backend))

    builder = Builder()
    while any(opens(of[0]) for of in by_signature(graph)):
        graph = transform(graph, _opener(builder, opens))
    return graph


def has_expression(op: type[Op], backend: str) -> bool:
    """Whether the backend's column of the operator's definition is filled."""
    return bool(op.jax if backend == "jax" else op.numpy)


def _opener(builder: Builder, opens: Callable[[type[Op]], bool]) -> Callable[[Node], Node]:
    opened: dict[Node, tuple[Node, ...]] = {}

    def change(node: Node) -> Node:
        op = node.op
        assert op is not None
        if op.name == "project":
            parts = opened.get(node.inputs[0])
            return node if parts is None else parts[node.attrs[0]]
        if not opens(op):
            return node
        with builder.at(node.extra):
            result = op.decompose(builder, *op.group(node.inputs), **dict(zip(op.attrs, node.attrs, strict=True)))
        if op.several():
            opened[node] = tuple(result)
            return node
        answer: Node = result
        return answer

    return change
