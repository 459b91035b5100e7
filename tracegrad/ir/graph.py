"""Graph: a closed program of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tracegrad.errors import VerifyError, explain
from tracegrad.ir.builder import build
from tracegrad.ir.literals import literal_key
from tracegrad.ir.node import BY_SEQUENCE, Node, input_type, make_leaf
from tracegrad.ir.op import Op
from tracegrad.ir.raw import compute
from tracegrad.ir.text import graph_text


class Graph:
    """Inputs, captured values, outputs, and the nodes between them in program order.

    inputs    leaf nodes for the arguments
    captures  leaf nodes for values of the outside world (re-read at every call of a compiled graph)
    outputs   nodes or Python numbers
    effects   pairs (leaf node, node): the new value of something outside, written back after the outputs are known
    names     names of the inputs and captures, in order, for the text form
    known     the nodes in program order where they are known already, exactly those that the outputs and effects depend on
    outlets   of a compiled function's last piece: what becomes of each output (compiler/effects.py), for backends that ask
    """

    outlets: tuple[Any, ...] | None = None

    def __init__(
        self,
        inputs: Iterable[Node],
        outputs: Iterable[Any],
        captures: Iterable[Node] = (),
        effects: Iterable[tuple[Node, Node]] = (),
        names: Iterable[str] = (),
        known: Iterable[Node] | None = None,
    ) -> None:
        self.inputs: tuple[Node, ...] = tuple(inputs)
        self.captures: tuple[Node, ...] = tuple(captures)
        self.outputs: tuple[Any, ...] = tuple(outputs)
        self.effects: tuple[tuple[Node, Node], ...] = tuple(effects)
        self.names: tuple[str, ...] = tuple(names) or default_names(len(self.inputs), len(self.captures))
        if known is not None:
            self.__dict__["nodes"] = tuple(known)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The operator nodes in program order."""
        stop = {*self.inputs, *self.captures}
        roots = [*self.outputs, *(new for _, new in self.effects)]
        return program_order(roots, stop)

    @property
    def leaves(self) -> tuple[Node, ...]:
        """Inputs, then captures."""
        return (*self.inputs, *self.captures)

    def users(self) -> dict[Node, list[Node]]:
        """For each node the nodes that read it."""
        found: dict[Node, list[Node]] = {node: [] for node in (*self.leaves, *self.nodes)}
        for node in self.nodes:
            for source in dict.fromkeys(i for i in node.inputs if isinstance(i, Node)):
                found[source].append(node)
        return found

    @cached_property
    def structure(self) -> tuple[Any, ...]:
        """What makes two graphs equal: types, operators, operands, attributes, outputs and effects; neither names nor locations nor sequence numbers."""
        places = {node: ("value", i) for i, node in enumerate((*self.leaves, *self.nodes))}

        def key(value: Any) -> Any:
            return places[value] if isinstance(value, Node) else literal_key(value)

        def operands(node: Node) -> tuple[Any, ...]:
            return tuple(input_type(node, i)[:2] if isinstance(v, tuple) else key(v) for i, v in enumerate(node.inputs))

        return (
            tuple(leaf.types for leaf in self.inputs),
            tuple(leaf.types for leaf in self.captures),
            tuple((n.op, n.types, operands(n), tuple(map(attribute_key, n.attrs))) for n in self.nodes),
            tuple(map(key, self.outputs)),
            tuple((key(old), key(new)) for old, new in self.effects),
        )

    def __eq__(self, other: object) -> bool:
        return self.structure == other.structure if isinstance(other, Graph) else NotImplemented

    @cached_property
    def _hash(self) -> int:
        numbers = tuple([i for n in self.nodes for i in n.inputs if i.__class__ is float or i.__class__ is int])
        return hash((tuple([n.op for n in self.nodes]), numbers, tuple([leaf.shape for leaf in self.leaves])))

    def __hash__(self) -> int:
        return self._hash

    def to_text(self) -> str:
        """The graph as text, one line per node; `Graph.from_text` reads it back."""
        return graph_text(self)

    __str__ = to_text

    def __repr__(self) -> str:
        counts = f"{len(self.inputs)} inputs, {len(self.captures)} captures, {len(self.nodes)} nodes, {len(self.outputs)} outputs"
        return f"<Graph: {counts}>"

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        """The outputs at these arrays for the leaves, operator by operator: what a body does where nothing is compiled."""

        def apply(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], node: Node) -> Any:
            if op.name == "project":
                return inputs[0][attrs[0]]
            found = compute(op, inputs, attrs)
            return found if op.several() or type(found) is np.ndarray else np.asarray(found)

        return tuple(map(np.asarray, evaluate(self, dict(zip(self.leaves, arrays, strict=True)), apply)))

    # how a graph leaves the program; export/ fills these in when the package is imported
    to_json: ClassVar[Callable[..., str]]
    to_dot: ClassVar[Callable[..., str]]
    to_python: ClassVar[Callable[..., str]]
    to_networkx: ClassVar[Callable[..., Any]]
    from_json: ClassVar[Callable[..., Graph]]
    from_text: ClassVar[Callable[..., Graph]]

    def with_outputs(self, outputs: Iterable[Any]) -> Graph:
        """The same graph with other outputs."""
        return Graph(self.inputs, outputs, self.captures, self.effects, self.names)


