"""Graphs as networkx graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracegrad.export.dot import operand_name
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.text import text_names

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[str]:
    """The graph as a networkx.MultiDiGraph whose vertices are the names of the text form without `%`.

    Vertices carry kind ("input", "capture" or "node"), op (None for leaves), attrs (a dict), types (a tuple of Types) and literals (operand index -> number).
    Every operand is an edge of its own with operand (its index, also the edge's key) and name, so that x * x has two.  The graph itself carries outputs (names
    and numbers, in order) and effects (pairs of names).
    """
    import networkx

    names = text_names(graph, graph.nodes)

    def shown(value: Any) -> Any:
        return names[value] if isinstance(value, Node) else value

    result: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(
        outputs=tuple(map(shown, graph.outputs)), effects=tuple((names[old], names[new]) for old, new in graph.effects)
    )
    for kind, leaves in (("input", graph.inputs), ("capture", graph.captures)):
        for leaf in leaves:
            result.add_node(names[leaf], kind=kind, op=None, attrs={}, types=leaf.types, literals={})
    for node in graph.nodes:
        op = node.op
        assert op is not None
        literals = {
            i: value for i, value in enumerate(node.inputs) if not isinstance(value, Node) and value is not None
        }
        attrs = dict(zip(op.attrs, node.attrs, strict=False))
        result.add_node(names[node], kind="node", op=op.name, attrs=attrs, types=node.types, literals=literals)
        for position, value in enumerate(node.inputs):
            if isinstance(value, Node):
                result.add_edge(
                    names[value], names[node], key=position, operand=position, name=operand_name(op, position)
                )
    return result
