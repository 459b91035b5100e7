"""NumPy kernels of values set in proportion over axes.  numpy_kernels.py offers them as its own, loaded at the first use.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_SHORT = 4096  # elements up to which a plain sum of squares rounds no worse than a few units


def standardise(x: Array, dim: tuple[int, ...], eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps) with mean and variance over axes."""
    if not x.size:
        return np.array(x)
    total = np.add.reduce(x, axis=dim, keepdims=True)
    count = x.size // total.size
    centered = np.asarray(np.subtract(x, np.divide(total, count), order="C"))
    if 1 < count <= _SHORT and dim == tuple(range(x.ndim - len(dim), x.ndim)):
        rows = centered.reshape(-1, count)
        squares = np.einsum("ij,ij->i", rows, rows).reshape(total.shape)
    else:
        squares = np.add.reduce(np.square(centered), axis=dim, keepdims=True)
    width = np.sqrt(np.add(np.divide(squares, count), eps))
    return np.multiply(centered, np.reciprocal(width), out=centered)
