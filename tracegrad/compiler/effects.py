"""How a path ends: the form of its result, and what it changes outside, which happens after the last decision held."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tracegrad import config, pytree
from tracegrad.backends.on_device import OnDevice
from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.histories import ProgramOf, histories_of
from tracegrad.compiler.replay import replay
from tracegrad.compiler.state import Kept, apply
from tracegrad.compiler.traced_numbers import TracedNumber
from tracegrad.compiler.values import Detached, Source
from tracegrad.config import local
from tracegrad.eager.clock import owner, touch
from tracegrad.eager.device_tensors import HERE, memory_of, moved
from tracegrad.eager.tensor import Parameter, Tensor, slots
from tracegrad.eager.views import end_of_views, shows_twice
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, tick

if TYPE_CHECKING:
    from tracegrad.compiler.tree import Step


class Ending:
    """The end of one path.

    treedef   form of the result        leaves  ("tensor", its class or None), ("number", None), ("static", value), ("array", array) or ("outside", Source) for each of its leaves
    writes    what is written, in order: each takes one value after those of the leaves
    flags     (Source, bool): whose requires_grad changes
    grads     (owner, "none" | Source | "value"): what `.grad` of the owner becomes; a value is taken after those of the writes
    draws     how many random keys the path draws        messages  of debug_print: the last values are theirs
    histories what results have on the tape instead of the program: their values are taken after those of the gradients
    """

    def __init__(self, treedef: pytree.TreeDef, leaves: list[tuple[str, Any]], draws: int) -> None:
        self.treedef, self.leaves, self.draws = treedef, leaves, draws
        self.writes: list[Source] = []
        self.flags: list[tuple[Source, bool]] = []
        self.grads: list[tuple[Source, Any]] = []
        self.messages: list[Any] = []
        self.histories: list[Any] = []
        self._written = 0  # how often
        self.state: list[tuple[str, Any]] = []  # what to do with the values beside the result
        self.plan: list[Any] = []
        self.from_before: list[Node] = []

    def take(self, made: list[Node], results: list[Any]) -> None:
        """Note where each value comes from: a place among what the last program made, a node of an earlier one, or a number."""
        places = iter(range(len(made)))
        here = set(made)
        self.plan = [next(places) if isinstance(r, Node) and r in here else r for r in results]
        self.from_before = [r for r in self.plan if isinstance(r, Node)]

    def outlets(self, step: Step, sources: dict[Node, Source]) -> tuple[Any, ...]:
        """For each output of the last program ("result", its number, how many there are), ("leaf", position) of what it is written to, or None."""
        shown = [kind for kind, _ in self.leaves if kind in ("tensor", "number", "outside")]
        leaves = {sources[n].key(): i for i, n in enumerate(step.ins) if n in sources}
        goals: list[Any] = [("result", i, len(shown)) for i, kind in enumerate(shown) if kind != "outside"]
        goals += [("leaf", leaves[t.key()]) if t.key() in leaves else None for t in self.writes]
        found = dict(zip(self.plan, goals, strict=False))
        return (None,) * len(step.outs) + tuple([found.get(i) for i in range(len(step.results))])

    def finish(self, made: Sequence[Tensor], env: dict[Node, Tensor], arguments: list[Tensor], begun: int) -> Any:
        """Do the effects and give the result; `begun` is the tick before the first operator of the call."""
        return self.complete([env[p] if isinstance(p, Node) else made[p] for p in self.plan], arguments, begun)

    def complete(self, values: Sequence[Tensor], arguments: list[Tensor], begun: int) -> Any:
        """Do the effects with these values and give the result."""
        given = iter(values)
        leaves = [next(given) if kind in ("tensor", "number") else value for kind, value in self.leaves]
        if self.messages:
            shown = iter(values[len(values) - sum(len(m.numbers) for m in self.messages) :])
            for message in self.messages:
                message.show([next(shown) for _ in message.numbers])
        targets = [target.read(arguments) for target in self.writes]
        if self.writes or self.grads:
            owners = [t.read(arguments) for t, _ in self.grads]
            found = [
                next(given) if new == "value" else new
                for new in (*("value" for _ in targets), *(n for _, n in self.grads))
            ]
            grads = [n.read(arguments) if isinstance(n, Source) else n for n in found[len(targets) :]]
            self._keep_saved(targets, values, begun)
        memory = {id(memory_of(t)) for t in targets} if self.histories else set()
        kept = [h.begin([next(given) for _ in h.taken], arguments, memory) for h in self.histories]
        if self.writes or self.grads:
            self._written += 1
            if self._written == 2 and any(type(v) in HERE for v in found):
                gc.collect()  # what the recording left behind has the memory too, which is to move to a device
            for target, value in zip(targets, found, strict=False):
                if not (type(value) in HERE and moved(target, value)):
                    write_back(target, value)
            for t, grad in zip(owners, grads, strict=True):
                t._grad = grad if isinstance(grad, Tensor) else None
        for i, (kind, value) in enumerate(self.leaves):
            if kind == "number":
                leaves[i] = leaves[i]._data.item()
            elif kind == "array":
                leaves[i] = value.copy()
            elif kind == "outside":
                leaves[i] = value.read(arguments)
            elif kind == "tensor" and (value is not None or local.inference):
                leaves[i].__class__ = value or slots.inference_class
        for source, flag in self.flags:
            source.read(arguments).requires_grad_(flag)
        if self.histories:
            made = dict(enumerate(leaves))
            for history, known in zip(self.histories, kept, strict=True):
                history.place(made, known, arguments)
        result = self.treedef.unflatten(leaves)
        if self.state:
            result, values = result
            apply(self.state, values)
        return result

    def _keep_saved(self, targets: Sequence[Tensor], values: Sequence[Tensor], begun: int) -> None:
        """Copy what the results' history in this call saved of memory that is about to be written."""
        nodes = [v._node for v in values if isinstance(v, Tensor) and v._node is not None]
        memory = {id(memory_of(t)) for t in targets} if nodes else set()
        seen: set[Node] = set()
        while nodes:
            node = nodes.pop()
            if node in seen or node.op is None or node.seq < begun:
                continue
            seen.add(node)
            nodes.extend(i for i in node.inputs if isinstance(i, Node))
            if isinstance(node.saved, tuple):
                node.saved = tuple([_kept(part, memory) for part in node.saved])

    def conflict(self, arguments: list[Tensor]) -> bool:
        """Whether memory that is written shows in another argument, which the recording took for separate."""
        if not self.writes:
            return False
        written = {id(memory_of(t)): t for t in (target.read(arguments) for target in self.writes)}
        return any(written.get(id(memory_of(a)), a) is not a for a in arguments)


