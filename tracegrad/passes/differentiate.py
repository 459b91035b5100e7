"""differentiate: the reverse mode as a pass.  A graph becomes the graph of its vector-Jacobian product, by
type rules alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.builder import Builder
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.sweep import reachable, sweep
from tracegrad.ir.types import Type
from tracegrad.passes.rewrite import remake
from tracegrad.slots import slots


def vjp_graph(
    graph: Graph,
    wrt: Sequence[int] | None = None,
    outputs: Sequence[int] | None = None,
    *,
    keep_outputs: bool = False,
    followed: bool = False,
) -> Graph:
    """The graph (inputs, one cotangent per chosen output) -> cotangents of the leaves `wrt`.

    wrt           positions among the inputs followed by the captures; all floating-point inputs by default
    outputs       positions of the outputs that get a cotangent; all floating-point ones by default
    keep_outputs  give the original outputs first
    followed      with the steps that make a result depend on what its derivative is 0 for, as on the tape

    A leaf that the outputs do not depend on gets zeros.  Effects are dropped.  Raises DifferentiationError for
    a leaf or an output without derivative (integers, booleans).
    """
    wrt = differentiable(graph.inputs) if wrt is None else tuple(wrt)
    outputs = differentiable(graph.outputs) if outputs is None else tuple(outputs)
    graph = track(graph, wrt)
    cotangents = [make_leaf(_output_type(graph, position)) for position in outputs]
    targets = [graph.leaves[position] for position in wrt]
    F = Builder()
    F.followed = followed
    found = backward(F, [graph.outputs[p] for p in outputs], cotangents, targets)
    kept = tuple(graph.outputs) if keep_outputs else ()
    names = graph.names[: len(graph.inputs)], graph.names[len(graph.inputs) :]
    fresh = unused_names("g", len(cotangents), graph.names)
    return Graph((*graph.inputs, *cotangents), (*kept, *found), graph.captures, (), (*names[0], *fresh, *names[1]))


def grad_graph(graph: Graph, wrt: Sequence[int] = (0,)) -> Graph:
    """The graph inputs -> (value, further outputs, gradients of the value for the leaves `wrt`).

    The first output must be one real floating-point number (any shape with one element); further outputs are
    passed through. Raises DifferentiationError otherwise.
    """
    value = graph.outputs[0] if graph.outputs else None
    if not isinstance(value, Node) or value.dtype.kind not in "fV" or any(size != 1 for size in value.shape):
        shown = value.type if isinstance(value, Node) else repr(value)
        raise DifferentiationError(
            explain("grad", "can be computed for one real floating-point output only", first_output=shown)
        )
    graph = track(graph, wrt)
    F = Builder()
    found = backward(F, [graph.outputs[0]], [F.ones(value.type)], [graph.leaves[p] for p in wrt])
    return Graph(graph.inputs, (*graph.outputs, *found), graph.captures, graph.effects, graph.names)


def track(graph: Graph, wrt: Sequence[int]) -> Graph:
    """The graph over fresh leaves, of which only those at `wrt` carry derivatives."""
    leaves: dict[Node, Node] = {}
    for position, leaf in enumerate(graph.leaves):
        chosen = position in wrt
        if chosen and leaf.dtype.kind not in "fcV":
            name = graph.names[position]
            raise DifferentiationError(
                explain("differentiate", f"only floating-point leaves have a derivative, not %{name}: {leaf.type}")
            )
        leaves[leaf] = make_leaf(leaf.type, needs=chosen, extra=leaf.extra)
    if any(not 0 <= position < len(leaves) for position in wrt):
        raise DifferentiationError(
            explain("differentiate", f"wrt={tuple(wrt)} names a leaf outside 0..{len(leaves) - 1}")
        )
    values: dict[Node, Any] = dict(leaves)
    for node in graph.nodes:
        assert node.op is not None
        inputs = tuple(values[i] if isinstance(i, Node) else i for i in node.inputs)
        values[node] = remake(node.op, inputs, node.attrs, node.extra)
        if node.op.value_dependent:
            values[node].shape = node.shape  # the type rule alone cannot know it; the recording does
    outputs = tuple(values[o] if isinstance(o, Node) else o for o in graph.outputs)
    effects = [(leaves[old], values[new]) for old, new in graph.effects]
    captures = [leaves[c] for c in graph.captures]
    return Graph([leaves[i] for i in graph.inputs], outputs, captures, effects, graph.names)


def backward(F: Builder, outputs: Sequence[Any], cotangents: Sequence[Any], targets: Sequence[Node]) -> list[Node]:
    """The cotangents of `targets` from those of `outputs`; zeros for a target that none of them depends on."""
    roots: dict[Node, Any] = {}
    for output, g in zip(outputs, cotangents, strict=True):
        if isinstance(output, Node) and output.needs:
            roots[output] = F.add(roots[output], g) if output in roots else g
    order = reachable(roots, set(targets))
    inside = set(order)

    def follow(node: Node, g: Any) -> Any:
        F.location = node.extra  # derivative nodes carry the line of the node that they come from
        return g

    done = sweep(F, order, {n: g for n, g in roots.items() if n in inside}, read_node, arrived=follow)
    return [done[t] if t in done else F.zeros(t.type) for t in targets]


def read_node(node: Node, position: int) -> Any:
    """The value of an input of `node` (position >= 0) or of its result -1 - position, as nodes."""
    if position >= 0:
        return node.inputs[position]
    if not isinstance(node.dtype, tuple):
        return node
    return result_of(node, -1 - position)


def result_of(node: Node, index: int) -> Node:
    """One result of a node that has several."""
    return remake(REGISTRY["project"], (node,), (index,), node.extra)


def followed_outputs(graph: Graph) -> list[bool]:
    """For each output whether derivatives flow to it from a leaf that needs them: a level of differentiation inside begins and ends there."""
    follows = {leaf: leaf.needs for leaf in graph.leaves}
    for node in graph.nodes:
        follows[node] = node.needs and any(isinstance(i, Node) and follows[i] for i in node.inputs)
    return [isinstance(o, Node) and follows[o] for o in graph.outputs]


def differentiable(values: Sequence[Any]) -> tuple[int, ...]:
    """Positions of the nodes whose elements are floating-point or complex."""
    return tuple(i for i, v in enumerate(values) if isinstance(v, Node) and v.dtype.kind in "fcV")


def unused_names(prefix: str, count: int, taken: Sequence[str]) -> tuple[str, ...]:
    """`count` names prefix0, prefix1, ... that are not taken."""
    names: list[str] = []
    number = 0
    while len(names) < count:
        if f"{prefix}{number}" not in taken:
            names.append(f"{prefix}{number}")
        number += 1
    return tuple(names)


def _output_type(graph: Graph, position: int) -> Type:
    output = graph.outputs[position]
    if not isinstance(output, Node) or output.dtype.kind not in "fcV":
        shown = output.type if isinstance(output, Node) else repr(output)
        raise DifferentiationError(explain("differentiate", f"output {position} has no derivative", output=shown))
    return output.type


slots.vjp_graph = vjp_graph
