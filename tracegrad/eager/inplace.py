"""In-place operators and the clock of writes.

A Tensor is a name, a Node is a value: an in-place operator makes a new value, writes the memory, and re-points the name and those of the live views.  Only the
in-place operator pays; ordinary operators keep no version numbers.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import base_of, path_of, views_of
from tracegrad.errors import DTypeError, InplaceError, OverwrittenError, ShapeError, explain
from tracegrad.ir.node import Node, tick
from tracegrad.ir.sweep import input_type
from tracegrad.ir.types import Type

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
        local.trace.check_write(base, operation)
        if new._data.dtype != t._data.dtype:
            new = T.cast(new, dtype=t._data.dtype)
        repoint(t, base, new, in_memory=False)
        return t
    tracked = new._node is not None or t._node is not None or base._node is not None
    if tracked and local.grad_enabled:
        _check_leaf(t, base, operation)
    if not t._data.flags.writeable:
        _refuse_shared(t, operation)
    np.copyto(t._data, new._data, casting="unsafe")
    touch(t)
    if tracked and local.grad_enabled:
        if new._node is not None and new._data.dtype != t._data.dtype:
            new = T.cast(new, dtype=t._data.dtype)
        repoint(t, base, new, in_memory=True)
    return t


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
    if base is not t and base._node is not None and base._node.op is None:
        raise InplaceError(explain(operation, "a view of a leaf Variable that requires grad is being used in an in-place operation", "Update it under no_grad()"))


def _refuse_shared(t: Tensor, operation: str) -> None:
    raise InplaceError(
        explain(operation, "unsupported operation: more than one element of the written-to tensor refers to a single memory location", "clone() the tensor before the write")
    )


def repoint(t: Tensor, base: Tensor, new: Tensor, in_memory: bool) -> None:
    """Point t at the node of `new`; if t shares memory, give the base and all live views their new values."""
    if base is t:
        t._node = new._node
        if not in_memory:
            t._data = new._data
    else:
        chain = [handle(base._data, base._node)]
        for op, attrs in path_of(t):
            chain.append(_apply(op, chain[-1], attrs))
        value = handle(new._data, new._node)
        for (op, attrs), outer in zip(reversed(path_of(t)), reversed(chain[:-1]), strict=True):
            value = _put_back(op, attrs, outer, value)
        base._node = value._node
        if not in_memory:
            base._data = value._data
    for view in views_of(base):
        value = handle(base._data, base._node)
        for op, attrs in path_of(view):
            value = _apply(op, value, attrs)
        view._node = value._node
        if not in_memory:
            view._data = value._data


def _apply(op: Any, x: Tensor, attrs: tuple[Any, ...]) -> Tensor:
    made: Tensor = getattr(T, op.name)(x, **dict(zip(op.attrs, attrs, strict=True)))
    return made


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


def in_place(operation: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The in-place method `operation` made from the out-of-place function."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        start = tick()
        new = function(self, *args, **kwargs)
        keep_saved(self, new._node, start)
        return write(self, new, operation)

    method.__name__ = method.__qualname__ = operation
    method.__doc__ = f"In-place version of `{function.__name__}`: writes the result into this tensor and returns it."
    return method


__all__ = ["check_not_overwritten", "in_place", "input_type", "repoint", "touch", "version", "write"]
