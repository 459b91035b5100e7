"""One more recording of a call, on arguments with other sizes and without effects: nothing that the function does to Tensors, generators or Python objects remains."""

from __future__ import annotations

import copy
from collections import deque
from types import CellType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracegrad import config
from tracegrad.compiler.arguments import Arguments
from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.collection import no_collection
from tracegrad.compiler.effects import ending_of
from tracegrad.compiler.host import hosting
from tracegrad.compiler.places import Replaced
from tracegrad.compiler.rolling import Recorded
from tracegrad.compiler.state import State
from tracegrad.compiler.tree import Tree
from tracegrad.compiler.walk import MISSING
from tracegrad.compiler.watch import Surroundings, watch
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import TraceError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.types import Type, size_of

if TYPE_CHECKING:
    from tracegrad.compiler.compile import Compiled

LONGER, LONG = 8, 1000  # how many operators a recording may have: so many for each of the first one, and some more
LARGEST_INT = 1 << 16  # above it an int is hardly a size


class Axis(NamedTuple):
    """An axis of an argument; with argument -1 an int of this value among them."""

    argument: int
    dim: int


def axes_of(call: Arguments) -> dict[Axis, int]:
    """The axes that can have another size: 0 and 1 have rules of their own."""
    return {
        Axis(i, dim): size for i, t in enumerate(call.tensors) for dim, size in enumerate(t._data.shape) if size > 1
    }


def integers_of(call: Arguments) -> dict[Axis, int]:
    """The ints of the signature that can be sizes."""
    found: dict[Axis, int] = {}
    stack: list[Any] = [call.key[0], call.key[1]]
    while stack:
        part = stack.pop()
        if type(part) is tuple:
            if len(part) == 2 and part[0] is int and type(part[1]) is int and 1 < part[1] < LARGEST_INT:
                found[Axis(-1, part[1])] = part[1]
            stack.extend(part)
    return found


class Resized(Arguments):
    """The arguments of a call with other sizes."""

    __slots__ = ("instead",)

    @classmethod
    def of(cls, call: Arguments, change: dict[Axis, int]) -> Resized:
        """The same objects and containers; Tensors with these axes changed, and ints."""
        made = cls.__new__(cls)
        for name in Arguments.__slots__:
            setattr(made, name, [] if name in ("_places", "_made") else getattr(call, name))
        made.instead = {axis.dim: new for axis, new in change.items() if axis.argument < 0}
        done: dict[int, Tensor] = {}
        made.tensors = []
        for i, t in enumerate(call.tensors):
            if id(t) not in done:
                done[id(t)] = resized(t, {axis.dim: new for axis, new in change.items() if axis.argument == i})
            made.tensors.append(done[id(t)])
        return made


def resized(t: Tensor, sizes: dict[int, int]) -> Tensor:
    """A Tensor of the same kind with other sizes along these axes."""
    if not sizes:
        return t
    made = handle(_filled(t._data, sizes), None)
    if t.requires_grad:
        made._node = make_leaf(Type(made._data.shape, made._data.dtype), needs=True)
        if t._node is not None and t._node.op is not None:
            before = config.set_grad_enabled(True)
            try:
                made = T.alias(made)
            finally:
                config.set_grad_enabled(before)
    made.__class__ = type(t)
    made.__dict__.update(t.__dict__)
    grad = getattr(t, "_grad", None)
    if grad is not None:
        made._grad = resized(grad, sizes)
    return made


def _filled(array: Any, sizes: dict[int, int]) -> Any:
    """The array again and again, or a part of it, laid out in the same way; square matrices along the diagonal, so that they stay regular."""
    order = sorted(range(array.ndim), key=lambda dim: -abs(array.strides[dim]))
    shown = array.transpose(order)
    made = shown
    for dim, size in sizes.items():
        made = np.take(made, np.arange(size) % array.shape[dim], axis=order.index(dim))
    made = made.copy()
    last = array.ndim - 1
    if last > 0 and {last - 1, last} <= set(sizes) and array.shape[-1] == array.shape[-2] and array.dtype.kind in "fc":
        blocks = np.arange(sizes[last]) // array.shape[-1]
        made.transpose(np.argsort(order))[...] *= blocks[:, None] == blocks
    if not shown.flags.c_contiguous:
        made = _loose(made, shown)
    return made.transpose(np.argsort(order))


def _loose(made: Any, like: Any) -> Any:
    """The values with room between rows, or elements, where the other array has some; or shown again and again as there."""
    if like.strides[-1] == 0:
        return np.broadcast_to(made[..., :1], made.shape)
    steps = [b * n for b, n in zip(like.strides[1:], like.shape[1:], strict=True)]  # between rows without room
    room = [n + (a != b) for n, a, b in zip(made.shape[1:], like.strides, steps, strict=False)]
    by = 1 if like.strides[-1] == like.itemsize else 2
    extent = [made.shape[0], *room]
    extent[-1] *= by
    found = np.zeros(extent, made.dtype)[tuple([slice(n) for n in made.shape[:-1]])][..., : by * made.shape[-1] : by]
    found[...] = made
    return found


