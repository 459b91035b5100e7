"""Tensor's methods and properties that are not operators, and `attach`, which gives Tensor all that it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tracegrad import dtypes
from tracegrad.config import GENERATED, local
from tracegrad.devices import CPU, check_device, strided
from tracegrad.dtypes import NUMBERS
from tracegrad.eager import inference, late, operators, views
from tracegrad.eager.clock import set_apart, version
from tracegrad.eager.creation import full, shape_of, tensor
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import operator_function, public_function
from tracegrad.eager.marked import release_views
from tracegrad.eager.operators import attach_once
from tracegrad.eager.tensor import Parameter, Tensor, handle
from tracegrad.errors import ArgumentError, DataError, InplaceError, ShapeError, explain
from tracegrad.slots import slots


def __rtruediv__(self: Tensor, other: Any) -> Any:
    """other / self: the reciprocal times other, as torch computes it."""
    if operators.is_operand(other):
        return T.mul(public_function("reciprocal")(self), other)
    return NotImplemented


def __invert__(self: Tensor) -> Tensor:
    """Every bit flipped; not x for bool.  Raises TypeError for floating-point tensors."""
    if self._data.dtype.kind not in "biu":
        raise ArgumentError(
            explain(
                "invert", "~ (operator.invert) is only implemented on integer and Boolean-type tensors", got=self.dtype
            )
        )
    made: Tensor = public_function("bitwise_not")(self)
    return made


# --- containers


def __len__(self: Tensor) -> int:
    """Size of the first axis.  Raises TypeError for a 0-d tensor."""
    if not self._data.ndim:
        raise ArgumentError(explain("len", "len() of a 0-d tensor"))
    return self._data.shape[0]


def __iter__(self: Tensor) -> Iterator[Tensor]:
    """The slices along the first axis.  Raises TypeError for a 0-d tensor."""
    if not self._data.ndim:
        raise ArgumentError(explain("iter", "iteration over a 0-d tensor"))
    return iter(public_function("unbind")(self, 0))


def __reversed__(self: Tensor) -> Any:
    """self with its first axis reversed; a 0-d tensor as it is."""
    return public_function("flip")(self, (0,)) if self._data.ndim else self


def __contains__(self: Tensor, element: Any) -> bool:
    """Whether some element equals `element`, a number or tensor.  Raises RuntimeError for anything else."""
    if not isinstance(element, (Tensor, *NUMBERS)):
        raise DataError(
            explain(
                "in", f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {element.__class__}"
            )
        )
    return bool(public_function("any")(public_function("eq")(self, element)))


def __delitem__(self: Tensor, index: Any) -> None:
    """Raises TypeError: a tensor keeps its size."""
    raise ArgumentError(explain("del", "Tensor does not support deleting items"))


# --- new tensors of this dtype


def _options(operation: str, t: Tensor, dtype: Any, where: Any) -> Any:
    check_device(operation, where)
    return t._data.dtype if dtype is None else dtypes.to_numpy(dtype)


def _filled(
    operation: str, t: Tensor, shape: Sequence[Any], value: Any, dtype: Any, where: Any, requires_grad: bool
) -> Tensor:
    made: Tensor = T.full(shape=shape_of(operation, shape), value=value, dtype=_options(operation, t, dtype, where))
    return made.requires_grad_() if requires_grad else made


def new_zeros(
    self: Tensor,
    *size: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Zeros of the given size, with self's dtype unless dtype is given."""
    return _filled("new_zeros", self, size, 0, dtype, device, requires_grad)


