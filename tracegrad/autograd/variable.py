"""torch.autograd.Variable and its engine, as old programs use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad import dtypes
from tracegrad.autograd.nested import queue_callback
from tracegrad.eager.clock import set_writes, writes
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, explain


class ExecutionEngine:
    """What hooks ask of the engine."""

    @staticmethod
    def queue_callback(callback: Callable[[], Any]) -> None:
        """Call `callback()` when the backward that runs now is complete.  Raises RuntimeError outside a backward."""
        queue_callback(callback)


class VariableMeta(dtypes.TorchClass):
    """Every Tensor is an instance of Variable."""

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=VariableMeta):
    """`Variable(tensor, requires_grad=False)` is a Tensor on the same memory, without history: what torch had before Tensors could require grad."""

    _shown = "torch.autograd.variable.Variable"
    _execution_engine = ExecutionEngine()

    def __new__(cls, data: Any = None, requires_grad: bool = False) -> Any:
        """The Tensor.  Raises TypeError unless data is a Tensor."""
        if not isinstance(data, Tensor):
            problem = f"Variable data has to be a tensor, but got {type(data).__name__}"
            raise ArgumentError(explain("Variable", problem))
        made = data.detach()  # type: ignore[attr-defined]
        return made.requires_grad_() if requires_grad else made


class _unsafe_preserve_version_counter:  # noqa: N801
    """Inside the block, writes to these tensors do not count: neither `_version` nor a backward sees them."""

    def __init__(self, tensors: Any) -> None:
        self.tensors = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        self.before = [writes(t) for t in self.tensors]

    def __enter__(self) -> None:
        """Nothing more: the counts were taken when this was made."""

    def __exit__(self, *_exception: object) -> None:
        for t, before in zip(self.tensors, self.before, strict=True):
            set_writes(t, before)


__all__ = ["ExecutionEngine", "Variable", "_unsafe_preserve_version_counter"]
