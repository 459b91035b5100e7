"""Kernels of linear algebra over stacks of matrices.  NumPy's stacked routines where it has them, SciPy's (imported inside the function) where not.

A matrix that an algorithm cannot take raises np.linalg.LinAlgError with torch's text.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.kernels.stacks_of_matrices import exponential, factored, many, row_order, substituted

Array = np.ndarray[Any, Any]


def matrix_rows(x: Array) -> Array:
    """A stack of matrices with one leading axis."""
    return x.reshape(-1, *x.shape[-2:]) if x.size else np.empty((0, *x.shape[-2:]), x.dtype)


def adjoint(x: Array) -> Array:
    """The last two axes exchanged, conjugated."""
    return np.conjugate(x.swapaxes(-1, -2)) if x.dtype.kind == "c" else x.swapaxes(-1, -2)


def lu_info(x: Array) -> Array:
    """For every matrix the number (from 1) of the first zero on the diagonal of U; 0 if there is none.  int32."""
    rows, columns = x.shape[-2:]
    if x.size and rows == columns and np.linalg.slogdet(x)[0].all():  # the sign is 0 only if a pivot is
        return np.zeros(x.shape[:-2], np.int32)
    packed, _ = lu_packed(x, False)
    dead = np.diagonal(packed, axis1=-2, axis2=-1) == 0
    if not dead.shape[-1]:
        return np.zeros(dead.shape[:-1], np.int32)
    return np.where(dead.any(-1), dead.argmax(-1) + 1, 0).astype(np.int32)


def _where_singular(operation: str, x: Array) -> np.linalg.LinAlgError:
    info = lu_info(x)
    flat = np.flatnonzero(info)
    number = int(info.reshape(-1)[flat[0]]) if flat.size else x.shape[-1]
    batch = f"(Batch element {flat[0] if flat.size else 0}): " if x.ndim > 2 else ""
    if operation == "linalg.solve":
        return np.linalg.LinAlgError(
            f"torch.linalg.solve: {batch}The solver failed because the input matrix is singular."
        )
    return np.linalg.LinAlgError(
        f"{operation}: {batch}The diagonal element {number} is zero, the inversion could not be completed because the input matrix is singular."
    )


def matrix_inverse(x: Array, check: bool) -> Array:
    """The inverses; singular matrices raise if `check`, else give nan."""
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise
        if check:
            raise _where_singular("linalg.inv", x) from None
    return _by_factors(x, np.eye(x.shape[-1], dtype=x.dtype))


def _by_factors(a: Array, b: Array) -> Array:
    """X with a @ X = b by LU factors: inf and nan where a is singular."""
    packed, pivots = lu_packed(a, False)
    exchanged = np.matmul(permutation_matrix(pivots, a.shape[-1], a.dtype).swapaxes(-1, -2), b)
    return substituted(packed, substituted(packed, exchanged, False, True), True, False)


def matrix_solve(a: Array, b: Array, left: bool, check: bool) -> Array:
    """X with a @ X = b, or X @ a = b for left=False; singular matrices raise if `check`, else give nan."""
    if not left:
        return matrix_solve(a.swapaxes(-1, -2), b.swapaxes(-1, -2), True, check).swapaxes(-1, -2)
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
            raise
        if check:
            raise _where_singular("linalg.solve", a) from None
    return _by_factors(a, b)


def determinant(x: Array) -> Array:
    """The determinants."""
    return np.asarray(np.linalg.det(x), x.dtype)


def slogdet(x: Array) -> tuple[Array, Array]:
    """(sign, log of the absolute value) of the determinants."""
    sign, size = np.linalg.slogdet(x)
    return np.asarray(sign, x.dtype), np.asarray(size, x.real.dtype)


def _regular_inverse(x: Array) -> Array | None:
    """The inverses where determinant and cofactors may be computed by them, without loss of digits; None if one matrix is (nearly) singular."""
    try:
        inverse = np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return None
    size = np.max(np.abs(x), axis=(-2, -1)) * np.max(np.abs(inverse), axis=(-2, -1))
    return inverse if np.all(size < 1e-5 / np.finfo(x.dtype).eps) else None


def cofactors(x: Array) -> Array:
    """det(x) * inv(x) transposed, also for singular x: by the singular values where the inverse would lose digits."""
    if not x.size or not np.isfinite(x).all():
        return np.full(x.shape, np.nan, x.dtype)
    inverse = _regular_inverse(x)
    if inverse is not None:
        return np.multiply(np.linalg.det(x)[..., None, None], inverse.swapaxes(-1, -2))
    u, s, vh = np.linalg.svd(x)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    inner = np.multiply(u, products_of_all_others(s)[..., None, :])
    return np.multiply(sign[..., None, None], np.conjugate(np.matmul(inner, vh))).astype(x.dtype)


def products_of_all_others(s: Array) -> Array:
    """The product of all values but one, for each of them along the last axis."""
    n = s.shape[-1]
    ones = np.ones((*s.shape[:-1], 1), s.dtype)
    before = np.concatenate([ones, np.cumprod(s[..., : n - 1], axis=-1)], -1)
    behind = np.concatenate([ones, np.cumprod(s[..., :0:-1], axis=-1)], -1)[..., ::-1]
    return np.multiply(before, behind)


def cofactors_along(x: Array, direction: Array) -> Array:
    """The change of cofactors(x) along a direction, also for singular x."""
    x, g = np.broadcast_arrays(x, direction)
    if not x.size or not (np.isfinite(x).all() and np.isfinite(g).all()):
        return np.full(x.shape, np.nan, x.dtype)
    inverse = _regular_inverse(x)
    if inverse is not None:
        w = inverse.swapaxes(-1, -2)
        along = np.multiply(g, w).sum((-2, -1), keepdims=True)
        change = np.matmul(w, np.matmul(g.swapaxes(-1, -2), w))
        return np.multiply(np.linalg.det(x)[..., None, None], along * w - change)
    u, s, vh = np.linalg.svd(x)
    n = x.shape[-1]
    pairs = products_of_all_others(np.where(np.eye(n, dtype=bool), 1, s[..., None, :]))  # of all but i and j
    pairs = np.where(np.eye(n, dtype=bool), 0, pairs)
    inside = np.matmul(adjoint(u), np.matmul(g, adjoint(vh)))
    change = np.multiply(-pairs, inside.swapaxes(-1, -2))
    change[..., range(n), range(n)] = np.matmul(pairs, np.diagonal(inside, axis1=-2, axis2=-1)[..., None])[..., 0]
    sign = np.linalg.det(u) * np.linalg.det(vh)
    found = np.matmul(np.conjugate(u), np.matmul(change, np.conjugate(vh)))
    return np.multiply(sign[..., None, None], found).astype(x.dtype)


def cholesky_factor(x: Array, upper: bool, check: bool) -> Array:
    """L with x = L L^H read from the lower triangle, or U with x = U^H U read from the upper one.  Others raise if `check`, else give nan."""
    try:
        found = np.linalg.cholesky(x, upper=upper)
        if not check or not np.isnan(found).any():
            return found
    except np.linalg.LinAlgError:
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise
    out = np.full(x.shape, np.nan, x.dtype)
    if check:
        flat = cholesky_info(x, upper).reshape(-1)
        bad = int(np.flatnonzero(flat)[0]) if flat.any() else 0
        batch = f"(Batch element {bad}): " if x.ndim > 2 else ""
        raise np.linalg.LinAlgError(
            f"linalg.cholesky: {batch}The factorization could not be completed because the input is not positive-definite "
            f"(the leading minor of order {flat[bad]} is not positive-definite)."
        )
    for place in np.ndindex(x.shape[:-2]):
        try:
            out[place] = np.linalg.cholesky(x[place], upper=upper)
        except np.linalg.LinAlgError:
            continue
    return out


def cholesky_info(x: Array, upper: bool) -> Array:
    """For every matrix the order of the first leading minor that is not positive definite; 0 if all are.  int32."""
    info = np.zeros(x.shape[:-2], np.int32)
    try:
        if not np.isnan(np.linalg.cholesky(x, upper=upper)).any():
            return info
    except np.linalg.LinAlgError:
        pass
    from scipy.linalg.lapack import get_lapack_funcs

    potrf = get_lapack_funcs("potrf", (x,))
    for place in np.ndindex(x.shape[:-2]):
        info[place] = potrf(x[place], lower=not upper)[1]
    return info


def solve_triangular(a: Array, b: Array, upper: bool, left: bool, unitriangular: bool) -> Array:
    """X with a @ X = b (X @ a = b for left=False), reading one triangle of a.  A zero on the diagonal gives inf or nan."""
    from scipy.linalg.blas import get_blas_funcs

    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty((*lead, *b.shape[-2:]), b.dtype)
    if not out.size:
        return out
    if many(out) and many(np.broadcast_to(a, (*lead, *a.shape[-2:]))):
        if left:
            return substituted(a, b, upper, unitriangular)
        return substituted(a.swapaxes(-1, -2), b.swapaxes(-1, -2), not upper, unitriangular).swapaxes(-1, -2)
    trsm = get_blas_funcs("trsm", (a, b))
    a, b = np.broadcast_to(a, (*lead, *a.shape[-2:])), np.broadcast_to(b, out.shape)
    for place in np.ndindex(lead):
        out[place] = trsm(1.0, a[place], b[place], side=not left, lower=not upper, diag=unitriangular)
    return out


def cholesky_solved(b: Array, factor: Array, upper: bool) -> Array:
    """X with A X = b from the Cholesky factor of A, of which one triangle is read."""
    first, second = (adjoint(factor), factor) if upper else (factor, adjoint(factor))
    return solve_triangular(second, solve_triangular(first, b, False, True, False), True, True, False)


def eigh(x: Array, upper: bool) -> tuple[Array, Array]:
    """(eigenvalues ascending, eigenvectors as columns) of Hermitian matrices, read from one triangle; nan for values that are not finite."""
    try:
        values, vectors = np.linalg.eigh(x, UPLO="U" if upper else "L")
    except np.linalg.LinAlgError:
        _must_not_be_finite(x)
        return np.full(x.shape[:-1], np.nan, x.real.dtype), np.full(x.shape, np.nan, x.dtype)
    return np.asarray(values, x.real.dtype), np.asarray(vectors, x.dtype)


def _must_not_be_finite(x: Array) -> None:
    if np.isfinite(x).all():
        problem = "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues."
        raise np.linalg.LinAlgError(f"linalg.eigh: {problem}")


def hermitian_eigenvalues(x: Array, upper: bool) -> Array:
    """The eigenvalues of Hermitian matrices, ascending, read from one triangle; nan for values that are not finite."""
    try:
        return np.asarray(np.linalg.eigvalsh(x, UPLO="U" if upper else "L"), x.real.dtype)
    except np.linalg.LinAlgError:
        _must_not_be_finite(x)
        return np.full(x.shape[:-1], np.nan, x.real.dtype)


def _needs_finite(x: Array) -> None:
    if not np.isfinite(x).all():
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")


def eig(x: Array) -> tuple[Array, Array]:
    """(eigenvalues, eigenvectors as columns of length 1), both complex."""
    _needs_finite(x)
    d = np.result_type(x.dtype, np.complex64)
    values, vectors = np.linalg.eig(x)
    return values.astype(d), vectors.astype(d)


def eigenvalues(x: Array) -> Array:
    """The eigenvalues, complex."""
    _needs_finite(x)
    return np.linalg.eigvals(x).astype(np.result_type(x.dtype, np.complex64))


def svd(x: Array, full: bool) -> tuple[Array, Array, Array]:
    """(U, singular values descending, V^H)."""
    try:
        u, s, vh = np.linalg.svd(x, full_matrices=full)
    except np.linalg.LinAlgError:
        u = s = vh = np.full((), np.nan)
    _converged(s)
    return u, s, vh


def _converged(s: Array) -> None:
    if not np.isfinite(s).all():
        raise np.linalg.LinAlgError(
            "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values."
        )


def singular_values(x: Array) -> Array:
    """The singular values, descending."""
    try:
        s = np.linalg.svd(x, compute_uv=False)
    except np.linalg.LinAlgError:
        s = np.full((), np.nan)
    _converged(s)
    return np.asarray(s, x.real.dtype)


def pinv(x: Array, atol: float, rtol: float, hermitian: bool) -> Array:
    """Moore-Penrose inverses; singular values up to max(atol, rtol * largest) count as 0."""
    if not x.size:
        return np.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    if hermitian:
        values, u = eigh(x, False)
        vh, s = adjoint(u), values
    else:
        u, s, vh = svd(x, False)
    size = np.abs(s)
    limit = np.maximum(atol, rtol * np.max(size, axis=-1, keepdims=True))
    kept = size > limit
    inverse = np.where(kept, np.divide(1, np.where(kept, s, 1)), 0).astype(s.dtype)
    return np.matmul(np.multiply(adjoint(vh), inverse[..., None, :]), adjoint(u))


def qr(x: Array, mode: str) -> tuple[Array, Array]:
    """(Q, R): reduced or complete; for mode "r" Q has no elements."""
    if mode == "r":
        return np.zeros((0,), x.dtype), np.asarray(np.linalg.qr(x, mode="r"), x.dtype)
    q, r = np.linalg.qr(x, mode=mode)
    return np.asarray(q, x.dtype), np.asarray(r, x.dtype)


def lu_packed(x: Array, check: bool) -> tuple[Array, Array]:
    """(L below the diagonal and U above in one matrix, row exchanges as int32 counted from 1).  A 0 on the diagonal of U raises if `check`."""
    from scipy.linalg.lapack import get_lapack_funcs

    rows, columns = x.shape[-2:]
    count = min(rows, columns)
    packed, pivots = np.array(x), np.zeros((*x.shape[:-2], count), np.int32)
    if not x.size:
        return packed, pivots
    if many(x):
        packed, pivots = factored(x)
    else:
        getrf = get_lapack_funcs("getrf", (x,))
        for place in np.ndindex(x.shape[:-2]):
            packed[place], exchanged, _ = getrf(x[place])
            pivots[place] = exchanged + 1
    diagonal = np.diagonal(packed, axis1=-2, axis2=-1)
    if check and not diagonal.all():
        number = int(np.flatnonzero((diagonal == 0).reshape(-1))[0]) % count + 1
        raise RuntimeError(
            f"torch.linalg.lu_factor: U[{number},{number}] is zero and using it on lu_solve would result in a division by zero. "
            "If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
    return packed, pivots


def permutation_matrix(pivots: Array, rows: int, like: Any) -> Array:
    """The matrices P with A = P L U, of the dtype `like`, from row exchanges counted from 1."""
    count = int(np.prod(pivots.shape[:-1]))
    out = np.zeros((count, rows, rows), like)
    if out.size and pivots.size and (pivots.min() < 1 or pivots.max() > rows):
        raise np.linalg.LinAlgError(
            f"lu_solve, lu_unpack: pivots must lie between 1 and {rows}. Pass the result of lu_factor"
        )
    if out.size:
        out[np.arange(count)[:, None], row_order(pivots.reshape(count, -1), rows), np.arange(rows)] = 1
    return out.reshape(*pivots.shape[:-1], rows, rows)


def matrix_exp(x: Array) -> Array:
    """The exponentials of matrices."""
    if not x.size:
        return np.array(x)
    finite = np.isfinite(x).all((-2, -1), keepdims=True)
    return exponential(x) if finite.all() else np.where(finite, exponential(np.where(finite, x, 0)), np.nan)


def least_squares(a: Array, b: Array, rcond: float, values: bool) -> tuple[Array, Array, Array]:
    """(solutions of smallest length of min |a @ X - b|, ranks, singular values: zeros unless `values`)."""
    (m, n), lead = a.shape[-2:], a.shape[:-2]
    sizes, rank = np.zeros((*lead, min(m, n)), a.real.dtype), np.zeros(lead, np.int64)
    if not a.size:
        return np.zeros((*lead, n, b.shape[-1]), a.dtype), rank, sizes
    if max(m, n) <= 32 and len(lead):  # of the whole stack at once
        u, sizes, vh = svd(a, False)
        kept = sizes > rcond * np.max(sizes, axis=-1, keepdims=True)
        inverse = np.where(kept, np.divide(1, np.where(kept, sizes, 1)), 0).astype(sizes.dtype)
        inner = np.multiply(inverse[..., None], np.matmul(adjoint(u), b))
        return np.matmul(adjoint(vh), inner), kept.sum(-1), sizes
    solution = np.zeros((*lead, n, b.shape[-1]), a.dtype)
    for place in np.ndindex(lead):
        if values:
            solution[place], _, rank[place], sizes[place] = np.linalg.lstsq(a[place], b[place], rcond=rcond)
        else:
            solution[place], rank[place] = _by_pivoted_qr(a[place], b[place], rcond)
    return solution, rank, sizes


def _by_pivoted_qr(a: Array, b: Array, rcond: float) -> tuple[Array, int]:
    """(solution of smallest length, rank) by LAPACK's gelsy."""
    from scipy.linalg.lapack import get_lapack_funcs

    m, n = a.shape
    gelsy, query = get_lapack_funcs(("gelsy", "gelsy_lwork"), (a, b))
    columns = b.shape[1]
    right = np.zeros((max(m, n), max(columns, 1)), a.dtype)
    right[:m, :columns] = b
    work = int(query(m, n, right.shape[1], rcond)[0].real)
    _, x, _, rank, _ = gelsy(a, right, np.zeros((n, 1), np.int32), rcond, work)
    return x[:n, :columns], rank if columns else 0


def check_phase(g: Array, phase: Array, what: str) -> Array:
    """g; RuntimeError if `phase`, the change of the loss along a free phase of vectors, is not 0."""
    if not np.all(np.abs(phase) <= 1e-2):
        raise RuntimeError(what)
    return g
