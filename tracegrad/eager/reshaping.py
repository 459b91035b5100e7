"""In-place methods that change what a name shows, not the memory: its axes, its size, or which memory it is."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.config import local, set_grad_enabled
from tracegrad.devices import axis_order
from tracegrad.eager.clock import moved, owner, set_apart, touch, version
from tracegrad.eager.dispatch import T
from tracegrad.eager.facts import UntypedStorage
from tracegrad.eager.generate import public_function
from tracegrad.eager.inference import refuse_write
from tracegrad.eager.inplace import check_leaf
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import STANDS_FOR, base_of, cut, views_of
from tracegrad.errors import ArgumentError, DTypeError, InplaceError, NotSupportedError, ShapeError, explain
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type
from tracegrad.ops.reshape import sizes

Array = np.ndarray[Any, Any]


def t_(self: Tensor) -> Tensor:
    """Exchange the two axes of self, in place.  Raises RuntimeError above two axes and for a leaf that requires grad."""
    return _show(self, "t_", "t")


def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two axes of self, in place.  Raises IndexError for an axis out of range, RuntimeError for a leaf that requires grad."""
    return _show(self, "transpose_", "transpose", dim0, dim1)


def swapaxes_(self: Tensor, axis0: int, axis1: int) -> Tensor:
    """transpose_ under NumPy's name."""
    return _show(self, "swapaxes_", "transpose", axis0, axis1)


def swapdims_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """transpose_ under another name."""
    return _show(self, "swapdims_", "transpose", dim0, dim1)


def unsqueeze_(self: Tensor, dim: int) -> Tensor:
    """Give self a new axis of size 1, in place.  Raises IndexError for an axis out of range, RuntimeError for a leaf that requires grad."""
    return _show(self, "unsqueeze_", "unsqueeze", dim)


def squeeze_(self: Tensor, dim: Any = None) -> Tensor:
    """Drop axes of size 1, in place: all of them, one, or a tuple of them.  Raises as squeeze, and RuntimeError for a leaf that requires grad."""
    return _show(self, "squeeze_", "squeeze", *(() if dim is None else (dim,)))


