"""How a Tensor becomes something else: another dtype, an array, a Python number, a list, bytes on disk.  These are Tensor's methods of the same names.

Whatever gives a value to the outside tells the active recorder first.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.devices import CPU, axis_order, check_device, device, preserve_format
from tracegrad.eager.argument_types import refuse_flag
from tracegrad.eager.complex_values import CONJUGATED
from tracegrad.eager.data import element_type
from tracegrad.eager.dispatch import T
from tracegrad.eager.memory_formats import suggested_format
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, ArgumentValueError, DataError, DeviceError, DifferentiationError, explain

Array = np.ndarray[Any, Any]
_TO_KEYWORDS = {"copy", "device", "dtype", "memory_format", "non_blocking"}
CLASS_OF_DTYPE = {name: f"torch.{torch_class}Tensor" for name, torch_class in dtypes.TORCH_CLASS.items()}
DTYPE_OF_CLASS = {shown: name for name, shown in CLASS_OF_DTYPE.items()}


def leave(t: Tensor, kind: str) -> None:
    """Tell the active recorder that t's value is read by Python (`kind`: how)."""
    if local.trace is not None:
        local.trace.leave(t, kind)


# --- numbers


def _single(t: Tensor, operation: str) -> Any:
    leave(t, operation)
    if t._data.size != 1:
        raise ArgumentValueError(
            explain(operation, "only one element tensors can be converted to Python scalars", shape=list(t._data.shape))
        )
    return t._data.item()


def item(self: Tensor) -> Any:
    """The one element as a Python number.  Raises RuntimeError when there are none or several."""
    if local.trace is not None and (number := local.trace.number(self)) is not None:
        return number
    if self._data.size != 1:
        raise DataError(
            explain(
                "item",
                f"a Tensor with {self._data.size} elements cannot be converted to Scalar",
                shape=list(self._data.shape),
            )
        )
    return self._data.item()


def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers; one number for a 0-d tensor."""
    leave(self, "tolist")
    return self._data.tolist()


def __bool__(self: Tensor) -> bool:
    """Whether the one element is not zero.  Raises RuntimeError when there are none or several."""
    leave(self, "bool")
    if self._data.size != 1:
        what = "more than one value" if self._data.size else "no values"
        raise DataError(
            explain(
                "bool",
                f"Boolean value of Tensor with {what} is ambiguous",
                "Use any() or all()",
                shape=list(self._data.shape),
            )
        )
    return bool(self._data.item())


def __float__(self: Tensor) -> float:
    """The one element as a float.  Raises ValueError when there are none or several."""
    value = _single(self, "float")
    if isinstance(value, complex):
        if value.imag:
            raise DataError(
                explain("float", f"value cannot be converted to type double without overflow: {value} is complex")
            )
        return value.real
    return float(value)


def __int__(self: Tensor) -> int:
    """The one element as an int, rounded toward zero.  Raises ValueError when there are none or several, or for nan."""
    value = _single(self, "int")
    if isinstance(value, complex):
        if value.imag:
            problem = f"value cannot be converted to type int64_t without overflow: {value} is complex"
            raise DataError(explain("int", problem))
        value = value.real
    return int(value)


def __complex__(self: Tensor) -> complex:
    """The one element as a complex number."""
    return complex(_single(self, "complex"))


def __index__(self: Tensor) -> int:
    """The one element of an integer or bool tensor as an index.  Raises TypeError otherwise."""
    leave(self, "index")
    if self._data.size != 1 or self._data.dtype.kind not in "biu":
        raise ArgumentError(
            explain(
                "index",
                "only integer tensors of a single element can be converted to an index",
                shape=list(self._data.shape),
                dtype=self.dtype,
            )
        )
    return int(self._data.item())


# --- dtype and device


def _converted(self: Tensor, target: Any) -> Tensor:
    if self._data.dtype == target:
        return self
    return _cast(self, target)


def _cast(self: Tensor, target: Any) -> Tensor:
    if local.trace is None and target.kind not in "fcV":  # integers have no derivative
        self = handle(self._data, None)
    if self._data.dtype.kind == "c" and target.kind != "c":
        if target.kind == "b":
            return T.ne(self, 0)  # type: ignore[no-any-return]
        warnings.warn("Casting complex values to real discards the imaginary part", UserWarning, stacklevel=4)
        self = T.real(self)
    made: Tensor = T.cast(self, dtype=target)
    return made


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """self in another dtype: `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`; self itself when nothing changes and not copy.

    Raises AssertionError for a CUDA device, TypeError for other arguments.
    """
    unknown = set(kwargs) - _TO_KEYWORDS
    given, dtype, where = list(args), kwargs.get("dtype"), kwargs.get("device")
    if given and isinstance(given[0], Tensor):
        dtype = given.pop(0).dtype
    elif given and (isinstance(given[0], dtypes.dtype) or given[0] in (float, int, bool, complex)):
        dtype = given.pop(0)
    elif given and (given[0] is None or isinstance(given[0], (device, str, int))) and not isinstance(given[0], bool):
        where = given.pop(0)
        if given and not isinstance(given[0], bool):
            dtype = given.pop(0)
    if unknown or len(given) > 2 or not all(isinstance(flag, bool) for flag in given):
        wrong = sorted(unknown) or list(args)
        raise ArgumentError(
            explain("to", f"takes a dtype, a device and a dtype, or a Tensor; unexpected arguments {wrong}")
        )
    check_device("to", where)
    target = element_type("to", dtype) or self._data.dtype
    copy = kwargs.get("copy") or (len(given) > 1 and given[1])
    if kwargs.get("memory_format") is not None:
        return _in_format(self, target, kwargs["memory_format"], bool(copy))
    return _cast(self, target) if copy else _converted(self, target)


def _in_format(self: Tensor, target: Any, wanted: Any, copy: bool = False) -> Tensor:
    """self in a dtype and a memory format; self itself where it has both."""
    if (
        self._data.dtype == target
        and not copy
        and (wanted is preserve_format or suggested_format(self._data) is wanted)
    ):
        return self
    order = axis_order("to", wanted, self._data.ndim)
    made = _cast(self, target)
    return made if order is None else T.row_major(made, order)  # type: ignore[no-any-return]


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """self, or a copy in another memory format: tensors live on the CPU."""
    return self if memory_format is None else _in_format(self, self._data.dtype, memory_format)


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:  # noqa: A002
    """Raises AssertionError: there are no CUDA tensors."""
    raise DeviceError(explain("cuda", "tracegrad has no CUDA tensors", "Leave out .cuda()"))


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:  # noqa: A001  (torch's name)
    """Without dtype the name of torch's tensor class, such as 'torch.FloatTensor'; else self in that dtype (also given by such a name)."""
    if dtype is None:
        return CLASS_OF_DTYPE[self.dtype.name]
    if isinstance(dtype, str):
        if dtype not in DTYPE_OF_CLASS:
            raise ArgumentValueError(explain("type", f"invalid type: {dtype!r}"))
        return _converted(self, dtypes.BY_NAME[DTYPE_OF_CLASS[dtype]].numpy)
    return _converted(self, dtypes.to_numpy(getattr(dtype, "dtype", dtype)))


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """self in the dtype of other."""
    return _converted(self, other._data.dtype)


