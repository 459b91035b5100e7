"""Functions of torch's top level that give more than those of nn.functional do, or take numbers for their options."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tracegrad.eager.creation import ones, rand, tensor, zeros
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ShapeError, explain
from tracegrad.ir.types import one_axis
from tracegrad.nn import functional
from tracegrad.nn.conv_functions import check_tensors
from tracegrad.nn.embedding_functions import _shorten, _starts
from tracegrad.nn.time_convolutions import conv_tbc
from tracegrad.nn.torch_names import _word


def _moments(x: Any, dims: tuple[int, ...], eps: float) -> tuple[Any, Any]:
    """Mean, and 1 / sqrt(variance + eps), over dims."""
    mean = T.mean(x, dim=dims, keepdim=True)
    spread = T.mean(T.square(T.sub(x, mean)), dim=dims, keepdim=True)
    return mean, T.rsqrt(T.add(spread, eps))


def native_layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Any,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Any:
    """layer_norm, the means, and 1 over the standard deviations."""
    check_tensors("native_layer_norm", input=input)
    made = functional.layer_norm(input, normalized_shape, weight, bias, eps)
    axes = len(tuple(normalized_shape))
    mean, scale = _moments(T.detach(input), tuple(range(input.ndim - axes, input.ndim)), eps)
    return T.named(made, called="NativeLayerNormBackward0"), mean, scale


def native_group_norm(
    input: Tensor,  # noqa: A002
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,  # noqa: N803
    C: int,  # noqa: N803
    HxW: int,  # noqa: N803
    group: int,
    eps: float,
) -> Any:
    """group_norm, the means of the groups, and 1 over their standard deviations.  Shape: (n, c, *s) -> (n, c, *s), (n, group), (n, group)."""
    check_tensors("native_group_norm", input=input)
    made = functional.group_norm(input, group, weight, bias, eps)
    rows = T.reshape(input, shape=(N, group, C // group * HxW))
    mean, scale = (T.reshape(v, shape=(N, group)) for v in _moments(rows, (2,), eps))
    return tuple(T.named(v, called="NativeGroupNormBackward0") for v in (made, mean, scale))


def native_batch_norm(
    input: Tensor,  # noqa: A002
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Any:
    """batch_norm, the means of the channels, and 1 over their standard deviations; both are empty unless training."""
    check_tensors("native_batch_norm", input=input)
    made = functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    made = T.named(made, called="NativeBatchNormBackward0")
    if not training:
        return made, zeros(0, dtype=input.dtype), zeros(0, dtype=input.dtype)
    dims = (0, *range(2, input.ndim))
    mean, scale = (T.reshape(v, shape=(input.shape[1],)) for v in _moments(T.detach(input), dims, eps))
    return made, mean, scale


def native_dropout(input: Tensor, p: float, train: bool | None) -> Any:  # noqa: A002
    """Every element 0 with probability p, the others divided by 1 - p, and where they are kept.  train=None counts as True."""
    check_tensors("native_dropout", input=input)
    kept: Any = ones(input.shape).bool()  # type: ignore[attr-defined]
    x: Any = input
    if train is not False:
        kept = T.ge(rand(*input.shape), p)
        x = T.where(kept, T.mul(input, 1 / (1 - p) if p < 1 else 0.0), 0.0)
    return T.named(x, called="NativeDropoutBackward0"), kept


def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Any:
    """grad_output where mask holds, times scale."""
    check_tensors("native_dropout_backward", grad_output=grad_output, mask=mask)
    return T.mul(T.mul(grad_output, T.cast(mask, dtype=grad_output._data.dtype)), scale)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """alpha_dropout in input's memory."""
    return functional.alpha_dropout(input, p, train, inplace=True)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """dropout of whole channels in input's memory."""
    return functional.dropout2d(input, p, train, inplace=True) if train else input


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """alpha_dropout of whole channels in input's memory."""
    return functional.feature_alpha_dropout(input, p, train, inplace=True)


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Any:  # noqa: A002
    """Scale the rows of input that indices names and that are longer than max_norm, in place."""
    check_tensors("embedding_renorm_", input=input, indices=indices)
    _shorten(input, indices, max_norm, norm_type)
    return input


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """(sums, means or maxima of bags of rows, the bag of each index, sizes of the bags, the indices of the maxima); mode is 0, 1 or 2."""
    check_tensors("embedding_bag", weight=weight, indices=indices, offsets=offsets)
    padding = None if padding_idx is None or padding_idx < 0 else padding_idx
    word = ("sum", "mean", "max")[mode]
    options = (None, 2.0, scale_grad_by_freq, word, sparse, per_sample_weights, include_last_offset, padding)
    made = functional.embedding_bag(indices, weight, offsets, *options)
    starts = _starts(indices, offsets, include_last_offset)
    counts = np.diff(starts)
    listed = (
        mode or padding is not None or weight._data.dtype != np.float32
    )  # what torch's kernel for float32 sums leaves out
    bags = np.repeat(np.arange(len(counts)), counts) if listed else np.zeros(0, np.int64)
    sizes = counts if mode else np.zeros_like(counts)
    largest = sizes
    if mode == 2:
        values, rows = weight.detach().numpy(), indices.numpy()
        parts = [rows[a:b] for a, b in pairwise(starts)]
        empty = np.zeros(weight.shape[1], np.int64)
        largest = np.stack([part[values[part].argmax(0)] if len(part) else empty for part in parts])
    return made, *(tensor(np.asarray(v, np.int64)) for v in (bags, sizes, largest))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Any:  # noqa: A002
    """exp(input) - target input, or input - target log(input)."""
    check_tensors("poisson_nll_loss", input=input)
    word = _word(reduction)
    return functional.poisson_nll_loss(input, target, log_input=log_input, full=full, eps=eps, reduction=word)