def new_ones(
    self: Tensor,
    *size: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Ones of the given size, with self's dtype unless dtype is given."""
    return _filled("new_ones", self, size, 1, dtype, device, requires_grad)


def new_empty(
    self: Tensor,
    *size: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of the given size, with self's dtype unless dtype is given; the values are zero."""
    return _filled("new_empty", self, size, 0, dtype, device, requires_grad)


def new_full(
    self: Tensor,
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """fill_value in every element of the given size, with self's dtype unless dtype is given."""
    return full(
        size, fill_value, dtype=self.dtype if dtype is None else dtype, device=device, requires_grad=requires_grad
    )


def new_tensor(
    self: Tensor,
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A copy of nested lists, an array or a tensor, with self's dtype unless dtype is given."""
    return tensor(data, dtype=self.dtype if dtype is None else dtype, device=device, requires_grad=requires_grad)


# --- autograd


def backward(
    self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Add the gradients of self, weighted by `gradient`, to `.grad` of the leaves (of `inputs`, if given)."""
    slots.backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def register_hook(self: Tensor, hook: Any) -> Any:
    """Call `hook(grad)` whenever a gradient for self has been computed; a Tensor that it returns replaces the gradient."""
    return slots.register_hook(self, hook)


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this non-leaf in `.grad`; does nothing on a leaf."""
    slots.retain_grad(self)


def graph(self: Tensor) -> Any:
    """The program that made self, as a Graph: what backward walks."""
    return slots.tape_graph(self)


def where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """self where condition holds, other elsewhere.  Raises RuntimeError unless condition is bool."""
    made: Tensor = public_function("where")(condition, self, other)
    return made


def detach_(self: Tensor) -> Tensor:
    """Cut self from its history, in place.  Raises RuntimeError for a view."""
    if views.is_view(self):
        raise InplaceError(explain("detach_", "Can't detach views in-place", "Use detach() instead"))
    self._node = None if local.trace is None else public_function("detach")(self)._node
    if hasattr(self, "_views"):
        release_views(self)
    return self


def _data_of(self: Tensor) -> Tensor:
    """The same memory without history; assigning a tensor gives self its memory and keeps self's place in autograd."""
    if GENERATED["MODE"] or (type(self) is not Tensor and type(self) is not Parameter):
        made: Tensor = _detach(self)
        return made if local.trace is not None else set_apart(made)
    return set_apart(handle(self._data, None))


_detach = operator_function("detach")
_replace_memory = late.late("reshaping", "replace_memory")


def _set_data(self: Tensor, value: Any) -> None:
    _replace_memory(self, value)


def _delete_data(self: Tensor) -> None:
    raise InplaceError(explain("data", "Deleting tensor data is not allowed", "Delete the tensor instead"))


def _transposed(self: Tensor) -> Tensor:
    """self with its axes in reverse order."""
    made: Tensor = T.permute(self, dims=tuple(range(self._data.ndim))[::-1])
    return made


def _matrix_transposed(self: Tensor) -> Tensor:
    """self with its last two axes exchanged.  Raises RuntimeError below two axes."""
    if not self._data.ndim:
        return self
    if self._data.ndim < 2:
        raise ShapeError(
            explain(
                "mT", f"tensor.mT is only supported on matrices or batches of matrices. Got {self._data.ndim}-D tensor"
            )
        )
    n = self._data.ndim
    made: Tensor = T.transpose(self, dim0=n - 2, dim1=n - 1)
    return made


def _retains_grad(self: Tensor) -> bool:
    node = self._node
    return node is not None and getattr(node.extra, "retained", None) is not None


PROPERTIES = {
    "T": property(_transposed),
    "mT": property(_matrix_transposed),
    "data": property(_data_of, _set_data, _delete_data),
    "device": property(lambda self: CPU, doc="Where the tensor lives: the CPU."),
    "nbytes": property(lambda self: self._data.nbytes, doc="Bytes of all elements."),
    "itemsize": property(lambda self: self._data.itemsize, doc="Bytes of one element."),
    "grad_fn": property(
        lambda self: slots.grad_fn(self), doc="The operation that made self, for gradients; None for a leaf."
    ),
    "output_nr": property(lambda self: slots.output_nr(self), doc="Which result of its operation self is."),
    "retains_grad": property(_retains_grad, doc="Whether a non-leaf keeps its gradient."),
    "_version": property(version, doc="How often the memory was written in place."),
    "_base": property(views.named_base, doc="The tensor that a view shows; None otherwise."),
    "layout": property(lambda self: strided, doc="How the elements lie in memory: strided."),
    "is_cpu": property(lambda self: True, doc="True: tensors live on the CPU."),
    **dict.fromkeys(
        "is_quantized is_mps is_meta is_mkldnn is_xpu is_nested is_xla is_ipu is_maia is_mtia is_vulkan is_sparse_csr".split(),
        property(lambda self: False),
    ),
    "is_cuda": property(lambda self: False, doc="False: tensors live on the CPU."),
    "is_sparse": property(lambda self: False, doc="False: all tensors are dense."),
    "name": property(lambda self: None, doc="None, as in torch."),
}
METHODS = {
    f.__name__: f
    for f in (__rtruediv__, __invert__, __len__, __iter__, __reversed__, __contains__, __delitem__, new_zeros, new_ones, new_empty, new_full, new_tensor, backward,
              register_hook, retain_grad, graph, where, detach_)
} | {"__rdiv__": __rtruediv__}  # fmt: skip


def attach() -> None:
    """Give Tensor its operators, methods and properties."""
    for table in (METHODS, PROPERTIES, inference.METHODS, late.METHODS):
        for name, value in table.items():
            attach_once(name, value)
    Tensor._make_subclass = staticmethod(late.late("rare", "make_subclass"))  # type: ignore[attr-defined]
    operators.attach()
