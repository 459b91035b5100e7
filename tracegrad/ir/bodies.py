"""Graphs as attributes of operators: the bodies of branches and loops, run over any namespace and looked at as functions of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracegrad.errors import ArgumentError, DTypeError, ShapeError, explain
from tracegrad.ir.graph import Graph, evaluate
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Type, type_of


def run(F: Ops, body: Graph, values: Sequence[Any]) -> list[Any]:
    """The outputs of a body at these inputs, operator by operator."""

    def apply(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], node: Node) -> Any:
        if op.name == "project":
            return inputs[0][attrs[0]]
        return getattr(F, op.name)(*inputs, **dict(zip(op.attrs, attrs, strict=True)))

    return evaluate(body, dict(zip(body.inputs, values, strict=True)), apply)


def output_types(body: Graph) -> tuple[Type, ...]:
    """The types of the outputs."""
    return tuple(type_of(o)._replace(weak=False) for o in body.outputs)


def input_types(body: Graph) -> tuple[Type, ...]:
    """The types of the inputs."""
    return tuple(leaf.type for leaf in body.inputs)


def moving_outputs(body: Graph, moving: Iterable[int]) -> tuple[bool, ...]:
    """For each output whether it is computed from one of the inputs `moving`, and of a dtype that has derivatives."""
    reached: set[Any] = {body.inputs[i] for i in moving}
    for node in body.nodes:
        if not reached.isdisjoint(i for i in node.inputs if isinstance(i, Node)):
            reached.add(node)
    return tuple(isinstance(o, Node) and o in reached and is_differentiable(o.type) for o in body.outputs)


def is_differentiable(t: Type) -> bool:
    """Whether values of this type have derivatives."""
    return t.dtype.kind in "fcV"


def check_body(operation: str, name: str, body: Any, takes: Sequence[Type]) -> None:
    """Raise unless `body` is a closed Graph over inputs of these types: TypeError, RuntimeError where a type differs."""
    if not isinstance(body, Graph):
        raise ArgumentError(explain(operation, f"{name} must be a Graph, not {type(body).__name__}"))
    if body.captures or body.effects:
        raise ArgumentError(explain(operation, f"{name} must have neither captures nor effects"))
    check_types(operation, f"the inputs of {name}", input_types(body), takes)


def check_types(operation: str, what: str, have: Sequence[Type], want: Sequence[Type]) -> None:
    """Raise ShapeError or DTypeError (both RuntimeErrors) unless the types are equal, one by one."""
    if len(have) != len(want):
        raise ShapeError(explain(operation, f"{what}: {len(want)} are expected, {len(have)} given"))
    for i, (a, b) in enumerate(zip(have, want, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            error = ShapeError if a.shape != b.shape else DTypeError
            raise error(explain(operation, f"{what} must be {b} at position {i}, not {a}"))


def reordered(body: Graph, order: Sequence[int], outputs: Sequence[int] | None = None) -> Graph:
    """The body with its inputs in another order (all of them), and the chosen outputs."""
    chosen = body.outputs if outputs is None else tuple(body.outputs[i] for i in outputs)
    return Graph([body.inputs[i] for i in order], chosen, (), (), [body.names[i] for i in order])


def with_bodies(attrs: tuple[Any, ...], change: Callable[[Graph], Graph]) -> tuple[Any, ...]:
    """Attribute values with every Graph among them changed; the same tuple when nothing is."""
    made = tuple(change(a) if isinstance(a, Graph) else a for a in attrs)
    return attrs if all(a is b for a, b in zip(made, attrs, strict=True)) else made
