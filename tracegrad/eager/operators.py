"""Python's operators and the methods of the registry on Tensor.

The arithmetic operators of Python are the generated functions themselves: `x + y` costs no wrapper.  The methods come from the definitions, each when
it is first asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.dtypes import SCALARS
from tracegrad.eager.dispatch import with_array
from tracegrad.eager.generate import operator_function, public_function
from tracegrad.eager.late import OnFirstUse, late
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import DefinitionError
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ops.names import METHODS

# Python's operators that are an operator function as it stands, also with a number on the left where the order does not matter
DIRECT = {"__add__": "add", "__radd__": "add", "__mul__": "mul", "__rmul__": "mul", "__sub__": "sub", "__rsub__": "rsub", "__truediv__": "div", "__neg__": "neg",
          "__pow__": "pow"}  # fmt: skip
# those that go through the public function of torch's name
PUBLIC = {"__matmul__": "matmul", "__floordiv__": "floor_divide", "__mod__": "remainder", "__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor",
          "__rand__": "bitwise_and", "__ror__": "bitwise_or", "__rxor__": "bitwise_xor", "__lshift__": "bitwise_left_shift",
          "__rshift__": "bitwise_right_shift"}  # fmt: skip
REVERSED = {"__rpow__": "pow", "__rfloordiv__": "floor_divide", "__rmod__": "remainder", "__rmatmul__": "matmul", "__rlshift__": "bitwise_left_shift",
            "__rrshift__": "bitwise_right_shift"}  # fmt: skip
IN_PLACE = {"__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_", "__ipow__": "pow_", "__ifloordiv__": "floor_divide_",
            "__imod__": "remainder_", "__iand__": "bitwise_and_", "__ior__": "bitwise_or_", "__ixor__": "bitwise_xor_", "__ilshift__": "bitwise_left_shift_",
            "__irshift__": "bitwise_right_shift_"}  # fmt: skip
COMPARISONS = {"__eq__": "eq", "__ne__": "ne", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge"}
_in_place = late("inplace", "in_place")
_OPERANDS = (Tensor, *SCALARS)


def is_operand(value: Any) -> bool:
    """Whether an operator computes with the value on its other side: tensors, numbers, and arrays of a dtype that tensors have."""
    return isinstance(value, _OPERANDS) or _is_usable(value)


def attach_once(name: str, value: Any) -> None:
    """Give Tensor an attribute.  Raises DefinitionError when it has one of this name."""
    if name in Tensor.__dict__:
        raise DefinitionError(f"Tensor has {name!r} twice: an operator's method and one of eager/")
    setattr(Tensor, name, value)


def attach() -> None:
    """Give Tensor Python's operators and every operator's method and in-place method."""
    for name in METHODS.split():
        attach_once(name, OnFirstUse(name, _method))
    for op in REGISTRY.present():
        for name in _unlisted_methods(op):
            attach_once(name, OnFirstUse(name, _method))
    for name, operator in DIRECT.items():
        setattr(Tensor, name, operator_function(operator))
    Tensor.__abs__, Tensor.__pos__ = public_function("abs"), public_function("positive")  # type: ignore[attr-defined]
    for table, make in ((PUBLIC, _takes_operands), (COMPARISONS, _takes_operands), (REVERSED, _swapped)):
        for name, operator in table.items():
            setattr(Tensor, name, make(name, public_function(operator)))
    for name in IN_PLACE:
        setattr(Tensor, name, OnFirstUse(name, _in_place_operator))


def _unlisted_methods(op: type[Op]) -> list[str]:
    """The methods of a definition that is loaded but not mentioned in ops/names.py."""
    names = (op.name, *op.aliases)
    wanted = [*(names if op.method else ()), *(f"{n}_" for n in names if op.inplace)]
    return [name for name in wanted if not isinstance(Tensor.__dict__.get(name), OnFirstUse)]


def _method(name: str) -> Any:
    """The method of this name, from the definition of its operator."""
    op = REGISTRY.called(name.removesuffix("_"))
    if op is None:
        raise AttributeError(f"type object 'Tensor' has no attribute {name!r}")
    if name.endswith("_"):
        return _in_place(name, op)
    found = public_function(op.name)
    found.__doc__ = op.__doc__
    return found


def _in_place_operator(name: str) -> Any:
    return _takes_operands(name, getattr(Tensor, IN_PLACE[name]), arrays=False)


def _is_usable(value: Any) -> bool:
    """Whether value is an array of a dtype that tensors have."""
    return isinstance(value, np.ndarray) and value.dtype in dtypes.PROMOTABLE


def _takes_operands(name: str, function: Any, arrays: bool = True) -> Any:
    """The method `name` made of a function of two operands: another class on the right decides for itself, as Python's protocol has it.

    Without `arrays` that includes NumPy's: `x += a` is `x = x + a`, as in torch.
    """

    def method(self: Tensor, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(self, other)
        return function(*with_array(self, other)) if arrays and _is_usable(other) else NotImplemented

    method.__name__ = method.__qualname__ = name
    return method


def _swapped(name: str, function: Any) -> Any:
    def method(self: Tensor, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(_number_of(other), self)
        return function(*with_array(other, self)) if _is_usable(other) else NotImplemented

    method.__name__ = method.__qualname__ = name
    return method


def _number_of(value: Any) -> Any:
    """A NumPy scalar as the Python number that it is to torch."""
    return value.item() if isinstance(value, np.generic) else value