class Counted(Recorded):
    """The nodes of a recording that ends when they become too many: what converges for the real values may not for others."""

    most = 0

    def add(self, node: Node) -> None:
        """Note a node."""
        super().add(node)
        if len(self.nodes) > self.most:
            raise NotCompilable("takes far longer at other sizes", None)


class Again(CallTrace):
    """The recording of a call that has been recorded: it ends before anything happens that a replay would not do."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(what)
        self.recorded = Counted()
        self.recorded.most = most

    def give_up(self, reason: str) -> None:
        """Raises NotCompilable."""
        raise NotCompilable(reason, None)


class NoProgram:
    """Stands in a tree that is never run."""

    remote = False


class Recorder:
    """Records a call at other sizes.

    problem   why the last recording failed        error   with what
    """

    def __init__(self, compiled: Compiled, call: Arguments, tree: Tree, trace: CallTrace) -> None:
        self.compiled, self.call, self.tree, self.exact = compiled, call, tree, trace.exact
        self.most = LONGER * max(trace.recorded.total, len(trace.recorded.nodes)) + LONG
        self.name = f"compile({getattr(compiled.function, '__name__', 'compile')})"
        self.problem = ""
        self.error: Exception | None = None

    def size(self, change: dict[Axis, int] | None = None) -> int:
        """The elements of all arguments, perhaps with other sizes."""
        total = 0
        for i, t in enumerate(self.call.tensors):
            shape = t._data.shape
            total += size_of(tuple([(change or {}).get(Axis(i, dim), size) for dim, size in enumerate(shape)]))
        return total

    def graphs(self, change: dict[Axis, int]) -> list[Graph] | None:
        """The pieces of the recording with these sizes; None where there is none.  Raises TraceError where Python objects have changed and cannot be put back."""
        self.problem, self.error = "", None
        compiled, call = self.compiled, Resized.of(self.call, change)
        trace = Again(self.name, self.most)
        trace.exact = self.exact
        watched = watch(compiled.function, *call.objects, codes=compiled._codes, state=self.tree.watched.asked)
        watched.variable = self.tree.watched.variable
        before = Before(watched)
        floats = Replaced(trace, watched.places(), State(trace, watched))
        taken: Any = None
        try:
            with no_collection(), floats, hosting(trace, watched, floats):
                result = compiled._record(trace, call, watched)
            with no_collection():
                taken = ending_of(trace, floats.state.with_result(result), compiled._programs.of)
        except NotCompilable as stop:
            self.problem = f"the function {stop.reason}"
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error!s:.200}"
            self.error = error.with_traceback(None)
        finally:
            trace.outside.restore()
            trace.close()
            trace.give_back()
        if not watched.still_valid():
            taken, self.problem = None, "the function changes a Python object"
            before.put_back()
        try:
            return None if taken is None else self._pieces(trace, watched, *taken)
        except NotCompilable as stop:
            self.problem = f"the function {stop.reason}"
            return None

    def _pieces(
        self, trace: CallTrace, watched: Surroundings, sources: Any, ending: Any, roots: list[Any]
    ) -> list[Graph]:
        """The graphs of a recording, as the tree of a call cuts it."""
        found: list[Graph] = []

        def keep(graph: Graph, any_size: bool) -> Any:
            found.append(graph)
            return NoProgram

        tree = Tree(watched, keep)
        tree.names = self.tree.names
        if not trace.decisions:
            roots = trace.recorded.roll(list(sources), roots, str(self.compiled.backend))
        tree.add(sources, trace.decisions, ending, roots, trace.recorded.found)
        return found


class Before:
    """What the surroundings of a function hold, to be put back."""

    def __init__(self, watched: Surroundings) -> None:
        walk = watched.walk
        self.watched = watched
        self.entries, self.cells = list(walk.entries), list(walk.cells)
        tables = [*walk.containers, *walk.sized]
        self.contents = [(c, copy.copy(c)) for c in tables if isinstance(c, (list, dict, set, deque))]

    def put_back(self) -> None:
        """Let all be as it was.  Raises TraceError where that cannot be."""
        for container, held in self.contents:
            if isinstance(container, list):
                container[:] = held
            elif isinstance(container, dict) and not _same(container, held):
                container.clear()
                container.update(held)
            elif not isinstance(container, dict):
                container.clear()
                (container.update if isinstance(container, set) else container.extend)(held)
        for table, key, value in self.entries:
            if isinstance(table, dict) and table.get(key, MISSING) is not value:
                if value is MISSING:
                    del table[key]
                else:
                    table[key] = value
        for cell, value in self.cells:
            _put(cell, value)
        if not self.watched.still_valid():
            problem = "the function changes a Python object at another size, which cannot be put back"
            raise TraceError(explain("compile", problem, "Leave out dynamic=True and mark_dynamic, or that part"))


def _same(table: dict[Any, Any], other: dict[Any, Any]) -> bool:
    return list(table) == list(other) and all(a is b for a, b in zip(table.values(), other.values(), strict=True))


def _put(cell: CellType, value: Any) -> None:
    if value is not MISSING:
        cell.cell_contents = value
    elif getattr(cell, "cell_contents", MISSING) is not MISSING:
        del cell.cell_contents
