"""Which parameters of public functions must be Tensors where the operators behind them would take Python numbers too: as torch's signatures say."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import ArgumentError, explain
from tracegrad.ir.op import Op

NUMBERS = (bool, int, float, complex, np.generic)
FIRST = frozenset("input x1 real abs y x v sorted_sequence LU_data condition".split())
# functions that take a number first
NUMBER_FIRST = frozenset(
    "add sub mul div floor_divide remainder pow float_power xlogy bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift "
    "bucketize norm eig lstsq matrix_rank solve symeig searchsorted".split()
)
# parameters that are Tensors wherever they appear, and functions whose `other` or `index` is one
ALWAYS = frozenset(
    "condition batch1 batch2 mat mat1 mat2 vec vec1 vec2 tensor1 tensor2 src mask input2 LU_pivots x2 values imag angle weights".split()
)
OTHER = frozenset(
    "atan2 fmax fmin gcd lcm hypot igamma igammac inner isclose kron ldexp logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum "
    "matmul nextafter vdot cross dist".split()
)
INDEX = frozenset(
    "masked_scatter gather index_add index_copy index_reduce index_select put scatter_add scatter_reduce take".split()
)


def takes_number(op: type[Op], position: int, name: str) -> bool:
    """Whether torch takes a Python number for this parameter of the public function, or the function itself says what it takes."""
    if position == 0:
        return name not in FIRST or op.name in NUMBER_FIRST or (op.name.startswith("special_") and len(op.operands) > 1)
    if name == "other":
        return op.name not in OTHER
    if op.name == "lerp" and name == "end":
        return False
    if name in ("index", "source"):
        return op.name not in INDEX
    return name not in ALWAYS or (op.composite and op.name in ("quantile", "scatter"))


def refuse_number(operation: str, name: str, position: int, value: Any) -> None:
    """Raise torch's TypeError for a number in the place of a Tensor."""
    problem = f"{operation}(): argument {name!r} (position {position + 1}) must be Tensor, not {type(value).__name__}"
    raise ArgumentError(explain(operation, problem))


def checked(op: type[Op], names: tuple[str, ...], operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of a public function on their way to the general path.  Raises TypeError for a number in the place of a Tensor."""
    for i, (name, value) in enumerate(zip(names, operands, strict=False)):
        if isinstance(value, NUMBERS) and not takes_number(op, i, name):
            refuse_number(op.name, name, i, value)
    return operands


def check_lines(op: type[Op], names: tuple[str, ...], first: int, last: int) -> list[str]:
    """Lines of a generated function that check its parameters from place `first` up to `last`."""
    return [
        f"if type({name}) is not Tensor and isinstance({name}, NUMBERS): REFUSE_NUMBER({op.name!r}, {name!r}, {i}, {name})"
        for i, name in enumerate(names)
        if first <= i < last and not takes_number(op, i, name)
    ]
