"""Functions that torch has removed: they raise its RuntimeError, which names the function to use instead."""

from __future__ import annotations

from typing import Any, ClassVar

from tracegrad.errors import DataError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops


class _Removed(Composite, family=True):
    """A function that raises RuntimeError whatever its arguments are."""

    numbers: ClassVar[tuple[str, ...]] = ("input",)
    samples: ClassVar[Any] = ()


def _removed(name: str, successor: str, difference: str) -> DataError:
    problem = "This function was deprecated since version 1.9 and is now removed"
    return DataError(explain(name, problem, f"Use torch.linalg.{successor} instead: {difference}"))


class Solve(_Removed):
    """Removed: linalg.solve.  RuntimeError.  Shape: any."""

    @staticmethod
    def call(F: Ops, input: Any, A: Any) -> Any:  # noqa: A002, N803
        """Raises RuntimeError."""
        raise _removed("solve", "solve", "its arguments are reversed and it does not return the LU factorization")


class Lstsq(_Removed):
    """Removed: linalg.lstsq.  RuntimeError.  Shape: any."""

    @staticmethod
    def call(F: Ops, input: Any, A: Any) -> Any:  # noqa: A002, N803
        """Raises RuntimeError."""
        raise _removed("lstsq", "lstsq", "its arguments are reversed and it does not return the QR factorization")


class Eig(_Removed):
    """Removed: linalg.eig and linalg.eigvals.  RuntimeError.  Shape: any."""

    @staticmethod
    def call(F: Ops, input: Any, eigenvectors: bool = False) -> Any:  # noqa: A002
        """Raises RuntimeError."""
        raise _removed("eig", "eig", "it returns complex tensors; torch.linalg.eigvals gives the eigenvalues alone")


class Symeig(_Removed):
    """Removed: linalg.eigh and linalg.eigvalsh.  RuntimeError.  Shape: any."""

    @staticmethod
    def call(F: Ops, input: Any, eigenvectors: bool = False, upper: bool = True) -> Any:  # noqa: A002
        """Raises RuntimeError."""
        raise _removed("symeig", "eigh", "it reads the lower triangle; torch.linalg.eigvalsh gives the values alone")


class MatrixRank(_Removed):
    """Removed: linalg.matrix_rank.  RuntimeError.  Shape: any."""

    method = False

    @staticmethod
    def call(F: Ops, input: Any, tol: Any = None, symmetric: bool = False) -> Any:  # noqa: A002
        """Raises RuntimeError."""
        raise _removed("matrix_rank", "matrix_rank", "the parameter symmetric is called hermitian there")
