"""Eigenvalues and singular values without their vectors, which the derivatives compute.  Where vectors will be needed anyway, spectra.py has both at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.errors import NotSupportedError
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, S
from tracegrad.ir.types import Type
from tracegrad.ops.checks import real_type
from tracegrad.ops.matrices import MatrixFunction, mH, needs_matrices, needs_square
from tracegrad.ops.spectra import matrix_diagonal, needs_no_driver, reads_upper


def _scaled(F: Ops, x: Value, values: Value) -> Value:
    """x with its columns times the values."""
    return F.mul(x, F.unsqueeze(values, dim=len(F.shape(values)) - 1))


class SingularValues(MatrixFunction):
    """The singular values, descending.  Shape: (*p, n, m) -> (*p, min(n, m))."""

    holomorphic, torch_name = False, "LinalgSvdBackward0"
    numpy, jax = "K.singular_values({x})", "K.singular_values({x})"
    samples = ([A(3, 3)], [A(4, 2)], [A(2, 4)], [A(2, 3, 2)], [A(0, 0)], [A(0, 3)])

    @staticmethod
    def infer(x: Type) -> Type:
        """The dtype of x's parts."""
        needs_matrices("linalg.svd", x)
        return Type((*x.shape[:-2], min(x.shape[-2:])), real_type(x).dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type) -> Value:
        u, _, vh = F.linalg_svd_node(x, full=False)
        return F.matmul(_scaled(F, u, F.as_dtype(g, x_type.dtype)), vh)

    @staticmethod
    def jvp(F: Ops, t_x: Value, x: Value, x_type: Type) -> Value:
        u, _, vh = F.linalg_svd_node(x, full=False)
        found = matrix_diagonal(F, F.matmul(mH(F, u), F.matmul(t_x, mH(F, vh))))
        return F.real(found) if x_type.dtype.kind == "c" else found


class HermitianEigenvalues(MatrixFunction):
    """The eigenvalues of Hermitian x, ascending; one triangle is read.  Shape: (*p, n, n) -> (*p, n)."""

    attrs, holomorphic, torch_name = ("upper",), False, "LinalgEighBackward0"
    numpy, jax = "K.hermitian_eigenvalues({x}, {upper})", "K.hermitian_eigenvalues({x}, {upper})"
    samples = ([S(3, 3), False], [S(3, 3), True], [S(2, 2, 2), False], [S(1, 1), False], [S(0, 0), False])

    @staticmethod
    def infer(x: Type, upper: bool) -> Type:
        """The dtype of x's parts."""
        needs_square("linalg.eigh", x, error=NotSupportedError)
        return Type(x.shape[:-1], real_type(x).dtype)

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type, upper: bool) -> Value:
        v = F.linalg_eigh_node(x, upper=upper)[1]
        return F.matmul(_scaled(F, v, F.as_dtype(g, x_type.dtype)), mH(F, v))

    @staticmethod
    def jvp(F: Ops, t_x: Value, x: Value, x_type: Type, upper: bool) -> Value:
        v = F.linalg_eigh_node(x, upper=upper)[1]
        found = matrix_diagonal(F, F.matmul(mH(F, v), F.matmul(t_x, v)))
        return F.real(found) if x_type.dtype.kind == "c" else found


class Eigenvalues(MatrixFunction):
    """The eigenvalues, complex, in no order.  Shape: (*p, n, n) -> (*p, n)."""

    holomorphic, torch_name, pole = False, "LinalgEigBackward0", "equal eigenvalues"
    numpy, jax = "K.eigenvalues({x})", "K.eigenvalues({x})"
    samples = ([A(0, 0)],)

    @staticmethod
    def infer(x: Type) -> Type:
        """Complex."""
        needs_square("linalg.eig", x)
        return Type(x.shape[:-1], np.result_type(x.dtype, np.complex64))

    @staticmethod
    def grad_x(F: Ops, g: Value, x: Value, x_type: Type) -> Value:
        turned = mH(F, F.linalg_eig_node(x)[1])
        rows = F.mul(F.unsqueeze(g, dim=len(F.shape(g))), turned)
        found = F.linalg_solve_node(turned, rows, left=True, check=False)
        return found if x_type.dtype.kind == "c" else F.real(found)

    @staticmethod
    def jvp(F: Ops, t_x: Value, x: Value) -> Value:
        v = F.linalg_eig_node(x)[1]
        inner = F.matmul(F.as_dtype(t_x, F.type(v).dtype), v)
        return matrix_diagonal(F, F.linalg_solve_node(v, inner, left=True, check=False))


def _followed(x: Any) -> bool:
    """Whether backward will ask for the vectors."""
    return bool(getattr(x, "requires_grad", False))


def singular_values(F: Ops, x: Any) -> Value:
    """The singular values of matrices, descending."""
    return F.linalg_svd_node(x, full=False)[1] if _followed(x) else F.singular_values(x)


def hermitian_eigenvalues(F: Ops, x: Any, upper: bool) -> Value:
    """The eigenvalues of Hermitian matrices, ascending."""
    return F.linalg_eigh_node(x, upper=upper)[0] if _followed(x) else F.hermitian_eigenvalues(x, upper=upper)


class LinalgSvdvals(Composite):
    """The singular values, descending.  Shape: (*p, n, m) -> (*p, min(n, m))."""

    function, method = False, False
    samples = ([A(3, 2)], [A(2, 2, 3)])

    @staticmethod
    def call(F: Ops, A: Any, *, driver: Any = None) -> Value:  # noqa: N803
        """The singular values."""
        needs_no_driver(driver)
        return singular_values(F, A)


class LinalgEigvalsh(Composite):
    """The eigenvalues of Hermitian matrices, ascending.  Shape: (*p, n, n) -> (*p, n)."""

    function, method = False, False
    samples = ([S(3, 3)], [S(2, 3, 3), "U"])

    @staticmethod
    def call(F: Ops, A: Any, UPLO: str = "L") -> Value:  # noqa: N803
        """Reads the lower triangle, or the upper one for UPLO="U"."""
        return hermitian_eigenvalues(F, A, reads_upper("linalg.eigvalsh", UPLO))


class LinalgEigvals(Composite):
    """The eigenvalues, complex, in no order.  Shape: (*p, n, n) -> (*p, n)."""

    function, method = False, False
    samples = ([A(3, 3)], [A(2, 3, 3)])

    @staticmethod
    def call(F: Ops, A: Any) -> Value:  # noqa: N803
        """The eigenvalues."""
        return F.linalg_eig_node(A)[0] if _followed(A) else F.eigenvalues(A)
