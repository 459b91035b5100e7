"""Eigenvalues and singular values.

Derivatives: M. B. Giles, Collected matrix derivative results, 2008 (eigh, svd of distinct values); C. Boeddeker et al., On the computation of complex-valued
gradients with application to statistically optimum beamforming, 2017 (eig); Z.-Q. Wan and S.-X. Zhang, Automatic differentiation for complex valued SVD, 2019.

Vectors are determined up to a phase.  A loss that depends on it has no derivative: for complex matrices RuntimeError, as in torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import NotSupportedError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, S
from tracegrad.ir.types import Type
from tracegrad.ops.checks import real_type
from tracegrad.ops.factors import columns, rows
from tracegrad.ops.matrices import MatrixFunction, mH, needs_matrices, needs_square
from tracegrad.ops.results import named_result

_PHASE = "{}: The {} in the complex case are specified up to multiplication by e^{{i phi}}. The specified loss function depends on this quantity, so it is ill-defined."


class CheckPhase(Op):
    """x; RuntimeError unless phase, the change of a loss along a phase that is free, is 0.  Shapes: (*a), (*b) -> (*a)."""

    inputs, attrs, nondiff, linear = ("x", "phase"), ("what",), ("phase",), ("x",)
    function, method, holomorphic = False, False, False
    numpy, jax = "K.check_phase({x}, {phase}, {what})", "K.check_phase({x}, {phase}, {what})"
    samples = ([A(2, 3), A(2, lo=0, hi=0), "phase"],)

    @staticmethod
    def infer(x: Type, phase: Type, what: str) -> Type:
        """x's type."""
        return x

    @staticmethod
    def grad_x(F: Ops, g: Value) -> Value:
        return g

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], x: Value, phase: Value, what: str) -> Value:
        return F.check_phase(x if batched[0] else F.expand(x, shape=(size, *F.shape(x))), phase, what=what)


def _identity(F: Ops, x: Value) -> Value:
    """The identity matrix that broadcasts against x, of its dtype."""
    n = F.shape(x)[-1]
    return F.eye(n=n, m=n, dtype=F.type(x).dtype)


def matrix_diagonal(F: Ops, x: Value) -> Value:
    """The diagonals of a stack of matrices."""
    last = len(F.shape(x)) - 1
    return F.diagonal(x, offset=0, dim1=last - 1, dim2=last)


def _quotient(F: Ops, x: Value, divisor: Value) -> Value:
    """x / divisor for matrices x; 0 where both are 0 because the whole of x is: nothing is asked of the vectors there."""
    last = len(F.shape(x)) - 1
    size = F.sum(F.abs(x), dim=(last - 1, last), keepdim=True)
    dead = F.logical_and(F.eq(size, 0), F.eq(divisor, 0))
    return F.where(dead, 0.0, F.div(x, F.where(dead, 1.0, divisor)))


def _differences(F: Ops, values: Value) -> Value:
    """values[j] - values[i] at (i, j), and 1 on the diagonal."""
    rank = len(F.shape(values))
    found = F.sub(F.unsqueeze(values, dim=rank - 1), F.unsqueeze(values, dim=rank))
    return F.add(found, _identity(F, found))


def _on_diagonal(F: Ops, x: Value, values: Value) -> Value:
    """x with other values on its diagonals."""
    eye = _identity(F, x)
    return F.where(F.ne(eye, 0), F.expand(F.unsqueeze(values, dim=len(F.shape(values))), shape=F.shape(x)), x)


def _hollow(F: Ops, x: Value) -> Value:
    """x with zeros on its diagonals."""
    return F.where(F.ne(_identity(F, x), 0), 0.0, x)


