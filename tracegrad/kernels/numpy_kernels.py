"""What one NumPy expression cannot say.  Arrays in, arrays out; knows nothing of the rest of the package.

Each function may use NumPy, SciPy (imported inside the function) and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x summed over the axes along which `shape` was broadcast to x's shape."""
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, size in enumerate(shape) if size == 1 and x.shape[lead + i] != 1)
    total = np.add.reduce(x, axis=axes, keepdims=True) if axes else x
    return np.asarray(total).reshape(shape)


def power(x: Array, y: Any) -> Array:
    """x ** y; small whole exponents by multiplication, which is exact and many times faster than pow."""
    if type(y) is int or type(y) is float:
        if y == 2:
            return np.square(x)
        if y == 3:
            return np.multiply(np.square(x), x)
        if y == 1:
            return np.positive(x)
        if y == 0.5:
            return np.sqrt(x)
    return np.power(x, y)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """x repeated to shape without copying."""
    if x.shape == shape:
        return x
    if x.ndim == 0 and type(x) is np.ndarray:  # several times faster than np.broadcast_to
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    return np.broadcast_to(x, shape)
