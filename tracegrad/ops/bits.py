"""Elements by their sign, parts and neighbours: copysign, frexp, fmax, gcd and tests of one or two values; sums of exponentials of two."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tracegrad import dtypes
from tracegrad.errors import DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Comparison, Composite, Elementwise
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Type
from tracegrad.ops.checks import is_number, not_for
from tracegrad.ops.results import named_result

_PAIRS = ([A(2, 3), A(3)], [A(2, 1), A(1, 3)], [A(), A(4)], [A(0, 3), A(3)])
_WHOLE_PAIRS = ([I(2, 3, below=20), I(3, below=20)], [I(below=9), I(below=9)])
_INT32 = np.dtype(np.int32)


class _Pair(Elementwise, family=True):
    """A function of two tensors: numbers are refused with TypeError."""

    inputs: ClassVar[tuple[str, ...]] = ("x", "y")
    real_only: ClassVar[bool | type[Exception]] = True
    tensor_first: ClassVar[bool] = True
    tensors: ClassVar[tuple[str, ...]] = ("other",)


class Fmax(_Pair):
    """The larger of x and y, the other one where one is nan.  Shapes: (*a), (*b) -> broadcast(a, b).  Ties: the derivative goes to x."""

    masks, quiet, samples = "selects", True, _PAIRS
    real_only = DTypeError  # torch's class for these
    numpy, jax = "np.fmax({x}, {y})", "jnp.fmax({x}, {y})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.logical_or(F.ge(x, y), F.isnan(y)), g, 0.0)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.logical_or(F.ge(x, y), F.isnan(y)), 0.0, g)


class Fmin(_Pair):
    """The smaller of x and y, the other one where one is nan.  Shapes: (*a), (*b) -> broadcast(a, b).  Ties: the derivative goes to x."""

    masks, quiet, samples = "selects", True, _PAIRS
    real_only = DTypeError  # torch's class for these
    numpy, jax = "np.fmin({x}, {y})", "jnp.fmin({x}, {y})"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.logical_or(F.le(x, y), F.isnan(y)), g, 0.0)

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.logical_or(F.le(x, y), F.isnan(y)), 0.0, g)


class Copysign(_Pair):
    """|x| with the sign of y.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers give the default float dtype.  The derivative by y is 0."""

    tensors = ()
    promotion, quiet, inplace = "float", True, True
    numpy, jax = "np.copysign({x}, {y})", "jnp.copysign({x}, {y})"
    samples = (*_PAIRS, [A(3), -1.0])

    @staticmethod
    def torch_name(node: Node) -> str:
        return "CopysignBackward1" if is_number(node.inputs[1]) else "CopysignBackward0"

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, out: Value) -> Value:
        return F.mul(g, F.mul(F.sign(x), F.sign(out)))

    @staticmethod
    def grad_y(F: Ops, g: Value, y_type: Type) -> Value:
        return F.zeros(F.type(g))


def _part(F: Ops, x: Value, y: Value, scale: float) -> Value:
    """The part of exp(scale x) in the sum with exp(scale y); 0 where both are -inf."""
    apart = F.sub(x, y)
    if F.is_complex(x):  # no exponential is larger than 1
        ahead = F.ge(F.real(apart), 0)
        less = F.exp(F.where(ahead, F.neg(apart), apart))
        return F.div(F.where(ahead, F.ones(F.type(less)), less), F.add(less, 1.0))
    part: Value = F.sigmoid(apart if scale == 1 else F.mul(apart, scale))
    return F.where(F.logical_and(F.eq(x, -math.inf), F.eq(y, -math.inf)), 0.0, part)


class Logaddexp(_Pair):
    """log(exp(x) + exp(y)), without overflow.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    samples = (*_PAIRS, [A(3, lo=-900.0, hi=900.0), A(3, lo=-900.0, hi=900.0)])
    commutative, real_only = True, False
    numpy = jax = "K.logaddexp({x}, {y})"

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """The logarithm of the sum of exponentials of two tensors.  Raises NotImplementedError for integers."""
        if not (F.is_floating(input) or F.is_floating(other)):
            raise NotSupportedError(explain("logaddexp", "not implemented for integers and bools", input=F.type(input)))
        return F.logaddexp(input, other)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.mul(g, _part(F, x, y, 1.0))

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.mul(g, _part(F, y, x, 1.0))


