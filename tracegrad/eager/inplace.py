"""In-place operators: the memory is written, and the names that show it are re-pointed.

A Tensor is a name, a Node is a value: an in-place operator makes a new value, writes the memory, and re-points the name and those of the live views.  Only the
in-place operator pays.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from tracegrad.config import GENERATED, local, set_grad_enabled
from tracegrad.dtypes import F32, F64, NUMBERS, SCALARS
from tracegrad.eager.clock import check_not_overwritten, owner, touch, version
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.inference import InferenceTensor, refuse_write
from tracegrad.eager.inplace_results import check_result, refuse_wider
from tracegrad.eager.marked import refuse_function_views, refuse_marked, shows_leaf
from tracegrad.eager.repoint import pass_by_hooks, repoint
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import base_of, once, path_of, refuse_overlap, refuse_shared, shows_twice, writable
from tracegrad.errors import ArgumentError, DTypeError, InplaceError, NotSupportedError, ShapeError, explain
from tracegrad.ir.node import Node, tick
from tracegrad.ir.op import Op
from tracegrad.ir.sweep import input_type
from tracegrad.ir.types import broadcast
from tracegrad.ops.masks import SMALL, fitting_number, number_of

Array = np.ndarray[Any, Any]
SCATTERED = frozenset({"index_put_", "masked_fill_", "index_fill_"})  # torch lets these write to expanded memory
EXPANDED = "Use of {} on expanded tensors is deprecated. Please clone() the tensor before performing this operation."


def write(t: Tensor, new: Tensor, operation: str) -> Tensor:
    """Give the name t the value `new` (of t's shape after broadcasting, and a dtype that fits), in memory and in the graph."""
    if type(t) is not Tensor:
        refuse_write(t, operation)
    check_result(t, new, operation)
    base = base_of(t)
    if local.trace is not None:
        refuse_function_views(t, base, operation)
        _write_recorded(t, base, new, operation)
        return t
    tracked_here = local.grad_enabled and (new._node is not None or t._node is not None or base._node is not None)
    if tracked_here:
        check_leaf(t, base, operation)
        if new._node is None and t._node is not None:  # a test: its derivative is zero, but there is one
            new = T.overwrite(t, new, kind=operation.rstrip("_"))
    scattered = operation in SCATTERED and not tracked_here and not t._data.flags.c_contiguous and shows_twice(t._data)
    memory = writable(t._data) if scattered else _memory(t, operation)
    if scattered:
        warnings.warn(EXPANDED.format(operation), UserWarning, stacklevel=3)
        np.copyto(memory, new._data, where=new._data != t._data, casting="unsafe")
    elif memory is t._data and new._data.dtype is memory.dtype:
        np.copyto(memory, new._data)
    else:
        with np.errstate(all="ignore"):
            np.copyto(memory, new._data if memory is t._data else new._data.flat[0], casting="unsafe")
    touch(t)
    if tracked_here:
        if new._node is not None and new._data.dtype != t._data.dtype:
            new = T.promote(new, dtype=t._data.dtype)
        repoint(t, base, new, in_memory=True)
    if local.watch is not None and local.watch.duals is not None:
        local.watch.duals.written(t, new)
    return t


def _write_recorded(t: Tensor, base: Tensor, new: Tensor, operation: str) -> None:
    """Re-point without touching memory: the recording is a pure program."""
    local.trace.check_write(base, operation)
    needs, begins = base._node is not None and base._node.needs, local.trace.begins_at(base)
    detached = t is not base and any(op.name == "detach" for op, _ in path_of(t))
    if (
        needs and not begins and (detached or not local.grad_enabled)
    ):  # torch keeps the old history with the new value, which no pure program can say
        way = "through detach()" if detached else "under no_grad()"
        problem = f"writes {way} to a value that is being recorded with its derivative"
        raise InplaceError(explain(operation, problem, "Write to a clone(), or return the new value"))
    if new._data.dtype != t._data.dtype:
        new = T.promote(new, dtype=t._data.dtype)
    if not begins:
        repoint(t, base, new, in_memory=False)
        return
    if local.grad_enabled and not detached and base._node not in local.trace.begun:
        check_leaf(t, base, operation)
    if base._node in local.trace.begun:
        base._node.extra.retained = None  # the new value is a leaf of its own
    enabled = set_grad_enabled(False)
    try:
        repoint(t, base, new, in_memory=False)
    finally:
        set_grad_enabled(enabled)
    local.trace.begin_leaf(base)


def keep_saved(t: Tensor, node: Node | None, start: int) -> None:
    """Copy what the nodes made since `start` saved of t's memory, which is about to be overwritten: the update itself needs the old value."""
    memory, stack = owner(t._data), [node]
    pass_by_hooks(t, node, start)
    while stack:
        node = stack.pop()
        if type(node) is not Node or node.seq < start:
            continue
        if isinstance(node.saved, tuple):
            node.saved = tuple(v.copy() if isinstance(v, np.ndarray) and owner(v) is memory else v for v in node.saved)
        stack.extend(node.inputs)


def check_own_leaf(t: Tensor, operation: str) -> None:
    """The first thing that torch looks at: raise InplaceError for a write to a leaf that requires grad, whatever else is wrong."""
    if local.grad_enabled and local.trace is None and t._node is not None and t._node.op is None:
        check_leaf(t, base_of(t), operation)


def check_leaf(t: Tensor, base: Tensor, operation: str) -> None:
    """Raise InplaceError for a write to a protected view, to a leaf that requires grad, or to a view of one."""
    if base is not t:
        refuse_marked(t, operation)
    if t._node is not None and t._node.op is None:
        raise InplaceError(
            explain(
                operation,
                "a leaf Variable that requires grad is being used in an in-place operation",
                "Update it under no_grad(), or work on a clone()",
            )
        )
    if base is not t and shows_leaf(t):
        raise InplaceError(
            explain(
                operation,
                "a view of a leaf Variable that requires grad is being used in an in-place operation",
                "Update it under no_grad()",
            )
        )


def _memory(t: Tensor, operation: str) -> Array:
    """The array to write for t.  Raises InplaceError where two elements lie at one place (one value for all, as in fill_, is no harm) or for read-only memory."""
    array = t._data
    if not array.flags.c_contiguous and array.size > 1 and shows_twice(array):
        if operation not in ("fill_", "zero_"):
            raise InplaceError(
                explain(
                    operation,
                    "unsupported operation: more than one element of the written-to tensor refers to a single memory location",
                    "clone() the tensor before the write",
                )
            )
        array = once(array)
    if not array.flags.writeable:
        raise InplaceError(
            explain(operation, "the memory of this tensor is read-only", "clone() the tensor before the write")
        )
    return array


# --- the methods


def _direct(t: Tensor) -> bool:
    """Whether a write to t needs no node: nobody records, and t is not followed or grad mode is off."""
    if GENERATED["MODE"]:
        if local.trace is not None or (local.watch is not None and local.watch.duals is not None):
            return False
        if not local.grad_enabled:
            if type(t) is InferenceTensor:
                refuse_write(t, "in-place update")
            return True
    if type(t) is InferenceTensor:
        refuse_write(t, "in-place update")
    return t._node is None and (t._data.base is None or base_of(t)._node is None)


SCATTERING = frozenset("index_add index_copy index_put index_reduce put scatter scatter_add scatter_reduce".split())
_UFUNC = re.compile(r"^np\.(\w+)\(\{(\w+)\}(?:, \{(\w+)\})?\)$")


def ufunc_of(op: type[Op]) -> Any:
    """The NumPy ufunc that is the operator's whole kernel on one dtype; None when there is none."""
    found = _UFUNC.match(op.numpy) if op.elementwise and op.promotion in ("arithmetic", "float") else None
    if found is None or tuple(g for g in found.groups()[1:] if g) != op.operands:
        return None
    ufunc = getattr(np, found.group(1))
    return ufunc if isinstance(ufunc, np.ufunc) and ufunc.nin == len(op.operands) and ufunc.nout == 1 else None


def in_place(operation: str, op: type[Op]) -> Callable[..., Tensor]:
    """The in-place method `operation` of an operator.  On tensors without history a NumPy ufunc writes straight into the memory."""
    function, ufunc = public_function(op.name), ufunc_of(op)
    quiet, scalable = GENERATED["quiet"], op.name in ("add", "sub")
    operand_count, elementwise = len(op.operands) - 1, op.elementwise and op.name != "masked_fill"
    scattering = op.name in SCATTERING

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if ufunc is not None and len(args) == operand_count and (not kwargs or scalable) and _direct(self):
            operands = _raw_operands(operation, self._data, args, kwargs)
            if operands is not None:
                try:
                    quiet(ufunc, self._data, *operands, self._data)
                except (TypeError, ValueError, OverflowError, RuntimeError):  # the general path says what is wrong
                    pass
                else:
                    touch(self)
                    return self
        check_own_leaf(self, operation)
        if elementwise:
            for a in args:
                if isinstance(a, Tensor):
                    refuse_overlap(self._data, a._data, operation)
        elif scattering and local.trace is None:
            _refuse_shared(self, (*args, *kwargs.values()), operation)
        start = tick()
        if local.watch is None:
            try:
                new = function(self, *args, **kwargs)
            except NotSupportedError:
                refuse_wider(self, args, operation)
                raise
        else:  # saved-tensor hooks must get the values from before the write
            old = handle(self._data.copy(), self._node)
            if local.watch.duals is not None:
                local.watch.duals.copied(self, old)
            new = function(old, *(old if a is self else a for a in args), **kwargs)
        keep_saved(self, new._node, start)
        return write(self, new, operation)

    method.__name__ = method.__qualname__ = operation
    method.__doc__ = f"In-place version of `{op.name}`: writes the result into this tensor and returns it."
    return method


def _refuse_shared(t: Tensor, operands: Iterable[Any], operation: str) -> None:
    """Raise InplaceError if positions or values to write lie in the memory that is written."""
    for a in operands:
        if isinstance(a, Tensor):
            refuse_shared(t._data, a._data, operation)
        elif isinstance(a, (tuple, list)):
            _refuse_shared(t, a, operation)


def _raw_operands(operation: str, a: Array, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any] | None:
    """The operands after the first as what a ufunc may combine with `a` without any promotion; None when the general path must decide."""
    d = a.dtype
    if (d is not F32 and d is not F64) or not a.flags.writeable or (not a.flags.c_contiguous and shows_twice(a)):
        return None
    raw: list[Any] = []
    for value in args:
        if type(value) is Tensor:
            if value._data.dtype is not d or (value._node is not None and local.grad_enabled):
                return None
            if value._data.base is not None or a.base is not None:
                refuse_overlap(a, value._data, operation)
            raw.append(value._data)
        elif type(value) is float or type(value) is int:
            raw.append(value)
        else:
            return None
    if not kwargs:
        return raw
    alpha = kwargs.get("alpha")
    if len(kwargs) > 1 or type(alpha) not in (int, float):
        return None
    return [raw[0] * alpha if alpha != 1 else raw[0]]


def assign(t: Tensor, source: Any, kind: str, operation: str) -> Tensor:
    """Overwrite all of t with a Tensor or number that broadcasts to it, whatever its dtype."""
    if isinstance(source, Tensor) and kind == "copy":
        refuse_overlap(t._data, source._data, operation)
    followed = (
        isinstance(source, Tensor) and source._node is not None and local.grad_enabled and t._data.dtype.kind in "fcV"
    )
    if _direct(t) and not followed:
        value = source._data if isinstance(source, Tensor) else source
        _check_source(t, value, operation)
        memory = _memory(t, operation)
        if isinstance(value, np.ndarray) and value.dtype == memory.dtype:
            np.copyto(memory, value)
        else:
            with np.errstate(all="ignore"):
                np.copyto(memory, value, casting="unsafe")
        touch(t)
        return t
    start = tick()
    new = T.overwrite(t, source, kind=kind)
    pass_by_hooks(t, new._node, start)
    return write(t, new, operation)


def _check_source(t: Tensor, value: Any, operation: str) -> None:
    shape = value.shape if isinstance(value, np.ndarray) else ()
    if (
        shape
        and shape != t._data.shape
        and (len(shape) > t._data.ndim or broadcast(operation, t._data.shape, shape) != t._data.shape)
    ):
        raise ShapeError(
            explain(operation, f"source of shape {list(shape)} does not broadcast to shape {list(t._data.shape)}")
        )


def copy_(self: Tensor, other: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite self with other, broadcast and converted to self's dtype; gradients flow to other.  Raises RuntimeError for a shape that does not fit."""
    if isinstance(other, np.generic):
        other = other.item()
    if type(other) is not Tensor and not isinstance(other, (Tensor, *NUMBERS)):
        raise ArgumentError(explain("copy_", f"other must be a Tensor, got {type(other).__name__}"))
    return assign(self, other, "copy", "copy_")


def fill_(self: Tensor, value: Any) -> Tensor:
    """Overwrite every element with a number or 0-d tensor.  Raises RuntimeError for a tensor with axes."""
    if type(value) is float and -SMALL <= value <= SMALL and self._data.dtype.kind in "fV" and _direct(self):
        if self._data.flags.writeable:
            self._data.fill(value)
            touch(self)
            return self
    if isinstance(value, Tensor):
        if value._data.ndim:
            raise ShapeError(
                explain(
                    "fill_", f"only supports 0-dimension value tensor but got tensor with {value._data.ndim} dimensions"
                )
            )
        return assign(self, value, "fill", "fill_")
    if not isinstance(value, SCALARS):
        raise ArgumentError(explain("fill_", f"value must be a number or a 0-d Tensor, got {type(value).__name__}"))
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, complex) and number.imag and self._data.dtype.kind != "c":
        raise DTypeError(
            explain("fill_", f"value cannot be converted to type {self.dtype} without overflow", value=number)
        )
    fitting = (
        number_of if self._data.size == 1 else partial(fitting_number, "fill_")
    )  # torch writes inf into one element
    return assign(self, fitting(self._data.dtype, number), "number", "fill_")


def zero_(self: Tensor) -> Tensor:
    """Overwrite every element with zero."""
    if _direct(self) and self._data.flags.writeable:
        self._data.fill(0)
        touch(self)
        return self
    return assign(self, 0, "zero", "zero_")


METHODS = {"copy_": copy_, "fill_": fill_, "zero_": zero_}

__all__ = [
    "METHODS",
    "assign",
    "check_leaf",
    "check_own_leaf",
    "check_not_overwritten",
    "in_place",
    "input_type",
    "refuse_overlap",
    "repoint",
    "touch",
    "version",
    "write",
]
