"""Random operators (Random): pure functions of a key, an int64 vector (seed, counter).  Who draws the key is the business of eager/creation.py.

The bits come from Philox4x32-10 (Salmon et al. 2011) with the key's words as counter and key, so they are the same in every backend; see kernels/random.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.dtypes import F32, F64, I64, NumpyDType
from tracegrad.errors import DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Elementwise
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Shape, Type, broadcast


class Random(Op, family=True):
    """Random numbers of a shape from a key of the type i64[2].  The result has no derivative."""

    inputs, nondiff, nondiff_outputs = ("key",), ("key",), ("out",)
    function, method, quiet = False, False, True

    @classmethod
    def batch(cls, F: Ops, size: int, batched: Any, key: Value, *attrs: Any) -> Value:
        """Numbers of its own for every example's key."""
        draw, given = getattr(F, cls.name), dict(zip(cls.attrs, attrs, strict=True))
        return F.stack(*(draw(F.select(key, dim=0, index=i), **given) for i in range(size)), dim=0)


def _check_key(operation: str, key: Type) -> None:
    if key != Type((2,), I64):
        raise ShapeError(explain(operation, "a key is an int64 vector of two elements", key=key))


def _floating(operation: str, dtype: NumpyDType) -> None:
    if np.dtype(dtype).kind not in "fV":
        raise NotSupportedError(explain(operation, f"random numbers of this kind are floating-point, not {dtype}"))


class RandomUniform(Random):
    """Uniform numbers in [0, 1): multiples of 2**-24 (float64: 2**-53).  Shape: (2,) -> shape."""

    attrs = ("shape", "dtype")
    numpy = jax = "K.random_uniform({key}, {shape}, {dtype})"
    samples = ([I(2, below=1000), (2, 3), F64], [I(2, below=1000), (), F32], [I(2, below=1000), (0, 3), F64])

    @staticmethod
    def infer(key: Type, shape: Shape, dtype: NumpyDType) -> Type:
        """The given shape and dtype."""
        _check_key("random_uniform", key)
        _floating("rand", dtype)
        return Type(shape, dtype)


class RandomNormal(Random):
    """Numbers of the standard normal distribution, by Box and Muller's formula.  Shape: (2,) -> shape."""

    attrs = ("shape", "dtype")
    numpy = jax = "K.random_normal({key}, {shape}, {dtype})"
    samples = ([I(2, below=1000), (2, 3), F64], [I(2, below=1000), (), F32], [I(2, below=1000), (0, 3), F64])

    @staticmethod
    def infer(key: Type, shape: Shape, dtype: NumpyDType) -> Type:
        """The given shape and dtype."""
        _check_key("random_normal", key)
        _floating("randn", dtype)
        return Type(shape, dtype)


class RandomIntegers(Random):
    """Integers in [low, high), from 64 bits each.  Shape: (2,) -> shape."""

    attrs = ("low", "high", "shape", "dtype")
    numpy = jax = "K.random_integers({key}, {low}, {high}, {shape}, {dtype})"
    samples = (
        [I(2, below=1000), 0, 10, (2, 3), I64],
        [I(2, below=1000), -5, 5, (), F32],
        [I(2, below=1000), 0, 1, (0,), I64],
    )

    @staticmethod
    def infer(key: Type, low: int, high: int, shape: Shape, dtype: NumpyDType) -> Type:
        """The given shape and dtype."""
        _check_key("random_integers", key)
        if low >= high:
            raise DTypeError(
                explain("randint", f"expects 'from' to be less than 'to', but got from={low} >= to={high}")
            )
        return Type(shape, dtype)


class RandomPermutation(Random):
    """The positions 0 ... n-1 in random order.  Shape: (2,) -> (n,)."""

    attrs = ("n", "dtype")
    numpy = jax = "K.random_permutation({key}, {n}, {dtype})"
    samples = ([I(2, below=1000), 5, I64], [I(2, below=1000), 0, I64])

    @staticmethod
    def infer(key: Type, n: int, dtype: NumpyDType) -> Type:
        """n positions."""
        _check_key("random_permutation", key)
        return Type((n,), dtype)


class Counts(Elementwise, family=True):
    """Counts of a distribution with parameters of every element, from uniform numbers u.  No derivative."""

    nondiff_outputs, function, method, quiet, promotion, real_only = ("out",), False, False, True, "", True

    @classmethod
    def infer(cls, u: Type, *parameters: Type) -> Type:
        """The common shape, the dtype of the parameters."""
        return Type(broadcast(cls.name, u.shape, *(p.shape for p in parameters)), parameters[0].dtype)

    @classmethod
    def batch(cls, F: Ops, size: int, batched: Any, *operands: Value) -> Value:
        """Element by element."""
        return getattr(F, cls.name)(*F.lift(size, batched, *operands))


class PoissonCounts(Counts):
    """The smallest counts whose cumulative Poisson probability exceeds u; nan for negative rates.  Shapes: (*a), (*b) -> their common shape."""

    inputs, nondiff = ("u", "rate"), ("u", "rate")
    numpy = jax = "K.poisson_counts({u}, {rate})"
    samples = ([A(2, 3, lo=0, hi=0.99), A(2, 3, lo=0.1, hi=40)], [A(lo=0, hi=0.99), A(3, lo=0, hi=2)])


class BinomialCounts(Counts):
    """The smallest counts whose cumulative binomial probability exceeds u; nan for wrong parameters.  Shapes: (*a), (*b), (*c) -> their common shape."""

    inputs, nondiff = ("u", "count", "prob"), ("u", "count", "prob")
    numpy = jax = "K.binomial_counts({u}, {count}, {prob})"
    samples = ([A(2, 3, lo=0, hi=0.99), A(2, 3, lo=0, hi=50), A(2, 3, lo=0, hi=1)],)


class Parameter(Counts):
    """x, parameters of a distribution, where all elements of fits are true.  Shapes: (*a), (*a) -> (*a).  Raises RuntimeError with the text `problem` otherwise."""

    name = "distribution_parameter"
    inputs, nondiff, attrs = ("x", "fits"), ("x", "fits"), ("problem",)
    numpy = jax = "K.distribution_parameter({x}, {fits}, {problem})"
    samples = ([A(2, 3, lo=0, hi=1), I(2, 3, below=2, lowest=1), "test: wrong parameters"],)

    @classmethod
    def infer(cls, x: Type, fits: Type, problem: str) -> Type:
        """The type of x."""
        return Type(broadcast(cls.name, x.shape, fits.shape), x.dtype)

    @classmethod
    def batch(cls, F: Ops, size: int, batched: Any, x: Value, fits: Value, problem: str) -> Value:
        """For all examples at once."""
        return F.distribution_parameter(*F.lift(size, batched, x, fits), problem=problem)
