"""The reverse sweep over nodes, generic in the namespace: with B it differentiates graphs, with T it makes differentiable derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.graph import BY_SEQUENCE
from tracegrad.ir.node import Node, input_type
from tracegrad.ir.op import Op, cotangent_names
from tracegrad.ir.prelude import Ops

Reader = Callable[[Node, int], Any]  # (node, position) -> value of that input; position -1 - k is result k


def cotangents_of_inputs(
    F: Ops, node: Node, given: tuple[Any, ...], read: Reader, wanted: Callable[[Any], bool]
) -> list[Any]:
    """The cotangent of each input of `node` (None where not wanted or zero), from those of its results (None where absent)."""
    op = node.op
    assert op is not None
    custom = getattr(op, "vjp", None)
    if custom is not None:
        return list(custom(F, node, given, read, wanted))
    known = _names(F, op, node, given, _conjugated(F, read) if op.conjugates and is_complex(node) else read)
    found: list[Any] = [None] * len(node.inputs)
    last = len(op.operands) - 1
    for position, rule in enumerate(op.rules):
        is_tail = op.variadic and position == last
        inputs = node.inputs[position:] if is_tail else node.inputs[position : position + 1]
        if rule is None or not any(wanted(i) for i in inputs):
            continue
        answer = rule.function(F, *(known(name) for name in rule.reads))
        parts = answer if is_tail else (answer,)
        for offset, part in enumerate(parts):
            here = position + offset
            if part is None or not wanted(node.inputs[here]):
                continue
            found[here] = F.sum_to(part, shape=node.inputs[here].shape) if op.elementwise else part
    return found


def is_complex(node: Node) -> bool:
    """Whether a result of the node is complex."""
    return any(t.dtype.kind == "c" for t in node.types)


def _conjugated(F: Ops, read: Reader) -> Reader:
    """What a holomorphic operator's rules read when its values are complex.

    The rule says g * f'(x); the gradient, dL/d(re) + i dL/d(im), is g * conj(f'(x)).  f' is made of functions that commute with conj.
    """

    def conjugate(node: Node, position: int) -> Any:
        value = read(node, position)
        if value is None or F.type(value).dtype.kind != "c":
            return value
        return value.conjugate() if isinstance(value, complex) else F.conj(value)

    return conjugate


def _names(F: Ops, op: type[Op], node: Node, given: tuple[Any, ...], read: Reader) -> Callable[[str], Any]:
    """What the names that a rule reads stand for at this node."""
    grads = dict(zip(cotangent_names(op), given, strict=True))
    count, last = len(node.inputs), len(op.operands) - 1

    def value(name: str) -> Any:
        if name in grads:
            g = grads[name]
            return F.zeros(node.types[list(grads).index(name)]) if g is None else g
        if name in op.attrs:
            return node.attrs[op.attrs.index(name)]
        if name in op.outputs:
            return read(node, -1 - op.outputs.index(name))
        if name in op.operands:
            at = op.operands.index(name)
            return tuple(read(node, i) for i in range(at, count)) if op.variadic and at == last else read(node, at)
        if name.endswith("_types"):
            return tuple(input_type(node, i) for i in range(last, count))
        at = op.operands.index(name.removesuffix("_type"))
        return input_type(node, at) if node.inputs[at] is not None else None

    return value


def reachable(roots: Iterable[Node], targets: set[Node] | None = None) -> list[Node]:
    """The nodes that carry derivatives from the roots, latest first; with targets only those that lead to a target."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        node = stack.pop()
        if targets is not None and node in targets and node.op is None:
            continue
        for source in node.inputs:
            if type(source) is Node and source.needs and source not in seen:
                seen.add(source)
                stack.append(source)
    order = sorted(seen, key=BY_SEQUENCE)
    if targets is not None:
        useful = set(targets)
        order = [n for n in order if _leads(n, useful)]
    order.reverse()
    return order


def _leads(node: Node, useful: set[Node]) -> bool:
    if node in useful:
        return True
    for source in node.inputs:
        if type(source) is Node and source in useful:
            useful.add(node)
            return True
    return False


def sweep(
    F: Ops,
    order: Iterable[Node],
    cotangents: dict[Node, Any],
    read: Reader,
    *,
    arrived: Callable[[Node, Any], Any] | None = None,
    left: Callable[[Node, list[Any], Any], list[Any]] | None = None,
) -> dict[Node, Any]:
    """Walk `order` (latest first) and return the cotangent of every node in it that received one.

    `cotangents` holds those of the roots.  `arrived(node, g)` sees each complete cotangent before it is used and may replace it;
    `left(node, parts, g)` sees what the node's rules made of it for its inputs and may replace that.
    """
    order = list(order)
    inside = set(order)
    pending: dict[Node, Any] = dict(cotangents)
    done: dict[Node, Any] = {}

    def wanted(value: Any) -> bool:
        return type(value) is Node and value in inside

    for node in order:
        g = pending.pop(node, None)
        if g is None:
            continue
        if arrived is not None:
            g = arrived(node, g)
        done[node] = g
        if node.op is None:
            continue
        if node.op.name == "project":
            _collect_projection(F, node, g, pending)
            continue
        given = tuple(g) if node.op.several() else (g,)
        try:
            parts = cotangents_of_inputs(F, node, given, read, wanted)
        except RecursionError as error:
            raise DifferentiationError(explain(node.op.name, "its derivative rule recursed too deeply")) from error
        if left is not None:
            parts = left(node, parts, g)
        for source, part in zip(node.inputs, parts, strict=True):
            if part is not None:
                before = pending.get(source)
                pending[source] = part if before is None else F.add(before, part)
    return done


def _collect_projection(F: Ops, node: Node, g: Any, pending: dict[Node, Any]) -> None:
    """Put the cotangent of one result into the list that its operator's node waits for."""
    parent, index = node.inputs[0], node.attrs[0]
    parts = pending.setdefault(parent, [None] * len(parent.types))
    parts[index] = g if parts[index] is None else F.add(parts[index], g)