def _kept(part: Any, memory: set[int]) -> Any:
    if isinstance(part, tuple):
        return tuple([_kept(p, memory) for p in part])
    if type(part) is OnDevice and part.origin is not None and id(part.origin[0]) in memory:
        part.origin = None  # the array itself is never written
    return part.copy() if isinstance(part, np.ndarray) and id(owner(part)) in memory else part


def subclass_of(t: Tensor) -> type[Tensor] | None:
    """The user's class of a result; None for an ordinary Tensor."""
    kind = type(t)
    return None if kind in (Tensor, Parameter, slots.inference_class) else kind


def write_back(target: Tensor, value: Tensor) -> None:
    """Give a Tensor of the outside world its new value, in its memory."""
    memory = target._data
    leaf = target._node is None or target._node.op is None
    flags = memory.flags
    if leaf and value._node is None and flags.writeable and (flags.c_contiguous or not shows_twice(memory)):
        if value._data.dtype is memory.dtype:
            memory[...] = value._data
        else:
            np.copyto(memory, value._data, casting="unsafe")
        touch(target)
        return
    before = config.set_grad_enabled(local.grad_enabled and not (leaf and target._node is not None))
    try:
        target.copy_(value)  # type: ignore[attr-defined]
    finally:
        config.set_grad_enabled(before)


