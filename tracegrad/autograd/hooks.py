"""Hooks on tensors: what runs when a gradient arrives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DifferentiationError, explain
from tracegrad.ir.node import BY_RULES, Node
from tracegrad.slots import slots

_identities = count()
hooked_leaves: set[int] = (
    set()
)  # not empty once a leaf has had a hook: from then on the order in which leaves are reached shows
sweeps_with_hooks: set[int] = (
    set()
)  # the hooks that ask which backward runs them: while there are any, backward says it


class Extra:
    """What hangs on a node that has hooks or retains its gradient; nodes without it cost nothing."""

    __slots__ = ("after", "after_step", "before_step", "by_rules", "hooks", "metadata", "retained", "tensor")

    def __init__(self, tensor: Callable[[], Tensor | None]) -> None:
        config.UserCode.possible = True
        self.tensor = tensor  # weak reference to a leaf's Tensor
        self.hooks: dict[int, Callable[[Tensor], Tensor | None]] = {}
        self.after: dict[int, Callable[[Tensor], None]] = {}
        self.retained: Callable[[], Tensor | None] | None = None
        self.before_step: dict[int, Callable[..., Any]] = {}
        self.after_step: dict[int, Callable[..., Any]] = {}
        self.metadata: dict[str, Any] | None = None
        self.by_rules = False  # the node is complex (see ir/node.ByRules)

    def accumulated(self, tensor: Tensor, recorded: bool) -> None:
        """Run the hooks that wait for .grad to be complete; what they compute is recorded if the backward is."""
        for hook in list(self.after.values()):
            _called_in_mode(recorded, hook, tensor)


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
        by_rules = node.extra is BY_RULES
        node.extra = Extra(node.extra if callable(node.extra) else _no_tensor)
        node.extra.by_rules = by_rules
    extra: Extra = node.extra
    return extra


def leaves_when_complete(order: list[Node]) -> list[Node]:
    """The order of a sweep with each leaf right behind the last step that adds to it, as torch runs its hooks, and not at the end."""
    last: dict[Node, int] = {}
    for at, node in enumerate(order):
        for source in node.inputs:
            if type(source) is Node and source.op is None:
                last[source] = at
    inside = set(order)
    found: list[Node] = []
    for at, node in enumerate(order):
        if node not in last:
            found.append(node)
        found += [i for i in dict.fromkeys(node.inputs) if type(i) is Node and last.get(i) == at and i in inside]
    return found


def _no_tensor() -> None:
    return None


def register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook(grad)` whenever a gradient for `tensor` has been computed; a Tensor that it returns replaces the gradient."""
    node = tensor._node
    if node is None or not node.needs:
        raise DifferentiationError(
            explain("register_hook", "cannot register a hook on a tensor that doesn't require gradient")
        )
    hooks = extra_of(node).hooks
    if node.op is None:
        hooked_leaves.add(0)
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


def register_post_accumulate_grad_hook(tensor: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call `hook(tensor)` whenever a backward has added to the `.grad` of this leaf."""
    node = tensor._node
    if node is None or not node.needs:
        raise DifferentiationError(
            explain(
                "register_post_accumulate_grad_hook", "cannot register a hook on a tensor that doesn't require gradient"
            )
        )
    if node.op is not None:
        raise DifferentiationError(
            explain("register_post_accumulate_grad_hook", "cannot be registered on non-leaf tensors")
        )
    hooks = extra_of(node).after
    hooked_leaves.add(0)
    removable = RemovableHandle(hooks)
    hooks[removable.id] = hook
    return removable


def run_hooks(node: Node, g: Any) -> Any:
    """Pass a complete cotangent (array or Tensor; a list of them for an operator with several results) through the hooks of its node."""
    extra: Extra = node.extra
    for hook in list(extra.hooks.values()):
        shown = _shown(g)
        answer = hook(shown) if isinstance(g, Tensor) else _called_in_mode(False, hook, shown)
        if answer is not None:
            g = _replacement(hook, shown, answer, isinstance(g, Tensor))
    if extra.before_step:
        g = _run_before(extra, node, g)
    if extra.retained is not None and (tensor := extra.retained()) is not None:
        kept = g if isinstance(g, Tensor) else handle(np.array(g), None)
        before = getattr(tensor, "_grad", None)
        tensor._grad = kept if before is None else T.add(before, kept)
    return g


def run_after_step(node: Node, parts: list[Any], g: Any) -> list[Any]:
    """Show the gradients that a step has computed, and those it was given, to its hooks; returns the gradients that hold afterwards."""
    extra: Extra = node.extra
    results = g if isinstance(g, list) else [g]
    given = tuple(None if one is None else _shown(one) for one in results)
    as_tensors = any(isinstance(one, Tensor) for one in results)
    for hook in list(extra.after_step.values()):
        shown = tuple(None if part is None else _shown(part) for part in parts)
        answer = hook(shown, given) if as_tensors else _called_in_mode(False, hook, shown, given)
        if answer is None:
            continue
        answer = answer if isinstance(answer, tuple) else (answer,)
        if len(answer) != len(parts):
            raise DifferentiationError(
                explain(
                    "hook",
                    f"'{_name(hook)}' has returned an incorrect number of values (got {len(answer)}, but expected {len(parts)})",
                )
            )
        parts = [_replacement(hook, old, new, as_tensors) for old, new in zip(shown, answer, strict=True)]
    return parts


def _run_before(extra: Extra, node: Node, g: Any) -> Any:
    several = isinstance(g, list)
    parts = g if several else [g]
    as_tensors = any(isinstance(part, Tensor) for part in parts)
    for hook in list(extra.before_step.values()):
        shown = tuple(None if part is None else _shown(part) for part in parts)
        answer = hook(shown) if as_tensors else _called_in_mode(False, hook, shown)
        if answer is not None:
            answer = answer if isinstance(answer, tuple) else (answer,)
            parts = [_replacement(hook, old, new, as_tensors) for old, new in zip(shown, answer, strict=True)]
    return list(parts) if several else parts[0]


def _called_in_mode(recorded: bool, hook: Callable[..., Any], *shown: Any) -> Any:
    """The hook's answer; what hooks compute is recorded if the backward is."""
    before = config.set_grad_enabled(recorded)
    try:
        return hook(*shown)
    finally:
        config.set_grad_enabled(before)


def _shown(g: Any) -> Tensor:
    return g if isinstance(g, Tensor) else handle(np.asarray(g), None)


def _replacement(hook: Any, shown: Tensor | None, answer: Any, as_tensor: bool) -> Any:
    """What a hook's answer puts in the place of the cotangent that it was shown: checked, as a Tensor or as an array."""
    if answer is None:
        return None
    if not isinstance(answer, Tensor):
        raise ArgumentError(explain("hook", f"expected Variable, but hook returned '{type(answer).__name__}'"))
    if shown is not None:
        have, new = shown._data, answer._data
        if new.shape != have.shape:
            raise DifferentiationError(
                explain(
                    "hook", f"'{_name(hook)}' has changed the size of value: {list(have.shape)} to {list(new.shape)}"
                )
            )
        if new.dtype != have.dtype:
            raise DifferentiationError(
                explain("hook", f"'{_name(hook)}' has changed the type of value", was=shown.dtype, got=answer.dtype)
            )
    return answer if as_tensor else answer._data


def _name(hook: Any) -> str:
    return getattr(hook, "__name__", type(hook).__name__)


slots.register_hook = register_hook
slots.retain_grad = retain_grad
Tensor.register_post_accumulate_grad_hook = register_post_accumulate_grad_hook  # type: ignore[attr-defined]
