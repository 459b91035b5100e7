"""What the loops share: which carried values have tangents or a batch once these have gone round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracegrad.ir.bodies import moving_outputs, output_types
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, input_type
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Type
from tracegrad.slots import slots

Read = Callable[[Node, int], Any]
Wanted = Callable[[Any], bool]


def moving_carries(body: Graph, carries: int, moving: Sequence[int]) -> tuple[list[int], tuple[bool, ...]]:
    """The inputs that have tangents once the tangents have gone round, and which outputs have them."""
    known = set(moving)
    while True:
        flags = moving_outputs(body, known)
        more = {i for i in range(carries) if flags[i]} - known
        if not more:
            return sorted(known), tuple(f or i in known for i, f in enumerate(flags[:carries])) + flags[carries:]
        known |= more


def tangent_of(F: Ops, node: Node, incoming: tuple[Any, ...], position: int) -> Any:
    """The tangent of an operand; zeros where there is none."""
    t = incoming[position]
    return F.zeros(input_type(node, position)) if t is None else t


def batched_state(
    body: Graph, carries: int, batched: Sequence[bool], size: int
) -> tuple[list[bool], Graph, list[bool]]:
    """Which inputs of the body are batched once the batch has gone round, the batched body, and which of its outputs are."""
    flags = list(batched)
    while True:
        wide = slots.batch_graph(body, flags, size, spread=False)
        kinds = output_types(body)
        given = [len(o.shape) > len(t.shape) for o, t in zip(wide.outputs, kinds, strict=True)]
        more = [i for i in range(carries) if given[i] and not flags[i]]
        if not more:
            break
        for i in more:
            flags[i] = True
    outputs = [
        spread(B, o, size) if k < carries and flags[k] and not given[k] else o for k, o in enumerate(wide.outputs)
    ]
    given = [flags[k] if k < carries else has for k, has in enumerate(given)]
    return flags, wide.with_outputs(outputs), given


def spread(F: Ops, x: Any, size: int) -> Any:
    """x repeated along a new first axis."""
    return F.broadcast_to(x, shape=(size, *F.shape(x)))


def dtype_source(t: Type) -> str:
    """The dtype of an array as NumPy source."""
    return (
        "np.bool_" if t.dtype.kind == "b" else "np.dtype('bfloat16')" if t.dtype.kind == "V" else f"np.{t.dtype.name}"
    )
