"""jvp: the forward mode as a pass, derived from the same definitions as the reverse mode.

The tangent of an operator's result is found in this order: the operator's own `jvp`; for an elementwise
operator its derivative rule applied to the tangent; for linear operands the operator applied to the tangent;
otherwise the transpose of the reverse rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.graph import Graph
from tracegrad.ir.half import calculates_in_half, wide
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.op import Op, parameters
from tracegrad.ir.sweep import cotangents_of_inputs, reachable, sweep
from tracegrad.passes.differentiate import differentiable, read_node, track, unused_names
from tracegrad.passes.widen import in_float32
from tracegrad.slots import slots


def jvp_graph(graph: Graph, wrt: Sequence[int] | None = None) -> Graph:
    """The graph (inputs, one tangent per leaf in `wrt`) -> (outputs, one tangent per floating-point output).

    wrt   positions among the inputs followed by the captures; all floating-point inputs by default

    An output that does not depend on `wrt` gets zeros; integer and boolean outputs get no tangent.  Effects
    are dropped. Raises DifferentiationError for a leaf without derivative.
    """
    wrt = differentiable(graph.inputs) if wrt is None else tuple(wrt)
    track(graph, wrt)  # refuses leaves without derivative
    graph = track(graph, ())  # no node needs a derivative, so that only the placeholders of `transposed` do
    F = Builder()
    given = [make_leaf(graph.leaves[p].type) for p in wrt]
    tangents: dict[Node, Any] = {graph.leaves[p]: t for p, t in zip(wrt, given, strict=True)}
    for node in graph.nodes:
        push(F, node, tangents)
    found = [_tangent_or_zeros(F, graph.outputs[p], tangents) for p in differentiable(graph.outputs)]
    count = len(graph.inputs)
    names = (*graph.names[:count], *unused_names("t", len(given), graph.names), *graph.names[count:])
    return Graph((*graph.inputs, *given), (*graph.outputs, *found), graph.captures, (), names)


def _tangent_or_zeros(F: Builder, output: Node, tangents: dict[Node, Any]) -> Any:
    t = tangents.get(output)
    return F.zeros(output.type) if t is None else t


def push(F: Builder, node: Node, tangents: dict[Node, Any]) -> None:
    """Put the tangent of `node`'s value into `tangents`, if it has one; that of several results is a tuple
    with None for zeros."""
    op = node.op
    assert op is not None
    F.location = node.extra
    if op.name == "project":
        parts = tangents.get(node.inputs[0])
        if parts is not None and parts[node.attrs[0]] is not None:
            tangents[node] = parts[node.attrs[0]]
        return
    incoming = tuple(tangents.get(i) if isinstance(i, Node) else None for i in node.inputs)
    if all(t is None for t in incoming):
        return
    result = tangent(F, node, incoming)
    if result is not None:
        tangents[node] = result


def tangent(F: Builder, node: Node, incoming: tuple[Any, ...]) -> Any:
    """The tangent of the value of `node` from those of its inputs (None: zero); a tuple for several results;
    None for zero."""
    op = node.op
    assert op is not None
    if set(op.outputs) == set(op.nondiff_outputs) or all(t.dtype.kind not in "fcV" for t in node.types):
        return None
    if hasattr(op, "push"):
        return op.push(F, node, incoming)
    if calculates_in_half(node):
        return _in_float32(F, node, incoming)
    if op.jvp is not None:
        own = _own_rule(F, op, node, incoming)
        if own is not NotImplemented:
            return own
    moving = [p for p, t in enumerate(incoming) if t is not None]
    if op.elementwise and (op.holomorphic or not _has_complex(node)):
        return _elementwise(F, op, node, incoming, moving)
    if not op.several() and all(_operand(op, p) in op.linear for p in moving):
        return _linear(F, op, node, incoming, moving)
    return transposed(F, node, incoming)


def _in_float32(F: Builder, node: Node, incoming: tuple[Any, ...]) -> Any:
    """The tangent of the same operator on float32 operands, rounded: half precision is only kept."""
    found = tangent(F, in_float32(F, node), tuple([wide(F, t) for t in incoming]))
    if isinstance(found, tuple):
        return tuple(None if t is None else F.as_dtype(t, own.dtype) for t, own in zip(found, node.types, strict=True))
    return None if found is None else F.as_dtype(found, node.dtype)


def _has_complex(node: Node) -> bool:
    """Whether the result or an operand is complex: then the rule is the tangent only of a holomorphic operator."""
    return any(t.dtype.kind == "c" for t in (node, *(i for i in node.inputs if isinstance(i, Node))))


def _operand(op: type[Op], position: int) -> str:
    return op.operands[min(position, len(op.operands) - 1)]


def _own_rule(F: Builder, op: type[Op], node: Node, incoming: tuple[Any, ...]) -> Any:
    """op.jvp(F, t_<operand>..., names it reads...): it receives tangents by name, zeros where there is none."""
    known: dict[str, Any] = dict(zip(op.attrs, node.attrs, strict=True))
    known.update(zip(op.operands, op.group(node.inputs), strict=True))
    for position, name in enumerate(op.operands):
        if op.variadic and position == len(op.operands) - 1:
            known[f"t_{name}"] = tuple(
                F.zeros(i.type) if t is None else t
                for t, i in zip(incoming[position:], node.inputs[position:], strict=True)
            )
            continue
        source = node.inputs[position]
        known[f"{name}_type"] = F.type(source) if source is not None else None
        given = incoming[position]
        known[f"t_{name}"] = F.zeros(source.type) if given is None and isinstance(source, Node) else given
    for index, name in enumerate(op.outputs):
        known[name] = read_node(node, -1 - index)
    if "results" in parameters(op.jvp):  # of an operator whose results have no names
        known["results"] = tuple(read_node(node, -1 - k) for k in range(len(node.types)))
    return op.jvp(F, *(known[n] for n in parameters(op.jvp)[1:]))


def _elementwise(F: Builder, op: type[Op], node: Node, incoming: tuple[Any, ...], moving: list[int]) -> Any:
    """The diagonal of the Jacobian applied to each tangent, and broadcast to the result's shape."""
    total = None
    for position in moving:
        rule = op.rules[position]
        if rule is None:
            continue
        part = rule.function(F, *(_read(F, op, node, n, incoming[position]) for n in rule.reads))
        if part is None:
            continue
        part = F.as_dtype(F.expand(part, shape=node.shape), node.dtype)
        total = part if total is None else F.add(total, part)
    return total


