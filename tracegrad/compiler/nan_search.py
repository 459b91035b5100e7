"""Where a compiled backward makes its first nan: its operators one after the other, for anomaly mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.raw import compute
from tracegrad.ir.text import location_of


def first_nan(graph: Graph, arrays: Sequence[Any]) -> tuple[str, int] | None:
    """The user's line of the first operator that makes nan of values without any, at these arrays for the leaves; None where there is none."""
    values: dict[Any, Any] = dict(zip(graph.leaves, arrays, strict=True))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            inputs = tuple([values[i] if isinstance(i, Node) else i for i in node.inputs])
            assert node.op is not None
            if node.op.name == "project":
                values[node] = inputs[0][node.attrs[0]]
                continue
            values[node] = compute(node.op, inputs, node.attrs)
            if _has_nan(values[node]) and not any(map(_has_nan, inputs)):
                return location_of(node)
    return None


def _has_nan(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(map(_has_nan, value))
    return isinstance(value, np.ndarray) and value.dtype.kind in "fc" and bool(np.isnan(value).any())


__all__ = ["first_nan"]
