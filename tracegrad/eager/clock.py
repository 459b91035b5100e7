"""The clock of writes: how often and when each block of memory was written in place, and whether a saved value was overwritten since.

Ordinary operators keep no version numbers; a backward compares the sequence numbers of nodes with those of writes.
"""

from __future__ import annotations

import weakref
from sys import getrefcount
from typing import Any

import numpy as np

from tracegrad.eager.marked import written
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import base_of, owner
from tracegrad.errors import OverwrittenError, explain
from tracegrad.ir.node import Node, tick
from tracegrad.ir.types import Type

Array = np.ndarray[Any, Any]
_ndarray = np.ndarray
APART = "_apart"  # of what `.data` gave: how often it was written, which torch does not count for the tensor itself


class Write:
    """How often one block of memory was written, and when last; `unseen`: how often through `.data`, None while nobody asked for that."""

    __slots__ = ("count", "last", "reference", "unseen")

    def __init__(self, reference: Any) -> None:
        self.reference, self.count, self.last = reference, 0, 0
        self.unseen: Any = None


_written: dict[int, Write] = {}


class _Clock:
    last = 0  # sequence number of the last write anywhere


def set_apart(t: Tensor, count: int = 0) -> Tensor:
    """Let writes through t, which `.data` gave or was given, count for t alone: backward notices them like any other, `_version` of other names does not."""
    t.__dict__[APART] = count
    memory = t._data
    while type(memory.base) is _ndarray:
        memory = memory.base
    write = _written.get(id(memory)) or _entry(memory)
    if write.unseen is None:
        write.unseen = 0
    return t


def _entry(memory: Array) -> Write:
    key = id(memory)
    return _written.get(key) or _written.setdefault(key, Write(weakref.ref(memory, lambda _: _written.pop(key, None))))


def _apart(t: Tensor) -> dict[str, Any] | None:
    """Where the writes through t are counted if t, or what t is a view of, came from `.data`."""
    if APART not in t.__dict__:
        t = base_of(t)
    return t.__dict__ if APART in t.__dict__ else None


def touch(t: Tensor) -> None:
    """Note that t's memory was written now."""
    memory = t._data
    while type(memory.base) is _ndarray:
        memory = memory.base
    write = _written.get(id(memory)) or _entry(memory)
    if write.unseen is None:
        write.count += 1
    elif APART in t.__dict__:
        t.__dict__[APART] += 1
        write.unseen += 1
    elif _is_seen(t, write):
        write.count += 1
    write.last = _Clock.last = tick()
    if (type(t) is not Tensor or t._node is not None) and getrefcount(memory) > _ALONE:
        written(t if memory is t._data else base_of(t))


def _references(t: Tensor) -> int:
    """How many references to t's memory `touch` counts."""
    memory = t._data
    while type(memory.base) is _ndarray:
        memory = memory.base
    return getrefcount(memory)


# no view shows memory that has no more references than this; asking an unset slot for views takes ten times as long
_ALONE = _references(handle(np.empty(1), None))


def _is_seen(t: Tensor, write: Write) -> bool:
    apart = _apart(t)
    if apart is None:
        return True
    apart[APART] += 1
    write.unseen += 1
    return False


def version(t: Tensor) -> int:
    """How often t's memory was written in place (torch's `_version`); for what `.data` gave, since then and through it."""
    write = _written.get(id(owner(t._data)))
    if write is None:
        return 0
    apart = None if write.unseen is None else _apart(t)
    return write.count if apart is None else int(apart[APART])


def writes(t: Tensor) -> tuple[int, int]:
    """How often t's memory was written, and when last."""
    write = _written.get(id(owner(t._data)))
    return (0, 0) if write is None else (write.count, write.last)


def set_writes(t: Tensor, known: tuple[int, int]) -> None:
    """Forget the writes to t's memory since `writes(t)` gave this."""
    write = _entry(owner(t._data))
    write.count, write.last = known


def moved(old: Array, new: Array) -> None:
    """Note that the memory that `old` owns lies where `new` is from now on, with its count of writes."""
    write = _written.get(id(old))
    if write is not None:
        entry = _entry(new)
        entry.count, entry.last, entry.unseen = write.count, write.last, write.unseen


def written_since(memory: Array, seq: int) -> bool:
    """Whether the block of memory that this array owns was written after `seq` on the sequence clock."""
    write = _written.get(id(memory))
    return write is not None and write.last > seq


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
        for i, value in enumerate(entry if isinstance(entry, tuple) else (entry,)):
            write = _written.get(id(owner(value))) if isinstance(value, np.ndarray) else None
            if write is not None and write.last > node.seq and op.reads_saved(node, name, i):
                raise OverwrittenError(
                    explain(
                        op.name,
                        f"its derivative needs the value of {name!r}, but one of the variables needed for gradient computation has been modified "
                        f"by an inplace operation: it is at version {write.count + (write.unseen or 0)}; expected an earlier version instead",
                        "Write the update out of place, or clone() the value first",
                        value=Type(value.shape, value.dtype),
                    )
                )
