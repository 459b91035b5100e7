"""dce: what nothing reads is removed.  A Graph holds only nodes that its outputs and effects reach, so what is
left to remove are effects that write a value back to where it came from."""

from __future__ import annotations

from tracegrad.ir.graph import Graph


def dce(graph: Graph) -> Graph:
    """The graph without effects that change nothing.  Effects that write, and the nodes that they need, are
    kept."""
    effects = [(old, new) for old, new in graph.effects if old is not new]
    if len(effects) == len(graph.effects):
        return graph
    return Graph(graph.inputs, graph.outputs, graph.captures, effects, graph.names)
