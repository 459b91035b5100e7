"""What scripts ask of torch that is not about numbers: symbolic sizes (here plain ones), layouts, autocast, results of a fixed size.  Loaded on first use."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.devices import check_device
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.inplace import assign
from tracegrad.eager.rare import empty_strided
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DataError, InplaceError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import size_of
from tracegrad.ops.reshape import sizes

# --- sizes that torch may hold as symbols


def sym_int(a: Any) -> int:
    """a as an int, cut towards zero."""
    return int(a)


def sym_float(a: Any) -> float:
    """a as a float."""
    return float(a)


def sym_not(a: Any) -> bool:
    """Whether a is false."""
    return not a


def sym_max(a: Any, b: Any) -> Any:
    """The larger number; a float if one of them is."""
    return _of_both(max(a, b), a, b)


def sym_min(a: Any, b: Any) -> Any:
    """The smaller number; a float if one of them is."""
    return _of_both(min(a, b), a, b)


def _of_both(found: Any, a: Any, b: Any) -> Any:
    return float(found) if isinstance(a, float) or isinstance(b, float) else found


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """t if b holds, else f.  Raises AssertionError unless b is bool and t and f are of one type."""
    if not isinstance(b, bool) or type(t) is not type(f):
        raise AssertionError(explain("sym_ite", "expects a bool and two values of one type", got=(b, t, f)))
    return t if b else f


def sym_sqrt(a: Any) -> float:
    """The square root of a number."""
    return math.sqrt(a)


def sym_sum(args: Iterable[Any]) -> Any:
    """The sum of the numbers."""
    return sum(args)


# --- facts


def is_same_size(input: Tensor, other: Tensor) -> bool:  # noqa: A002
    """Whether both shapes agree."""
    return input.is_same_size(other)  # type: ignore[attr-defined,no-any-return]


def get_device(input: Tensor) -> int:  # noqa: A002
    """-1: the tensor lives on the CPU."""
    return input.get_device()  # type: ignore[attr-defined,no-any-return]


def is_distributed(input: Tensor) -> bool:  # noqa: A002
    """False: a tensor is on one machine."""
    return False


def is_vulkan_available() -> bool:
    """False."""
    return False


def compiled_with_cxx11_abi() -> bool:
    """True, as torch says."""
    return True


def dense_dim(self: Tensor) -> int:
    """The number of axes: all of them are dense."""
    return self._data.ndim


def sparse_dim(self: Tensor) -> int:
    """0: no axis is sparse."""
    return 0


def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
    """self, or self in another dtype: all tensors are dense."""
    return self if dtype is None else self.to(dtype)  # type: ignore[attr-defined,no-any-return]


def _of_sparse_tensors(name: str, error: type[Exception], problem: str) -> Callable[..., NoReturn]:
    def function(self: Tensor, *args: Any, **named: Any) -> NoReturn:
        raise error(explain(name, problem))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"Raises {'RuntimeError' if error is DataError else 'NotImplementedError'}: all tensors are dense."
    )
    return function


_COORDINATES = "is_coalesced indices coalesce"
_COMPRESSED = "crow_indices col_indices ccol_indices row_indices"
_NOT_HERE = "to_sparse to_sparse_coo to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc to_mkldnn"
METHODS = {
    **{n: _of_sparse_tensors(n, DataError, f"{n} expected sparse coordinate tensor layout but got Strided") for n in _COORDINATES.split()},
    **{n: _of_sparse_tensors(n, DataError, f"{n} expected sparse row compressed tensor layout but got Strided") for n in _COMPRESSED.split()},
    **{n: _of_sparse_tensors(n, NotSupportedError, "tracegrad has dense tensors only") for n in _NOT_HERE.split()},
    "values": _of_sparse_tensors("values", DataError, "values expected sparse tensor layout but got Strided"),
}  # fmt: skip


# --- results of a size that is known before


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:  # noqa: A002
    """The positions of the first `size` elements that are not zero, one a row; rows of fill_value where there are fewer.  Shape: (*a) -> (size, rank)."""
    if size < 0:
        raise ShapeError(explain("nonzero_static", "'size' must be an non-negative integer", size=size))
    shape = input._data.shape
    count = size_of(shape)
    if not shape or not count or not size:
        return T.full(shape=(size, len(shape)), value=fill_value, dtype=dtypes.I64)  # type: ignore[no-any-return]
    wanted = T.reshape(T.ne(input.detach(), 0), shape=(count,))  # type: ignore[attr-defined]
    first = T.argsort(T.cast(T.logical_not(wanted), dtype=dtypes.I64), 0, False, stable=True)
    found = T.slice(first, dim=0, start=0, stop=min(size, count), step=1)
    if size > count:
        found = T.cat(found, T.full(shape=(size - count,), value=0, dtype=dtypes.I64), dim=0)
    columns = []
    for axis in range(len(shape)):
        step = size_of(shape[axis + 1 :])
        columns.append(T.remainder(T.div_floor(found, step), shape[axis]))
    number = T.sum(T.cast(wanted, dtype=dtypes.I64), dim=None, keepdim=False)
    inside = T.lt(T.arange(start=0, step=1, count=size, dtype=dtypes.I64), number)
    rows = T.stack(*columns, dim=1)
    return T.where(T.unsqueeze(inside, dim=1), rows, fill_value)  # type: ignore[no-any-return]


def empty_permuted(size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
                   pin_memory: bool = False) -> Tensor:  # fmt: skip
    """Zeros of the given size whose axes lie in memory in the order physical_layout, from the slowest to the fastest.

    Raises RuntimeError for what is no permutation of the axes.
    """
    check_device("empty_permuted", device)
    shape, order = sizes("empty_permuted", (size,)), tuple(physical_layout)
    if len(order) != len(shape):
        problem = "Number of dimensions in size does not match the length of the physical_layout"
        raise ShapeError(explain("empty_permuted", problem, size=shape, physical_layout=order))
    if any(not 0 <= d < len(shape) for d in order):
        problem = f"Dimension out of range (expected to be between 0 and {len(shape) - 1})"
        raise ShapeError(explain("empty_permuted", problem, physical_layout=order))
    if len(set(order)) != len(order):
        raise ShapeError(explain("empty_permuted", "Duplicate dim not allowed", physical_layout=order))
    steps, step = [0] * len(shape), 1
    for d in reversed(order):
        steps[d], step = step, step * max(shape[d], 1)
    return empty_strided(shape, steps, dtype=dtype, requires_grad=requires_grad)


# --- older forms of methods


def resize(self: Tensor, *size: Any) -> Tensor:
    """A tensor of another size on the same memory where that is large enough.  Deprecated in torch.  Raises RuntimeError where grad is required."""
    warnings.warn("non-inplace resize is deprecated", UserWarning, stacklevel=2)
    return _resized(self, "resize", sizes("resize", size))


def resize_as(self: Tensor, tensor: Tensor) -> Tensor:
    """A tensor of the size of another one, on self's memory.  Deprecated in torch.  Raises RuntimeError where grad is required."""
    warnings.warn("non-inplace resize_as is deprecated", UserWarning, stacklevel=2)
    return _resized(self, "resize_as", tensor._data.shape)


