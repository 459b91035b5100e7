"""Functions of square matrices and stacks of them: inverse, solution of equations, exponential, powers.

The rules of inv, solve and matrix_exp are the classical ones (M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation, 2008; matrix_exp: R. Mathias, A chain rule for matrix functions, 1996).  They are written for real matrices; the functions are holomorphic.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.dtypes import BOOL, TORCH_CLASS, int32
from tracegrad.errors import ArgumentError, DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, broadcast
from tracegrad.ops.checks import is_floating
from tracegrad.ops.results import named_result


class MatrixFunction(Op, family=True):
    """Acts on the last two axes; leading axes are a stack and broadcast between operands."""

    inputs: ClassVar[tuple[str, ...]] = ("x",)
    function: ClassVar[bool] = False
    method: ClassVar[bool] = False
    promotion: ClassVar[str] = "same"

    @classmethod
    def batch(cls, F: Ops, size: int, batched: tuple[bool, ...], *given: Any) -> Any:
        """The same with one more leading axis; an operand that is not batched is repeated."""
        count = len(cls.operands)
        operands = F.lift(size, batched, *given[:count]) if count > 1 else given[:1]
        return getattr(F, cls.name)(*operands, **dict(zip(cls.attrs, given[count:], strict=True)))


# what torch refuses for half precision by a check of its own; elsewhere it finds no implementation
_REFUSING = (
    "linalg.inv",
    "linalg.pinv",
    "linalg.slogdet",
    "logdet",
    "linalg.lstsq",
    "linalg.matrix_power",
    "linalg.matrix_rank",
)


def needs_matrices(operation: str, x: Type, name: str = "A", error: type[Exception] = DTypeError) -> None:
    """Raise RuntimeError unless x has at least two axes and a dtype of 32 or 64 bits that is floating or complex."""
    if x.weak:
        raise ArgumentError(explain(operation, f"argument {name!r} must be Tensor, not a number"))
    if len(x.shape) < 2:
        raise ShapeError(explain(operation, f"The input tensor {name} must have at least 2 dimensions", x=x))
    if not is_floating(x.dtype):
        problem = f"Expected a floating point or complex tensor as input. Got {TORCH_CLASS[x.dtype.name]}"
        raise error(explain(operation, problem))
    if x.dtype.itemsize < 4:
        kind = TORCH_CLASS[x.dtype.name]
        if operation.removeprefix("torch.") in _REFUSING:
            raise DTypeError(explain(operation, f"Low precision dtypes not supported. Got {kind}"))
        raise NotSupportedError(explain(operation, f"not implemented for '{kind}'"))


def needs_square(operation: str, x: Type, name: str = "A", error: type[Exception] = DTypeError) -> None:
    """Raise RuntimeError unless x is a stack of square matrices of floating or complex numbers."""
    needs_matrices(operation, x, name, error)
    if x.shape[-1] != x.shape[-2]:
        problem = f"{name} must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices"
        raise ShapeError(explain(operation, problem))


def over_matrices(F: Ops, g: Value) -> Value:
    """One number per matrix as a value that multiplies matrices."""
    return F.reshape(g, shape=(*F.shape(g), 1, 1))


def mH(F: Ops, x: Value) -> Value:
    """The adjoint: transposed and, if complex, conjugated."""
    turned = F.mT(x)
    return F.conj(turned) if F.is_complex(x) else turned


class LinalgInvNode(MatrixFunction):
    """The inverses of square matrices; singular ones raise LinAlgError if check, else give nan.  Shape: (*p, n, n) -> (*p, n, n)."""

    attrs, torch_name, pole = ("check",), "LinalgInvExBackward0", "singular matrices"
    numpy, jax = "K.matrix_inverse({x}, {check})", "K.matrix_inverse({x}, {check})"
    samples = ([A(3, 3), True], [A(2, 2, 2), True], [A(1, 1, lo=1), True], [A(0, 0), True], [A(0, 2, 2), True])

    @staticmethod
    def infer(x: Type, check: bool) -> Type:
        """x's type; square and floating."""
        needs_square("linalg.inv", x)
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value) -> Value:
        turned = F.mT(out)
        return F.neg(F.matmul(turned, F.matmul(g, turned)))


