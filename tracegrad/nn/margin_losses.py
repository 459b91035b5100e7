"""The losses of torch.nn.functional that compare with a margin: of classes, of labels and of triplets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.dtypes import I64
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, DataError, DTypeError, ShapeError, explain
from tracegrad.nn.loss_functions import reduced
from tracegrad.nn.norm_functions import pairwise_distance
from tracegrad.ops.checks import not_for
from tracegrad.ops.losses import reduction_of


def _labels(operation: str, input: Tensor, target: Tensor) -> None:  # noqa: A002
    """Raise for an input that is not floating, and a target that is not int64."""
    not_for(operation, T.type(input), "biu")
    if target._data.dtype != I64:
        raise DTypeError(explain(operation, f"expected scalar type Long but found {target.dtype}"))


@with_typed_arguments
def multi_margin_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """The mean over the other classes of max(0, margin - input[t] + input[i])^p, times weight[t].  Shapes: (n, c), (n) or (c), ()."""
    chosen = reduction_of("multi_margin_loss", size_average, reduce, reduction)
    if p not in (1, 2):
        raise ArgumentValueError(explain("multi_margin_loss", "only p == 1 and p == 2 supported", p=p))
    if weight is not None and weight.ndim != 1:
        raise ArgumentValueError(explain("multi_margin_loss", "weight must be one-dimensional"))
    x = input if input.ndim == 2 else T.reshape(input, shape=(1, input._data.size))
    n, c = x.shape
    _labels("multi_margin_loss", input, target)
    if target._data.size != n or target.ndim > 1:
        raise ShapeError(explain("multi_margin_loss", f"inconsistent target size, expected {n} but got {list(target.shape)}"))  # fmt: skip
    if ((target._data < 0) | (target._data >= c)).any():
        raise DataError(explain("multi_margin_loss", "target out of range"))
    at = T.reshape(target, shape=(n, 1))
    excess = T.relu(T.add(T.sub(x, T.gather(x, at, dim=1)), float(margin)))
    terms = excess if p == 1 else T.mul(excess, excess)
    if weight is not None:
        terms = T.mul(terms, T.unsqueeze(T.index_select(weight, T.reshape(target, shape=(n,)), dim=0), dim=1))
    classes = T.arange(start=0, step=1, count=c, dtype=target._data.dtype)
    loss = T.div(T.sum(T.where(T.eq(at, classes), 0.0, terms), dim=(1,), keepdim=False), float(c))
    made = reduced(loss if input.ndim == 2 else T.squeeze(loss, dim=0), chosen)
    return T.named(made, called="MultiMarginLossBackward0")


@with_typed_arguments
def multilabel_margin_loss(
    input: Tensor,  # noqa: A002
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """The mean over classes of max(0, 1 - input[t] + input[i]) for all targets t (those in front of the first -1) and other classes i."""
    chosen = reduction_of("multilabel_margin_loss", size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ShapeError(explain("multilabel_margin_loss", f"inconsistent target size {list(target.shape)}"))
    if input.ndim > 2 or (input.ndim == 2 and not input.shape[1]):
        problem = f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        raise ShapeError(explain("multilabel_margin_loss", problem))
    _labels("multilabel_margin_loss", input, target)
    x, t = ((v if v.ndim == 2 else T.reshape(v, shape=(1, v._data.size))) for v in (input, target))
    c = x.shape[1]
    if ((target._data < -1) | (target._data >= c)).any():
        raise DataError(explain("multilabel_margin_loss", "argument #2 'target' is out of range"))
    ended = T.gt(T.cumsum(T.as_dtype(T.lt(t, 0), t._data.dtype), dim=1), 0)
    at = T.where(ended, 0, t)
    classes = T.arange(start=0, step=1, count=c, dtype=t._data.dtype)
    named = T.logical_and(T.eq(T.unsqueeze(at, dim=2), classes), T.logical_not(T.unsqueeze(ended, dim=2)))
    is_target = named.any(1)
    excess = T.rsub(T.sub(T.unsqueeze(T.gather(x, at, dim=1), dim=2), T.unsqueeze(x, dim=1)), 1.0)
    counts = T.logical_not(T.logical_or(T.unsqueeze(ended, dim=2), T.unsqueeze(is_target, dim=1)))
    terms = T.where(counts, T.relu(excess), 0.0)
    loss = T.div(T.sum(terms, dim=(1, 2), keepdim=False), float(c))
    made = reduced(loss if input.ndim == 2 else T.squeeze(loss, dim=0), chosen)
    return T.named(made, called="MultilabelMarginLossBackward0")


@with_typed_arguments
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Any:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin); the nearer of anchor and positive counts for the negative if swap."""
    chosen = reduction_of("triplet_margin_loss", size_average, reduce, reduction)

    def distance(x: Any, y: Any) -> Any:
        return pairwise_distance(x, y, p, eps)

    return _triplets("triplet_margin_loss", (anchor, positive, negative), distance, margin, swap, chosen)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[..., Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """triplet_margin_loss with a distance of one's own."""
    reduction = reduction_of("triplet_margin_with_distance_loss", None, None, reduction)
    distance = pairwise_distance if distance_function is None else distance_function
    triplets = (anchor, positive, negative)
    return _triplets("triplet_margin_with_distance_loss", triplets, distance, margin, swap, reduction)


def _triplets(operation: str, triplets: Any, distance: Any, margin: float, swap: bool, reduction: str) -> Any:
    """The loss of (anchor, positive, negative).  Raises ValueError for a margin that is not positive, RuntimeError for different numbers of axes."""
    if margin <= 0:
        raise ArgumentValueError(explain(operation, f"margin must be greater than 0, got {margin}"))
    a, positive, negative = triplets
    if not a.ndim == positive.ndim == negative.ndim:
        problem = "The anchor, positive, and negative tensors are expected to have the same number of dimensions"
        raise ShapeError(explain(operation, problem))
    near, far = distance(a, positive), distance(a, negative)
    if swap:
        far = T.minimum(far, distance(positive, negative))
    return reduced(T.clamp_min(T.add(T.sub(near, far), float(margin)), min=0.0, max=None), reduction)


__all__ = ["multi_margin_loss", "multilabel_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss"]
