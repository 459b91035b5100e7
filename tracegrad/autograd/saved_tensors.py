"""What a Function's save_for_backward keeps, and how it comes back."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from tracegrad.autograd.saving import Entry, Hooks, current_hooks
from tracegrad.config import local
from tracegrad.eager.clock import version
from tracegrad.eager.inference import refuse_saving
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DifferentiationError, GraphFreedError, OverwrittenError, explain
from tracegrad.ir.builder import projection
from tracegrad.ir.node import FREED, Node
from tracegrad.ir.types import Type


class SavedTensors:
    """What save_for_backward kept: arguments and other Tensors as they are, results without a reference to their own node."""

    __slots__ = ("entries", "node", "pieces")

    def __init__(
        self, tensors: Sequence[Tensor | None], results: Sequence[Tensor | None], node: Node, pieces: Sequence[Node]
    ) -> None:
        at = {id(r): i for i, r in enumerate(results) if r is not None}
        refuse_saving("save_for_backward", [t._data for t in tensors if t is not None], tensors)
        self.entries = [None if t is None else _entry(t, at.get(id(t)), pieces) for t in tensors]
        self.node, self.pieces = weakref.ref(node), [weakref.ref(p) for p in pieces]

    @staticmethod
    def of(node: Node, raw: bool = False) -> tuple[Any, ...]:
        """The saved tensors of a node; raw: as `ctx._raw_saved_tensors` gives them.  Raises GraphFreedError after a backward that did not retain the graph."""
        saved = node.saved
        if saved is FREED:
            raise GraphFreedError(
                explain(
                    "saved_tensors",
                    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed)",
                    "Pass retain_graph=True to the first call to keep them",
                )
            )
        return saved.unpack(raw) if isinstance(saved, SavedTensors) else ()

    def unpack(self, raw: bool = False) -> tuple[Any, ...]:
        """The Tensors, with their history.  Raises OverwrittenError when one was written in place since it was saved."""
        if raw:
            return tuple(SavedTensor(self, i) for i in range(len(self.entries)))
        found = tuple(None if e is None else self._restore(*e) for e in self.entries)
        duals = None if local.watch is None else local.watch.duals
        return found if duals is None else tuple(map(duals.restore, found))

    def _restore(self, tensor: Tensor | None, data: Any, source: Node | None, index: int | None, count: int) -> Tensor:
        if type(data) is Entry:
            data = data.read()
        elif (now := version(handle(data, None))) != count:
            raise OverwrittenError(
                explain(
                    "saved_tensors",
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"it is at version {now}; expected version {count} instead",
                    "Write the update out of place, or clone() the value first",
                    value=Type(data.shape, data.dtype),
                )
            )
        if index is not None:
            node = self.node()
            piece = self.pieces[index]()
            return handle(data, piece if piece is not None or node is None else projection(node, index))
        same = tensor is not None and tensor._node is source and tensor._data is data
        return tensor if tensor is not None and same else handle(data, source)


class SavedTensor:
    """One of them, for `ctx._raw_saved_tensors`."""

    __slots__ = ("_at", "_saved")

    def __init__(self, saved: SavedTensors, at: int) -> None:
        self._saved, self._at = saved, at

    def register_hooks(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        """Keep what pack_hook makes of the value from now on, and give unpack_hook's answer to backward.  Raises RuntimeError the second time, TypeError for hooks that cannot be called."""
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise ArgumentError(
                explain("register_hooks", "incompatible function arguments: the hooks must be callable")
            )
        entry = self._saved.entries[self._at]
        if entry is None or type(entry[1]) is Entry:
            problem = (
                "Calling register_hooks on a saved tensor whose hooks have already been set, or on None, is not allowed"
            )
            raise DifferentiationError(explain("register_hooks", problem))
        tensor, data, source, index, _ = entry
        shown = tensor if tensor is not None else handle(data, source)
        packed = Entry(Hooks(pack_hook, unpack_hook), shown, index is not None)
        self._saved.entries[self._at] = (None, packed, source, index, 0)


def _entry(t: Tensor, index: int | None, pieces: Sequence[Node]) -> tuple[Any, ...]:
    hooks = current_hooks()
    if hooks is not None:
        shown = t if index is None else handle(t._data, pieces[index])
        return None, Entry(hooks, shown, index is not None), t._node if index is None else None, index, 0
    kept = None if index is not None else t
    return kept, t._data, None if index is not None else t._node, index, version(t)


__all__ = ["SavedTensors"]