class LinalgEighNode(MatrixFunction):
    """(eigenvalues ascending, eigenvectors as columns) of Hermitian x, of which one triangle is read.  Shape: (*p, n, n) -> (*p, n), (*p, n, n).

    The derivative is the Hermitian one; with equal eigenvalues that of the eigenvectors does not exist.
    """

    outputs, attrs, holomorphic = ("eigenvalues", "eigenvectors"), ("upper",), False
    torch_name, pole = "LinalgEighBackward0", "equal eigenvalues"
    numpy, jax = "K.eigh({x}, {upper})", "K.eigh({x}, {upper})"
    samples = ([S(3, 3), False], [S(3, 3), True], [S(2, 2, 2), False], [S(1, 1), False], [S(0, 0), False])

    @staticmethod
    def infer(x: Type, upper: bool) -> tuple[Type, Type]:
        """The dtype of x's parts, x's type."""
        needs_square("linalg.eigh", x, error=NotSupportedError)
        return Type(x.shape[:-1], real_type(x).dtype), x

    @staticmethod
    def grad_x(
        F: Ops, g_eigenvalues: Value, g_eigenvectors: Value, eigenvalues: Value, eigenvectors: Value, x_type: Type
    ) -> Value:
        v, d = eigenvectors, x_type.dtype
        turned = mH(F, v)
        inner = F.matmul(turned, g_eigenvectors)
        if d.kind == "c":
            what = _PHASE.format("linalg_eigh_backward", "eigenvectors")
            inner = F.check_phase(inner, F.imag(matrix_diagonal(F, inner)), what=what)
        inner = F.mul(F.sub(inner, mH(F, inner)), 0.5)
        inner = _quotient(F, inner, F.as_dtype(_differences(F, eigenvalues), d))
        inner = _on_diagonal(F, inner, F.as_dtype(g_eigenvalues, d))
        return F.matmul(v, F.matmul(inner, turned))

    @staticmethod
    def jvp(F: Ops, t_x: Value, eigenvalues: Value, eigenvectors: Value, x_type: Type) -> tuple[Value, Value]:
        v, d = eigenvectors, x_type.dtype
        inner = F.matmul(mH(F, v), F.matmul(t_x, v))
        change = F.div(_hollow(F, inner), F.as_dtype(_differences(F, eigenvalues), d))
        return F.real(matrix_diagonal(F, inner)) if d.kind == "c" else matrix_diagonal(F, inner), F.matmul(v, change)


def reads_upper(operation: str, letter: Any) -> bool:
    """Whether UPLO says that the upper triangle is read.  Raises RuntimeError unless it is "L" or "U"."""
    if not isinstance(letter, str) or letter.upper() not in ("L", "U"):
        raise ShapeError(explain(operation, f"Expected UPLO argument to be 'L' or 'U', but got {letter}"))
    return letter.upper() == "U"


class LinalgEigh(Composite):
    """(eigenvalues ascending, eigenvectors as columns) of Hermitian matrices.  Shape: (*p, n, n) -> (*p, n), (*p, n, n)."""

    function, method = False, False
    samples = ([S(3, 3)], [S(2, 3, 3)], [S(2, 2), "U"])

    @staticmethod
    def call(F: Ops, A: Any, UPLO: str = "L") -> Any:  # noqa: N803
        """Reads the lower triangle, or the upper one for UPLO="U"."""
        found = F.linalg_eigh_node(A, upper=reads_upper("linalg.eigh", UPLO))
        return named_result("linalg_eigh", ("eigenvalues", "eigenvectors"), found)


class LinalgEigNode(MatrixFunction):
    """(eigenvalues, eigenvectors as columns of length 1), complex.  Shape: (*p, n, n) -> (*p, n), (*p, n, n)."""

    outputs, holomorphic = ("eigenvalues", "eigenvectors"), False
    torch_name, pole = "LinalgEigBackward0", "equal eigenvalues"
    numpy, jax = "K.eig({x})", "K.eig({x})"
    samples = ([A(0, 0)],)

    @staticmethod
    def infer(x: Type) -> tuple[Type, Type]:
        """Complex."""
        needs_square("linalg.eig", x)
        d = np.result_type(x.dtype, np.complex64)
        return Type(x.shape[:-1], d), Type(x.shape, d)

    @staticmethod
    def grad_x(
        F: Ops, g_eigenvalues: Value, g_eigenvectors: Value, eigenvalues: Value, eigenvectors: Value, x_type: Type
    ) -> Value:
        v = eigenvectors
        turned, d = mH(F, v), F.type(v).dtype
        inner = F.matmul(turned, g_eigenvectors)
        diagonal = matrix_diagonal(F, inner)
        inner = F.check_phase(inner, F.imag(diagonal), what=_PHASE.format("linalg_eig_backward", "eigenvectors"))
        scale = F.as_dtype(F.real(diagonal), d)
        inner = F.sub(inner, F.matmul(turned, F.mul(v, F.unsqueeze(scale, dim=len(F.shape(scale)) - 1))))
        inner = _on_diagonal(F, _quotient(F, inner, _differences(F, F.conj(eigenvalues))), g_eigenvalues)
        found = F.linalg_solve_node(turned, F.matmul(inner, turned), left=True, check=False)
        return found if x_type.dtype.kind == "c" else F.real(found)

    @staticmethod
    def jvp(F: Ops, t_x: Value, eigenvalues: Value, eigenvectors: Value) -> tuple[Value, Value]:
        v, d = eigenvectors, F.type(eigenvectors).dtype
        inner = F.linalg_solve_node(v, F.matmul(F.as_dtype(t_x, d), v), left=True, check=False)
        change = F.matmul(v, F.div(_hollow(F, inner), _differences(F, eigenvalues)))
        along = F.as_dtype(F.real(matrix_diagonal(F, F.matmul(mH(F, v), change))), d)  # the length stays 1
        return matrix_diagonal(F, inner), F.sub(change, F.mul(v, F.unsqueeze(along, dim=len(F.shape(along)) - 1)))


