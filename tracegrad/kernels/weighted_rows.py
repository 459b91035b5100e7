"""NumPy kernels of weighted sums of rows: products with a sparse matrix.  numpy_kernels.py offers them as its own, loaded at the first use."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.kernels.positions import check_positions

Array = np.ndarray[Any, Any]


def weighted_rows(x: Array, index: Array, weight: Array) -> Array:
    """Sums of weight times the rows of x that index names.  Raises IndexError for a position outside of x."""
    check_positions(index, x.shape[0], IndexError)
    if not index.size or not x.size:
        return np.zeros((index.shape[0], x.shape[1]), x.dtype)
    from scipy.sparse import csr_array

    return np.asarray(csr_array(entries(index, weight), shape=(index.shape[0], x.shape[0])) @ np.ascontiguousarray(x))


def spread_rows(x: Array, index: Array, weight: Array, count: int) -> Array:
    """The rows of x times weights, added where index says, in `count` rows.  Raises IndexError for a position outside of these."""
    check_positions(index, count, IndexError)
    if not index.size or not x.size:
        return np.zeros((count, x.shape[1]), x.dtype)
    from scipy.sparse import csc_array

    return np.asarray(csc_array(entries(index, weight), shape=(count, index.shape[0])) @ np.ascontiguousarray(x))


def row_products(x: Array, index: Array, y: Array) -> Array:
    """The products of the rows of x that index names with the rows of y.  Raises IndexError for a position outside of x."""
    check_positions(index, x.shape[0], IndexError)
    rows = x.take(index.reshape(-1), axis=0).reshape(*index.shape, x.shape[1])
    return np.einsum("ktc,kc->kt", rows, y)


def entries(index: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Values, positions, and where each row's begin."""
    ends = np.arange(0, index.size + 1, max(index.shape[1], 1))
    return weight.reshape(-1), index.reshape(-1), ends
