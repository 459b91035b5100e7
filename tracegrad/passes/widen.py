"""widen: operators that calculate with half-precision values do so in float32, between conversions; each result is rounded once, as eagerly."""

from __future__ import annotations

from tracegrad.dtypes import F32, is_half
from tracegrad.ir.builder import Builder, projections
from tracegrad.ir.graph import Graph
from tracegrad.ir.half import calculates_in_half
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type
from tracegrad.passes.rewrite import remake, transform


def widen(graph: Graph) -> Graph:
    """The graph in which float16 and bfloat16 values are only kept, moved, compared and converted; itself when it has none."""
    if not any(map(calculates_in_half, graph.nodes)):
        return graph
    builder = Builder()
    parts: dict[Node, tuple[Node, ...]] = {}  # what stands for the results of an operator that has several

    def change(node: Node) -> Node:
        op = node.op
        assert op is not None
        if op.name == "project":
            found = parts.get(node.inputs[0])
            return node if found is None else found[node.attrs[0]]
        if not calculates_in_half(node):
            return node
        with builder.at(node.extra):
            made = in_float32(builder, node)
            rounded = tuple(
                _rounded(builder, m, t)
                for m, t in zip(projections(made) if op.several() else (made,), node.types, strict=True)
            )
        if op.several():
            parts[node] = rounded
            return node
        return rounded[0]

    return transform(graph, change)


def in_float32(F: Builder, node: Node) -> Node:
    """The node on operands in float32."""
    op = node.op
    assert op is not None
    inputs = tuple(F.as_dtype(i, F32) if isinstance(i, Node) and is_half(i.dtype) else i for i in node.inputs)
    made = remake(op, inputs, node.attrs, node.extra)
    if op.value_dependent:
        made.shape = node.shape  # the type rule alone cannot know it; the recording does
    return made


def _rounded(F: Builder, value: Node, t: Type) -> Node:
    return F.as_dtype(value, t.dtype) if value.dtype == F32 != t.dtype else value
