"""batch: every value gains a leading axis, so that one run does the work of many (vmap as a pass)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.errors import PassError, explain
from tracegrad.ir.builder import Builder
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.types import Type
from tracegrad.passes.rewrite import describe, remake
from tracegrad.slots import slots


def batch_graph(graph: Graph, batched: Sequence[bool], size: int, *, spread: bool = True) -> Graph:
    """The graph that runs `size` independent copies of `graph` at once.

    batched   one bool per leaf (inputs, then captures; missing ones are False): whether it gets a leading
              axis of `size`
    spread    repeat outputs that depend on no batched leaf, so that every output has the leading axis;
              `batched_outputs` tells which do

    Raises PassError naming the operator and the user's line where an operator has no batching rule.
    """
    return _batch(graph, batched, size, spread)[0]


def batched_outputs(graph: Graph, batched: Sequence[bool], size: int) -> tuple[bool, ...]:
    """For each output whether it depends on a batched leaf."""
    return _batch(graph, batched, size, False)[1]


def _batch(graph: Graph, batched: Sequence[bool], size: int, spread: bool) -> tuple[Graph, tuple[bool, ...]]:
    F = Builder()
    flags = dict(zip(graph.leaves, (*batched, *(False,) * (len(graph.leaves) - len(batched))), strict=True))
    leaves = {
        leaf: _batched_leaf(leaf, size) if flags[leaf] else make_leaf(leaf.type, extra=leaf.extra)
        for leaf in graph.leaves
    }
    values: dict[Node, Any] = dict(leaves)
    carries: dict[Node, bool] = dict(flags)
    for node in graph.nodes:
        F.location = node.extra
        mask = tuple(isinstance(i, Node) and carries[i] for i in node.inputs)
        inputs = tuple(values[i] if isinstance(i, Node) else i for i in node.inputs)
        carries[node] = any(mask)
        values[node] = batch_node(F, node, size, mask, inputs)
    for old, new in graph.effects:
        if carries[new] and not carries[old]:
            raise PassError(explain("batch", f"a batched value cannot be written to {old.type}, which is not batched"))
    outputs, out_flags = [], []
    for output in graph.outputs:
        has = isinstance(output, Node) and carries[output]
        value = values[output] if isinstance(output, Node) else output
        out_flags.append(has)
        outputs.append(spread_out(F, value, size) if spread and not has and isinstance(output, Node) else value)
    effects = [
        (leaves[old], values[new] if carries[new] == carries[old] else spread_out(F, values[new], size))
        for old, new in graph.effects
    ]
    captures = [leaves[c] for c in graph.captures]
    return Graph([leaves[i] for i in graph.inputs], outputs, captures, effects, graph.names), tuple(out_flags)


def _batched_leaf(leaf: Node, size: int) -> Node:
    return make_leaf(Type((size, *leaf.shape), leaf.dtype), extra=leaf.extra)


def spread_out(F: Builder, value: Node, size: int) -> Any:
    """An unbatched value repeated along a new leading axis."""
    return F.broadcast_to(value, shape=(size, *value.shape))


def batch_node(F: Builder, node: Node, size: int, mask: tuple[bool, ...], inputs: tuple[Any, ...]) -> Any:
    """The value of `node` for batched inputs where `mask` says so: as before without any, else with a
    leading axis.

    For an operator with several results: its node, or the tuple of its batched results.
    """
    op = node.op
    assert op is not None
    if op.name == "project" and isinstance(inputs[0], tuple):
        return inputs[0][node.attrs[0]]
    if not any(mask):
        return _as_large(remake(op, inputs, node.attrs, node.extra), node)
    if op.batch is not None:
        found = _as_large(op.batch(F, size, mask, *op.group(inputs), *node.attrs), node, (size,))
    elif op.elementwise:
        aligned = align(F, mask, inputs, node)
        found = getattr(F, op.name)(*aligned, **dict(zip(op.attrs, node.attrs, strict=True)))
    elif op.decompose is not None:
        return _opened(F, node, size, mask, inputs)
    else:
        raise PassError(
            explain(
                "batch", f"the operator of {describe(node)} has no batching rule", "Write `batch` in its definition"
            )
        )
    check_batched(node, size, found)
    return tuple(found) if op.several() else found


def _as_large(made: Any, node: Node, lead: tuple[int, ...] = ()) -> Any:
    """A value whose size depends on values, which the type rule does not know, as large as it is in this program."""
    if node.op is not None and node.op.value_dependent and isinstance(made, Node) and not node.op.several():
        made.shape = (*lead, *node.shape)
    return made


def align(F: Builder, mask: tuple[bool, ...], inputs: tuple[Any, ...], node: Node) -> list[Any]:
    """Operands such that the batch axis of each batched one is to the left of every other axis."""
    rank = len(node.shape)
    out = []
    for value, has in zip(inputs, mask, strict=True):
        if has and len(value.shape) - 1 < rank:
            shape = tuple(value.shape)
            value = F.reshape(value, shape=(shape[0], *(1,) * (rank - len(shape) + 1), *shape[1:]))
        out.append(value)
    return out


def check_batched(node: Node, size: int, found: Any) -> None:
    """A batching rule must give every result with one more axis in front.  Raises PassError naming the
    operator."""
    assert node.op is not None
    for result, expected in zip(found if node.op.several() else (found,), node.types, strict=True):
        if result.shape != (size, *expected.shape) or result.dtype != expected.dtype:
            wanted = Type((size, *expected.shape), expected.dtype)
            raise PassError(explain("batch", f"the batching rule of {describe(node)} gave {result.type}, not {wanted}"))


def _opened(F: Builder, node: Node, size: int, mask: tuple[bool, ...], inputs: tuple[Any, ...]) -> Any:
    """A composite without a rule of its own, batched through what it is made of."""
    op = node.op
    assert op is not None
    types = [F.type(i) if isinstance(i, Node) else None for i in node.inputs]
    stand_ins = [make_leaf(t) if t is not None else i for t, i in zip(types, node.inputs, strict=True)]
    result = op.decompose(F, *op.group(tuple(stand_ins)), **dict(zip(op.attrs, node.attrs, strict=True)))
    results = tuple(result) if op.several() else (result,)
    leaves = [s for s in stand_ins if isinstance(s, Node)]
    inner = Graph(leaves, results)
    flags = [m for m, s in zip(mask, stand_ins, strict=True) if isinstance(s, Node)]
    values = dict(zip(inner.leaves, (i for i in inputs if isinstance(i, Node)), strict=True))
    carries = dict(zip(inner.leaves, flags, strict=True))
    for step in inner.nodes:
        here = tuple(isinstance(i, Node) and carries[i] for i in step.inputs)
        carries[step] = any(here)
        values[step] = batch_node(
            F, step, size, here, tuple(values[i] if isinstance(i, Node) else i for i in step.inputs)
        )
    answers = tuple(values[r] if carries[r] else spread_out(F, values[r], size) for r in results)
    return answers if op.several() else answers[0]


slots.batch_graph = batch_graph
