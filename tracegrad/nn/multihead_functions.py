"""Attention with several heads, as a function: projections, masks, scores, and the projection of what the heads give."""

from __future__ import annotations

import math
import warnings
from typing import Any

from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import OptionError, ShapeError, explain
from tracegrad.nn.activation_functions import dropout
from tracegrad.nn.attention_functions import scaled_dot_product_attention
from tracegrad.nn.conv_functions import check_tensors

_NAME = "multi_head_attention_forward"


def require(condition: bool, problem: str) -> None:
    """Raise AssertionError, as torch does here, unless the condition holds."""
    if not condition:
        raise OptionError(explain(_NAME, problem))


def canonical_mask(mask: Any, name: str, other: Any, dtype: Any) -> Any:
    """A bool mask (True: hidden) as numbers to add, -inf where it is True; a floating one as it is.  Warns when `other` is a mask of another dtype."""
    if mask is None:
        return None
    kind = mask._data.dtype.kind
    require(kind in "bfV", f"only bool and floating types of {name} are supported")
    if other is not None and other._data.dtype != mask._data.dtype:
        text = f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both instead."
        warnings.warn(text, UserWarning, stacklevel=3)
    if kind != "b":
        return mask
    zeros = T.full(shape=tuple(mask.shape), value=0, dtype=dtype)
    return T.where(mask, -math.inf, zeros)


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """Attention of query to key and value in num_heads heads, and the weights if need_weights (else None).

    Shapes: (l, n, e), (s, n, e), (s, n, e) -> (l, n, e), (n, l, s) or, not averaged, (n, heads, l, s); without n too.  A bool mask hides where it is True,
    another is added to the scores.  Raises AssertionError or RuntimeError for shapes that do not fit.
    """
    check_tensors(_NAME, query=query, key=key, value=value)
    batched = _check_axes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = _as_batch(query, key, value)
        key_padding_mask = None if key_padding_mask is None else T.unsqueeze(key_padding_mask, dim=0)
    padding = canonical_mask(key_padding_mask, "key_padding_mask", attn_mask, query._data.dtype)
    mask = _attention_mask(attn_mask, padding, query, is_causal, need_weights)
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    own = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projections(query, key, value, in_proj_weight, in_proj_bias, own)
    length, count, size = query.shape
    mask = _with_batch(mask, length, key.shape[0], count * num_heads)
    if bias_k is not None and bias_v is not None:
        require(static_k is None and static_v is None, "bias cannot be added to static key or value.")
        k, v = (T.cat(x, T.broadcast_to(b, shape=(1, count, size)), dim=0) for x, b in ((k, bias_k), (v, bias_v)))
        mask, padding = _widened(mask), _widened(padding)
    else:
        require(bias_k is None and bias_v is None, "bias_k and bias_v are given together or not at all")
    q, k, v = (_heads(x, count, num_heads, size, fixed) for x, fixed in ((q, None), (k, static_k), (v, static_v)))
    if add_zero_attn:
        k, v, mask, padding = _longer(k), _longer(v), _widened(mask), _widened(padding)
    mask = _merged(mask, padding, count, num_heads, k.shape[1])
    chance, causal = dropout_p if training else 0.0, is_causal and padding is None
    heads, weights = _attended(q, k, v, mask, chance, need_weights, causal, (count, num_heads))
    made = T.reshape(T.permute(heads, dims=(2, 0, 1, 3)), shape=(length * count, size))
    made = T.reshape(T.linear(made, out_proj_weight, out_proj_bias), shape=(length, count, out_proj_weight.shape[0]))
    return _finished(made, weights, average_attn_weights, batched)


def _longer(x: Any) -> Any:
    """Keys or values with one more, of zeros."""
    return T.cat(x, T.full(shape=(x.shape[0], 1, x.shape[2]), value=0, dtype=x._data.dtype), dim=1)


