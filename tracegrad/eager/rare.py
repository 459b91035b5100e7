"""Methods and functions of torch's Tensor that few programs call; loaded at the first of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.devices import check_device
from tracegrad.eager import functions
from tracegrad.eager.clock import owner, set_apart
from tracegrad.eager.conversions import leave
from tracegrad.eager.data import as_leaf, element_type
from tracegrad.eager.dispatch import T
from tracegrad.eager.facts import UntypedStorage, stride
from tracegrad.eager.generate import public_function
from tracegrad.eager.inference import fresh
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, ShapeError, explain


def dim_order(self: Tensor) -> tuple[int, ...]:
    """The axes from the slowest to the fastest in memory."""
    steps = stride(self)
    return tuple(sorted(range(len(steps)), key=lambda i: -steps[i]))


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """False: memory is never locked."""
    return False


def is_shared(self: Tensor) -> bool:
    """False: no other process sees the memory."""
    return False


def is_nonzero(self: Tensor) -> bool:
    """Whether the one element is not zero.  Raises RuntimeError when there are none or several."""
    return bool(self)


def equal(self: Tensor, other: Tensor) -> bool:
    """Whether shapes and all values agree."""
    return functions.equal(self, other)


def allclose(self: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether |self - other| <= atol + rtol * |other| everywhere, after broadcasting."""
    return functions.allclose(self, other, rtol, atol, equal_nan)


def as_subclass(self: Tensor, cls: Any) -> Tensor:
    """self as a Tensor of the subclass cls, on the same memory and with the same history.  Raises TypeError for another class."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor)):
        raise ArgumentError(explain("as_subclass", f"cls must be a subclass of Tensor, got {cls!r}"))
    alias = T.alias(self)
    if cls is Tensor:
        return alias  # type: ignore[no-any-return]
    made: Tensor = object.__new__(cls)
    made._data, made._node = alias._data, alias._node
    return made


def make_subclass(cls: Any, data: Tensor, require_grad: bool = False) -> Tensor:
    """A leaf of the subclass cls on data's memory: what the `__new__` of a subclass returns."""
    made = as_subclass(data.detach(), cls)  # type: ignore[attr-defined]
    return made.requires_grad_() if require_grad else made


class TypedStorage(UntypedStorage):
    """The memory that a tensor shows, as a sequence of its elements."""

    __slots__ = ("dtype",)

    def __init__(self, memory: Any, dtype: Any) -> None:
        super().__init__(memory)
        self.dtype = dtype

    def __len__(self) -> int:
        """Number of elements."""
        return self.nbytes() // self.dtype.itemsize

    size = __len__

    def tolist(self) -> list[Any]:
        """The elements as Python numbers."""
        flat = self._memory.ravel("K")
        return flat.view(self.dtype.numpy).tolist()  # type: ignore[no-any-return]

    def __getitem__(self, index: Any) -> Any:
        return self.tolist()[index]


def bfloat16(self: Tensor, memory_format: Any = None) -> Tensor:
    """self as bfloat16; self itself when it has that dtype."""
    return self.to(dtypes.bfloat16, memory_format=memory_format)  # type: ignore[attr-defined,no-any-return]


def storage(self: Tensor) -> TypedStorage:
    """The memory that this tensor shows, with others that share it."""
    leave(self, "storage")
    return TypedStorage(owner(self._data), self.dtype)


def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """A tensor of self's dtype, from data or of the given size, as the constructors FloatTensor, LongTensor, ... make it."""
    check_device("new", device)
    return functions.TypedTensor(self.dtype)(*data)


def new_empty_strided(
    self: Tensor,
    size: Any,
    stride: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of zeros of the given size and strides (in elements), with self's dtype unless dtype is given."""
    made = dtype or self.dtype
    return empty_strided(size, stride, dtype=made, device=device, requires_grad=requires_grad)


def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of zeros of the given size and strides (in elements).  Raises RuntimeError for negative ones or unequal numbers of them."""
    check_device("empty_strided", device)
    d = element_type("empty_strided", dtype) or dtypes.default.float
    shape, steps = tuple(size), tuple(stride)
    if len(shape) != len(steps):
        raise ShapeError(explain("empty_strided", f"got {len(shape)} sizes but {len(steps)} strides"))
    if any(n < 0 for n in (*shape, *steps)):
        raise ShapeError(explain("empty_strided", "sizes and strides must not be negative", size=shape, stride=steps))
    count = sum((n - 1) * s for n, s in zip(shape, steps, strict=True)) + 1 if all(shape) else 0
    memory = np.zeros(count, d)
    data = np.ndarray(shape, d, memory, 0, tuple(s * d.itemsize for s in steps)) if count else np.zeros(shape, d)
    return as_leaf("empty_strided", fresh(data), requires_grad)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A flat tensor on the memory of an object with Python's buffer protocol.

    Raises ValueError for an empty buffer, an offset outside it, and a size that is no multiple of the dtype's.
    """
    d = element_type("frombuffer", dtype)
    try:
        size = memoryview(buffer).nbytes
    except TypeError as error:
        raise ArgumentValueError(
            explain("frombuffer", f"object does not implement Python buffer protocol: {error}")
        ) from None
    if not size or not count:
        raise ArgumentValueError(
            explain("frombuffer", "both buffer length and count must not be 0", length=size, count=count)
        )
    if not 0 <= offset < size:
        raise ArgumentValueError(
            explain(
                "frombuffer",
                f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({size} bytes) minus 1",
            )
        )
    if (size - offset) % d.itemsize and count < 0:
        problem = f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a multiple of element size ({d.itemsize})"
        raise ArgumentValueError(explain("frombuffer", problem))
    if count > 0 and offset + count * d.itemsize > size:
        raise ArgumentValueError(
            explain(
                "frombuffer",
                f"requested buffer length ({count} * {d.itemsize} bytes) after offset ({offset} bytes) must not be greater than actual buffer length ({size} bytes)",
            )
        )
    return as_leaf("frombuffer", fresh(np.frombuffer(buffer, d, count, offset)), requires_grad)


def is_storage(obj: object) -> bool:
    """Whether obj is the memory of a tensor, as storage() and untyped_storage() give it."""
    return isinstance(obj, UntypedStorage)


def is_signed(input: Tensor) -> bool:  # noqa: A002  (torch's name)
    """Whether the dtype has negative numbers."""
    return input.dtype.is_signed


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Raises RuntimeError: there is no accelerator to pin memory for."""
    raise DataError(explain("pin_memory", "Cannot access accelerator device when none is available"))


def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:  # noqa: A002
    """`split` with pieces that may be written in place: autograd takes each for a value of its own, and writes to it change nothing but memory for the others."""
    return _on_their_own(public_function("split")(input, split_size, dim))


def unsafe_split_with_sizes(input: Tensor, split_sizes: Any, dim: int = 0) -> tuple[Tensor, ...]:  # noqa: A002
    """`split_with_sizes` with pieces that may be written in place, as those of unsafe_split."""
    return _on_their_own(public_function("split")(input, list(split_sizes), dim))


def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:  # noqa: A002
    """`chunk` with pieces that may be written in place, as those of unsafe_split."""
    return _on_their_own(public_function("chunk")(input, chunks, dim))


def _on_their_own(pieces: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if local.trace is not None:
        return pieces
    return tuple(map(_on_its_own, pieces))


def _on_its_own(piece: Tensor) -> Tensor:
    made = set_apart(handle(piece._data, piece._node))
    if "_dual" in piece.__dict__:
        made.__dict__["_dual"] = piece.__dict__["_dual"]  # its tangent in forward mode
    return made
