"""Algorithms that run over a whole stack of small matrices at once: every step is a NumPy operation along the stack.

LAPACK is called matrix by matrix from Python; below about 16 rows that call is what costs (`many` tells; measured against SciPy's loops in docs/linalg.md).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def many(x: Array) -> bool:
    """Whether a stack of matrices is long enough, and these small enough, for the algorithms of this file."""
    count, rows, columns = math.prod(x.shape[:-2]), *x.shape[-2:]
    return count >= 8 and max(rows, columns) ** 2 <= 2 * count


def _last(x: Array, lead: tuple[int, ...]) -> Array:
    """A copy with the stack as the last axis: (rows, columns, count)."""
    whole = np.broadcast_to(x, (*lead, *x.shape[-2:])) if x.shape[:-2] != lead else x
    return np.ascontiguousarray(whole.reshape(math.prod(lead), *x.shape[-2:]).transpose(1, 2, 0))


def _first(x: Array, lead: tuple[int, ...]) -> Array:
    """The stack in front again."""
    return np.ascontiguousarray(x.transpose(2, 0, 1)).reshape(*lead, *x.shape[:2])


def substituted(a: Array, b: Array, upper: bool, unitriangular: bool) -> Array:
    """X with a @ X = b for triangular a, column by column."""
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, x = _last(a, lead), _last(b, lead)
    n = a.shape[0]
    for i in reversed(range(n)) if upper else range(n):
        if not unitriangular:
            x[i] /= a[i, i]
        others = slice(0, i) if upper else slice(i + 1, n)
        x[others] -= a[others, i, None] * x[i]
    return _first(x, lead)


def factored(x: Array) -> tuple[Array, Array]:
    """(L below the diagonal and U above in one matrix, row exchanges from 1), with the pivots that LAPACK chooses."""
    lead, (m, n) = x.shape[:-2], x.shape[-2:]
    a = _last(x, lead)
    pivots = np.empty((min(m, n), a.shape[2]), np.int32)
    stack = np.arange(a.shape[2])
    for i in range(min(m, n)):
        below = a[i:, i]
        size = np.abs(below.real) + np.abs(below.imag) if x.dtype.kind == "c" else np.abs(below)
        chosen = size.argmax(0) + i
        pivots[i] = chosen + 1
        moved = a[chosen, :, stack]  # (count, columns)
        a[chosen, :, stack] = a[i].T
        a[i] = moved.T
        pivot = a[i, i]
        a[i + 1 :, i] /= np.where(pivot == 0, 1, pivot)
        a[i + 1 :, i + 1 :] -= a[i + 1 :, i, None] * a[i, i + 1 :]
    return _first(a, lead), np.ascontiguousarray(pivots.T).reshape(*lead, min(m, n))


def row_order(pivots: Array, rows: int) -> Array:
    """The rows in the order that the exchanges (counted from 1) bring them to.  Shape: (count, k) -> (count, rows)."""
    order = np.tile(np.arange(rows), (len(pivots), 1))
    if len(pivots) > 4:
        stack = np.arange(len(pivots))
        for i, chosen in enumerate(np.maximum(pivots.T - 1, 0)):
            moved = order[stack, chosen]
            order[stack, chosen] = order[:, i]
            order[:, i] = moved
        return order
    for place, exchanges in enumerate(np.maximum(pivots - 1, 0).tolist()):
        found = list(range(rows))
        for i, j in enumerate(exchanges):
            found[i], found[j] = found[j], found[i]
        order[place] = found
    return order


# N. J. Higham, The scaling and squaring method for the matrix exponential revisited, 2005: the norm up to which an approximant is exact to double precision
_APPROXIMANTS = (
    (0.01495585217958292, (120, 60, 12, 1)),
    (0.2539398330063230, (30240, 15120, 3360, 420, 30, 1)),
    (0.9504178996162932, (17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1)),
    (2.097847961257068, (17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1)),
)
_LARGEST = 5.371920351148152
_THIRTEEN = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0,
    1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip


def exponential(x: Array) -> Array:
    """The exponentials of a stack of finite matrices by Pade approximants, scaling and squaring; computed in double precision."""
    n = x.shape[-1]
    a = x.reshape(-1, n, n).astype(np.result_type(x.dtype, np.float64))
    norms = np.abs(a).sum(-2).max(-1)
    largest = float(norms.max())
    found = next((c for bound, c in _APPROXIMANTS if largest <= bound), None)
    if found is not None:
        return _approximant(a, found).reshape(x.shape).astype(x.dtype)
    halvings = np.ceil(np.log2(np.maximum(norms / _LARGEST, 1))).astype(np.int64)
    a *= np.ldexp(1.0, -halvings)[:, None, None]
    result = _approximant(a, _THIRTEEN)
    for step in range(int(halvings.max())):
        if len(norms) == 1 or (halvings > step).all():
            result = np.matmul(result, result)
        else:
            still = halvings > step
            result[still] = np.matmul(result[still], result[still])
    return result.reshape(x.shape).astype(x.dtype)


def _approximant(a: Array, c: tuple[float, ...]) -> Array:
    """(V - U)^-1 (V + U) with the odd powers of a in U, the even ones in V."""
    eye, square = np.eye(a.shape[-1], dtype=a.dtype), np.matmul(a, a)
    if len(c) == 14:
        fourth = np.matmul(square, square)
        sixth = np.matmul(square, fourth)
        u = np.matmul(sixth, c[13] * sixth + c[11] * fourth + c[9] * square)
        u = np.matmul(a, u + c[7] * sixth + c[5] * fourth + c[3] * square + c[1] * eye)
        v = np.matmul(sixth, c[12] * sixth + c[10] * fourth + c[8] * square)
        v = v + c[6] * sixth + c[4] * fourth + c[2] * square + c[0] * eye
        return np.linalg.solve(v - u, v + u)
    power, u, v = eye, c[1] * eye, c[0] * eye
    for odd, even in zip(c[3::2], c[2::2], strict=True):
        power = square if power is eye else np.matmul(power, square)
        u, v = u + odd * power, v + even * power
    u = np.matmul(a, u)
    return np.linalg.solve(v - u, v + u)
