"""Type: the shape and dtype of one value, and the shape arithmetic that type rules share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tracegrad.dtypes import BOOL, BY_NAME, F64, I64, NUMBERS, NumpyDType
from tracegrad.errors import ArgumentError, AxisError, ShapeError, explain

Shape = tuple[int, ...]

SHORT_NAMES = {"bool": "bool", "uint8": "u8", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "float16": "f16",
               "bfloat16": "bf16", "float32": "f32", "float64": "f64", "complex64": "c64", "complex128": "c128"}  # fmt: skip
DTYPE_OF_SHORT = {short: BY_NAME[name] for name, short in SHORT_NAMES.items()}
_C128 = np.dtype(np.complex128)


class Type(NamedTuple):
    """Shape and dtype of one value.  `weak` marks a Python number, which takes the dtype of the arrays it meets."""

    shape: Shape
    dtype: NumpyDType
    weak: bool = False

    def __str__(self) -> str:
        return f"{SHORT_NAMES[self.dtype.name]}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        return str(self)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)


def literal_type(value: object) -> Type:
    """The weak type of a Python number."""
    if isinstance(value, bool):
        return Type((), BOOL, True)
    if isinstance(value, int):
        return Type((), I64, True)
    if isinstance(value, complex):
        return Type((), _C128, True)
    return Type((), F64, True)


def type_of(value: Any) -> Type:
    """The type of a node, array, tensor or Python number."""
    if isinstance(value, NUMBERS) and not isinstance(value, np.generic):
        return literal_type(value)
    try:
        d = value.dtype
    except AttributeError:
        raise ArgumentError(explain("operand", f"must be a Tensor, not {type(value).__name__}")) from None
    return Type(tuple(value.shape), d if isinstance(d, np.dtype) else d.numpy)


def broadcast(operation: str, *shapes: Shape) -> Shape:
    """The common shape of operands, by NumPy's and torch's rule.  Raises ShapeError that names both shapes."""
    first = shapes[0] if shapes else ()
    if first and shapes.count(first) + shapes.count(()) == len(shapes):
        return tuple(first)
    result: list[int] = []
    for shape in shapes:
        if len(shape) > len(result):
            result = [1] * (len(shape) - len(result)) + result
        offset = len(result) - len(shape)
        for axis, size in enumerate(shape):
            here = result[offset + axis]
            if here == 1:
                result[offset + axis] = size
            elif size not in (1, here):
                shown = " and ".join(str(list(s)) for s in shapes)
                raise ShapeError(
                    explain(
                        operation,
                        f"shapes {shown} do not broadcast: sizes {here} and {size} meet at axis {offset + axis}",
                    )
                )
    return tuple(result)


def reduced(shape: Shape, dim: Sequence[int] | None, keepdim: bool) -> Shape:
    """`shape` without the axes `dim` (None: all axes), or with 1 in their place if keepdim."""
    if dim is None:
        return (1,) * len(shape) if keepdim else ()
    return tuple(1 if i in dim else size for i, size in enumerate(shape) if keepdim or i not in dim)


def one_axis(operation: str, ndim: int, dim: int) -> int:
    """`dim` as a non-negative axis.  A 0-d value has the axes -1 and 0, as in torch.  Raises AxisError (an IndexError)."""
    limit = max(ndim, 1)
    if not isinstance(dim, (int, np.integer)) or isinstance(dim, bool):
        raise ArgumentError(explain(operation, f"dim must be an int, not {dim!r}"))
    if not -limit <= dim < limit:
        raise AxisError(
            explain(
                operation,
                f"Dimension out of range: dim={dim} is outside [-{limit}, {limit - 1}] for a value with {ndim} axes",
            )
        )
    return int(dim) % limit


def many_axes(operation: str, ndim: int, dim: int | Sequence[int] | None) -> tuple[int, ...] | None:
    """`dim` as sorted non-negative axes; None (all axes) for None and for an empty sequence.  Raises on a repeated axis."""
    if dim is None:
        return None
    if isinstance(dim, (int, np.integer)):
        axis = one_axis(operation, ndim, dim)
        return (axis,) if ndim else ()
    if not isinstance(dim, Sequence) or isinstance(dim, str):
        raise ArgumentError(explain(operation, f"dim must be an int or a tuple of ints, not {dim!r}"))
    axes = [one_axis(operation, ndim, d) for d in dim]
    if len(set(axes)) != len(axes):
        raise ShapeError(explain(operation, f"an axis appears twice in dim={tuple(dim)}"))
    return tuple(sorted(axes) if ndim else ()) if axes else None


def size_of(shape: Shape) -> int:
    """Number of elements."""
    count = 1
    for size in shape:
        count *= size
    return count
