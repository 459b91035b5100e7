"""Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) in integer arithmetic, for NumPy and for JAX from one text.

`xp` is `numpy` or `jax.numpy` (with 64-bit types).  A key is an int64 vector (seed, counter); word number w of its stream is output w % 4 of block w // 4.
Bits, integers, uniforms and permutations are equal in both; normals agree to the rounding of log, sin and cos.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

_M0, _M1, _W0, _W1, _LOW = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF
SMALL = 16  # up to so many words, Python integers beat array operations
_2_PI = 2 * math.pi
_BIG_ENDIAN = sys.byteorder == "big"
_PART = 16384  # blocks that are made at a time: what is written stays in the cache


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


def _block(key: tuple[int, int], number: int) -> tuple[int, int, int, int]:
    """The four words of one block, on Python integers."""
    seed, counter = key
    a, b, c, d = number & _LOW, number >> 32, counter & _LOW, counter >> 32
    k, m = seed & _LOW, seed >> 32
    for _ in range(10):
        p, q = _M0 * a, _M1 * c
        a, b, c, d = (q >> 32) ^ b ^ k, q & _LOW, (p >> 32) ^ d ^ m, p & _LOW
        k, m = (k + _W0) & _LOW, (m + _W1) & _LOW
    return a, b, c, d


def words(xp: Any, key: Any, count: int) -> Any:
    """The first `count` words of the key's stream, each below 2**32, as uint64."""
    if xp is np:
        return _words(key, count).astype(np.uint64)
    parts = key.astype(xp.uint64)
    low, high = parts & _LOW, parts >> 32
    number = xp.arange(-(-count // 4), dtype=xp.uint64)
    a, b, c, d = number & _LOW, number >> 32, low[1:], high[1:]
    k, m = low[:1], high[:1]
    for _ in range(10):
        p, q = a * _M0, c * _M1
        a, b, c, d = (q >> 32) ^ b ^ k, q & _LOW, (p >> 32) ^ d ^ m, p & _LOW
        k, m = (k + _W0) & _LOW, (m + _W1) & _LOW
    return xp.stack([a, b, c, d], 1).reshape(-1)[:count]


def wide_words(xp: Any, key: Any, count: int) -> Any:
    """The first `count` pairs of words as 64-bit integers."""
    pairs = words(xp, key, 2 * count)
    return (pairs[::2] << 32) | pairs[1::2]


def uniform(xp: Any, key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Uniform numbers in [0, 1) with as many bits as the dtype holds exactly: 8 (bfloat16), 11, 24 or 53."""
    d, count = np.dtype(dtype), _size(shape)
    if d.itemsize == 8:
        return ((wide_words(xp, key, count) >> 11).astype(d) * 2.0**-53).reshape(shape)
    if d.kind == "V":
        return ((words(xp, key, count) >> 24).astype(np.float32) * np.float32(2.0**-8)).astype(d).reshape(shape)
    bits = 24 if d.itemsize == 4 else 11
    return ((words(xp, key, count) >> (32 - bits)).astype(d) * d.type(2.0**-bits)).reshape(shape)


def integers(xp: Any, key: Any, low: int, high: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """Integers in [low, high): 64 random bits modulo the range."""
    drawn = wide_words(xp, key, _size(shape)) % np.uint64(high - low)
    return (drawn.astype(xp.int64) + low).astype(dtype).reshape(shape)


def normal(xp: Any, key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Standard normal numbers, computed in float64 by Box and Muller's formula and rounded once."""
    d, count = np.dtype(dtype), _size(shape)
    half = (count + 1) // 2
    if d.itemsize == 8:
        u = (wide_words(xp, key, 2 * half) >> 11).astype(np.float64) * 2.0**-53
    else:
        u = words(xp, key, 2 * half).astype(np.float64) * 2.0**-32
    radius, angle = xp.sqrt(-2.0 * xp.log(1.0 - u[:half])), _2_PI * u[half:]
    return xp.concatenate([radius * xp.cos(angle), radius * xp.sin(angle)])[:count].astype(d).reshape(shape)


def permutation(xp: Any, key: Any, n: int, dtype: Any) -> Any:
    """The positions 0 ... n-1 in the order of n random 64-bit integers."""
    drawn = wide_words(xp, key, n)
    order = np.argsort(drawn, kind="stable") if xp is np else xp.argsort(drawn, stable=True)
    return order.astype(dtype)


# For NumPy: the same in parts that stay in the cache, written into arrays that are used again


def _parts(key: Any, count: int) -> Iterator[tuple[int, Any, Any]]:
    """`count` blocks of the key's stream in parts: the number of the first, and the 64-bit integers of words 0 and 1 and of words 2 and 3, which may be overwritten."""
    seed, counter = int(key[0]) % 2**64, int(key[1]) % 2**64
    size, half = min(count, _PART), np.uint64(32)
    first, second = np.uint64(_M0), np.uint64(_M1)
    keys = [
        (np.uint64(((seed & _LOW) + i * _W0 & _LOW) << 32), np.uint64(((seed >> 32) + i * _W1 & _LOW) << 32))
        for i in range(10)
    ]
    made = np.empty((4, size), np.uint64)
    for start in range(0, count, size):
        x, y, p, q = made[:, : count - start]
        p[...] = np.arange(start, start + p.size, dtype=np.uint64)
        np.left_shift(
            p, half, out=x
        )  # words a and b in one integer; what leaves at the top is the number's higher word
        np.bitwise_or(x, np.right_shift(p, half, out=q), out=x)
        y[...] = (counter & _LOW) << 32 | counter >> 32
        for k, m in keys:
            np.multiply(np.right_shift(x, half, out=p), first, out=p)
            np.multiply(np.right_shift(y, half, out=q), second, out=q)
            np.bitwise_xor(np.left_shift(x, half, out=x), k, out=x)
            np.bitwise_xor(np.left_shift(y, half, out=y), m, out=y)
            np.bitwise_xor(x, q, out=x)
            np.bitwise_xor(y, p, out=y)
        yield start, x, y


def _swapped(x: Any) -> Any:
    """64-bit integers with their halves exchanged, in place."""
    low = np.left_shift(x, np.uint64(32))
    return np.bitwise_or(np.right_shift(x, np.uint64(32), out=x), low, out=x)


def _word_parts(key: Any, count: int) -> Iterator[tuple[slice, Any]]:
    """`count` words of the key's stream in parts, each below 2**32, as uint32 that may be overwritten, and their places."""
    both = np.empty((min(-(-count // 4), _PART), 2), np.uint64)
    for start, x, y in _parts(key, -(-count // 4)):
        here = both[: x.size]
        here[:, 0], here[:, 1] = (x, y) if _BIG_ENDIAN else (_swapped(x), _swapped(y))
        drawn = here.reshape(-1).view(np.uint32)[: count - 4 * start]
        yield slice(4 * start, 4 * start + drawn.size), drawn


def _wide_parts(key: Any, count: int) -> Iterator[tuple[slice, Any]]:
    """The same for pairs of words as 64-bit integers."""
    both = np.empty((min(-(-count // 2), _PART), 2), np.uint64)
    for start, x, y in _parts(key, -(-count // 2)):
        here = both[: x.size]
        here[:, 0], here[:, 1] = x, y
        drawn = here.reshape(-1)[: count - 2 * start]
        yield slice(2 * start, 2 * start + drawn.size), drawn


def _words(key: Any, count: int) -> Any:
    """`words` as uint32."""
    if count <= SMALL:
        pair = int(key[0]) % 2**64, int(key[1]) % 2**64
        return np.array([w for i in range(-(-count // 4)) for w in _block(pair, i)], np.uint32)[:count]
    out = np.empty(count, np.uint32)
    for at, drawn in _word_parts(key, count):
        out[at] = drawn
    return out


def _wide(key: Any, count: int) -> Any:
    """`wide_words`."""
    out = np.empty(count, np.uint64)
    for at, drawn in _wide_parts(key, count):
        out[at] = drawn
    return out


def random_uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`uniform` for NumPy."""
    d, count = np.dtype(dtype), _size(shape)
    if count <= SMALL or d.kind == "V":
        return uniform(np, key, shape, dtype)
    out, bits = np.empty(count, d), {2: 11, 4: 24, 8: 53}[d.itemsize]
    unit = d.type(2.0**-bits)
    for at, drawn in (_wide_parts if d.itemsize == 8 else _word_parts)(key, count):
        there = out[at]
        np.right_shift(drawn, drawn.dtype.type(8 * drawn.itemsize - bits), out=drawn)
        there[...] = drawn.view(f"i{drawn.itemsize}")  # the sign is 0; conversions of signed integers are quicker
        np.multiply(there, unit, out=there)
    return out.reshape(shape)


def random_normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`normal` for NumPy."""
    d, count = np.dtype(dtype), _size(shape)
    if count <= SMALL:
        return normal(np, key, shape, dtype)
    half = (count + 1) // 2
    drawn, out, unit = (
        _words(key, 2 * half) if d.itemsize < 8 else _wide(key, 2 * half),
        np.empty(2 * half, d),
        2.0**-32,
    )
    if d.itemsize == 8:
        drawn, unit = np.right_shift(drawn, np.uint64(11), out=drawn).view(np.int64), 2.0**-53
    for start in range(0, half, _PART):
        at, to = slice(start, min(start + _PART, half)), slice(half + start, half + min(start + _PART, half))
        radius = np.multiply(drawn[at], -unit)
        np.log(np.add(radius, 1.0, out=radius), out=radius)
        np.sqrt(np.multiply(radius, -2.0, out=radius), out=radius)
        turn = np.multiply(drawn[to], unit)
        cosine, sine = _turned(turn) if d.itemsize < 8 else (np.cos(_2_PI * turn), np.sin(_2_PI * turn))
        out[at], out[to] = np.multiply(cosine, radius, out=cosine), np.multiply(sine, radius, out=sine)
    return (out if out.size == count else out[:count].copy()).reshape(shape)


# the coefficients of Taylor's series of sin(x) / x and cos(x) by x**2, of which a quarter of pi needs no more for float64
_SINE = [(-1.0) ** i / math.factorial(2 * i + 1) for i in range(8, -1, -1)]
_COSINE = [(-1.0) ** i / math.factorial(2 * i) for i in range(9, -1, -1)]


def _turned(u: Any) -> tuple[Any, Any]:
    """cos(2 pi u) and sin(2 pi u) for u in [0, 1), with errors below 1e-15, enough for float32: series for a quarter of the angle less pi, which is doubled twice.

    NumPy's own sin and cos of float64 have no vector instructions; u is overwritten.
    """
    np.multiply(np.subtract(u, 0.5, out=u), _2_PI / 4, out=u)
    square = np.square(u)
    sine, cosine = np.multiply(square, _SINE[0]), np.multiply(square, _COSINE[0])
    for made, series in ((sine, _SINE), (cosine, _COSINE)):
        for c in series[1:-1]:
            np.multiply(np.add(made, c, out=made), square, out=made)
        np.add(made, series[-1], out=made)
    np.multiply(sine, u, out=sine)
    np.multiply(sine, cosine, out=cosine)  # sin(2 x) / 2
    np.multiply(np.square(sine, out=sine), -2.0, out=sine)
    np.add(sine, 1.0, out=sine)  # cos(2 x)
    np.multiply(sine, cosine, out=sine)
    np.multiply(sine, -4.0, out=sine)
    np.multiply(np.square(cosine, out=cosine), 8.0, out=cosine)
    return np.subtract(cosine, 1.0, out=cosine), sine


def random_integers(key: Any, low: int, high: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """`integers` for NumPy."""
    count, span = _size(shape), np.uint64(high - low)
    if count <= SMALL:
        return integers(np, key, low, high, shape, dtype)
    out, first = np.empty(count, dtype), np.int64(low)
    for at, drawn in _wide_parts(key, count):
        whole = np.floor_divide(drawn, span)  # has vector instructions, unlike the remainder
        np.subtract(drawn, np.multiply(whole, span, out=whole), out=drawn)
        values = drawn.view(np.int64)
        out[at] = np.add(values, first, out=values)
    return out.reshape(shape)


def random_permutation(key: Any, n: int, dtype: Any) -> Any:
    """`permutation` for NumPy."""
    if n <= SMALL:
        return np.argsort(wide_words(np, key, n), kind="stable").astype(dtype, copy=False)
    drawn = _wide(key, n)
    order = np.argsort(drawn)  # several times faster than the stable order, from which only equal numbers would differ
    ranked = drawn[order]
    if np.equal(ranked[1:], ranked[:-1]).any():
        order = np.argsort(drawn, kind="stable")
    return order.astype(dtype, copy=False)


def _bisected(xp: Any, u: Any, start: Any, cdf: Any) -> Any:
    """The smallest count whose cdf exceeds u, which lies within 16 of `start`."""
    low = xp.maximum(start - 16, -1)
    high = xp.maximum(start + 16, 0)
    for _ in range(6):
        middle = xp.floor((low + high) / 2)
        above = cdf(middle) > u
        low, high = xp.where(above, low, middle), xp.where(above, middle, high)
        high = xp.maximum(high, low + 1)
    return high


def counts_of_poisson(xp: Any, special: Any, u: Any, rate: Any) -> Any:
    """The Poisson count of each rate whose cumulative probability first exceeds u; nan for a rate that is no finite number >= 0."""
    v = xp.maximum(u.astype(np.float64), 2.0**-54)
    valid = (rate >= 0) & (rate < np.inf)
    m = xp.where(valid, rate, 0).astype(np.float64)
    z = special.ndtri(v)
    start = xp.floor(m + xp.sqrt(m) * z + (z * z - 1) / 6)
    found = _bisected(xp, v, start, lambda k: xp.where(k < 0, 0.0, special.gammaincc(xp.maximum(k, 0) + 1, m)))
    return xp.where(valid, found, np.nan).astype(rate.dtype)


def counts_of_binomial(xp: Any, special: Any, u: Any, count: Any, prob: Any) -> Any:
    """The binomial count whose cumulative probability first exceeds u; nan for a count < 0 and a probability outside [0, 1]."""
    v = xp.maximum(u.astype(np.float64), 2.0**-54)
    valid = (count >= 0) & (prob >= 0) & (prob <= 1)
    n, p = xp.where(valid, count, 0).astype(np.float64), xp.where(valid, prob, 0).astype(np.float64)
    z = special.ndtri(v)
    start = xp.clip(xp.floor(n * p + xp.sqrt(n * p * (1 - p)) * z + (1 - 2 * p) * (z * z - 1) / 6), 0, n)

    def cdf(k: Any) -> Any:
        inside = (k >= 0) & (k < n) & (p < 1)
        at = xp.where(inside, k, 0)
        left = special.betainc(xp.where(inside, n - at, 1), at + 1, xp.where(inside, 1 - p, 0.5))
        return xp.where(inside, left, xp.where(k < n, 0.0, 1.0))

    found = xp.minimum(_bisected(xp, v, start, cdf), n)
    return xp.where(valid, found, np.nan).astype(count.dtype)


def distribution_parameter(x: Any, fits: Any, problem: str) -> Any:
    """A copy of x.  Raises RuntimeError where not all of fits is true."""
    if not np.all(fits):
        raise RuntimeError(problem)
    return np.array(x)


def poisson_counts(u: Any, rate: Any) -> Any:
    """`counts_of_poisson` for NumPy."""
    from scipy import special

    with np.errstate(all="ignore"):
        return counts_of_poisson(np, special, u, rate)


def binomial_counts(u: Any, count: Any, prob: Any) -> Any:
    """`counts_of_binomial` for NumPy."""
    from scipy import special

    with np.errstate(all="ignore"):
        return counts_of_binomial(np, special, u, count, prob)
