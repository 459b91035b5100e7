"""Where results stand on the tape when the program itself is not their history.

A result whose graph the call has freed, or of which it has overwritten a value, has a history that no backward can pass, as in eager code.  One that has a derivative
for a value that the call gave to a leaf begins there: its history is a program of its own, from the leaf's new value on, which is compiled at the first backward.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.groups import Group, groups_of
from tracegrad.compiler.overwritten import saved_arrays
from tracegrad.compiler.program import Backward, CompiledCall, Program
from tracegrad.compiler.values import Source
from tracegrad.eager.clock import touch
from tracegrad.eager.tensor import Parameter, Tensor, handle, raw
from tracegrad.eager.views import owner
from tracegrad.ir.builder import projections
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import FREED, Node, make_leaf, make_node
from tracegrad.ir.sweep import reachable
from tracegrad.ir.types import Type
from tracegrad.passes.differentiate import followed_outputs

SourceOf = Callable[[Tensor], Source]
ProgramOf = Callable[[Graph], Program]
Result = tuple[int, Tensor]  # a result with its position among the leaves of all results


class Gone:
    """The history of results that was freed inside the call, or of which a value was overwritten: a step that leads to the leaves and cannot be passed."""

    leaves_read, is_gone = frozenset((0,)), True

    def __init__(self, results: list[Result], freed: bool, sources: list[Source]) -> None:
        self.freed, self.sources = freed, sources
        self.positions = [i for i, _ in results]
        self.taken: list[Any] = []

    def begin(self, values: list[Tensor], arguments: list[Tensor], memory: set[int]) -> None:
        """Nothing is needed of what the call is about to write."""
        return None

    def place(self, results: dict[int, Tensor], kept: None, arguments: list[Tensor]) -> None:
        """Put the results on the tape."""
        self.show([results[i] for i in self.positions], arguments)

    def show(self, results: list[Tensor], arguments: list[Tensor]) -> None:
        """Give the results a step that leads to the leaves."""
        inputs = tuple([source.read(arguments)._node for source in self.sources])
        overwritten = np.zeros(1)
        _step(self, inputs, results, FREED if self.freed else ((overwritten,),))
        if not self.freed:
            touch(handle(overwritten, None))


class NewLeaf:
    """A result at which derivatives begin: the function has made it a leaf that requires grad."""

    is_gone = False

    def __init__(self, position: int, is_parameter: bool) -> None:
        self.position, self.positions, self.is_parameter = position, [position], is_parameter
        self.taken: list[Any] = []

    def begin(self, values: list[Tensor], arguments: list[Tensor], memory: set[int]) -> None:
        """Nothing is needed of what the call is about to write."""
        return None

    def place(self, results: dict[int, Tensor], kept: None, arguments: list[Tensor]) -> None:
        """Make the result a leaf."""
        t = results[self.position]
        if self.is_parameter:
            t.__class__ = Parameter
        if t._node is None:
            t._node = make_leaf(Type(raw(t).shape, raw(t).dtype), needs=True, extra=weakref.ref(t))


class Kept:
    """The gradient that a result of the function's own has: it goes with it."""

    is_gone = False

    def __init__(self, position: int, grad: Any, place: int | None) -> None:
        self.position, self.same = position, place  # of the gradient, where it is a result itself
        self.positions: list[int] = []  # the result's own history is another matter
        self.taken = [] if place is not None else [grad]

    def begin(self, values: list[Tensor], arguments: list[Tensor], memory: set[int]) -> Any:
        """The gradient."""
        return values[0] if values else None

    def place(self, results: dict[int, Tensor], kept: Any, arguments: list[Tensor]) -> None:
        """Set `.grad`."""
        results[self.position]._grad = kept if self.same is None else results[self.same]