def attribute_key(value: Any) -> Any:
    """literal_key, and for a Graph its structure."""
    return value if isinstance(value, Graph) else literal_key(value)


def default_names(input_count: int, capture_count: int) -> tuple[str, ...]:
    """Names for leaves that have none: a0, a1, ... and c0, c1, ..."""
    return (*(f"a{i}" for i in range(input_count)), *(f"c{i}" for i in range(capture_count)))


def program_order(roots: Iterable[Any], stop: set[Node]) -> tuple[Node, ...]:
    """All operator nodes that the roots depend on, in program order; does not look behind the nodes in `stop`."""
    seen, found = set(stop), []
    stack = [r for r in roots if isinstance(r, Node) and r not in stop]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op is None:
            raise VerifyError(explain("graph", f"a leaf of type {node.type} is neither an input nor a capture"))
        found.append(node)
        for source in node.inputs:
            if source.__class__ is Node and source not in seen:
                stack.append(source)
    found.sort(key=BY_SEQUENCE)
    return tuple(found)


Transfer = Callable[[type[Op], tuple[Any, ...], tuple[Any, ...], Node], Any]


def evaluate(graph: Graph, values: dict[Node, Any], apply: Transfer) -> list[Any]:
    """Run the graph: `values` maps the leaves; `apply(op, inputs, attrs, node)` gives each node's value.  Returns the outputs' values."""
    for node in graph.nodes:
        inputs = tuple(values[i] if isinstance(i, Node) else i for i in node.inputs)
        assert node.op is not None
        values[node] = apply(node.op, inputs, node.attrs, node)
    return [values[o] if isinstance(o, Node) else o for o in graph.outputs]


def rebuild(graph: Graph, apply: Transfer) -> Graph:
    """The graph made anew over fresh leaves, each node through `apply`, which returns its replacement (a node or a number)."""
    leaves = {leaf: make_leaf(leaf.type, needs=leaf.needs, extra=leaf.extra) for leaf in graph.leaves}
    values: dict[Node, Any] = dict(leaves)
    outputs = evaluate(graph, values, apply)
    effects = [(leaves[old], values[new]) for old, new in graph.effects]
    return Graph([leaves[i] for i in graph.inputs], outputs, [leaves[c] for c in graph.captures], effects, graph.names)


def copy_node(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], node: Node) -> Any:
    """The `apply` that changes nothing: the same operator on the new inputs.  A node with several results stays one node."""
    if op.name == "project" and isinstance(inputs[0], tuple):
        return inputs[0][attrs[0]]
    return build(op, inputs, attrs, node.extra)
