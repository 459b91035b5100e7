"""What a replay compares of a value that Python code has read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

COUNT, CUT = "count", "cut"  # reads of how much a mask selects, and where what reads values gets a program of its own


def whole_value(array: Array) -> Any:
    """Everything about a value, comparable."""
    return array.shape, array.dtype.str, array.tobytes()


def truth(array: Array) -> Any:
    """Whether the one element is true."""
    return bool(array.item()) if array.size == 1 else whole_value(array)


def whole_number(array: Array) -> Any:
    """The one element rounded toward zero."""
    value = array.item() if array.size == 1 else None
    whole = isinstance(value, (bool, int)) or (isinstance(value, float) and abs(value) < 2**63)
    return int(value) if whole else whole_value(array)


def shape_of(array: Array) -> Any:
    """How large a value is."""
    return array.shape


def nothing(array: Array) -> Any:
    """Nothing: the recording is cut there, whatever the value is."""
    return None


READERS: dict[str, Callable[[Array], Any]] = {"bool": truth, "int": whole_number, "index": whole_number}
