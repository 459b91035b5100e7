"""The bytes of a value read as another dtype: a view of the same memory that has no derivative."""

from __future__ import annotations

from typing import Any

from tracegrad import dtypes
from tracegrad.dtypes import F64, NumpyDType
from tracegrad.errors import ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type


class ViewDtype(Op):
    """x's bytes as another dtype; the last axis grows or shrinks with the size of an element.  Shape: (*a, n) -> (*a, m)."""

    attrs, view, nondiff, function, method = ("dtype",), True, ("x",), False, False
    quiet = True
    numpy, jax = "{x}.view({dtype})", "K.view_dtype({x}, {dtype})"
    samples = ([A(2, 4), "int64"], [A(2, 4), "int32"], [A(3), "uint8"], [A(), "int64"])

    @staticmethod
    def infer(x: Type, dtype: NumpyDType) -> Type:
        """The given dtype; the last axis has as many bytes as x's."""
        shape, (old, new) = x.shape, (x.dtype.itemsize, dtype.itemsize)
        return Type(shape if old == new else (*shape[:-1], shape[-1] * old // new), dtype)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, dtype: NumpyDType) -> Value:
        return F.view_dtype(x, dtype=dtype)


def view_under(F: Ops, x: Any, wanted: Any) -> Value:
    """x.view(dtype).  Raises RuntimeError where the elements of another size do not fit into x's memory."""
    target = F64 if wanted is float else dtypes.to_numpy(wanted)
    data = getattr(x, "_data", x)
    old, new = data.dtype.itemsize, target.itemsize
    names = f"to view {dtypes.from_numpy(data.dtype)} as {dtypes.from_numpy(target)} (different element sizes)"
    if old != new:
        if not data.ndim:
            raise ShapeError(explain("view", f"self.dim() cannot be 0 {names}"))
        if data.shape[-1] != 1 and data.strides[-1] != old and data.size:
            raise ShapeError(explain("view", f"self.stride(-1) must be 1 {names}, but got {data.strides[-1] // old}"))
        if data.shape[-1] * old % new:
            raise ShapeError(
                explain("view", f"self.size(-1) must be divisible by {new // old} {names}, but got {data.shape[-1]}")
            )
        if any(step % new for n, step in zip(data.shape[:-1], data.strides[:-1], strict=True) if n > 1):
            raise ShapeError(explain("view", f"self.stride must be divisible by {new // old} {names}"))
    return F.view_dtype(x, dtype=target)