def _read(F: Builder, op: type[Op], node: Node, name: str, t: Any) -> Any:
    """What the name that a rule reads stands for, t being the tangent in the place of the cotangent."""
    if name == "g":
        return t
    if name in op.attrs:
        return node.attrs[op.attrs.index(name)]
    if name in op.outputs:
        return node
    if name in op.operands:
        return node.inputs[op.operands.index(name)]
    return F.type(node.inputs[op.operands.index(name.removesuffix("_type"))])


def _linear(F: Builder, op: type[Op], node: Node, incoming: tuple[Any, ...], moving: list[int]) -> Any:
    """The operator applied to the tangents: all linear operands at once, or one at a time where it is linear
    in each alone."""
    if op.multilinear:
        total = None
        for position in moving:
            inputs = (*node.inputs[:position], incoming[position], *node.inputs[position + 1 :])
            part = _apply(F, op, inputs, node)
            total = part if total is None else F.add(total, part)
        return total
    inputs = tuple(
        t if t is not None else _zero(F, i) if _operand(op, p) in op.linear else i
        for p, (i, t) in enumerate(zip(node.inputs, incoming, strict=True))
    )
    return _apply(F, op, inputs, node)


def _zero(F: Builder, value: Any) -> Any:
    """The tangent of an operand that does not move: a node, a Python number, or None for an absent one."""
    return F.zeros(value.type) if isinstance(value, Node) else None if value is None else type(value)(0)


def _apply(F: Builder, op: type[Op], inputs: tuple[Any, ...], node: Node) -> Any:
    made = getattr(F, op.name)(*inputs, **dict(zip(op.attrs, node.attrs, strict=True)))
    if op.value_dependent:
        made.shape = node.shape  # the type rule alone cannot know it; the recording does
    return made


def transposed(F: Builder, node: Node, incoming: tuple[Any, ...]) -> Any:
    """The tangent as the transpose of the reverse rule: run the rule on a placeholder cotangent, then sweep
    back from it with the tangents.

    The rule is linear in the cotangent, so the placeholder's value does not matter, and nothing depends on
    it in the end.
    """
    op = node.op
    assert op is not None
    placeholders = [make_leaf(t, needs=True) if t.dtype.kind in "fcV" else None for t in node.types]
    wanted = {i for i, t in zip(node.inputs, incoming, strict=True) if t is not None}
    parts = cotangents_of_inputs(
        F, node, tuple(placeholders), read_node, lambda value: isinstance(value, Node) and value in wanted
    )
    roots: dict[Node, Any] = {}
    for part, t in zip(parts, incoming, strict=True):
        if isinstance(part, Node) and t is not None and part.needs:
            roots[part] = F.add(roots[part], t) if part in roots else t
    order = reachable(roots, {p for p in placeholders if p is not None})
    inside = set(order)
    done = sweep(F, order, {n: t for n, t in roots.items() if n in inside}, read_node)
    results = tuple(done.get(p) if p is not None else None for p in placeholders)
    if all(r is None for r in results):
        return None
    return results if op.several() else results[0]


slots.jvp_graph = jvp_graph
