"""Attention of torch.nn.functional."""

from __future__ import annotations

import math
from typing import Any

from tracegrad import dtypes
from tracegrad.eager.creation import ones
from tracegrad.eager.dispatch import T
from tracegrad.eager.rounding_once import rounds_once
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ShapeError, explain
from tracegrad.nn.activation_functions import dropout
from tracegrad.nn.conv_functions import check_tensors

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
    if query._data.ndim != 4:
        return False
    shapes = [tuple(v.shape) for v in (query, key, value)]
    if any(len(shape) != 4 or 0 in shape for shape in shapes):
        return False
    return len({shape[:2] for shape in shapes}) == len({shape[3] for shape in shapes}) == 1


__all__ = ["scaled_dot_product_attention"]
