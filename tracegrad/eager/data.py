"""Tensors from numbers, nested lists, arrays and tensors: torch's rules for the dtype, for copies and for shared memory.

While something is recorded, values are made by operators, so that they are part of the program and never taken for constants of the outside world.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import GENERATED, local
from tracegrad.devices import check_device
from tracegrad.dtypes import NUMBERS
from tracegrad.eager.dispatch import T
from tracegrad.eager.inference import fresh
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, ArgumentValueError, DTypeError, explain

Array = np.ndarray[Any, Any]
_FLOAT, _LIST = {float}, {list}
LITERAL_LIMIT = 1000  # numbers in a list that a recording writes out


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A new leaf with a copy of data: a number, nested lists, a NumPy array, or a tensor.

    Python floats give the default dtype, ints int64, bools bool; arrays keep theirs.  Raises ValueError for ragged lists, TypeError for strings.
    """
    check_device("tensor", device)
    wanted = element_type("tensor", dtype)
    if local.trace is not None:
        made = _recorded(data, wanted)
    elif isinstance(data, Tensor):
        made = fresh(np.array(data._data, wanted or data._data.dtype))
    else:
        made = fresh(array_of(data, wanted))
    return as_leaf("tensor", made, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """data as a tensor: itself if it is one of that dtype, sharing the memory of a NumPy array of that dtype, else a copy."""
    check_device("as_tensor", device)
    wanted = element_type("as_tensor", dtype)
    if isinstance(data, Tensor) and (wanted is not None or "_is_number" not in data.__dict__):
        return data if wanted is None or data._data.dtype == wanted else T.cast(data, dtype=wanted)
    if isinstance(data, np.ndarray) and wanted in (None, data.dtype):
        return from_numpy(data)
    return _recorded(data, wanted) if local.trace is not None else fresh(array_of(data, wanted))


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares the array's memory.  Raises TypeError for anything but an array of a supported dtype, ValueError for negative strides."""
    if not isinstance(ndarray, np.ndarray):
        raise ArgumentError(explain("from_numpy", f"expected np.ndarray (got {type(ndarray).__name__})"))
    _check_array("from_numpy", ndarray)
    return fresh(ndarray if type(ndarray) is np.ndarray else ndarray.view(np.ndarray))


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool | None = None
) -> Tensor:
    """obj as a tensor that shares memory where it can; copy=True always copies.

    A tensor keeps its history; requires_grad=False leaves it behind.
    """
    made = as_tensor(obj, dtype, device)
    if copy and _shares_memory(made, obj):
        made = made.clone()
    if copy is False and not _shares_memory(made, obj):
        problem = f"can't alias {'arbitrary sequence' if _is_sequence(obj) else type(obj).__name__} into a tensor"
        raise ArgumentValueError(explain("asarray", problem, "Leave out copy=False"))
    if requires_grad is False and made.requires_grad:
        return made.detach()
    return made.requires_grad_() if requires_grad and not made.requires_grad else made


def _shares_memory(made: Tensor, obj: Any) -> bool:
    data = obj._data if isinstance(obj, Tensor) else obj
    return isinstance(data, np.ndarray) and (made._data is data or np.may_share_memory(made._data, data))


def array_of(data: Any, wanted: Any = None) -> Array:
    """A new array of data by torch's rules: of the dtype `wanted`, or of the one that the data implies."""
    if type(data) is list and _all_floats(data):  # the ordinary case
        d = wanted or dtypes.default.float
        if d.kind in "fV":
            try:
                return GENERATED["quiet"](np.array, data, d)  # type: ignore[no-any-return]
            except (
                ValueError,
                RuntimeError,
            ):  # ragged, which is said below; the silent context is another thread's at the moment
                pass
    if not isinstance(data, (np.ndarray, np.generic, Tensor)) and hasattr(data, "__array__"):  # of another library
        data = np.asarray(data)
    if isinstance(data, np.ndarray):
        _check_array("tensor", data)
        return np.array(data, wanted or data.dtype, order="C")
    plain = type(data) in NUMBERS
    leaves = [data] if plain or not _is_sequence(data) else _leaves(data)
    found = wanted or _implied(leaves, not plain and _is_sequence(data))
    if isinstance(data, np.generic):
        return np.array(data, found)
    return _filled(data if plain else _plain(data), found)