class LuInfo(MatrixFunction):
    """The number of the first zero on the diagonal of U, for every matrix; 0 if it is regular.  Shape: (*p, n, m) -> (*p,), int32."""

    nondiff = ("x",)
    numpy, jax = "K.lu_info({x})", "K.lu_info({x})"
    samples = ([A(3, 3)], [A(2, 2, 2, lo=0, hi=0)], [A(0, 0)])

    @staticmethod
    def infer(x: Type) -> Type:
        """One int32 per matrix."""
        needs_matrices("linalg.lu_factor", x)
        return Type(x.shape[:-2], int32.numpy)


class LinalgInv(Composite):
    """The inverses of square matrices.  Shape: (*p, n, n) -> (*p, n, n).  LinAlgError for singular ones."""

    function, method, samples = False, False, ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, A: Any) -> Value:  # noqa: N803
        """inv(A)."""
        return F.linalg_inv_node(A, check=True)


class Inverse(Composite):
    """The inverses of square matrices.  Shape: (*p, n, n) -> (*p, n, n).  LinAlgError for singular ones."""

    samples = ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """inv(input)."""
        return F.linalg_inv_node(input, check=True)


class LinalgInvEx(Composite):
    """The inverses, and for every matrix 0 or the number of the zero on the diagonal that makes it singular.  Shape: (*p, n, n) -> (*p, n, n), (*p,)."""

    function, method, samples = False, False, ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, A: Any, *, check_errors: bool = False) -> Any:  # noqa: N803
        """(inverse, info)."""
        inverse = F.linalg_inv_node(A, check=bool(check_errors))
        return named_result("linalg_inv_ex", ("inverse", "info"), (inverse, F.lu_info(A)))


class LinalgSolveNode(MatrixFunction):
    """X with a @ X = b (left) or X @ a = b.  Shapes: (*p, n, n), (*q, n, k) -> (*broadcast(p, q), n, k).  LinAlgError for singular a if check."""

    inputs, attrs, linear = ("a", "b"), ("left", "check"), ("b",)
    torch_name, pole = "LinalgSolveExBackward0", "singular matrices"
    numpy, jax = "K.matrix_solve({a}, {b}, {left}, {check})", "K.matrix_solve({a}, {b}, {left}, {check})"
    samples = (
        [A(3, 3), A(3, 2), True, True],
        [A(3, 3), A(2, 3), False, True],
        [A(2, 2, 2), A(2, 3), True, True],
        [A(2, 2), A(3, 2, 1), True, True],
        [A(0, 0), A(0, 2), True, True],
    )

    @staticmethod
    def infer(a: Type, b: Type, left: bool, check: bool) -> Type:
        """The type of b, its leading axes broadcast with a's."""
        needs_square("linalg.solve", a)
        needs_matrices("linalg.solve", b, "B")
        check_equation("linalg.solve", a, b, left)
        return Type((*broadcast("linalg.solve", a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), a.dtype)

    @staticmethod
    def grad_a(F: Ops, g: Value, a: Value, out: Value, a_type: Type, left: bool) -> Value:
        step = F.linalg_solve_node(F.mT(a), g, left=left, check=False)
        found = F.matmul(step, F.mT(out)) if left else F.matmul(F.mT(out), step)
        return F.neg(F.sum_to(found, shape=a_type.shape))

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value, b_type: Type, left: bool) -> Value:
        return F.sum_to(F.linalg_solve_node(F.mT(a), g, left=left, check=False), shape=b_type.shape)


def check_equation(operation: str, a: Type, b: Type, left: bool) -> None:
    """Raise RuntimeError unless a @ X = b (left) or X @ a = b makes sense and both have one dtype."""
    if a.dtype != b.dtype:
        shown = f"{TORCH_CLASS[a.dtype.name]} and {TORCH_CLASS[b.dtype.name]}"
        raise DTypeError(explain(operation, f"Expected A and B to have the same dtype, but found {shown} instead"))
    if a.shape[-1] != b.shape[-2 if left else -1]:
        text = "AX = B" if left else "XA = B"
        text += f" ({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        raise ShapeError(explain(operation, f"Incompatible shapes of A and B for the equation {text}"))


def _solved(F: Ops, a: Any, b: Any, left: bool, check: bool) -> Value:
    first, second = F.shape(a), F.shape(b)
    needs_square("linalg.solve", F.type(a))
    vector = len(second) == 1 or (len(first) - 1 == len(second) and tuple(second) == tuple(first[:-1]))
    if not vector:
        return F.linalg_solve_node(a, b, left=left, check=check)
    if not left:
        raise ShapeError(
            explain("linalg.solve", "Vector broadcasting of the left hand side is not supported for left=False")
        )
    column = F.reshape(b, shape=(*second, 1))
    found = F.linalg_solve_node(a, column, left=True, check=check)
    return F.named(F.squeeze(found, dim=(len(F.shape(found)) - 1,)), called="LinalgSolveExBackward0")