def _as_batch(query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    """The three as batches of one; what was one tensor stays one, so that it is projected once."""
    q = T.unsqueeze(query, dim=1)
    k = q if key is query else T.unsqueeze(key, dim=1)
    return q, k, k if value is key else T.unsqueeze(value, dim=1)


def _finished(made: Any, weights: Any, average: bool, batched: bool) -> tuple[Any, Any]:
    if weights is not None and average:
        weights = T.mean(weights, dim=(1,), keepdim=False)
    if batched:
        return made, weights
    return T.squeeze(made, dim=1), None if weights is None else T.squeeze(weights, dim=0)


def _check_axes(query: Any, key: Any, value: Any, padding: Any, mask: Any, heads: int) -> bool:
    """Whether there is a batch axis.  Raises AssertionError for other numbers of axes."""
    axes = query.ndim
    require(axes in (2, 3), f"query should be unbatched 2D or batched 3D tensor but received {axes}-D query tensor")
    what = "batched (3-D)" if axes == 3 else "unbatched (2-D)"
    require(
        key.ndim == axes and value.ndim == axes,
        f"For {what} `query`, expected `key` and `value` to be {axes}-D but found {key.ndim}-D and {value.ndim}-D tensors respectively",
    )
    if padding is not None:
        problem = f"For {what} `query`, expected `key_padding_mask` to be `None` or {axes - 1}-D but found {padding.ndim}-D tensor instead"
        require(padding.ndim == axes - 1, problem)
    if mask is not None:
        problem = (
            f"For {what} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {mask.ndim}-D tensor instead"
        )
        require(mask.ndim in (2, 3), problem)
        wanted = (heads, query.shape[0], key.shape[0])
        if axes == 2 and mask.ndim == 3:
            require(
                tuple(mask.shape) == wanted, f"Expected `attn_mask` shape to be {wanted} but got {list(mask.shape)}"
            )
    return bool(axes == 3)


def _check_sizes(query: Any, key: Any, value: Any, embed: int, heads: int, separate: bool) -> None:
    size = query.shape[2]
    require(size == embed, f"was expecting embedding dimension of {embed}, but got {size}")
    require(size // heads * heads == size, f"embed_dim {size} not divisible by num_heads {heads}")
    if separate:
        problem = f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
        require(key.shape[:2] == value.shape[:2], problem)
    else:
        require(key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}")


def _attention_mask(mask: Any, padding: Any, query: Any, is_causal: bool, need_weights: bool) -> Any:
    if is_causal and mask is None:
        problem = "Need attn_mask if specifying the is_causal hint"
        remedy = "Use the Transformer module method `generate_square_subsequent_mask` to create this mask"
        raise ShapeError(explain(_NAME, problem, remedy))
    if is_causal and padding is None and not need_weights:
        return None  # the hint says it all
    return canonical_mask(mask, "attn_mask", None, query._data.dtype)


def _pieces(x: Any, count: int) -> list[Any]:
    size = x.shape[-1] // count
    return [T.slice(x, dim=x.ndim - 1, start=i * size, stop=(i + 1) * size, step=1) for i in range(count)]


def _projections(query: Any, key: Any, value: Any, weight: Any, bias: Any, own: Any) -> list[Any]:
    """query, key and value by one weight of three parts, or by weights of their own."""
    if own is None:
        require(weight is not None, "use_separate_proj_weight is False but in_proj_weight is None")
        if query is key and key is value:
            return _pieces(T.linear(query, weight, bias), 3)
        size = query.shape[-1]
        own = [T.slice(weight, dim=0, start=i * size, stop=(i + 1) * size, step=1) for i in range(3)]
    for name, part in zip("qkv", own, strict=True):
        require(part is not None, f"use_separate_proj_weight is True but {name}_proj_weight is None")
    biases = (None, None, None) if bias is None else _pieces(bias, 3)
    return [T.linear(x, w, b) for x, w, b in zip((query, key, value), own, biases, strict=True)]


def _with_batch(mask: Any, length: int, width: int, rows: int) -> Any:
    """The mask of the scores with an axis for batch and heads.  Raises RuntimeError for another shape."""
    if mask is None:
        return None
    wanted = (length, width) if mask.ndim == 2 else (rows, length, width)
    if tuple(mask.shape) != wanted:
        problem = f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {wanted}."
        raise ShapeError(explain(_NAME, problem))
    return T.unsqueeze(mask, dim=0) if mask.ndim == 2 else mask


def _widened(mask: Any) -> Any:
    """A mask with one more position at its end, which is seen."""
    if mask is None:
        return None
    more = T.full(shape=(*mask.shape[:-1], 1), value=0, dtype=mask._data.dtype)
    return T.cat(mask, more, dim=mask.ndim - 1)


def _heads(x: Any, count: int, heads: int, size: int, fixed: Any) -> Any:
    """(l, n, e) as (n * heads, l, e / heads); `fixed` has that form."""
    if fixed is not None:
        have, wanted = (fixed.shape[0], fixed.shape[2]), (count * heads, size // heads)
        require(have == wanted, f"expecting static_k and static_v sizes {wanted}, but got {have}")
        return fixed
    return T.transpose(T.reshape(x, shape=(x.shape[0], count * heads, size // heads)), dim0=0, dim1=1)


def _merged(mask: Any, padding: Any, count: int, heads: int, width: int) -> Any:
    if padding is None:
        return mask
    problem = f"expecting key_padding_mask shape of {(count, width)}, but got {padding.shape}"
    require(tuple(padding.shape) == (count, width), problem)
    wide = T.broadcast_to(T.reshape(padding, shape=(count, 1, 1, width)), shape=(count, heads, 1, width))
    wide = T.reshape(wide, shape=(count * heads, 1, width))
    return wide if mask is None else T.add(mask, wide)


def _attended(q: Any, k: Any, v: Any, mask: Any, chance: float, need: bool, causal: bool, rows: Any) -> tuple[Any, Any]:
    """What the heads give (n, heads, l, e / heads), and their weights if needed."""
    if not need:
        q, k, v = (T.reshape(x, shape=(*rows, *x.shape[1:])) for x in (q, k, v))
        if mask is not None:
            single = mask.shape[0] == 1 and rows[0] * rows[1] != 1
            mask = T.unsqueeze(mask, dim=0) if single else T.reshape(mask, shape=(*rows, *mask.shape[1:]))
        return scaled_dot_product_attention(q, k, v, mask, chance, causal), None
    scores = T.matmul(T.mul(q, math.sqrt(1.0 / q.shape[-1])), T.mT(k))
    weights = T.softmax(scores if mask is None else T.add(scores, mask), dim=2)
    if chance > 0.0:
        weights = dropout(weights, chance)
    made = T.matmul(weights, v)
    return T.reshape(made, shape=(*rows, *made.shape[1:])), T.reshape(weights, shape=(*rows, *weights.shape[1:]))


__all__ = ["multi_head_attention_forward"]