def _all_floats(data: list[Any]) -> bool:
    """Whether these lists, nested or not, hold Python floats and nothing else."""
    kinds = set(map(type, data))
    return kinds == _FLOAT or (kinds == _LIST and all(map(_all_floats, data)))


def _filled(data: Any, d: Any) -> Array:
    """np.array without its refusals of values that torch wraps or rounds."""
    with np.errstate(all="ignore"):
        try:
            if d.kind in "biu":
                wide = np.asarray(data)
                if wide.dtype.kind == "O" or (wide.dtype.kind == "u" and wide.dtype.itemsize == 8 and wide.size):
                    raise OverflowError
                if wide.dtype.kind == "c" and d.kind != "b":
                    raise ArgumentError(
                        explain("tensor", "'complex' object cannot be interpreted as an integer", dtype=d)
                    )
                _check_range(wide, d)
                return wide.astype(d)
            return np.array(data, d)
        except OverflowError:
            raise ArgumentValueError(
                explain("tensor", f"Overflow: a value does not fit into {dtypes.from_numpy(d)}")
            ) from None
        except ValueError as error:
            raise ArgumentValueError(explain("tensor", f"the lists are ragged: {error}")) from None


def _check_range(values: Array, d: Any) -> None:
    """Raises RuntimeError for numbers outside an integer dtype; whole negative numbers wrap in uint8, as in torch."""
    if d.kind == "b" or not values.size or values.dtype.kind == "b":
        return
    limits = np.iinfo(d)
    low = -limits.max if d.kind == "u" and values.dtype.kind in "iu" else limits.min
    real = values.real if values.dtype.kind == "c" else values
    high = limits.max if d.itemsize < 8 or values.dtype.kind not in "fV" else 2.0**63 - 1024  # the float below 2^63
    if not (np.isfinite(real).all() and low <= real.min() and real.max() <= high):
        raise DTypeError(explain("tensor", f"a value cannot be converted to type {d} without overflow"))


def _is_sequence(data: Any) -> bool:
    return isinstance(data, (list, tuple, range)) or (isinstance(data, Sequence) and not isinstance(data, (str, bytes)))


def _leaves(data: Any) -> list[Any]:
    """The numbers, arrays and tensors in nested sequences."""
    found = []
    for item in data:
        found += _leaves(item) if _is_sequence(item) else [item]
    return found


def _implied(leaves: list[Any], nested: bool = True) -> Any:
    """The dtype that the values imply together; the default dtype when there are none.  Raises TypeError or RuntimeError for what is no number."""
    if not leaves:
        return dtypes.default.float
    found = None
    for value in leaves:
        d = _implied_one(value, nested)
        found = d if found is None else dtypes.promote_types(found, d)
    return found