def ending_of(trace: CallTrace, result: Any, program_of: ProgramOf) -> tuple[dict[Node, Source], Ending, list[Any]]:
    """The sources of a recording's leaves, its ending, and the nodes of the values that this takes; the outside is as the recording left it."""
    keys = {id(key): i for i, (key, _) in enumerate(trace.random_keys)}
    grads = {id(grad): t for t, grad in trace.outside.grads.values() if grad is not None}

    def source_of(t: Tensor) -> Source:
        if id(t) in trace.given:
            return Source("argument", trace.given[id(t)])
        if id(t) in keys:
            return Source("random", keys[id(t)])
        if id(t) in grads:
            return Source("grad", source_of(grads[id(t)]))
        if id(t) in trace.floats:
            return Source("place", trace.floats[id(t)][1])
        return Source("fixed" if id(t) in trace.fixed else "captured", t)

    flat, treedef = pytree.flatten(result)
    written = [base for base, data, _ in trace.outside.bases.values() if base._data is not data]
    leaves: list[tuple[str, Any]] = []
    roots: list[Any] = []
    histories = histories_of(trace, flat, written, source_of, program_of)
    apart = {i for h in histories for i in h.positions}
    for i, leaf in enumerate(flat):
        if isinstance(leaf, Kept) or (
            isinstance(leaf, Tensor) and (_is_outside(trace, leaf) or any(leaf is base for base in written))
        ):
            source = source_of(leaf.tensor if isinstance(leaf, Kept) else leaf)
            leaves.append(("outside", Detached(*source) if isinstance(leaf, Kept) and leaf.detached else source))
        elif isinstance(leaf, Tensor):
            leaves.append(("number", None) if isinstance(leaf, TracedNumber) else ("tensor", subclass_of(leaf)))
            roots.append(trace.constant(trace.node_of(leaf)) if i in apart else trace.node_of(leaf))
        else:
            leaves.append(("array" if isinstance(leaf, (np.ndarray, set)) else "static", leaf))
    ending = Ending(treedef, leaves, len(trace.random_keys))
    for base in written:
        _, data, _ = trace.outside.bases[id(base)]
        if base._data.shape != data.shape or base._data.dtype != data.dtype:
            raise NotCompilable("the data of a Tensor of the outside world becomes one of another shape or dtype", None)
        ending.writes.append(source_of(base))
        roots.append(trace.node_of(base))
    for t, before in trace.outside.grads.values():
        now = getattr(t, "_grad", None)
        if now is before:
            continue
        outer = now is not None and (id(now) in grads or (not trace.owns(now) and id(now) not in trace.given))
        ending.grads.append((source_of(t), "none" if now is None else source_of(now) if outer else "value"))
        if now is not None and not outer:
            roots.append(trace.node_of(now))
    ending.flags = [(source_of(t), now) for t, now in flags_of(trace)]
    ending.histories = histories
    roots += [trace.node_of(v) if isinstance(v, Tensor) else trace.constant(v) for h in histories for v in h.taken]
    ending.messages = trace.messages
    roots += trace.printed
    sources = {node: Source("argument", i) for i, node in enumerate(trace.inputs)}
    sources.update((node, source_of(t)) for t, node in trace.captured.values())
    for node in trace.recorded.program([*roots, *(read.node for read in trace.decisions)], sources):
        if node.op is None:
            raise NotCompilable("returns a cotangent that a hook or a rule has kept", None)
    _refuse_shared(trace, written)
    return sources, ending, roots


def flags_of(trace: CallTrace) -> list[tuple[Tensor, bool]]:
    """The Tensors of the outside world whose requires_grad the recording has changed."""
    found = []
    for base, _, node in trace.outside.bases.values():
        before = node is not None and node.needs
        now = base._node is not None and base._node.needs
        begins = base._node is node or base._node in trace.begun
        if now is not before and (begins or not now) and (node is None or node.op is None):
            found.append((base, now))
    return found


def _is_outside(trace: CallTrace, t: Tensor) -> bool:
    """Whether a result is a Tensor among the arguments, or a captured one, itself."""
    if id(t) in trace.given:
        return "_is_array" not in t.__dict__
    return trace.reached(t) and not (trace.owns(t) or id(t) in trace.fixed or id(t) in trace.floats)


def grads_looked_at(trace: CallTrace) -> list[tuple[Source, bool]]:
    """Whose .grad the recording looked at before it set it, and whether there was one."""
    return [
        (
            Source("argument", trace.given[id(t)]) if id(t) in trace.given else Source("captured", t),
            trace.outside.grads[id(t)][1] is not None,
        )
        for t in trace.grads_read.values()
    ]


def _refuse_shared(trace: CallTrace, written: list[Tensor]) -> None:
    """Raises NotCompilable where memory that is written shows in a captured Tensor that is no view of the written one."""
    if not written:
        return
    memory = {id(owner(trace.outside.bases[id(base)][1])): base for base in written}
    for t, _ in trace.captured.values():
        saved = trace.outside.bases.get(id(t))
        base = memory.get(id(owner(saved[1] if saved is not None else t._data)))
        if base is not None and base is not t and end_of_views(t) is not base:
            raise NotCompilable("writes memory that another Tensor shows, which it reads", None)


def by_operators(
    trace: CallTrace, sources: dict[Node, Source], ending: Ending, roots: list[Any], arguments: list[Tensor]
) -> Any:
    """The result and the effects of a recording whose program cannot be used, one operator after the other."""
    keys = [k for k, _ in trace.random_keys]
    given = [keys[s.of] if s.kind == "random" else s.read(arguments) for s in sources.values()]
    begun = tick()
    return ending.complete(replay(Graph(list(sources), roots), given), arguments, begun)
