"""In-place operators and the clock of writes.

A Tensor is a name, a Node is a value: an in-place operator makes a new value, writes the memory, and re-points the name and those of the live views.  Only the
in-place operator pays; ordinary operators keep no version numbers.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.config import GENERATED, local
from tracegrad.dtypes import F32, F64
from tracegrad.eager.dispatch import NUMBERS, T, tracked
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import base_of, cut, is_view, once, path_of, place_in, shows_twice, views_of
from tracegrad.errors import ArgumentError, DTypeError, InplaceError, OverwrittenError, ShapeError, explain
from tracegrad.ir.node import Node, tick
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.sweep import input_type
from tracegrad.ir.types import Type, broadcast

Array = np.ndarray[Any, Any]


class Write:
    """How often one block of memory was written, and when last."""

    __slots__ = ("count", "last", "reference")

    def __init__(self, reference: Any) -> None:
        self.reference, self.count, self.last = reference, 0, 0


_written: dict[int, Write] = {}


class _Clock:
    last = 0  # sequence number of the last write anywhere


def owner(array: Array) -> Array:
    """The array that owns the memory that `array` shows."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


def touch(t: Tensor) -> None:
    """Note that t's memory was written now."""
    memory = owner(t._data)
    write = _written.get(id(memory))
    if write is None:
        key = id(memory)
        write = _written[key] = Write(weakref.ref(memory, lambda _: _written.pop(key, None)))
    write.count += 1
    write.last = _Clock.last = tick()


def version(t: Tensor) -> int:
    """How often t's memory was written in place (torch's `_version`)."""
    write = _written.get(id(owner(t._data)))
    return 0 if write is None else write.count


def check_not_overwritten(order: list[Node]) -> None:
    """Raise OverwrittenError if a saved value of these nodes (latest first) was written after it was saved."""
    if not _Clock.last:
        return
    oldest = next((n.seq for n in reversed(order) if n.op is not None), _Clock.last)
    if oldest > _Clock.last:  # the ordinary training step: all writes came before the forward pass
        return
    for node in order:
        if node.op is not None and node.saved is not None:
            _check_node(node)


def _check_node(node: Node) -> None:
    op, saved = node.op, node.saved
    assert op is not None
    if not isinstance(saved, tuple):
        return
    names = [*op.operands, *op.outputs]
    for name, entry in zip(names, saved, strict=False):
        for value in entry if isinstance(entry, tuple) else (entry,):
            write = _written.get(id(owner(value))) if isinstance(value, np.ndarray) else None
            if write is not None and write.last > node.seq:
                raise OverwrittenError(
                    explain(op.name, f"its derivative needs the value of {name!r}, but one of the variables needed for gradient computation has been modified "
                            f"by an inplace operation since: version {write.count}", "Write the update out of place, or clone() the value first",
                            value=Type(value.shape, value.dtype))  # fmt: skip
                )


def write(t: Tensor, new: Tensor, operation: str) -> Tensor:
    """Give the name t the value `new` (of t's shape after broadcasting, and a dtype that fits), in memory and in the graph."""
    _check_result(t, new, operation)
    base = base_of(t)
    if local.trace is not None:
        _write_recorded(t, base, new, operation)
        return t
    tracked_here = local.grad_enabled and (new._node is not None or t._node is not None or base._node is not None)
    if tracked_here:
        _check_leaf(t, base, operation)
    memory = _memory(t, operation)
    with np.errstate(all="ignore"):
        np.copyto(memory, new._data if memory is t._data else new._data.flat[0], casting="unsafe")
    touch(t)
    if tracked_here:
        if new._node is not None and new._data.dtype != t._data.dtype:
            new = T.cast(new, dtype=t._data.dtype)
        repoint(t, base, new, in_memory=True)
    return t


def _write_recorded(t: Tensor, base: Tensor, new: Tensor, operation: str) -> None:
    """Re-point without touching memory: the recording is a pure program."""
    local.trace.check_write(base, operation)
    if t is not base and base._node is not None and base._node.needs and any(op.name == "detach" for op, _ in path_of(t)):
        raise InplaceError(
            explain(operation, "writes through detach() to a value that is being recorded with its derivative", "Write to a clone(), or return the new value")
        )
    if new._data.dtype != t._data.dtype:
        new = T.cast(new, dtype=t._data.dtype)
    repoint(t, base, new, in_memory=False)


def keep_saved(t: Tensor, node: Node | None, start: int) -> None:
    """Copy what the nodes made since `start` saved of t's memory, which is about to be overwritten: the update itself needs the old value."""
    memory, stack = owner(t._data), [node]
    while stack:
        node = stack.pop()
        if type(node) is not Node or node.seq < start:
            continue
        if isinstance(node.saved, tuple):
            node.saved = tuple(v.copy() if isinstance(v, np.ndarray) and owner(v) is memory else v for v in node.saved)
        stack.extend(node.inputs)