class Logaddexp2(_Pair):
    """log2(2**x + 2**y), without overflow.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    name, torch_name, samples, commutative = "logaddexp2", "Logaddexp2Backward0", _PAIRS, True
    numpy, jax = "np.logaddexp2({x}, {y})", "jnp.logaddexp2({x}, {y})"

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """The binary logarithm of the sum of powers of 2 of two tensors.  Raises NotImplementedError for integers."""
        if not (F.is_floating(input) or F.is_floating(other)):
            raise NotSupportedError(
                explain("logaddexp2", "not implemented for integers and bools", input=F.type(input))
            )
        return F.logaddexp2(input, other)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.mul(g, _part(F, x, y, math.log(2)))

    @staticmethod
    def grad_y(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.mul(g, _part(F, y, x, math.log(2)))


class _Whole(_Pair, family=True):
    """A function of two tensors without derivative."""

    nondiff_outputs: ClassVar[tuple[str, ...]] = ("out",)
    inplace: ClassVar[bool] = True

    @classmethod
    def checked(cls, F: Any, x: Any, y: Any, kinds: str) -> Any:
        """The operator on two tensors.  Raises NotImplementedError for dtypes of these kinds."""
        pair = (F.type(x), F.type(y))
        if pair[0].dtype is pair[1].dtype and pair[0].dtype.kind not in f"V{kinds}":
            return getattr(F, cls.name)(x, y)
        groups = [[t.dtype for t in pair if bool(t.shape) is wanted] for wanted in (True, False)]
        not_for(f"{cls.name}_cpu", Type((), dtypes.result_dtype(groups[0], groups[1], [])), kinds)
        return getattr(F, cls.name)(x, y)


class Gcd(_Whole):
    """The greatest common divisor.  Shapes: (*a), (*b) -> broadcast(a, b), integers."""

    numpy, jax, samples = "np.gcd({x}, {y})", "jnp.gcd({x}, {y})", _WHOLE_PAIRS

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """gcd of two integer tensors."""
        return Gcd.checked(F, input, other, "bfc")


class Lcm(_Whole):
    """The least common multiple.  Shapes: (*a), (*b) -> broadcast(a, b), integers."""

    numpy, jax, samples = "np.lcm({x}, {y})", "jnp.lcm({x}, {y})", _WHOLE_PAIRS

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """lcm of two integer tensors."""
        return Lcm.checked(F, input, other, "bfc")


class Nextafter(_Whole):
    """The floating-point number after x in the direction of y.  Shapes: (*a), (*b) -> broadcast(a, b).  Derivatives 1 and 0; both 0 where x = y."""

    stored = True
    nondiff_outputs, masks = (), "selects"
    numpy, jax, samples = "np.nextafter({x}, {y})", "jnp.nextafter({x}, {y})", _PAIRS

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """The neighbour of input toward other."""
        return Nextafter.checked(F, input, other, "biu")

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, y: Value) -> Value:
        return F.where(F.eq(x, y), 0.0, g)

    @staticmethod
    def grad_y(F: Ops, g: Value) -> Value:
        return F.zeros(F.type(g))


class Heaviside(_Whole):
    """0 where x < 0, y where x = 0, 1 where x > 0.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    tensors = ()
    samples, quiet = _PAIRS, True
    numpy, jax = (
        "np.where(np.equal({x}, 0), {y}, np.greater({x}, 0)).astype(np.result_type({x}, {y}))",
        "jnp.where(jnp.equal({x}, 0), {y}, jnp.greater({x}, 0)).astype(jnp.result_type({x}, {y}))",
    )

    @staticmethod
    def call(F: Ops, input: Any, values: Any) -> Value:  # noqa: A002
        """The step function with `values` at the step.  Raises RuntimeError for different dtypes."""
        own, other = F.type(input).dtype, F.type(values).dtype
        if own.kind == "c" or other.kind == "c":
            raise DTypeError(explain("heaviside", "is not yet implemented for complex tensors."))
        if own != other:
            problem = "is not yet implemented for tensors with different dtypes."
            raise DTypeError(explain("heaviside", problem, input=own, values=other))
        return F.heaviside(input, values)


class Frac(Elementwise):
    """x without its whole part, with the sign of x.  Shape: (*a) -> (*a)."""

    real_only, inplace = True, True
    numpy, jax, samples = (
        "np.subtract({x}, np.trunc({x}))",
        "jnp.subtract({x}, jnp.trunc({x}))",
        ([A(2, 3)], [A()], [A(0, 4)]),
    )

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """The fractional part.  Raises NotImplementedError for integers and bools."""
        not_for("frac_cpu", F.type(input), "biu")
        return F.frac(input)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g


class FrexpParts(Op):
    """x as mantissa * 2**exponent with a mantissa in [0.5, 1).  Shape: (*a) -> twice (*a)."""

    outputs, nondiff_outputs, function, method, real_only = ("mantissa", "exponent"), ("exponent",), False, False, True
    torch_name, quiet = "FrexpBackward0", True
    numpy = jax = "K.frexp({x})"
    samples = ([A(2, 3)], [A()], [A(0, 4)])

    @staticmethod
    def infer(x: Type) -> tuple[Type, Type]:
        """x's type, and int32."""
        return x, Type(x.shape, _INT32)

    @staticmethod
    def grad_x(F: Ops, g_mantissa: Value, exponent: Value, x_type: Type) -> Value:
        return F.div(g_mantissa, F.exp2(F.cast(exponent, dtype=x_type.dtype)))

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value) -> Any:
        return F.frexp_parts(x)


