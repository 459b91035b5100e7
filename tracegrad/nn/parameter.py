"""Parameter: a Tensor that a Module finds by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, explain

MARK = "_is_parameter"


class _MarkedTensor(type):
    """Lets `isinstance(x, Parameter)` ask for the mark instead of the class: a Parameter is an ordinary Tensor and as fast as one."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and MARK in instance.__dict__


class Parameter(metaclass=_MarkedTensor):
    """`Parameter(data, requires_grad=True)`: a Tensor on data's memory, marked as a parameter, that requires grad."""

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        """The marked Tensor.  Raises TypeError unless data is a Tensor, RuntimeError for integers that should require grad."""
        if data is not None and not isinstance(data, Tensor):
            raise ArgumentError(
                explain("Parameter", f"data must be a Tensor, got {type(data).__name__}", "Make it with tensor(...)")
            )
        made = handle(np.empty((0,), dtypes.default.float) if data is None else data._data, None)
        made.__dict__[MARK] = True
        return made.requires_grad_() if requires_grad else made


__all__ = ["Parameter"]
