"""Memory that JAX and NumPy share on the CPU: results are NumPy arrays over XLA's buffers, and go back to the next program as they are.

A result is writable NumPy memory.  It is the buffer of a jax.Array that nobody else holds, so that a write to it is what the next JAX program reads; no cache of
JAX's sees it.  A `Resident` is the array's `base`: it keeps the buffer alive and leads back to the jax.Array.  Views have the array itself as their base and go
the ordinary way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from tracegrad.backends.base import Array

_SHARED = frozenset("biufc")  # kinds of dtypes that NumPy's array interface can name


class Form(NamedTuple):
    """What is known of a result before it is made."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    typestr: str  # how NumPy's array interface names the dtype; empty where results have to be copied
    device: Any


def form_of(shape: tuple[int, ...], dtype: np.dtype[Any], device: Any) -> Form:
    """The form of results of this shape and dtype on the device."""
    shared = device.platform == "cpu" and dtype.kind in _SHARED
    return Form(tuple(shape), dtype, dtype.str if shared else "", device)


class Resident:
    """A buffer of XLA's that a NumPy array shows.  array is the jax.Array, address where its memory begins."""

    __slots__ = ("__array_interface__", "__weakref__", "address", "array", "form")

    def __init__(self, array: jax.Array, form: Form) -> None:
        self.array, self.form = array, form
        self.address: int = array.unsafe_buffer_pointer()
        # an array interface is a description of memory, and writable where its second entry says so
        self.__array_interface__ = {
            "data": (self.address, False), "shape": form[0], "typestr": form[2], "version": 3,
        }  # fmt: skip


def shown(result: jax.Array, form: Form) -> Array:
    """A result of XLA's, once it is there, as a writable NumPy array that owns it: without a copy on the CPU.

    Nobody else may hold `result`.
    """
    if not form.typestr:
        return np.array(result)
    result.block_until_ready()
    return np.asarray(Resident(result, form))


def resident(array: Any, device: Any) -> Resident | None:
    """What the array shows whole, if that is a buffer on this device; None for any other array."""
    base = getattr(array, "base", None)
    if type(base) is not Resident:
        return None
    form = base.form
    return base if form.device is device and form.shape == array.shape and form.dtype == array.dtype else None


def taken(array: Any, device: Any) -> Any:
    """What goes to XLA for an array: the jax.Array behind it, or the array itself, which XLA reads in place where its address is a multiple of 64."""
    found = resident(array, device)
    return array if found is None else found.array


def exclusive(position: int, arrays: tuple[Any, ...], device: Any) -> Resident | None:
    """The buffer behind the argument at this position if no other argument shows any of its memory: it may be given away.  Else None."""
    found = resident(arrays[position], device)
    if found is None or not arrays[position].size:
        return None
    others = (a for i, a in enumerate(arrays) if i != position)
    return None if any(np.may_share_memory(arrays[position], a) for a in others) else found
