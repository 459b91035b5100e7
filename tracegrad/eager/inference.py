"""Inference tensors: what is computed under `inference_mode()`.

They are of a private subclass, so that every fast path, which asks `type(x) is Tensor`, sends them to the general one: ordinary tensors pay nothing.
To the program the class is Tensor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.eager.views import MADE_IN_MODE, MADE_WITHOUT_GRAD
from tracegrad.errors import DifferentiationError, InplaceError, explain
from tracegrad.ir.op import Op
from tracegrad.slots import slots

Array = np.ndarray[Any, Any]
DETACHED = "_detached_inference"  # marks what detach() made outside the mode: writing to it is allowed, as in torch
_REMEDY = "To work around this, you can make a clone to get a normal tensor and use it in autograd, or use no_grad() instead of inference_mode()"
_new = object.__new__
_set_class = object.__dict__["__class__"].__set__


class InferenceTensor(Tensor):
    """A Tensor that autograd promised not to need: no version, no writes outside the mode, no place among saved values."""

    _shown = "torch.Tensor"
    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """Tensor: the subclass is a matter of this package."""
        return Tensor

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """As Tensor's inside inference mode; outside it raises RuntimeError for True."""
        if requires_grad and not local.inference and not self.requires_grad:
            raise DifferentiationError(
                explain(
                    "requires_grad_",
                    "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
                    "Use clone() to get a normal tensor",
                )
            )
        return super().requires_grad_(requires_grad)

    @property
    def _version(self) -> int:
        if DETACHED in self.__dict__:
            return 0
        raise DifferentiationError(explain("_version", "Inference tensors do not track version counter."))


InferenceTensor.__name__ = InferenceTensor.__qualname__ = Tensor.__name__
InferenceTensor.__module__ = Tensor.__module__


def is_inference(t: Tensor) -> bool:
    """Whether t was made under `inference_mode()`, or is a view of such a tensor."""
    return isinstance(t, InferenceTensor)


def as_inference(t: Tensor) -> Tensor:
    """The Tensor t, just made and nobody else's, as an inference tensor."""
    if type(t) is Tensor:
        _set_class(t, InferenceTensor)
    return t


def fresh(data: Array) -> Tensor:
    """A Tensor on a new array: an inference tensor inside the mode."""
    made: Tensor = _new(Tensor)  # `handle`, without its call
    made._data, made._node = data, None
    return as_inference(made) if local.inference else made


def of_kind(op: type[Op], operands: Any, made: Tensor) -> Tensor:
    """One result of an operator, in the mode or of an inference tensor, as what it is: a view has its operand's kind, another value the mode's."""
    first = operands[0] if op.view and operands else None
    if not isinstance(first, Tensor) or not _shows(first._data, made._data):
        return as_inference(made) if local.inference else made
    if type(first) is InferenceTensor:
        if hasattr(made, "_view"):  # a view of a plain stand-in: inference tensors know no bases
            del made._view
        as_inference(made)
        if (op.name == "detach" and not local.inference) or DETACHED in first.__dict__:
            made.__dict__[DETACHED] = True
    elif made.__dict__.pop(MADE_WITHOUT_GRAD, False):
        made.__dict__[MADE_IN_MODE] = True
    return made


def _shows(memory: Array, view: Array) -> bool:
    return view is memory or (view.base is not None and (view.base is memory or view.base is memory.base))


def refuse_saving(operation: str, values: Any, operands: Any) -> None:
    """Raise RuntimeError if one of these operands is an inference tensor whose value is among those that a derivative needs."""
    kept = {id(v) for v in values}
    for t in operands:
        if type(t) is InferenceTensor and id(t._data) in kept:
            problem = "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in computation tracked by autograd"
            raise DifferentiationError(explain(operation, problem, _REMEDY))


def refuse_write(t: Tensor, operation: str) -> None:
    """Raise RuntimeError for an inference tensor outside the mode."""
    if type(t) is InferenceTensor and not local.inference and DETACHED not in t.__dict__:
        problem = "Inplace update to inference tensor outside InferenceMode is not allowed"
        raise InplaceError(
            explain(operation, problem, "You can make a clone to get a normal tensor before doing inplace update")
        )


slots.inference_class = InferenceTensor
METHODS = {"is_inference": is_inference}
__all__ = [
    "METHODS",
    "InferenceTensor",
    "as_inference",
    "fresh",
    "is_inference",
    "refuse_saving",
    "refuse_write",
    "of_kind",
]