def as_strided_(self: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Show other places of self's memory, in place.  Raises RuntimeError for places outside it and for a leaf that requires grad."""
    return _show(self, "as_strided_", "as_strided", size, stride, storage_offset)


def _show(t: Tensor, operation: str, function: str, *args: Any) -> Tensor:
    """Make the name t the view of its old value that a function gives; other views of that value keep what they show."""
    refuse_write(t, operation)
    base, node = base_of(t), t._node
    if local.trace is not None:
        local.trace.check_write(base, operation)
    elif local.grad_enabled and (node is not None or base._node is not None):
        check_leaf(t, base, operation)
    shared = base is not t or any(True for _ in views_of(t))
    leaf = local.trace is None and node is not None and node.op is None
    before = handle(t._data, None if leaf else node)
    made = _apply(before, function, args)
    if shared:
        holder = cut(t)
        made = _apply(holder, function, args)
        if made is holder or not hasattr(made, "_view"):
            made = T.whole(holder)
        if base is t:
            holder.__dict__[STANDS_FOR] = weakref.ref(t)
        t._view, t._data = made._view, made._data
        base_of(t)._views.append(weakref.ref(t))
    t._data = made._data
    if leaf:
        assert node is not None
        node.shape = made._data.shape
    else:
        _follow(t, made._node if made._node is None else T.named(made, called=_name(operation, args))._node)
    if local.trace is None:
        touch(t)
    return t


_NAMES = {"t_": "TBackward1", "unsqueeze_": "UnsqueezeBackward1", "as_strided_": "AsStridedBackward1"}


def _name(operation: str, args: tuple[Any, ...]) -> str:
    """torch's name of the step: these have a number of their own."""
    if operation == "squeeze_":
        return f"SqueezeBackward{3 if not args else 4 if isinstance(args[0], int) else 5}"
    return _NAMES.get(operation, "TransposeBackward1")


def _apply(t: Tensor, function: str, args: tuple[Any, ...]) -> Tensor:
    """The view, with its history also under no_grad(): a value without the step would have a gradient of another shape."""
    enabled = set_grad_enabled(True) if t._node is not None else local.grad_enabled
    try:
        return public_function(function)(t, *args)  # type: ignore[no-any-return]
    finally:
        set_grad_enabled(enabled)


def _follow(t: Tensor, node: Node | None) -> None:
    """The new history; what retain_grad() keeps is the gradient of the value before, as in torch."""
    t._node = node


# --- memory


def resize_(self: Tensor, *size: Any, memory_format: Any = None) -> Tensor:
    """Give self another size, in place: the elements in memory are kept in order, new ones are zero.  Raises RuntimeError where grad is required."""
    shape = sizes("resize_", size)
    if self.requires_grad:
        raise InplaceError(explain("resize_", "cannot resize variables that require grad", "Resize under detach()"))
    if any(n < 0 for n in shape):
        raise ShapeError(explain("resize_", f"the size {list(shape)} has negative entries"))
    if local.trace is not None:
        local.trace.refuse("calls resize_, which gives memory another size")
    order = axis_order("resize_", memory_format, len(shape))
    if memory_format is not None and order is None:
        raise ShapeError(explain("resize_", "Unsupported memory format Preserve"))
    resize(self, shape if not order else tuple(shape[d] for d in order))
    if order:
        self._data = self._data.transpose(np.argsort(order))
    touch(self)
    return self


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """Give self the size of another tensor, in place: resize_."""
    if not isinstance(the_template, Tensor):
        raise ArgumentError(
            explain("resize_as_", f"argument 'the_template' must be Tensor, not {type(the_template).__name__}")
        )
    return resize_(self, *the_template._data.shape)


def resize(t: Tensor, shape: tuple[int, ...]) -> None:
    """Let t show its memory from its first element on as a row-major array of this shape; memory that is too small is moved, with all views."""
    refuse_write(t, "resize_")
    if t._data.shape == shape:
        return
    array, memory = t._data, owner(t._data)
    start = _address(array) - _address(memory)
    need = start + array.itemsize * int(np.prod(shape, dtype=np.int64))
    if need > memory.nbytes or not (memory.flags.c_contiguous or memory.flags.f_contiguous):
        memory = _grow(t, memory, need)
    t._data = np.ndarray(shape, array.dtype, memory, start)


def _grow(t: Tensor, memory: Array, need: int) -> Array:
    """A larger block of memory with the old bytes in front; the base and all views of t show it from now on."""
    low = _address(memory)
    size = max(need, memory.nbytes)
    larger = np.zeros((size + 7) // 8, np.int64)
    base = base_of(t)
    named = [base, *views_of(base)]
    if memory.flags.c_contiguous or memory.flags.f_contiguous:
        larger.view(np.uint8)[: memory.nbytes] = memory.reshape(-1, order="A").view(np.uint8)
    else:
        raise InplaceError(explain("resize_", "this tensor's memory has gaps", "Use reshape or clone()"))
    for v in named:
        v._data = np.ndarray(v._data.shape, v._data.dtype, larger, _address(v._data) - low, v._data.strides)
    moved(memory, larger)
    return larger


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def set_(
    self: Tensor,
    source: Any = None,
    storage_offset: int = 0,
    size: Sequence[int] | None = None,
    stride: Sequence[int] | None = None,
) -> Tensor:
    """Let self show the memory of `source` (none: nothing), as a whole or at places in it.  Raises RuntimeError for another dtype or where gradients would be lost."""
    if source is None:
        source = handle(np.zeros((0,), self._data.dtype), None)
    if isinstance(source, UntypedStorage):
        source = handle(source.elements(self._data.dtype), None)
    if not isinstance(source, Tensor):
        raise ArgumentError(explain("set_", f"argument 'source' must be Tensor, not {type(source).__name__}"))
    if source._data.dtype != self._data.dtype:
        raise DTypeError(
            explain("set_", f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}")
        )
    if local.trace is not None:
        local.trace.check_write(self, "set_")
    if local.grad_enabled:
        check_leaf(self, base_of(self), "set_")
        if self._node is not None or source._node is not None:
            raise InplaceError(explain("set_", "its derivative is not implemented", "Assign to .data, or use copy_"))
    data, count = source._data, version(self)
    if size is not None:
        strides = tuple(stride) if stride is not None else _row_major(tuple(size))
        if "as_strided" not in REGISTRY:
            raise NotSupportedError(explain("set_", "places in memory are not supported", "Pass a view of the source"))
        data = public_function("as_strided")(handle(data, None), tuple(size), strides, storage_offset)._data
    if hasattr(self, "_view") or hasattr(self, "_views"):
        cut(self)
    self._data = data
    if self._node is not None:
        self._node.shape = data.shape
    if local.trace is None:
        set_apart(self, count)
        touch(self)
    return self


def replace_memory(t: Tensor, value: Tensor) -> None:
    """`t.data = value`: t shows value's memory and keeps its place in autograd.  Raises TypeError for anything but a Tensor, RuntimeError for integers."""
    if not isinstance(value, Tensor):
        raise ArgumentError(explain("data", f"Variable data has to be a tensor, but got {type(value).__name__}"))
    node = t._node
    if local.trace is not None:
        local.trace.check_write(t, "data")
        begins = local.trace.begins_at(t)
        t._data, t._node = value._data, T.detach(value)._node
        if begins:
            local.trace.begin_leaf(t)
        return
    if node is not None and value._data.dtype.kind not in "fcV":
        raise InplaceError(
            explain(
                "data",
                "data set to a tensor that requires gradients must be floating point or complex dtype",
                got=value.dtype,
            )
        )
    if node is not None and node.op is not None and (value._data.shape, value._data.dtype) != (node.shape, node.dtype):
        raise InplaceError(
            explain(
                "data",
                "a tensor that an operation made keeps its shape and dtype",
                have=node.type,
                got=Type(value._data.shape, value._data.dtype),
            )
        )
    count = version(t)
    if hasattr(t, "_view") or hasattr(t, "_views"):
        cut(t)
    t._data = value._data
    set_apart(t, count)
    if node is not None and (node.shape, node.dtype) != (t._data.shape, t._data.dtype):
        # a graph of the old value keeps the old leaf
        t._node = make_leaf(Type(t._data.shape, t._data.dtype), needs=True, extra=node.extra)


def _row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    steps = [1]
    for n in reversed(shape[1:]):
        steps.append(steps[-1] * max(n, 1))
    return tuple(reversed(steps)) if shape else ()


def share_memory_(self: Tensor) -> Tensor:
    """self as it is: there is one process."""
    return self
