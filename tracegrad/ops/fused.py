"""A few elements' arithmetic in one operator: interpolation, and products and quotients added to a value."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import NumpyDType, finfo, from_numpy, is_half, result_dtype
from tracegrad.errors import ArgumentError, AxisError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite, Elementwise, Movement
from tracegrad.ir.half import wide
from tracegrad.ir.node import Node
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.ops.checks import as_number, is_number, not_for
from tracegrad.ops.masks import number_of
from tracegrad.ops.reduce import total


class Named(Movement):
    """x itself, as a step of the backward graph with a name of its own: the last node of a composite that torch has as one operator.  Shape: (*a) -> (*a)."""

    attrs, function, method = ("called",), False, False
    numpy, jax = "{x}", "{x}"
    samples = ([A(2, 3), "AddmmBackward0"], [A(), "PutBackward0"])

    @staticmethod
    def torch_name(called: str) -> str:
        return called

    @staticmethod
    def infer(x: Type, called: str) -> Type:
        """x's type."""
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def batch(F: Ops, size: int, batched: Any, x: Value, called: str) -> Value:
        return x

    @staticmethod
    def decompose(F: Ops, x: Value, called: str) -> Value:
        return x


class Lerp(Elementwise):
    """x + weight * (end - x), exact at both ends.  Shapes: (*a), (*b), (*c) -> broadcast(a, b, c).  x and end have one dtype."""

    inputs, inplace = ("x", "end", "weight"), True
    tensors = ("end",)
    numpy = "K.lerp({x}, {end}, {weight})"
    jax = "jnp.where(jnp.abs({weight}) < 0.5, {x} + {weight} * ({end} - {x}), {end} - ({end} - {x}) * (1 - {weight}))"
    public = ("input", "end", "weight")
    samples = ([A(2, 3), A(3), 0.25], [A(2, 3), A(3), A(2, 1, lo=0, hi=1)], [A(), A(), 0.75], [A(0, 2), A(2), A()])

    @staticmethod
    def torch_name(node: Node) -> str:
        return "LerpBackward0" if is_number(node.inputs[2]) else "LerpBackward1"

    @classmethod
    def infer(cls, *types: Type) -> Type:
        """Broadcast shape, common dtype; NotImplementedError for integers."""
        result = super().infer(*types)
        not_for("lerp", result, "biu")
        return result

    @classmethod
    def check_operands(cls, x: Any, end: Any, weight: Any) -> None:
        """RuntimeError if the ends, or a weight with axes, have different dtypes; NotImplementedError for whole numbers, unless a weight without axes has a fraction."""
        for name, other in (("end", end), ("weight", weight)):
            if x.dtype != other.dtype and (name == "end" or other.shape):
                problem = f"expected dtype {from_numpy(x.dtype)} for `{name}` but got dtype {from_numpy(other.dtype)}"
                raise DTypeError(explain("lerp", problem))
        if isinstance(weight, Type) or weight.dtype.kind in "biu":
            not_for("lerp_kernel", Type((), x.dtype), "biu")

    @staticmethod
    def grad_x(F: Ops, g: Value, weight: Value) -> Value:
        return F.mul(g, 1 - weight if isinstance(weight, (int, float, complex)) else F.rsub(weight, 1.0))

    @staticmethod
    def grad_end(F: Ops, g: Value, weight: Value) -> Value:
        return F.mul(g, weight)

    @staticmethod
    def grad_weight(F: Ops, g: Value, x: Value, end: Value) -> Value:
        return F.mul(g, F.sub(end, x))


def _real_factor(F: Ops, value: Any, *operands: Any) -> Any:
    """The factor.  Raises RuntimeError for a complex number between operands that are not."""
    if isinstance(value, complex) and not any(F.type(v).dtype.kind == "c" for v in operands):
        raise DTypeError(explain("addcmul", "value cannot be converted to type float without overflow", value=value))
    return value


