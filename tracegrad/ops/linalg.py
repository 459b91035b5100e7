"""Products of vectors and matrices.  Each of torch's products is an operator of its own; matmul chooses by the number of axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import ArgumentError, AxisError, DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, broadcast, size_of
from tracegrad.ops.fused import added
from tracegrad.ops.reshape import UnsafeView


def _check(operation: str, a: Type, b: Type, a_axes: int, b_axes: int) -> None:
    """Both operands have the number of axes and one dtype that is not bool."""
    if a.weak or b.weak:
        raise ArgumentError(explain(operation, f"{'a' if a.weak else 'b'} must be a Tensor, not a number"))
    for name, value, axes in (("a", a, a_axes), ("b", b, b_axes)):
        if len(value.shape) != axes:
            raise ShapeError(
                explain(operation, f"{name} must have {axes} axes, but it has {len(value.shape)}", a=a, b=b)
            )
    _check_dtype(operation, a, b)


def _check_dtype(operation: str, a: Type, b: Type) -> None:
    if a.dtype != b.dtype:
        raise DTypeError(
            explain(operation, "expected both operands to have the same dtype", "Convert one with .to(dtype)", a=a, b=b)
        )
    if a.dtype.kind == "b":
        raise NotSupportedError(
            explain(operation, "not implemented for 'Bool'", "Convert to an integer or floating dtype", a=a, b=b)
        )


def product_of_vectors(operation: str, a: Type, b: Type) -> Type:
    """A scalar of the operands' dtype.  Raises RuntimeError unless both are vectors of one length."""
    _check(operation, a, b, 1, 1)
    if a.shape != b.shape:
        problem = "inconsistent tensor size, expected both vectors to have the same number of elements"
        raise ShapeError(explain(operation, problem, a=a, b=b))
    return Type((), a.dtype)


class Product(Op, family=True):
    """A product that is linear in each of its two operands, which have one dtype."""

    inputs, linear, multilinear, promotion = ("a", "b"), ("a", "b"), True, "same"


class Dot(Product):
    """Sum of the products of two vectors.  Shapes: (n,), (n,) -> ()."""

    public = ("input", "tensor")
    numpy, jax = "K.dot({a}, {b})", "jnp.dot({a}, {b})"
    samples = ([A(3), A(3)], [A(1), A(1)], [A(0), A(0)])

    @staticmethod
    def expression(backend: str, a: str, b: str) -> str:
        return f"np.dot({a}, {b})" if backend == "numpy" else ""

    @staticmethod
    def infer(a: Type, b: Type) -> Type:
        """A scalar of the operands' dtype."""
        return product_of_vectors("dot", a, b)

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value) -> Value:
        return F.mul(g, b)

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value) -> Value:
        return F.mul(g, a)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], a: Value, b: Value) -> Value:
        if all(batched):
            return F.sum(F.mul(a, b), dim=(1,), keepdim=False)
        return F.mv(a, b) if batched[0] else F.mv(b, a)


class Mv(Product):
    """Matrix times vector.  Shapes: (n, k), (k,) -> (n,)."""

    public = ("input", "vec")
    numpy, jax = "K.mv({a}, {b})", "jnp.dot({a}, {b})"
    samples = ([A(2, 3), A(3)], [A(1, 1), A(1)], [A(2, 0), A(0)])

    @staticmethod
    def expression(backend: str, a: str, b: str) -> str:
        return f"np.dot({a}, {b})" if backend == "numpy" else ""

    @staticmethod
    def infer(a: Type, b: Type) -> Type:
        """A vector of a's rows."""
        if not a.shape and not a.weak:  # torch's class for this one
            raise AxisError(explain("mv", "Dimension specified as 0 but tensor has no dimensions", a=a, b=b))
        _check("mv", a, b, 2, 1)
        if a.shape[1] != b.shape[0]:
            raise ShapeError(
                explain("mv", f"size mismatch: a has {a.shape[1]} columns but b has {b.shape[0]} elements", a=a, b=b)
            )
        return Type(a.shape[:1], a.dtype)

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value) -> Value:
        return F.mul(F.unsqueeze(g, dim=1), b)

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value) -> Value:
        return F.mv(F.t(a), g)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], a: Value, b: Value) -> Value:
        if not batched[0]:
            return F.mm(b, F.t(a))
        if not batched[1]:
            return F.reshape(F.matmul(a, F.unsqueeze(b, dim=1)), shape=F.shape(a)[:2])
        return F.reshape(F.bmm(a, F.unsqueeze(b, dim=2)), shape=F.shape(a)[:2])