def _implied_one(value: Any, nested: bool) -> Any:
    if isinstance(value, Tensor):
        return implied_by(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return dtypes.from_numpy(value.dtype).numpy
    if isinstance(value, NUMBERS):
        return dtypes.number_dtype(value)
    if hasattr(value, "__array__"):  # of another library
        return dtypes.from_numpy(np.asarray(value).dtype).numpy
    if isinstance(value, (str, bytes)):
        if nested:
            raise ArgumentValueError(explain("tensor", f"too many dimensions {type(value).__name__!r}"))
        raise ArgumentError(explain("tensor", f"new(): invalid data type '{type(value).__name__}'"))
    raise DTypeError(explain("tensor", f"Could not infer dtype of {type(value).__name__}"))


def implied_by(value: Tensor) -> Any:
    """The dtype of what is made from a Tensor; a float of a recording counts as Python's, which has the default dtype."""
    d = value._data.dtype
    return dtypes.default.float if d.kind == "f" and "_is_number" in value.__dict__ else d


def _plain(data: Any) -> Any:
    """Nested sequences with every tensor of one element replaced by its number."""
    if _is_sequence(data):
        items = [_plain(item) for item in data]
        nested = [isinstance(i, list) or (isinstance(i, np.ndarray) and i.ndim > 0) for i in items]
        if any(nested) and not all(nested):
            raise ArgumentError(explain("tensor", "not a sequence: numbers and lists are mixed at one level"))
        return items
    if isinstance(data, Tensor):
        if data._data.size != 1:
            raise ArgumentValueError(
                explain(
                    "tensor",
                    "only one element tensors can be converted to Python scalars",
                    "Use stack",
                    shape=list(data._data.shape),
                )
            )
        return data._data.item()
    return data


def _check_array(operation: str, array: Array) -> None:
    dtypes.from_numpy(array.dtype)
    if any(s < 0 for s in array.strides):
        raise ArgumentValueError(
            explain(
                operation,
                "At least one stride in the given numpy array is negative, which tensors do not have",
                "Pass array.copy()",
            )
        )


def _recorded(data: Any, wanted: Any) -> Tensor:
    """`tensor` while recording: operators, so that the value is part of the program."""
    if isinstance(data, Tensor):
        copy: Tensor = T.cast(T.detach(data), dtype=wanted or implied_by(data))
        return copy
    leaves = _leaves(data) if _is_sequence(data) else []
    if any(isinstance(leaf, Tensor) for leaf in leaves):
        return _joined(data, wanted or _implied(leaves))
    array = array_of(data, wanted)
    if array.size > LITERAL_LIMIT or isinstance(data, np.ndarray):
        return handle(array, None)  # an array of the outside world: a capture
    made: Tensor = T.literal(values=tuple(array.reshape(-1).tolist()), shape=array.shape, dtype=array.dtype)
    return made


def _joined(data: Any, d: Any) -> Tensor:
    if _is_sequence(data):
        stacked: Tensor = T.stack(*(_joined(item, d) for item in data), dim=0)
        return stacked
    if isinstance(data, Tensor):
        if data._data.size != 1:
            raise ArgumentValueError(
                explain(
                    "tensor",
                    "only one element tensors can be converted to Python scalars",
                    "Use stack",
                    shape=list(data._data.shape),
                )
            )
        value = T.cast(T.detach(data), dtype=d)
        return T.reshape(value, shape=())  # type: ignore[no-any-return]
    return T.full(shape=(), value=array_of(data, d).item(), dtype=d)  # type: ignore[no-any-return]


def element_type(operation: str, dtype: Any) -> Any:
    """The NumPy dtype of an optional argument.  Raises TypeError for anything but a dtype or a Python type."""
    if dtype is None:
        return None
    if not isinstance(dtype, dtypes.dtype) and dtype not in (float, int, bool, complex):
        raise ArgumentError(explain(operation, f"argument 'dtype' must be a torch.dtype, not {type(dtype).__name__}"))
    return (
        dtypes.float64.numpy
        if dtype is float
        else dtypes.complex128.numpy
        if dtype is complex
        else dtypes.to_numpy(dtype)
    )


def as_leaf(operation: str, made: Tensor, requires_grad: bool) -> Tensor:
    """`made`, followed by autograd if requires_grad.  Raises RuntimeError for a dtype that has no gradients."""
    if not requires_grad:
        return made
    if made._data.dtype.kind not in "fcV":
        raise DTypeError(
            explain(
                operation, "Only Tensors of floating point and complex dtype can require gradients", dtype=made.dtype
            )
        )
    return made.requires_grad_()
