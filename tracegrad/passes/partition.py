"""partition: a program and its backward, as one graph, become two graphs with few bytes between them.

The forward graph gives the outputs and the values to save; the backward graph reads leaves, saved values and cotangents.  What lies between is a cut of the
graph: a value is saved, at the price of its bytes, or computed again from values before it, at a price that stands for the time.  Leaves cost nothing, since
the tape holds them anyway.  Source: Jain et al. 2020 (Checkmate) for the problem, Chen et al. 2016 for cheap operators computed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, prod
from typing import Any, NamedTuple

from tracegrad.errors import PassError, explain
from tracegrad.ir.families import Comparison, Creation, Movement
from tracegrad.ir.graph import Graph, program_order
from tracegrad.ir.node import BY_SEQUENCE, Node, make_leaf
from tracegrad.passes.differentiate import unused_names
from tracegrad.passes.min_cut import Network
from tracegrad.passes.rewrite import remake

LARGEST = 1000  # values to decide on: above, each one is decided on its own, in linear time

CHEAP = frozenset("add sub mul neg abs where promote relu maximum minimum clamp sign square reciprocal div".split())
# what computing a byte again costs, in saved bytes: memory traffic alone, one plain operation, a function such as exp
MOVED, PLAIN, CURVED = 0.01, 0.1, 0.3
# of equal values one is saved that needs no copy, then one that the forward needs, then one that is no output, to which users may write
VIEW, ONLY_LATE, OUTPUT = 1.05, 1.001, 1.0001


class Partition(NamedTuple):
    """The two graphs, and what passes between them.

    forward      leaves -> outputs, then the saved values that are no outputs
    backward     the leaves at `leaves`, the saved values, the cotangents -> cotangents of leaves
    saved        for each saved value its position among the results of `forward`
    leaves       the positions of the leaves that the backward reads
    saved_bytes  how much is saved
    naive_bytes  how much would be saved if the backward read all that its rules name
    """

    forward: Graph
    backward: Graph
    saved: tuple[int, ...]
    leaves: tuple[int, ...]
    saved_bytes: int
    naive_bytes: int


def partition(joint: Graph, output_count: int, cotangent_count: int, *, largest: int = LARGEST) -> Partition:
    """Split `joint`, (inputs, cotangents; captures) -> (outputs, cotangents of leaves), as vjp_graph(keep_outputs=True) makes it.

    Above `largest` values that could be saved or computed again a linear rule takes the place of the cut: what can be computed again from leaves and from
    what is saved already is not saved.  Raises PassError if an output depends on a cotangent.
    """
    cut = len(joint.inputs) - cotangent_count
    leaves, cotangents = (*joint.inputs[:cut], *joint.captures), joint.inputs[cut:]
    outputs, found = joint.outputs[:output_count], joint.outputs[output_count:]
    sides = _Sides(joint, set(leaves), set(cotangents), outputs, found)
    choice = sides.choices()
    saved = sides.smallest_cut(choice) if len(choice) <= largest else sides.kept_in_order(choice)
    forward_outputs = [*outputs, *(v for v in saved if v not in sides.outputs)]
    forward = Graph(
        joint.inputs[:cut], forward_outputs, joint.captures, (), (*joint.names[:cut], *joint.names[len(joint.inputs) :])
    )
    places = {v: i for i, v in reversed(list(enumerate(forward_outputs))) if isinstance(v, Node)}
    backward, read = _backward(joint, leaves, cotangents, saved, found)
    return Partition(
        forward,
        backward,
        tuple(places[v] for v in saved),
        read,
        sum(map(byte_count, saved)),
        sum(map(byte_count, sides.naive)),
    )


class _Sides:
    """Which nodes of a joint graph must, may and need not be computed before the cotangents are known."""

    def __init__(
        self, joint: Graph, leaves: set[Node], cotangents: set[Node], outputs: Iterable[Any], found: Iterable[Any]
    ) -> None:
        self.leaves = leaves
        self.outputs = {o for o in outputs if isinstance(o, Node)}
        late = set(cotangents)  # depends on a cotangent
        for node in joint.nodes:
            if any(i in late for i in node.inputs if isinstance(i, Node)):
                late.add(node)
        if not late.isdisjoint(self.outputs):
            raise PassError(explain("partition", "an output depends on a cotangent"))
        self.early = set(program_order(self.outputs, leaves))  # the forward computes it in any case
        behind = program_order(found, {*leaves, *cotangents})
        self.required: set[Node] = {v for v in found if isinstance(v, Node) and v not in late and v not in leaves}
        self.naive = {v for v in self.required if v in self.early}
        for node in behind:
            for source in node.inputs:
                if not isinstance(source, Node) or source in leaves or source in late:
                    continue
                if node in late:
                    self.required.add(source)
                if node not in self.early and source in self.early:
                    self.naive.add(node if isinstance(source.dtype, tuple) else source)
        self.naive = {v for n in self.naive for v in ([n] if not n.op or not n.op.several() else ())}

    def choices(self) -> list[Node]:
        """The values between what is never computed again, which is among them, and what the cotangents meet; in program order."""
        seen: set[Node] = set()
        stack = list(self.required)
        while stack:
            node = stack.pop()
            if node in seen or node in self.leaves:
                continue
            seen.add(node)
            if self.price(node) != inf:
                stack.extend(i for i in node.inputs if isinstance(i, Node))
        return sorted(seen, key=BY_SEQUENCE)

    def price(self, node: Node) -> float:
        """What computing the node a second time costs, in saved bytes."""
        op = node.op
        assert op is not None
        if node not in self.early or op.name == "project" or issubclass(op, Creation):
            return 0.0
        if not op.pure or not (op.elementwise or issubclass(op, Movement)):
            return inf
        size = sum(type_bytes(t.shape, t.dtype) for t in node.types)
        if issubclass(op, Movement):
            return size * MOVED
        return size * (PLAIN if op.name in CHEAP or issubclass(op, Comparison) else CURVED)

    def worth(self, node: Node) -> float:
        """What saving the node costs; several results at once cannot be saved."""
        if isinstance(node.dtype, tuple):
            return inf
        assert node.op is not None
        factor = VIEW if issubclass(node.op, Movement) else 1.0
        factor *= OUTPUT if node in self.outputs else 1.0 if node in self.early else ONLY_LATE
        return byte_count(node) * factor

    def smallest_cut(self, choice: list[Node]) -> list[Node]:
        """The values to save so that bytes and computing again cost least."""
        network = Network()
        before, after = {}, {}
        for node in choice:
            price = self.price(node)
            before[node] = 0 if price == inf else network.vertex()
            after[node] = network.vertex()
            network.connect(before[node], after[node], self.worth(node))
            if price == inf:
                continue
            if price:
                network.connect(0, before[node], price)
            for source in node.inputs:
                if isinstance(source, Node) and source in after:
                    network.connect(after[source], before[node])
        for node in self.required:
            network.connect(after[node], 1)
        behind = network.sink_side()
        return [n for n in choice if after[n] in behind and before[n] not in behind]

    def kept_in_order(self, choice: list[Node]) -> list[Node]:
        """The values to save if each required one is saved that cannot be computed again from leaves and those before it."""
        known = set(self.leaves)
        saved = []
        for node in choice:
            again = self.price(node) != inf and all(i in known for i in node.inputs if isinstance(i, Node))
            if again:
                known.add(node)
            elif node in self.naive:
                known.add(node)
                saved.append(node)
        return saved


def _backward(
    joint: Graph, leaves: tuple[Node, ...], cotangents: tuple[Node, ...], saved: list[Node], found: tuple[Any, ...]
) -> tuple[Graph, tuple[int, ...]]:
    """The graph of what is not saved, over fresh leaves, and the positions of the leaves that it reads."""
    order = program_order(found, {*leaves, *saved, *cotangents})
    used = {i for node in order for i in node.inputs if isinstance(i, Node)} | {o for o in found if isinstance(o, Node)}
    read = tuple(i for i, leaf in enumerate(leaves) if leaf in used)
    values: dict[Node, Any] = {}
    for old in (*(leaves[i] for i in read), *saved, *cotangents):
        values[old] = make_leaf(old.type, extra=old.extra if old.op is None else None)
    inputs = list(values.values())
    for node in order:
        assert node.op is not None
        sources = tuple(values[i] if isinstance(i, Node) else i for i in node.inputs)
        values[node] = made = remake(node.op, sources, node.attrs, node.extra)
        if node.op.value_dependent:
            made.shape = node.shape  # the type rule alone cannot know it; the recording does
    count = len(joint.inputs)
    of_leaves = (*joint.names[: count - len(cotangents)], *joint.names[count:])
    names = [of_leaves[i] for i in read]
    names += unused_names("s", len(saved), joint.names)
    names += joint.names[count - len(cotangents) : count]
    return Graph(inputs, [values[o] if isinstance(o, Node) else o for o in found], (), (), names), read


def byte_count(node: Node) -> int:
    """The bytes of a node's one value."""
    return type_bytes(node.shape, node.dtype)


def type_bytes(shape: tuple[Any, ...], dtype: Any) -> int:
    """The bytes of an array."""
    return int(prod(shape)) * int(dtype.itemsize)


__all__ = ["Partition", "partition"]
