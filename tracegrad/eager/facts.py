"""Methods that say what a tensor is: sizes, strides, memory, kind of dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.devices import contiguous_format, preserve_format
from tracegrad.eager import views
from tracegrad.eager.clock import owner
from tracegrad.eager.conversions import leave
from tracegrad.eager.generate import public_function
from tracegrad.eager.memory_formats import lies_as
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import AxisError, ShapeError, explain
from tracegrad.ir.types import one_axis
from tracegrad.kernels.windows import offset_of

Array = np.ndarray[Any, Any]


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the size of one axis.  Raises IndexError for an axis out of range."""
    if dim is None:
        return self.shape
    return self._data.shape[_axis("size", self, dim)]


def stride(self: Tensor, dim: int | None = None) -> Any:
    """Steps between neighbours along each axis (or one axis), in elements."""
    steps = _steps(self._data)
    return steps if dim is None else steps[_axis("stride", self, dim)]


def _steps(array: Array) -> tuple[int, ...]:
    """torch's strides: a new axis of size 1 goes over the axes behind it, where NumPy says 0; so does one of an array without elements."""
    steps, size, shape = list(array.strides), array.itemsize, array.shape
    empty = not any(steps)
    behind = 1
    for i in range(len(steps) - 1, -1, -1):
        found = steps[i] // size
        if not found and (shape[i] == 1 or (empty and not array.size)):
            found = behind
        steps[i], behind = found, max(shape[i], 1) * found
    return tuple(steps)


def storage_offset(self: Tensor) -> int:
    """How many elements of the memory lie before the first one of this tensor."""
    leave(self, "storage_offset")
    return offset_of(self._data)


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both tensors show the same elements of the same memory, in the same shape and with the same strides."""
    a, b = self._data, tensor._data
    same_memory = owner(a) is owner(b) and data_ptr(self) == data_ptr(tensor)
    return same_memory and a.dtype == b.dtype and a.shape == b.shape and _steps(a) == _steps(b)


class UntypedStorage:
    """The block of memory that a tensor shows: where it begins and how many bytes it has."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Array) -> None:
        self._memory = memory

    def data_ptr(self) -> int:
        """Address of the first byte."""
        return int(self._memory.__array_interface__["data"][0])

    def nbytes(self) -> int:
        """Number of bytes."""
        return self._memory.nbytes

    size = __len__ = nbytes

    def elements(self, dtype: Any) -> Array:
        """The whole block as a flat array of a NumPy dtype."""
        return self._memory.ravel("K").view(dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and other.data_ptr() == self.data_ptr()

    def __hash__(self) -> int:
        return hash(self.data_ptr())


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this tensor shows, with others that share it."""
    leave(self, "untyped_storage")
    return UntypedStorage(owner(self._data))


def _axis(operation: str, t: Tensor, dim: int) -> int:
    if not t._data.ndim:
        raise AxisError(explain(operation, f"Dimension specified as {dim} but tensor has no dimensions"))
    return one_axis(operation, t._data.ndim, dim)


def dim(self: Tensor) -> int:
    """Number of axes."""
    return self._data.ndim


def numel(self: Tensor) -> int:
    """Number of elements."""
    return self._data.size


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in row-major order, or as memory_format says."""
    if memory_format is None:
        return self._data.flags.c_contiguous
    return lies_as(self._data, memory_format)


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """self if it is contiguous, else a contiguous copy; memory_format names another order than row-major."""
    if memory_format is None and self._data.flags.c_contiguous:
        return self
    wanted = contiguous_format if memory_format is None else memory_format
    if lies_as(self._data, wanted):
        return self
    if wanted is preserve_format:
        problem = "preserve memory format is unsupported by the contiguous operator"
        raise ShapeError(explain("contiguous", problem))
    made: Tensor = public_function("clone")(self, memory_format=wanted)
    return made


def element_size(self: Tensor) -> int:
    """Bytes of one element."""
    return self._data.itemsize


def data_ptr(self: Tensor) -> int:
    """Address of the first element."""
    leave(self, "data_ptr")
    return int(self._data.__array_interface__["data"][0])


def is_floating_point(self: Tensor) -> bool:
    """Whether the dtype is a floating one."""
    return self._data.dtype.kind in "fV"


def is_complex(self: Tensor) -> bool:
    """Whether the dtype is a complex one."""
    return self._data.dtype.kind == "c"


def is_signed(self: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return self._data.dtype.kind in "ifcV"


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Whether the shapes are equal."""
    return self._data.shape == other._data.shape


def get_device(self: Tensor) -> int:
    """-1: the CPU."""
    return -1


def _is_view(self: Tensor) -> bool:
    """Whether this tensor shows the memory of another one that autograd knows."""
    return views.is_view(self)


METHODS = {
    f.__name__: f
    for f in (
        size,
        stride,
        dim,
        numel,
        is_contiguous,
        contiguous,
        element_size,
        data_ptr,
        is_floating_point,
        is_complex,
        is_signed,
        is_same_size,
        get_device,
        _is_view,
        storage_offset,
        is_set_to,
        untyped_storage,
    )
} | {"ndimension": dim, "nelement": numel}
