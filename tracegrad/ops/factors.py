"""The LU and QR factorizations.

Derivatives: S. F. Walter and L. Lehmann, Algorithmic differentiation of linear algebra functions, 2018 (QR); D. A. O. Roberts and L. R. Roberts, QR and LQ
decomposition matrix backpropagation algorithms for square, wide, and deep matrices, 2020; F. de Hoog et al., The derivative of the LU factorisation, 2011.
"""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import int32
from tracegrad.errors import DifferentiationError, DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, I
from tracegrad.ir.types import Type, size_of
from tracegrad.ops.matrices import MatrixFunction, mH, needs_matrices, needs_square
from tracegrad.ops.results import named_result


def rows(F: Ops, x: Value, start: int, stop: int) -> Value:
    """Rows of matrices."""
    return F.slice(x, dim=len(F.shape(x)) - 2, start=start, stop=stop, step=1)


def columns(F: Ops, x: Value, start: int, stop: int) -> Value:
    """Columns of matrices."""
    return F.slice(x, dim=len(F.shape(x)) - 1, start=start, stop=stop, step=1)


def _solve(F: Ops, a: Value, b: Value, *, upper: bool, left: bool, unit: bool = False) -> Value:
    return F.linalg_solve_triangular_node(a, b, upper=upper, left=left, unitriangular=unit)


class LinalgLuNode(MatrixFunction):
    """(L below the diagonal and U above in one matrix, row exchanges from 1).  Shape: (*p, n, m) -> (*p, n, m), (*p, min(n, m))."""

    outputs, nondiff_outputs = ("LU", "pivots"), ("pivots",)
    torch_name, pole = "LinalgLuFactorExBackward0", "singular leading blocks"
    attrs = ("check",)
    numpy, jax = "K.lu_packed({x}, {check})", "K.lu_packed({x}, {check})"
    samples = ([A(3, 3), True], [A(4, 2), True], [A(2, 4), False], [A(2, 2, 2), True], [A(0, 0), True], [A(1, 1), True])

    @staticmethod
    def infer(x: Type, check: bool) -> tuple[Type, Type]:
        """x's type; int32."""
        needs_matrices("torch.linalg.lu_factor", x, error=NotSupportedError)
        return x, Type((*x.shape[:-2], min(x.shape[-2:])), int32.numpy)

    @staticmethod
    def grad_x(F: Ops, g_LU: Value, LU: Value, pivots: Value, x_type: Type) -> Value:  # noqa: N803
        m, n = x_type.shape[-2:]
        k = min(m, n)
        lower, upper = unpacked(F, LU)
        g_lower, g_upper = F.tril(columns(F, g_LU, 0, k), diagonal=-1), F.triu(rows(F, g_LU, 0, k), diagonal=0)
        last = len(x_type.shape) - 1
        if m > n:  # the rows below are a right division by U
            below = _solve(F, F.mT(upper), rows(F, g_lower, k, m), upper=False, left=False)
            g_upper = F.sub(g_upper, F.triu(F.matmul(F.mT(rows(F, lower, k, m)), below), diagonal=0))
            top = _square(F, rows(F, lower, 0, k), upper, rows(F, g_lower, 0, k), g_upper)
            found = F.cat(top, below, dim=last - 1)
        elif n > m:  # the columns on the right are a left division by L
            right = _solve(F, F.mT(lower), columns(F, g_upper, k, n), upper=True, left=True, unit=True)
            g_lower = F.sub(g_lower, F.tril(F.matmul(right, F.mT(columns(F, upper, k, n))), diagonal=-1))
            left = _square(F, lower, columns(F, upper, 0, k), g_lower, columns(F, g_upper, 0, k))
            found = F.cat(left, right, dim=last)
        else:
            found = _square(F, lower, upper, g_lower, g_upper)
        return F.matmul(F.permutation_matrix(pivots, rows=m, dtype=x_type.dtype), found)


def _square(F: Ops, lower: Value, upper: Value, g_lower: Value, g_upper: Value) -> Value:
    """The cotangent of L U for square factors."""
    inner = F.add(
        F.tril(F.matmul(F.mT(lower), g_lower), diagonal=-1), F.triu(F.matmul(g_upper, F.mT(upper)), diagonal=0)
    )
    half = _solve(F, F.mT(lower), inner, upper=True, left=True, unit=True)
    return _solve(F, F.mT(upper), half, upper=False, left=False)