class Anew:
    """The history of results that begins, among others, at values that the call gave to leaves.

    ins     where each input of the program comes from: ("source", Source), ("value", None), ("leaf", Source of the Tensor whose new value it is) or ("result", position)
    final   inputs that are still the value of the leaf when the call ends, and that eager code would have saved
    taken   nodes of the values that are taken from the call, in the order of ins
    """

    is_gone = False

    def __init__(self, results: list[Result], program_of: ProgramOf) -> None:
        self.program_of = program_of
        self.positions = [i for i, _ in results]
        self.ins: list[tuple[str, Any]] = []
        self.final: frozenset[int] = frozenset()
        self.taken: list[Any] = []
        self.graph = Graph((), ())
        self.followed: tuple[int, ...] = ()
        self._steps: list[tuple[Group, LaterBackward]] = []

    def begin(self, values: list[Tensor], arguments: list[Tensor], memory: set[int]) -> list[Any]:
        """The arrays of the inputs, copied where the call is about to write them."""
        given = iter(values)
        arrays = []
        for kind, source in self.ins:
            if kind == "source":
                array = source.read(arguments)._data
                arrays.append(array.copy() if id(owner(array)) in memory else array)
            else:
                arrays.append(next(given)._data)
        return arrays

    def place(self, results: dict[int, Tensor], kept: list[Any], arguments: list[Tensor]) -> None:
        """Put the results on the tape."""
        if not self._steps:
            groups = groups_of(self.graph, followed_outputs(self.graph))
            self._steps = [(g, LaterBackward(self, g.outputs if len(groups) > 1 else None)) for g in groups]
        nodes: list[Any] = []
        for i, (kind, source) in enumerate(self.ins):
            if i not in self.followed:
                nodes.append(Type(kept[i].shape, kept[i].dtype))
                continue
            t = results.get(source) if kind == "result" else source.read(arguments) if source is not None else None
            nodes.append(t._node if t is not None else make_leaf(Type(kept[i].shape, kept[i].dtype), needs=True))
            if i in self.final and t is not None:
                kept[i] = t._data
        made = [results[i] for i in self.positions]
        for group, backward in self._steps:
            _step(backward, tuple(nodes), made, (tuple(kept), None), group)


class LaterBackward(Backward):
    """The backward of a history, whose program is compiled when a backward asks for it."""

    def __init__(self, history: Anew, outputs: tuple[int, ...] | None) -> None:
        self.history = history
        self._made: Program | None = None
        self.begin(history.graph, history.followed, outputs)

    @property
    def program(self) -> Program:
        """The program."""
        if self._made is None:
            self._made = self.history.program_of(self.history.graph)
        return self._made

    @property
    def leaves_read(self) -> frozenset[int]:  # type: ignore[override]
        """What must not be overwritten: as eager code, where a leaf has its new value."""
        values = {i for i, (kind, _) in enumerate(self.history.ins) if kind != "source"}
        return (super().leaves_read - values) | self.history.final


def _step(
    backward: Any, inputs: tuple[Any, ...], results: list[Tensor], saved: Any, group: Group | None = None
) -> None:
    """One step of the tape for all results, or a group of them."""
    types = tuple([Type(raw(t).shape, raw(t).dtype) for t in results])
    freed, stays = (saved, None) if group is None or group.saves else (None, saved)
    node = make_node(CompiledCall, inputs, (backward, stays), types, saved=freed)
    pieces = projections(node)
    for i in range(len(results)) if group is None else group.outputs:
        results[i]._node = pieces[i]


# --- what a recording tells


def histories_of(
    trace: CallTrace, flat: Sequence[Any], written: Sequence[Tensor], source_of: SourceOf, program_of: ProgramOf
) -> list[Any]:
    """The histories of those results that the program itself does not put on the tape."""
    groups: dict[str, list[Result]] = {}
    found: list[Any] = []
    places = {id(leaf): i for i, leaf in reversed(list(enumerate(flat))) if isinstance(leaf, Tensor)}
    outside = {id(base) for base in written}
    for i, leaf in enumerate(flat):
        if not isinstance(leaf, Tensor) or id(leaf) in outside or not trace.owns(leaf):
            continue
        grad = getattr(leaf, "_grad", None)
        if grad is not None:
            found.append(Kept(i, grad, places.get(id(grad))))
        node = leaf._node
        assert node is not None  # it is the recording's
        if node in trace.begun and node.needs:
            found.append(NewLeaf(i, isinstance(leaf, Parameter)))
        elif node.needs:
            kind = _state(trace, node)
            if kind not in ("freed", "overwritten"):
                _refuse_hooks(trace, node)
            if kind is not None:
                groups.setdefault(kind, []).append((i, leaf))
    for kind, results in groups.items():
        if kind == "begun":
            found.append(_anew(trace, results, written, source_of, program_of, places))
        else:
            found.append(Gone(results, kind == "freed", _sources(trace, results, source_of)))
    return found


def _state(trace: CallTrace, root: Node) -> str | None:
    """ "freed", "overwritten" or "begun" for a history that the program is not; None for an ordinary one."""
    order = _history(trace, [root])
    if any(node.saved is FREED for node in order):
        return "freed"
    if trace.overwritten.first(order) is not None:
        return "overwritten"
    return "begun" if any(node in trace.begun for node in order) else None


