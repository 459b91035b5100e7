"""Memory that JAX and NumPy share on the CPU: results are NumPy arrays over XLA's buffers, and go back to the next program as they are.

A result is writable NumPy memory.  It is the buffer of a jax.Array that nobody else holds, so that a write to it is what the next JAX program reads; no cache of
JAX's sees it.  A `Resident` is the array's `base`: it keeps the buffer alive and leads back to the jax.Array.  Views have the array itself as their base and go
the ordinary way.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from tracegrad.backends.base import Array

_SHARED = frozenset("biufc")  # kinds of dtypes that NumPy's array interface can name


class Resident:
    """A buffer of XLA's that a NumPy array shows.  array is the jax.Array, device where it lies, address where its memory begins."""

    __slots__ = ("__array_interface__", "__weakref__", "address", "array", "device", "dtype", "shape")

    def __init__(self, array: jax.Array, device: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.array, self.device, self.shape, self.dtype = array, device, shape, dtype
        self.address: int = array.unsafe_buffer_pointer()
        # an array interface is a description of memory, and writable where its second entry says so
        self.__array_interface__ = {
            "data": (self.address, False), "shape": shape, "typestr": dtype.str, "version": 3,
        }  # fmt: skip


def shown(result: jax.Array, device: Any) -> Array:
    """A result of XLA's, once it is there, as a writable NumPy array that owns it: without a copy on the CPU.

    Nobody else may hold `result`.
    """
    result.block_until_ready()
    dtype = result.dtype
    if device.platform != "cpu" or dtype.kind not in _SHARED:
        return np.array(result)
    return np.asarray(Resident(result, device, result.shape, dtype))


def resident(array: Any, device: Any) -> Resident | None:
    """What the array shows whole, if that is a buffer on this device; None for any other array."""
    base = getattr(array, "base", None)
    if type(base) is not Resident or base.device is not device:
        return None
    return base if base.shape == array.shape and base.dtype == array.dtype else None


def taken(array: Any, device: Any) -> Any:
    """What goes to XLA for an array: the jax.Array behind it, or the array itself, which XLA reads in place where its address is a multiple of 64."""
    base = getattr(array, "base", None)
    if type(base) is Resident and base.device is device and base.shape == array.shape and base.dtype == array.dtype:
        return base.array
    return array


def exclusive(position: int, arrays: tuple[Any, ...], device: Any) -> Resident | None:
    """The buffer behind the argument at this position if no other argument shows any of its memory: it may be given away.  Else None."""
    found = resident(arrays[position], device)
    if found is None or not arrays[position].size:
        return None
    others = (a for i, a in enumerate(arrays) if i != position)
    return None if any(np.may_share_memory(arrays[position], a) for a in others) else found
