"""Operators that read or write where a mask is true, and the rule for numbers that are written into a value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.dtypes import BOOL, HALF_CHARACTERS, I64, finfo, from_numpy
from tracegrad.errors import ArgumentValueError, DTypeError, IndexingError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite, Elementwise
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, M
from tracegrad.ir.types import Shape, Type, broadcast, size_of

UNKNOWN = -1  # a size that depends on values


def read_mask(mask: Any) -> np.ndarray[Any, Any]:
    """The values of a mask, which decide about shapes; a recording notes that, or refuses it.  Raises NotSupportedError for a graph node."""
    data = getattr(mask, "_data", mask)
    if not isinstance(data, np.ndarray):
        raise NotSupportedError(
            explain(
                "index", "the shape of a selection by mask depends on values, which a graph does not have", "Use where"
            )
        )
    if local.trace is not None:
        local.trace.leave_mask(mask)
    return data


def mask_positions(F: Ops, mask: Any) -> list[Any]:
    """The positions where a mask is true, one index per axis: arrays, or Tensors in a recording that counts them."""
    data = read_mask(mask)
    if local.trace is None or not local.trace.counts or data is mask:
        return list(np.nonzero(data))
    found = F.nonzero(mask)
    return [F.select(found, dim=1, index=i) for i in range(data.ndim)]


def is_recorded(mask: Any) -> bool:
    """Whether the values of a mask are unknown, or known for this run of a recording only."""
    return local.trace is not None or not isinstance(getattr(mask, "_data", mask), np.ndarray)


def in_order_of(F: Ops, mask: Any, values: Any, dim: int) -> Value:
    """The values along axis dim, one after the other where the mask is true: the mask's axes in place of that axis; anything where it is false.

    Raises RuntimeError for too few of them where the mask is known.
    """
    data, have = getattr(mask, "_data", None), F.shape(values)[dim]
    if data is not None and np.count_nonzero(data) > have:
        problem = f"Number of elements of source ({have}) < number of ones in mask ({np.count_nonzero(data)})"
        raise ShapeError(explain("masked_scatter", problem))
    shape = F.shape(mask)
    if not have:  # no mask may be true: there is nothing to read
        return F.full(
            shape=(*F.shape(values)[:dim], *shape, *F.shape(values)[dim + 1 :]), value=0, dtype=F.type(values).dtype
        )
    counted = F.cumsum(F.cast(F.reshape(mask, shape=(size_of(shape),)), dtype=I64), dim=0)
    places = F.maximum(F.sub(counted, 1), 0)
    return F.index(values, F.reshape(places, shape=shape), dims=(dim,))


def put_under_mask(F: Ops, x: Any, mask: Any, values: Any, dim: int, accumulate: bool = False) -> Value:
    """index_put through one mask over the axes from dim on, without its positions: for recordings.  values broadcast to x[mask], as there.

    Raises RuntimeError where their shapes do not fit.
    """
    shape, own, given = F.shape(x), F.shape(mask), F.shape(values)
    behind = len(shape) - dim - len(own)
    at = len(given) - behind - 1  # the axis of the masked elements
    if at >= 0 and given[at] != 1:
        data = getattr(mask, "_data", None)
        if data is not None and np.count_nonzero(data) != given[at]:
            found = [*shape[:dim], np.count_nonzero(data), *shape[dim + len(own) :]]
            problem = f"shape mismatch: value tensor of shape {list(given)} cannot be broadcast to indexing result of shape {found}"
            raise ShapeError(explain("index_put", problem))
        values = in_order_of(F, mask, values, at)
    elif at >= 0:
        values = F.reshape(values, shape=(*given[:at], *(1,) * len(own), *given[at + 1 :]))
    if len(F.shape(values)) > len(shape) or broadcast("index_put", shape, F.shape(values)) != shape:
        problem = f"shape mismatch: value tensor of shape {list(given)} cannot be broadcast under a mask in shape {list(shape)}"
        raise ShapeError(explain("index_put", problem))
    if behind:
        mask = F.reshape(mask, shape=(*own, *(1,) * behind))
    return F.where(mask, F.add(x, values) if accumulate else values, x)


class Counted(Op):
    """x as large as it was when it was recorded: what stands behind an operator whose result is as large as values say.  Shape: (*a) -> (*a)."""

    function, method, nondiff_outputs, quiet = False, False, ("out",), True
    numpy = jax = "{x}.copy()"
    samples = ([A(2, 3)], [A()], [A(0, 3)])

    @staticmethod
    def infer(x: Type) -> Type:
        """x's type."""
        return x

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value) -> Value:
        """The same with the leading axis."""
        return F.counted(x)


