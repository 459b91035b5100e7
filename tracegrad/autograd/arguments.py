"""What the callers of backward and grad give: roots, their gradients, targets; checked, with torch's errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tracegrad.autograd.grad_fn import GradientEdge, node_of_edge
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DifferentiationError, DTypeError, ShapeError, explain
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type


def tensors_of(operation: str, value: Any) -> list[Tensor]:
    """One Tensor (or GradientEdge) or several as a list of Tensors.  Raises TypeError for anything else."""
    if isinstance(value, Tensor):
        return [value]
    several = isinstance(value, Iterable) and not isinstance(value, GradientEdge)
    items = [_stand_in(v) if isinstance(v, GradientEdge) else v for v in (value if several else [value])]
    for item in items:
        if not isinstance(item, Tensor):
            raise ArgumentError(explain(operation, f"expected Tensors, got {type(item).__name__}"))
    return items


def _stand_in(edge: GradientEdge) -> Tensor:
    """A Tensor without memory of its own at the end of an edge."""
    node = node_of_edge(edge)
    return handle(np.broadcast_to(np.zeros((), node.dtype), node.shape), node)


def root_node(operation: str, root: Tensor) -> Node:
    """The node of a value to differentiate.  Raises RuntimeError when it has no history."""
    node = root._node
    if node is None or not node.needs:
        raise DifferentiationError(
            explain(
                operation,
                "element 0 of tensors does not require grad and does not have a grad_fn",
                "Make an input with requires_grad=True, and do not compute under no_grad()",
            )
        )
    return node


def target_nodes(operation: str, inputs: list[Tensor]) -> set[Node]:
    """The nodes of the values to differentiate for.  Raises RuntimeError for one that does not require grad."""
    nodes = set()
    for i, t in enumerate(inputs):
        if t._node is None or not t._node.needs:
            raise DifferentiationError(
                explain(operation, f"One of the differentiated Tensors does not require grad: inputs[{i}]")
            )
        nodes.add(t._node)
    return nodes


def root_gradients(operation: str, roots: list[Tensor], given: Any, create_graph: bool) -> list[Tensor]:
    """The cotangents of the roots: ones for scalars, else what the caller gave, checked."""
    listed = [given] if given is None or isinstance(given, Tensor) else list(given)
    if given is None:
        listed = [None] * len(roots)
    if len(listed) != len(roots):
        raise DifferentiationError(explain(operation, f"got {len(roots)} tensors and {len(listed)} gradients"))
    return [_one_gradient(operation, root, g) for root, g in zip(roots, listed, strict=True)]


def _one_gradient(operation: str, root: Tensor, g: Any) -> Tensor:
    if g is None:
        root_node(operation, root)
        if root._data.size != 1:
            raise DifferentiationError(
                explain(
                    operation,
                    "grad can be implicitly created only for scalar outputs",
                    "Pass gradient=, a Tensor of the same shape, or reduce the value first",
                    value=Type(root._data.shape, root._data.dtype),
                )
            )
        if root._data.dtype.kind not in "f":
            raise DTypeError(
                explain(operation, f"grad can be implicitly created only for real scalar outputs but got {root.dtype}")
            )
        if local.trace is not None:
            return T.full(shape=root._data.shape, value=1, dtype=root._data.dtype)
        return handle(np.ones(root._data.shape, root._data.dtype), None)
    if not isinstance(g, Tensor):
        raise ArgumentError(explain(operation, f"gradients can be either Tensors or None, but got {type(g).__name__}"))
    if g._data.shape != root._data.shape:
        raise ShapeError(
            explain(
                operation,
                "Mismatch in shape: the gradient has another shape than the value",
                gradient=Type(g._data.shape, g._data.dtype),
                value=Type(root._data.shape, root._data.dtype),
            )
        )
    return g if g._data.dtype == root._data.dtype else T.cast(g, dtype=root._data.dtype)


__all__ = ["root_gradients", "root_node", "target_nodes", "tensors_of"]
