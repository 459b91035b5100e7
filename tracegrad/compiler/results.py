"""What a compiled function may return besides Tensors."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from tracegrad import devices, dtypes
from tracegrad.eager.tensor import Size
from tracegrad.errors import TraceError, explain

STATIC: tuple[type, ...] = (bool, int, str, bytes, type(None), dtypes.dtype, slice, type(Ellipsis))


def check_result(value: Any) -> None:
    """Raises TraceError for a part of the result that may hold values of the recorded call: a closure, a generator, an object."""
    if not isinstance(
        value, (*STATIC, float, complex, np.ndarray, np.generic, np.dtype, range, type, enum.Enum, devices.device, Size)
    ):
        raise TraceError(
            explain(
                "compile",
                f"the function returned a {type(value).__name__}, which every later call would return again as it is now",
                "Return Tensors, numbers and strings, in tuples, lists and dicts",
            )
        )