def _shorthand(name: str, target: dtypes.dtype) -> Any:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        if memory_format is not None:
            return _in_format(self, target.numpy, memory_format)
        return _converted(self, target.numpy)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"self as {target.name}; self itself when it has that dtype."
    return convert


SHORTHANDS = {
    **{name: _shorthand(name, target) for name, target in dtypes.ALIASES.items()},
    **{
        name: _shorthand(name, t) for name, t in (("bool", dtypes.bool_), ("byte", dtypes.uint8), ("char", dtypes.int8))
    },
}


# --- NumPy


def numpy(self: Tensor, *, force: bool = False) -> Array:
    """An array on the same memory: writes are seen by both.  Raises RuntimeError for a tensor that requires grad, unless under no_grad() or force, which detaches."""
    if force is not False and force is not True:
        refuse_flag("numpy", "force", force)
    leave(self, "numpy")
    if self.requires_grad and not force and (local.asked if local.inference else local.grad_enabled):
        raise DifferentiationError(
            explain("numpy", "Can't call numpy() on Tensor that requires grad", "Use tensor.detach().numpy() instead")
        )
    kind = self._data.dtype.kind
    if kind == "c" and not force and CONJUGATED in self.__dict__:
        problem = "Can't call numpy() on Tensor that has conjugate bit set"
        raise DataError(explain("numpy", problem, "Use tensor.resolve_conj().numpy() instead"))
    if kind == "V":  # NumPy itself has no such numbers
        raise ArgumentError(explain("numpy", "Got unsupported ScalarType BFloat16", "Use tensor.float().numpy()"))
    if local.trace is not None:  # the memory of a recording is not the caller's
        copied = self._data.copy()
        copied.flags.writeable = False
        return copied
    return self._data.view()


def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Array:
    """For np.asarray.  Raises RuntimeError for a tensor that requires grad, ValueError when a copy is needed but forbidden."""
    array = numpy(self)
    target = array.dtype if dtype is None else np.dtype(dtype)
    if copy is False and target != array.dtype:
        raise ArgumentValueError(
            explain(
                "__array__", "the dtype differs, so a copy is needed, but copy=False", have=array.dtype, want=target
            )
        )
    return np.array(array, target) if copy or target != array.dtype else array


def __array_wrap__(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    """What NumPy functions of a tensor give: a tensor; truth values are uint8, as in torch."""
    array = np.asarray(array)
    return handle(array.astype(np.uint8) if array.dtype.kind == "b" else array, None)


def __dlpack__(self: Tensor, *, stream: Any = None, **options: Any) -> Any:
    """The capsule by which other libraries read the memory; options (max_version, dl_device, copy) as in the array API.

    Raises BufferError for a tensor that requires grad and for another device, AssertionError for a stream.
    """
    leave(self, "dlpack")
    if stream is not None:
        raise DeviceError(explain("__dlpack__", "stream should be None on cpu", stream=stream))
    if self.requires_grad:
        raise BufferError(explain("__dlpack__", "Can't export tensors that require gradient", "Use tensor.detach()"))
    return self._data.__dlpack__(**options)


def __dlpack_device__(self: Tensor) -> tuple[int, int]:
    """The CPU, in DLPack's numbering."""
    kind, number = self._data.__dlpack_device__()
    return int(kind), int(number)


METHODS = SHORTHANDS | {
    f.__name__: f
    for f in (item, tolist, __bool__, __float__, __int__, __complex__, __index__, to, cpu, cuda, type, type_as, numpy, __array__, __array_wrap__, __dlpack__,
              __dlpack_device__)
}  # fmt: skip

__all__ = ["CPU", "METHODS", "SHORTHANDS", "leave"]
