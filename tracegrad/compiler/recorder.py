"""Trace: everything that is recorded while a function runs once.

The function runs with real values, so every operator computes as usual; each also becomes a node.  A tensor of the outside world becomes a capture, which is read
again at every call.  A value that leaves the recording (`if`, `.item()`, printing) is refused here with the user's line, because a replay would not see it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd import templates as templates  # autograd.Function asks it while a recording runs
from tracegrad.compiler.counted import counted_outside
from tracegrad.compiler.handlers import computed_or_noted
from tracegrad.compiler.ownership import at as at
from tracegrad.compiler.ownership import user_location as user_location
from tracegrad.compiler.plain import record_plain
from tracegrad.compiler.rolling import Recorded
from tracegrad.config import local
from tracegrad.eager.dispatch import T, has_rules
from tracegrad.eager.generator import Generator, default_generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import link
from tracegrad.errors import TraceError, explain
from tracegrad.ir.builder import projections
from tracegrad.ir.graph import Graph, evaluate
from tracegrad.ir.node import Node, make_leaf, make_node, tick
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.types import Type
from tracegrad.slots import slots


class Trace:
    """One recording.  `what` names it in errors; `reads` says whether values may leave (a graph that is used once, for these very values)."""

    def __init__(self, what: str, reads: bool = False) -> None:
        self.what = what
        self.parent: Trace | None = local.trace
        self.reads = reads and (self.parent is None or self.parent.reads)
        self.asks = reads and not self.reads and self.parent is not None and (self.parent.decides or self.parent.asks)
        self.counts = self.counts or (self.asks and self.parent is not None and self.parent.counts)
        self.given: list[Tensor] = []  # what the inputs stand for outside, where asks
        self.start = tick()
        self.inputs: list[Node] = []
        self.axes: list[int | None] = []  # under vmap: where the caller has the batch of each of them
        self.captured: dict[int, tuple[Tensor, Node]] = {}
        self._captured_nodes: dict[Node, Any] = {}  # with the array of the value
        self.random_keys: list[tuple[Tensor, Generator]] = []
        self.followed: list[Tensor] = []  # what Functions left for their backward, with its history
        self._made: list[weakref.ref[Tensor]] = []
        self.begun: dict[Node, tuple[weakref.ref[Tensor], Any]] = {}  # where derivatives begin inside: whose, its value
        self._constants: dict[Node, Node] = {}
        self.recorded = Recorded()

    decides = False  # whether values may decide, each at every replay
    stops: tuple[type[BaseException], ...] = ()  # by which a recording is ended
    postponed: tuple[type[BaseException], ...] = ()  # those for a rule that decides by a cotangent
    given_up: Any = None  # why later calls are to run the function itself
    counts = False  # whether values may decide how large a result is, with only its size compared at replays
    on_tape = False  # whether the user may differentiate results again on the tape: rules then have the steps whose derivative is 0
    values_known = True  # False while the rules of a custom Function are recorded on stand-ins

    def leaf(self, data: np.ndarray[Any, Any], number: bool = False, needs: bool = False) -> Tensor:
        """An argument of the recorded function.

        `number` marks a Python float, which follows the dtype of the tensors that it meets; `needs` an argument that requires grad.
        """
        node = make_leaf(Type(data.shape, data.dtype), needs=needs)
        self.inputs.append(node)
        t = handle(data, node)
        if needs:
            node.extra = weakref.ref(t)
        if number:
            t.__dict__["_is_number"] = True
        self._made.append(weakref.ref(t))
        return t

    def begin_leaf(self, t: Tensor) -> None:
        """Let derivatives begin at a value of this recording: requires_grad_() on it.  backward() will fill its .grad."""
        t._node = make_node(REGISTRY["alias"], (self.node_of(t),), (), Type(t._data.shape, t._data.dtype))
        self.recorded.add(t._node)
        self.begun[t._node] = weakref.ref(t), t._data
        slots.retain_grad(t)

    def end_leaf(self, t: Tensor) -> None:
        """Let no derivative begin at t any more: requires_grad_(False)."""
        t._node = self.constant(self.node_of(t))

    def name(self, t: Tensor) -> Tensor:
        """Another name for the value of t."""
        followed = t._node is not None and t._node.needs  # then with memory of its own, where writes may matter
        made = handle(t._data.copy() if followed else t._data, t._node)
        self._made.append(weakref.ref(made))
        return made

    def _unnoted(self, _: Any) -> None:
        """What only the recordings of calls note: states that are made, hooks of steps, and what a sweep needs."""

    adopt = step_hook = check_intact = _unnoted

    def begins_at(self, base: Tensor) -> bool:
        """Whether derivatives begin at this name."""
        return base._node in self.begun

    def original(self, t: Tensor) -> Tensor | None:
        """The outer Tensor of an argument that is no leaf; None for all else."""
        return self.parent.original(t) if self.parent is not None else None

    def number(self, t: Tensor) -> Any:
        """What `.item()` gives where that stays in the recording; None where Python's number is to be read."""
        self.leave(t, "item")

    def note_grad(self, t: Tensor, reads: bool = True) -> None:
        """`.grad` of a Tensor is read, or set anew."""

    computed = computed_or_noted

    def failed(self) -> None:
        """An operator has raised an error for these values, which the user's code may catch."""
        if self.parent is not None:
            self.parent.failed()

    def refuse(self, reason: str) -> None:
        """Raises TraceError for what a replay would not do again; a recording around this one decides what becomes of it."""
        if self.parent is not None:
            self.parent.refuse(reason)
        where = at(user_location())
        raise TraceError(explain(self.what, f"{reason}{where}", "Do it outside the recorded function"))

    def owns(self, t: Tensor) -> bool:
        """Whether t was made in this recording (its arguments were not)."""
        node = t._node
        return node is not None and node.seq > self.start and not any(node is i for i in self.inputs)

    def is_known(self, t: Tensor) -> bool:
        """Whether t's value is the same at every replay: it is computed from no argument and no random numbers."""
        varying: set[int] = set()
        trace: Trace | None = self
        while trace is not None:
            varying.update(id(n) for n in trace.inputs)
            varying.update(id(trace.captured[id(key)][1]) for key, _ in trace.random_keys if id(key) in trace.captured)
            trace = trace.parent
        outer = self.parent is not None and (self.parent.decides or self.parent.asks)
        captured = {n: c for c, n in self.captured.values()} if outer else {}
        if outer and self.parent is not None and (t._node is None or t._node.seq <= self.start):
            return bool(self.parent.is_known(t))
        stack = [t._node]
        while stack:
            node = stack.pop()
            if id(node) in varying:
                return False
            if node in captured and self.parent is not None and not self.parent.is_known(captured[node]):
                return False
            if node is not None:
                stack.extend(n for n in node.inputs if isinstance(n, Node))
        return True

    def node_of(self, operand: Any) -> Any:
        """The node of a Tensor (a capture, for one of the outside world); a number stays as it is."""
        if not isinstance(operand, Tensor):
            return operand
        node = operand._node
        if node is not None and node.seq > self.start:
            return node
        found = self.captured.get(id(operand))
        if found is None:
            if node is not None and node in self._captured_nodes:
                if self._captured_nodes[node] is operand._data:  # another name for that value
                    return node
                node = make_leaf(Type(operand._data.shape, operand._data.dtype), needs=node.needs)
            elif node is None:
                node = make_leaf(Type(operand._data.shape, operand._data.dtype))
            self._captured_nodes[node] = operand._data
            found = self.captured[id(operand)] = (operand, node)
        return found[1]

    def plain(self, op: type[Op], args: tuple[Any, ...]) -> Tensor | None:
        """The result of an elementwise operator on floating Tensors of one type, noted quickly; None for all others."""
        return record_plain(self, op, args, user_location)

    def record(self, op: type[Op], operands: Sequence[Any], attrs: tuple[Any, ...], arrays: tuple[Any, ...]) -> Any:
        """Note one operator that has computed `arrays`; returns its Tensor, or a tuple of them."""
        if op.value_dependent and not any(op.rules):  # its values may be read, so they are the same at every use
            if self.asks and self.counts:
                return counted_outside(self, op, operands, attrs)
            return tuple(handle(a, None) for a in arrays) if op.several() else handle(arrays[0], None)
        nodes = tuple([self.node_of(o) for o in operands])
        if local.grad_enabled:
            needs = has_rules(op) and any(n.needs for n in nodes if n.__class__ is Node)
        else:
            nodes, needs = tuple([self.constant(n) for n in nodes]), False
        several = op.several()
        needs = needs and (several or arrays[0].dtype.kind in "fcV")
        types = [Type(a.shape, a.dtype) for a in arrays]
        node = make_node(op, nodes, attrs, tuple(types) if several else types[0], needs=needs, extra=user_location())
        self.recorded.add(node)
        if needs and (op.reads_values or hasattr(op, "vjp")):
            values = tuple([o._data if isinstance(o, Tensor) else o for o in operands])
            node.saved = (*op.group(values), *arrays)
        made = self._several(op, node, arrays) if several else (handle(arrays[0], node),)
        for t in made:
            self._made.append(weakref.ref(t))
            if op.view and isinstance(operands[0], Tensor):
                link(operands[0], t, op, attrs)
        if op.elementwise and all(is_number(o) for o in operands):
            made[0].__dict__["_is_number"] = True
        result = made if several else made[0]
        if local.host is not None:
            sys.setprofile(local.host)
        return result

    def _several(self, op: type[Op], node: Node, arrays: tuple[Any, ...]) -> tuple[Tensor, ...]:
        """The Tensors of an operator with several results."""
        pieces = projections(node)
        if len(op.outputs) == len(pieces):
            for piece, name in zip(pieces, op.outputs, strict=True):
                piece.needs = piece.needs and name not in op.nondiff_outputs
        for piece in pieces:
            self.recorded.add(piece)
        return tuple([handle(a, p) for a, p in zip(arrays, pieces, strict=True)])

    def constant(self, node: Any) -> Any:
        """What an operator under no_grad reads: the graph says that no derivative flows here, since it is differentiated again later."""
        if not isinstance(node, Node) or not node.needs:
            return node
        found = self._constants.get(node)
        if found is None:
            kind = Type(node.shape, node.dtype)
            found = self._constants[node] = make_node(
                REGISTRY["stop_reverse"], (node,), (), kind, needs=False, extra=user_location()
            )
            self.recorded.add(found)
        return found

    def leave(self, t: Tensor, kind: str) -> None:
        """Called before a value is read by Python code (`kind` says how).  Raises TraceError unless reads are allowed."""
        if self.reads:
            return
        if self.asks and self.parent is not None:
            self.parent.leave(self.outer(t), kind)
            return
        where = at(user_location())
        raise TraceError(
            explain(
                self.what,
                f"{kind} reads a value of {Type(t._data.shape, t._data.dtype)} while the function is being recorded{where}; "
                "a replay would not follow it",
                "Use tg.where or another operator instead of Python control flow, or leave this part outside",
            )
        )

    def leave_mask(self, t: Tensor) -> None:
        """Called before the values of a mask decide how large a result is."""
        if not self.counts:
            self.leave(t, "a boolean mask index")

    def debug(self, message: Any) -> None:
        """Let the recording around this one print a message.  Raises TraceError where there is none that prints."""
        if not self.asks or self.parent is None:
            self.refuse("debug_print has no place in the order of a function that is recorded by itself")
        message.tensors = [self.outer(t) for t in message.tensors]
        self.parent.debug(message)  # type: ignore[union-attr]

    def outer(self, t: Tensor) -> Tensor:
        """The value of t computed in the recording around this one, which decides by it."""
        graph = Graph(self.inputs, [self.node_of(t)], [n for _, n in self.captured.values()])
        before, local.trace = local.trace, self.parent
        try:
            return replay(graph, [*self.given, *self.captures])[0]  # type: ignore[no-any-return]
        finally:
            local.trace = before

    def put_aside(self, kept: Tensor, value: Tensor) -> bool:
        """Give running statistics their new value, which is no part of the recorded function; False where that would be an effect of each replay.

        kept is of the outside world, or an argument, which shows the outer one's memory.
        """
        if self.owns(kept) or not self.reads:
            return False
        before, local.trace = local.trace, None
        try:
            handle(kept._data, None).copy_(handle(value._data, None))  # type: ignore[attr-defined]
        finally:
            local.trace = before
        return True

    def check_write(self, base: Tensor, operation: str) -> None:
        """Raises TraceError for an in-place write to a tensor that was not made in this recording, unless the one around it says what becomes of it."""
        if self.owns(base):
            return
        if self.parent is not None:
            self.parent.refuse(
                f"writes to a tensor by {operation} in a function under {self.what} that has not made it"
            )
        where = at(user_location())
        raise TraceError(
            explain(
                self.what,
                f"{operation} writes to an argument or to a tensor of the outside world{where}; a recording keeps no such effects",
                "Return the new value, or write to a clone()",
            )
        )

    def hook(self, t: Tensor, hook: Any) -> Any:
        """Make a hook on t a part of the program: the table of the value's hooks; None where the tape is to call it."""
        return None

    def check_accumulate(self, t: Tensor) -> None:
        """Raises TraceError: `.grad` of a tensor of the outside world cannot be an effect of a recorded function."""
        where = at(user_location())
        raise TraceError(
            explain(
                self.what,
                f"backward() adds to .grad of a tensor of the outside world{where}; a recording keeps no such effects",
                "Use tg.func.grad or tg.func.value_and_grad inside, or autograd.grad",
                tensor=Type(t._data.shape, t._data.dtype),
            )
        )

    def random_key(self, generator: Generator = default_generator) -> Tensor:
        """A fresh key of the generator for a random operator; the compiled function draws a new one at every call."""
        if self.parent is not None:
            return self.parent.random_key(generator)
        key = handle(np.asarray(generator.next_key()), None)
        self.random_keys.append((key, generator))
        return key

    def graph(self, outputs: Sequence[Any], names: Sequence[str] = ()) -> Graph:
        """The recorded program with these outputs (Tensors or numbers)."""
        results = [self.node_of(o) for o in outputs]
        captures = [n for _, n in self.captured.values()]
        named = [*names, *(f"c{i}" for i in range(len(captures)))] if names else ()
        return Graph(self.inputs, results, captures, (), named)

    @property
    def captures(self) -> list[Tensor]:
        """The captured Tensors, in the order of the graph's captures."""
        return [t for t, _ in self.captured.values()]

    def close(self) -> None:
        """Detach from the recording every tensor that it made and that still exists."""
        for reference in self._made:
            t = reference()
            if t is not None:
                t._node = None


@contextmanager
def recording(trace: Trace) -> Iterator[Trace]:
    """Record what this thread does inside the block."""
    before, local.trace = local.trace, trace
    config.leave_fast_path()
    try:
        yield trace
    finally:
        config.return_to_fast_path()
        local.trace = before


def replay(graph: Graph, tensors: Sequence[Any]) -> list[Any]:
    """Run a graph on Tensors for its inputs and captures: every operator is recorded or followed as if the user had written it."""

    def apply(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], node: Node) -> Any:
        if op.name == "project":
            return inputs[0][attrs[0]]
        return getattr(T, op.name)(*inputs, **dict(zip(op.attrs, attrs, strict=True)))

    return evaluate(graph, dict(zip(graph.leaves, tensors, strict=True)), apply)


def is_number(operand: Any) -> bool:
    """Whether an operand is a Python number or stands for one."""
    return not isinstance(operand, Tensor) or "_is_number" in operand.__dict__
