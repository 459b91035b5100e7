"""DLPack: tensors of other libraries on the same memory, without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.devices import check_device
from tracegrad.eager.conversions import leave
from tracegrad.eager.data import from_numpy
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import DataError, explain


class _Held:
    """A capsule as an object that can be asked for it, once."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        """The capsule."""
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        """The CPU."""
        return 1, 0


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of an array of another library (NumPy, PyTorch, JAX, ...), or of a DLPack capsule; with copy=True on memory of its own.

    What the other library says is read-only (JAX arrays) is read-only here: in-place writes raise.
    Raises RuntimeError for an object without DLPack, BufferError for one that the other library does not give away or that is not on the CPU.
    """
    check_device("from_dlpack", device)
    if isinstance(ext_tensor, Tensor):
        leave(ext_tensor, "dlpack")
    if not hasattr(ext_tensor, "__dlpack__"):
        if type(ext_tensor).__name__ != "PyCapsule":
            problem = f"expected an array with __dlpack__ or a capsule, got {type(ext_tensor).__name__}"
            raise DataError(explain("from_dlpack", problem))
        ext_tensor = _Held(ext_tensor)
    try:
        array = np.from_dlpack(ext_tensor)
    except ValueError as error:
        problem = f"received an invalid capsule, perhaps one that was consumed before: {error}"
        raise DataError(explain("from_dlpack", problem)) from None
    return from_numpy(np.array(array) if copy else array)


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule of the tensor's memory, without its history, as in torch; `from_dlpack(tensor)` of other libraries needs none."""
    return tensor.detach().__dlpack__(max_version=(1, 0))  # type: ignore[attr-defined]


__all__ = ["from_dlpack", "to_dlpack"]
