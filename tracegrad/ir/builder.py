"""B: the namespace of graph nodes.  Operators build nodes by type rule alone: no arithmetic, no values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tracegrad.dtypes import F32, F64
from tracegrad.errors import explain
from tracegrad.ir.node import Node, make_node
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Type, type_of

_uniform: dict[tuple[type[Op], Any], Any] = {}


def build(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], location: Any = None) -> Any:
    """A node of `op` over nodes and Python numbers; for several results the tuple of its projections."""
    result = uniform_type(op, inputs) if op.elementwise and not attrs else None
    if result is None:
        result = op.type_rule(tuple(None if i is None else type_of(i) for i in inputs), attrs)
    needs = any(isinstance(i, Node) and i.needs for i in inputs)
    node = make_node(
        op, inputs, attrs, result if isinstance(result, Type) else tuple(result), needs=needs, extra=location
    )
    return projections(node) if op.several() else node


def uniform_type(op: type[Op], inputs: tuple[Any, ...]) -> Type | None:
    """What the type rule of an elementwise operator says of nodes of one shape and floating dtype and of Python floats, without asking it again; None for other operands."""
    first = None
    for i in inputs:
        if i.__class__ is Node:
            if first is None:
                first = i
            elif i.shape != first.shape or i.dtype is not first.dtype:
                return None
        elif i.__class__ is not float:
            return None
    if first is None or (first.dtype is not F32 and first.dtype is not F64):
        return None
    key = op, first.dtype
    if key not in _uniform:
        found = op.type_rule(tuple(map(type_of, inputs)), ())
        _uniform[key] = found.dtype if isinstance(found, Type) else None
    d = _uniform[key]
    return None if d is None else Type(first.shape, d)


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