class IndexMask(Op):
    """The elements of x where a mask, which covers the axes from dim on, is true.  Shapes: x (*a, *m, *b), mask (*m) -> (*a, count, *b)."""

    masks = "selects"
    inputs, attrs, linear, nondiff, function, method = ("x", "mask"), ("dim",), ("x",), ("mask",), False, False
    value_dependent = True
    numpy = jax = "K.index_mask({x}, {mask}, {dim})"
    torch_name = "IndexBackward0"
    samples = ()

    @staticmethod
    def infer(x: Type, mask: Type, dim: int) -> Type:
        """An unknown count in place of the mask's axes."""
        own = mask.shape
        for i, n in enumerate(own):
            if dim + i >= len(x.shape) or x.shape[dim + i] != n:
                raise IndexingError(
                    explain(
                        "index",
                        f"The shape of the mask {list(own)} at index {i} does not match the shape of the indexed tensor {list(x.shape)} at index {dim + i}",
                    )
                )
        return Type((*x.shape[:dim], UNKNOWN, *x.shape[dim + len(own) :]), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, mask: Value, x_type: Type, dim: int) -> Value:
        return F.index_mask_backward(g, mask, shape=x_type.shape, dim=dim)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, mask: Value, dim: int) -> Value:
        _refuse_batched_mask(batched[1])
        return F.index_mask(x, mask, dim=dim + 1)


def _refuse_batched_mask(batched: bool) -> None:
    if batched:
        raise NotSupportedError(
            explain(
                "index",
                "a mask that differs between the examples of a batch selects different numbers of elements",
                "Use where",
            )
        )


class IndexMaskBackward(Op):
    """Zeros with x where a mask is true.  Shapes: x (*a, count, *b), mask (*m) -> shape = (*a, *m, *b)."""

    inputs, attrs, linear, nondiff, function, method = ("x", "mask"), ("shape", "dim"), ("x",), ("mask",), False, False
    numpy = jax = "K.put_mask({x}, {mask}, {shape}, {dim})"
    torch_name = "IndexPutBackward0"
    samples = ()

    @staticmethod
    def infer(x: Type, mask: Type, shape: Shape, dim: int) -> Type:
        """The given shape."""
        return Type(shape, x.dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, mask: Value, dim: int) -> Value:
        return F.index_mask(g, mask, dim=dim)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, mask: Value, shape: Shape, dim: int) -> Value:
        _refuse_batched_mask(batched[1])
        return F.index_mask_backward(x, mask, shape=(size, *shape), dim=dim + 1)


class MaskedSelectNode(IndexMask):
    """IndexMask under the name that torch gives masked_select.  Shapes: x (*a), mask (*a) -> (count,)."""

    name = "masked_select_node"
    torch_name = "MaskedSelectBackward0"


class MaskedSelect(Composite):
    """The elements of input where mask is true, in row-major order.  Shapes: (*a), (*b) -> (count,)."""

    samples = ()

    @staticmethod
    def call(F: Ops, input: Any, mask: Any) -> Value:  # noqa: A002
        """input[mask] after broadcasting both."""
        if F.type(mask).dtype != BOOL:
            raise DTypeError(explain("masked_select", "expected BoolTensor for mask", mask=F.type(mask)))
        read_mask(mask)
        shape = broadcast("masked_select", F.shape(input), F.shape(mask))
        x, mask = F.expand(input, shape=shape), F.expand(mask, shape=shape)
        if local.trace is None:
            return F.masked_select_node(x, mask, dim=0)
        if not shape:
            x, mask = F.reshape(x, shape=(1,)), F.reshape(mask, shape=(1,))
        places = F.nonzero(mask)  # in a recording as positions, whose number is a part of their type
        axes = tuple(range(len(F.shape(mask))))
        return F.index(x, *(F.select(places, dim=1, index=i) for i in axes), dims=axes)


