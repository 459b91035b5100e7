"""Parts of a recording between the values that decide, as graphs of their own."""

from __future__ import annotations

from collections.abc import Container, Iterable

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import BY_SEQUENCE, Node, make_leaf, node_like


def closed(ins: list[Node], between: list[Node], outputs: list[Node], names: Iterable[str]) -> Graph:
    """The nodes between `ins` and outputs as a graph of its own: over leaves, whatever the ins are elsewhere."""
    made = {n: make_leaf(n.type, needs=n.needs) for n in ins}
    for node in between:
        sources = tuple([made[i] if i.__class__ is Node else i for i in node.inputs])
        made[node] = node_like(node, sources, node.needs)
    return Graph([made[n] for n in ins], [made[n] for n in outputs], names=names)


def parted(outputs: Iterable[Node], own: Container[Node]) -> tuple[list[Node], list[Node]]:
    """What the outputs are computed from, as far as it is among `own`, in program order; before it what that and they read from elsewhere, in the order of first use."""
    between: set[Node] = set()
    stack = [o for o in outputs if o in own]
    while stack:
        node = stack.pop()
        if node not in between:
            between.add(node)
            for i in node.inputs:
                if i.__class__ is Node and i not in between and i in own:
                    stack.append(i)
    order = sorted(between, key=BY_SEQUENCE)
    ins = [i for node in order for i in node.inputs if i.__class__ is Node and i not in between]
    return list(dict.fromkeys([*ins, *(o for o in outputs if o not in own)])), order