class Frexp(Composite):
    """Mantissas in [0.5, 1) and exponents of 2.  Shape: (*a) -> twice (*a)."""

    samples = ([A(2, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Any:  # noqa: A002
        """(mantissa, exponent).  Raises RuntimeError for integers."""
        if F.type(input).dtype.kind not in "fV":
            raise DTypeError(explain("frexp", "torch.frexp() only supports floating-point dtypes", input=F.type(input)))
        return named_result("frexp", ("mantissa", "exponent"), F.frexp_parts(input))


class Ldexp(Composite):
    """x * 2**other.  Shapes: (*a), (*b) -> broadcast(a, b).  Integers give the default float dtype."""

    inplace = True
    tensors = ("other",)
    samples = ([A(2, 3), A(3)],)

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """input times the other-th power of 2."""
        if F.is_floating(other):
            return F.named(F.mul(input, F.exp2(other)), called="LdexpBackward0")
        made, own = F.mul(input, F.exp2(F.as_dtype(other, dtypes.default.float))), F.type(input).dtype
        made = F.as_dtype(made, own) if own.itemsize == 2 and dtypes.is_half(own) else made
        return F.named(made, called="LdexpBackward0")


class FloatPower(Composite):
    """x ** y in float64 (complex128 where one is complex).  Shapes: (*a), (*b) -> broadcast(a, b)."""

    inplace = True
    numbers = ("input",)
    samples = ([A(2, 3, lo=0.5), 2.0],)

    @staticmethod
    def call(F: Ops, input: Any, exponent: Any) -> Value:  # noqa: A002
        """input to the power of exponent, in double precision."""
        both = [v.item() if isinstance(v, np.generic) else v for v in (input, exponent)]
        wanted = np.dtype(np.complex128) if any(F.type(v).dtype.kind == "c" for v in both) else dtypes.F64
        return F.pow(*(v if is_number(v) else F.as_dtype(v, wanted) for v in both))


class Signbit(Comparison):
    """Whether the sign is minus, also of -0.0.  Shape: (*a) -> (*a), bool."""

    stored = False
    real_only = True
    numpy, jax = "K.signbit({x})", "K.signbit({x})"
    samples = ([A(2, 3)], [A()], [A(0, 3)])


def _real(F: Ops, operation: str, x: Any) -> Value:
    if F.type(x).dtype.kind == "c":
        raise DTypeError(explain(operation, "does not support complex inputs.", input=F.type(x)))
    return getattr(F, operation)(x)


class Isneginf(Comparison):
    """Whether each element is -inf.  Shape: (*a) -> (*a), bool."""

    real_only = DTypeError
    numpy, jax = "np.equal({x}, -np.inf)", "jnp.equal({x}, -jnp.inf)"
    samples = ([A(2, 3)], [A()], [A(0, 3)])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """Where input is -inf.  Raises RuntimeError for complex numbers."""
        return _real(F, "isneginf", input)


class Isposinf(Comparison):
    """Whether each element is inf.  Shape: (*a) -> (*a), bool."""

    real_only = DTypeError
    numpy, jax = "np.equal({x}, np.inf)", "jnp.equal({x}, jnp.inf)"
    samples = ([A(2, 3)], [A()], [A(0, 3)])

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """Where input is inf.  Raises RuntimeError for complex numbers."""
        return _real(F, "isposinf", input)


class Isclose(Composite):
    """Whether |x - y| <= atol + rtol * |y|.  Shapes: (*a), (*b) -> broadcast(a, b), bool."""

    tensors = ("other",)
    samples = ([A(2, 3), A(3)],)

    @staticmethod
    def call(
        F: Ops, input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
    ) -> Value:  # noqa: A002
        """Elementwise closeness; nan are close to each other only with equal_nan.  Raises RuntimeError for different dtypes."""
        a, b = F.type(input), F.type(other)
        if a.dtype != b.dtype:
            raise DTypeError(explain("isclose", "operands of one dtype are needed", input=a, other=b))
        for name, value in (("rtol", rtol), ("atol", atol)):
            if not value >= 0:
                raise ShapeError(explain("isclose", f"{name} must be greater than or equal to zero, but got {value}"))
        close = F.eq(input, other)
        if equal_nan and a.dtype.kind in "fcV":
            close = F.logical_or(close, F.logical_and(F.isnan(input), F.isnan(other)))
        if a.dtype.kind == "b" or (rtol == 0 and atol == 0):
            return close
        x, y = (v if F.is_floating(v) else F.as_dtype(v, dtypes.F64) for v in (input, other))
        apart = F.abs(F.sub(x, y))
        within = F.le(apart, F.add(F.mul(F.abs(y), float(rtol)), float(atol)))
        return F.logical_or(close, F.logical_and(within, F.isfinite(apart)))