class LinalgEig(Composite):
    """(eigenvalues, eigenvectors as columns of length 1), complex.  Shape: (*p, n, n) -> (*p, n), (*p, n, n)."""

    function, method = False, False
    samples = ([A(3, 3)],)

    @staticmethod
    def call(F: Ops, A: Any) -> Any:  # noqa: N803
        """(eigenvalues, eigenvectors), in no order."""
        return named_result("linalg_eig", ("eigenvalues", "eigenvectors"), F.linalg_eig_node(A))


class LinalgSvdNode(MatrixFunction):
    """(U, S, V^H) with x = U diag(S) V^H.  Shape: (*p, n, m) -> (*p, n, k), (*p, k), (*p, k, m), k = min(n, m); square U and V if full.

    With equal singular values the derivative of U and V does not exist, nor with a 0 where x is not square.
    """

    outputs, attrs, holomorphic = ("U", "S", "Vh"), ("full",), False
    torch_name, pole = "LinalgSvdBackward0", "equal singular values"
    numpy, jax = "K.svd({x}, {full})", "K.svd({x}, {full})"
    samples = (
        [A(3, 3), False],
        [A(4, 2), False],
        [A(2, 4), False],
        [A(2, 3, 2), False],
        [A(0, 0), False],
        [A(0, 3), False],
    )

    @staticmethod
    def infer(x: Type, full: bool) -> tuple[Type, Type, Type]:
        """x's dtype; the dtype of its parts for S."""
        needs_matrices("linalg.svd", x)
        lead, (m, n) = x.shape[:-2], x.shape[-2:]
        k = min(m, n)
        u, vh = (*lead, m, m if full else k), (*lead, n if full else k, n)
        return Type(u, x.dtype), Type((*lead, k), real_type(x).dtype), Type(vh, x.dtype)

    @staticmethod
    def grad_x(
        F: Ops, g_U: Value, g_S: Value, g_Vh: Value, U: Value, S: Value, Vh: Value, x_type: Type, full: bool
    ) -> Value:  # noqa: N803
        (m, n), d = x_type.shape[-2:], x_type.dtype
        k = min(m, n)
        if full:
            U, g_U, Vh, g_Vh = columns(F, U, 0, k), columns(F, g_U, 0, k), rows(F, Vh, 0, k), rows(F, g_Vh, 0, k)
        s = F.as_dtype(S, d)
        last = len(F.shape(s))
        across, down = F.unsqueeze(s, dim=last - 1), F.unsqueeze(s, dim=last)
        in_u, in_v = F.matmul(mH(F, U), g_U), F.matmul(Vh, mH(F, g_Vh))
        in_u, in_v = F.sub(in_u, mH(F, in_u)), F.sub(in_v, mH(F, in_v))
        if d.kind == "c":
            what = _PHASE.format("svd_backward", "singular vectors")
            in_u = F.check_phase(in_u, F.imag(matrix_diagonal(F, F.add(in_u, in_v))), what=what)
        gaps = _gaps(F, S, d)
        inner = F.add(F.mul(_quotient(F, in_u, gaps), across), F.mul(down, _quotient(F, in_v, gaps)))
        middle = F.as_dtype(g_S, d)
        if d.kind == "c":
            turn = _quotient(F, in_u, F.mul(F.expand(across, shape=F.shape(in_u)), 2.0))
            middle = F.add(middle, matrix_diagonal(F, turn))
        found = F.matmul(U, F.matmul(_on_diagonal(F, inner, middle), Vh))
        if m > k:
            scaled = _quotient(F, g_U, F.expand(across, shape=F.shape(g_U)))
            found = F.add(found, F.matmul(F.sub(scaled, F.matmul(U, F.matmul(mH(F, U), scaled))), Vh))
        if n > k:
            scaled = _quotient(F, g_Vh, F.expand(down, shape=F.shape(g_Vh)))
            found = F.add(found, F.matmul(U, F.sub(scaled, F.matmul(F.matmul(scaled, mH(F, Vh)), Vh))))
        return found

    @staticmethod
    def jvp(F: Ops, t_x: Value, U: Value, S: Value, Vh: Value, x_type: Type, full: bool) -> tuple[Value, Value, Value]:  # noqa: N803
        """Giles 2008, section 3.4; the phases of the vectors stay as they are."""
        (m, n), d = x_type.shape[-2:], x_type.dtype
        if full:
            k = min(m, n)
            U, Vh = columns(F, U, 0, k), rows(F, Vh, 0, k)
        s, last = F.as_dtype(S, d), len(F.shape(S))
        across, down = F.unsqueeze(s, dim=last - 1), F.unsqueeze(s, dim=last)
        inner = F.matmul(mH(F, U), F.matmul(t_x, mH(F, Vh)))
        back = mH(F, inner)
        gaps = _gaps(F, S, d)
        diagonal = matrix_diagonal(F, inner)
        in_u = F.div(_hollow(F, F.add(F.mul(inner, across), F.mul(down, back))), gaps)
        in_v = F.div(_hollow(F, F.add(F.mul(down, inner), F.mul(back, across))), gaps)
        if d.kind == "c":
            turn = F.div(F.sub(diagonal, F.conj(diagonal)), F.mul(s, 4.0))
            in_u, in_v = _on_diagonal(F, in_u, turn), _on_diagonal(F, in_v, F.neg(turn))
        t_u, t_vh = F.matmul(U, in_u), mH(F, F.matmul(mH(F, Vh), in_v))
        if m > n:
            outside = F.matmul(t_x, mH(F, Vh))
            t_u = F.add(t_u, F.div(F.sub(outside, F.matmul(U, inner)), across))
        if n > m:
            outside = F.matmul(mH(F, U), t_x)
            t_vh = F.add(t_vh, F.div(F.sub(outside, F.matmul(inner, Vh)), down))
        if full and m > k:  # the vectors of the null space stay as they are
            t_u = F.cat(t_u, F.zeros(Type((*F.shape(t_u)[:-1], m - k), d)), dim=last)
        if full and n > k:
            t_vh = F.cat(t_vh, F.zeros(Type((*F.shape(t_vh)[:-2], n - k, n), d)), dim=last - 1)
        return t_u, F.real(diagonal) if d.kind == "c" else diagonal, t_vh


