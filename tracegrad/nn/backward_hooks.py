"""Hooks around a module's backward: identities before its inputs and behind its results, whose steps call the hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.autograd.function import Function
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DifferentiationError, explain

Gradients = tuple[Tensor | None, ...]


class BackwardHookFunction(Function):
    """The arguments themselves: a step of the graph of its own.  Shapes: unchanged."""

    @staticmethod
    def forward(ctx: Any, *values: Tensor) -> Any:
        """The values."""
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(v for v in values if not v.requires_grad))
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:  # noqa: ARG004  (Function's form)
        """The gradients."""
        return gradients


class BackwardHooks:
    """One call of a module with backward hooks.  `before` get the gradients of the results, `after` those of the inputs as well."""

    def __init__(self, module: Any, before: list[Callable[..., Any]], after: list[Callable[..., Any]]) -> None:
        self.module, self.before, self.after = module, before, after
        self.result_gradients: Gradients | None = None
        self.input_positions: list[int] | None = None
        self.input_count = 0
        self.result_positions: list[int] = []
        self.result_count = 0

    def inputs(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs behind an identity; as they are if none of them requires grad."""
        self.input_count = len(values)
        made, positions, followed = _behind_identity(values, self._input_gradients)
        if followed:
            self.input_positions = positions
        return made

    def results(self, value: Any) -> Any:
        """The result (a Tensor or a tuple) behind an identity."""
        single = isinstance(value, Tensor)
        values = (value,) if single else value
        if not isinstance(values, tuple):
            return value
        made, self.result_positions, _ = _behind_identity(values, self._result_gradients)
        self.result_count = len(values)
        return made[0] if single else made

    def _result_gradients(self, gradients: Gradients) -> Gradients | None:
        full = _spread(gradients, self.result_positions, self.result_count)
        for hook in self.before:
            full = _replaced("register_full_backward_pre_hook", hook(self.module, full), full)
        self.result_gradients = full
        if self.input_positions is None:
            empty = (None,) * self.input_count
            for hook in self.after:
                answer = hook(self.module, empty, full)
                if answer is not None and not (isinstance(answer, tuple) and all(g is None for g in answer)):
                    problem = (
                        "hooks where no input requires gradient should always return None or None for all gradients"
                    )
                    raise DifferentiationError(explain("register_full_backward_hook", problem))
        return tuple(full[i] for i in self.result_positions) if self.before else None

    def _input_gradients(self, gradients: Gradients) -> Gradients:
        if self.result_gradients is None:  # a second derivative reaches the inputs past the results
            return gradients
        positions = self.input_positions or []
        full = _spread(gradients, positions, self.input_count)
        for hook in self.after:
            full = _replaced("register_full_backward_hook", hook(self.module, full, self.result_gradients), full)
        self.result_gradients = None
        return tuple(full[i] for i in positions)


def _behind_identity(values: tuple[Any, ...], hook: Callable[..., Any]) -> tuple[tuple[Any, ...], list[int], bool]:
    """The values with their Tensors behind one identity whose step calls the hook before it, where those are, and whether there is one: not if none requires grad."""
    positions = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
    if not any(values[i].requires_grad for i in positions):
        return values, positions, False
    recorded = local.trace is not None and local.trace.decides
    identity = _recorded(hook) if recorded else BackwardHookFunction
    behind = identity.apply(*(values[i] for i in positions))
    changed = list(values)
    for i, v in zip(positions, behind, strict=True):
        changed[i] = v
    step = next((v.grad_fn for v in behind if v.grad_fn is not None), None)
    if step is not None and not recorded:
        step.register_prehook(hook)
    return tuple(changed), positions, step is not None


def _recorded(hook: Callable[..., Any]) -> type[Function]:
    """The identity for recordings, in which the step itself calls the hook."""

    class Recorded(BackwardHookFunction):
        """The arguments themselves.  Shapes: unchanged."""

        late, step_name = True, "BackwardHookFunctionBackward"

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:  # noqa: ARG004  (Function's form)
            """What the hook makes of the gradients."""
            answer = hook(gradients)
            return gradients if answer is None else answer

    return Recorded


def _spread(gradients: Gradients, positions: list[int], count: int) -> Gradients:
    full: list[Tensor | None] = [None] * count
    for i, g in zip(positions, gradients, strict=True):
        full[i] = g
    return tuple(full)


def _replaced(name: str, answer: Any, before: Gradients) -> Gradients:
    """What a hook answered in place of the gradients; None leaves them."""
    if answer is None:
        return before
    given = answer if isinstance(answer, tuple) else (answer,)
    if len(given) != len(before):
        raise DifferentiationError(
            explain(
                name, f"Backward hook returned an invalid number of grad, got {len(given)}, but expected {len(before)}"
            )
        )
    for g in given:
        if g is not None and not isinstance(g, Tensor):
            raise ArgumentError(explain(name, f"hooks must return Tensors or None, got {type(g).__name__}"))
    return given


__all__ = ["BackwardHookFunction", "BackwardHooks"]
