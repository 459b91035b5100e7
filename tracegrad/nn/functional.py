"""torch.nn.functional: layers, activations and losses as functions with torch's signatures.  Over 400 lines because it lists every name."""

from __future__ import annotations

import warnings
from typing import Any

from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import operator_function, public_function
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import DataError, explain
from tracegrad.nn.activation_functions import (
    alpha_dropout,
    celu,
    celu_,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    elu,
    elu_,
    feature_alpha_dropout,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    logsigmoid,
    mish,
    prelu,
    relu6,
    rrelu,
    rrelu_,
    selu,
    selu_,
    silu,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
    threshold_,
)
from tracegrad.nn.attention_functions import scaled_dot_product_attention
from tracegrad.nn.conv_functions import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from tracegrad.nn.ctc_functions import ctc_loss
from tracegrad.nn.embedding_functions import bilinear, embedding, embedding_bag, one_hot
from tracegrad.nn.fractional_functions import (
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)
from tracegrad.nn.grid_functions import affine_grid, grid_sample
from tracegrad.nn.linear_loss_functions import kept_index, logits_of
from tracegrad.nn.loss_functions import (
    binary_cross_entropy,
    cosine_embedding_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    margin_ranking_loss,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
)
from tracegrad.nn.margin_losses import (
    multi_margin_loss,
    multilabel_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from tracegrad.nn.multihead_functions import multi_head_attention_forward
from tracegrad.nn.norm_functions import (
    batch_norm,
    cosine_similarity,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    normalize,
    pairwise_distance,
    pdist,
    rms_norm,
)
from tracegrad.nn.pool_functions import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from tracegrad.nn.resampling_functions import interpolate, upsample, upsample_bilinear, upsample_nearest
from tracegrad.nn.shape_functions import channel_shuffle, fold, pad, pixel_shuffle, pixel_unshuffle, unfold
from tracegrad.nn.time_convolutions import conv_tbc
from tracegrad.ops.losses import reduction_of

_linear = operator_function("linear")
mse_loss = public_function("mse_loss")
binary_cross_entropy_with_logits = public_function("binary_cross_entropy_with_logits")
nll_loss = public_function("nll_loss")


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
    """input @ weight^T + bias.  Shapes: (*p, k), (m, k), (m,) -> (*p, m).  Raises RuntimeError when shapes or dtypes do not fit."""
    made: Tensor = _linear(input, weight, bias)
    return made


def relu(input: Tensor, inplace: bool = False) -> Tensor:  # noqa: A002
    """max(input, 0); in input's memory if inplace."""
    made: Tensor = input.relu_() if inplace else public_function("relu")(input)  # type: ignore[attr-defined]
    return made


def relu_(input: Tensor) -> Tensor:  # noqa: A002
    """max(input, 0) in input's memory."""
    return relu(input, inplace=True)


def tanh(input: Tensor) -> Tensor:  # noqa: A002
    """Hyperbolic tangent of every element."""
    made: Tensor = public_function("tanh")(input)
    return made


def sigmoid(input: Tensor) -> Tensor:  # noqa: A002
    """1 / (1 + exp(-input)) of every element."""
    made: Tensor = public_function("sigmoid")(input)
    return made


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:  # noqa: A002
    """log(1 + exp(beta input)) / beta; input itself where beta input exceeds threshold."""
    made: Tensor = public_function("softplus")(input, beta, threshold)
    return made


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:  # noqa: A002
    """exp(input) / sum(exp(input)) along dim.  Without dim: the first axis for 0, 1 or 3 axes, else the second, with torch's warning."""
    made: Tensor = public_function("softmax")(input, _chosen("softmax", dim, input, _stacklevel), dtype=dtype)
    return made


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:  # noqa: A002
    """log(softmax(input)) along dim, without overflow; dim as in softmax."""
    made: Tensor = public_function("log_softmax")(input, _chosen("log_softmax", dim, input, _stacklevel), dtype=dtype)
    return made


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:  # noqa: A002
    """softmax(-input) along dim; dim as in softmax."""
    axis = _chosen("softmin", dim, input, _stacklevel)
    made: Tensor = public_function("softmax")(T.neg(input), axis, dtype=dtype)
    return made


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample of the relaxed categorical distribution; if hard, one-hot with the gradient of the soft one.  Source: Jang et al. 2017."""
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", UserWarning, stacklevel=2)
    drawn: Any = T.neg(T.log(logits.new_empty(logits.shape).exponential_()))  # type: ignore[attr-defined]
    soft = T.softmax(T.div(T.add(logits, drawn), tau), dim=dim % max(logits.ndim, 1))
    if not hard:
        return soft  # type: ignore[no-any-return]
    place = soft.max(dim, keepdim=True)[1]
    picked = soft.detach().mul(0).scatter(dim, place, 1.0)
    return T.add(T.sub(picked, soft.detach()), soft)  # type: ignore[no-any-return]


@with_typed_arguments
def cross_entropy(
    input: Tensor,  # noqa: A002
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy of logits (n, c, *q) or (c,) against classes (n, *q) or (), or against probabilities of input's shape.

    Raises ValueError when the batch sizes differ, IndexError for a class out of range.
    """
    chosen = reduction_of("cross_entropy", size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        problem = f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}"
        raise DataError(explain("cross_entropy", problem))
    axis = 1 if input.ndim > 1 else 0
    logs = T.log_softmax(input, dim=axis)
    if target.shape == input.shape and target._data.dtype.kind in "fV":
        if ignore_index >= 0:
            raise DataError(explain("cross_entropy", "ignore_index is not supported for floating point target"))
        return _against_probabilities(logs, target, weight, chosen, label_smoothing, axis)
    nll: Tensor = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=chosen)
    if not label_smoothing:
        return nll
    return _smoothed(logs, target, weight, ignore_index, chosen, label_smoothing, axis, nll)