class MaskedFill(Elementwise):
    """value where the mask holds, x elsewhere; x's dtype.  Shapes: (*a), (*b), () -> broadcast(a, b)."""

    masks = "selects"
    inputs, promoted, nondiff, linear, inplace = ("x", "mask", "value"), ("x", "value"), ("mask",), ("x", "value"), True
    quiet = True
    numpy, jax = "np.asarray(np.where({mask}, {value}, {x}), order='C')", "jnp.where({mask}, {value}, {x})"
    samples = ([A(2, 3), M(2, 3), A()], [A(3), M(2, 1), A()], [A(), M(), A()], [A(0, 3), M(3), A()])

    @staticmethod
    def torch_name(node: Node) -> str:
        return "MaskedFillBackward1" if isinstance(node.inputs[2], Node) else "MaskedFillBackward0"

    @staticmethod
    def call(F: Ops, input: Any, mask: Any, value: Any) -> Value:  # noqa: A002
        """input with value (a number or a 0-d tensor) where mask is true."""
        if F.type(mask).dtype != BOOL:
            raise DTypeError(explain("masked_fill", "masked_fill_ only supports boolean masks", mask=F.type(mask)))
        if isinstance(value, np.generic):
            value = value.item()
        wanted, given = F.type(input), F.type(value)
        if given.shape:
            raise ShapeError(
                explain(
                    "masked_fill",
                    f"only supports a 0-dimensional value tensor, but got tensor with {len(given.shape)} dimension(s).",
                )
            )
        if given.weak:
            return F.masked_fill(input, mask, fitting_number("masked_fill", wanted.dtype, value))
        if given.dtype != wanted.dtype and local.trace is None and hasattr(value, "_data"):
            fitting_number(
                "masked_fill", wanted.dtype, value._data.item()
            )  # a value that the dtype cannot hold is an error
        return F.masked_fill(input, mask, F.as_dtype(value, wanted.dtype))

    @staticmethod
    def grad_x(F: Ops, g: Value, mask: Value) -> Value:
        return F.where(mask, 0.0, g)

    @staticmethod
    def grad_value(F: Ops, g: Value, mask: Value) -> Value:
        return F.where(mask, g, 0.0)


SMALL = 65504.0  # numbers up to here fit into every floating dtype


def fitting_number(operation: str, dtype: Any, value: Any) -> Any:
    """number_of; RuntimeError for a number beyond the largest one of a half-precision dtype, too."""
    number = number_of(dtype, value)
    if dtype.char in HALF_CHARACTERS and math.isfinite(number) and abs(number) > finfo(from_numpy(dtype)).max:
        raise DTypeError(explain(operation, f"value {value} cannot be converted to type {dtype} without overflow"))
    return number


def number_of(dtype: Any, value: Any) -> Any:
    """A Python number as one that a value of this dtype can hold: truncated for integers, a truth value for bool; whole negative numbers of uint8 wrap round."""
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind in "iu" and not isinstance(value, complex):
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ArgumentValueError(explain("fill", f"Overflow: {value} does not fit into 64 bits"))
        limit = np.iinfo(dtype)
        low = -limit.max if dtype.kind == "u" and isinstance(value, int) else limit.min
        if not low <= value <= limit.max:  # also for nan
            raise DTypeError(explain("fill", f"value {value} cannot be converted to {dtype} without overflow"))
        return int(value) % (limit.max + 1) if dtype.kind == "u" else int(value)
    if isinstance(value, complex) and dtype.kind != "c":
        raise DTypeError(explain("fill", f"value {value} cannot be converted to {dtype} without overflow"))
    if (
        dtype.kind in "fV"
        and not -SMALL <= value <= SMALL
        and math.isfinite(value)
        and dtype.char not in HALF_CHARACTERS  # there torch writes inf, except under a mask
        and abs(value) > finfo(from_numpy(dtype)).max
    ):
        raise DTypeError(explain("fill", f"value {value} cannot be converted to type {dtype} without overflow"))
    return value


class MaskPut(Elementwise):
    """y where the mask c holds, x elsewhere: assignment through one mask, under torch's name.  Shapes: (*c), (*a), (*b) -> broadcast(c, a, b)."""

    masks = "selects"
    inputs, promoted, nondiff, linear = ("x", "c", "y"), ("x", "y"), ("c",), ("x", "y")
    quiet, function, method, torch_name = True, False, False, "IndexPutBackward0"
    numpy, jax = "np.where({c}, {y}, {x})", "jnp.where({c}, {y}, {x})"
    samples = ([A(2, 3), M(2, 3), A(3)], [A(3), M(2, 1), A()], [A(), M(), A()], [A(0, 3), M(3), A()])

    @staticmethod
    def grad_x(F: Ops, g: Value, c: Value) -> Value:
        return F.where(c, 0.0, g)

    @staticmethod
    def grad_y(F: Ops, g: Value, c: Value) -> Value:
        return F.where(c, g, 0.0)

    @staticmethod
    def decompose(F: Ops, x: Value, c: Value, y: Value) -> Value:
        return F.where(c, y, x)
