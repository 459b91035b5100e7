"""Tensors whose values lie on devices, results of compiled programs: NumPy's data are made when something asks for `_data`, the rest is known without them.

They are of private subclasses, so that ordinary Tensors pay nothing: every fast path asks `type(x) is Tensor`, and the general ones read `_data`, which fetches the
values and makes the Tensor an ordinary one.  To the program the class is Tensor (or Parameter) all the time.  The slot of `_data` has the OnDevice meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from sys import getrefcount
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.backends.on_device import OnDevice
from tracegrad.config import local
from tracegrad.devices import CPU
from tracegrad.devices import device as Device
from tracegrad.eager.clock import writes
from tracegrad.eager.inference import InferenceTensor
from tracegrad.eager.tensor import PLACE, Parameter, Size, Tensor, handle, raw
from tracegrad.ir.node import Node

Array = np.ndarray[Any, Any]
_set_raw = Tensor.__dict__["_data"].__set__
_set_class = object.__dict__["__class__"].__set__
_new = object.__new__


class _OnDevice:
    """What is known of a Tensor without its data, and what does not need to keep them."""

    __slots__ = ()

    @property
    def __class__(self) -> Any:
        """The class that it has for the program: the subclass is a matter of this package."""
        return _SHOWN[type(self)]

    @__class__.setter
    def __class__(self, cls: Any) -> None:
        if cls in ON_DEVICE:
            _set_class(self, ON_DEVICE[cls])
        else:
            fetched(self)
            _set_class(self, cls)

    @property
    def _data(self) -> Array:
        return fetched(self)

    @_data.setter
    def _data(self, array: Array) -> None:
        _set_class(self, HERE[type(self)])
        _set_raw(self, array)

    @property
    def shape(self) -> Size:
        """Sizes of the axes."""
        return tuple.__new__(Size, raw(self).shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """Element type."""
        return dtypes.from_numpy(raw(self).dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(raw(self).shape)

    @property
    def device(self) -> Device:
        """Where the value lies."""
        cell = raw(self)
        return Device(cell.place) if type(cell) is OnDevice and cell.array is not None else CPU

    @property
    def is_cuda(self) -> bool:
        """Whether the value lies on a GPU of NVIDIA's."""
        return self.device.type == "cuda"

    @property
    def is_cpu(self) -> bool:
        """Whether the value lies in the memory of the host."""
        return self.device.type == "cpu"

    def get_device(self) -> int:
        """The number of the device; -1 for the CPU."""
        where = self.device
        return -1 if where.type == "cpu" else where.index or 0

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(raw(self).dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return _like(self).nbytes  # type: ignore[attr-defined,no-any-return]

    def __len__(self) -> int:
        return len(_like(self))  # type: ignore[arg-type]

    def detach(self) -> Any:
        """A Tensor without history that shows the same memory."""
        if local.trace is not None or local.watch is not None or local.inference or type(self) is DeviceInferenceTensor:
            return Tensor.detach(self)  # type: ignore[attr-defined]
        return wrapped(raw(self), None)

    def cpu(self, memory_format: Any = None) -> Any:
        """A copy on the host; self itself where it is there, or is to be followed by autograd."""
        plain = local.trace is None and local.watch is None and self._node is None  # type: ignore[attr-defined]
        cell = raw(self)
        if memory_format is not None or not plain or self.is_cpu or type(cell) is not OnDevice:
            fetched(self)
            return Tensor.cpu(self, memory_format)  # type: ignore[attr-defined]
        return handle(cell.copied(), None)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """As Tensor's; self for the device where it is, a copy on the host for the CPU."""
        given = args if args else (kwargs["device"],) if "device" in kwargs else ()
        if len(given) == 1 and isinstance(given[0], (str, Device)) and not kwargs.get("copy") and "dtype" not in kwargs:
            wanted, here = Device(given[0]), self.device
            if wanted.type == here.type and wanted.index in (None, here.index):
                return self
            if wanted.type == "cpu":
                return self.cpu()
        fetched(self)
        return Tensor.to(self, *args, **kwargs)  # type: ignore[attr-defined]

    def cuda(self, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Any:
        """self where it is on that device; AssertionError elsewhere."""
        number = f":{device}" if isinstance(device, int) else ""
        return self.to(device if device is not None and not number else f"cuda{number}")


def _known(name: str) -> Any:
    """A method that looks at the form of the Tensor alone."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(Tensor, name)(_like(self), *args, **kwargs)

    return method


def _reading(name: str) -> Any:
    """A method that reads the values and keeps nothing of them, so that they stay on the device."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        cell = raw(self)
        if local.trace is not None or local.watch is not None or type(cell) is not OnDevice:
            return getattr(Tensor, name)(self, *args, **kwargs)
        copied = _named(HERE[type(self)], cell.copied(), self._node)
        copied.__dict__[PLACE] = cell.place
        return getattr(Tensor, name)(copied, *args, **kwargs)

    return method


for _name in "size stride dim numel ndimension nelement element_size is_contiguous is_floating_point is_complex is_signed".split():
    setattr(_OnDevice, _name, _known(_name))
for _name in "item tolist __bool__ __float__ __int__ __index__ __complex__ __format__ __repr__".split():
    setattr(_OnDevice, _name, _reading(_name))


class DeviceTensor(_OnDevice, Tensor):
    """A Tensor on a device."""

    _shown = "torch.Tensor"
    __slots__ = ()


class DeviceParameter(_OnDevice, Parameter):
    """A Parameter on a device."""

    _shown = "torch.nn.parameter.Parameter"
    __slots__ = ()


class DeviceInferenceTensor(_OnDevice, InferenceTensor):
    """An inference tensor on a device."""

    _shown = "torch.Tensor"
    __slots__ = ()


ON_DEVICE: dict[Any, Any] = {Tensor: DeviceTensor, Parameter: DeviceParameter, InferenceTensor: DeviceInferenceTensor}
HERE = {there: here for here, there in ON_DEVICE.items()}
_SHOWN = {DeviceTensor: Tensor, DeviceParameter: Parameter, DeviceInferenceTensor: Tensor}
for _cls in HERE:
    _cls.__name__ = _cls.__qualname__ = _SHOWN[_cls].__name__
    _cls.__module__ = Tensor.__module__


def fetched(t: Any) -> Array:
    """The data of a Tensor on a device, which is an ordinary Tensor from now on."""
    value = raw(t)
    if type(value) is not OnDevice:  # another thread was quicker
        return value  # type: ignore[no-any-return]
    if local.host is None:
        array = value.data()
    else:  # a recording watches what the user's code does
        sys.setprofile(None)
        try:
            array = value.data()
        finally:
            sys.setprofile(local.host)
    if raw(t) is value:
        _set_raw(t, array)
    _set_class(t, HERE.get(type(t), type(t)))
    return array


def _named(cls: Any, array: Array, node: Node | None) -> Tensor:
    made: Tensor = _new(cls)
    made._data, made._node = array, node
    return made


def _like(t: Any) -> Tensor:
    """An ordinary Tensor of the same form, whose elements nobody reads."""
    value = raw(t)
    return handle(np.empty(value.shape, value.dtype), t._node)


def wrapped(value: Array | OnDevice, node: Node | None, inference: bool = False) -> Tensor:
    """A Tensor on a result of a program."""
    if type(value) is not OnDevice:
        return handle(value, node)  # type: ignore[arg-type]
    cls: Any = DeviceInferenceTensor if inference else DeviceTensor
    made: Tensor = _new(cls)
    _set_raw(made, value)
    made._node = node
    return made


def value_of(t: Tensor) -> Array | OnDevice:
    """What a program that keeps its values on devices gets for a Tensor: the OnDevice, or NumPy's data."""
    value = raw(t)
    return value.data() if type(value) is OnDevice and value.array is None else value


def memory_of(t: Tensor) -> Any:
    """The block of memory that t shows, wherever it is."""
    memory: Any = value_of(t)
    while type(memory) is not OnDevice and type(memory.base) is np.ndarray:
        memory = memory.base
    return memory


def _references(t: Tensor) -> int:
    """How many references there are to t's memory here where only t has it."""
    memory = raw(t)
    return getrefcount(memory)


_ALONE = _references(handle(np.empty(1), None))


def _is_alone(t: Tensor) -> bool:
    """Whether nothing but t shows its memory, which is on the host."""
    memory = raw(t)
    if getrefcount(memory) > _ALONE or hasattr(t, "_view"):
        return False
    # a chain of views of which each has the next one alone, down to memory that NumPy owns
    while (below := memory.base) is not None:
        if type(below) is not np.ndarray or getrefcount(below) > _ALONE:
            return False
        memory = below
    return True


def unmoved(t: Tensor) -> tuple[int, ...]:
    """What is the same as long as t has the same memory on the host and no operator writes it."""
    return id(t), id(raw(t)), *writes(t)


def settle(t: Tensor, place: Callable[[Array], OnDevice | None]) -> None:
    """Let t have its value where `place` puts it, if nothing else shows its memory."""
    if _is_alone(t) and (found := place(raw(t))) is not None:
        _set_raw(t, found)
        _set_class(t, ON_DEVICE[type(t)])


def moved(target: Tensor, value: Tensor) -> bool:
    """Let target have the value of a result on a device, as a write to its memory would; False where it has to be a write: others show that memory."""
    if value._node is not None or (target._node is not None and target._node.op is not None):
        return False
    new, old = raw(value), raw(target)
    if type(new) is not OnDevice or new.dtype is not old.dtype or new.shape != old.shape or new.array is None:
        return False
    if type(old) is OnDevice:
        if old.becomes(new):
            return True
        fetched(target)
    del old
    if type(target) not in ON_DEVICE:
        return False
    if not _is_alone(target):
        return False
    _set_raw(target, new.now())
    _set_class(target, ON_DEVICE[type(target)])
    return True


__all__ = [
    "DeviceTensor",
    "HERE",
    "ON_DEVICE",
    "fetched",
    "memory_of",
    "moved",
    "settle",
    "unmoved",
    "value_of",
    "wrapped",
]
