"""What NumPy kernels of convolutions and of pools share: arrays with a border, and the windows that slide over their last axes.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


def padded(x: Array, padding: Shape, value: Any = 0, wanted: Shape | None = None) -> Array:
    """x with `padding` elements of a value in front of its last axes, and as many behind, or as many as make at least `wanted`."""
    first = x.ndim - len(padding)
    own = x.shape[first:]
    if wanted is None:
        if not any(padding):
            return x
        whole = tuple(n + 2 * p for n, p in zip(own, padding, strict=True))
    else:
        whole = tuple(max(w, p + n) for w, p, n in zip(wanted, padding, own, strict=True))
        if whole == own:
            return x
    out = np.full((*x.shape[:first], *whole), value, x.dtype)
    here: Any = (Ellipsis, *[slice(p, p + n) for p, n in zip(padding, own, strict=True)])
    out[here] = x
    return out


def windows(x: Array, kernel: Shape, stride: Shape, dilation: Shape, sizes: Shape, kernel_first: bool = False) -> Array:
    """The windows of x over its last axes, (*a, *s) as (*a, *sizes, *kernel) or (*a, *kernel, *sizes): a view."""
    first = x.ndim - len(kernel)
    steps = x.strides[first:]
    between = tuple(s * t for s, t in zip(steps, stride, strict=True))
    within = tuple(s * d for s, d in zip(steps, dilation, strict=True))
    shape, strides = (
        ((*kernel, *sizes), (*within, *between)) if kernel_first else ((*sizes, *kernel), (*between, *within))
    )
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:first], *shape), (*x.strides[:first], *strides))


def pieces(x: Array, kernel: Shape, stride: Shape, dilation: Shape, sizes: Shape) -> Iterator[Array]:
    """For each position of the window the elements of x there, (*a, *s) as (*a, *sizes): views."""
    for place in np.ndindex(*kernel):
        at = zip(place, stride, dilation, sizes, strict=True)
        here: Any = (Ellipsis, *[slice(j * d, j * d + (n - 1) * t + 1, t) for j, t, d, n in at])
        yield x[here]
