"""Operators that make values from attributes alone."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import NumpyDType
from tracegrad.ir.families import Creation
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.types import Shape, Type


class Full(Creation):
    """A constant in every element.  Shape: () -> shape."""

    attrs = ("shape", "value", "dtype")
    numpy, jax, onnx = "np.full({shape}, {value}, {dtype})", "jnp.full({shape}, {value}, {dtype})", "ConstantOfShape"
    samples = ([(2, 3), 1.5, "float64"], [(), 2, "int64"], [(0, 3), 0.0, "float32"])

    @staticmethod
    def infer(shape: Shape, value: Any, dtype: NumpyDType) -> Type:
        """The given shape and dtype."""
        return Type(shape, dtype)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, shape: Shape, value: Any, dtype: NumpyDType) -> Value:
        return F.full(shape=(size, *shape), value=value, dtype=dtype)
