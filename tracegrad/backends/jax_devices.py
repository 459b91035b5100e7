"""Programs whose values stay on devices between calls: on an accelerator, or spread over a mesh.

Inputs go where the program wants them: what an earlier program left there is taken as it is, the rest is copied.  Results are `OnDevice`, so that they come to the
host only if something asks for them.  With several processes a result that is cut is gathered at once, for every process has to take part in that.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, Sharding, SingleDeviceSharding

from tracegrad.backends.base import Array
from tracegrad.backends.jax_errors import named
from tracegrad.backends.on_device import Foreign, OnDevice

HOSTS = frozenset(("cpu",))  # platforms of JAX whose memory is NumPy's too
NAMES = {"gpu": "cuda", "tpu": "xla", "METAL": "mps", "sycl": "xpu"}  # torch's, for JAX's


def stays(device: Any, mesh: Any) -> bool:
    """Whether values of a program stay where they are: on a mesh, and on an accelerator; device is None for JAX's default."""
    return mesh is not None or (device or default_device()).platform not in HOSTS


def default_device() -> Any:
    """Where JAX runs a program that names no device."""
    chosen: Any = getattr(jax.config, "jax_default_device", None)
    if isinstance(chosen, str):
        return jax.local_devices(backend=chosen)[0]
    return chosen or jax.local_devices()[0]


@functools.lru_cache(256)
def place_of(sharding: Sharding) -> str:
    """The first device of this process in torch's words."""
    device: Any = min(sharding.addressable_devices, key=_number)
    name = NAMES.get(device.platform, device.platform)
    if name == "cpu":
        return "cpu"
    return f"{name}:{jax.local_devices(backend=device.client.platform).index(device)}"


def _number(device: Any) -> int:
    return int(device.id)


class Places:
    """Where the inputs of a program lie: one sharding for each."""

    def __init__(self, shardings: Sequence[Sharding]) -> None:
        self.shardings = tuple(shardings)
        devices: set[Any] = {d for s in set(self.shardings) for d in s.addressable_devices}
        self.host = any(d.platform == "cpu" for d in devices)

    @classmethod
    def on(cls, device: Any, count: int) -> Places:
        """All inputs on one device."""
        return cls((SingleDeviceSharding(device),) * count)

    def inputs(self, arrays: Sequence[Any]) -> list[jax.Array]:
        """The arrays of a call where the program wants them; NumPy's may be written as soon as this returns, unless they are the devices' own memory."""
        made, copied = [], []
        for value, sharding in zip(arrays, self.shardings, strict=True):
            array = value.array if type(value) is OnDevice else None
            if array is None:
                found = placed(value.data() if type(value) is OnDevice else value, sharding)
                copied.append(found)
            elif array.sharding == sharding or array.sharding.is_equivalent_to(sharding, array.ndim):
                found = array
            else:
                found = jax.device_put(array, sharding)
            made.append(found)
        jax.block_until_ready(copied)
        return made

    def settled(self, position: int, array: Array) -> OnDevice:
        """A copy of an input where the program wants it."""
        own = np.array(array) if self.host else array  # the CPU's devices may keep the memory
        return kept(jax.block_until_ready(jax.device_put(own, self.shardings[position])), "")

    def results(self, arrays: Iterable[jax.Array], source: str) -> tuple[OnDevice, ...]:
        """Results as values on devices; once they are there where the devices read NumPy's memory in place."""
        arrays = tuple(arrays)
        if self.host:
            jax.block_until_ready(arrays)
        return tuple([kept(a, source) for a in arrays])


def placed(array: Any, sharding: Sharding) -> jax.Array:
    """The array on the devices of this process, each with its part."""
    whole = lent_to_jax(np.asarray(array))
    if isinstance(sharding, NamedSharding):
        return jax.make_array_from_callback(whole.shape, sharding, whole.__getitem__)
    found: jax.Array = jax.device_put(whole, sharding)
    return found


class _Lent:
    """Memory without its owner."""

    __slots__ = ("__array_interface__",)

    __array_interface__: dict[str, Any]


def lent_to_jax(array: Array) -> Array:
    """The memory of an array that lives longer than what JAX makes of it: JAX gives references back late, and a Tensor with memory that nobody else has moves to
    the device when it is written."""
    if array.dtype.kind == "V" or not array.size:
        return array
    view = _Lent()
    view.__array_interface__ = {**array.__array_interface__, "data": (array.__array_interface__["data"][0], True)}
    return np.asarray(view)


def kept(array: jax.Array, source: str) -> OnDevice:
    """A result that stays where it is; source is the text of its program, for errors."""

    def fetch(array: jax.Array) -> Array:
        try:
            return gathered(array)
        except Exception as error:  # of the program: it may run long after the call
            raise named(error, source, "run the program") from error

    whole = None
    if jax.process_count() > 1 and not array.is_fully_replicated and not array.is_fully_addressable:
        whole = gathered(array)
    return OnDevice(array, array.shape, np.dtype(array.dtype), place_of(array.sharding), fetch, whole)


def adopted(array: Any) -> OnDevice | None:
    """The value of the caller's own array of JAX; None where that is in the memory of the host, of one device, or no array."""
    if not isinstance(array, jax.Array) or isinstance(array, jax.core.Tracer) or array.is_deleted():
        return None
    devices: set[Any] = array.sharding.device_set
    if len(devices) == 1 and all(d.platform in HOSTS for d in devices):
        return None
    found = kept(array, "")
    found.alone = False
    return found


Foreign.adopt = staticmethod(adopted)


def gathered(array: jax.Array) -> Array:
    """The whole value of a result, in memory of its own."""
    if array.is_fully_replicated:
        return np.array(array.addressable_data(0))
    if array.is_fully_addressable:
        return np.array(array)
    return np.array(multihost_utils.process_allgather(array, tiled=True))


def lent(position: int, arrays: Sequence[Any]) -> OnDevice | None:
    """The value on the device that is given at this position, if no other argument is the same: its memory may be given away."""
    value = arrays[position]
    if type(value) is not OnDevice or not value.alone or value.array is None or not all(value.shape):
        return None
    return None if any(a is value for i, a in enumerate(arrays) if i != position) else value


__all__ = ["HOSTS", "NAMES", "Places", "default_device", "gathered", "kept", "lent", "placed", "place_of", "stays"]
