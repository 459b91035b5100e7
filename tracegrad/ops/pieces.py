"""Several views of one value, and values brought to a common shape.  None of them is an operator: all are made of slices, new axes and broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.errors import ArgumentError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import broadcast, one_axis
from tracegrad.ops.checks import is_known, whole
from tracegrad.ops.slicing import Split


class SplitWithSizes(Composite):
    """Views of consecutive pieces of the given sizes.  Shape: (n, ...) -> several (m, ...)."""

    samples = ([A(5), [2, 3]],)

    @staticmethod
    def call(F: Ops, input: Any, split_sizes: Any, dim: int = 0) -> tuple[Value, ...]:  # noqa: A002
        """The pieces of input along dim as a tuple."""
        return Split.call(F, input, list(split_sizes), dim)


class TensorSplit(Composite):
    """Views of pieces of nearly equal size, or of the pieces between positions.  Shape: (n, ...) -> several (m, ...)."""

    samples = ([A(5), 2], [A(5, 2), (1, 3)], [A(2, 6), 4, 1])

    @staticmethod
    def call(
        F: Ops,
        input: Any,  # noqa: A002
        indices_or_sections: Any = None,
        dim: int = 0,
        *,
        indices: Any = None,
        sections: Any = None,
        tensor_indices_or_sections: Any = None,
    ) -> tuple[Value, ...]:
        """The pieces of input along dim as a tuple: a number of them (the first ones are larger), or those that begin at the given positions."""
        given = [v for v in (indices_or_sections, indices, sections, tensor_indices_or_sections) if v is not None]
        if len(given) != 1:
            raise ArgumentError(explain("tensor_split", "takes either sections or indices"))
        shape = F.shape(input)
        if not shape:
            raise ShapeError(
                explain(
                    "tensor_split",
                    "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims",
                )
            )
        axis = one_axis("tensor_split", len(shape), dim)
        return _cut(F, input, axis, _bounds(shape[axis], _plain("tensor_split", given[0])))


class Hsplit(Composite):
    """tensor_split along axis 1, or axis 0 of a vector.  Shape: (*a) -> several."""

    samples = ([A(4), 2], [A(2, 4), (1, 3)])

    @staticmethod
    def call(F: Ops, input: Any, indices_or_sections: Any) -> tuple[Value, ...]:  # noqa: A002
        """The pieces of input side by side."""
        return _equal_parts(F, "hsplit", input, indices_or_sections, 1, int(len(F.shape(input)) > 1))


class Vsplit(Composite):
    """tensor_split along axis 0.  Shape: (n, m, *a) -> several (k, m, *a)."""

    samples = ([A(4, 2), 2], [A(4, 2), (1, 3)])

    @staticmethod
    def call(F: Ops, input: Any, indices_or_sections: Any) -> tuple[Value, ...]:  # noqa: A002
        """The pieces of input above each other."""
        return _equal_parts(F, "vsplit", input, indices_or_sections, 2, 0)


class Dsplit(Composite):
    """tensor_split along axis 2.  Shape: (n, m, l, *a) -> several (n, m, k, *a)."""

    samples = ([A(1, 2, 4), 2], [A(1, 2, 4), (1, 3)])

    @staticmethod
    def call(F: Ops, input: Any, indices_or_sections: Any) -> tuple[Value, ...]:  # noqa: A002
        """The pieces of input behind each other."""
        return _equal_parts(F, "dsplit", input, indices_or_sections, 3, 2)


def _equal_parts(F: Ops, operation: str, x: Any, wanted: Any, least: int, axis: int) -> tuple[Value, ...]:
    shape = F.shape(x)
    if len(shape) < least:
        raise ShapeError(
            explain(
                operation,
                f"torch.{operation} requires a tensor with at least {least} dimension, but got a tensor with {len(shape)} dimensions!",
            )
        )
    wanted = _plain(operation, wanted)
    if isinstance(wanted, int) and (wanted < 1 or shape[axis] % wanted):
        raise ShapeError(
            explain(
                operation,
                f"torch.{operation} attempted to split along dimension {axis}, but the size of the dimension {shape[axis]} is not divisible by the split_size {wanted}!",
            )
        )
    return _cut(F, x, axis, _bounds(shape[axis], wanted))


def _plain(operation: str, wanted: Any) -> Any:
    """A number of pieces or a tuple of positions; both may be given as a whole-number Tensor."""
    if hasattr(wanted, "tolist"):
        if _dtype(wanted).kind not in "iu":
            raise ShapeError(explain(operation, "tensor_indices_or_sections must be of dtype int64"))
        wanted = wanted._data.tolist() if hasattr(wanted, "_data") and is_known(wanted) else wanted.tolist()
    if isinstance(wanted, (tuple, list)):
        return tuple(whole(operation, "indices", i) for i in wanted)
    return whole(operation, "sections", wanted)


def _dtype(value: Any) -> np.dtype[Any]:
    """The NumPy dtype of a Tensor or array."""
    found: np.dtype[Any] = getattr(value, "_data", value).dtype
    return found


def _bounds(total: int, wanted: Any) -> list[tuple[int, int]]:
    if isinstance(wanted, int):
        if wanted < 1:
            raise ShapeError(explain("tensor_split", f"number of sections must be larger than 0, got {wanted}"))
        small, larger = divmod(total, wanted)
        ends = np.cumsum([small + 1] * larger + [small] * (wanted - larger)).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))
    starts, ends = [0, *wanted], [*wanted, total]
    return [slice(a, b).indices(total)[:2] for a, b in zip(starts, ends, strict=True)]


def _cut(F: Ops, x: Any, axis: int, bounds: Sequence[tuple[int, int]]) -> tuple[Value, ...]:
    return tuple(F.slice(x, dim=axis, start=start, stop=max(start, stop), step=1) for start, stop in bounds)


class Atleast1d(Composite):
    """Values with one axis at least.  Shape: () -> (1,), others as they are."""

    name, method = "atleast_1d", False
    samples = ([A()], [A(2, 3)])

    @staticmethod
    def call(F: Ops, *tensors: Any) -> Any:
        """The tensor, or a tuple of several, with at least one axis each."""
        return _each("atleast_1d", tensors, lambda x: x if F.shape(x) else F.reshape(x, shape=(1,)))


class Atleast2d(Composite):
    """Values with two axes at least: a vector becomes a row.  Shape: (n,) -> (1, n)."""

    name, method = "atleast_2d", False
    samples = ([A()], [A(3)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, *tensors: Any) -> Any:
        """The tensor, or a tuple of several, with at least two axes each."""

        def grown(x: Any) -> Value:
            ndim = len(F.shape(x))
            return F.reshape(x, shape=(1, 1)) if not ndim else F.unsqueeze(x, dim=0) if ndim == 1 else x

        return _each("atleast_2d", tensors, grown)


class Atleast3d(Composite):
    """Values with three axes at least.  Shapes: (n,) -> (1, n, 1); (n, m) -> (n, m, 1)."""

    name, method = "atleast_3d", False
    samples = ([A()], [A(3)], [A(2, 3)], [A(2, 3, 4)])

    @staticmethod
    def call(F: Ops, *tensors: Any) -> Any:
        """The tensor, or a tuple of several, with at least three axes each."""

        def grown(x: Any) -> Value:
            ndim = len(F.shape(x))
            if not ndim:
                return F.reshape(x, shape=(1, 1, 1))
            if ndim == 1:
                return F.unsqueeze(F.unsqueeze(x, dim=0), dim=2)
            return F.unsqueeze(x, dim=2) if ndim == 2 else x

        return _each("atleast_3d", tensors, grown)


class BroadcastTensors(Composite):
    """Values expanded to their common shape, without copying.  Shapes: (*a), (*b), ... -> that of the result each."""

    method = False
    samples = ([A(3, 1), A(4)], [A()])

    @staticmethod
    def call(F: Ops, *tensors: Any) -> tuple[Value, ...]:
        """A tuple of views of the tensors in the shape that they broadcast to."""
        values = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
        shape = broadcast("broadcast_tensors", *(F.shape(x) for x in values))
        return tuple(F.broadcast_to(x, shape=shape) for x in values)


def _each(operation: str, tensors: tuple[Any, ...], grown: Any) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
        if isinstance(tensors[0], (int, float, str)):
            raise ArgumentError(explain(operation, f"argument must be a Tensor, not {type(tensors[0]).__name__}"))
        return grown(tensors[0])
    values = tensors[0] if len(tensors) == 1 else tensors
    return tuple(grown(x) for x in values)
