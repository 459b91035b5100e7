"""The values of a signature's recordings under one naming: what two recordings compute in the same way is one node.

Operators are pure (random ones read a key), so a node is known by its operator, operands and attributes.  That lets recordings of different paths share their common beginning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.graph import Graph, attribute_key
from tracegrad.ir.literals import literal_key
from tracegrad.ir.node import Node, make_leaf, make_node, node_like
from tracegrad.ir.op import Op, result_types
from tracegrad.ir.types import Type

KINDS = {float: np.float64, int: np.int64, bool: np.bool_}
SOME = 5  # stands for a size that depends on values


class Source(NamedTuple):
    """What an input of the programs is: ("argument", position), ("captured", the Tensor), ("grad", a Source), ("random", number of the draw), ("fixed", the Tensor) or ("place", the Place of a float)."""

    kind: str
    of: Any

    def key(self) -> Any:
        """What tells it from others."""
        if self.kind == "captured":
            return self.kind, id(self.of)
        if self.kind == "fixed":
            array = self.of._data
            return self.kind, array.shape, array.dtype.str, array.tobytes()
        if self.kind == "place":
            return self.kind, self.of.name()
        return self.kind, self.of.key() if isinstance(self.of, Source) else self.of

    def read(self, arguments: list[Any]) -> Any:
        """The Tensor that it is now; random keys are drawn elsewhere."""
        if self.kind == "argument":
            return arguments[self.of]
        if self.kind == "place":
            value = self.of.read()
            return value if isinstance(value, Tensor) else handle(np.array(value, KINDS[type(value)]), None)
        return self.of.read(arguments)._grad if self.kind == "grad" else self.of


def _computed(node: Node) -> Node:
    """The value itself, where a node is the result of a call of the user's, whose rules are an object of each recording."""
    while node.op is not None and node.op.name == "project" and node.inputs[0].op.name == "custom_call":
        node = node.inputs[0].inputs[node.attrs[0]]
    return node


class Detached(Source):
    """A Source without its history."""

    def read(self, arguments: list[Any]) -> Any:
        """Another Tensor that shows the memory of what it is now."""
        return super().read(arguments).detach()


class Values:
    """The nodes of one signature, each made once."""

    def __init__(self) -> None:
        self.leaves: dict[Any, Node] = {}
        self.sources: dict[Node, Source] = {}
        self.constant: set[Node] = set()  # computed from nothing: each program makes them itself
        self._nodes: dict[Any, Node] = {}
        self._sized: set[Any] = set()  # operators with several results that are as large as values say

    def leaf(self, source: Source, like: Node) -> Node:
        """The node of a source."""
        key = (source.key(), like.needs)
        found = self.leaves.get(key)
        if found is None:
            found = self.leaves[key] = make_leaf(Type(like.shape, like.dtype), needs=like.needs)
            self.sources[found] = source
        return found

    def alike(self, a: Node, b: Node) -> bool:
        """Whether two nodes are computed in the same way, from leaves of the same kind: a recording makes some captured values anew."""
        stack, seen = [(a, b)], set()
        while stack:
            a, b = pair = stack.pop()
            a, b = _computed(a), _computed(b)
            if a is b or pair in seen:
                continue
            seen.add(pair)
            sources = self.sources.get(a), self.sources.get(b)
            if any(s is not None for s in sources):
                if None in sources or sources[0].kind != sources[1].kind or a.types != b.types:  # type: ignore[union-attr]
                    return False
                continue
            if a.op is not b.op or a.types != b.types or len(a.inputs) != len(b.inputs):
                return False
            for x, y in zip((*a.inputs, *a.attrs), (*b.inputs, *b.attrs), strict=True):
                if isinstance(x, Node) and isinstance(y, Node):
                    stack.append((x, y))
                elif not isinstance(x, Graph) and attribute_key(x) != attribute_key(y):
                    return False
        return True

    def take(self, nodes: Iterable[Node], known: dict[Node, Node]) -> None:
        """Give all nodes, which come in program order, theirs here, in `known`; it has the leaves."""
        for node in nodes:
            op, inputs = node.op, tuple([known[i] if i.__class__ is Node else i for i in node.inputs])
            assert op is not None
            any_size = op.value_dependent or (self._sized and inputs[:1] in self._sized)
            kind: Any = _of_any_size(op, inputs, node.attrs) if any_size else (node.shape, node.dtype)
            key = (
                op,
                tuple([i if i.__class__ is Node else literal_key(i) for i in inputs]),
                tuple(map(attribute_key, node.attrs)) if node.attrs else (),
                kind,
                node.needs,
            )
            found = self._nodes.get(key)
            if found is None:
                if any_size:
                    found = make_node(op, inputs, node.attrs, kind, needs=node.needs, extra=node.extra)
                else:
                    found = node_like(node, inputs, node.needs)
                self._nodes[key] = found
                if op.value_dependent and op.several():
                    self._sized.add((found,))
                if all(i in self.constant for i in inputs if i.__class__ is Node):
                    self.constant.add(found)
            known[node] = found


def _of_any_size(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...]) -> Any:
    """The type of what is as large as values say, the same for all of them: a size that no pass takes for a special one stands for it."""
    if op.name == "project":
        return inputs[0].types[attrs[0]]
    types = result_types(op.type_rule(tuple([i.type if isinstance(i, Node) else None for i in inputs]), attrs))
    sized = tuple([Type(tuple([SOME if n < 0 else n for n in t.shape]), t.dtype) for t in types])
    return sized if op.several() else sized[0]
