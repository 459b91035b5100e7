"""Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011) in integer arithmetic, for NumPy and for JAX from one text.

`xp` is `numpy` or `jax.numpy` (with 64-bit types).  A key is an int64 vector (seed, counter); word number w of its stream is output w % 4 of block w // 4.
Bits, integers, uniforms and permutations are equal in both; normals agree to the rounding of log, sin and cos.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_M0, _M1, _W0, _W1, _LOW = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF
SMALL = 16  # up to so many words, Python integers beat array operations
_2_PI = 2 * math.pi


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
    if xp is np and count <= SMALL:
        pair = int(key[0]) % 2**64, int(key[1]) % 2**64
        return np.array([w for i in range(-(-count // 4)) for w in _block(pair, i)], np.uint64)[:count]
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


def random_uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`uniform` for NumPy."""
    return uniform(np, key, shape, dtype)


def random_normal(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`normal` for NumPy."""
    return normal(np, key, shape, dtype)


def random_integers(key: Any, low: int, high: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """`integers` for NumPy."""
    return integers(np, key, low, high, shape, dtype)


def random_permutation(key: Any, n: int, dtype: Any) -> Any:
    """`permutation` for NumPy."""
    return permutation(np, key, n, dtype)


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
