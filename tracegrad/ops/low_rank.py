"""Factors of matrices near one of low rank, and a few extreme eigenvalues.

N. Halko, P. G. Martinsson and J. A. Tropp, Finding structure with randomness: probabilistic algorithms for constructing approximate matrix decompositions, 2011.
"""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import F32, F64, I64
from tracegrad.errors import ArgumentValueError, OptionError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ops.checks import needs_floating, real_type
from tracegrad.ops.factors import columns
from tracegrad.ops.matrices import mH

_KEY = (20110611, 0)  # the directions are always the same: results do not depend on the generator


def _directions(F: Ops, x: Value, count: int) -> Value:
    """Random columns to multiply x with.  Shape: (*p, n, m) -> (m, count)."""
    t = F.type(x)
    key = F.literal(values=_KEY, shape=(2,), dtype=I64)
    wide = F64 if real_type(t).dtype.itemsize == 8 else F32
    return F.as_dtype(F.random_normal(key, shape=(t.shape[-1], count), dtype=wide), t.dtype)


def _orthogonal(F: Ops, x: Value) -> Value:
    return F.linalg_qr_node(x, mode="reduced")[0]


def _factors(F: Ops, x: Value, q: int, niter: int) -> tuple[Value, Value, Value]:
    """(U, S, V) of about q columns."""
    m, n = F.shape(x)[-2:]
    if m < n:
        v, s, u = _factors(F, mH(F, x), q, niter)
        return u, s, v
    basis = _orthogonal(F, F.matmul(x, _directions(F, x, q)))
    for _ in range(niter):
        basis = _orthogonal(F, F.matmul(x, _orthogonal(F, F.matmul(mH(F, x), basis))))
    u, s, vh = F.linalg_svd_node(F.matmul(mH(F, basis), x), full=False)
    return F.matmul(basis, u), s, mH(F, vh)


class SvdLowrank(Composite):
    """(U, S, V) with A near U diag(S) V^H.  Shape: (*p, n, m) -> (*p, n, k), (*p, k), (*p, m, k), k = min(q, n, m)."""

    method, samples = False, ()

    @staticmethod
    def call(F: Ops, A: Any, q: int | None = 6, niter: int | None = 2, M: Any = None) -> Any:  # noqa: N803
        """The largest q singular values of A - M, exact for matrices of rank q; niter: how often the subspace is improved."""
        if len(F.shape(A)) < 2:
            raise ArgumentValueError(explain("svd_lowrank", "A must have at least 2 dimensions", A=F.type(A)))
        x = A if M is None else F.sub(A, M)
        return _factors(F, x, min(6 if q is None else q, *F.shape(x)[-2:]), 2 if niter is None else niter)


class PcaLowrank(Composite):
    """(U, S, V): the principal directions of the rows of A are the columns of V.  Shape: (*p, n, m) -> (*p, n, q), (*p, q), (*p, m, q)."""

    method, samples = False, ()

    @staticmethod
    def call(F: Ops, A: Any, q: int | None = None, center: bool = True, niter: int = 2) -> Any:  # noqa: N803
        """q: at most min(n, m), by default 6 if there are as many.  The mean of the rows is subtracted if center."""
        t = F.type(A)
        if len(t.shape) < 2:
            raise ArgumentValueError(explain("pca_lowrank", "A must have at least 2 dimensions", A=t))
        least = min(t.shape[-2:])
        q = min(6, least) if q is None else q
        if not 0 <= q <= least:
            problem = f"q(={q}) must be non-negative integer and not greater than min(m, n)={least}"
            raise ArgumentValueError(explain("pca_lowrank", problem))
        if niter < 0:
            raise ArgumentValueError(explain("pca_lowrank", f"niter(={niter}) must be non-negative integer"))
        needs_floating("pca_lowrank", t.dtype, "mean(): could not infer output dtype")
        x = F.sub(A, F.mean(A, dim=(len(t.shape) - 2,), keepdim=True)) if center else A
        return _factors(F, x, q, niter)


class Lobpcg(Composite):
    """(the k largest eigenvalues, their vectors as columns) of symmetric A, or of A x = E B x.  Shape: (*p, n, n) -> (*p, k), (*p, n, k).

    torch iterates; here all eigenvalues are computed, so the arguments that steer the iteration change nothing.
    """

    method, samples = False, ()

    @staticmethod
    def call(
        F: Ops, A: Any, k: int | None = None, B: Any = None, X: Any = None, n: int | None = None, iK: Any = None, niter: Any = None,
        tol: Any = None, largest: bool | None = None, method: Any = None, tracker: Any = None, ortho_iparams: Any = None,
        ortho_fparams: Any = None, ortho_bparams: Any = None,
    ) -> Any:  # fmt: skip  # noqa: N803
        """The smallest ones for largest=False.  ValueError for less than 3 k rows."""
        shape = F.shape(A)
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise OptionError(explain("lobpcg", f"A must be square, got shape {list(shape)}"))
        if F.type(A).dtype.kind not in "fc":
            raise ShapeError(explain("lobpcg", "expected m1 and m2 to have the same dtype", A=F.type(A)))
        size = shape[-1]
        k = (1 if X is None else F.shape(X)[-1]) if k is None else k
        if size < 3 * k:
            problem = f"the number of A rows (={size}) is smaller than 3 x the number of requested eigenpairs (={k})"
            raise ArgumentValueError(explain("lobpcg", f"LOBPCG algorithm is not applicable when {problem}"))
        values, vectors = _eigenpairs(F, A, B)
        last = len(shape) - 2
        if largest is None or largest:
            values, vectors = F.flip(values, dims=(last,)), F.flip(vectors, dims=(last + 1,))
        return F.slice(values, dim=last, start=0, stop=k, step=1), columns(F, vectors, 0, k)


def _eigenpairs(F: Ops, a: Value, b: Any) -> tuple[Value, Value]:
    """All eigenvalues ascending, and their vectors, of a x = e b x."""
    if b is None:
        values, vectors = F.linalg_eigh_node(a, upper=False)
        return values, vectors
    lower = F.cholesky_node(b, upper=False, check=True, called="LinalgCholeskyExBackward0")
    half = F.linalg_solve_triangular_node(lower, a, upper=False, left=True, unitriangular=False)
    inner = F.linalg_solve_triangular_node(mH(F, lower), half, upper=True, left=False, unitriangular=False)
    values, vectors = F.linalg_eigh_node(inner, upper=False)
    found = F.linalg_solve_triangular_node(mH(F, lower), vectors, upper=True, left=True, unitriangular=False)
    return values, found