class LinalgSolve(Composite):
    """The solutions X of A @ X = B.  Shapes: (*p, n, n), (*q, n, k) or (n,) or (*p, n) -> as B.  LinAlgError for singular A."""

    function, method, samples = False, False, ([A(3, 3), A(3, 2)], [A(3, 3), A(3)])

    @staticmethod
    def call(F: Ops, A: Any, B: Any, *, left: bool = True) -> Value:  # noqa: N803
        """X; of X @ A = B for left=False."""
        return _solved(F, A, B, bool(left), True)


class LinalgSolveEx(Composite):
    """The solutions X of A @ X = B, and for every matrix 0 or the number of the zero that makes it singular.  Shapes: as solve, (*p,)."""

    function, method, samples = False, False, ([A(3, 3), A(3, 2)],)

    @staticmethod
    def call(F: Ops, A: Any, B: Any, *, left: bool = True, check_errors: bool = False) -> Any:  # noqa: N803
        """(result, info)."""
        result = _solved(F, A, B, bool(left), bool(check_errors))
        return named_result("linalg_solve_ex", ("result", "info"), (result, F.lu_info(A)))


class LinalgMatrixExp(MatrixFunction):
    """The exponentials of square matrices.  Shape: (*p, n, n) -> (*p, n, n)."""

    strict = True
    public = ("input",)
    numpy, jax = "K.matrix_exp({x})", "K.matrix_exp({x})"
    samples = ([A(3, 3)], [A(2, 2, 2)], [A(1, 1)], [A(0, 0)])

    @staticmethod
    def infer(x: Type) -> Type:
        """x's type."""
        needs_square("linalg.matrix_exp", x)
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type) -> Value:
        return _exp_slope(F, F.mT(x), g, x_type)

    @staticmethod
    def jvp(F: Ops, t_x: Value, x: Value, x_type: Type) -> Value:
        return _exp_slope(F, x, t_x, x_type)


def _exp_slope(F: Ops, x: Value, direction: Value, x_type: Type) -> Value:
    """The derivative of exp at x along a direction: the block above the diagonal of exp([[x, direction], [0, x]])."""
    n, last = x_type.shape[-1], len(x_type.shape) - 1
    above = F.cat(x, direction, dim=last)
    below = F.cat(F.zeros(x_type), x, dim=last)
    whole = F.linalg_matrix_exp(F.cat(above, below, dim=last - 1))
    rows = F.slice(whole, dim=last - 1, start=0, stop=n, step=1)
    return F.slice(rows, dim=last, start=n, stop=2 * n, step=1)


class MatrixExp(Composite):
    """The exponentials of square matrices.  Shape: (*p, n, n) -> (*p, n, n)."""

    samples = ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, input: Any) -> Value:  # noqa: A002
        """exp(input)."""
        return F.linalg_matrix_exp(input)


class MatrixPower(Composite):
    """Whole powers of square matrices by repeated squaring; negative ones of the inverse.  Shape: (*p, n, n) -> (*p, n, n)."""

    name, samples = "matrix_power", ([A(3, 3), 3], [A(2, 2), -2], [A(2, 2), 0])

    @staticmethod
    def call(F: Ops, input: Any, n: int) -> Value:  # noqa: A002
        """input @ ... @ input, n times."""
        t = F.type(input)
        if n < 0 or len(t.shape) < 2 or t.shape[-1] != t.shape[-2]:
            needs_square("linalg.matrix_power", t)
        if n == 0:
            eye = F.expand(F.eye(n=t.shape[-1], m=t.shape[-1], dtype=t.dtype), shape=t.shape)
            kept = F.where(F.full(shape=(), value=False, dtype=BOOL), input, eye)
            return F.named(kept, called="torch::autograd::CopyBackwards")
        x, count = (F.linalg_inv_node(input, check=True), -n) if n < 0 else (input, n)
        if count == 1:
            return x if n < 0 else F.clone(x)
        if count == 3:
            return F.matmul(F.matmul(x, x), x)
        result: Any = None
        while count:
            if count & 1:
                result = x if result is None else F.matmul(result, x)
            count >>= 1
            x = F.matmul(x, x) if count else x
        return result
