"""The kernels of matrices.py over jax.numpy.  A singular matrix gives inf or nan here, and is noted where eager code raises (jax_conditions.py)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tracegrad.kernels import matrix_factors
from tracegrad.kernels.jax_conditions import all_of, note

Array = Any


def matrix_inverse(x: Array, check: bool) -> Array:
    """The inverses."""
    return matrix_solve(x, jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape), True, check)


def matrix_solve(a: Array, b: Array, left: bool, check: bool) -> Array:
    """X with a @ X = b, or X @ a = b for left=False."""
    if not left:
        return jnp.swapaxes(matrix_solve(jnp.swapaxes(a, -1, -2), jnp.swapaxes(b, -1, -2), True, check), -1, -2)
    lead = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = jnp.broadcast_to(a, (*lead, *a.shape[-2:])), jnp.broadcast_to(b, (*lead, *b.shape[-2:]))
    if not b.size:
        return b
    packed, _, order = jax.lax.linalg.lu(a)
    if check:
        note(all_of(jnp.diagonal(packed, axis1=-2, axis2=-1) != 0))
    turned = jnp.take_along_axis(b, order[..., None], axis=-2)
    return solve_triangular(packed, solve_triangular(packed, turned, False, True, True), True, True, False)


def determinant(x: Array) -> Array:
    """The determinants."""
    return jnp.linalg.det(x)


def slogdet(x: Array) -> tuple[Array, Array]:
    """(sign, log of the absolute value) of the determinants."""
    sign, size = jnp.linalg.slogdet(x)
    return sign, size


def cofactors(x: Array) -> Array:
    """det(x) * inv(x) transposed, also for singular x."""
    if not x.size:
        return x
    u, s, vh = jnp.linalg.svd(x)
    sign = jnp.linalg.det(u) * jnp.linalg.det(vh)
    return jnp.conj((u * products_of_all_others(s)[..., None, :].astype(x.dtype)) @ vh) * sign[..., None, None]


def products_of_all_others(s: Array) -> Array:
    """The product of all values but one, for each of them along the last axis."""
    n = s.shape[-1]
    ones = jnp.ones((*s.shape[:-1], 1), s.dtype)
    before = jnp.concatenate([ones, jnp.cumprod(s[..., : n - 1], axis=-1)], -1)
    behind = jnp.concatenate([ones, jnp.cumprod(s[..., :0:-1], axis=-1)], -1)[..., ::-1]
    return before * behind


def cofactors_along(x: Array, direction: Array) -> Array:
    """The change of cofactors(x) along a direction, also for singular x."""
    if not x.size:
        return x
    u, s, vh = jnp.linalg.svd(x)
    diagonal = jnp.eye(x.shape[-1], dtype=bool)
    pairs = products_of_all_others(jnp.where(diagonal, 1, s[..., None, :]))  # of all but i and j
    pairs = jnp.where(diagonal, 0, pairs).astype(x.dtype)
    turned = jnp.conj(jnp.swapaxes(u, -1, -2)), jnp.conj(jnp.swapaxes(vh, -1, -2))
    inside = turned[0] @ direction @ turned[1]
    own = pairs @ jnp.diagonal(inside, axis1=-2, axis2=-1)[..., None]
    change = jnp.where(diagonal, own, -pairs * jnp.swapaxes(inside, -1, -2))
    sign = jnp.linalg.det(u) * jnp.linalg.det(vh)
    return (jnp.conj(u) @ change @ jnp.conj(vh)) * sign[..., None, None]


def cholesky_factor(x: Array, upper: bool, check: bool) -> Array:
    """L with x = L L^H, or U with x = U^H U; nan where there is none."""
    half = jnp.triu(x, 1) if upper else jnp.tril(x, -1)
    real = jnp.real(jnp.diagonal(x, axis1=-2, axis2=-1)).astype(x.dtype)
    whole = half + jnp.conj(jnp.swapaxes(half, -1, -2)) + real[..., None] * jnp.eye(x.shape[-1], dtype=x.dtype)
    found = jnp.linalg.cholesky(whole, symmetrize_input=False)
    if check:
        note(all_of(~jnp.isnan(found)))
    return jnp.conj(jnp.swapaxes(found, -1, -2)) if upper else found


def solve_triangular(a: Array, b: Array, upper: bool, left: bool, unitriangular: bool) -> Array:
    """X with a @ X = b (X @ a = b for left=False), reading one triangle of a."""
    lead = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = jnp.broadcast_to(a, (*lead, *a.shape[-2:])), jnp.broadcast_to(b, (*lead, *b.shape[-2:]))
    if not b.size:
        return b
    return jax.lax.linalg.triangular_solve(a, b, left_side=left, lower=not upper, unit_diagonal=unitriangular)


def cholesky_solved(b: Array, factor: Array, upper: bool) -> Array:
    """X with A X = b from the Cholesky factor of A, of which one triangle is read."""
    turned = jnp.conj(jnp.swapaxes(factor, -1, -2))
    first, second = (turned, factor) if upper else (factor, turned)
    return solve_triangular(second, solve_triangular(first, b, False, True, False), True, True, False)


def eigh(x: Array, upper: bool) -> tuple[Array, Array]:
    """(eigenvalues ascending, eigenvectors as columns) of Hermitian matrices, read from one triangle."""
    found = jnp.linalg.eigh(x, UPLO="U" if upper else "L", symmetrize_input=False)
    return found[0], found[1]


def eig(x: Array) -> tuple[Array, Array]:
    """(eigenvalues, eigenvectors as columns of length 1), both complex."""
    note(all_of(jnp.isfinite(x)))
    found = jnp.linalg.eig(x)
    return found[0], found[1]


def svd(x: Array, full: bool) -> tuple[Array, Array, Array]:
    """(U, singular values descending, V^H)."""
    u, s, vh = jnp.linalg.svd(x, full_matrices=full)
    note(all_of(jnp.isfinite(s)))
    return u, s, vh


def singular_values(x: Array) -> Array:
    """The singular values, descending."""
    s = jnp.linalg.svd(x, compute_uv=False)
    note(all_of(jnp.isfinite(s)))
    return s


def hermitian_eigenvalues(x: Array, upper: bool) -> Array:
    """The eigenvalues of Hermitian matrices, ascending, read from one triangle."""
    return eigh(x, upper)[0]


def eigenvalues(x: Array) -> Array:
    """The eigenvalues, complex."""
    note(all_of(jnp.isfinite(x)))
    return jnp.linalg.eigvals(x)


def pinv(x: Array, atol: float, rtol: float, hermitian: bool) -> Array:
    """Moore-Penrose inverses; singular values up to max(atol, rtol * largest) count as 0."""
    if not x.size:
        return jnp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    if hermitian:
        s, u = eigh(x, False)
        vh = jnp.conj(jnp.swapaxes(u, -1, -2))
    else:
        u, s, vh = svd(x, False)
    return _pseudo_inverse(u, s, vh, atol, rtol)


def _pseudo_inverse(u: Array, s: Array, vh: Array, atol: float, rtol: float) -> Array:
    size = jnp.abs(s)
    kept = size > jnp.maximum(atol, rtol * jnp.max(size, axis=-1, keepdims=True))
    inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1), 0).astype(u.dtype)
    return (jnp.conj(jnp.swapaxes(vh, -1, -2)) * inverse[..., None, :]) @ jnp.conj(jnp.swapaxes(u, -1, -2))


def qr(x: Array, mode: str) -> tuple[Array, Array]:
    """(Q, R): reduced or complete; for mode "r" Q has no elements."""
    if mode == "r":
        return jnp.zeros((0,), x.dtype), jnp.linalg.qr(x, mode="r")
    q, r = jnp.linalg.qr(x, mode=mode)
    return q, r


def lu_packed(x: Array, check: bool) -> tuple[Array, Array]:
    """(L below the diagonal and U above in one matrix, row exchanges as int32 counted from 1)."""
    if not x.size:
        return x, jnp.zeros((*x.shape[:-2], min(x.shape[-2:])), np.int32)
    packed, pivots, _ = jax.lax.linalg.lu(x)
    if check:
        note(all_of(jnp.diagonal(packed, axis1=-2, axis2=-1) != 0))
    return packed, (pivots + 1).astype(np.int32)


def permutation_matrix(pivots: Array, rows: int, like: Any) -> Array:
    """The matrices P with A = P L U, of the dtype `like`, from row exchanges counted from 1."""
    order = jax.lax.linalg.lu_pivots_to_permutation(jnp.maximum(pivots - 1, 0).astype(np.int32), rows)
    return jnp.swapaxes(jax.nn.one_hot(order, rows, dtype=like), -1, -2)


def lu_info(x: Array) -> Array:
    """For every matrix the number (from 1) of the first zero on the diagonal of U; 0 if there is none.  int32."""
    dead = jnp.diagonal(lu_packed(x, False)[0], axis1=-2, axis2=-1) == 0
    if not dead.shape[-1]:
        return jnp.zeros(dead.shape[:-1], np.int32)
    return jnp.where(dead.any(-1), dead.argmax(-1) + 1, 0).astype(np.int32)


def cholesky_info(x: Array, upper: bool) -> Array:
    """For every matrix the order of the first leading minor that is not positive definite; 0 if all are.  int32."""
    found = jnp.zeros(x.shape[:-2], np.int32)
    for order in range(x.shape[-1], 0, -1):
        bad = jnp.isnan(cholesky_factor(x[..., :order, :order], upper, False)).any((-1, -2))
        found = jnp.where(bad, order, found)
    return found.astype(np.int32)


def matrix_exp(x: Array) -> Array:
    """The exponentials of matrices."""
    return jax.scipy.linalg.expm(x) if x.size else x


def least_squares(a: Array, b: Array, rcond: float, values: bool) -> tuple[Array, Array, Array]:
    """(solutions of smallest length of min |a @ X - b|, ranks, singular values)."""
    m, n = a.shape[-2:]
    if not a.size:
        lead = a.shape[:-2]
        values = jnp.zeros((*lead, min(m, n)), jnp.real(a).dtype)
        return jnp.zeros((*lead, n, b.shape[-1]), a.dtype), jnp.zeros(lead, np.int64), values
    u, s, vh = jnp.linalg.svd(a, full_matrices=False)
    rank = jnp.sum(s > rcond * jnp.max(s, axis=-1, keepdims=True), axis=-1)
    return _pseudo_inverse(u, s, vh, 0.0, rcond) @ b, rank.astype(np.int64), s


def _called(kernel: Any, results: Any, *arrays: Array) -> Any:
    """A kernel of NumPy called from the program, where JAX has none."""
    return jax.pure_callback(lambda *given: kernel(*map(np.asarray, given)), results, *arrays)


def ldl_packed(x: Array, hermitian: bool, check: bool) -> tuple[Array, Array, Array]:
    """(L below the diagonal and D in one matrix, exchanges from 1, number of a zero block of D or 0) of the lower triangles."""
    shapes = (x.shape, x.dtype), (x.shape[:-1], np.int32), (x.shape[:-2], np.int32)
    made = tuple(jax.ShapeDtypeStruct(*shape) for shape in shapes)
    packed, pivots, info = _called(lambda v: matrix_factors.ldl_packed(v, hermitian, False), made, x)
    if check:
        note(all_of(info == 0))
    return packed, pivots, info


def ldl_solved(packed: Array, pivots: Array, b: Array, hermitian: bool) -> Array:
    """X with A X = b from the factors of A."""
    lead = jnp.broadcast_shapes(packed.shape[:-2], b.shape[:-2])
    made = jax.ShapeDtypeStruct((*lead, *b.shape[-2:]), b.dtype)
    return _called(lambda *v: matrix_factors.ldl_solved(*v, hermitian), made, packed, pivots, b)


def reflections(x: Array) -> tuple[Array, Array]:
    """(R above and the reflections below the diagonal in one matrix, their factors tau) of a QR factorization."""
    if not x.size:
        return x, jnp.zeros((*x.shape[:-2], min(x.shape[-2:])), x.dtype)
    turned, tau = jnp.linalg.qr(x, mode="raw")
    return jnp.swapaxes(turned, -1, -2), tau


def check_phase(g: Array, phase: Array, what: str) -> Array:
    """g; noted if `phase`, the change of the loss along a free phase of vectors, is not 0."""
    note(all_of(jnp.abs(phase) <= 1e-2))
    return g


# Fourier transforms


def fft_c2c(x: Array, dim: tuple[int, ...], scale: float, forward: bool) -> Array:
    """The transform of complex x over the axes dim, times scale."""
    if not x.size:
        return x
    return (jnp.fft.fftn(x, axes=dim) if forward else jnp.fft.ifftn(x, axes=dim, norm="forward")) * scale


def fft_r2c(x: Array, dim: tuple[int, ...], scale: float, onesided: bool) -> Array:
    """The transform of real x over the axes dim, times scale: half of the last of them if onesided."""
    if not x.size:
        shape = list(x.shape)
        shape[dim[-1]] = shape[dim[-1]] // 2 + 1 if onesided else shape[dim[-1]]
        return jnp.zeros(shape, jnp.result_type(x.dtype, np.complex64))
    return (jnp.fft.rfftn(x, axes=dim) if onesided else jnp.fft.fftn(x, axes=dim)) * scale


def fft_c2r(x: Array, dim: tuple[int, ...], scale: float, length: int) -> Array:
    """The real values, `length` along the last of dim, of half a spectrum, times scale."""
    if not x.size:
        shape = list(x.shape)
        shape[dim[-1]] = length
        return jnp.zeros(shape, jnp.real(x).dtype)
    x = jnp.fft.ifftn(x, axes=dim[:-1], norm="forward") if len(dim) > 1 else x
    return jnp.fft.irfft(x, length, axis=dim[-1], norm="forward") * scale
