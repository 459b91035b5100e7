"""In which order of axes elements lie in memory: what `memory_format` asks about."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.devices import axis_order, channels_last, channels_last_3d, contiguous_format

Array = np.ndarray[Any, Any]


def lies_as(data: Array, wanted: Any) -> bool:
    """Whether elements lie in memory in the order of a memory format; False for a format of another number of axes."""
    count = {channels_last: 4, channels_last_3d: 5}.get(wanted)
    if count is None:
        axis_order("is_contiguous", wanted, data.ndim)
        return data.flags.c_contiguous
    if count != data.ndim:
        return False
    step = data.itemsize
    for d in (1, *range(count - 1, 1, -1), 0):
        if data.shape[d] != 1:
            if data.strides[d] != step:
                return False
            step *= data.shape[d]
    return True


def suggested_format(data: Array) -> Any:
    """The memory format that torch takes an array for: channels last where the strides of four or five axes grow so."""
    found = {4: channels_last, 5: channels_last_3d}.get(data.ndim)
    if found is None or not data.size or not data.strides[1]:
        return contiguous_format
    least = 0
    for d in (1, *range(data.ndim - 1, 1, -1), 0):
        if data.strides[d] < least or (d == 0 and least == data.strides[1]):
            return contiguous_format
        least = data.strides[d] * max(data.shape[d], 1)
    return found
