"""NumPy kernels of all pairs of rows.  numpy_kernels.py offers them as its own, loaded at the first use.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
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
