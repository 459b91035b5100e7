"""The cross entropy of logits that a linear map makes."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ShapeError, explain
from tracegrad.ir.types import size_of
from tracegrad.nn.conv_functions import check_tensors

_NOTHING = -(2**62)  # no class has this number


class LinearCrossEntropyOptions(NamedTuple):
    """How torch cuts the batch to save memory.  Accepted; the loss is computed in one piece."""

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


def logits_of(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None = None) -> Any:  # noqa: A002
    """Shapes: (n, k) or (k,), (c, *d, k), (c, *d) -> (n, c, *d) or (c, *d).  Raises RuntimeError for an input of more axes."""
    check_tensors("linear_cross_entropy", input=input, linear_weight=linear_weight)
    if input.ndim not in (1, 2):
        problem = f"expected input with dimensionality 1 or 2, got {input.ndim}"
        raise ShapeError(explain("linear_cross_entropy", problem))
    if linear_weight.ndim < 2:
        problem = f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}"
        raise ShapeError(explain("linear_cross_entropy", problem))
    *classes, width = linear_weight.shape
    if linear_bias is not None and list(linear_bias.shape) != classes:
        problem = f"expected linear_bias with shape {classes}, got {list(linear_bias.shape)}"
        raise ShapeError(explain("linear_cross_entropy", problem))
    if len(classes) > 1 and input.ndim == 1:
        problem = (
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input"
        )
        raise ShapeError(explain("linear_cross_entropy", problem, input=list(input.shape)))
    count = size_of(tuple(classes))
    bias = None if linear_bias is None else T.reshape(linear_bias, shape=(count,))
    made = T.linear(input, T.reshape(linear_weight, shape=(count, width)), bias)
    return made if len(classes) == 1 else T.reshape(made, shape=(*input.shape[:-1], *classes))


def kept_index(ignore_index: int | None, target: Tensor) -> int:
    """The class that is left out; None leaves out none.  Raises RuntimeError for one beside probabilities."""
    if ignore_index is not None and target.is_floating_point():  # type: ignore[attr-defined]
        problem = "ignore_index cannot be specified when target contains probabilities"
        raise ShapeError(explain("linear_cross_entropy", problem))
    return _NOTHING if ignore_index is None else ignore_index


__all__ = ["LinearCrossEntropyOptions", "kept_index", "logits_of"]
