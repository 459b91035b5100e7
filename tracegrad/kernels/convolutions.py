"""NumPy kernels of convolutions: windows as columns, in blocks that fit into a cache, and one matrix product a block.

Each function may use NumPy and the other functions of this file and of sliding.py, and nothing else: exported Python modules carry copies.
numpy_kernels.py offers them as its own, loaded at the first use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tracegrad.kernels.sliding import padded, pieces, windows

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

_BLOCK = 2**17  # elements of the columns that are made at a time


def blocks(n: int, rows: int, each: int) -> Iterator[tuple[slice, slice]]:
    """Slices of examples and of their rows, of which each has `each` elements, that hold about _BLOCK elements."""
    many = max(_BLOCK // max(each * rows, 1), 1)
    few = rows if many > 1 else max(_BLOCK // max(each, 1), 1)
    for i in range(0, n, many):
        for j in range(0, rows, few):
            yield slice(i, min(i + many, n)), slice(j, min(j + few, rows))


def columns(view: Array, examples: slice, rows: slice, axes: int) -> Array:
    """A block of windows (n, groups, c, *kernel, *sizes) as (examples, groups, c * kernel, rows * the other sizes)."""
    part = view[(examples, *(slice(None),) * (2 + axes), rows)]
    n, groups = part.shape[:2]
    return part.reshape(n, groups, math.prod(part.shape[2 : 3 + axes]), math.prod(part.shape[3 + axes :]))


def convolution(
    x: Array, weight: Array, bias: Any, stride: Shape, padding: Shape, dilation: Shape, transposed: bool, output_padding: Shape, groups: int,
) -> Array:  # fmt: skip
    """x (n, c, *s) convolved with weight (m, c // groups, *k), plus bias; transposed: weight (c, m // groups, *k)."""
    if transposed:
        out = spread(x, weight, stride, padding, dilation, output_padding, groups)
    else:
        out = gathered(padded(x, padding), weight, stride, dilation, groups)
    return out if bias is None else np.add(out, bias.reshape(-1, *(1,) * len(stride)), out=out)


def gathered(x: Array, weight: Array, stride: Shape, dilation: Shape, groups: int) -> Array:
    """The convolution of padded x."""
    (n, c, *own), (m, each, *kernel) = x.shape, weight.shape
    d = len(own)
    fits = zip(own, kernel, stride, dilation, strict=True)
    sizes = tuple((s - w * (k - 1) - 1) // t + 1 for s, k, t, w in fits)
    out = np.empty((n, m, *sizes), np.result_type(x, weight))
    if not out.size:
        return out
    if not weight.size:
        out[...] = 0
        return out
    if each == 1 and m == c == groups:
        return channelwise(x, weight, stride, dilation, out)
    parts = x.reshape(n, groups, each, *own)
    view = windows(parts, tuple(kernel), stride, dilation, sizes, kernel_first=True)
    wide = weight.reshape(groups, m // groups, each * math.prod(kernel))
    made = out.reshape(n, groups, m // groups, *sizes)
    for examples, rows in blocks(n, sizes[0], c * math.prod(kernel) * math.prod(sizes[1:])):
        here = made[examples, :, :, rows]
        np.matmul(wide, columns(view, examples, rows, d), out=here.reshape(*here.shape[:3], -1))
    return out


def channelwise(x: Array, weight: Array, stride: Shape, dilation: Shape, out: Array) -> Array:
    """Every channel convolved with a kernel of its own: one product a position of the window, over whole arrays."""
    sizes, kernel = out.shape[2:], weight.shape[2:]
    ones = (1,) * len(kernel)
    each = max(math.prod(out.shape[1:]), 1)
    many = max(_BLOCK // each, 1)
    for i in range(0, len(x), many):
        here = out[i : i + many]
        product = np.empty_like(here)
        found = pieces(x[i : i + many], kernel, stride, dilation, sizes)
        for number, (place, piece) in enumerate(zip(np.ndindex(*kernel), found, strict=True)):
            factor = weight[(slice(None), 0, *place)].reshape(-1, *ones)
            np.multiply(piece, factor, out=product if number else here)
            if number:
                np.add(here, product, out=here)
    return out


def spread(
    x: Array, weight: Array, stride: Shape, padding: Shape, dilation: Shape, more: Shape, groups: int
) -> Array:  # fmt: skip
    """The transposed convolution: with steps of 1 the convolution of padded x with the weight turned round, otherwise the windows added in their places."""
    (n, c, *own), (_, each, *kernel) = x.shape, weight.shape
    d, m = len(own), groups * each
    reach = tuple(w * (k - 1) for k, w in zip(kernel, dilation, strict=True))
    around = tuple(r - p for r, p in zip(reach, padding, strict=True))
    if all(t == 1 for t in stride) and not any(more) and min(around) >= 0:
        turned = weight.reshape(groups, c // groups, each, *kernel).swapaxes(1, 2)
        turned = np.flip(turned, tuple(range(3, 3 + d))).reshape(m, c // groups, *kernel)
        return gathered(padded(x, around), turned, stride, dilation, groups)
    whole = tuple((s - 1) * t + r + 1 + o for s, t, r, o in zip(own, stride, reach, more, strict=True))
    out = np.zeros((n, groups, each, *whole), np.result_type(x, weight))
    count = math.prod(kernel)
    wide = weight.reshape(groups, c // groups, each * count).swapaxes(1, 2)
    parts = x.reshape(n, groups, c // groups, *own)
    for examples, rows in blocks(n if out.size and x.size else 0, own[0], m * count * math.prod(own[1:])):
        part = parts[examples, :, :, rows]
        found = np.matmul(wide, part.reshape(*part.shape[:3], -1))
        found = found.reshape(*part.shape[:2], each, count, *part.shape[3:])
        for number, place in enumerate(np.ndindex(*kernel)):
            starts = [j * w for j, w in zip(place, dilation, strict=True)]
            starts[0] += rows.start * stride[0]
            at = zip(starts, part.shape[3:], stride, strict=True)
            here = out[(examples, slice(None), slice(None), *(slice(j, j + (s - 1) * t + 1, t) for j, s, t in at))]
            np.add(here, found[:, :, :, number], out=here)
    out = out.reshape(n, m, *whole)
    if not any(padding):
        return out
    inside: Any = (Ellipsis, *[slice(p, s - p) for p, s in zip(padding, whole, strict=True)])
    return np.ascontiguousarray(out[inside])


def convolution_weight(
    x: Array, y: Array, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int
) -> Array:
    """The products of every element of y (n, m, *t) with its window of x (n, c, *s), summed: (m, c // groups, *kernel)."""
    (n, c), (m, *sizes) = x.shape[:2], y.shape[1:]
    d, each = len(sizes), c // groups
    total = np.zeros((groups, m // groups, each * math.prod(kernel)), np.result_type(x, y))
    if y.size and total.size:
        parts = padded(x, padding).reshape(
            n, groups, each, *(s + 2 * p for s, p in zip(x.shape[2:], padding, strict=True))
        )
        view = windows(parts, kernel, stride, dilation, tuple(sizes), kernel_first=True)
        rows_of = y.reshape(n, groups, m // groups, *sizes)
        for examples, rows in blocks(n, sizes[0], c * math.prod(kernel) * math.prod(sizes[1:])):
            part = rows_of[examples, :, :, rows]
            found = np.matmul(part.reshape(*part.shape[:3], -1), columns(view, examples, rows, d).swapaxes(2, 3))
            np.add(total, np.add.reduce(found, axis=0), out=total)
    return total.reshape(m, each, *kernel)
