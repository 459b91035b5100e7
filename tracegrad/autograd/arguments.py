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
            problem = f"expected Tensors, got {type(item).__name__}"
            raise (AssertionError if several else ArgumentError)(explain(operation, problem))
    return items


def targets_of(operation: str, value: Any) -> list[Tensor]:
    """The same for what is differentiated for.  Raises RuntimeError for an entry that is neither Tensor nor GradientEdge, TypeError for what is no list."""
    if not isinstance(value, (Tensor, GradientEdge)):
        if not isinstance(value, Iterable):
            raise ArgumentError(explain(operation, f"inputs: '{type(value).__name__}' object is not iterable"))
        value = list(value)
        for item in value:
            if not isinstance(item, (Tensor, GradientEdge)):
                problem = f"all inputs have to be Tensors or GradientEdges, but got {type(item).__name__}"
                raise DifferentiationError(explain(operation, problem))
    return tensors_of(operation, value)


def _stand_in(edge: GradientEdge) -> Tensor:
    """A Tensor without memory of its own at the end of an edge."""
    node = node_of_edge(edge)
    made = handle(np.broadcast_to(np.zeros((), node.dtype), node.shape), node)
    made.__dict__["_is_edge"] = True
    return made


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
    for g in listed:
        if g is not None and not isinstance(g, Tensor):
            problem = f"gradients can be either Tensors or None, but got {type(g).__name__}"
            raise ArgumentError(explain(operation, problem))
    if len(listed) < len(roots):  # torch does not look at further ones
        raise DifferentiationError(explain(operation, f"got {len(roots)} tensors and {len(listed)} gradients"))
    return [_one_gradient(operation, root, g) for root, g in zip(roots, listed, strict=False)]


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
        if root._data.dtype.kind not in "fV":
            raise DTypeError(
                explain(operation, f"grad can be implicitly created only for real scalar outputs but got {root.dtype}")
            )
        if local.trace is not None:
            return T.full(shape=root._data.shape, value=1, dtype=root._data.dtype)
        return handle(np.ones(root._data.shape, root._data.dtype), None)
    if g._data.shape != root._data.shape:
        raise ShapeError(
            explain(
                operation,
                "Mismatch in shape: the gradient has another shape than the value",
                gradient=Type(g._data.shape, g._data.dtype),
                value=Type(root._data.shape, root._data.dtype),
            )
        )
    return as_gradient(operation, root, g)


def as_gradient(operation: str, root: Tensor, g: Tensor) -> Tensor:
    """g in the dtype of the value whose cotangent it is.  Raises RuntimeError where only one of the two is complex."""
    if g._data.dtype == root._data.dtype:
        return g
    if (g._data.dtype.kind == "c") != (root._data.dtype.kind == "c"):
        problem = (
            "For complex Tensors, both grad_output and output are required to have the same dtype. "
            f"Mismatch in dtype: grad_output has a dtype of {g.dtype} and output has a dtype of {root.dtype}"
        )
        raise DTypeError(explain(operation, problem))
    made: Tensor = T.cast(g, dtype=root._data.dtype)
    return made


__all__ = ["as_gradient", "root_gradients", "root_node", "target_nodes", "targets_of", "tensors_of"]
