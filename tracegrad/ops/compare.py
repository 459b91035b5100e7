"""Comparisons, tests, logic of elements, and the selection by a condition."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.dtypes import BOOL, I64, from_numpy
from tracegrad.errors import DTypeError, NotSupportedError, explain
from tracegrad.ir.families import Comparison, Elementwise
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I, M
from tracegrad.ir.types import Type
from tracegrad.ops.checks import not_for
from tracegrad.ops.masks import UNKNOWN, read_mask

_PAIRS = ([A(2, 3), A(3)], [A(2, 1), A()], [A(), A()], [A(0, 3), A(3)], [A(4), 0.5])


class Eq(Comparison):
    """x == y.  Shapes: (*a), (*b) -> broadcast(a, b), bool.  nan equals nothing."""

    inputs, commutative, inplace, samples = ("x", "y"), True, True, _PAIRS
    numpy, jax, onnx = "np.equal({x}, {y})", "jnp.equal({x}, {y})", "Equal"


class Ne(Comparison):
    """x != y.  Shapes: (*a), (*b) -> broadcast(a, b), bool."""

    inputs, commutative, inplace, samples, aliases = ("x", "y"), True, True, _PAIRS, ("not_equal",)
    numpy, jax = "np.not_equal({x}, {y})", "jnp.not_equal({x}, {y})"


class Lt(Comparison):
    """x < y.  Shapes: (*a), (*b) -> broadcast(a, b), bool."""

    real_only = True
    inputs, inplace, samples, aliases = ("x", "y"), True, _PAIRS, ("less",)
    numpy, jax, onnx = "np.less({x}, {y})", "jnp.less({x}, {y})", "Less"


class Le(Comparison):
    """x <= y.  Shapes: (*a), (*b) -> broadcast(a, b), bool."""

    real_only = True
    inputs, inplace, samples, aliases = ("x", "y"), True, _PAIRS, ("less_equal",)
    numpy, jax, onnx = "np.less_equal({x}, {y})", "jnp.less_equal({x}, {y})", "LessOrEqual"


class Gt(Comparison):
    """x > y.  Shapes: (*a), (*b) -> broadcast(a, b), bool."""

    real_only = True
    inputs, inplace, samples, aliases = ("x", "y"), True, _PAIRS, ("greater",)
    numpy, jax, onnx = "np.greater({x}, {y})", "jnp.greater({x}, {y})", "Greater"


class Ge(Comparison):
    """x >= y.  Shapes: (*a), (*b) -> broadcast(a, b), bool."""

    real_only = True
    inputs, inplace, samples, aliases = ("x", "y"), True, _PAIRS, ("greater_equal",)
    numpy, jax, onnx = "np.greater_equal({x}, {y})", "jnp.greater_equal({x}, {y})", "GreaterOrEqual"


class Isfinite(Comparison):
    """Whether each element is neither infinite nor nan.  Shape: (*a) -> (*a), bool."""

    numpy, jax = "np.isfinite({x})", "jnp.isfinite({x})"
    samples = ([A(2, 3)], [A()], [A(0, 3)])


class Isnan(Comparison):
    """Whether each element is nan.  Shape: (*a) -> (*a), bool."""

    numpy, jax, onnx = "np.isnan({x})", "jnp.isnan({x})", "IsNaN"
    samples = ([A(2, 3)], [A()], [A(0, 3)])


class Isinf(Comparison):
    """Whether each element is infinite.  Shape: (*a) -> (*a), bool."""

    numpy, jax, onnx = "np.isinf({x})", "jnp.isinf({x})", "IsInf"
    samples = ([A(2, 3)], [A()], [A(0, 3)])


class LogicalNot(Comparison):
    """Whether each element is zero.  Shape: (*a) -> (*a), bool."""

    promotion, inplace = "none", True
    numpy, jax, onnx = "np.logical_not({x})", "jnp.logical_not({x})", "Not"
    samples = ([M(2, 3)], [A()], [A(0, 3)])


class LogicalAnd(Comparison):
    """Whether both elements are nonzero.  Shapes: (*a), (*b) -> broadcast(a, b), bool.  Any dtypes."""

    inputs, commutative, promotion, inplace = ("x", "y"), True, "none", True
    tensors = ("other",)
    numpy, jax, onnx = "np.logical_and({x}, {y})", "jnp.logical_and({x}, {y})", "And"
    samples = ([M(2, 3), M(3)], [A(), M(2)], [A(0, 3), M(3)])


class LogicalOr(Comparison):
    """Whether one of both elements is nonzero.  Shapes: (*a), (*b) -> broadcast(a, b), bool.  Any dtypes."""

    inputs, commutative, promotion, inplace = ("x", "y"), True, "none", True
    tensors = ("other",)
    numpy, jax, onnx = "np.logical_or({x}, {y})", "jnp.logical_or({x}, {y})", "Or"
    samples = ([M(2, 3), M(3)], [A(), M(2)], [A(0, 3), M(3)])


class LogicalXor(Comparison):
    """Whether exactly one of both elements is nonzero.  Shapes: (*a), (*b) -> broadcast(a, b), bool.  Any dtypes."""

    inputs, commutative, promotion, inplace = ("x", "y"), True, "none", True
    tensors = ("other",)
    numpy, jax, onnx = "np.logical_xor({x}, {y})", "jnp.logical_xor({x}, {y})", "Xor"
    samples = ([M(2, 3), M(3)], [A(), M(2)], [A(0, 3), M(3)])


class _Bitwise(Elementwise, family=True):
    """Logic on the bits of integers and on bools; floating-point operands are refused."""

    nondiff_outputs, quiet, inplace = ("out",), True, True

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, common dtype; NotImplementedError for floating dtypes."""
        result = super().infer(*types)
        not_for(cls.name, result, "fc")
        return result