class Addcmul(Elementwise):
    """x + value * a * b.  Shapes: (*a), (*b), (*c) -> broadcast(a, b, c)."""

    inputs, attrs, inplace = ("x", "a", "b"), ("value",), True
    numpy = jax = "{x} + {value} * ({a} * {b})"
    samples = ([A(2, 3), A(3), A(2, 1), 0.5], [A(), A(), A(), -2], [A(0, 2), A(2), A(), 1])

    @classmethod
    def infer(cls, *given: Any) -> Type:
        """Broadcast shape, common dtype; RuntimeError for a fraction between integers."""
        result = super().infer(*given[:3])
        if isinstance(given[3], float) and result.dtype.kind in "biu":
            raise DTypeError(explain(cls.name, "value cannot be converted to an integer dtype", value=given[3]))
        return result

    @staticmethod
    def call(F: Ops, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Value:  # noqa: A002
        """input + value * tensor1 * tensor2; between integers without value's fraction.  Raises RuntimeError for a value that the integers' dtype does not hold."""
        value = _real_factor(F, as_number(value), input, tensor1, tensor2)
        if (value != 1 or type(value) is float) and F.type(input).dtype.kind in "biu":
            types = [F.type(v) for v in (input, tensor1, tensor2)]
            groups = [[t.dtype for t in types if bool(t.shape) is wanted] for wanted in (True, False)]
            d = result_dtype(groups[0], groups[1], [])
            value = number_of(d, value) if d.kind in "iu" else value
        return F.addcmul(input, tensor1, tensor2, value=value)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value, value: Any) -> Value:
        return F.mul(F.mul(g, b), value)

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value, value: Any) -> Value:
        return F.mul(F.mul(g, a), value)


class Addcdiv(Elementwise):
    """x + value * a / b.  Shapes: (*a), (*b), (*c) -> broadcast(a, b, c).  Not for integers."""

    inputs, attrs, inplace, pole = ("x", "a", "b"), ("value",), True, "b = 0"
    numpy = jax = "{x} + {value} * ({a} / {b})"
    samples = ([A(2, 3), A(3), A(2, 1, lo=0.5), 0.5], [A(), A(), A(lo=0.5), -2], [A(0, 2), A(2), A(lo=0.5), 1])

    @classmethod
    def infer(cls, *given: Any) -> Type:
        """Broadcast shape, common dtype; RuntimeError for integers."""
        result = super().infer(*given[:3])
        if result.dtype.kind in "biu":
            raise DTypeError(explain(cls.name, "Integer division with addcdiv is no longer supported", "Use addcmul"))
        return result

    @classmethod
    def check_operands(cls, x: Any, a: Any, b: Any) -> None:
        """RuntimeError for a quotient of whole numbers."""
        if a.dtype.kind in "biu" and b.dtype.kind in "biu":
            raise DTypeError(explain(cls.name, "Integer division with addcdiv is no longer supported", "Use addcmul"))

    @staticmethod
    def call(F: Ops, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Value:  # noqa: A002
        """input + value * tensor1 / tensor2."""
        value = _real_factor(F, as_number(value), input, tensor1, tensor2)
        return F.addcdiv(input, tensor1, tensor2, value=value)

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value, value: Any) -> Value:
        return F.mul(F.div(g, b), value)

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value, b: Value, value: Any) -> Value:
        return F.mul(F.div(F.neg(F.mul(g, a)), F.mul(b, b)), value)


