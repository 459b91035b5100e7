"""The losses of torch.nn.functional that are made of other functions."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tracegrad.dtypes import F32, number_dtype, result_dtype
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.rounding_once import rounds_once
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import (
    ArgumentError,
    ArgumentValueError,
    DataError,
    DifferentiationError,
    DTypeError,
    ShapeError,
    explain,
)
from tracegrad.ir.types import broadcast
from tracegrad.ops.checks import not_for
from tracegrad.ops.losses import check_weight, reduction_of, warn_of_broadcast


def reduced(loss: Any, reduction: str, called: str = "") -> Any:
    """The losses of the elements as they are, or their mean or sum, under the name of torch's step."""
    if reduction != "none":
        loss = loss.mean() if reduction == "mean" else loss.sum()
    return T.named(loss, called=called) if called else loss


def _paired(name: str, input: Any, target: Any, average: Any, reduce: Any, reduction: str) -> str:  # noqa: A002
    chosen = reduction_of(name, average, reduce, reduction)
    warn_of_broadcast(name, tuple(input.shape), tuple(target.shape))
    return chosen


@with_typed_arguments
@rounds_once
def smooth_l1_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Any:
    """(input - target)^2 / (2 beta) up to a distance of beta, |input - target| - beta / 2 from there on."""
    chosen = _paired("smooth_l1_loss", input, target, size_average, reduce, reduction)
    if beta < 0:
        raise ShapeError(explain("smooth_l1_loss", "smooth_l1_loss does not support negative values for beta."))
    if beta and not T.is_floating(target):
        not_for("smooth_l1_cpu", T.type(input), "biu")
    for value in (input, target):
        not_for("smooth_l1_cpu", T.type(value), "c")
    difference = T.sub(input, target)
    if beta == 0:
        return reduced(T.abs(difference), chosen)
    loss = T.huber(difference, delta=float(beta), closed=False)
    loss = loss if beta == 1 else T.div(loss, float(beta))
    return reduced(loss, chosen, "SmoothL1LossBackward0")


@with_typed_arguments
@rounds_once
def huber_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Any:
    """(input - target)^2 / 2 up to a distance of delta, delta (|input - target| - delta / 2) from there on."""
    chosen = _paired("huber_loss", input, target, None, None, reduction)
    if not isinstance(delta, (int, float)):
        raise ArgumentError(explain("huber_loss", f"delta must be a float or int, got: {type(delta)}"))
    if delta <= 0:
        raise ShapeError(explain("huber_loss", "huber_loss does not support non-positive values for delta."))
    not_for("huber_cpu", T.type(input), "biuc")
    if T.is_complex(target):
        raise DTypeError(explain("huber_loss", "target must be real", target=T.type(target)))
    loss = T.huber(T.sub(input, target), delta=float(delta), closed=True)
    if weight is None:
        return reduced(loss, chosen, "HuberLossBackward0")
    loss = T.mul(loss, weight)
    return T.div(loss.sum(), weight.sum()) if chosen == "mean" else reduced(loss, chosen)  # type: ignore[attr-defined]


def _within_unit(values: Any) -> bool:
    """Whether all lie between 0 and 1.  Floats from 0 to 1 are those whose bits, as a whole number, are not above those of 1."""
    if values.size and values.dtype == F32 and np.maximum.reduce(values.view(np.uint32), axis=None) <= 0x3F800000:
        return True
    return bool(((values >= 0) & (values <= 1)).all())