class Mm(Product):
    """Matrix product.  Shapes: (n, k), (k, m) -> (n, m)."""

    public, onnx = ("input", "mat2"), "MatMul"
    numpy, jax = "K.mm({a}, {b})", "jnp.dot({a}, {b})"
    samples = ([A(2, 3), A(3, 4)], [A(1, 1), A(1, 1)], [A(2, 0), A(0, 3)])

    @staticmethod
    def expression(backend: str, a: str, b: str) -> str:
        return f"np.dot({a}, {b})" if backend == "numpy" else ""

    @staticmethod
    def infer(a: Type, b: Type) -> Type:
        """a's rows by b's columns."""
        _check("mm", a, b, 2, 2)
        if a.shape[1] != b.shape[0]:
            raise ShapeError(
                explain(
                    "mm",
                    f"mat1 and mat2 shapes cannot be multiplied ({a.shape[0]}x{a.shape[1]} and {b.shape[0]}x{b.shape[1]})",
                    a=a,
                    b=b,
                )
            )
        return Type((a.shape[0], b.shape[1]), a.dtype)

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value) -> Value:
        return F.mm(g, F.t(b))

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value) -> Value:
        return F.mm(F.t(a), g)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], a: Value, b: Value) -> Value:
        return F.bmm(a, b) if all(batched) else F.batched_matmul(a, b)


class Bmm(Product):
    """Matrix products of two stacks of equal length.  Shapes: (p, n, k), (p, k, m) -> (p, n, m)."""

    public = ("input", "mat2")
    numpy, jax = "K.bmm({a}, {b})", "jnp.matmul({a}, {b})"
    samples = ([A(2, 2, 3), A(2, 3, 4)], [A(1, 1, 1), A(1, 1, 1)], [A(2, 2, 0), A(2, 0, 3)], [A(0, 2, 3), A(0, 3, 2)])

    @staticmethod
    def expression(backend: str, a: str, b: str) -> str:
        return f"np.matmul({a}, {b})" if backend == "numpy" else ""

    @staticmethod
    def infer(a: Type, b: Type) -> Type:
        """A stack of products."""
        _check("bmm", a, b, 3, 3)
        if (a.shape[0], a.shape[2]) != b.shape[:2]:
            raise ShapeError(
                explain(
                    "bmm",
                    f"Expected size for first two dimensions of b to be: [{a.shape[0]}, {a.shape[2]}] but got: {list(b.shape[:2])}",
                    a=a,
                    b=b,
                )
            )
        return Type((*a.shape[:2], b.shape[2]), a.dtype)

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value) -> Value:
        return F.bmm(g, F.transpose(b, dim0=1, dim1=2))

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value) -> Value:
        return F.bmm(F.transpose(a, dim0=1, dim1=2), g)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], a: Value, b: Value) -> Value:
        return F.batched_matmul(a, b)


class BatchedMatmul(Product):
    """Matrix product over the last two axes; leading axes broadcast.  Shapes: (*p, n, k), (*q, k, m) -> (*broadcast(p, q), n, m)."""

    function, method, onnx = False, False, "MatMul"
    numpy, jax = "K.matmul({a}, {b})", "jnp.matmul({a}, {b})"
    samples = (
        [A(5, 2, 3), A(3, 4)],
        [A(2, 3), A(5, 3, 4)],
        [A(2, 1, 2, 3), A(4, 3, 2)],
        [A(2, 2, 0), A(0, 3)],
        [A(0, 2, 3), A(3, 2)],
    )

    @staticmethod
    def torch_name(node: Node) -> str:
        """torch folds the leading axes, multiplies, and unfolds the result; for a followed matrix on the left it multiplies the transposes."""
        left, *_, rows, columns = node.inputs[0], *node.shape
        if not (isinstance(left, Node) and left.needs and len(left.shape) == 2 and len(node.shape) > 2):
            return "UnsafeViewBackward0"
        return "CloneBackward0" if rows > 1 and columns > 1 and 0 not in node.shape else "TransposeBackward0"

    @staticmethod
    def infer(a: Type, b: Type) -> Type:
        """The broadcast leading axes, a's rows, b's columns."""
        _check("matmul", a, b, max(len(a.shape), 2), max(len(b.shape), 2))
        if a.shape[-1] != b.shape[-2]:
            raise ShapeError(explain("matmul", f"a has {a.shape[-1]} columns but b has {b.shape[-2]} rows", a=a, b=b))
        return Type((*broadcast("matmul", a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1]), a.dtype)

    @staticmethod
    def grad_a(F: Ops, g: Value, b: Value, a_type: Type) -> Value:
        if len(a_type.shape) == 2:  # one product with the leading axes summed inside it
            n, k = a_type.shape
            rows = F.reshape(F.mT(g), shape=(size_of(F.shape(g)[:-2]) * F.shape(g)[-1], n))
            wide = F.expand(b, shape=(*F.shape(g)[:-2], *F.shape(b)[-2:]))
            return F.mm(F.t(rows), F.reshape(F.mT(wide), shape=(F.shape(rows)[0], k)))
        return F.sum_to(F.batched_matmul(g, F.mT(b)), shape=a_type.shape)

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value, b_type: Type) -> Value:
        if len(b_type.shape) == 2:
            k, m = b_type.shape
            count = size_of(F.shape(g)[:-1])
            wide = F.expand(a, shape=(*F.shape(g)[:-1], k))
            return F.mm(F.t(F.reshape(wide, shape=(count, k))), F.reshape(g, shape=(count, m)))
        return F.sum_to(F.batched_matmul(F.mT(a), g), shape=b_type.shape)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], a: Value, b: Value) -> Value:
        return F.batched_matmul(*_aligned(F, batched, a, b))


