"""Attention and resampling of torch.nn.functional."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.dtypes import I64
from tracegrad.eager.creation import ones
from tracegrad.eager.dispatch import T
from tracegrad.eager.rounding_once import rounds_once
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, NotSupportedError, ShapeError, explain
from tracegrad.nn.activation_functions import dropout
from tracegrad.nn.conv_functions import check_tensors
from tracegrad.nn.pool_functions import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

_PLAIN = "ScaledDotProductFlashAttentionForCpuBackward0"


@rounds_once
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """softmax(query key^T * scale + mask) value.  Shapes: (*p, l, e), (*p, s, e), (*p, s, v) -> (*p, l, v).

    A bool mask says what takes part, another is added.  Rows without anything that takes part give 0.  Raises RuntimeError for shapes that do not fit.
    """
    check_tensors("scaled_dot_product_attention", query=query, key=key, value=value)
    if attn_mask is not None and is_causal:
        problem = "Explicit attn_mask should not be set when is_causal=True"
        raise ShapeError(explain("scaled_dot_product_attention", problem))
    if not query.dtype == key.dtype == value.dtype:
        problem = f"Expected query, key, and value to have the same dtype, but got query.dtype: {query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        raise ShapeError(explain("scaled_dot_product_attention", problem))
    if attn_mask is not None and attn_mask.dtype not in (dtypes.bool_, dtypes.float32, query.dtype):
        problem = f"Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: {attn_mask.dtype} and query.dtype: {query.dtype} instead."
        raise ShapeError(explain("scaled_dot_product_attention", problem))
    if min(query.ndim, key.ndim, value.ndim) < 2:
        problem = "Expected query, key, and value to all be at least 2 dimensional"
        raise ShapeError(explain("scaled_dot_product_attention", problem))
    if enable_gqa:
        key, value = (v.repeat_interleave(query.shape[-3] // v.shape[-3], -3) for v in (key, value))  # type: ignore[attr-defined]
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = T.mul(T.matmul(query, T.mT(key)), float(factor))
    if is_causal:
        attn_mask = ones(query.shape[-2], key.shape[-2]).tril().bool()  # type: ignore[attr-defined]
    if attn_mask is None:
        weights = T.softmax(scores, dim=scores.ndim - 1)
    elif attn_mask._data.dtype.kind == "b":
        weights = T.softmax(T.where(attn_mask, scores, -math.inf), dim=scores.ndim - 1)
        empty = T.logical_not(attn_mask).all(-1, keepdim=True)
        weights = T.where(empty, 0.0, weights)
    else:
        scores = T.add(scores, attn_mask)
        empty = T.eq(scores, -math.inf).all(-1, keepdim=True)
        weights = T.where(empty, 0.0, T.softmax(T.where(empty, 0.0, scores), dim=scores.ndim - 1))
    if dropout_p:
        weights = dropout(weights, dropout_p)
    made = T.matmul(weights, value)
    return made if dropout_p or not _is_plain(query, key, value) else T.named(made, called=_PLAIN)


def _is_plain(query: Any, key: Any, value: Any) -> bool:
    """Whether torch computes the attention in one step: four axes, nothing empty, no broadcasting, one size of the last axis."""
    shapes = [tuple(v.shape) for v in (query, key, value)]
    if any(len(shape) != 4 or 0 in shape for shape in shapes):
        return False
    return len({shape[:2] for shape in shapes}) == len({shape[3] for shape in shapes}) == 1


# --- interpolation

_LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}
_AREA = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
_CUBIC = -0.75


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

    mode: "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic" or "area".  Raises ValueError for arguments that do not go together,
    NotImplementedError for a mode that does not go with the number of axes, or antialias.
    """
    check_tensors("interpolate", input=input)
    d = input.ndim - 2
    smooth = mode in ("linear", "bilinear", "bicubic", "trilinear")
    if not smooth and mode not in ("nearest", "nearest-exact", "area"):
        raise NotSupportedError(explain("interpolate", f"Input Error: got {input.ndim}D input, mode: {mode}"))
    if align_corners is not None and not smooth:
        problem = (
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
        raise ArgumentValueError(explain("interpolate", problem))
    if antialias:
        raise NotSupportedError(explain("interpolate", "antialias is not supported"))
    own = tuple(input.shape[2:])
    sizes, factors = _sizes(own, d, size, scale_factor, recompute_scale_factor)
    fits = mode in ("nearest", "nearest-exact", "area") or (d == 2 if mode == "bicubic" else _LINEAR.get(d + 2) == mode)
    if not fits or not 1 <= d <= 3:
        raise NotSupportedError(explain("interpolate", f"Got {input.ndim}D input, but {mode} mode needs another"))
    if mode == "area":
        return _AREA[d + 2](input, sizes)
    x: Any = input
    for i in range(d):
        if own[i] == sizes[i] and (factors[i] is None or factors[i] == 1):
            continue
        x = _resampled(x, 2 + i, _taps(mode, own[i], sizes[i], factors[i], bool(align_corners)))
    name = {
        "nearest": f"UpsampleNearest{d}D",
        "nearest-exact": f"UpsampleNearestExact{d}D",
        "bicubic": "UpsampleBicubic2D",
    }
    called = name.get(mode, f"Upsample{mode.capitalize()}{d}D")
    return T.named(T.clone(x) if x is input else x, called=f"{called}Backward0")


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None
) -> Any:  # noqa: A002
    """interpolate, under its old name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


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
        if min(many) < 1:
            raise ShapeError(explain("interpolate", "Input and output sizes should be greater than 0", size=many))
        return many, [None] * d
    sizes = tuple(math.floor(n * float(f)) for n, f in zip(own, many, strict=True))
    if min(sizes) < 1:
        raise ShapeError(explain("interpolate", "Input and output sizes should be greater than 0", size=sizes))
    return sizes, [None] * d if recompute else [float(f) for f in many]


def _taps(mode: str, own: int, made: int, factor: Any, corners: bool) -> list[tuple[Any, Any]]:
    """For every new position: which old ones it is made of, and with which weights."""
    i = np.arange(made)
    pace = own / made if factor is None else 1 / factor
    if mode.startswith("nearest"):
        at = np.floor((i + 0.5) * pace if mode == "nearest-exact" else i * np.float32(pace))
        return [(np.minimum(at.astype(np.int64), own - 1), None)]
    if corners:
        where = i * ((own - 1) / (made - 1) if made > 1 else 0.0)
    else:
        where = (i + 0.5) * pace - 0.5
        where = where if mode == "bicubic" else np.maximum(where, 0.0)
    base = np.floor(where)
    t = where - base
    first = base.astype(np.int64)
    if mode != "bicubic":
        pairs = [(first, 1 - t), (first + 1, t)]
    else:
        pairs = [(first - 1, _far(t + 1)), (first, _near(t)), (first + 1, _near(1 - t)), (first + 2, _far(2 - t))]
    return [(np.clip(at, 0, own - 1), w) for at, w in pairs]


def _near(t: Any) -> Any:
    return ((_CUBIC + 2) * t - (_CUBIC + 3)) * t * t + 1


def _far(t: Any) -> Any:
    return ((_CUBIC * t - 5 * _CUBIC) * t + 8 * _CUBIC) * t - 4 * _CUBIC


def _resampled(x: Any, dim: int, taps: list[tuple[Any, Any]]) -> Any:
    total: Any = None
    for at, weight in taps:
        part = T.index_select(x, T.literal(values=tuple(at.tolist()), shape=(len(at),), dtype=I64), dim=dim)
        if weight is not None:
            shape = tuple(len(at) if i == dim else 1 for i in range(x.ndim))
            part = T.mul(part, T.literal(values=tuple(weight.tolist()), shape=shape, dtype=x._data.dtype))
        total = part if total is None else T.add(total, part)
    return total


__all__ = ["interpolate", "scaled_dot_product_attention", "upsample"]
