"""What torch's backward steps show of the values they saved: `grad_fn._saved_self`, `grad_fn._raw_saved_self.register_hooks(...)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.autograd.saving import Entry, Hooks, Packed
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DifferentiationError, GraphFreedError, MissingAttributeError, explain
from tracegrad.ir.builder import projections
from tracegrad.ir.node import FREED, Node, input_type

PREFIX, RAW_PREFIX = "_saved_", "_raw_saved_"
SECOND = frozenset({"other", "mat2", "exponent", "vec", "tensor", "target"})  # torch's names of second operands


class SavedTensor:
    """One saved value of a step."""

    __slots__ = ("_node", "_position")

    def __init__(self, node: Node, position: int) -> None:
        self._node, self._position = node, position

    def register_hooks(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        """Keep what pack_hook makes of the value from now on, and give unpack_hook's answer to the derivative.  Raises RuntimeError the second time."""
        node, at = self._node, self._position
        value = _tensor(node, at)
        if isinstance(node.saved, Packed) or value is None:
            problem = "Calling register_hooks on a saved tensor whose hooks have already been set, or on one that is not saved, is not allowed"
            raise DifferentiationError(explain("register_hooks", problem))
        kept = Packed.__new__(Packed)
        kept.order = list(range(len(node.saved)))
        kept.entries = tuple(
            Entry(Hooks(pack_hook, unpack_hook), value, at >= len(_op(node).operands)) if i == at else v
            for i, v in enumerate(node.saved)
        )
        node.saved = kept


def saved_attribute(node: Node, name: str) -> Any:
    """The value of the attribute `_saved_<name>` or `_raw_saved_<name>` of a step.  Raises AttributeError when it has none, RuntimeError when it was freed."""
    raw = name.startswith(RAW_PREFIX)
    shown = name.removeprefix(RAW_PREFIX).removeprefix(PREFIX)
    op = node.op
    if op is None or not (raw or name.startswith(PREFIX)):
        raise MissingAttributeError(explain("grad_fn", f"this step has no attribute {name!r}"))
    if shown in ("self_sym_sizes", "self_sizes") and not raw and node.inputs:
        return tuple(input_type(node, 0).shape)
    if shown in op.attrs and not raw:
        return node.attrs[op.attrs.index(shown)]
    position = _position(node, shown)
    if position is None:
        raise MissingAttributeError(explain("grad_fn", f"this step has no attribute {name!r}"))
    if node.saved is FREED:
        problem = "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed)"
        raise GraphFreedError(
            explain("saved_tensors", problem, "Pass retain_graph=True to the first backward to keep them")
        )
    return SavedTensor(node, position) if raw else _tensor(node, position)


def _op(node: Node) -> Any:
    return node.op


def _position(node: Node, name: str) -> int | None:
    """Where the value stands in Node.saved; None when the rules of the operator do not read it."""
    op = _op(node)
    names = [*op.operands, *op.outputs]
    if name == "result":
        at = len(op.operands)
    elif name == "self":
        at = 0
    elif name in SECOND and len(op.operands) > 1:
        at = 1
    elif name in names:
        at = names.index(name)
    else:
        return None
    return at if at < len(op.saves) and op.saves[at] else None


def _tensor(node: Node, position: int) -> Any:
    op, saved = _op(node), node.saved
    value = None if saved is None else saved[position]
    if not isinstance(value, np.ndarray):
        return value
    if position >= len(op.operands):
        return handle(value, projections(node)[position - len(op.operands)] if op.several() else node)
    source = node.inputs[position]
    return handle(value, source if isinstance(source, Node) else None)


__all__ = ["SavedTensor", "saved_attribute"]
