"""Half precision: float16 and bfloat16 are kept in two bytes and computed in float32, with one rounding per operator.

Eager kernels (ir/raw), derivative rules (ir/sweep) and graphs (passes/widen) share what is said here; docs/decisions/half_precision.md says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.dtypes import F32, F64, HALF_CHARACTERS, NUMBERS, is_half
from tracegrad.ir.node import Node, input_type, make_node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Type

Reader = Callable[[Node, int], Any]


def widens(op: type[Op]) -> bool:
    """Whether the operator calculates with half-precision operands, so that it does so in float32; others move or compare them."""
    return not (op.stored or op.view or hasattr(op, "vjp"))


def wide_type(t: Any) -> Any:
    """float32 in place of a half-precision dtype; what is no Type stays as it is."""
    return Type(t.shape, F32, t.weak) if type(t) is Type and is_half(t.dtype) else t


def has_half(values: tuple[Any, ...]) -> bool:
    """Whether one of the arrays (some may be numbers or None) is of half precision."""
    for v in values:  # noqa: SIM110  (every operator of the general path asks)
        if type(v) is np.ndarray and v.dtype.char in HALF_CHARACTERS:
            return True
    return False


def wide_array(value: Any) -> Any:
    """A half-precision array in float32; any other value as it is."""
    return value.astype(F32) if type(value) is np.ndarray and value.dtype.char in HALF_CHARACTERS else value


def rounded_array(value: Any, t: Type) -> Any:
    """A kernel's float32 result in the half-precision dtype that the type rule names."""
    return np.asarray(value).astype(t.dtype) if is_half(t.dtype) else value


def calculates_in_half(node: Node) -> bool:
    """Whether the rules of this node meet half-precision values that they should meet in float32."""
    op, d = node.op, node.dtype
    if op is None:
        return False
    if d is not F32 and d is not F64 and any(is_half(t.dtype) for t in node.types):
        return widens(op) and op.name != "project"
    for value in node.inputs:
        if type(value) is Node or type(value) is Type:
            d = value.dtype
            if d is not F32 and d is not F64 and is_half(d):
                return widens(op) and op.name != "project"
    return False


def wide_node(node: Node) -> Node:
    """A stand-in for the node with float32 in place of half precision: what rules learn about types, they learn from it."""
    inputs = tuple(None if i is None else _wide_input(node, k) for k, i in enumerate(node.inputs))
    types = tuple(map(wide_type, node.types))
    return make_node(node.op, inputs, node.attrs, types if isinstance(node.dtype, tuple) else types[0])


def _wide_input(node: Node, position: int) -> Any:
    value = node.inputs[position]
    return wide_type(input_type(node, position)) if isinstance(value, (Node, tuple)) else value


def held(value: Any, dtype: Any) -> Any:
    """A Python number as a value of this dtype holds it."""
    with np.errstate(all="ignore"):
        found = float(np.asarray(value, dtype))
    return value if found == value else found


def wide(F: Ops, value: Any) -> Any:
    """A value of F in float32 where it is of half precision."""
    if value is None or isinstance(value, NUMBERS) or not is_half(F.type(value).dtype):
        return value
    return F.promote(value, dtype=F32)


def rounded(F: Ops, value: Any, dtype: Any) -> Any:
    """A float32 value of F in the half-precision dtype; any other value, and one for another dtype, as it is."""
    return F.promote(value, dtype=dtype) if is_half(dtype) and F.type(value).dtype == F32 else value


def wide_reader(F: Ops, node: Node, read: Reader) -> Reader:
    """The reader that rules of the stand-in use: the values of the node itself, in float32."""
    return lambda stand_in, position: wide(F, read(node, position))
