"""Sums, products, quotients and powers of elements."""

from __future__ import annotations

import cmath
import math
from typing import Any, ClassVar

from tracegrad.dtypes import BOOL, HALF_CHARACTERS, NumpyDType
from tracegrad.errors import DTypeError, explain
from tracegrad.ir.families import Composite, Elementwise
from tracegrad.ir.half import held, wide
from tracegrad.ir.node import Node
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import is_number, not_for


def scaled(F: Ops, operation: str, d: NumpyDType, other_d: NumpyDType, other: Any, alpha: Any) -> Any:
    """alpha * other beside a value of dtype d, for add, sub and rsub.  Raises RuntimeError for a float between integers and for a bool that is not between bools."""
    kinds = d.kind + other_d.kind
    if isinstance(alpha, bool) and kinds != "bb":
        raise DTypeError(explain(operation, "Boolean alpha only supported for Boolean results.", alpha=alpha))
    if isinstance(alpha, float) and not set(kinds) & set("fcV"):
        raise DTypeError(
            explain(
                operation, "For integral input tensors, argument alpha must not be a floating point number", alpha=alpha
            )
        )
    if isinstance(alpha, complex) and not (set(kinds) & {"c"}):
        problem = "For non-complex input tensors, argument alpha must not be a complex number."
        raise DTypeError(explain(operation, problem, alpha=alpha))
    if isinstance(alpha, float) and other_d.kind in "biu" and not is_number(other):
        other = F.as_dtype(other, d)  # the product has the floating operand's dtype, not the default
    if operation != "add":
        Sub.check_operands(Type((), d), Type((), other_d))
    elif kinds == "bb":
        alpha = bool(alpha)
    return other * alpha if is_number(other) else F.mul(other, alpha)


def with_factor(F: Ops, operation: str, x: Any, other: Any, alpha: Any) -> Value:
    """x + alpha * other (operation "sub": x - alpha * other); of half precision with one rounding."""
    d, other_d = F.type(x).dtype, F.type(other).dtype
    value = scaled(F, operation, d, other_d, other, alpha)
    if d.char not in HALF_CHARACTERS or is_number(other) or other_d != d:
        return getattr(F, operation)(x, value)
    made = getattr(F, operation)(wide(F, x), F.mul(wide(F, other), held(alpha, d)))
    return F.promote(made, dtype=d)


class Add(Elementwise):
    """x + y; of bools their disjunction.  Shapes: (*a), (*b) -> broadcast(a, b).  Saves nothing for the backward."""

    inputs, linear, commutative, inplace = ("x", "y"), ("x", "y"), True, True
    numbers = ("input",)
    numpy, jax, onnx = "np.add({x}, {y})", "jnp.add({x}, {y})", "Add"
    samples = ([A(2, 3), A(2, 3)], [A(2, 1), A(3)], [A(), A(4)], [A(0, 3), A(3)], [A(2, 3), 2.5])

    @staticmethod
    def call(F: Ops, input: Any, other: Any, *, alpha: Any = 1) -> Value:  # noqa: A002
        """input + alpha * other."""
        return F.add(input, other) if alpha == 1 and type(alpha) is int else with_factor(F, "add", input, other, alpha)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return g


