"""What torch says first when a call fails: that an argument has the wrong Python type.

Numbers in the place of Tensors are refused before an operator sees them, which could take them.  Nothing else is looked at while calls succeed; after a
failure the arguments are compared with the annotations of the function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from tracegrad.dtypes import NUMBERS, SCALARS
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, IndexingError, TracegradError, explain
from tracegrad.ir.op import Op

Function = TypeVar("Function", bound=Callable[..., Any])
# names of first parameters, and of any others, that are Tensors unless `Op.numbers` lists them; others are if `Op.tensors` does
FIRST = frozenset("input x1 real abs y x v sorted_sequence LU_data condition".split())
LATER = frozenset(
    "condition batch1 batch2 mat mat1 mat2 vec vec1 vec2 tensor1 tensor2 src mask input2 LU_pivots x2 values imag angle weights".split()
)
# parameters of any annotation that only a Tensor can be given for
TENSORS = frozenset(
    "input target weight bias index mask src tensor A B L LU LD LU_data LU_pivots pivots tau x x1 x2 y mat mat1 mat2 vec vec1 vec2 batch1 "
    "batch2 tensor1 tensor2 running_mean running_var anchor positive negative pos_weight log_probs query key input1 input2 var grid "
    "fweights aweights sorter prepend append abs angle elements_of condition".split()
)
NUMBERS_TOO = ("input", "condition", "src")
NO_TENSORS = (str, list, tuple, dict, *NUMBERS)
NO_OPERANDS = (*NO_TENSORS, np.generic)
OPERANDS = frozenset(("other", "elements", "test_elements", "exponent", "min", "max"))  # a Tensor or a number
WORDS = frozenset(
    "p ord norm driver dims reduce method reduction mode padding_mode size_average args dtype equation".split()
)


def takes_number(op: type[Op], position: int, name: str) -> bool:
    """Whether torch takes a Python number for this parameter of the public function, or the function itself says what it takes."""
    return name in op.numbers or (name not in (LATER if position else FIRST) and name not in op.tensors)


def refuse_number(operation: str, name: str, position: int, value: Any) -> None:
    """Raise torch's TypeError for what stands in the place of a Tensor; a number of a recording may, although its class says that it is Python's."""
    if isinstance(value, Tensor):
        return
    problem = f"{operation}(): argument {name!r} (position {position + 1}) must be Tensor, not {type(value).__name__}"
    raise ArgumentError(explain(operation, problem))


def checked(op: type[Op], names: tuple[str, ...], operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of a public function on their way to the general path.  Raises TypeError for a number or a list in the place of a Tensor."""
    for i, (name, value) in enumerate(zip(names, operands, strict=False)):
        if isinstance(value, NO_OPERANDS) and not takes_number(op, i, name):
            refuse_number(op.name, name, i, value)
    return operands


def check_lines(op: type[Op], names: tuple[str, ...], first: int, last: int) -> list[str]:
    """Lines of a generated function that check its parameters from place `first` up to `last`."""
    return [
        f"if type({name}) is not Tensor and isinstance({name}, SCALARS): REFUSE_NUMBER({op.name!r}, {name!r}, {i}, {name})"
        for i, name in enumerate(names)
        if first <= i < last and not takes_number(op, i, name)
    ]


def _is_number(value: Any, whole: bool = False) -> bool:
    if isinstance(value, Tensor):
        return value._data.size == 1 and (not whole or value._data.dtype.kind in "iu")
    if whole:
        return hasattr(value, "__index__") and not isinstance(value, (bool, np.bool_))
    return isinstance(value, SCALARS) and not isinstance(value, (complex, np.complexfloating))


def _wanted(annotation: Any, name: str, value: Any, optional: bool) -> str:
    """The type that an argument should have had; "" where nothing speaks against it."""
    if value is None:
        required = annotation in ("bool", "int", "float", "str", "Tensor") or (
            annotation == "Any" and not optional and name in TENSORS
        )
        return {"Tensor": "Tensor", "Any": "Tensor"}.get(annotation, annotation) if required else ""
    kind = str(annotation).removesuffix(" | None")
    if kind == "bool":
        return "" if isinstance(value, bool) else "bool"
    if kind == "int":
        return "" if _is_number(value, whole=True) else "int"
    if kind == "float":
        return "" if _is_number(value) else "float"
    if kind == "str":
        return "" if isinstance(value, str) else "str"
    if kind == "Tensor" and not isinstance(value, Tensor):
        return "Tensor"
    if name in TENSORS and isinstance(value, (str, list, tuple, dict) if name in NUMBERS_TOO else NO_TENSORS):
        return "Tensor"
    if name in OPERANDS and isinstance(value, (str, list, tuple, dict)):
        return "Tensor or Number"
    return "a number" if isinstance(value, str) and name not in WORDS else ""


def refuse_arguments(operation: str, function: Callable[..., Any], names: Iterable[str], values: Iterable[Any]) -> None:
    """Raise TypeError for the first argument of a type that its parameter cannot have.  Called while an exception of the call is being handled.

    Where no argument is found wrong, what Python or NumPy said of them is raised in the package's form.
    """
    code, notes = function.__code__, function.__annotations__
    positional = code.co_varnames[: code.co_argcount]
    optional = {*positional[len(positional) - len(function.__defaults__ or ()) :], *(function.__kwdefaults__ or ())}
    for name, value in zip(names, values, strict=False):
        wanted = _wanted(notes.get(name, "Any"), name, value, name in optional)
        if wanted:
            problem = f"argument {name!r} must be {wanted}, not {type(value).__name__}"
            raise ArgumentError(explain(operation, problem)) from None
    error = sys.exc_info()[1]
    if isinstance(error, (AttributeError, TypeError)) and not isinstance(error, TracegradError):
        raise ArgumentError(explain(operation, f"an argument has the wrong type ({error})")) from error
    if type(error) is IndexError:
        raise IndexingError(explain(operation, "an operand has too few axes")) from error


def refuse_flag(operation: str, name: str, value: Any) -> None:
    """Raise TypeError for a value that is neither True nor False."""
    raise ArgumentError(explain(operation, f"argument {name!r} must be bool, not {type(value).__name__}"))


def with_typed_arguments(function: Function) -> Function:
    """The function, with TypeError of the package's form for arguments of wrong Python types, in place of what happens to fail first."""
    stated: Any = getattr(function, "__wrapped__", function)
    code = stated.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def typed(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            given = dict(zip(names, args, strict=False)) | kwargs
            if len(args) <= code.co_argcount and all(name in names for name in given):
                refuse_arguments(function.__name__, stated, given, given.values())
            raise

    return typed  # type: ignore[return-value]
