"""Parts of a recording between the values that decide, as graphs of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import BY_SEQUENCE, Node, make_leaf, make_node


def closed(inputs: list[Node], outputs: list[Node], names: Iterable[str]) -> Graph:
    """The nodes between inputs and outputs as a graph of its own: over leaves, whatever the inputs are elsewhere."""
    made = {n: make_leaf(n.type, needs=n.needs) for n in inputs}
    for node in inside(outputs, lambda n: n not in made):
        sources = tuple([made[i] if isinstance(i, Node) else i for i in node.inputs])
        kind = node.dtype if isinstance(node.dtype, tuple) else node.type
        made[node] = make_node(node.op, sources, node.attrs, kind, needs=node.needs, extra=node.extra)
    return Graph([made[n] for n in inputs], [made[n] for n in outputs], names=names)


def inside(roots: Iterable[Node], belongs: Callable[[Node], bool]) -> list[Node]:
    """The roots and what they are computed from, as far as it belongs, in program order."""
    seen: set[Node] = set()
    stack = [r for r in roots if belongs(r)]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(i for i in node.inputs if isinstance(i, Node) and i not in seen and belongs(i))
    return sorted(seen, key=BY_SEQUENCE)
