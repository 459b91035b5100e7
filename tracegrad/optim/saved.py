"""The form in which an optimizer's state is saved: parameters as numbers, and Tensors in the dtype of their parameter when they come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tracegrad import dtypes
from tracegrad.eager.tensor import Tensor


def packed_groups(groups: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """The groups with numbers in the place of their parameters, and the number of each parameter by its id.

    A parameter that stands several times has the number of its first place.
    """
    numbers: dict[int, int] = {}
    packed, start = [], 0
    for group in groups:
        for position, p in enumerate(group["params"], start):
            numbers.setdefault(id(p), position)
        start += len(group["params"])
        settings = {k: v for k, v in group.items() if k != "params"}
        packed.append({**settings, "params": [numbers[id(p)] for p in group["params"]]})
    return packed, numbers


def loaded_value(p: Tensor, value: Any, group: dict[str, Any], key: Any = None) -> Any:
    """A saved value for the parameter p: Tensors in p's dtype if that is floating-point, the counter `step` as it is (float32 for a fused or capturable method)."""
    if isinstance(value, Tensor):
        if key == "step":
            converts = group.get("capturable") or group.get("fused")
            return value.to(dtypes.float32) if converts else value  # type: ignore[attr-defined]
        return value.to(p.dtype) if p.is_floating_point() else value  # type: ignore[attr-defined]
    if isinstance(value, dict):
        return {k: loaded_value(p, v, group, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(loaded_value(p, v, group) for v in value)  # type: ignore[call-arg]
    return value


__all__ = ["loaded_value", "packed_groups"]
