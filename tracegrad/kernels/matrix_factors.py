"""Kernels of factorizations in LAPACK's packed forms: L D L^T of symmetric matrices and Householder reflections.  SciPy is imported inside the functions."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _symmetric(kind: str, x: Array, hermitian: bool) -> Any:
    """LAPACK's routine for symmetric matrices, or for Hermitian ones."""
    from scipy.linalg.lapack import get_lapack_funcs

    return get_lapack_funcs(("he" if hermitian and x.dtype.kind == "c" else "sy") + kind, (x,))


def ldl_packed(x: Array, hermitian: bool, check: bool) -> tuple[Array, Array, Array]:
    """(L below the diagonal and D in one matrix, exchanges from 1, number of a zero block of D or 0) of the lower triangles.

    A zero block raises if `check`.
    """
    packed, pivots, info = np.tril(x), np.zeros(x.shape[:-1], np.int32), np.zeros(x.shape[:-2], np.int32)
    if not x.size:
        return packed, pivots, info
    factored = _symmetric("trf", x, hermitian)
    for place in np.ndindex(x.shape[:-2]):
        found, pivots[place], info[place] = factored(x[place], lower=1, lwork=64 * x.shape[-1])
        packed[place] = np.tril(found)
    if check and info.any():
        raise RuntimeError(f"torch.linalg.ldl_factor: the block {int(info[info != 0].reshape(-1)[0])} of D is zero")
    return packed, pivots, info


def _check_exchanges(pivots: Array) -> None:
    """Raise RuntimeError for exchanges that no factorization has: LAPACK would write anywhere."""
    place, n = 0, len(pivots)
    for at, k in enumerate(pivots.tolist()):
        paired = at < place  # the second row of a block
        if not 1 <= abs(k) <= n or (paired and k > 0) or (not paired and k < 0 and at + 1 == n):
            raise RuntimeError(f"torch.linalg.ldl_solve: {pivots.tolist()} are no row exchanges of ldl_factor")
        place = place if paired else at + (1 if k > 0 else 2)


def ldl_solved(packed: Array, pivots: Array, b: Array, hermitian: bool) -> Array:
    """X with A X = b from the factors of A; a zero block of D gives inf or nan."""
    lead = np.broadcast_shapes(packed.shape[:-2], b.shape[:-2])
    out = np.empty((*lead, *b.shape[-2:]), b.dtype)
    if not out.size:
        return out
    solved = _symmetric("trs", packed, hermitian)
    packed, b = np.broadcast_to(packed, (*lead, *packed.shape[-2:])), np.broadcast_to(b, out.shape)
    pivots = np.broadcast_to(pivots, (*lead, pivots.shape[-1])).astype(np.int32)
    for place in np.ndindex(lead):
        _check_exchanges(pivots[place])
        out[place] = solved(packed[place], pivots[place], b[place], lower=1)[0]
    return out


def reflections(x: Array) -> tuple[Array, Array]:
    """(R above and the reflections below the diagonal in one matrix, their factors tau) of a QR factorization."""
    m, n = x.shape[-2:]
    if not x.size:
        return np.array(x), np.zeros((*x.shape[:-2], min(m, n)), x.dtype)
    turned, tau = np.linalg.qr(x, mode="raw")
    return np.ascontiguousarray(turned.swapaxes(-1, -2)).astype(x.dtype, copy=False), tau.astype(x.dtype, copy=False)
