"""Hooks on tensors: what runs when a gradient arrives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.dtypes import TorchClass
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
            answer = _called_in_mode(recorded, hook, tensor)
            if answer is None or answer is tensor:
                continue
            if not isinstance(answer, Tensor):
                problem = f"expected Variable, but hook returned '{type(answer).__name__}'"
                raise ArgumentError(explain("register_post_accumulate_grad_hook", problem))
            problem = "Tensor post accumulate grad hooks should return None."
            raise DifferentiationError(explain("register_post_accumulate_grad_hook", problem))


class RemovableHandle(metaclass=TorchClass):
    """Removes a hook: call `remove()`, or use it as a context manager."""

    _shown = "torch.utils.hooks.RemovableHandle"

    def __init__(self, hooks: dict[int, Any]) -> None:
        self.id = next(_identities)
        self._hooks = hooks

    def remove(self) -> None:
        """Remove the hook; does nothing the second time."""
        self._hooks.pop(self.id, None)

    def __repr__(self) -> str:
        return f"<{self._shown} object at {id(self):#x}>"

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.remove()


def refuse_recorded(reason: str) -> None:
    """Have a compiled function that is being recorded run uncompiled."""
    trace = config.local.trace
    while trace is not None:
        if trace.decides:
            trace.refuse(reason)
        trace = trace.parent


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
        inputs = node.inputs
        if node.op is not None and node.op.name == "linear" and inputs[-1] is not None:
            x, weight, bias = inputs  # torch transposes the weight, and makes a matrix of x, in steps of their own
            inputs = (bias, x, weight) if len(node.shape) == 2 else (bias, weight, x)
        found += [i for i in dict.fromkeys(inputs) if type(i) is Node and last.get(i) == at and i in inside]
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
    hooks = config.local.trace.hook(tensor, hook) if config.local.trace is not None else None
    if hooks is None:
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
    """Pass a complete cotangent (array or Tensor; a list of them for an operator with several results) through the hooks of its value."""
    extra: Extra = node.extra
    for hook in list(extra.hooks.values()):
        shown = _shown(g)
        answer = hook(shown) if isinstance(g, Tensor) else _called_in_mode(False, hook, shown)
        if answer is not None:
            g = _replacement(hook, shown, answer, isinstance(g, Tensor))
    if extra.retained is not None and (tensor := extra.retained()) is not None:
        kept = g if isinstance(g, Tensor) else handle(np.array(g), None)
        if config.local.trace is not None:
            config.local.trace.note_grad(tensor)
        before = getattr(tensor, "_grad", None)
        tensor._grad = kept if before is None else T.add(before, kept)
    return g


def run_before_step(node: Node, g: Any) -> Any:
    """The cotangent that a step is given, passed through the hooks that run before it; None when they took it away."""
    at, results = _differentiable_results(node, g)
    as_tensors = any(isinstance(part, Tensor) for part in results)
    for hook in list(node.extra.before_step.values()):
        shown = tuple(None if part is None else _shown(part) for part in results)
        answer = hook(shown) if as_tensors else _called_in_mode(False, hook, shown)
        if answer is not None:
            results = _replaced(hook, shown, answer, as_tensors)
    if not isinstance(g, list):
        return results[0]
    parts = list(g)
    for i, part in zip(at, results, strict=True):
        parts[i] = part
    return None if all(part is None for part in parts) else parts


def run_after_step(node: Node, parts: list[Any], g: Any) -> list[Any]:
    """Show the gradients that a step has computed, and those it was given, to its hooks; returns the gradients that hold afterwards."""
    extra: Extra = node.extra
    every = parts
    at = getattr(node.op, "edges", None)  # an autograd.Function's step has more inputs than those that torch's has
    if at is not None:
        at = list(at(node))
        parts = [every[i] for i in at]
    results = _differentiable_results(node, g)[1]
    given = tuple(None if one is None else _shown(one) for one in results)
    as_tensors = any(isinstance(one, Tensor) for one in results)
    for hook in list(extra.after_step.values()):
        shown = tuple(None if part is None else _shown(part) for part in parts)
        answer = hook(shown, given) if as_tensors else _called_in_mode(False, hook, shown, given)
        if answer is not None:
            parts = _replaced(hook, shown, answer, as_tensors)
    if at is None:
        return parts
    for i, part in zip(at, parts, strict=True):
        every[i] = part
    return every


def run_last_step(node: Node, g: Any) -> None:
    """The hooks of the step of a non-leaf in `backward(inputs=...)`: torch runs it, but its gradients are wanted by nobody."""
    if node.extra.before_step:
        g = run_before_step(node, g)
    if node.extra.after_step and g is not None:
        run_after_step(node, [None] * len(node.inputs), g)


def _differentiable_results(node: Node, g: Any) -> tuple[list[int], list[Any]]:
    """The cotangents of those results of a step that have one in torch, and their positions."""
    if not isinstance(g, list):
        return [0], [g]
    op = node.op
    assert op is not None
    dead = [] if hasattr(op, "vjp") else [op.outputs.index(name) for name in op.nondiff_outputs]
    at = [i for i in range(len(g)) if i not in dead]
    return at, [g[i] for i in at]


def _replaced(hook: Any, shown: tuple[Tensor | None, ...], answer: Any, as_tensors: bool) -> list[Any]:
    """What a step's hook puts in the place of the cotangents that it was shown.  Raises TypeError for anything but a tuple, RuntimeError for another length."""
    if not isinstance(answer, tuple):
        problem = f"expected tuple, but hook returned '{type(answer).__name__}'"
        raise ArgumentError(explain("hook", problem))
    if len(answer) != len(shown):
        counts = f"got {len(answer)}, but expected {len(shown)}"
        problem = f"hook '{_name(hook)}' has returned an incorrect number of values ({counts})"
        raise DifferentiationError(explain("hook", problem))
    return [_replacement(hook, old, new, as_tensors) for old, new in zip(shown, answer, strict=True)]


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


def _backward_hooks(tensor: Tensor) -> dict[int, Any] | None:
    """The hooks of this tensor by their handles' ids; None when it never had one."""
    extra = None if tensor._node is None else tensor._node.extra
    return extra.hooks or None if type(extra) is Extra else None


Tensor._backward_hooks = property(_backward_hooks)  # type: ignore[attr-defined]
slots.register_hook = register_hook
slots.retain_grad = retain_grad
Tensor.register_post_accumulate_grad_hook = register_post_accumulate_grad_hook  # type: ignore[attr-defined]
