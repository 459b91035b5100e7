"""Parameter and Buffer: Tensors that a Module finds by itself."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.tensor import Parameter, Tensor

MARK = "_is_buffer"


class _BufferClass(type):
    """Lets `isinstance(x, Buffer)` see the mark."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and MARK in instance.__dict__


class Buffer(metaclass=_BufferClass):
    """`Buffer(data, persistent=True)`: a Tensor on data's memory that becomes a buffer of the Module to which it is assigned."""

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        """The marked Tensor."""
        made: Any = Tensor() if data is None else data.detach()  # type: ignore[attr-defined]
        if data is not None and data.requires_grad:
            made.requires_grad_()
        made.persistent, made._is_buffer = persistent, True
        return made


__all__ = ["Buffer", "Parameter"]
