"""Special functions of two values: x log y, zeta and the incomplete gamma functions; and the multivariate gamma function."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.errors import DifferentiationError, DTypeError, NotSupportedError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.node import Node
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ops.checks import is_number, whole
from tracegrad.ops.special_functions import OfNamespace, Special


def _unless_nothing(F: Ops, slope: Value, x: Any, y: Value) -> Value:
    """The slope g * x / y, but 0 where x and y are 0: there 0 * log(y) is chosen to be 0 whatever y is."""
    if is_number(x):
        return F.where(F.eq(y, 0), 0.0, slope) if x == 0 else slope
    return F.where(F.logical_and(F.eq(x, 0), F.eq(y, 0)), 0.0, slope)


def _slope_of_factor(F: Ops, slope: Value, x: Value, y: Any, pole: int) -> Value:
    """The slope by x of x * log(y - pole), but 0 where x is 0 and y not above the pole."""
    nothing = F.eq(x, 0)
    if is_number(y):
        return slope if y > pole else F.where(nothing, 0.0, slope)
    return F.where(F.logical_and(nothing, F.le(y, pole)), 0.0, slope)


def _numbered(name: str, node: Node) -> str:
    """torch's name of a step, which says which operand is a number."""
    return f"{name}{1 if is_number(node.inputs[0]) else 2 if is_number(node.inputs[1]) else 0}"


class Xlogy(Special):
    """x * log(y); 0 where x is 0, unless y is nan.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    inputs, pole, tensor_first = ("x", "y"), "y = 0", False
    numbers = ("input",)
    numpy = jax = "K.xlogy({x}, {y})"
    samples = (
        [A(2, 3), A(3, lo=0.3)],
        [A(2, 1), A(1, 3, lo=0.3)],
        [A(), A(lo=0.3)],
        [A(0, 3), A(3, lo=0.3)],
        [A(3, lo=0.2), 2.5],
        [1.5, A(3, lo=0.3)],
    )

    @staticmethod
    def torch_name(node: Node) -> str:
        return _numbered("XlogyBackward", node)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Any) -> Value:
        return _slope_of_factor(F, F.xlogy(g, y), x, y, 0)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Any, y: Value) -> Value:
        return _unless_nothing(F, F.div(F.mul(g, x), y), x, y)


class SpecialXlog1py(OfNamespace):
    """x * log(1 + y); 0 where x is 0, unless y is nan.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    name, inputs, pole, tensor_first = "special_xlog1py", ("x", "y"), "y = -1", False
    numbers = ("input",)
    numpy = jax = "K.special('xlog1py', {x}, {y})"
    samples = ([A(2, 3), A(3, lo=-0.5)], [A(), A(lo=-0.5)], [A(0, 3), A(3)], [A(3, lo=0.2), 2.5], [1.5, A(3, lo=-0.5)])

    @staticmethod
    def torch_name(node: Node) -> str:
        return _numbered("SpecialXlog1PyBackward", node)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Any) -> Value:
        return _slope_of_factor(F, F.special_xlog1py(g, y), x, y, -1)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Any, y: Value) -> Value:
        shifted = F.add(y, 1.0)
        return _unless_nothing(F, F.div(F.mul(g, x), shifted), x, shifted)


def _refuse(operation: str, operand: str) -> None:
    raise DifferentiationError(explain(operation, f"the derivative for {operand!r} is not implemented"))


class SpecialZeta(OfNamespace):
    """Hurwitz's zeta: the sum of (k + q)**-x over k >= 0.  Shapes: (*a), (*b) -> broadcast(a, b).  No derivative by x."""

    inputs, tensor_first, pole = ("x", "q"), False, "x = 1"
    numbers = ("input",)
    samples = ([A(3, lo=1.5, hi=4), A(2, 3, lo=0.5)], [2.0, A(3, lo=0.5)], [A(3, lo=1.5, hi=4), 1.0])
    numpy = jax = "K.special('zeta', {x}, {q})"

    @staticmethod
    def torch_name(node: Node) -> str:
        return _numbered("SpecialZetaBackward", node)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Any:
        return _refuse("special.zeta", "self")

    @staticmethod
    def grad_q(F: Ops, g: Value, x: Any, q: Value) -> Value:
        more = x + 1 if is_number(x) else F.add(x, 1.0)
        return F.mul(g, F.neg(F.mul(F.special_zeta(more, q), x)))


def _of_floats(F: Ops, operation: str, a: Any, x: Any) -> Value:
    if not (F.is_floating(a) or F.is_floating(x)):
        raise NotSupportedError(explain(operation, "not implemented for integers and bools", input=F.type(a)))
    return getattr(F, operation)(a, x)


class Igamma(Special):
    """The regularised lower incomplete gamma function P(a, x).  Shapes: (*a), (*b) -> broadcast(a, b).  No derivative by a."""

    inputs, torch_name = ("a", "x"), "IgammaBackward0"
    tensors = ("other",)
    samples = ([A(3, lo=0.5, hi=3), A(2, 3, lo=0.5)], [A(lo=0.5, hi=3), A(lo=0.5)])
    numpy = jax = "K.special('gammainc', {a}, {x})"

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """P(input, other).  Raises NotImplementedError for integers."""
        return _of_floats(F, "igamma", input, other)

    @staticmethod
    def grad_a(F: Ops, g: Value) -> Any:
        return _refuse("igamma", "self")

    @staticmethod
    def grad_x(F: Ops, g: Value, a: Value, x: Value) -> Value:
        return F.mul(g, F.gamma_density(a, x))


class Igammac(Igamma):
    """The regularised upper incomplete gamma function Q(a, x).  Shapes: (*a), (*b) -> broadcast(a, b).  No derivative by a."""

    torch_name = "IgammacBackward0"
    numpy = jax = "K.special('gammaincc', {a}, {x})"

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """Q(input, other).  Raises NotImplementedError for integers."""
        return _of_floats(F, "igammac", input, other)

    @staticmethod
    def grad_x(F: Ops, g: Value, a: Value, x: Value) -> Value:
        return F.neg(Igamma.grad_x(F, g, a, x))


class Mvlgamma(Composite):
    """The logarithm of the multivariate gamma function of dimension p.  Shape: (*a) -> (*a)."""

    inplace = True
    samples = ([A(3, lo=2, hi=4), 2],)

    @staticmethod
    def call(F: Ops, input: Any, p: int) -> Value:  # noqa: A002
        """log(pi) p (p - 1) / 4 + sum of lgamma(input - i / 2) for i < p.  Raises RuntimeError for p < 1."""
        if whole("mvlgamma", "p", p) < 1:
            raise DTypeError(explain("mvlgamma", "p has to be greater than or equal to 1", p=p))
        total = F.lgamma(input)
        for i in range(1, p):
            total = F.add(total, F.lgamma(F.sub(input, i / 2)))
        return F.named(F.add(total, p * (p - 1) / 4 * math.log(math.pi)), called="MvlgammaBackward0")
