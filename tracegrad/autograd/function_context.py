"""What an autograd.Function's static methods get as `ctx`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DifferentiationError, explain


class FunctionCtx:
    """What forward leaves for backward: saved tensors, marks, and any attributes that the user sets."""

    internal = frozenset({"_to_save", "_to_save_forward", "_non_differentiable", "_dirty", "_unpack"})

    def __init__(self, needs_input_grad: tuple[bool, ...] | None = None) -> None:
        self.needs_input_grad = needs_input_grad
        self.materialize_grads = True
        self._to_save: tuple[Tensor | None, ...] = ()
        self._to_save_forward: tuple[Tensor | None, ...] = ()
        self._non_differentiable: tuple[Tensor, ...] = ()
        self._dirty: tuple[Tensor, ...] = ()
        self._unpack: Callable[..., tuple[Any, ...]] | None = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for backward, which reads them from `saved_tensors`.  Raises TypeError for anything else."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                problem = f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}"
                raise ArgumentError(explain("save_for_backward", problem, "Set other values as attributes of ctx"))
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (or None) for jvp, which reads them from `saved_tensors`.  Raises TypeError for anything else."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                problem = f"save_for_forward can only save tensors, but argument {i} is of type {type(t).__name__}"
                raise ArgumentError(explain("save_for_forward", problem, "Set other values as attributes of ctx"))
        self._to_save_forward = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say that forward has written these arguments in place and returns them.  Raises RuntimeError for anything but Tensors."""
        for t in tensors:
            if not isinstance(t, Tensor):
                raise DifferentiationError(explain("mark_dirty", f"can only mark Tensors, not {type(t).__name__}"))
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that these results have no derivative."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for a result that was not used; jvp likewise for an argument without tangent.  Raises TypeError for anything but a bool."""
        if not isinstance(value, bool):
            raise ArgumentError(explain("set_materialize_grads", f"expected a bool, got {type(value).__name__}"))
        self.materialize_grads = value

    @property
    def to_save(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward was given; () once the call is complete."""
        return self._to_save

    @property
    def saved_for_forward(self) -> tuple[Tensor | None, ...]:
        """What save_for_forward was given."""
        return self._to_save_forward

    @property
    def dirty_tensors(self) -> tuple[Tensor, ...]:
        """What mark_dirty was given."""
        return self._dirty

    @property
    def non_differentiable(self) -> tuple[Tensor, ...]:
        """What mark_non_differentiable was given."""
        return self._non_differentiable


class BackwardCFunction(FunctionCtx):
    """The ctx of a call; each Function has a class of its own for it, named after its backward step."""

    _forward_cls: Any = None

    def name(self) -> str:
        """The name of the backward step, such as ExpBackward for a Function Exp."""
        return type(self).__name__

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What save_for_backward kept (in jvp: save_for_forward); () while forward runs.

        Raises RuntimeError when a backward has freed it, or when a value was overwritten since.
        """
        return () if self._unpack is None else self._unpack()

    @property
    def _raw_saved_tensors(self) -> tuple[Any, ...]:
        return () if self._unpack is None else self._unpack(True)

    def maybe_clear_saved_tensors(self) -> None:
        """Accepted; a backward frees what was saved when it is done."""


def context_class(function: type[Any], name: str) -> type[BackwardCFunction]:
    """The class of a Function's ctx."""
    found = function.__dict__.get("_backward_cls")
    if found is None:
        found = type(name, (BackwardCFunction,), {"_forward_cls": function, "__module__": "torch.autograd.function"})
        function._backward_cls = found  # type: ignore[attr-defined]
    return found  # type: ignore[no-any-return]


__all__ = ["BackwardCFunction", "FunctionCtx", "context_class"]