class NanToNum(Elementwise):
    """x with numbers in place of nan and the infinities; None stands for the largest and smallest finite number.  Shape: (*a) -> (*a)."""

    masks = "selects"
    attrs, inplace, quiet = ("number", "posinf", "neginf"), True, True
    numpy = "K.nan_to_num({x}, {number}, {posinf}, {neginf})"
    jax = "jnp.nan_to_num({x}, nan={number}, posinf={posinf}, neginf={neginf})"
    samples = ([A(2, 3), 0.0, None, None], [A(), 1.0, 2.0, -2.0], [A(0, 2), 0.0, None, None])

    @classmethod
    def infer(cls, x: Type, number: float, posinf: float | None, neginf: float | None) -> Type:
        """x's type."""
        return x

    @staticmethod
    def call(F: Ops, input: Any, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Value:  # noqa: A002
        """input with nan (0 by default), posinf and neginf as replacements."""
        d = F.type(input).dtype
        if is_half(d):  # the largest numbers of float32 would be too large
            most = finfo(from_numpy(d)).max
            posinf, neginf = most if posinf is None else posinf, -most if neginf is None else neginf
        return F.nan_to_num(input, number=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value) -> Value:
        return F.where(F.isfinite(x), g, 0.0)


# --- products of matrices and vectors, added to a value


def _factor(operation: str, value: Any, d: NumpyDType) -> Any:
    """beta or alpha as a number of the dtype: truncated for integers.  Raises RuntimeError where the dtype does not hold it."""
    if isinstance(value, complex) and d.kind != "c":
        if value.imag:
            raise DTypeError(explain(operation, f"value cannot be converted to type {d} without overflow", value=value))
        value = value.real
    if d.kind not in "iu" or not is_number(value):
        return value
    return number_of(d, value)


_STEPS = {name: f"{name.capitalize()}Backward0" for name in ("addmm", "addmv", "addr", "baddbmm", "addbmm")}


def added(
    F: Ops,
    operation: str,
    input: Any,
    product: Any,
    multiply: Any,
    factors: tuple[Any, ...],
    beta: Any,
    alpha: Any,  # noqa: A002
) -> Value:
    """beta * input + alpha * product, which is multiply(*factors), as a step of torch's name; of half precision with one rounding.  A factor 0 leaves out what it multiplies, nan included.

    Raises TypeError for a number as input, RuntimeError for another dtype than the product's or a shape that does not expand to its shape.
    """
    if is_number(input):
        problem = f"{operation}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        raise ArgumentError(explain(operation, problem))
    beta, alpha = as_number(beta), as_number(alpha)
    t, made = F.type(input), F.type(product)
    if t.dtype != made.dtype:
        raise DTypeError(explain(operation, "its operands must have the same dtype", input=t, product=made))
    lead = len(made.shape) - len(t.shape)
    expands = lead >= 0 and t.shape == made.shape[lead:]
    if not expands and (lead < 0 or any(n not in (1, m) for n, m in zip(t.shape, made.shape[lead:], strict=True))):
        problem = f"The expanded size of the tensor {list(made.shape)} must match the existing size {list(t.shape)}"
        raise ShapeError(explain(operation, problem))
    if is_half(made.dtype):
        factors = tuple(wide(F, v) for v in factors)
        total = added(F, operation, wide(F, input), multiply(*factors), multiply, factors, beta, alpha)
        return F.promote(total, dtype=made.dtype)
    if t.dtype.kind != "f" or isinstance(beta, complex) or isinstance(alpha, complex):
        beta, alpha = _factor(operation, beta, t.dtype), _factor(operation, alpha, t.dtype)
    called = _STEPS[operation]
    if alpha == 0 and operation not in ("addr", "baddbmm") and F.is_floating(product):
        product = F.flat_in(F.zeros(made), product, called)
    elif alpha != 1:
        product = F.mul(product, alpha)
    if beta == 0 and not F.is_floating(product):
        return product
    if beta == 0:
        return F.named(F.flat_in(product, F.expand(input, shape=made.shape), called), called=called)
    return F.named(F.add(input if beta == 1 else F.mul(input, beta), product), called=called)


class Addmv(Composite):
    """beta * input + alpha * (mat @ vec).  Shapes: broadcasts to (n,), (n, m), (m,) -> (n,)."""

    inplace = True
    samples = ([A(2), A(2, 3), A(3)], [A(1), A(2, 3), A(3)])

    @staticmethod
    def call(F: Ops, input: Any, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Value:  # noqa: A002
        """A product of a matrix and a vector added to input."""
        product = F.mv(mat, vec)
        plain = F.plain_sum(input, product, "AddmvBackward0", beta, alpha)
        if plain is not None:
            return plain
        return added(F, "addmv", input, product, F.mv, (mat, vec), beta, alpha)


def _check_outer_factor(name: str, value: Any, d: NumpyDType) -> None:
    """What addr says of beta and alpha, which the other functions convert."""
    if d.kind in "biu" and isinstance(value, (float, complex)):
        problem = f"For integral input tensors, argument {name} must not be a floating point number."
        raise DTypeError(explain("addr", problem))
    if d.kind != "b" and isinstance(value, bool):
        raise DTypeError(explain("addr", f"Boolean {name} only supported for Boolean results."))


class Addr(Composite):
    """beta * input + alpha * outer(vec1, vec2); of bools a disjunction.  Shapes: broadcasts to (n, m), (n,), (m,) -> (n, m)."""

    inplace = True
    samples = ([A(2, 3), A(2), A(3)], [A(3), A(2), A(3)])

    @staticmethod
    def call(F: Ops, input: Any, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Value:  # noqa: A002
        """An outer product added to input; the operands may differ in their dtypes."""
        product = F.outer(vec1, vec2)
        refused = beta is True or alpha is True
        plain = None if refused else F.plain_sum(input, product, _STEPS["addr"], beta, alpha)
        if plain is not None:
            return plain
        if not is_number(input) and is_half(F.type(input).dtype) and F.type(product).dtype == F.type(input).dtype:
            total = Addr.call(F, *(wide(F, v) for v in (input, vec1, vec2)), beta=beta, alpha=alpha)
            return F.promote(total, dtype=F.type(input).dtype)
        if not is_number(input) and F.type(input).dtype != F.type(product).dtype:
            common = result_dtype([F.type(input).dtype, F.type(product).dtype], [], [])
            input, product = F.as_dtype(input, common), F.as_dtype(product, common)  # noqa: A001
        d = F.type(product).dtype
        _check_outer_factor("beta", beta, d)
        _check_outer_factor("alpha", alpha, d)
        if d.kind == "b":
            beta, alpha = bool(beta), bool(alpha)
        return added(F, "addr", input, product, None, (), beta, alpha)


def _products(F: Ops, batch1: Any, batch2: Any) -> Value:
    """batch1 @ batch2; IndexError for a batch of less than 3 axes, whose third torch asks for."""
    try:
        return F.bmm(batch1, batch2)
    except ShapeError:
        if min(len(F.shape(batch1)), len(F.shape(batch2))) >= 3:
            raise
        problem = "both batches must have 3 axes"
        raise AxisError(explain("bmm", problem, batch1=F.type(batch1), batch2=F.type(batch2))) from None


class Baddbmm(Composite):
    """beta * input + alpha * (batch1 @ batch2).  Shapes: broadcasts to (b, n, m), (b, n, k), (b, k, m) -> (b, n, m)."""

    inplace = True
    samples = ([A(2, 3, 4), A(2, 3, 2), A(2, 2, 4)], [A(4), A(2, 3, 2), A(2, 2, 4)])

    @staticmethod
    def call(F: Ops, input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Value:  # noqa: A002
        """Products of the matrices of two batches added to input."""
        product = _products(F, batch1, batch2)
        plain = F.plain_sum(input, product, "BaddbmmBackward0", beta, alpha)
        if plain is not None:
            return plain
        return added(F, "baddbmm", input, product, F.bmm, (batch1, batch2), beta, alpha)


class Addbmm(Composite):
    """beta * input + alpha * sum over the batch of (batch1 @ batch2).  Shapes: broadcasts to (n, m), (b, n, k), (b, k, m) -> (n, m)."""

    inplace = True
    samples = ([A(3, 4), A(2, 3, 2), A(2, 2, 4)], [A(4), A(2, 3, 2), A(2, 2, 4)])

    @staticmethod
    def call(F: Ops, input: Any, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Value:  # noqa: A002
        """The sum of the products of the matrices of two batches added to input."""

        def multiply(a: Any, b: Any) -> Value:
            return total(F, _products(F, a, b), (0,), same=True)

        return added(F, "addbmm", input, multiply(batch1, batch2), multiply, (batch1, batch2), beta, alpha)