def _check_result(t: Tensor, new: Tensor, operation: str) -> None:
    if new._data.shape != t._data.shape:
        raise ShapeError(
            explain(operation, f"output with shape {list(t._data.shape)} doesn't match the broadcast shape {list(new._data.shape)}")
        )
    if _category(new._data.dtype) > _category(t._data.dtype):
        raise DTypeError(explain(operation, f"result type {new.dtype} can't be cast to the desired output type {t.dtype}"))


def _category(dtype: Any) -> int:
    return {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}[dtype.kind]


def _check_leaf(t: Tensor, base: Tensor, operation: str) -> None:
    if t._node is not None and t._node.op is None:
        raise InplaceError(
            explain(operation, "a leaf Variable that requires grad is being used in an in-place operation", "Update it under no_grad(), or work on a clone()")
        )
    if base is t:
        return
    if base._node is not None and base._node.op is None:
        raise InplaceError(explain(operation, "a view of a leaf Variable that requires grad is being used in an in-place operation", "Update it under no_grad()"))
    if any(op.one_of_many for op, _ in path_of(t)):
        raise InplaceError(
            explain(operation, "this tensor is a view and is being modified inplace. This view is the output of a function that returns multiple views",
                    "Take the piece by slicing, or clone() it")  # fmt: skip
        )
    if "_made_without_grad" in t.__dict__:
        raise InplaceError(
            explain(operation, "A view was created in no_grad mode and is being modified inplace with grad mode enabled", "Make the view, or the write, in the other mode")
        )


def _memory(t: Tensor, operation: str) -> Array:
    """The array to write for t.  Raises InplaceError where two elements lie at one place (one value for all, as in fill_, is no harm) or for read-only memory."""
    array = t._data
    if 0 in array.strides and array.size > 1 and shows_twice(array):
        if operation not in ("fill_", "zero_"):
            raise InplaceError(
                explain(operation, "unsupported operation: more than one element of the written-to tensor refers to a single memory location",
                        "clone() the tensor before the write")  # fmt: skip
            )
        array = once(array)
    if not array.flags.writeable:
        raise InplaceError(explain(operation, "the memory of this tensor is read-only", "clone() the tensor before the write"))
    return array


# --- names after a write


def repoint(t: Tensor, base: Tensor, new: Tensor, in_memory: bool) -> None:
    """Point t at the node of `new`; if t shares memory, give the base and all live views their new values."""
    views = [(v, place_in(base._data, v._data)) for v in views_of(base)]
    value = new if base is t else _with_part(base, t, new, in_memory)
    base._node = value._node
    if not in_memory:
        base._data = value._data
    if views:
        _reread(base, views, in_memory)


def _with_part(base: Tensor, t: Tensor, new: Tensor, in_memory: bool) -> Tensor:
    """The base's value with the elements that t shows replaced by those of `new`."""
    place = place_in(base._data, t._data)
    if place is None:
        return _put_back_along(base, t, new)
    source = handle(base._data, base._node)
    if not in_memory:
        made: Tensor = T.copy_slices(source, new, strides=place.strides, offset=place.offset)
        return made
    # the memory holds the result already: only the node is wanted
    return tracked(REGISTRY["copy_slices"], [source, new], tuple(place), (base._data,))[0]


def _reread(base: Tensor, views: list[tuple[Tensor, Any]], in_memory: bool) -> None:
    """Give live views the node (and, while recording, the array) that reads their elements from the base's new value."""
    whole = handle(base._data, base._node)
    for view, place in views:
        if place is None:
            value = _along(whole, path_of(view))
        elif in_memory:
            value = tracked(REGISTRY["strided_view"], [whole], (view._data.shape, *place), (view._data,))[0]
        else:
            value = T.strided_view(whole, shape=view._data.shape, strides=place.strides, offset=place.offset)
        view._node = value._node
        if not in_memory:
            view._data = value._data


def _along(x: Tensor, path: list[Any]) -> Tensor:
    for op, attrs in path:
        x = getattr(T, op.name)(x, **dict(zip(op.attrs, attrs, strict=True)))
        x = x[attrs[0]] if isinstance(x, tuple) else x
    return x


def _put_back_along(base: Tensor, t: Tensor, new: Tensor) -> Tensor:
    """The base with t's elements replaced, by the derivative rules of the view operators: for bases that are not row-major."""
    path = path_of(t)
    outers = [_along(handle(base._data, base._node), path[:i]) for i in range(len(path))]
    value = handle(new._data, new._node)
    for (op, attrs), outer in zip(reversed(path), reversed(outers), strict=True):
        value = _put_back(op, attrs, outer, value)
    return value


def _put_back(op: Any, attrs: tuple[Any, ...], outer: Tensor, part: Tensor) -> Tensor:
    """`outer` with the elements that the view operator shows replaced by `part`: the view's own VJP puts them in place."""
    rule = op.rules[0]
    known = {"x_type": Type(outer._data.shape, outer._data.dtype), **dict(zip(op.attrs, attrs, strict=True))}

    def spread(g: Tensor) -> Any:
        return rule.function(T, *(g if name == "g" else known[name] for name in rule.reads))

    if part._data.size == outer._data.size:  # a view of all elements: its VJP is its inverse
        return spread(part)  # type: ignore[no-any-return]
    shown = spread(T.ones(Type(part._data.shape, part._data.dtype)))
    return T.where(T.ne(shown, 0), spread(part), outer)  # type: ignore[no-any-return]


