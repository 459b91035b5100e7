"""Triangular systems and the Cholesky factorization.

Derivatives: I. Murray, Differentiation of the Cholesky decomposition, 2016 (blocked form aside); M. B. Giles, Collected matrix derivative results, 2008.
"""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import int32
from tracegrad.errors import DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, S
from tracegrad.ir.types import Type, broadcast
from tracegrad.ops.matrices import MatrixFunction, check_equation, mH, needs_matrices, needs_square
from tracegrad.ops.results import named_result


class LinalgSolveTriangularNode(MatrixFunction):
    """X with a @ X = b (left) or X @ a = b for triangular a, of which one triangle is read.  Shapes: (*p, n, n), (*q, n, k) -> (*broadcast(p, q), n, k)."""

    strict = True
    inputs, attrs, linear = ("a", "b"), ("upper", "left", "unitriangular"), ("b",)
    torch_name, pole = "LinalgSolveTriangularBackward0", "zeros on the diagonal"
    numpy = "K.solve_triangular({a}, {b}, {upper}, {left}, {unitriangular})"
    jax = "K.solve_triangular({a}, {b}, {upper}, {left}, {unitriangular})"
    samples = (
        [A(3, 3, lo=0.5), A(3, 2), True, True, False],
        [A(3, 3, lo=0.5), A(2, 3), False, False, False],
        [A(3, 3), A(3, 1), False, True, True],
        [A(2, 2, 2, lo=0.5), A(2, 3), True, True, False],
        [A(2, 2, lo=0.5), A(3, 1, 2), True, False, False],
        [A(0, 0), A(0, 2), True, True, False],
    )

    @staticmethod
    def infer(a: Type, b: Type, upper: bool, left: bool, unitriangular: bool) -> Type:
        """The type of b, its leading axes broadcast with a's."""
        needs_square("linalg.solve_triangular", a)
        needs_matrices("linalg.solve_triangular", b, "B")
        check_equation("linalg.solve_triangular", a, b, left)
        return Type((*broadcast("linalg.solve_triangular", a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), a.dtype)

    @staticmethod
    def grad_a(
        F: Ops, g: Value, a: Value, out: Value, a_type: Type, upper: bool, left: bool, unitriangular: bool
    ) -> Value:
        step = F.linalg_solve_triangular_node(F.mT(a), g, upper=not upper, left=left, unitriangular=unitriangular)
        found = F.neg(F.matmul(step, F.mT(out)) if left else F.matmul(F.mT(out), step))
        found = F.sum_to(found, shape=a_type.shape)
        inside = 1 if unitriangular else 0
        return F.triu(found, diagonal=inside) if upper else F.tril(found, diagonal=-inside)

    @staticmethod
    def grad_b(F: Ops, g: Value, a: Value, b_type: Type, upper: bool, left: bool, unitriangular: bool) -> Value:
        step = F.linalg_solve_triangular_node(F.mT(a), g, upper=not upper, left=left, unitriangular=unitriangular)
        return F.sum_to(step, shape=b_type.shape)


class LinalgSolveTriangular(Composite):
    """The solutions X of A @ X = B for triangular A.  Shapes: (*p, n, n), (*q, n, k) -> (*broadcast(p, q), n, k)."""

    function, method = False, False
    samples = ([A(3, 3, lo=0.5), A(3, 2), {"upper": True}], [A(2, 3, 3, lo=0.5), A(3, 2), {"upper": False}])

    @staticmethod
    def call(F: Ops, A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Value:  # noqa: N803
        """X; of X @ A = B for left=False.  Only the upper or lower triangle of A is read; its diagonal counts as 1 if unitriangular."""
        return F.linalg_solve_triangular_node(
            A, B, upper=bool(upper), left=bool(left), unitriangular=bool(unitriangular)
        )


class TriangularSolve(Composite):
    """(solution of A @ X = input, A) for triangular A.  Shapes: (*q, n, k), (*p, n, n) -> (*broadcast(p, q), n, k), (*p, n, n)."""

    samples = ([A(3, 2), A(3, 3, lo=0.5)], [A(2, 3, 2), A(3, 3, lo=0.5), False, True])

    @staticmethod
    def call(
        F: Ops,
        input: Any,  # noqa: A002
        A: Any,  # noqa: N803
        upper: bool = True,
        transpose: bool = False,
        unitriangular: bool = False,
    ) -> Any:
        """(solution, cloned_coefficient); of A^T @ X = input with transpose."""
        a, above = (F.mT(A), not upper) if transpose else (A, bool(upper))
        solution = F.linalg_solve_triangular_node(a, input, upper=above, left=True, unitriangular=bool(unitriangular))
        copied = F.clone(F.expand(A, shape=(*F.shape(solution)[:-2], *F.shape(A)[-2:])))
        pair = tuple(F.named(v, called="TriangularSolveBackward0") for v in (solution, copied))
        return named_result("triangular_solve", ("solution", "cloned_coefficient"), pair)


class CholeskyNode(MatrixFunction):
    """L with x = L L^H from the lower triangle (upper: U with x = U^H U from the upper one).  Shape: (*p, n, n) -> (*p, n, n).

    The derivative is the Hermitian one.  A matrix that is not positive definite raises LinAlgError if check, else gives nan.
    """

    attrs, holomorphic, pole = ("upper", "check", "called"), False, "matrices that are not positive definite"
    numpy, jax = "K.cholesky_factor({x}, {upper}, {check})", "K.cholesky_factor({x}, {upper}, {check})"
    samples = (
        [S(3, 3), False, True, "CholeskyBackward0"],
        [S(3, 3), True, True, "CholeskyBackward0"],
        [S(2, 2, 2), False, True, "CholeskyBackward0"],
        [S(1, 1), False, True, "CholeskyBackward0"],
        [S(0, 0), False, True, "CholeskyBackward0"],
    )

    @staticmethod
    def torch_name(upper: bool, check: bool, called: str) -> str:
        return called

    @staticmethod
    def infer(x: Type, upper: bool, check: bool, called: str) -> Type:
        """x's type."""
        needs_square("linalg.cholesky", x, error=NotSupportedError if called == "CholeskyBackward0" else DTypeError)
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value, out: Value, upper: bool) -> Value:
        lower, change = (mH(F, out), mH(F, g)) if upper else (out, g)
        inner = F.tril(F.matmul(mH(F, lower), change), diagonal=0)
        inner = F.mul(F.add(inner, mH(F, F.tril(inner, diagonal=-1))), 0.5)
        turned = mH(F, lower)
        half = F.linalg_solve_triangular_node(turned, inner, upper=True, left=True, unitriangular=False)
        return F.linalg_solve_triangular_node(lower, half, upper=False, left=False, unitriangular=False)

    @staticmethod
    def jvp(F: Ops, t_x: Value, out: Value, upper: bool) -> Value:
        lower = mH(F, out) if upper else out
        half = F.linalg_solve_triangular_node(lower, t_x, upper=False, left=True, unitriangular=False)
        inner = F.linalg_solve_triangular_node(mH(F, lower), half, upper=True, left=False, unitriangular=False)
        inner = F.mul(F.add(F.tril(inner, diagonal=0), F.tril(inner, diagonal=-1)), 0.5)
        found = F.matmul(lower, inner)
        return mH(F, found) if upper else found


class CholeskyInfo(MatrixFunction):
    """The order of the first leading minor that is not positive definite, for every matrix; 0 if all are.  Shape: (*p, n, n) -> (*p,), int32."""

    attrs, nondiff = ("upper",), ("x",)
    numpy, jax = "K.cholesky_info({x}, {upper})", "K.cholesky_info({x}, {upper})"
    samples = ([S(3, 3), False], [S(2, 2, 2), True], [S(0, 0), False])

    @staticmethod
    def infer(x: Type, upper: bool) -> Type:
        """One int32 per matrix."""
        return Type(x.shape[:-2], int32.numpy)


class LinalgCholesky(Composite):
    """L with A = L L^H for positive definite A.  Shape: (*p, n, n) -> (*p, n, n).  LinAlgError for others."""

    function, method = False, False
    samples = ([S(3, 3)], [S(2, 3, 3)])

    @staticmethod
    def call(F: Ops, A: Any, *, upper: bool = False) -> Value:  # noqa: N803
        """The lower factor, or the upper one U with A = U^H U."""
        return F.cholesky_node(A, upper=bool(upper), check=True, called="LinalgCholeskyExBackward0")


class LinalgCholeskyEx(Composite):
    """(L, info): info is 0 or the order of the first leading minor that is not positive definite.  Shape: (*p, n, n) -> (*p, n, n), (*p,)."""

    function, method = False, False
    samples = ([S(3, 3)],)

    @staticmethod
    def call(F: Ops, A: Any, *, upper: bool = False, check_errors: bool = False) -> Any:  # noqa: N803
        """(L, info)."""
        found = F.cholesky_node(A, upper=bool(upper), check=bool(check_errors), called="LinalgCholeskyExBackward0")
        return named_result("linalg_cholesky_ex", ("L", "info"), (found, F.cholesky_info(A, upper=bool(upper))))


class Cholesky(Composite):
    """L with input = L L^H for positive definite input.  Shape: (*p, n, n) -> (*p, n, n).  LinAlgError for others."""

    samples = ([S(3, 3)], [S(2, 3, 3), True])

    @staticmethod
    def call(F: Ops, input: Any, upper: bool = False) -> Value:  # noqa: A002
        """The lower factor, or the upper one U with input = U^H U."""
        return F.cholesky_node(input, upper=bool(upper), check=True, called="CholeskyBackward0")


class CholeskySolveNode(MatrixFunction):
    """X with A X = b for A = L L^H, or U^H U for upper.  Shapes: (*q, n, k), (*p, n, n) -> (*broadcast(p, q), n, k).

    One triangle of the factor is read, but the derivative is that of L L^H with all of L, as in torch.
    """

    strict = True
    inputs, attrs, linear, holomorphic = ("b", "factor"), ("upper", "called"), ("b",), False
    pole = "zeros on the diagonal"
    numpy, jax = "K.cholesky_solved({b}, {factor}, {upper})", "K.cholesky_solved({b}, {factor}, {upper})"
    samples = (
        [A(1, 2), S(1, 1), False, "CholeskySolveBackward0"],
        [A(2, 1, 2), S(1, 1), True, "CholeskySolveBackward0"],
        [A(0, 2), S(0, 0), False, "CholeskySolveBackward0"],
    )

    @staticmethod
    def torch_name(upper: bool, called: str) -> str:
        return called

    @staticmethod
    def infer(b: Type, factor: Type, upper: bool, called: str) -> Type:
        """The type of b, its leading axes broadcast with the factor's."""
        needs_square("cholesky_solve", factor, "L")
        check_equation("cholesky_solve", factor, b, True)
        return Type((*broadcast("cholesky_solve", factor.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)

    @staticmethod
    def grad_b(F: Ops, g: Value, factor: Value, b_type: Type, upper: bool) -> Value:
        return F.sum_to(F.cholesky_solve_node(g, factor, upper=upper, called=_CALLED), shape=b_type.shape)

    @staticmethod
    def grad_factor(F: Ops, g: Value, factor: Value, out: Value, factor_type: Type, upper: bool) -> Value:
        step = F.cholesky_solve_node(g, factor, upper=upper, called=_CALLED)
        inner = F.neg(F.sum_to(F.matmul(step, mH(F, out)), shape=factor_type.shape))
        inner = F.add(inner, mH(F, inner))
        return F.matmul(factor, inner) if upper else F.matmul(inner, factor)


_CALLED = "CholeskySolveBackward0"


class CholeskySolve(Composite):
    """The solutions X of A @ X = input from the Cholesky factor of A.  Shapes: (*q, n, k), (*p, n, n) -> (*broadcast(p, q), n, k)."""

    samples = ([A(3, 2), A(3, 3, lo=0.5)], [A(2, 3, 1), A(3, 3, lo=0.5), True])

    @staticmethod
    def call(F: Ops, input: Any, L: Any, upper: bool = False) -> Value:  # noqa: A002, N803
        """X, where L is the lower factor of A, or the upper one."""
        if len(F.shape(input)) < 2 or len(F.shape(L)) < 2:
            raise ShapeError(
                explain("cholesky_solve", "b and u should have at least 2 dimensions", b=F.type(input), u=F.type(L))
            )
        return F.cholesky_solve_node(input, L, upper=bool(upper), called=_CALLED)


class CholeskyInverse(Composite):
    """The inverses of matrices from their Cholesky factors.  Shape: (*p, n, n) -> (*p, n, n)."""

    samples = ([A(3, 3, lo=0.5)], [A(2, 3, 3, lo=0.5), True])

    @staticmethod
    def call(F: Ops, input: Any, upper: bool = False) -> Value:  # noqa: A002
        """inv(L L^H), where input is L, or U of U^H U."""
        t = F.type(input)
        needs_square("cholesky_inverse", t)
        eye = F.eye(n=t.shape[-1], m=t.shape[-1], dtype=t.dtype)
        return F.cholesky_solve_node(eye, input, upper=bool(upper), called="CholeskyInverseBackward0")