@with_typed_arguments
def binary_cross_entropy(
    input: Tensor,  # noqa: A002
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """-(target log input + (1 - target) log(1 - input)).  Raises ValueError for different shapes, RuntimeError for values outside [0, 1]."""
    chosen = reduction_of("binary_cross_entropy", size_average, reduce, reduction)
    if target.shape != input.shape:
        problem = f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. Please ensure they have the same size."
        raise ArgumentValueError(explain("binary_cross_entropy", problem))
    if target._data.dtype != input._data.dtype:
        problem = f"Found dtype {target.dtype} but expected {input.dtype}"
        raise ShapeError(explain("binary_cross_entropy", problem))
    not_for("binary_cross_entropy", T.type(input), "biu")
    if not _within_unit(input._data):
        raise DataError(explain("binary_cross_entropy", "all elements of input should be between 0 and 1"))
    if not _within_unit(target._data):
        raise DataError(explain("binary_cross_entropy", "all elements of target should be between 0 and 1"))
    loss = T.binary_cross_entropy(input, target)
    if weight is not None:
        check_weight("binary_cross_entropy", tuple(input.shape), tuple(weight.shape))
        loss = T.mul(loss, weight)
    return reduced(loss, chosen, "BinaryCrossEntropyBackward0")


@with_typed_arguments
def kl_div(
    input: Tensor,  # noqa: A002
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Any:
    """target (log target - input), where target is a probability, or its logarithm if log_target.  "batchmean" divides the sum by the batch."""
    if reduction == "mean":
        text = "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in the next major release."
        warnings.warn(text, UserWarning, stacklevel=2)
    if not (T.is_floating(input) and T.is_floating(target)):
        raise DTypeError(explain("kl_div", "Integral inputs not supported."))
    if input._data.dtype.kind == "c" or target._data.dtype.kind == "c":
        raise DTypeError(explain("kl_div", "Complex inputs not supported."))
    by_batch = reduction == "batchmean"
    chosen = reduction_of("kl_div", size_average, reduce, "sum" if by_batch else reduction)
    if log_target:
        loss = T.mul(T.exp(target), T.sub(target, input))
    else:
        nothing = T.eq(target, 0)
        safe = T.where(nothing, 1.0, target)  # nan for a negative "probability"
        loss = T.sub(T.where(nothing, 0.0, T.mul(target, T.log(safe))), T.mul(target, input))
    total = reduced(loss, chosen)
    return T.div(total, float(input.shape[0])) if by_batch and input.ndim else total


@with_typed_arguments
def poisson_nll_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """exp(input) - target * input, or input - target * log(input + eps) unless log_input; with Stirling's term if full."""
    chosen = reduction_of("poisson_nll_loss", size_average, reduce, reduction)
    if log_input:
        loss = T.sub(T.exp(input), T.mul(target, input))
    else:
        loss = T.sub(input, T.mul(target, T.log(T.add(input, float(eps)))))
    if full:
        safe = T.where(T.gt(target, 1), target, 1.0)
        term = T.add(T.sub(T.mul(safe, T.log(safe)), safe), T.mul(T.log(T.mul(safe, 2 * math.pi)), 0.5))
        loss = T.add(loss, T.where(T.gt(target, 1), term, 0.0))
    return reduced(loss, chosen)


@with_typed_arguments
def gaussian_nll_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Any:
    """(log var + (input - target)^2 / var) / 2, var at least eps.  Raises ValueError for a negative or misshaped var."""
    if not isinstance(var, (Tensor, float)):
        kind = type(var).__name__
        raise ArgumentError(explain("gaussian_nll_loss", f"argument 'var' must be Tensor or float, not {kind}"))
    variance: Any = var if isinstance(var, Tensor) else T.full(shape=tuple(input.shape), value=var, dtype=input._data.dtype)  # fmt: skip
    if variance.shape != input.shape:
        pairs = list(zip(input.shape, variance.shape, strict=False))
        if tuple(input.shape[:-1]) == tuple(variance.shape):
            variance = T.unsqueeze(variance, dim=variance.ndim)
        elif input.ndim != variance.ndim or [v for n, v in pairs if n != v] != [1]:
            raise ArgumentValueError(explain("gaussian_nll_loss", "var is of incorrect size"))
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentValueError(explain("gaussian_nll_loss", f"{reduction} is not valid"))
    if (variance._data < 0).any():
        raise ArgumentValueError(explain("gaussian_nll_loss", "var has negative entry/entries"))
    if result_dtype([variance._data.dtype], [], [number_dtype(eps)]) != variance._data.dtype:
        problem = f"result type of var and eps can't be cast to the desired output type {variance.dtype}"
        raise DTypeError(explain("gaussian_nll_loss", problem))
    bounded = T.add(variance, T.sub(T.clamp_min(variance.detach(), min=eps, max=None), variance.detach()))
    loss = T.mul(T.add(T.log(bounded), T.div(T.square(T.sub(input, target)), bounded)), 0.5)
    if full:
        loss = T.add(loss, 0.5 * math.log(2 * math.pi))
    return reduced(loss, reduction)


@with_typed_arguments
def hinge_embedding_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    margin: float = 1.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """input where target is 1, max(0, margin - input) where it is -1."""
    chosen = reduction_of("hinge_embedding_loss", size_average, reduce, reduction)
    margin, zero = (margin, 0.0) if T.is_floating(input) else (int(margin), 0)  # torch stays with whole numbers
    far = T.where(T.eq(target, 1), zero, T.clamp_min(T.rsub(input, margin), min=zero, max=None))
    near = T.where(T.eq(target, -1), zero, input)
    return reduced(T.add(far, near), chosen)


@with_typed_arguments
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """max(0, margin - target (input1 - input2))."""
    chosen = reduction_of("margin_ranking_loss", size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        problem = f"margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {input1.shape}, input2: {input2.shape}, target: {target.shape}"
        raise ShapeError(explain("margin_ranking_loss", problem))
    score = T.mul(T.neg(target), T.sub(input1, input2))
    raised = T.add(score, float(margin)) if margin or not T.is_floating(score) else score
    return reduced(T.clamp_min(raised, min=0.0, max=None), chosen)


@with_typed_arguments
@rounds_once
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """1 - cos where target is 1, max(0, cos - margin) where it is -1."""
    chosen = reduction_of("cosine_embedding_loss", size_average, reduce, reduction)
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != input1.ndim:
        problem = f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with sizes {list(input1.shape)} and {list(input2.shape)}"
        raise ShapeError(explain("cosine_embedding_loss", problem))
    pair = [v if T.is_floating(v) else T.as_dtype(v, F32) for v in (input1, input2)]
    axis = (target.ndim,)  # the lengths are taken before anything broadcasts, and never 0
    squares = [T.add(T.sum(T.mul(v, v), dim=axis, keepdim=False), 1e-12) for v in pair]
    cosine = T.div(T.sum(T.mul(*pair), dim=axis, keepdim=False), T.sqrt(T.mul(*squares)))
    near = T.where(T.eq(target, 1), T.rsub(cosine, 1.0), 0.0)
    far = T.where(T.eq(target, -1), T.clamp_min(T.sub(cosine, float(margin)), min=0.0, max=None), 0.0)
    return reduced(T.add(near, far), chosen)


@with_typed_arguments
def soft_margin_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """log(1 + exp(-target * input))."""
    chosen = reduction_of("soft_margin_loss", size_average, reduce, reduction)
    if target.requires_grad:
        problem = "The function 'soft_margin_loss' is not differentiable with respect to argument 'target'. This input cannot have requires_grad True."
        raise DifferentiationError(explain("soft_margin_loss", problem, "Give target.detach()"))
    if broadcast("soft_margin_loss", tuple(input.shape), tuple(target.shape)) != tuple(input.shape):
        problem = f"output with shape {list(input.shape)} doesn't match the shape of the target {list(target.shape)}"
        raise ShapeError(explain("soft_margin_loss", problem))
    if not T.is_floating(input):
        raise DTypeError(explain("soft_margin_loss", "input must be of a floating dtype", input=T.type(input)))
    return reduced(T.neg(T.log_sigmoid(T.mul(target, input))), chosen, "SoftMarginLossBackward0")


@with_typed_arguments
def multilabel_soft_margin_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """The mean over classes of -(target log sigmoid(input) + (1 - target) log sigmoid(-input))."""
    chosen = reduction_of("multilabel_soft_margin_loss", size_average, reduce, reduction)
    loss = T.neg(T.add(T.mul(target, T.log_sigmoid(input)), T.mul(T.rsub(target, 1.0), T.log_sigmoid(T.neg(input)))))
    if weight is not None:
        loss = T.mul(loss, weight)
    last = input.ndim - 1
    return reduced(T.div(T.sum(loss, dim=(last,), keepdim=False), float(input.shape[last])), chosen)


__all__ = [
    "binary_cross_entropy",
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "margin_ranking_loss",
    "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
]