class BitwiseAnd(_Bitwise):
    """x & y.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers and bools."""

    inputs, commutative = ("x", "y"), True
    numbers = ("input",)
    numpy, jax = "np.bitwise_and({x}, {y})", "jnp.bitwise_and({x}, {y})"
    samples = ([M(2, 3), M(3)], [I(2, 3, below=9), I(3, below=9)])


class BitwiseOr(_Bitwise):
    """x | y.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers and bools."""

    inputs, commutative = ("x", "y"), True
    numbers = ("input",)
    numpy, jax = "np.bitwise_or({x}, {y})", "jnp.bitwise_or({x}, {y})"
    samples = ([M(2, 3), M(3)], [I(2, 3, below=9), I(3, below=9)])


class BitwiseXor(_Bitwise):
    """x ^ y.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers and bools."""

    inputs, commutative = ("x", "y"), True
    numbers = ("input",)
    numpy, jax = "np.bitwise_xor({x}, {y})", "jnp.bitwise_xor({x}, {y})"
    samples = ([M(2, 3), M(3)], [I(2, 3, below=9), I(3, below=9)])


class BitwiseNot(_Bitwise):
    """~x: every bit flipped; not x for bools.  Shape: (*a) -> (*a)."""

    numpy, jax = "np.invert({x})", "jnp.invert({x})"
    samples = ([M(2, 3)], [I(2, 3, below=9)])


class _Shift(_Bitwise, family=True):
    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, common dtype; NotImplementedError for bools."""
        result = super().infer(*types)
        if result.dtype == BOOL:
            raise NotSupportedError(explain(cls.name, "not implemented for 'Bool'"))
        return result


class BitwiseLeftShift(_Shift):
    """x * 2**y, by moving bits.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers."""

    inputs = ("x", "y")
    numbers = ("input",)
    numpy, jax = "np.left_shift({x}, {y})", "jnp.left_shift({x}, {y})"
    samples = ([I(2, 3, below=9), I(3, below=9)], [I(4, below=9), 2])


class BitwiseRightShift(_Shift):
    """x divided by 2**y and rounded down, by moving bits.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers."""

    inputs = ("x", "y")
    numbers = ("input",)
    numpy, jax = "np.right_shift({x}, {y})", "jnp.right_shift({x}, {y})"
    samples = ([I(2, 3, below=900), I(3, below=9)], [I(4, below=900), 2])


class Nonzero(Op):
    """The positions of the nonzero elements of x, in row-major order.  Shape: (*a) -> (count, number of axes), int64.  Not for recorded code."""

    value_dependent, nondiff_outputs, quiet = True, ("out",), True
    numpy, jax = "np.argwhere({x})", "jnp.argwhere({x})"
    samples = ()  # the shape of its result depends on values

    @staticmethod
    def infer(x: Type) -> Type:
        """An unknown count of positions."""
        return Type((UNKNOWN, len(x.shape)), I64)

    @staticmethod
    def call(F: Ops, input: Any, *, as_tuple: bool = False) -> Any:
        """Positions as the rows of one tensor, or as a tuple of one tensor for each axis (a 0-d input counts as one axis)."""
        read_mask(input)
        if not as_tuple:
            return F.nonzero(input)
        x = input if F.shape(input) else F.reshape(input, shape=(1,))
        found = F.nonzero(x)
        return tuple(F.select(found, dim=1, index=axis) for axis in range(len(F.shape(x))))


class Where(Elementwise):
    """x where the condition c holds, y elsewhere.  Shapes: (*c), (*a), (*b) -> broadcast(c, a, b).  c is bool."""

    masks = "selects"
    inputs, promoted, nondiff, linear = ("c", "x", "y"), ("x", "y"), ("c",), ("x", "y")
    numpy, jax, onnx = "np.where({c}, {x}, {y})", "jnp.where({c}, {x}, {y})", "Where"
    quiet, method = True, False  # the method takes input first: eager/methods.py
    samples = (
        [M(2, 3), A(2, 3), A(3)],
        [M(3), A(2, 1), A()],
        [M(), A(), A()],
        [M(0, 3), A(3), A(0, 3)],
        [M(3), A(3), 0.5],
        [M(3), 0.5, A(3)],
    )

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """The broadcast shape of all three, the dtype of x and y; RuntimeError unless c is bool."""
        check_condition(types[0])
        return super().infer(*types)

    @staticmethod
    def call(F: Ops, condition: Any, input: Any = None, other: Any = None) -> Any:  # noqa: A002
        """input where condition holds, other elsewhere; with the condition alone the tuple of positions where it holds."""
        if input is None and other is None:
            return Nonzero.call(F, condition, as_tuple=True)
        kind = F.type(condition)
        if kind.dtype is U8 or kind.dtype == U8:  # torch still takes the masks of its first years
            return F.where(F.as_dtype(condition, BOOL), input, other)
        check_condition(kind)
        return F.where(condition, input, other)

    @staticmethod
    def grad_x(F: Ops, g: Value, c: Value) -> Value:
        return F.where(c, g, 0.0)

    @staticmethod
    def grad_y(F: Ops, g: Value, c: Value) -> Value:
        return F.where(c, 0.0, g)


U8 = np.dtype(np.uint8)


def check_condition(c: Type) -> None:
    """Raise RuntimeError unless c is bool."""
    if c.dtype != BOOL:
        raise DTypeError(
            explain(
                "where", f"expected condition to be a boolean tensor, but got a tensor with dtype {from_numpy(c.dtype)}"
            )
        )
