"""Hooks on tensors: what runs when a gradient arrives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DifferentiationError, explain
from tracegrad.ir.node import Node
from tracegrad.slots import slots

_identities = count()


class Extra:
    """What hangs on a node that has hooks or retains its gradient; nodes without it cost nothing."""

    __slots__ = ("after", "hooks", "retained", "tensor")

    def __init__(self, tensor: Callable[[], Tensor | None]) -> None:
        self.tensor = tensor  # weak reference to a leaf's Tensor
        self.hooks: dict[int, Callable[[Tensor], Tensor | None]] = {}
        self.after: dict[int, Callable[[Tensor], None]] = {}
        self.retained: Callable[[], Tensor | None] | None = None

    def accumulated(self, tensor: Tensor) -> None:
        """Run the hooks that wait for .grad to be complete."""
        for hook in list(self.after.values()):
            hook(tensor)


class RemovableHandle:
    """Removes a hook: call `remove()`, or use it as a context manager."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self.id = next(_identities)
        self._hooks = hooks

    def remove(self) -> None:
        """Remove the hook; does nothing the second time."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.remove()


def extra_of(node: Node) -> Extra:
    """The Extra of a node, made on first use."""
    if type(node.extra) is not Extra:
        node.extra = Extra(node.extra if callable(node.extra) else _no_tensor)
    extra: Extra = node.extra
    return extra


def _no_tensor() -> None:
    return None


def register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook(grad)` whenever a gradient for `tensor` has been computed; a Tensor that it returns replaces the gradient."""
    node = tensor._node
    if node is None or not node.needs:
        raise DifferentiationError(explain("register_hook", "cannot register a hook on a tensor that doesn't require gradient"))
    hooks = extra_of(node).hooks
    removable = RemovableHandle(hooks)
    hooks[removable.id] = hook
    return removable


def retain_grad(tensor: Tensor) -> None:
    """Keep the gradient of this non-leaf in `.grad`; does nothing on a leaf."""
    node = tensor._node
    if node is None or not node.needs:
        raise DifferentiationError(explain("retain_grad", "can't retain_grad on Tensor that has requires_grad=False"))
    if node.op is not None:
        extra_of(node).retained = weakref.ref(tensor)


def run_hooks(node: Node, g: Any) -> Any:
    """Pass a complete cotangent (array or Tensor) through the hooks of its node."""
    extra: Extra = node.extra
    for hook in list(extra.hooks.values()):
        shown = g if isinstance(g, Tensor) else handle(np.asarray(g), None)
        answer = hook(shown)
        if answer is None:
            continue
        if not isinstance(answer, Tensor):
            raise ArgumentError(explain("hook", f"must return None or a Tensor, got {type(answer).__name__}"))
        if answer._data.shape != shown._data.shape:
            raise DifferentiationError(explain("hook", f"has changed the size of value: {list(shown._data.shape)} to {list(answer._data.shape)}"))
        g = answer if isinstance(g, Tensor) else answer._data
    if extra.retained is not None and (tensor := extra.retained()) is not None:
        kept = g if isinstance(g, Tensor) else handle(np.array(g), None)
        tensor._grad = kept if tensor.grad is None else handle(tensor.grad._data + kept._data, kept._node)
    return g


slots.register_hook = register_hook
slots.retain_grad = retain_grad
