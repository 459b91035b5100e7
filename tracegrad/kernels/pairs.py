"""NumPy kernels of all pairs of rows.  numpy_kernels.py offers them as its own, loaded at the first use.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.

Squares of Euclidean distances come from one matrix product, |a|^2 + |b|^2 - 2 a b, after the rows' mean is taken away.  Where that cancels (near rows:
less than a sixteenth of the sum is left), the differences themselves are taken, so that all distances are right to a few units in the last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def pair_differences(x: Array) -> Array:
    """The differences of all pairs of rows: (0, 1), (0, 2), ..., (1, 2), ..."""
    n, k = x.shape
    out, start = np.empty((n * (n - 1) // 2, k), x.dtype), 0
    for i in range(n - 1):
        np.subtract(x[i], x[i + 1 :], out=out[start : start + n - 1 - i])
        start += n - 1 - i
    return out


def pair_sums(x: Array, shape: tuple[int, ...]) -> Array:
    """For each row the sum over the pairs that begin with it less the sum over those that end with it."""
    n, start = shape[0], 0
    out = np.zeros(shape, x.dtype)
    for i in range(n - 1):
        part, later = x[start : start + n - 1 - i], out[i + 1 :]
        np.add(out[i], np.add.reduce(part, axis=0), out=out[i])
        np.subtract(later, part, out=later)
        start += n - 1 - i
    return out


def row_distances(x1: Array, x2: Array, ord: float) -> Array:  # noqa: A002
    """The distances of all rows of x1 from all rows of x2: sums of magnitudes (ord 1), or roots of the sums of squares (ord 2), of the differences."""
    (n, k), m = x1.shape[-2:], x2.shape[-2]
    if n * m * k <= 4096:
        return row_lengths(x1[..., :, None, :] - x2[..., None, :, :], ord)
    out = np.empty((*x1.shape[:-2], n, m), x1.dtype)
    step = max(1, 32768 // m)
    for a, b, o in zip(x1.reshape(-1, n, k), x2.reshape(-1, m, k), out.reshape(-1, n, m), strict=True):
        ready = centred_rows(a, b) if ord == 2 and k > 3 else None
        for s in range(0, n, step):
            rows = slice(s, s + step)
            if ready is None or not distances_by_product(
                o[rows], a[rows], b, ready[0][rows], ready[1][rows], *ready[2:]
            ):
                ready = None
                distances_by_differences(o[rows], a[rows], b, ord)
    return out


def pair_distances(x: Array, ord: float) -> Array:  # noqa: A002
    """The distances of all pairs of rows: (0, 1), (0, 2), ..., (1, 2), ...; as row_distances."""
    n, k = x.shape
    if n * n * k <= 4096:
        return row_lengths(pair_differences(x), ord)
    out, start, step = np.empty(n * (n - 1) // 2, x.dtype), 0, max(1, 32768 // n)
    ready = centred_rows(x, x) if ord == 2 and k > 3 else None
    for s in range(0, n - 1, step):
        rows, later = slice(s, min(s + step, n - 1)), slice(s + 1, n)
        part = np.empty((rows.stop - s, n - s - 1), x.dtype)
        if ready is None or not distances_by_product(
            part, x[rows], x[later], ready[0][rows], ready[1][rows], ready[2][:, later], ready[3][later]
        ):
            ready = None
            distances_by_differences(part, x[rows], x[later], ord)
        lines = [part[i, i:] for i in range(len(part))]
        stop = start + sum(map(len, lines))
        np.concatenate(lines, out=out[start:stop])
        start = stop
    return out


def row_slopes(weight: Array, x1: Array, x2: Array, distance: Array, ord: float) -> Array:  # noqa: A002
    """For each row of x1 the sum over the rows of x2 of weight times the derivative of their distance; 0 where the rows are equal."""
    (n, k), m = x1.shape[-2:], x2.shape[-2]
    if n * m * k <= 4096:
        apart = x1[..., :, None, :] - x2[..., None, :, :]
        out = np.einsum("...nm,...nmc->...nc", *shares(weight, distance, apart, ord))
        return without_zeros(out, weight, x1, x2, distance, ord) if np.isnan(out).any() else out
    out, step = np.empty(x1.shape, x1.dtype), max(1, 32768 // m)
    every = (weight.reshape(-1, n, m), x1.reshape(-1, n, k), x2.reshape(-1, m, k), distance.reshape(-1, n, m))
    for w, a, b, d, o in zip(*every, out.reshape(-1, n, k), strict=True):
        ready = centred_rows(a, b) if ord == 2 and k > 3 else None
        for s in range(0, n, step):
            rows = slice(s, s + step)
            part = w[rows] if ord == 1 else ratios(w[rows], d[rows])
            if ready is None or not slopes_by_product(
                o[rows], part, d[rows], a[rows], b, ready[0][rows], ready[1][rows], *ready[2:]
            ):
                ready = None
                slopes_by_differences(o[rows], part, a[rows], b, ord)
    return without_zeros(out, weight, x1, x2, distance, ord) if np.isnan(out).any() else out


def without_zeros(out: Array, weight: Array, x1: Array, x2: Array, distance: Array, ord: float) -> Array:  # noqa: A002
    """row_slopes where a row or a distance is not finite, written into out: pairs with weight 0, such as those that a selection left out, count for nothing."""
    for at in np.ndindex(out.shape[:-1]):
        chosen = np.flatnonzero(weight[at])
        apart = x1[at] - x2[at[:-1]][chosen]
        out[at] = np.matmul(*shares(weight[at][chosen], distance[at][chosen], apart, ord))
    return out


def pair_slopes(weight: Array, x: Array, distance: Array, ord: float) -> Array:  # noqa: A002
    """For each row of x the sum over all its pairs of weight times the derivative of their distance; 0 where the rows are equal."""
    n, k = x.shape
    part = weight if ord == 1 else ratios(weight, distance)
    if n * n * k <= 4096 or not np.isfinite(distance).all():
        apart = np.multiply(shares(weight, distance, pair_differences(x), ord)[1], part[:, None])
        apart[weight == 0] = 0
        return pair_sums(apart, x.shape)
    ready = centred_rows(x, x) if ord == 2 and k > 3 else None
    near = None if ready is None else np.flatnonzero(np.square(distance) <= ready[1].max() / 8)
    if ready is None or near is None or near.size > weight.size // 16:
        out, square = np.empty_like(x), upper_triangle(part, n)
        slopes_by_differences(out, np.add(square, square.T, out=square), x, x, ord)
        return out
    ends = np.cumsum(np.arange(n - 1, 0, -1))
    first = np.searchsorted(ends, near, side="right")
    second = near - ends[first] + n
    apart = (x[first] - x[second]) * part[near, None]
    part[near] = 0
    square = upper_triangle(part, n)
    total = np.add.reduce(square, axis=1) + np.add.reduce(square, axis=0)
    out = total[:, None] * ready[0] - square @ ready[0] - square.T @ ready[0]
    np.add.at(out, first, apart)
    np.subtract.at(out, second, apart)
    return out


def upper_triangle(x: Array, n: int) -> Array:
    """The n by n matrix with x, row by row, above its diagonal, and zeros elsewhere."""
    out, start = np.zeros((n, n), x.dtype), 0
    for i in range(n - 1):
        stop = start + n - 1 - i
        out[i, i + 1 :] = x[start:stop]
        start = stop
    return out


def row_lengths(apart: Array, ord: float) -> Array:  # noqa: A002
    """The sums of magnitudes, or the roots of the sums of squares, along the last axis."""
    if ord == 1:
        return np.add.reduce(np.abs(apart, out=apart), axis=-1)
    return np.sqrt(np.einsum("...c,...c->...", apart, apart))


def ratios(weight: Array, distance: Array) -> Array:
    """weight / distance, 0 where the distance is 0."""
    made = np.divide(weight, distance)
    none = distance == 0
    if none.any():
        made[none] = 0
    return made


def shares(weight: Array, distance: Array, apart: Array, ord: float) -> tuple[Array, Array]:  # noqa: A002
    """What differences are multiplied by, and they themselves or their signs."""
    return (weight, np.sign(apart, out=apart)) if ord == 1 else (ratios(weight, distance), apart)


def centred_rows(a: Array, b: Array) -> tuple[Array, Array, Array, Array] | None:
    """Both less the mean of b's rows: a, its squares' sums, b doubled and transposed, its squares' sums; None where these are not finite."""
    centre = np.add.reduce(b, axis=0) / len(b)
    a, b = a - centre, b - centre
    of_a, of_b = np.einsum("ij,ij->i", a, a), np.einsum("ij,ij->i", b, b)
    if not np.isfinite(4 * (of_a.max() + of_b.max())):
        return None
    return a, of_a, np.multiply(b, 2, out=b).T, of_b