class Sub(Elementwise):
    """x - y.  Shapes: (*a), (*b) -> broadcast(a, b).  Saves nothing for the backward.  Refuses bools."""

    inputs, linear, inplace, aliases = ("x", "y"), ("x", "y"), True, ("subtract",)
    numbers = ("input",)
    numpy, jax, onnx = "np.subtract({x}, {y})", "jnp.subtract({x}, {y})", "Sub"
    samples = ([A(2, 3), A(2, 3)], [A(2, 1), A(3)], [A(), A(4)], [A(0, 3), A(3)], [A(2, 3), 2.5], [1.5, A(3)])

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, common dtype; RuntimeError for bools."""
        cls.check_operands(*types)
        return super().infer(*types)

    @classmethod
    def check_operands(cls, *operands: Any) -> None:
        """RuntimeError if one of the operands is bool."""
        if BOOL in [v.dtype for v in operands]:
            remedy = "Use ^ or logical_xor() between masks, ~ or logical_not() for the opposite of one"
            raise DTypeError(
                explain(cls.name, "Subtraction, the `-` operator, with a bool tensor is not supported", remedy)
            )

    @staticmethod
    def call(F: Ops, input: Any, other: Any, *, alpha: Any = 1) -> Value:  # noqa: A002
        """input - alpha * other."""
        return F.sub(input, other) if alpha == 1 and type(alpha) is int else with_factor(F, "sub", input, other, alpha)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return F.neg(g)


class Rsub(Sub):
    """y - x: what `1 - x` records.  Shapes: (*a), (*b) -> broadcast(a, b).  Saves nothing for the backward.  Refuses bools."""

    method, inplace, aliases = False, False, ()
    numbers = ()
    numpy, jax, onnx = "np.subtract({y}, {x})", "jnp.subtract({y}, {x})", ""
    samples: ClassVar[Any] = ([A(2, 3), A(2, 3)], [A(2, 1), A(3)], [A(4), 1.0])

    @staticmethod
    def torch_name(node: Node) -> str:
        return "RsubBackward1" if is_number(node.inputs[1]) else "RsubBackward0"

    @staticmethod
    def call(F: Ops, input: Any, other: Any, *, alpha: Any = 1) -> Value:  # noqa: A002
        """other - alpha * input."""
        return F.rsub(
            input
            if alpha == 1 and type(alpha) is int
            else scaled(F, "rsub", F.type(other).dtype, F.type(input).dtype, input, alpha),
            other,
        )

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.neg(g)

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return g


class Mul(Elementwise):
    """x * y; of bools their conjunction.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    inputs, linear, multilinear, commutative, inplace = ("x", "y"), ("x", "y"), True, True, True
    numbers = ("input",)
    aliases = ("multiply",)
    numpy, jax, onnx = "np.multiply({x}, {y})", "jnp.multiply({x}, {y})", "Mul"
    samples = ([A(2, 3), A(3)], [A(2, 1), A(1, 3)], [A(), A()], [A(0, 3), A(3)], [A(2, 3), 2.5])

    @staticmethod
    def grad_x(F: Ops, g: Value, y: Value) -> Value:
        return F.mul(g, y)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, x)


class Div(Elementwise):
    """x / y.  Shapes: (*a), (*b) -> broadcast(a, b).  Division by zero gives inf or nan; integers give the default float dtype."""

    inputs, promotion, pole, inplace = ("x", "y"), "float", "y == 0", True
    numbers = ("input",)
    aliases = ("divide", "true_divide")
    numpy, jax, onnx = "np.divide({x}, {y})", "jnp.divide({x}, {y})", "Div"
    samples = (
        [A(2, 3), A(3, lo=0.5)],
        [A(2, 1), A(1, 3, lo=0.5)],
        [A(), A(lo=0.5)],
        [A(0, 3), A(3, lo=0.5)],
        [A(2, 3), 2.5],
        [1.5, A(3, lo=0.5)],
    )

    @staticmethod
    def call(F: Ops, input: Any, other: Any, *, rounding_mode: str | None = None) -> Value:  # noqa: A002
        """input / other; rounded toward zero or downward (integers stay integers) if rounding_mode is "trunc" or "floor"."""
        if rounding_mode is None:
            return F.div(input, other)
        if rounding_mode == "floor":
            return F.div_floor(input, other)
        if rounding_mode == "trunc":
            return F.div_trunc(input, other)
        raise DTypeError(
            explain("div", f"expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}")
        )

    @staticmethod
    def grad_x(F: Ops, g: Value, y: Value) -> Value:
        return F.div(g, y)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.neg(F.mul(g, F.div(F.div(x, y), y)))  # x / y again: the result may be overwritten, as in torch


class Neg(Elementwise):
    """-x.  Shape: (*a) -> (*a).  Refuses bools."""

    linear, involution, quiet, inplace, aliases = ("x",), True, True, True, ("negative",)
    numpy, jax, onnx = "np.negative({x})", "jnp.negative({x})", "Neg"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """x's type; RuntimeError for bools."""
        if types[0].dtype == BOOL:
            raise DTypeError(
                explain(
                    "neg",
                    "Negation, the `-` operator, on a bool tensor is not supported",
                    "Use the ~ operator or logical_not()",
                )
            )
        return super().infer(*types)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return F.neg(g)


