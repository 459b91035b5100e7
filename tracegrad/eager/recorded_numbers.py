"""Operands that are numbers of a recording: 0-d Tensors that stand for Python's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad import dtypes
from tracegrad.eager.tensor import Tensor
from tracegrad.ir.op import Op


def plain_attributes(attrs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Attributes, which belong to the text of a program, with Python's numbers; the recording notes that they are read."""
    return tuple([a.item() if isinstance(a, Tensor) and "_is_number" in a.__dict__ else a for a in attrs])  # type: ignore[attr-defined]


def counts_as_number(operand: Any) -> bool:
    """Whether an operand is a literal, or a number of a recording."""
    return not isinstance(operand, Tensor) or "_is_number" in operand.__dict__


def alike(op: type[Op], operands: list[Any], places: list[int], promote: Callable[..., Any]) -> list[Any]:
    """Operands that are all numbers of a recording, or literals: of the dtype that Python's numbers would have."""
    given = [operands[i] for i in places]
    kinds = {o._data.dtype.kind if isinstance(o, Tensor) else dtypes.number_dtype(o).kind for o in given}
    if kinds == {"b"} and op.promotion == "arithmetic":
        target = dtypes.I64
    elif len(kinds) == 1 or "c" in kinds:
        return operands
    else:
        target = dtypes.F64 if "f" in kinds else dtypes.I64
    return [
        promote(o, dtype=target) if i in places and isinstance(o, Tensor) and o._data.dtype != target else o
        for i, o in enumerate(operands)
    ]
