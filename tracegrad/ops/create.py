"""Operators that make values from attributes alone.  The public functions of these names are in eager/creation.py."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import BOOL, F32, F64, I64, NumpyDType
from tracegrad.ir.families import Creation
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.types import Shape, Type


class Constant(Creation, family=True):
    """A value made from attributes alone: no tensor method, and the public function is written by hand."""

    function = method = False

    @classmethod
    def batch(cls, F: Ops, size: int, batched: Any, *attrs: Any) -> Value:
        """The same value for every example of the batch."""
        value = getattr(F, cls.name)(**dict(zip(cls.attrs, attrs, strict=True)))
        return F.broadcast_to(value, shape=(size, *F.shape(value)))


class Full(Constant):
    """A constant in every element.  Shape: () -> shape."""

    attrs = ("shape", "value", "dtype")
    numpy, jax, onnx = "K.full({shape}, {value}, {dtype})", "jnp.full({shape}, {value}, {dtype})", "ConstantOfShape"
    samples = ([(2, 3), 1.5, F64], [(), 2, I64], [(0, 3), 0.0, F32], [(2,), True, BOOL])

    @staticmethod
    def infer(shape: Shape, value: Any, dtype: NumpyDType) -> Type:
        """The given shape and dtype."""
        return Type(shape, dtype)

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, shape: Shape, value: Any, dtype: NumpyDType) -> Value:
        return F.full(shape=(size, *shape), value=value, dtype=dtype)


class Literal(Constant):
    """Numbers written out, in row-major order.  Shape: () -> shape."""

    attrs = ("values", "shape", "dtype")
    numpy = "np.array({values}, {dtype}).reshape({shape})"
    jax = "jnp.array({values}, {dtype}).reshape({shape})"
    samples = ([(1.5, 2.0, -0.0, 4.0), (2, 2), F64], [(True,), (), BOOL], [(), (0, 3), F32], [(1, 2), (2,), I64])

    @staticmethod
    def infer(values: tuple[Any, ...], shape: Shape, dtype: NumpyDType) -> Type:
        """The given shape and dtype."""
        return Type(shape, dtype)


class Arange(Constant):
    """start + step * i for i < count, rounded once.  Shape: () -> (count,)."""

    attrs = ("start", "step", "count", "dtype")
    numpy = jax = "K.arange({start}, {step}, {count}, {dtype})"
    samples = ([0, 1, 5, I64], [0.5, 0.25, 4, F64], [5, -1, 3, F32], [0, 1, 0, I64])

    @staticmethod
    def infer(start: Any, step: Any, count: int, dtype: NumpyDType) -> Type:
        """count elements of the dtype."""
        return Type((count,), dtype)


class Linspace(Constant):
    """`steps` equidistant values from start to end, both included.  Shape: () -> (steps,)."""

    attrs = ("start", "end", "steps", "dtype")
    numpy = jax = "K.linspace({start}, {end}, {steps}, {dtype})"
    samples = ([0, 1, 5, F64], [-2.5, 3.5, 4, F32], [1, 1, 1, F64], [0, 1, 0, F64])

    @staticmethod
    def infer(start: Any, end: Any, steps: int, dtype: NumpyDType) -> Type:
        """steps elements of the dtype."""
        return Type((steps,), dtype)


class Eye(Constant):
    """Ones on the diagonal, zeros elsewhere.  Shape: () -> (n, m)."""

    attrs = ("n", "m", "dtype")
    numpy, jax = "np.eye({n}, {m}, 0, {dtype})", "jnp.eye({n}, {m}, 0, {dtype})"
    samples = ([3, 3, F64], [2, 4, F32], [0, 2, I64])

    @staticmethod
    def infer(n: int, m: int, dtype: NumpyDType) -> Type:
        """n rows, m columns."""
        return Type((n, m), dtype)
