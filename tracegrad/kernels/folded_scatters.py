"""NumPy kernel of scatters that fold.  numpy_kernels.py offers it as its own, loaded at the first use."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.kernels.positions import check_positions, element_places

Array = np.ndarray[Any, Any]


def scatter_reduce(
    x: Array, i: Array, source: Array, dim: int, fold: str, include_self: bool, error: type[Exception] = RuntimeError
) -> Array:
    """x with the source elements folded in at position i along axis dim: their sum, prod, mean, amax or amin, with x's own element or without."""
    if not x.ndim or not i.ndim:
        flat = (v.reshape(-1) for v in (x, i, source))
        return scatter_reduce(*flat, 0, fold, include_self, error).reshape(x.shape)
    check_positions(i, x.shape[dim], error)
    out, at = np.array(x, order="C"), element_places(x.shape, i, dim).reshape(-1)
    flat, part = out.reshape(-1), np.broadcast_to(source, i.shape).reshape(-1)
    if fold in ("amax", "amin"):
        if not include_self:
            flat[at] = part  # one of the new elements to begin with
        (np.maximum if fold == "amax" else np.minimum).at(flat, at, part)
        return out
    if not include_self:
        flat[at] = 1 if fold == "prod" else 0
    (np.multiply if fold == "prod" else np.add).at(flat, at, part)
    if fold != "mean":
        return out
    count = np.full(x.size, 1 if include_self else 0, np.int64)
    np.add.at(count, at, 1)
    np.maximum(count, 1, out=count)
    count = count.reshape(x.shape)
    return (
        np.floor_divide(out, count).astype(x.dtype) if x.dtype.kind in "iu" else np.divide(out, count.astype(x.dtype))
    )