def near_pairs(square: Array, limit: Array) -> tuple[Array, Array] | None:
    """The pairs whose squared distance is less than a sixteenth of the limit, which is overwritten; None if these are many."""
    near = np.less_equal(square, np.multiply(limit, 0.0625, out=limit))
    count = np.count_nonzero(near)
    if count > near.size // 16:
        return None
    rows, columns = np.divmod(np.flatnonzero(near) if count else np.empty(0, np.intp), near.shape[1])
    return rows, columns


def distances_by_product(out: Array, a: Array, b: Array, moved: Array, of_a: Array, twice: Array, of_b: Array) -> bool:
    """Euclidean distances from a matrix product, those of near rows from differences; False, with nothing of use in out, where many are near."""
    limit = np.add.outer(of_a, of_b)
    np.subtract(limit, np.matmul(moved, twice, out=out), out=out)
    near = near_pairs(out, limit)
    if near is None:
        return False
    if near[0].size:
        apart = a[near[0]] - b[near[1]]
        out[near] = np.einsum("ij,ij->i", apart, apart)
    np.sqrt(out, out=out)
    return True


def distances_by_differences(out: Array, a: Array, b: Array, ord: float) -> None:  # noqa: A002
    """Distances from the differences of rows, in blocks of a cache's size."""
    (n, k), m = a.shape, len(b)
    columns = max(1, min(m, 131072 // k))
    rows = max(1, 131072 // (columns * k))
    of_a, of_b = np.ascontiguousarray(a.T)[:, :, None], np.ascontiguousarray(b.T)[:, None, :]
    block, ones = np.empty(k * rows * columns, a.dtype), np.ones((1, k), a.dtype)
    for t in range(0, m, columns):
        for s in range(0, n, rows):
            place = out[s : s + rows, t : t + columns]
            apart = block[: k * place.size].reshape(k, *place.shape)
            np.subtract(of_a[:, s : s + rows], of_b[:, :, t : t + columns], out=apart)
            if ord == 1:
                np.abs(apart, out=apart)
            else:
                np.multiply(apart, apart, out=apart)
            if place.flags.c_contiguous:
                np.matmul(ones, apart.reshape(k, -1), out=place.reshape(1, -1))
            else:
                place[...] = np.matmul(ones, apart.reshape(k, -1)).reshape(place.shape)
    if ord != 1:
        np.sqrt(out, out=out)


def slopes_by_product(
    out: Array, part: Array, distance: Array, a: Array, b: Array, moved: Array, of_a: Array, twice: Array, of_b: Array
) -> bool:
    """The sums over b's rows of part times a's rows less b's, from matrix products; those of near rows from differences.  False where many are near."""
    near = near_pairs(np.square(distance), np.add.outer(of_a, of_b))
    if near is None:
        return False
    rows = near[0]
    if rows.size:
        apart = (a[rows] - b[near[1]]) * part[near][:, None]
        part = part.copy()
        part[near] = 0
    np.subtract(np.add.reduce(part, axis=1)[:, None] * moved, part @ twice.T / 2, out=out)
    if rows.size:
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        out[rows[first]] += np.add.reduceat(apart, first, axis=0)
    return True


def slopes_by_differences(out: Array, part: Array, a: Array, b: Array, ord: float) -> None:  # noqa: A002
    """The sums over b's rows of part times a's rows less b's (ord 2) or times the signs of these differences (ord 1), in blocks of a cache's size."""
    (n, k), m = a.shape, len(b)
    columns = max(1, min(m, 131072 // k))
    rows = max(1, 131072 // (columns * k))
    of_a, of_b, part = a[:, :, None], np.ascontiguousarray(b.T)[None], np.ascontiguousarray(part)
    block, more, less = (np.empty((rows, k, columns), t) for t in (a.dtype, np.int8, np.int8))
    out[...] = 0
    for t in range(0, m, columns):
        for s in range(0, n, rows):
            weight = part[s : s + rows, t : t + columns]
            left, right = of_a[s : s + rows], of_b[:, :, t : t + columns]
            apart, up, down = (x[: len(weight), :, : weight.shape[1]] for x in (block, more, less))
            if ord == 1:
                np.greater(left, right, out=up.view(bool))
                np.less(left, right, out=down.view(bool))
                apart[...] = np.subtract(up, down, out=up)
            else:
                np.subtract(left, right, out=apart)
            out[s : s + rows] += np.matmul(apart, weight[:, :, None])[:, :, 0]
