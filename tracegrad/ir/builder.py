"""B: the namespace of graph nodes.  Operators build nodes by type rule alone: no arithmetic, no values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tracegrad.errors import explain
from tracegrad.ir.node import Node, make_node
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Type, type_of


def build(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], location: Any = None) -> Any:
    """A node of `op` over nodes and Python numbers; for several results the tuple of its projections."""
    types = tuple(None if i is None else type_of(i) for i in inputs)
    result = op.type_rule(types, attrs)
    needs = any(isinstance(i, Node) and i.needs for i in inputs)
    node = make_node(
        op, inputs, attrs, result if isinstance(result, Type) else tuple(result), needs=needs, extra=location
    )
    return projections(node) if op.several() else node


def projections(node: Node) -> tuple[Node, ...]:
    """One node per result of an operator with several."""
    project = REGISTRY["project"]
    return tuple(
        make_node(project, (node,), (i,), t, needs=node.needs, extra=node.extra) for i, t in enumerate(node.types)
    )


def projection(node: Node, index: int) -> Node:
    """One result of an operator that ran earlier, as the node that it had then: with that place in program order."""
    made = projections(node)[index]
    made.seq = node.seq + 1 + index
    return made


class Builder(Ops):
    """Operators on graph nodes."""

    def __init__(self) -> None:
        self._place: list[Any] = [None]  # apart, so that what is remembered in the Builder does not hold it

    @property
    def location(self) -> Any:
        """The user's (file, line) that new nodes get."""
        return self._place[0]

    @location.setter
    def location(self, value: Any) -> None:
        self._place[0] = value

    @contextmanager
    def at(self, location: Any) -> Iterator[None]:
        """Give the nodes built inside the user's location (file, line)."""
        before, self.location = self.location, location
        try:
            yield
        finally:
            self.location = before

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = REGISTRY.get(name)
        if op is None:
            raise AttributeError(explain("B", f"there is no operator {name!r}"))
        if op.composite:
            return partial(op.call, self)
        function = self.__dict__[name] = _node_function(self._place, op)
        return function


def _node_function(place: list[Any], op: type[Op]) -> Callable[..., Any]:
    def make(*inputs: Any, **attrs: Any) -> Any:
        return build(op, inputs, tuple(attrs[a] for a in op.attrs), place[0])

    return make


B = Builder()
