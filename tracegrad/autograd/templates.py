"""A Function's rules in recordings: backward and jvp as nodes over stand-ins, which passes batch and build anew.

Loaded with the compiler: the eager tape runs the user's code instead.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.body import shown, tensors_on
from tracegrad.autograd.custom_call import Call, Late, is_final, run_backward, run_forward_rule
from tracegrad.autograd.late_rules import late_rules
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DifferentiationError, NotTwiceError, TracegradError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_leaf, tick
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Type
from tracegrad.kernels.numpy_kernels import broadcast_to
from tracegrad.slots import slots

ORDERS = 3  # how often a Function is recorded inside its own backward


class _Running(threading.local):
    """The Functions whose rules this thread records, outermost first."""

    def __init__(self) -> None:
        self.classes: list[type[Any]] = []


_running = _Running()


def record_rules(call: Call, ctx: Any, sources: list[Tensor], results: list[Tensor], forward: bool) -> list[Tensor]:
    """Record the user's backward for leaves as cotangents, so that the graph can be differentiated later without the user's code; if `forward`, jvp as well.

    Returns Tensors for the nodes outside it that it reads (the call's boundary).
    """
    if _running.classes.count(call.function) >= ORDERS:
        problem = (
            f"its backward applies it again; a recording follows that {ORDERS} times, for derivatives up to that order"
        )
        call.template = DifferentiationError(explain(call.name, problem))
        return []
    if getattr(call.function, "late", False):
        return _followed(call, sources, late_rules(call, ctx, sources, results), tick())
    _running.classes.append(call.function)
    try:
        return _record_rules(call, ctx, sources, results, forward)
    finally:
        _running.classes.pop()


def _record_rules(call: Call, ctx: Any, sources: list[Tensor], results: list[Tensor], forward: bool) -> list[Tensor]:
    trace, start = local.trace, tick()
    cotangents, stand_ins = _ones(results), dict(zip(map(id, results), _ones(results), strict=True))
    for t in results:
        stand_ins[id(t)]._data = t._data
    own = {id(s) for s in sources}
    before, reads = (
        config.set_grad_enabled(True),
        trace.reads,
    )  # what is recorded without gradients has none later either
    trace.reads = trace.values_known = False  # the stand-ins for cotangents have no values worth reading

    def saved(tensors: tuple[Any, ...]) -> Callable[[], tuple[Any, ...]]:
        return lambda: tuple(stand_ins.get(id(t), t) if id(t) not in own else t for t in tensors)

    try:
        ctx._unpack, given_up = saved(ctx._to_save), trace.given_up
        kinds = [Type(s._data.shape, s._data.dtype) for s in sources]
        try:
            parts = run_backward(call, [c._node.type for c in cotangents], kinds, cotangents)
            call.template = tuple(None if p is None else trace.node_of(p) for p in parts)
        except (TracegradError, NotImplementedError, *trace.stops) as error:
            if trace.decides and any(s.requires_grad for s in sources):
                if isinstance(error, trace.stops) and not isinstance(error, trace.postponed):
                    raise
                trace.given_up = (
                    given_up  # an operator that fails for stand-ins, or for these values, tells nothing yet
                )
                trace.reads, trace.values_known, ctx._unpack = reads, True, None
                return _followed(call, sources, late_rules(call, ctx, sources, results), start)
            call.template = error
        if forward:
            ctx._unpack = saved(ctx._to_save_forward)
            tangents = [t if t._data.dtype.kind in "fcV" else None for t in _ones(sources)]
            call.tangents = tuple(None if t is None else t._node for t in tangents)
            try:
                pushed = run_forward_rule(call, tangents, results)
                call.forward = tuple(None if t is None else trace.node_of(t) for t in pushed)
            except NotTwiceError as error:
                call.forward = error
    finally:
        trace.reads, trace.values_known = reads, True
        config.set_grad_enabled(before)
        ctx._unpack = None
    call.cotangents = tuple(c._node for c in cotangents)
    call.outputs = tuple(stand_ins[id(t)]._node for t in results)
    call.boundary = _boundary(call, start)
    return _followed(call, sources, _values_of(call, ctx, sources), start)


def _values_of(call: Call, ctx: Any, sources: list[Tensor]) -> list[Tensor]:
    """The boundary nodes with their values, which decide about what follows where a backward inside reads them."""
    trace = local.trace
    known = {trace.node_of(t): t for t in (*sources, *ctx._to_save) if t is not None}
    known.update((n, t) for t, n in trace.captured.values())
    if not all(n in known for n in call.boundary):
        known.update((t._node, t) for t in (made() for made in trace._made) if t is not None and t._node is not None)
    return [
        handle(known[n]._data if n in known else broadcast_to(np.zeros((), n.dtype), n.shape), n) for n in call.boundary
    ]


def _followed(call: Call, sources: list[Tensor], operands: list[Tensor], start: int) -> list[Tensor]:
    """What backward reads besides arguments and results, with the history of what forward computed before `start`."""
    left = range(call.start, start)
    if is_final(call.function) or all(n.seq not in left for n in call.boundary):
        return operands
    history = _History(call, sources)
    return [history.of(t) if n.seq in left else t for n, t in zip(call.boundary, operands, strict=True)]


class _History:
    """Gives the values that forward left for backward the history that they lack, as forward ran under no_grad."""

    def __init__(self, call: Call, sources: list[Tensor]) -> None:
        self.call, self.trace = call, local.trace
        self.sources = [s for s in sources if s.requires_grad]
        self.known = {t._node: t for t in (made() for made in self.trace._made) if t is not None}
        self.known.update((t._node, t) for t in self.trace.followed)
        self.known.update((n, t) for t, n in self.trace.captured.values())
        self.known.update((self.trace.node_of(s), s) for s in sources)

    def of(self, value: Tensor) -> Tensor:
        """The value as it is computed from the arguments; one that depends on them through a detach() has a derivative that is refused."""
        ends = self._ends(value._node)
        if value._data.dtype.kind not in "fcV" or not {self.trace.node_of(s) for s in self.sources} & set(
            ends.values()
        ):
            return value
        before = config.set_grad_enabled(True)
        try:
            if self.known.keys() >= set(ends.values()):
                found = evaluate(T, [value._node], {n: self.known[source] for n, source in ends.items()})[0]
                if found.requires_grad:
                    self.trace.followed.append(found)
                    return found
            return self.call.guard([value], self._name(value), self.sources, self.call.name)[0]
        finally:
            config.set_grad_enabled(before)

    def _name(self, value: Tensor) -> str:
        keys = [key for key, t in tensors_on(self.call.ctx, (), ()) if t._node is value._node]
        return shown(keys[0]) if keys else "a value"

    def _ends(self, node: Node | None) -> dict[Node, Node]:
        """What forward read on the way to a node, each with the node that was there before: itself, or what no_grad stands before."""
        found: dict[Node, Node] = {}
        seen: set[Node] = set()
        stack = [node]
        while stack:
            n = stack.pop()
            if n is None or n in seen:
                continue
            seen.add(n)
            if n.op is not None and n.op.name == "stop_reverse":
                found[n] = n.inputs[0]
            elif n.op is None or n.seq < self.call.start:
                found[n] = n
            else:
                stack.extend(i for i in n.inputs if isinstance(i, Node))
        return found


def _ones(like: Sequence[Tensor]) -> list[Tensor]:
    """Stand-ins on leaves of their own."""
    return [handle(np.ones(t._data.shape, t._data.dtype), make_leaf(Type(t._data.shape, t._data.dtype))) for t in like]


def batched(call: Call, size: int, boundary: Sequence[bool]) -> Call:
    """The call whose templates work on values with a leading axis; a boundary node has one where `boundary` says so."""
    made = Call(call.function, call.ctx, call.arguments)
    made.results, made.template = call.results, call.template
    backward = call.template if isinstance(call.template, tuple) else ()
    forward = call.forward if isinstance(call.forward, tuple) else ()
    known = [n for n in (*backward, *forward) if n is not None]
    if not known:
        made.forward = call.forward
        return made
    tangents = [n for n in call.tangents if n is not None]
    leaves = (*call.cotangents, *call.outputs, *tangents, *call.boundary)
    flags = (*(True,) * (2 * call.count + len(tangents)), *boundary)
    graph = slots.batch_graph(Graph(leaves, known), flags, size)
    left, moving = iter(graph.outputs), iter(graph.inputs[2 * call.count :])
    if isinstance(call.template, tuple):
        made.template = tuple(None if n is None else next(left) for n in call.template)
    made.cotangents, made.outputs = graph.inputs[: call.count], graph.inputs[call.count : 2 * call.count]
    made.tangents = tuple(None if n is None else next(moving) for n in call.tangents)
    made.forward = call.forward
    if isinstance(call.forward, tuple):
        made.forward = tuple(None if n is None else next(left) for n in forward)
    made.boundary = tuple(moving)
    return made


def _boundary(call: Call, start: int) -> tuple[Node, ...]:
    """The nodes made before `start`, and captured leaves, that the template reads."""
    inside = {*call.cotangents, *call.outputs, *(n for n in call.tangents if n is not None)}
    found: dict[Node, None] = {}
    seen = set(inside)
    backward = call.template if isinstance(call.template, tuple) else ()
    forward = call.forward if isinstance(call.forward, tuple) else ()
    stack = [n for n in (*backward, *forward) if n is not None]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op is None or node.seq < start:
            found[node] = None
        else:
            stack.extend(i for i in node.inputs if isinstance(i, Node))
    return tuple(found)


def apply_template(
    F: Ops, node: Node, call: Call, given: tuple[Any, ...], read: Callable[[Node, int], Any]
) -> list[Any]:
    """The recorded backward, built anew over the cotangents and the node's own inputs."""
    if call.template is None:
        raise DifferentiationError(
            explain(call.name, "this call was not recorded in a way that its graph can be differentiated")
        )
    if isinstance(call.template, Exception):
        raise call.template
    count = call.count
    values: dict[Node, Any] = {
        leaf: F.zeros(leaf.type) if g is None else g for leaf, g in zip(call.cotangents, given, strict=True)
    }
    values.update({leaf: read(node, -1 - k) for k, leaf in enumerate(call.outputs)})
    values.update({source: read(node, count + k) for k, source in enumerate(call.boundary)})
    return evaluate(F, call.template, values)


def evaluate(F: Ops, wanted: Sequence[Node | None], values: dict[Node, Any]) -> list[Any]:
    """The values of the wanted nodes (None for None), built anew from those that `values` knows."""
    recorded = F is T and local.trace is not None
    for step in _steps(wanted, values):
        assert step.op is not None
        if not recorded and F is not T:
            F.location = step.extra
        inputs = [values[i] if isinstance(i, Node) else i for i in step.inputs]
        if step.op.name == "project":
            values[step] = inputs[0][step.attrs[0]]
        else:
            values[step] = getattr(F, step.op.name)(*inputs, **dict(zip(step.op.attrs, step.attrs, strict=True)))
            if recorded and isinstance(values[step], Tensor) and type(values[step]._node.extra) is tuple:
                values[step]._node.extra = step.extra  # the line of the user's rule
    return [None if n is None else values[n] for n in wanted]


def _steps(wanted: Sequence[Node | None], known: dict[Node, Any]) -> list[Node]:
    """The nodes that the wanted ones are made of, besides the known ones, in program order."""
    seen: set[Node] = set()
    stack = [n for n in wanted if n is not None]
    while stack:
        node = stack.pop()
        if node in known or node in seen:
            continue
        seen.add(node)
        stack.extend(i for i in node.inputs if isinstance(i, Node))
    return sorted(seen, key=lambda n: n.seq)


Late.templates = sys.modules[__name__]
__all__ = ["apply_template", "batched", "evaluate", "record_rules"]
