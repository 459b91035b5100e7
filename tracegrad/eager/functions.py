"""Top-level functions that are not operators: questions about tensors and dtypes, and torch's typed constructors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.dtypes import NUMBERS
from tracegrad.eager.conversions import CLASS_OF_DTYPE, leave
from tracegrad.eager.facts import is_complex as _is_complex
from tracegrad.eager.facts import is_floating_point as _is_floating_point
from tracegrad.eager.inference import fresh, is_inference
from tracegrad.eager.tensor import Size, Tensor
from tracegrad.errors import ArgumentError, DataError, DTypeError, explain
from tracegrad.ir.types import broadcast


def is_tensor(obj: Any) -> bool:
    """Whether obj is a Tensor."""
    return isinstance(obj, Tensor)


def _need_tensor(operation: str, value: Any, name: str = "input") -> Tensor:
    if not isinstance(value, Tensor):
        raise ArgumentError(explain(operation, f"argument {name!r} must be Tensor, not {type(value).__name__}"))
    return value


def numel(input: Tensor) -> int:  # noqa: A002  (torch's name)
    """Number of elements.  Raises TypeError for anything but a Tensor."""
    return _need_tensor("numel", input)._data.size


def is_floating_point(input: Tensor) -> bool:  # noqa: A002
    """Whether the dtype is a floating one.  Raises TypeError for anything but a Tensor."""
    return _is_floating_point(_need_tensor("is_floating_point", input))


def is_complex(input: Tensor) -> bool:  # noqa: A002
    """Whether the dtype is a complex one.  Raises TypeError for anything but a Tensor."""
    return _is_complex(_need_tensor("is_complex", input))


def is_nonzero(input: Tensor) -> bool:  # noqa: A002
    """Whether the one element is not zero.  Raises RuntimeError when there are none or several."""
    return bool(_need_tensor("is_nonzero", input))


def typename(obj: Any) -> str:
    """The name of torch's class for a tensor, such as 'torch.FloatTensor'; a class's or function's own; else that of the object's class."""
    if isinstance(obj, Tensor):
        return CLASS_OF_DTYPE[obj.dtype.name]
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    return f"{named.__module__}.{named.__qualname__}".removeprefix("builtins.")


def equal(input: Tensor, other: Tensor) -> bool:  # noqa: A002
    """Whether shapes and all values agree (nan is equal to nothing)."""
    a, b = _need_tensor("equal", input), _need_tensor("equal", other, "other")
    leave(a, "equal")
    leave(b, "equal")
    return a._data.shape == b._data.shape and bool(np.all(a._data == b._data))


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:  # noqa: A002
    """Whether |input - other| <= atol + rtol * |other| everywhere, after broadcasting.  Raises RuntimeError for different dtypes."""
    a, b = _need_tensor("allclose", input), _need_tensor("allclose", other, "other")
    if a._data.dtype != b._data.dtype:
        raise DTypeError(explain("allclose", f"{a.dtype} did not match {b.dtype}"))
    if not (rtol >= 0 and atol >= 0):
        raise DataError(explain("allclose", "rtol and atol must not be negative", rtol=rtol, atol=atol))
    broadcast("allclose", a._data.shape, b._data.shape)
    leave(a, "allclose")
    leave(b, "allclose")
    with np.errstate(all="ignore"):
        return bool(np.allclose(a._data, b._data, rtol, atol, equal_nan))


def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """The common shape of these shapes.  Raises RuntimeError when there is none."""
    return Size(broadcast("broadcast_shapes", *((s,) if isinstance(s, int) else tuple(s) for s in shapes)))


def promote_types(type1: dtypes.dtype, type2: dtypes.dtype) -> dtypes.dtype:
    """The smallest dtype that holds both, by torch's table.  Raises TypeError for anything but dtypes."""
    for d in (type1, type2):
        if not isinstance(d, dtypes.dtype):
            raise ArgumentError(explain("promote_types", f"arguments must be dtypes, got {d!r}"))
    return dtypes.from_numpy(dtypes.promote_types(type1.numpy, type2.numpy))


def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of arithmetic between two tensors or numbers."""
    operands = tuple(v.item() if isinstance(v, np.generic) else v for v in (tensor1, tensor2))
    for value in operands:
        if not isinstance(value, (Tensor, *NUMBERS)):
            raise ArgumentError(
                explain("result_type", f"arguments must be Tensors or numbers, got {type(value).__name__}")
            )
    arrays = [v._data for v in operands if isinstance(v, Tensor)]
    numbers = [dtypes.number_dtype(v) for v in operands if not isinstance(v, Tensor)]
    found = dtypes.result_dtype([a.dtype for a in arrays if a.ndim], [a.dtype for a in arrays if not a.ndim], numbers)
    return dtypes.from_numpy(found)


def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """Whether an in-place operation may store a result of dtype `from_` in a tensor of dtype `to`: the category may not fall."""
    return dtypes.kind_rank(from_.numpy) <= dtypes.kind_rank(to.numpy)


class TypedTensor:
    """One of torch's old constructors, such as FloatTensor: called like Tensor, with a dtype of its own; isinstance asks for that dtype."""

    def __init__(self, d: dtypes.dtype) -> None:
        self.dtype = d
        self.__name__ = f"{dtypes.TORCH_CLASS[d.name]}Tensor"

    def __call__(self, *data: Any) -> Tensor:
        """A tensor of this dtype from nested lists, an array, a tensor, or sizes."""
        if len(data) == 1 and not isinstance(data[0], (int, np.integer)):
            source = data[0]._data if isinstance(data[0], Tensor) else data[0]
            made = np.array(source)
            if made.dtype.kind == "c" and self.dtype.numpy.kind in "iufV" and not isinstance(source, np.ndarray):
                raise ArgumentError(explain(self.__name__, "must be real number, not complex"))
            return fresh(made.astype(self.dtype.numpy))
        return fresh(np.zeros(tuple(int(n) for n in data) or (0,), self.dtype.numpy))

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


TYPED = {made.__name__: made for made in (TypedTensor(dtypes.BY_NAME[name]) for name in dtypes.TORCH_CLASS)}
globals().update(TYPED)
FUNCTIONS = {
    f.__name__: f
    for f in (
        is_tensor,
        is_inference,
        numel,
        is_floating_point,
        is_complex,
        is_nonzero,
        typename,
        equal,
        allclose,
        broadcast_shapes,
        promote_types,
        result_type,
        can_cast,
    )
}
