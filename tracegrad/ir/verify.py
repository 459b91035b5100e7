"""The invariants of the IR, checked: after every pass in the tests, and whenever `config.settings.verify` is set."""

from __future__ import annotations

from typing import Any, NoReturn

from tracegrad.errors import VerifyError, explain
from tracegrad.ir.assemble import Problem, check_count, check_operands, infer, is_well_formed
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import is_number
from tracegrad.ir.node import BY_SEQUENCE, Node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.text import graph_lines, node_types_text, text_names, types_text
from tracegrad.ir.types import Type

_AROUND = 3  # lines of the graph shown before and after the faulty one


def verify(graph: Graph, composites: bool = True) -> Graph:
    """The graph itself, if it holds the invariants below; with composites=False no operator may be left that only `decompose` explains.

    Leaves: without operator, each once, as many names as leaves.  Nodes: every operand an earlier node, a leaf of this graph, a Python number, or None where
    the operator allows it; attributes hashable and as many as the operator has; the recorded types are those that the operator infers; several results are
    read by `project` alone, which names one of them.  Outputs: nodes with one result, or Python numbers.  Effects: new values of leaves, once each, of the same type.
    Raises VerifyError that names node and operator and shows the lines around them.
    """
    _Verifier(graph, composites).run()
    return graph


class _Verifier:
    def __init__(self, graph: Graph, composites: bool) -> None:
        self.graph, self.composites = graph, composites
        self.leaves = set(graph.leaves)
        self.nodes = _reached(graph, self.leaves)
        self.defined: set[Node] = set(self.leaves)

    def run(self) -> None:
        """All checks, in program order."""
        self.check_leaves()
        for node in self.nodes:
            try:
                self.check_node(node)
            except Problem as problem:
                self.fail(node, str(problem))
            self.defined.add(node)
        self.check_results()

    def fail(self, node: Node | None, problem: str) -> NoReturn:
        """Raise the VerifyError, with the lines of the graph around the node."""
        names = text_names(self.graph, self.nodes)
        if node is None:
            where, lines = "verify", graph_lines(self.graph, self.nodes)
        else:
            operator = node.op.name if node.op is not None else "leaf"
            where, lines = f"verify: %{names.get(node, '?')}, {operator}", graph_lines(self.graph, self.nodes)
        if node in self.nodes:
            at = self.nodes.index(node) + 1
            lines[at] = f"> {lines[at].lstrip()}"
            lines = lines[max(0, at - _AROUND) : at + _AROUND + 1]
        elif len(lines) > 2 * _AROUND:
            lines = [*lines[:_AROUND], "  ...", *lines[-_AROUND:]]
        raise VerifyError("\n".join([explain(where, problem), *lines]))

    def check_leaves(self) -> None:
        """Inputs and captures are leaves, each once, with a name each."""
        leaves = self.graph.leaves
        for leaf in leaves:
            if leaf.op is not None:
                self.fail(leaf, "an input or capture must be a leaf, not the value of an operator")
            _check_type(self, leaf, leaf.types)
        if len(self.leaves) != len(leaves):
            self.fail(None, "a leaf appears twice among the inputs and captures")
        if len(self.graph.names) != len(leaves):
            self.fail(None, f"{len(self.graph.names)} names for {len(leaves)} inputs and captures")

    def check_node(self, node: Node) -> None:
        """One node: operator, operands, attributes, types."""
        op = node.op
        if op is None:
            raise Problem("the leaf is neither an input nor a capture of this graph")
        for value in node.inputs:
            self.check_operand(value)
        if op.composite:
            raise Problem("an operator that is only a public function cannot be a node")
        if len(node.attrs) != len(op.attrs):
            raise Problem(f"{len(node.attrs)} attribute values for the attributes {op.attrs}")
        for name, value in zip(op.attrs, node.attrs, strict=True):
            _check_hashable(name, value)
            if isinstance(value, Graph):
                _Verifier(value, self.composites).run()
        if isinstance(node.dtype, tuple) != op.several():
            raise Problem(
                f"the type is {node_types_text(node)}, but the operator has {'several results' if op.several() else 'one result'}"
            )
        _check_type(self, node, node.types)
        if not self.composites and op.decompose is not None and not op.numpy and op.expression is None:
            raise Problem("a composite operator is left, but all should have been decomposed")
        if REGISTRY.get(op.name) is not op:  # a custom Function has no type rule and takes its own arguments
            return
        check_operands(op, node.inputs)
        if op.value_dependent:
            check_count(op, node.types)
            return
        inferred = infer(op, node.inputs, node.attrs)
        if tuple(t[:2] for t in inferred) != tuple(t[:2] for t in node.types):
            raise Problem(
                f"the recorded type is {types_text(node.types)}, but the operator infers {types_text(inferred)}"
            )

    def check_operand(self, value: Any) -> None:
        """A defined node, a number or None."""
        if isinstance(value, Node):
            if value not in self.defined:
                problem = (
                    "an operand is defined after this node"
                    if value in self.nodes
                    else "an operand is a value of another graph"
                )
                raise Problem(problem)
        elif isinstance(value, tuple):
            raise Problem("an operand is opaque: the graph is not closed")
        elif value is not None and not is_number(value):
            raise Problem(f"an operand is a {type(value).__name__}; literals are Python numbers")

    def check_results(self) -> None:
        """Outputs and effects."""
        for position, value in enumerate(self.graph.outputs):
            if isinstance(value, Node) and isinstance(value.dtype, tuple):
                self.fail(value, f"output {position} has several results; take one with project")
            if not isinstance(value, Node) and not is_number(value):
                self.fail(None, f"output {position} is a {type(value).__name__}; outputs are nodes and Python numbers")
        written: set[Node] = set()
        for old, new in self.graph.effects:
            if old not in self.leaves:
                self.fail(
                    old if isinstance(old, Node) else None, "an effect writes what is neither an input nor a capture"
                )
            if old in written:
                self.fail(old, "two effects write the same leaf")
            written.add(old)
            if not isinstance(new, Node):
                self.fail(old, f"an effect writes a {type(new).__name__}; it must be a node")
            if new.types != old.types:
                self.fail(new, f"an effect writes {types_text(new.types)} over {old.type}")


def _reached(graph: Graph, leaves: set[Node]) -> list[Node]:
    """The nodes of the graph in sequence order, foreign leaves included: what Graph.nodes gives, without its own check."""
    stack = [v for v in (*graph.outputs, *(new for _, new in graph.effects)) if isinstance(v, Node) and v not in leaves]
    seen: set[Node] = set()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(i for i in node.inputs if isinstance(i, Node) and i not in leaves)
    return sorted(seen, key=BY_SEQUENCE)


def _check_type(verifier: _Verifier, node: Node, types: tuple[Type, ...]) -> None:
    for t in types:
        if not is_well_formed(t):
            verifier.fail(node, f"a type must have a tuple of sizes and a NumPy dtype, not {t.shape!r} and {t.dtype!r}")


def _check_hashable(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError:
        raise Problem(f"the attribute {name!r} is a {type(value).__name__}, which cannot be hashed") from None
