"""Copies and pickles of Tensors: `copy.copy`, `copy.deepcopy`, `pickle`.  Loaded at the first of them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.eager import views
from tracegrad.eager.clock import owner
from tracegrad.eager.conversions import leave
from tracegrad.eager.dispatch import T
from tracegrad.eager.inference import DETACHED
from tracegrad.eager.tensor import MARK, STOPPED, Parameter, Tensor
from tracegrad.errors import DifferentiationError, explain
from tracegrad.kernels import numpy_kernels as K
from tracegrad.slots import slots

Array = np.ndarray[Any, Any]
# marks that hold for one recording or one view
PASSING = {MARK, STOPPED, "_is_number", views.MADE_WITHOUT_GRAD, views.MADE_IN_FUNCTION, DETACHED}


def fields_of(t: Tensor) -> dict[str, Any]:
    """What the user wrote on t."""
    return {name: value for name, value in t.__dict__.items() if name not in PASSING}


def _class_of(t: Tensor) -> Any:
    return Parameter if MARK in t.__dict__ else t.__class__


def on_memory(cls: Any, array: Array, requires_grad: bool, fields: dict[str, Any] | None = None) -> Tensor:
    """A leaf of class cls on this array."""
    t: Tensor = object.__new__(slots.inference_class if local.inference and cls is Tensor else cls)
    t._data, t._node = array, None
    if fields:
        t.__dict__.update(fields)
    if requires_grad:
        t.requires_grad_()
    return t


def rebuild(
    cls: Any, array: Array, shape: tuple[int, ...], requires_grad: bool, fields: dict[str, Any] | None
) -> Tensor:
    """The Tensor of a pickle: `array` is expanded to `shape`."""
    return on_memory(cls, array if array.shape == shape else K.broadcast_to(array, shape), requires_grad, fields)


def __reduce_ex__(self: Tensor, protocol: Any) -> tuple[Any, ...]:
    """Values, dtype, requires_grad and the user's attributes travel; the history and .grad do not.  An expanded tensor stays one."""
    leave(self, "pickle")
    array = self._data
    narrow = views.once(array) if array.size and array.ndim else array
    return rebuild, (_class_of(self), narrow, array.shape, self.requires_grad, fields_of(self) or None)


def __copy__(self: Tensor) -> Tensor:
    """A leaf that shows the same memory."""
    if local.trace is not None:
        copied: Tensor = T.detach(self)
        return copied
    return on_memory(_class_of(self), self._data, self.requires_grad, fields_of(self))


def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A leaf with copied memory, .grad and attributes; what shares memory with other tensors of the copied object shares it in the copy.

    A Parameter has its values copied only, as in torch.  Raises RuntimeError for a tensor that an operation made.
    """
    found = memo.get(id(self))
    if found is not None:
        return found  # type: ignore[no-any-return]
    if not self.is_leaf:
        raise DifferentiationError(
            explain(
                "deepcopy",
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol",
                "deepcopy(x.detach()) copies the values",
            )
        )
    leave(self, "deepcopy")
    cls = _class_of(self)
    if isinstance(self, Parameter):
        made = memo[id(self)] = on_memory(cls, np.array(self._data), self.requires_grad)
        return made
    made = memo[id(self)] = on_memory(cls, _copied(self._data, memo), self.requires_grad)
    made.__dict__.update(copy.deepcopy(fields_of(self), memo))
    if self.grad is not None:
        made._grad = __deepcopy__(self.grad, memo)
    return made


def _copied(array: Array, memo: dict[Any, Any]) -> Array:
    """The array in a copy of the memory that it shows, which is copied once for all."""
    memory = owner(array)
    if not (memory.flags.forc and memory.size):
        return np.array(array)
    key = ("memory", id(memory))
    copied = memo.get(key)
    if copied is None:
        copied = memo[key] = np.array(memory)
        memo.setdefault(id(memo), []).append(memory)  # as deepcopy does: the id stays taken
    if array is memory:
        return copied  # type: ignore[no-any-return]
    start, first = (int(a.__array_interface__["data"][0]) for a in (memory, array))
    return np.ndarray(array.shape, array.dtype, copied, first - start, array.strides)


__all__ = ["__copy__", "__deepcopy__", "__reduce_ex__", "PASSING", "fields_of", "on_memory", "rebuild"]