def _resized(t: Tensor, operation: str, shape: tuple[int, ...]) -> Tensor:
    if t.requires_grad:
        raise InplaceError(explain(operation, "cannot resize variables that require grad", "Resize under detach()"))
    if size_of(shape) != t._data.size:
        raise ShapeError(
            explain(operation, "requested resize to a size with another number of elements", size=list(shape))
        )
    return public_function("reshape")(t, shape)  # type: ignore[no-any-return]


def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:  # noqa: A002
    """Replace each element by callable(element, element of x, element of y).  Raises RuntimeError for tensors that require grad."""
    operands = (self, x, y)
    if any(o.requires_grad for o in operands):
        problem = "Can't call map2_() on Variable that requires grad"
        raise InplaceError(explain("map2_", problem, "Use var.detach().map2_() instead"))
    if local.trace is not None:
        local.trace.leave(self, "map2_")
    arrays = np.broadcast_arrays(*(o._data for o in operands))
    made = [callable(*values) for values in zip(*(a.reshape(-1).tolist() for a in arrays), strict=True)]
    return assign(self, handle(np.array(made, self._data.dtype).reshape(arrays[0].shape), None), "copy", "map2_")


def chalf(self: Tensor, memory_format: Any = None) -> NoReturn:
    """Raises NotImplementedError: there are no complex numbers of two half-precision parts."""
    raise NotSupportedError(explain("chalf", "tracegrad has no dtype complex32", "Use cfloat(), which is complex64"))
