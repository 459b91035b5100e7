"""Functions that torch has at its top level as well as in nn.functional, with the signatures that they have there."""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import BOOL
from tracegrad.eager.creation import rand_like
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.nn import functional
from tracegrad.nn.activation_functions import celu_, rrelu, rrelu_, selu_, threshold_
from tracegrad.nn.activation_functions import feature_dropout as dropout_of_channels
from tracegrad.nn.conv_functions import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from tracegrad.nn.embedding_functions import bilinear
from tracegrad.nn.norm_functions import cosine_similarity, pairwise_distance, pdist
from tracegrad.nn.pool_functions import (
    adaptive_avg_pool1d,
    adaptive_max_pool1d_with_indices,
    avg_pool1d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool3d,
)
from tracegrad.nn.shape_functions import channel_shuffle, pixel_shuffle, pixel_unshuffle

adaptive_max_pool1d = adaptive_max_pool1d_with_indices
_REDUCTIONS = ("none", "mean", "sum")


def dropout(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """Every element 0 with probability p, the others divided by 1 - p; input itself unless train."""
    return functional.dropout(input, p, train)


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Any, Tensor]:  # noqa: A002
    """dropout, and where elements were kept.  Outside of training (train=False) all are; None counts as training."""
    if train is False or not p:
        kept: Tensor = T.full(shape=tuple(input.shape), value=True, dtype=BOOL)
    elif p == 1:
        kept = T.full(shape=tuple(input.shape), value=False, dtype=BOOL)
    else:
        kept = T.ge(rand_like(input.detach()), p)  # type: ignore[attr-defined]
    scale = 1.0 if train is False or p == 1 else 1.0 / (1.0 - p)
    made = T.mul(T.where(kept, input, 0.0), scale)
    return T.named(made, called="NativeDropoutBackward0"), kept


def native_channel_shuffle(input: Tensor, groups: int) -> Any:  # noqa: A002
    """Channels of `groups` groups taken in turn."""
    return channel_shuffle(input, groups)


def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Any:  # noqa: A002
    """input with `value` in front of and behind its last axes; `pad` lists (front, behind) from the last axis on, negative to cut."""
    return functional.pad(input, pad, "constant", value)


def dropout_(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """dropout in input's memory."""
    return functional.dropout(input, p, train, inplace=True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """Dropout that keeps mean and variance of selu's results."""
    return functional.alpha_dropout(input, p, train)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """alpha_dropout of whole channels."""
    return functional.feature_alpha_dropout(input, p, train)


def feature_dropout(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """dropout of whole channels."""
    return dropout_of_channels(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """alpha_dropout in input's memory."""
    return functional.alpha_dropout(input, p, train, inplace=True)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """feature_dropout in input's memory."""
    return dropout_of_channels(input, p, train, inplace=True)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Any:  # noqa: A002
    """feature_alpha_dropout in input's memory."""
    return functional.feature_alpha_dropout(input, p, train, inplace=True)


def layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    """Mean 0 and variance 1 over the last axes, times weight, plus bias."""
    return functional.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Any:  # noqa: A002
    """Division by the root of the mean square over the last axes, times weight."""
    return functional.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor,  # noqa: A002
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    """Mean 0 and variance 1 over groups of channels, times weight, plus bias."""
    return functional.group_norm(input, num_groups, weight, bias, eps)


def batch_norm(
    input: Tensor,  # noqa: A002
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """Mean 0 and variance 1 for every channel, of the batch or of the running statistics."""
    return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,  # noqa: A002
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """Mean 0 and variance 1 for every channel of every example."""
    return functional.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Any:
    """The rows of weight that indices names."""
    padding = None if padding_idx < 0 else padding_idx
    return functional.embedding(indices, weight, padding, None, 2.0, scale_grad_by_freq, sparse)


def _word(reduction: Any) -> str:
    if isinstance(reduction, int) and 0 <= reduction < len(_REDUCTIONS):
        return _REDUCTIONS[reduction]
    raise ArgumentValueError(explain("loss", "reduction is one of 0 (none), 1 (mean), 2 (sum)", reduction=reduction))


def kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Any:  # noqa: A002
    """target (log target - input), its mean or its sum."""
    loss = functional.kl_div(input, target, reduction="none", log_target=log_target)
    return {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[_word(reduction)]


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Any:  # noqa: A002
    """input where target is 1, max(0, margin - input) where it is -1."""
    return functional.hinge_embedding_loss(input, target, margin, reduction=_word(reduction))


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1) -> Any:
    """max(0, margin - target (input1 - input2))."""
    return functional.margin_ranking_loss(input1, input2, target, margin, reduction=_word(reduction))


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Any:
    """1 - cos where target is 1, max(0, cos - margin) where it is -1."""
    return functional.cosine_embedding_loss(input1, input2, target, margin, reduction=_word(reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Any:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin)."""
    return functional.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_word(reduction))


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_max_pool1d",
    "alpha_dropout",
    "avg_pool1d",
    "batch_norm",
    "bilinear",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "dropout",
    "dropout_",
    "embedding",
    "feature_alpha_dropout",
    "feature_dropout",
    "group_norm",
    "hinge_embedding_loss",
    "instance_norm",
    "kl_div",
    "layer_norm",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool3d",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "selu_",
    "threshold_",
    "triplet_margin_loss",
]
