"""fold: what depends on constants alone is computed now, by the operators' own NumPy kernels.

The IR's only array constant is `full`, so a result is folded when all its elements are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import TracegradError
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.raw import compute
from tracegrad.ir.types import Type, size_of
from tracegrad.passes.rewrite import by_signature, remake, transform

LARGEST = 4096  # elements of a result that is computed to see whether it is uniform


def fold(graph: Graph) -> Graph:
    """The graph with each operator over constants replaced by its value, where that is one number in every
    element."""
    constant = REGISTRY["full"]
    near = {node for of, nodes in by_signature(graph).items() if constant in of or of[0].variadic for node in nodes}
    return transform(graph, fold_node, near) if near else graph


def fold_node(node: Node) -> Node:
    """`node`, or the `full` that it is equal to."""
    op = node.op
    assert op is not None
    if not op.pure or op.several() or op.value_dependent or op.name in ("full", "project") or not node.inputs:
        return node
    sources = [i for i in node.inputs if isinstance(i, Node)]
    if not sources or any(s.op is None or s.op.name != "full" for s in sources):
        return node
    small = max(size_of(t.shape) for t in (node.type, *(s.type for s in sources))) <= LARGEST
    if not small and not op.elementwise:
        return node
    if size_of(node.shape) == 0:
        return full(node.type, 0)
    shapes = [() if op.elementwise else s.shape for s in sources]
    values = iter([np.full(shape, s.attrs[1], s.dtype) for shape, s in zip(shapes, sources, strict=True)])
    try:
        result = compute(op, tuple(next(values) if isinstance(i, Node) else i for i in node.inputs), node.attrs)
    except (TracegradError, ArithmeticError, ValueError, TypeError):
        return node  # the error is the running program's to raise
    return uniform(np.asarray(result), node)


def uniform(result: np.ndarray[Any, Any], node: Node) -> Node:
    """A `full` of node's type when all elements of `result` have the same bits, else `node`."""
    if result.dtype != node.dtype or result.size == 0:
        return node
    first = result.reshape(-1)[:1]
    if result.tobytes() != first.tobytes() * result.size:
        return node
    return full(node.type, first.item(), node.extra)


def full(of: Type, value: Any, location: Any = None) -> Node:
    """A constant of a type."""
    return remake(REGISTRY["full"], (), (of.shape, value, of.dtype), location)
