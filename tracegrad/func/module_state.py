"""stack_module_state: the parameters of several modules of one kind, for vmap over them; functionalize."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, DataError, explain


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(parameters, buffers) by dotted name, each stacked along a new first axis; new leaves that require grad where the modules' parameters do.

    Raises RuntimeError for no models, ValueError for models of different classes.
    """
    if not models:
        raise DataError(explain("stack_module_state", "Expected at least one model, got 0"))
    if any(type(m) is not type(models[0]) for m in models):
        raise ArgumentValueError(explain("stack_module_state", "Expected all models to be of the same class"))
    parameters = _stacked([dict(m.named_parameters()) for m in models])
    return parameters, _stacked([dict(m.named_buffers()) for m in models])


def _stacked(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    found = {}
    for name, first in states[0].items():
        made = T.detach(T.stack(*(s[name] for s in states), dim=0))
        found[name] = made.requires_grad_() if first.requires_grad else made
    return found


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """The function itself: every recording here is free of mutations already.  Raises RuntimeError for an unknown `remove`."""
    if remove not in ("mutations", "mutations_and_views"):
        raise DataError(
            explain("functionalize", f"remove must be 'mutations' or 'mutations_and_views', got {remove!r}")
        )
    return func


__all__ = ["functionalize", "stack_module_state"]