@with_typed_arguments
def linear_cross_entropy(
    input: Tensor,  # noqa: A002
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """cross_entropy(linear(input, linear_weight, linear_bias), target).  Shapes: (n, k), (c, *d, k), (n, *d) -> (); without n too."""
    logits = logits_of(input, linear_weight, linear_bias)
    more: dict[str, Any] = {"ignore_index": kept_index(ignore_index, target), "label_smoothing": label_smoothing}
    return cross_entropy(logits, target, weight, reduction=reduction, **more)


@with_typed_arguments
def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:  # noqa: A002
    """|input - target|, its mean or its sum."""
    distance: Any = T.abs(T.sub(input, target))
    return _reduced(distance, reduction_of("l1_loss", size_average, reduce, reduction))


def _reduced(value: Any, reduction: str) -> Tensor:
    if reduction == "none":
        return value  # type: ignore[no-any-return]
    return value.mean() if reduction == "mean" else value.sum()  # type: ignore[no-any-return]


def _chosen(operation: str, dim: int | None, value: Tensor, level: int) -> int:
    if dim is not None:
        return dim
    text = f"Implicit dimension choice for {operation} has been deprecated. Change the call to include dim=X as an argument."
    warnings.warn(text, UserWarning, stacklevel=level)
    return 0 if value.ndim in (0, 1, 3) else 1


def _along(weight: Tensor, axis: int, ndim: int) -> Any:
    """Weights of the classes, shaped to broadcast along the class axis."""
    return T.reshape(weight, shape=tuple(weight._data.size if i == axis else 1 for i in range(ndim)))


def _against_probabilities(logs: Any, target: Any, weight: Any, reduction: str, smoothing: float, axis: int) -> Tensor:
    classes = logs._data.shape[axis]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    terms = logs * target
    if weight is not None:
        terms = terms * _along(weight, axis, logs.ndim)
    if reduction == "none":
        return -terms.sum(axis)  # type: ignore[no-any-return]
    loss: Tensor = -terms.sum()
    if reduction == "sum":
        return loss
    mean: Tensor = T.named(loss / max(logs._data.size // max(classes, 1), 1), called="DivBackward1")
    return mean


def _smoothed(
    logs: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float, axis: int, nll: Any
) -> Tensor:
    """(1 - s) nll + s times the mean loss over all classes; the means divide by the weights of the targets, as torch does."""
    classes = logs._data.shape[axis]
    spread = -(logs if weight is None else logs * _along(weight, axis, logs.ndim)).sum(axis)
    counts = target != ignore_index
    spread = T.where(counts, spread, 0.0)
    if reduction == "mean":
        spread = spread.sum() / (_factors(logs, target, weight, counts).sum())
    else:
        spread = _reduced(spread, reduction)
    return nll * (1 - smoothing) + spread * (smoothing / classes)  # type: ignore[no-any-return]


def _factors(logs: Any, target: Any, weight: Any, counts: Any) -> Any:
    if weight is None:
        return T.cast(counts, dtype=logs._data.dtype)
    chosen = T.reshape(
        T.index_select(weight, T.reshape(T.where(counts, target, 0), shape=(target._data.size,)), dim=0),
        shape=target._data.shape,
    )
    return T.where(counts, chosen, 0.0)


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "affine_grid",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "ctc_loss",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "elu",
    "elu_",
    "embedding",
    "embedding_bag",
    "feature_alpha_dropout",
    "fold",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "grid_sample",
    "group_norm",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "leaky_relu_",
    "linear",
    "linear_cross_entropy",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "mish",
    "mse_loss",
    "multi_head_attention_forward",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pdist",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "scaled_dot_product_attention",
    "selu",
    "selu_",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]