def binary_cross_entropy_with_logits(
    input: Tensor,  # noqa: A002
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 0,
) -> Any:
    """The binary cross entropy of sigmoid(input); not reduced by default, as torch's does in fact."""
    check_tensors("binary_cross_entropy_with_logits", input=input)
    word = _word(reduction)
    return functional.binary_cross_entropy_with_logits(input, target, weight, reduction=word, pos_weight=pos_weight)


def convolution(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    """A convolution, or its transpose, over as many axes as weight has beyond two."""
    check_tensors("convolution", input=input, weight=weight)
    d = weight.ndim - 2
    if not 1 <= d <= 3:
        raise ShapeError(explain("convolution", f"expected a weight of 3, 4 or 5 axes, got {weight.ndim}"))
    stride, padding, dilation, output_padding = (tuple(v) for v in (stride, padding, dilation, output_padding))
    if transposed:
        function = getattr(functional, f"conv_transpose{d}d")
        return function(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return getattr(functional, f"conv{d}d")(input, weight, bias, stride, padding, dilation, groups)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Any:  # noqa: A002
    """The norms over all axes but one, which stays; over all for dim -1.  Shape: (*a, n, *b) -> (1, ..., n, ..., 1)."""
    check_tensors("norm_except_dim", v=v)
    if dim == -1:
        return T.named(v.norm(pow), called="NormBackward0")  # type: ignore[attr-defined]
    dim = one_axis("norm_except_dim", v.ndim, dim)
    others = tuple(i for i in range(v.ndim) if i != dim)
    made = v.norm(pow, others, keepdim=True) if others else v.abs()  # type: ignore[attr-defined]
    return T.named(made, called="ViewBackward0" if dim in (0, v.ndim - 1) else "TransposeBackward0")


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Any:
    """v at the length g."""
    return T.named(T.mul(v, T.div(g, norm_except_dim(v, 2, dim))), called="WeightNormInterfaceBackward0")


__all__ = [
    "_weight_norm",
    "alpha_dropout_",
    "binary_cross_entropy_with_logits",
    "conv_tbc",
    "convolution",
    "embedding_bag",
    "embedding_renorm_",
    "feature_alpha_dropout_",
    "feature_dropout_",
    "native_batch_norm",
    "native_dropout",
    "native_dropout_backward",
    "native_group_norm",
    "native_layer_norm",
    "norm_except_dim",
    "poisson_nll_loss",
]