def _gaps(F: Ops, values: Value, dtype: Any) -> Value:
    """values[j]**2 - values[i]**2 at (i, j), and 1 on the diagonal."""
    rank = len(F.shape(values))
    sums = F.add(F.unsqueeze(values, dim=rank - 1), F.unsqueeze(values, dim=rank))
    found = F.as_dtype(F.mul(_differences(F, values), sums), dtype)
    return F.where(F.ne(_identity(F, found), 0), 1.0, found)


def needs_no_driver(driver: Any) -> None:
    """Raise RuntimeError for a driver: torch has them for CUDA only."""
    if driver is not None:
        problem = "keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        raise ShapeError(explain("torch.linalg.svd", problem, driver=driver))


class LinalgSvd(Composite):
    """(U, S, Vh) with A = U diag(S) Vh.  Shape: (*p, n, m) -> (*p, n, n), (*p, k), (*p, m, m), k = min(n, m)."""

    function, method = False, False
    samples = ([A(3, 2), False], [A(2, 2, 3), False])

    @staticmethod
    def call(F: Ops, A: Any, full_matrices: bool = True, *, driver: Any = None) -> Any:  # noqa: N803
        """Singular values descending; U and Vh have k columns and rows for full_matrices=False.  Derivatives do not see the others."""
        needs_no_driver(driver)
        return named_result("linalg_svd", ("U", "S", "Vh"), F.linalg_svd_node(A, full=bool(full_matrices)))


class Svd(Composite):
    """(U, S, V) with input = U diag(S) V^H.  Shape: (*p, n, m) -> (*p, n, k), (*p, k), (*p, m, k), k = min(n, m); square U and V unless some."""

    samples = ([A(3, 2)], [A(2, 2, 3)])

    @staticmethod
    def call(F: Ops, input: Any, some: bool = True, compute_uv: bool = True) -> Any:  # noqa: A002
        """Singular values descending; zeros for U and V unless compute_uv."""
        t = F.type(input)
        u, s, vh = F.linalg_svd_node(input, full=not some and bool(compute_uv))
        if not compute_uv:
            m, n = t.shape[-2:]
            u, vh = F.zeros(Type((*t.shape[:-2], m, m), t.dtype)), F.zeros(Type((*t.shape[:-2], n, n), t.dtype))
        last = len(t.shape) - 1
        v = F.transpose(vh, dim0=last - 1, dim1=last)
        return named_result("svd", ("U", "S", "V"), (u, s, F.conj(v) if F.is_complex(v) else v))