class Positive(Composite):
    """x itself, what `+x` gives.  Shape: (*a) -> (*a).  Refuses bools."""

    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Any:  # noqa: A002
        """input itself.  Raises RuntimeError for bools."""
        if F.type(input).dtype == BOOL:
            raise DTypeError(explain("positive", "The `+` operator, on a bool tensor is not supported"))
        return input


class Pow(Elementwise):
    """x ** y.  Shapes: (*a), (*b) -> broadcast(a, b).

    Integers to a negative integer number raise RuntimeError.  The derivative by x is 0 where y is 0, and the one by y is 0 where x is 0 and y >= 0.
    """

    inputs, pole, public, inplace = (
        ("x", "y"),
        "x == 0 with y < 1; the derivative by y at x <= 0",
        ("input", "exponent"),
        True,
    )
    numbers = ("input",)
    numpy, jax, onnx = "K.power({x}, {y})", "K.power({x}, {y})", "Pow"
    samples = (
        [A(2, 3, lo=0.5), A(3)], [A(2, 1, lo=0.5), A(1, 3)], [A(lo=0.5), A()], [A(0, 3), A(3)], [A(2, 3), 2], [A(4), 3.0], [A(4), 1], [A(4), 0],
        [A(4, lo=0.5), 0.5], [A(4, lo=0.5), -1], [A(4, lo=0.5), -2.5], [2.5, A(3)], [A(3), 5],
    )  # fmt: skip

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, common dtype; NotImplementedError for bools, unless the exponent is a Python bool."""
        result = super().infer(*types)
        if not types[1].weak:
            not_for("pow", result, "b")
        return result

    @staticmethod
    def torch_name(node: Node) -> str:
        return (
            "PowBackward0"
            if is_number(node.inputs[1])
            else "PowBackward2"
            if is_number(node.inputs[0])
            else "PowBackward1"
        )

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Any) -> Value:
        if not is_number(y):
            return F.where(F.eq(y, 0), 0.0, F.mul(g, F.mul(y, F.pow(x, F.sub(y, 1)))))
        if y == 0:
            return F.zeros(F.type(g))
        if F.followed:
            return F.mul(g, F.mul(F.pow(x, y - 1), y))
        if y == 1:
            return g
        return F.mul(g, F.mul(x if y == 2 else F.pow(x, y - 1), y))

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Any, y: Value, out: Value) -> Value:
        if not is_number(x):
            return F.where(F.logical_and(F.eq(x, 0), _is_at_least_zero(F, y)), 0.0, F.mul(g, F.mul(out, F.log(x))))
        if isinstance(x, complex) or F.type(y).dtype.kind == "c":
            slope = F.mul(g, F.mul(out, cmath.log(x) if x else -math.inf))
        else:
            slope = F.mul(g, F.mul(out, math.log(x) if x > 0 else -math.inf if x == 0 else math.nan))
        return F.where(_is_at_least_zero(F, y), 0.0, slope) if x == 0 else slope


def _is_at_least_zero(F: Ops, y: Value) -> Value:
    """Where y is a real number that is not negative."""
    if F.type(y).dtype.kind != "c":
        return F.ge(y, 0)
    return F.logical_and(F.ge(F.real(y), 0), F.eq(F.imag(y), 0))


class Square(Elementwise):
    """x * x.  Shape: (*a) -> (*a).  Bools give int64."""

    torch_name, inplace, promotion = "PowBackward0", True, "number"
    numpy, jax = "np.square({x})", "jnp.square({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.mul(g, F.mul(F.pow(x, 1) if F.followed else x, 2))


class Reciprocal(Elementwise):
    """1 / x.  Shape: (*a) -> (*a).  Integers give the default float dtype."""

    promotion, pole, involution, inplace = "float", "x == 0", True, True
    numpy, jax, onnx = "np.reciprocal({x})", "jnp.reciprocal({x})", "Reciprocal"
    samples = ([A(2, 3, lo=0.5)], [A(lo=0.5)], [A(0, 4)])

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        return F.neg(F.mul(g, F.square(out)))