def _refuse_hooks(trace: CallTrace, root: Node) -> None:
    """Raises NotCompilable where a backward outside would have to run hooks that no program has, or rules whose values have changed since."""
    for node in _history(trace, [root]):
        if node in trace.hooks.on_tape:
            raise NotCompilable("registers a hook that a backward outside would have to run", trace.hooks.on_tape[node])
        late = node.attrs[0].late if node.op is not None and node.op.name == "custom_call" else None
        if (
            late is not None
            and late.recording() is trace
            and any(trace.node_of(t) is not n for t, n in zip(late.names, late.call.boundary, strict=True))
        ):
            raise NotCompilable("changes what a hook or a rule reads in a backward outside", None)


def _history(trace: CallTrace, roots: Iterable[Node]) -> list[Node]:
    """The nodes of the recording that carry derivatives to the roots, and the leaves where they begin."""
    found: dict[Node, None] = dict.fromkeys(roots)
    stack = list(found)
    while stack:
        node = stack.pop()
        if node.op is None or node.seq <= trace.start or node in trace.begun:
            continue
        for source in node.inputs:
            if isinstance(source, Node) and source.needs and source not in found:
                found[source] = None
                stack.append(source)
    return list(found)


def _sources(trace: CallTrace, results: list[Result], source_of: SourceOf) -> list[Source]:
    """The Tensors of the outside world and the arguments where the history of results begins."""
    sources = _leaf_sources(trace, source_of)
    found: dict[Any, Source] = {}
    for node in reachable([t._node for _, t in results if t._node is not None]):
        t = trace.begun_at(node)
        source = source_of(t) if t is not None and trace.is_outside(t) else sources.get(node)
        if source is not None and source.kind != "random":
            found[source.key()] = source
    return list(found.values())


def _leaf_sources(trace: CallTrace, source_of: SourceOf) -> dict[Node, Source]:
    """What the leaves of a recording stand for."""
    found = {node: Source("argument", i) for i, node in enumerate(trace.inputs)}
    found.update((node, source_of(t)) for t, node in trace.captured.values())
    return found


def _anew(
    trace: CallTrace,
    results: list[Result],
    written: Sequence[Tensor],
    source_of: SourceOf,
    program_of: ProgramOf,
    places: dict[int, int],
) -> Anew:
    """The history of results that begin at values of the recording."""
    made, sources = Anew(results, program_of), _leaf_sources(trace, source_of)
    roots = [t._node for _, t in results if t._node is not None]
    inside = [n for n in _history(trace, roots) if not _ends(trace, n)]
    if not all(n.op.pure for n in inside if n.op is not None):
        raise NotCompilable("returns what has a derivative for a value that it wrote, and an effect on the way", None)
    order = dict.fromkeys(
        i for n in inside for i in n.inputs if isinstance(i, Node) and (not i.needs or _ends(trace, i))
    )
    saved = {id(owner(a)) for n in inside for _, a in saved_arrays(n)}
    now = {base._node for base in written}
    followed, final = [], []
    for k, node in enumerate(order):
        t = trace.begun_at(node)
        if node in trace.begun:
            value = trace.begun[node][1]
            known = t is not None and trace.is_outside(t)
            place = places.get(id(t)) if t is not None and t._node is node else None
            made.ins.append(("leaf", source_of(t)) if known and t is not None else ("result", place))
            made.taken.append(node)
            if id(owner(value)) in saved and (node in now or not known):
                final.append(k)
        elif node in sources and sources[node].kind != "random":
            made.ins.append(("source", sources[node]))
        elif node.op is None:
            raise NotCompilable("returns a cotangent that a hook or a rule has kept", None)
        else:
            made.ins.append(("value", None))
            made.taken.append(node)
        if node.needs:
            followed.append(k)
    made.followed, made.final = tuple(followed), frozenset(final)
    made.graph = _closed(order, inside, roots)
    return made


def _ends(trace: CallTrace, node: Node) -> bool:
    """Whether a history inside the call begins at this node."""
    return node.op is None or node.seq <= trace.start or node in trace.begun


def _closed(leaves: Iterable[Node], inside: Iterable[Node], roots: list[Node]) -> Graph:
    """The nodes of a history as a graph of its own."""
    made: dict[Node, Node] = {n: make_leaf(n.type, needs=n.needs) for n in leaves}
    inputs = list(made.values())
    for node in sorted(inside, key=lambda n: n.seq):
        sources = tuple([made[i] if isinstance(i, Node) else i for i in node.inputs])
        kind = node.dtype if isinstance(node.dtype, tuple) else node.type
        extra = node.extra if isinstance(node.extra, tuple) else None
        made[node] = make_node(node.op, sources, node.attrs, kind, needs=node.needs, extra=extra)
    return Graph(inputs, [made[r] for r in roots])
