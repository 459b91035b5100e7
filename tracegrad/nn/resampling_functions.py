"""Images, signals and volumes at other sizes: every axis by itself, as weighted sums of a few old positions or as a product with a matrix."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.rounding_once import rounds_once
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, NotSupportedError, ShapeError, explain
from tracegrad.nn.conv_functions import check_tensors
from tracegrad.nn.pool_functions import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

_LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}
_AREA = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
_MEANS = {"bilinear": 1, "bicubic": 2, "lanczos": 3}  # how far their kernels reach
_SMALL = 128  # images up to this height and width together have a kernel of their own in torch
_ANY = ("nearest", "nearest-exact", "area")
_CUBIC, _CUBIC_OF_MEANS = -0.75, -0.5


@with_typed_arguments
@rounds_once
def interpolate(
    input: Tensor,  # noqa: A002
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """input (n, c, *s) at other sizes, given as such or as factors.

    mode: "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "lanczos" or "area"; antialias, for "bilinear", "bicubic" and "lanczos",
    weighs all old positions that a new one covers.  Raises ValueError for arguments that do not go together, NotImplementedError for a mode that does not go with the number of axes.
    """
    check_tensors("interpolate", input=input)
    d = input.ndim - 2
    if align_corners is not None and mode in _ANY:
        problem = (
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
        raise ArgumentValueError(explain("interpolate", problem))
    own = tuple(input.shape[2:])
    sizes, factors = _sizes(own, d, size, scale_factor, recompute_scale_factor)
    _check_mode(input.ndim, mode, bool(align_corners), antialias)
    if mode == "area":
        return _AREA[d + 2](input, sizes)
    if min(sizes) < 1 or 0 in own:
        problem = f"Input and output sizes should be greater than 0, but got input {list(own)} output {list(sizes)}"
        raise ShapeError(explain("interpolate", problem))
    if 0 in input.shape[1:]:
        problem = f"Non-empty {input.ndim}D data tensor expected but got a tensor with sizes {list(input.shape)}"
        raise ShapeError(explain("interpolate", problem))
    made = _scaled(input, mode, sizes, factors, bool(align_corners), antialias)
    return T.named(made, called=_step(mode, d, antialias))


def _check_mode(axes: int, mode: str, corners: bool, antialias: bool) -> None:
    """Raise ValueError or NotImplementedError for a mode that does not go with the other arguments."""
    if antialias and not (mode in _MEANS and axes == 4):
        problem = (
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
        raise ArgumentValueError(explain("interpolate", problem))
    if mode == "lanczos" and axes == 4 and (corners or not antialias):
        problem = "does not support align_corners=True" if corners else "requires antialias=True"
        raise ArgumentValueError(explain("interpolate", f"Lanczos mode {problem}"))
    if axes in _LINEAR and (mode in _ANY or mode == _LINEAR[axes] or (axes == 4 and mode in _MEANS)):
        return
    problem = f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {axes}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
    if axes in _LINEAR and mode in _LINEAR.values():
        problem = f"Got {axes}D input, but {mode} mode needs {next(n for n, m in _LINEAR.items() if m == mode)}D input"
    raise NotSupportedError(explain("interpolate", problem))


def _step(mode: str, d: int, antialias: bool) -> str:
    word = {"nearest": "Nearest", "nearest-exact": "NearestExact"}.get(mode, mode.capitalize())
    return f"Upsample{word}{d}D{'Aa' if antialias else ''}Backward0"


def _scaled(x: Any, mode: str, sizes: Any, factors: Any, corners: bool, antialias: bool) -> Any:
    given, own = x, tuple(x.shape[2:])
    whole = x._data.dtype.kind not in "fV"
    if whole and not (x._data.dtype == np.uint8 and (mode.startswith("nearest") or len(own) == 2)):
        raise NotSupportedError(explain("interpolate", f"not implemented for {x.dtype}", mode=mode))
    whole = whole and not mode.startswith("nearest")
    small = len(sizes) == 2 and sum(sizes) <= _SMALL
    single = small or x._data.dtype != np.float64  # torch finds the nearest positions in the precision of the values
    for i in reversed(range(len(sizes))) if antialias or whole else range(len(sizes)):
        if own[i] == sizes[i] and (factors[i] is None or factors[i] == 1):
            continue
        pace = _pace(own[i], sizes[i], factors[i], corners)
        if whole:
            shares = _shares(mode, own[i], sizes[i], pace) if antialias else None
            taps = None if antialias else _taps(mode, own[i], sizes[i], pace, corners, single, small)
            x = _in_whole_numbers(x, 2 + i, _dense(taps, own[i]) if shares is None else shares)
        elif antialias:
            x = _by_matrix(x, 2 + i, _shares(mode, own[i], sizes[i], pace))
        else:
            x = _resampled(x, 2 + i, _taps(mode, own[i], sizes[i], pace, corners, single, small))
    return T.clone(x) if x is given else x


@with_typed_arguments
def upsample(
    input: Tensor,  # noqa: A002
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """interpolate, under its old name."""
    _warn_of("upsample", "interpolate")
    return interpolate(input, size, scale_factor, mode, align_corners)


@with_typed_arguments
def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Any:  # noqa: A002
    """interpolate with mode "nearest", under its old name."""
    _warn_of("upsample_nearest", "interpolate")
    return interpolate(input, size, scale_factor, mode="nearest")


@with_typed_arguments
def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Any:  # noqa: A002
    """interpolate with mode "bilinear" and align_corners, under its old name."""
    _warn_of("upsample_bilinear", "interpolate")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _warn_of(old: str, new: str) -> None:
    text = f"`nn.functional.{old}` is deprecated. Use `nn.functional.{new}` instead."
    warnings.warn(text, UserWarning, stacklevel=3)


def _sizes(own: Any, d: int, size: Any, scale_factor: Any, recompute: Any) -> tuple[tuple[int, ...], list[Any]]:
    """The sizes, and the factors that the positions are computed with; None where the sizes say them."""
    if (size is None) == (scale_factor is None):
        problem = (
            "only one of size or scale_factor should be defined"
            if size is not None
            else "either size or scale_factor should be defined"
        )
        raise ArgumentValueError(explain("interpolate", problem))
    given = size if size is not None else scale_factor
    many = tuple(given) if isinstance(given, (tuple, list)) else (given,) * d
    if len(many) != d:
        problem = f"Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of {list(own)} and {list(many)}"
        raise ArgumentValueError(explain("interpolate", problem))
    if size is not None:
        if recompute:
            problem = "recompute_scale_factor is not meaningful with an explicit size."
            raise ArgumentValueError(explain("interpolate", problem))
        if any(not hasattr(n, "__index__") for n in many):
            raise ArgumentError(
                explain("interpolate", f"expected size to be one of int or a tuple of ints, got {size}")
            )
        sizes, factors = tuple(int(n) for n in many), [None] * d
    else:
        sizes = tuple(math.floor(n * float(f)) for n, f in zip(own, many, strict=True))
        factors = [None] * d if recompute else [float(f) for f in many]
    return sizes, factors


def _pace(own: int, made: int, factor: Any, corners: bool) -> float:
    """The distance of two new positions, in old ones."""
    if corners:
        return (own - 1) / (made - 1) if made > 1 else 0.0
    return own / made if factor is None or factor <= 0 else 1 / factor


def _taps(
    mode: str, own: int, made: int, pace: float, corners: bool, single: bool, small: bool
) -> list[tuple[Any, Any]]:
    """For every new position: which old ones it is made of, and with which weights."""
    i = np.arange(made)
    if mode == "nearest" and small and made == 2 * own:
        return [(i // 2, None)]
    if mode.startswith("nearest"):
        kind = np.float32 if single else np.float64
        place = i.astype(kind) + kind(0.5) if mode == "nearest-exact" else i.astype(kind)
        return [(np.minimum(np.floor(place * kind(pace)).astype(np.int64), own - 1), None)]
    if corners:
        where = i * pace
    else:
        where = (i + 0.5) * pace - 0.5
        where = where if mode == "bicubic" else np.maximum(where, 0.0)
    base = np.minimum(np.floor(where), own - 1) if mode != "bicubic" else np.floor(where)
    t = where - base
    first = base.astype(np.int64)
    if mode != "bicubic":
        pairs = [(first, 1 - t), (first + 1, t)]
    else:
        shares = [_cubic(t + 1, _CUBIC), _cubic(t, _CUBIC), _cubic(1 - t, _CUBIC), _cubic(2 - t, _CUBIC)]
        pairs = [(first + k - 1, share) for k, share in enumerate(shares)]
    return [(np.clip(at, 0, own - 1), w) for at, w in pairs]


def _cubic(t: Any, a: float) -> Any:
    """The cubic kernel at distances from 0 to 2."""
    near, far = ((a + 2) * t - (a + 3)) * t * t + 1, ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t < 1, near, np.where(t < 2, far, 0.0))


def _shares(mode: str, own: int, made: int, pace: float) -> Any:
    """The weights (made, own) with which new positions are means of the old ones that they cover."""
    wide = max(pace, 1.0)
    support = _MEANS[mode] * wide
    centre = (np.arange(made) + 0.5) * pace
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + support + 0.5).astype(np.int64), own)
    at = np.arange(own)
    distance = np.abs((at - centre[:, None] + 0.5) / wide)
    if mode == "lanczos":
        shares = np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)
    else:
        shares = _cubic(distance, _CUBIC_OF_MEANS) if mode == "bicubic" else np.maximum(1 - distance, 0.0)
    shares = np.where((at >= first[:, None]) & (at < last[:, None]), shares, 0.0)
    total = shares.sum(1, keepdims=True)
    return shares / np.where(total == 0, 1.0, total)


def _dense(taps: Any, own: int) -> Any:
    """The matrix (made, own) of weighted positions."""
    made = len(taps[0][0])
    shares = np.zeros((made, own))
    for at, weight in taps:
        np.add.at(shares, (np.arange(made), at), weight)
    return shares


def _in_whole_numbers(x: Any, dim: int, shares: Any) -> Any:
    """Bytes weighted by whole numbers of at most 15 bits, as torch does, rounded and held within a byte."""
    bits = next(p for p in range(23) if p == 22 or int(0.5 + shares.max() * 2.0 ** (p + 1)) >= 1 << 15)
    scaled = shares * 2.0**bits
    weights = np.trunc(scaled + np.where(scaled < 0, -0.5, 0.5)).astype(np.int64)
    total = T.add(_by_matrix(T.cast(x, dtype=I64), dim, weights), (1 << bits) // 2)
    return T.cast(T.clamp(T.bitwise_right_shift(total, bits), min=0, max=255), dtype=x._data.dtype)


def _by_matrix(x: Any, dim: int, shares: Any) -> Any:
    matrix = T.literal(values=tuple(shares.T.ravel().tolist()), shape=shares.T.shape, dtype=x._data.dtype)
    last = x.ndim - 1
    if dim == last:
        return T.matmul(x, matrix)
    return T.transpose(T.matmul(T.transpose(x, dim0=dim, dim1=last), matrix), dim0=dim, dim1=last)


def _resampled(x: Any, dim: int, taps: list[tuple[Any, Any]]) -> Any:
    total: Any = None
    for at, weight in taps:
        part = T.index_select(x, T.literal(values=tuple(at.tolist()), shape=(len(at),), dtype=I64), dim=dim)
        if weight is not None:
            shape = tuple(len(at) if i == dim else 1 for i in range(x.ndim))
            part = T.mul(part, T.literal(values=tuple(weight.tolist()), shape=shape, dtype=x._data.dtype))
        total = part if total is None else T.add(total, part)
    return total


__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]