def replace_memory(t: Tensor, value: Tensor) -> None:
    """`t.data = value`: t shows value's memory and keeps its place in autograd.  Raises TypeError for anything but a Tensor, RuntimeError for integers."""
    if not isinstance(value, Tensor):
        raise ArgumentError(explain("data", f"Variable data has to be a tensor, but got {type(value).__name__}"))
    node = t._node
    if local.trace is not None:
        local.trace.check_write(t, "data")
        t._data, t._node = value._data, T.detach(value)._node
        return
    if node is not None and value._data.dtype.kind not in "fc":
        raise InplaceError(explain("data", "data set to a tensor that requires gradients must be floating point or complex dtype", got=value.dtype))
    if node is not None and node.op is not None and (value._data.shape, value._data.dtype) != (node.shape, node.dtype):
        raise InplaceError(explain("data", "a tensor that an operation made keeps its shape and dtype", have=node.type, got=Type(value._data.shape, value._data.dtype)))
    if is_view(t) or hasattr(t, "_views"):
        cut(t)
    t._data = value._data
    if node is not None:
        node.shape, node.dtype = value._data.shape, value._data.dtype


# --- the methods


def _direct(t: Tensor) -> bool:
    """Whether a write to t needs no node: nobody records, and t is not followed or grad mode is off."""
    if local.trace is not None:
        return False
    if t._node is None and (not hasattr(t, "_view") or base_of(t)._node is None):
        return True
    return not local.grad_enabled


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
    operand_count = len(op.operands) - 1

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if ufunc is not None and len(args) == operand_count and (not kwargs or scalable) and _direct(self):
            operands = _raw_operands(self._data, args, kwargs)
            if operands is not None:
                try:
                    quiet(ufunc, self._data, *operands, self._data)
                except (TypeError, ValueError, OverflowError, RuntimeError):  # the general path says what is wrong
                    pass
                else:
                    touch(self)
                    return self
        start = tick()
        new = function(self, *args, **kwargs)
        keep_saved(self, new._node, start)
        return write(self, new, operation)

    method.__name__ = method.__qualname__ = operation
    method.__doc__ = f"In-place version of `{op.name}`: writes the result into this tensor and returns it."
    return method


def _raw_operands(a: Array, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any] | None:
    """The operands after the first as what a ufunc may combine with `a` without any promotion; None when the general path must decide."""
    d = a.dtype
    if (d is not F32 and d is not F64) or not a.flags.writeable or 0 in a.strides:
        return None
    raw: list[Any] = []
    for value in args:
        if type(value) is Tensor:
            if value._data.dtype is not d or (value._node is not None and local.grad_enabled):
                return None
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


def _assign(t: Tensor, source: Any, kind: str, operation: str) -> Tensor:
    """Overwrite all of t with a Tensor or number that broadcasts to it, whatever its dtype."""
    followed = isinstance(source, Tensor) and source._node is not None and local.grad_enabled
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
    return write(t, T.overwrite(t, source, kind=kind), operation)


def _check_source(t: Tensor, value: Any, operation: str) -> None:
    shape = value.shape if isinstance(value, np.ndarray) else ()
    if shape and shape != t._data.shape and (len(shape) > t._data.ndim or broadcast(operation, t._data.shape, shape) != t._data.shape):
        raise ShapeError(explain(operation, f"source of shape {list(shape)} does not broadcast to shape {list(t._data.shape)}"))


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite self with src, broadcast and converted to self's dtype; gradients flow to src.  Raises RuntimeError for a shape that does not fit."""
    if not isinstance(src, (Tensor, *NUMBERS)):
        raise ArgumentError(explain("copy_", f"src must be a Tensor, got {type(src).__name__}"))
    return _assign(self, src, "copy", "copy_")


def fill_(self: Tensor, value: Any) -> Tensor:
    """Overwrite every element with a number or 0-d tensor.  Raises RuntimeError for a tensor with axes."""
    if isinstance(value, Tensor):
        if value._data.ndim:
            raise ShapeError(explain("fill_", f"only supports 0-dimension value tensor but got tensor with {value._data.ndim} dimensions"))
        return _assign(self, value, "fill", "fill_")
    if not isinstance(value, (*NUMBERS, np.generic)):
        raise ArgumentError(explain("fill_", f"value must be a number or a 0-d Tensor, got {type(value).__name__}"))
    return _assign(self, value.item() if isinstance(value, np.generic) else value, "number", "fill_")


def zero_(self: Tensor) -> Tensor:
    """Overwrite every element with zero."""
    if _direct(self) and self._data.flags.writeable:
        self._data.fill(0)
        touch(self)
        return self
    return _assign(self, 0, "zero", "zero_")


METHODS = {"copy_": copy_, "fill_": fill_, "zero_": zero_}

__all__ = ["METHODS", "check_not_overwritten", "in_place", "input_type", "replace_memory", "repoint", "touch", "version", "write"]
