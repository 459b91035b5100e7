"""Attention with several heads as a module, with torch's parameters."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.creation import empty
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.nn import functional, init
from tracegrad.nn.layers import Linear
from tracegrad.nn.module import Module
from tracegrad.nn.multihead_functions import canonical_mask, require
from tracegrad.nn.parameter import Parameter


class NonDynamicallyQuantizableLinear(Linear):
    """Linear, under the name that torch shows in an attention."""


class MultiheadAttention(Module):
    """Attention of a query to keys and values in several heads.  Source: Vaswani et al. 2017."""

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            problem = f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} instead"
            raise ArgumentValueError(explain("MultiheadAttention", problem))
        super().__init__()
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.head_dim = embed_dim // num_heads
        require(self.head_dim * num_heads == embed_dim, "embed_dim must be divisible by num_heads")
        options = {"device": device, "dtype": dtype}
        shapes: dict[str, Any] = {
            "in_proj_weight": (3 * embed_dim, embed_dim) if self._qkv_same_embed_dim else None,
            "q_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, embed_dim),
            "k_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, self.kdim),
            "v_proj_weight": None if self._qkv_same_embed_dim else (embed_dim, self.vdim),
            "in_proj_bias": (3 * embed_dim,) if bias else None,
            "bias_k": (1, 1, embed_dim) if add_bias_kv else None,
            "bias_v": (1, 1, embed_dim) if add_bias_kv else None,
        }
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else Parameter(empty(shape, **options)))
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **options)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if self._parameters[name] is not None:
                init.xavier_uniform_(self._parameters[name])
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for name in ("bias_k", "bias_v"):
            if self._parameters[name] is not None:
                init.xavier_normal_(self._parameters[name])

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> Any:
        """Shapes: (l, n, embed), (s, n, k), (s, n, v) -> (l, n, embed), and weights (n, l, s) if needed; n first with batch_first; without n too.

        Raises AssertionError or RuntimeError for shapes that do not fit.
        """
        dtype = query._data.dtype
        padding = canonical_mask(key_padding_mask, "key_padding_mask", attn_mask, dtype)
        mask = canonical_mask(attn_mask, "attn_mask", None, dtype)
        turned = self.batch_first and query.ndim == 3
        if turned:
            query, key, value = _turned(query, key, value)
        made, weights = functional.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            self.training,
            padding,
            need_weights,
            mask,
            not self._qkv_same_embed_dim,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (T.transpose(made, dim0=0, dim1=1) if turned else made), weights


def _turned(query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    """Sequence first; what was one tensor stays one, so that it is projected once."""
    q = T.transpose(query, dim0=0, dim1=1)
    k = q if key is query else T.transpose(key, dim0=0, dim1=1)
    v = q if value is query else k if value is key else T.transpose(value, dim0=0, dim1=1)
    return q, k, v


__all__ = ["MultiheadAttention", "NonDynamicallyQuantizableLinear"]