def unpacked(F: Ops, packed: Value) -> tuple[Value, Value]:
    """(L with ones on the diagonal, U) of both in one matrix."""
    m, n = F.shape(packed)[-2:]
    k = min(m, n)
    eye = F.eye(n=m, m=k, dtype=F.type(packed).dtype)
    return F.add(F.tril(columns(F, packed, 0, k), diagonal=-1), eye), F.triu(rows(F, packed, 0, k), diagonal=0)


class PermutationMatrix(MatrixFunction):
    """The matrices P of A = P L U, from row exchanges counted from 1.  Shape: (*p, k) -> (*p, rows, rows)."""

    inputs, attrs, nondiff = ("pivots",), ("rows", "dtype"), ("pivots",)
    numpy = "K.permutation_matrix({pivots}, {rows}, {dtype})"
    jax = "K.permutation_matrix({pivots}, {rows}, {dtype})"
    samples = ([I(1, 1, below=2, lowest=1), 1, "float64"], [I(0, below=1), 2, "float64"])

    @staticmethod
    def infer(pivots: Type, rows: int, dtype: Any) -> Type:
        """A matrix per row of pivots."""
        return Type((*pivots.shape[:-1], rows, rows), dtype)


class LinalgLuFactor(Composite):
    """(LU, pivots).  Shape: (*p, n, m) -> (*p, n, m), (*p, min(n, m))."""

    function, method = False, False
    samples = ([A(3, 3)], [A(2, 3, 3)], [A(3, 2)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, A: Any, *, pivot: bool = True) -> Any:  # noqa: N803
        """L and U in one matrix, and the row exchanges."""
        _needs_pivot("linalg.lu_factor", pivot)
        return named_result("linalg_lu_factor", ("LU", "pivots"), F.linalg_lu_node(A, check=True))


class LinalgLuFactorEx(Composite):
    """(LU, pivots, info).  Shape: (*p, n, m) -> (*p, n, m), (*p, min(n, m)), (*p,)."""

    function, method = False, False
    samples = ([A(3, 3)], [A(2, 3, 3)], [A(3, 2)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, A: Any, *, pivot: bool = True, check_errors: bool = False) -> Any:  # noqa: N803
        """L and U in one matrix, the row exchanges, and 0 or the number of a zero on the diagonal of U."""
        _needs_pivot("linalg.lu_factor_ex", pivot)
        return named_result(
            "linalg_lu_factor_ex",
            ("LU", "pivots", "info"),
            (*F.linalg_lu_node(A, check=bool(check_errors)), F.lu_info(A)),
        )


def _needs_pivot(operation: str, pivot: bool) -> None:
    if not pivot:
        raise ShapeError(explain(operation, "LU without pivoting is not implemented on the CPU"))


class Lu(Composite):
    """(LU, pivots) of torch.lu, and the infos if asked for.  Shape: (*p, n, m) -> (*p, n, m), (*p, min(n, m))."""

    samples = ([A(3, 3)], [A(2, 3, 3)], [A(3, 2)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, A: Any, pivot: bool = True, get_infos: bool = False) -> Any:  # noqa: N803
        """L and U in one matrix, and the row exchanges."""
        _needs_pivot("lu", pivot)
        pair = tuple(F.linalg_lu_node(A, check=False))
        return named_result("_lu_with_info", ("LU", "pivots", "info"), (*pair, F.lu_info(A))) if get_infos else pair


class LinalgLu(Composite):
    """(P, L, U) with A = P L U.  Shape: (*p, n, m) -> (*p, n, n), (*p, n, k), (*p, k, m)."""

    function, method = False, False
    samples = ([A(3, 3)], [A(2, 3, 3)], [A(3, 2)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, A: Any, *, pivot: bool = True) -> Any:  # noqa: N803
        """(P, L, U)."""
        _needs_pivot("linalg.lu", pivot)
        packed, pivots = F.linalg_lu_node(A, check=False)
        t = F.type(packed)
        lower, upper = (F.named(v, called="LinalgLuBackward0") for v in unpacked(F, packed))
        p = F.permutation_matrix(pivots, rows=t.shape[-2], dtype=t.dtype)
        return named_result("linalg_lu", ("P", "L", "U"), (p, lower, upper))


class LuUnpack(Composite):
    """(P, L, U) from both factors in one matrix and the row exchanges.  Shape: (*p, n, m), (*p, k) -> (*p, n, n), (*p, n, k), (*p, k, m)."""

    method, samples = False, ()

    @staticmethod
    def call(F: Ops, LU_data: Any, LU_pivots: Any, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:  # noqa: N803
        """(P, L, U); what is not asked for has no elements."""
        t = F.type(LU_data)
        nothing = F.zeros(Type((0,), t.dtype))
        if unpack_pivots:
            _needs_pivots("torch.lu_unpack", F.type(LU_pivots))
            nothing = F.permutation_matrix(LU_pivots, rows=t.shape[-2], dtype=t.dtype)
        pair = unpacked(F, LU_data) if unpack_data else (no_elements(F, LU_data), no_elements(F, LU_data))
        return named_result(
            "lu_unpack", ("P", "L", "U"), (nothing, *(F.named(v, called="LuUnpackBackward0") for v in pair))
        )


def no_elements(F: Ops, x: Any) -> Value:
    """A vector without elements that depends on x.  Shape: (*a) -> (0,)."""
    return F.slice(F.reshape(x, shape=(size_of(F.shape(x)),)), dim=0, start=0, stop=0, step=1)


def _needs_pivots(operation: str, pivots: Type) -> None:
    if pivots.dtype != int32.numpy:
        raise DTypeError(explain(operation, "pivots should be a Tensor of scalar type torch.int32", pivots=pivots))


def lu_solved(F: Ops, packed: Any, pivots: Any, b: Any, left: bool = True, adjoint: bool = False) -> Value:
    """The solution of A X = b (X A = b, and with A^H for adjoint) from the factors of A."""
    if not left:
        return mH(F, lu_solved(F, packed, pivots, mH(F, b), True, not adjoint))
    t = F.type(packed)
    needs_square("linalg.lu_solve", t, "LU")
    _needs_pivots("linalg.lu_solve", F.type(pivots))
    if F.shape(pivots) != t.shape[:-1]:
        problem = (
            f"Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape {list(F.shape(pivots))}"
        )
        raise ShapeError(explain("linalg.lu_solve", problem, LU=t))
    p = F.permutation_matrix(pivots, rows=t.shape[-2], dtype=t.dtype)
    if adjoint:
        half = _solve(F, mH(F, packed), b, upper=False, left=True)
        return F.matmul(p, _solve(F, mH(F, packed), half, upper=True, left=True, unit=True))
    half = _solve(F, packed, F.matmul(F.mT(p), b), upper=False, left=True, unit=True)
    return _solve(F, packed, half, upper=True, left=True)


class LinalgLuSolve(Composite):
    """The solutions of A X = B from lu_factor(A).  Shapes: (*p, n, n), (*p, n), (*q, n, k) -> (*broadcast(p, q), n, k)."""

    function, method, samples = False, False, ()

    @staticmethod
    def call(F: Ops, LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Value:  # noqa: N803
        """X; of X A = B for left=False, with A^H instead of A for adjoint."""
        return F.named(lu_solved(F, LU, pivots, B, bool(left), bool(adjoint)), called="LinalgLuSolveBackward0")


class LuSolve(Composite):
    """The solutions of A X = input from lu_factor(A).  Shapes: (*q, n, k), (*p, n, n), (*p, n) -> (*broadcast(p, q), n, k)."""

    samples = ()

    @staticmethod
    def call(F: Ops, input: Any, LU_data: Any, LU_pivots: Any) -> Value:  # noqa: A002, N803
        """X."""
        return F.named(lu_solved(F, LU_data, LU_pivots, input), called="LinalgLuSolveBackward0")


class LinalgQrNode(MatrixFunction):
    """(Q, R) with x = Q R.  Shape: (*p, n, m) -> (*p, n, k), (*p, k, m), k = min(n, m); mode "complete": k = n; mode "r": Q is empty."""

    outputs, attrs, holomorphic = ("Q", "R"), ("mode",), False
    torch_name, pole = "LinalgQrBackward0", "the first min(n, m) columns are dependent"
    numpy, jax = "K.qr({x}, {mode})", "K.qr({x}, {mode})"
    samples = (
        [A(3, 3), "reduced"],
        [A(4, 2), "reduced"],
        [A(2, 4), "reduced"],
        [A(3, 3), "complete"],
        [A(2, 3, 2), "reduced"],
        [A(0, 0), "reduced"],
    )

    @staticmethod
    def infer(x: Type, mode: str) -> tuple[Type, Type]:
        """x's dtype."""
        needs_matrices("linalg.qr", x)
        lead, (m, n) = x.shape[:-2], x.shape[-2:]
        k = m if mode == "complete" else min(m, n)
        return Type((0,) if mode == "r" else (*lead, m, k), x.dtype), Type((*lead, k, n), x.dtype)

    @staticmethod
    def grad_x(F: Ops, g_Q: Value, g_R: Value, x: Value, Q: Value, R: Value, x_type: Type, mode: str) -> Value:  # noqa: N803
        m, n = x_type.shape[-2:]
        if mode == "r":
            problem = "The derivative of linalg.qr depends on Q, which is not computed when mode='r'"
            raise DifferentiationError(explain("linalg.qr", problem, "Use mode='reduced'"))
        if mode == "complete" and m > n:
            problem = "The QR decomposition is not differentiable when mode='complete' and nrows > ncols"
            raise DifferentiationError(explain("linalg.qr", problem, "Use mode='reduced'"))
        if m >= n:
            return _qr_back(F, Q, R, g_Q, g_R)
        right = columns(F, g_R, m, n)
        inner = F.add(g_Q, F.matmul(columns(F, x, m, n), mH(F, right)))
        left = _qr_back(F, Q, columns(F, R, 0, m), inner, columns(F, g_R, 0, m))
        return F.cat(left, F.matmul(Q, right), dim=len(x_type.shape) - 1)


def _qr_back(F: Ops, q: Value, r: Value, g_q: Value, g_r: Value) -> Value:
    """The cotangent of Q R for square R."""
    g_r = F.triu(g_r, diagonal=0)
    inner = F.sub(F.matmul(r, mH(F, g_r)), F.matmul(mH(F, g_q), q))
    below = F.tril(inner, diagonal=-1)
    middle = F.tril(F.triu(inner, diagonal=0), diagonal=0)
    whole = F.add(F.add(below, mH(F, below)), F.mul(F.add(middle, mH(F, middle)), 0.5))
    return _solve(F, mH(F, r), F.add(g_q, F.matmul(q, whole)), upper=False, left=False)


class LinalgQr(Composite):
    """(Q, R) with A = Q R.  Shape: (*p, n, m) -> (*p, n, k), (*p, k, m), k = min(n, m), or n for mode "complete"."""

    function, method = False, False
    samples = ([A(3, 2)], [A(2, 3, 3)], [A(2, 3, 2), "reduced"], [A(3, 3), "complete"])

    @staticmethod
    def call(F: Ops, A: Any, mode: str = "reduced") -> Any:  # noqa: N803
        """mode "reduced", "complete", or "r" for R alone."""
        if mode not in ("reduced", "complete", "r"):
            problem = (
                f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
            )
            raise ShapeError(explain("linalg.qr", problem))
        return named_result("linalg_qr", ("Q", "R"), F.linalg_qr_node(A, mode=mode))


class Qr(Composite):
    """(Q, R) with input = Q R.  Shape: (*p, n, m) -> (*p, n, k), (*p, k, m), k = min(n, m), or n unless some."""

    samples = ([A(3, 2)], [A(2, 3, 3)])

    @staticmethod
    def call(F: Ops, input: Any, some: bool = True) -> Any:  # noqa: A002
        """The reduced factors, or the complete ones for some=False."""
        return named_result("qr", ("Q", "R"), F.linalg_qr_node(input, mode="reduced" if some else "complete"))
