"""Of what kind a place of a function's own state is: what programs may read and put there."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.device_tensors import HERE
from tracegrad.eager.tensor import Tensor, raw

LARGEST = 2**62  # of ints in programs
COLLECTS = "collects"  # in the name of a list that is only added to


def state_kind(value: Any) -> Any:
    """What every value has in common that may take the place of this one in the state of a function; None for what is no number, Tensor or tuple of them."""
    kind: Any = type(value)
    if kind in HERE:
        kind = HERE[kind]
    if kind is bool:
        return kind, value  # code may ask whether it is True
    if kind is float or (kind is int and abs(value) < LARGEST):
        return kind
    if kind is Tensor:
        node = value._node
        history = None if node is None or not node.needs else node.op is None
        return kind, raw(value).shape, raw(value).dtype, history
    if kind is tuple and value:
        parts = tuple([v if v is None or type(v) is str else state_kind(v) for v in value])
        return None if any(p is None and v is not None for p, v in zip(parts, value, strict=True)) else (tuple, parts)
    return None
