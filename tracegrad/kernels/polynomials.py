"""NumPy kernels of orthogonal polynomials.  numpy_kernels.py offers them as its own, loaded at the first use.

Each function may use NumPy, SciPy (imported inside the function) and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def polynomial(x: Any, n: Any, family: str, shifted: bool) -> Array:
    """The polynomial of a family and of degree trunc(n) at x, or at 2 x - 1; 0 for negative degrees, nan beyond 2**20, 0 at degrees that are not finite."""
    from scipy import special as functions

    dtype = np.result_type(x, n)
    at = np.asarray(x, np.float64)
    if shifted:
        at = np.subtract(np.add(at, at), 1.0)
    beyond = np.logical_and(np.isfinite(n), np.greater(n, 2**20))  # the recurrence takes a step for each degree
    degree = np.where(np.logical_and(np.isfinite(n), np.greater(n, -1)), np.where(beyond, 0, n), -1).astype(np.int64)
    if family in "vw":  # of the third and fourth kind: a difference and a sum of two of the second kind
        upper = functions.eval_chebyu(degree, at)
        lower = functions.eval_chebyu(np.maximum(degree - 1, 0), at)
        found = np.subtract(upper, lower) if family == "v" else np.add(upper, lower)
        found = np.where(np.isinf(upper), upper, found)
    else:
        names = {"t": "chebyt", "u": "chebyu", "h": "hermite", "he": "hermitenorm", "l": "laguerre", "p": "legendre"}
        found = getattr(functions, "eval_" + names[family])(degree, at)
    if np.size(degree) == 1 and np.all(np.greater(degree, 1)):
        return np.asarray(found).astype(dtype, copy=False)
    first = {"t": (1, 0), "u": (2, 0), "v": (2, -1), "w": (2, 1), "h": (2, 0), "he": (1, 0), "l": (-1, 1), "p": (1, 0)}
    slope, start = first[family]
    found = np.where(np.equal(degree, 1), np.add(np.multiply(at, slope), start), found)
    found = np.where(np.equal(degree, 0), 1.0, np.where(np.less(degree, 0), 0.0, found))
    found = np.where(beyond, np.nan, found)
    return found.astype(dtype, copy=False)


def airy_ai(x: Array) -> Array:
    """Airy's function Ai."""
    from scipy import special as functions

    return np.asarray(functions.airy(x)[0]).astype(x.dtype, copy=False)
