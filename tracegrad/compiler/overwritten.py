"""Writes in place that a recording keeps out of memory, remembered so that a backward inside it refuses what the tape would refuse."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np

from tracegrad.eager.views import owner
from tracegrad.errors import OverwrittenError, explain
from tracegrad.ir.node import Node, tick
from tracegrad.ir.types import Type

Array = np.ndarray[Any, Any]


class Overwritten:
    """The blocks of memory that eager code would have written since the recording began, and when."""

    def __init__(self) -> None:
        self._written: dict[int, tuple[Any, int]] = {}

    def note(self, array: Array) -> None:
        """Note that the memory of an array would be written now."""
        memory, written = owner(array), self._written
        key = id(memory)
        written[key] = weakref.ref(memory, lambda _: written.pop(key, None)), tick()

    def first(self, order: Iterable[Node]) -> tuple[Node, str, Array] | None:
        """A node of these that has saved what would have been overwritten since, with the value and its name."""
        if self._written:
            for node in order:
                for name, value in saved_arrays(node):
                    if self._written.get(id(owner(value)), (None, 0))[1] > node.seq:
                        return node, name, value
        return None

    def check(self, order: Iterable[Node]) -> None:
        """Raises OverwrittenError for a backward through these nodes that needs what would have been overwritten."""
        found = self.first(order)
        if found is not None:
            node, name, value = found
            raise OverwrittenError(
                explain(
                    node.op.name if node.op is not None else "backward",
                    f"its derivative needs the value of {name!r}, but one of the variables needed for gradient computation has been modified "
                    "by an inplace operation",
                    "Write the update out of place, or clone() the value first",
                    value=Type(value.shape, value.dtype),
                )
            )


def saved_arrays(node: Node) -> list[tuple[str, Array]]:
    """The values that the tape would have saved for the derivative of a recorded node, by their names."""
    op, saved = node.op, node.saved
    if op is None or not isinstance(saved, tuple) or op.name == "custom_call":  # whose ctx looks after itself
        return []
    custom, last = hasattr(op, "vjp"), len(op.operands) - 1
    followed = {min(i, last) for i, n in enumerate(node.inputs) if isinstance(n, Node) and n.needs}
    found = []
    for k, (name, entry) in enumerate(zip((*op.operands, *op.outputs), saved, strict=False)):
        if custom or not followed.isdisjoint(op.saves[k]):
            values = entry if isinstance(entry, tuple) else (entry,)
            found += [
                (name, v) for i, v in enumerate(values) if isinstance(v, np.ndarray) and op.reads_saved(node, name, i)
            ]
    return found


__all__ = ["Overwritten", "saved_arrays"]