def _aligned(F: Ops, batched: tuple[bool, ...], *values: Value) -> list[Value]:
    """Batched values with 1s after the batch axis, so that their leading axes broadcast; an unbatched value broadcasts as it is."""
    rank = max(len(F.shape(v)) - is_batched for v, is_batched in zip(values, batched, strict=True))
    out = []
    for value, is_batched in zip(values, batched, strict=True):
        shape = F.shape(value)
        missing = rank + 1 - len(shape) if is_batched else 0
        out.append(F.reshape(value, shape=(shape[0], *(1,) * missing, *shape[1:])) if missing else value)
    return out


class RowProduct(UnsafeView):
    """The one row of a product, under torch's name for it.  Shape: (1, n) -> (n,)."""

    torch_name = "SqueezeBackward4"
    samples = ([A(1, 3), (3,)],)


class Matmul(Composite):
    """torch's product: dot of vectors, matrix times vector, matrix product, or products of stacks whose leading axes broadcast.

    Shapes: (n,), (n,) -> (); (n, k), (k,) -> (n,); (k,), (k, m) -> (m,); (*p, n, k), (*q, k, m) -> (*r, n, m); a vector beside a stack is a row or column.
    """

    tensors = ("other",)
    samples = ([A(3), A(3)], [A(2, 3), A(3)], [A(3), A(3, 2)], [A(2, 3), A(3, 4)], [A(5, 2, 3), A(3)], [A(3), A(5, 3, 2)], [A(5, 2, 3), A(3, 4)],
               [A(2, 3), A(5, 3, 4)], [A(5, 2, 3), A(5, 3, 4)], [A(4, 1, 2, 3), A(5, 3, 2)])  # fmt: skip

    @staticmethod
    def call(F: Ops, input: Any, other: Any) -> Value:  # noqa: A002
        """input @ other.  Raises RuntimeError for 0-d operands, sizes that do not fit, and different dtypes."""
        try:
            a, b = F.shape(input), F.shape(other)
        except AttributeError:
            kinds = f"{type(input).__name__} and {type(other).__name__}"
            raise ArgumentError(explain("matmul", f"both operands must be Tensors, not {kinds}")) from None
        n, m = len(a), len(b)
        if n == 2 and m == 2:
            return F.mm(input, other)
        if n == 2 and m == 1:
            return F.mv(input, other)
        if not n or not m:
            if any(isinstance(v, np.generic) or F.type(v).weak for v in (input, other)):
                raise ArgumentError(
                    explain("matmul", "unsupported operand type: both operands must be Tensors, not numbers")
                )
            raise ShapeError(explain("matmul", f"both arguments need to be at least 1D, but they are {n}D and {m}D"))
        if n == 1 and m == 1:
            return F.dot(input, other)
        if n == 1 and m == 2:
            return F.row_product(F.mm(F.unsqueeze(input, dim=0), other), shape=b[1:])
        if n > 1 and m > 1:
            return F.batched_matmul(input, other)
        product = F.batched_matmul(
            F.unsqueeze(input, dim=0) if n == 1 else input, F.unsqueeze(other, dim=1) if m == 1 else other
        )
        shape = F.shape(product)
        return F.unsafe_view(product, shape=shape[:-1] if m == 1 else (*shape[:-2], shape[-1]))


class Outer(Composite):
    """Products of all pairs of elements of two vectors.  Shapes: (n,), (m,) -> (n, m)."""

    aliases, samples = ("ger",), ([A(2), A(3)], [A(0), A(3)])

    @staticmethod
    def call(F: Ops, input: Any, vec2: Any) -> Value:  # noqa: A002
        """The matrix input[i] * vec2[j]."""
        for name, value in (("self", input), ("vec2", vec2)):
            if len(F.shape(value)) != 1:
                raise ShapeError(explain("outer", f"Expected 1-D argument {name}, but got {len(F.shape(value))}-D"))
        return F.mul(F.reshape(input, shape=(F.shape(input)[0], 1)), vec2)


class Addmm(Composite):
    """beta * input + alpha * (mat1 @ mat2).  Shapes: broadcasts to (n, m), (n, k), (k, m) -> (n, m)."""

    inplace = True
    samples = ([A(4), A(2, 3), A(3, 4)], [A(2, 4), A(2, 3), A(3, 4)])

    @staticmethod
    def call(F: Ops, input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Value:  # noqa: A002
        """A matrix product added to input."""
        product = F.mm(mat1, mat2)
        plain = F.plain_sum(input, product, "AddmmBackward0", beta, alpha)
        if plain is not None:
            return plain
        return added(F, "addmm", input, product, F.mm, (mat1, mat2), beta, alpha)
