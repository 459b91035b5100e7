"""Lookups of torch.nn.functional, one_hot and embeddings, and the bilinear map."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.autograd.modes import no_grad
from tracegrad.config import local
from tracegrad.dtypes import I32, I64
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.rounding_once import rounds_once
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import (
    ArgumentError,
    ArgumentValueError,
    DataError,
    DTypeError,
    NotSupportedError,
    OptionError,
    ShapeError,
    explain,
)
from tracegrad.ir.types import size_of
from tracegrad.nn.conv_functions import check_tensors


@with_typed_arguments
def one_hot(tensor: Tensor, num_classes: int = -1) -> Any:
    """1 at the position that each element says, 0 elsewhere, on a new last axis of num_classes (-1: the largest element plus 1).

    Raises RuntimeError for a class outside of the range or a dtype that is not int64.
    """
    check_tensors("one_hot", tensor=tensor)
    if tensor._data.dtype != I64:
        raise ShapeError(explain("one_hot", "one_hot is only applicable to index tensor of type LongTensor.", tensor=T.type(tensor)))  # fmt: skip
    values = np.zeros(1, I64) if local.trace is not None and num_classes > 0 else tensor.detach().numpy()
    if not values.size and num_classes <= 0:
        raise DataError(explain("one_hot", "Can not infer total number of classes from empty tensor."))
    if values.size and values.min() < 0:
        raise DataError(explain("one_hot", "Class values must be non-negative."))
    if num_classes == -1:
        num_classes = int(values.max()) + 1
    elif num_classes < 1:
        raise DataError(explain("one_hot", "num_classes should be positive", num_classes=num_classes))
    elif values.size and values.max() >= num_classes:
        raise DataError(explain("one_hot", "Class values must be smaller than num_classes.", num_classes=num_classes))
    if local.trace is not None:  # the kernel refuses classes outside when the program runs
        shape = (*tensor.shape, num_classes)
        ones = T.full(shape=(*tensor.shape, 1), value=1, dtype=I64)
        places = T.unsqueeze(tensor, dim=tensor.ndim)
        return T.scatter_add(T.full(shape=shape, value=0, dtype=I64), places, ones, dim=tensor.ndim)
    classes = T.arange(start=0, step=1, count=num_classes, dtype=I64)
    return T.cast(T.eq(T.unsqueeze(tensor, dim=tensor.ndim), classes), dtype=I64)


@with_typed_arguments
def embedding(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of weight that input names.  Shapes: (*p), (m, k) -> (*p, k).  Row padding_idx gets no gradient.

    max_norm scales longer rows that are used, in place.  Gradients are dense, also with sparse=True.
    """
    check_tensors("embedding", indices=input, weight=weight)
    if input._data.dtype not in (I32, I64):
        problem = "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int"
        raise ShapeError(explain("embedding", problem, indices=T.type(input)))
    if weight.ndim != 2:
        raise ShapeError(explain("embedding", "'weight' must be 2-D", weight=T.type(weight)))
    padding = _padding("embedding", padding_idx, weight.shape[0])
    if max_norm is not None:
        _shorten(weight, input, max_norm, norm_type)
    flat = T.reshape(input, shape=(input._data.size,))
    rows = T.index_select(weight, flat, dim=0)
    if padding is not None:
        rows = T.where(T.unsqueeze(T.eq(flat, padding), dim=1), rows.detach(), rows)
    if scale_grad_by_freq:
        zeros = T.full(shape=(weight.shape[0],), value=0, dtype=weight._data.dtype)
        counts = T.index_add(zeros, flat, T.full(shape=tuple(flat.shape), value=1, dtype=weight._data.dtype), dim=0)
        share = T.reciprocal(T.index_select(counts, flat, dim=0))
        scaled = T.mul(rows, T.unsqueeze(share, dim=1))
        rows = T.add(scaled, T.sub(rows.detach(), scaled.detach()))
    shape = (*input.shape, weight.shape[1])
    return T.named(T.reshape(rows, shape=shape), called="EmbeddingBackward0")


def _padding(operation: str, padding_idx: int | None, count: int) -> int | None:
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise OptionError(explain(operation, "Padding_idx must be within num_embeddings", padding_idx=padding_idx))
    return padding_idx % count


def _shorten(weight: Any, used: Any, max_norm: float, norm_type: float) -> None:
    """Scale the used rows that are longer than max_norm, in place."""
    with no_grad():
        lengths = weight.norm(norm_type, 1)
        is_used = weight.new_zeros(weight.shape[0]).index_fill(0, used.reshape(-1), 1.0)
        too_long = T.logical_and(T.gt(lengths, max_norm), T.gt(is_used, 0.5))
        scale = T.where(too_long, T.div(max_norm, T.add(lengths, 1e-7)), 1.0)
        weight.mul_(T.unsqueeze(scale, dim=1))


@with_typed_arguments
@rounds_once
def embedding_bag(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Sums, means or maxima of the rows of weight that each bag names: the rows of a 2-D input, or of a 1-D one from each offset on."""
    check_tensors("embedding_bag", input=input, weight=weight)
    if weight._data.dtype.kind in "iu" and input._data.dtype.kind in "fV":
        raise ArgumentError(explain("embedding_bag", "the arguments are (input, weight)"))
    if mode not in ("sum", "mean", "max"):
        raise ArgumentValueError(explain("embedding_bag", "mode has to be one of sum, mean or max", mode=mode))
    if per_sample_weights is not None and mode != "sum":
        problem = "per_sample_weights was not None. per_sample_weights is only supported for mode='sum'"
        raise NotSupportedError(explain("embedding_bag", problem))
    _check_bags(input, offsets, weight, per_sample_weights)
    flat = _rows_named(T.reshape(T.cast(input, dtype=I64), shape=(input._data.size,)), weight.shape[0])
    if local.trace is not None and (offsets is not None or padding_idx is not None):
        if offsets is None:
            offsets = T.arange(start=0, step=input.shape[1], count=input.shape[0], dtype=I64)
        rows = embedding(flat, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
        return _recorded_bags(flat, rows, offsets, mode, per_sample_weights, include_last_offset, padding_idx % len(weight) if padding_idx is not None else None)  # fmt: skip
    starts = _starts(input, offsets, include_last_offset)
    if starts[-1] < flat._data.size:  # behind the last offset is no bag
        flat = T.slice(flat, dim=0, start=0, stop=starts[-1], step=1)
        if per_sample_weights is not None:
            per_sample_weights = T.slice(per_sample_weights, dim=0, start=0, stop=starts[-1], step=1)
    rows = embedding(flat, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    count = len(starts) - 1
    bags = np.repeat(np.arange(count), np.diff(starts))
    if padding_idx is not None:
        kept = np.flatnonzero(flat.detach().numpy() != padding_idx % weight.shape[0])
        rows = T.index_select(rows, _positions(kept), dim=0)
        bags = bags[kept]
        if per_sample_weights is not None:
            per_sample_weights = T.index_select(T.reshape(per_sample_weights, shape=(flat._data.size,)), _positions(kept), dim=0)  # fmt: skip
    if per_sample_weights is not None:
        rows = T.mul(rows, T.reshape(per_sample_weights, shape=(len(bags), 1)))
    zeros = T.full(shape=(count, weight.shape[1]), value=0, dtype=weight._data.dtype)
    if mode == "max":
        index = T.broadcast_to(T.unsqueeze(_positions(bags), dim=1), shape=tuple(rows.shape))
        made = zeros.scatter_reduce(0, index, rows, "amax", include_self=False)
    else:
        made = T.index_add(zeros, _positions(bags), rows, dim=0)
    if mode == "mean":
        sizes = np.maximum(np.bincount(bags, minlength=count), 1).astype(float)
        made = T.div(made, T.literal(values=tuple(sizes.tolist()), shape=(count, 1), dtype=weight._data.dtype))
    return T.named(made, called="EmbeddingBagBackward0")


def _positions(values: Any) -> Any:
    return T.literal(values=tuple(values.tolist()), shape=(len(values),), dtype=I64)


def _rows_named(positions: Tensor, count: int) -> Tensor:
    """The positions of rows.  Raises RuntimeError for one outside [0, count), where embedding raises IndexError."""
    if local.trace is not None:
        return T.bounded_positions(positions, count=count)  # type: ignore[no-any-return]
    given = positions._data
    if given.size and not 0 <= given.min() <= given.max() < count:
        bad = given[(given < 0) | (given >= count)][0]
        problem = f"Expected idx >= 0 && idx < num_embeddings but found idx to be {bad}"
        raise ShapeError(explain("embedding_bag", problem, num_embeddings=count))
    return positions


def _recorded_bags(flat: Any, rows: Any, offsets: Any, mode: str, weights: Any, include_last: bool, padding: int | None) -> Any:  # fmt: skip
    """The bags where the offsets are values of a recording: rows of no bag go to one more, which is cut off."""
    total, width = rows.shape
    count = len(offsets) - include_last
    bags = T.sub(
        public_function("searchsorted")(offsets, T.arange(start=0, step=1, count=total, dtype=I64), right=True), 1
    )
    if padding is not None:
        bags = T.where(T.eq(flat, padding), count, bags)
    if weights is not None:
        rows = T.mul(rows, T.reshape(weights, shape=(total, 1)))
    zeros = T.full(shape=(count + 1, width), value=0, dtype=rows._data.dtype)
    if mode == "max":
        index = T.broadcast_to(T.unsqueeze(bags, dim=1), shape=(total, width))
        made = zeros.scatter_reduce(0, index, rows, "amax", include_self=False)
    else:
        made = T.index_add(zeros, bags, rows, dim=0)
    if mode == "mean":
        ones = T.full(shape=(total, 1), value=1, dtype=rows._data.dtype)
        none = T.full(shape=(count + 1, 1), value=0, dtype=rows._data.dtype)
        made = T.div(made, T.clamp(T.index_add(none, bags, ones, dim=0), min=1, max=None))
    return T.slice(made, dim=0, start=0, stop=count, step=1)


def _check_bags(input: Any, offsets: Any, weight: Any, per_sample_weights: Any) -> None:  # noqa: A002
    if weight._data.dtype.kind not in "fV":
        problem = f"Expected tensor for argument #1 'weight' to have a floating dtype, but got {weight.dtype}"
        raise DTypeError(explain("embedding_bag", problem))
    if per_sample_weights is not None and per_sample_weights._data.dtype != weight._data.dtype:
        problem = "Expected tensor for argument #1 'weight' to have the same type as 'per_sample_weights'"
        raise DTypeError(explain("embedding_bag", problem, weight=weight.dtype, got=per_sample_weights.dtype))
    if input.ndim == 2 and offsets is not None:
        problem = (
            "if input is 2D, then offsets has to be None, as input is treated as a mini-batch of fixed length sequences"
        )
        raise ArgumentValueError(explain("embedding_bag", problem))
    if input.ndim not in (1, 2):
        problem = f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}"
        raise ArgumentValueError(explain("embedding_bag", problem))
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        raise ArgumentValueError(explain("embedding_bag", "offsets has to be a 1D Tensor"))


def _starts(input: Any, offsets: Any, include_last: bool) -> list[int]:  # noqa: A002
    """Where each bag begins in the flat input, and where the last one ends."""
    if offsets is None:
        return [i * input.shape[1] for i in range(input.shape[0] + 1)]
    starts: list[int] = offsets.tolist()
    if starts and starts[0] != 0:
        raise DataError(explain("embedding_bag", f"offsets[0] has to be 0, but got {starts[0]}"))
    if starts and starts[-1] > input.shape[0]:
        problem = (
            f"offsets[-1] can not be greater than input's length: {input.shape[0]}, but got offsets[-1] of {starts[-1]}"
        )
        raise DataError(explain("embedding_bag", problem))
    return starts if include_last else [*starts, input.shape[0]]


@with_typed_arguments
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """sum over i, j of input1[i] weight[:, i, j] input2[j], plus bias.  Shapes: (*p, n), (*p, m), (k, n, m), (k,) -> (*p, k).

    Raises RuntimeError when shapes do not fit.
    """
    if input1.ndim != input2.ndim or input1.shape[:-1] != input2.shape[:-1]:
        problem = f"bilinear(): input batch dimensions do not match: got {list(input1.shape)} and {list(input2.shape)}"
        raise ShapeError(explain("bilinear", problem))
    if weight.ndim != 3 or tuple(weight.shape[1:]) != (input1.shape[-1], input2.shape[-1]):
        problem = f"bilinear(): input sizes do not match weight: got {list(input1.shape)}, {list(input2.shape)} and {list(weight.shape)}"
        raise ShapeError(explain("bilinear", problem))
    k, n, m = weight.shape
    if bias is not None and tuple(bias.shape) != (k,):
        problem = f"bilinear(): bias size does not match weight size: got {list(bias.shape)} but expected [{k}]"
        raise ShapeError(explain("bilinear", problem))
    if any(v is not None and v._data.dtype != weight._data.dtype for v in (input1, input2, bias)):
        given = {"input1": input1, "input2": input2, "weight": weight, "bias": bias}
        problem = "All tensors must have the same dtype"
        raise DTypeError(explain("bilinear", problem, **{n: T.type(v) for n, v in given.items() if v is not None}))
    lead = tuple(input1.shape[:-1])
    a, b = (T.reshape(v, shape=(size_of(lead), v.shape[-1])) for v in (input1, input2))
    mixed = T.matmul(a, T.reshape(T.permute(weight, dims=(1, 0, 2)), shape=(n, k * m)))
    products = T.bmm(T.reshape(mixed, shape=(size_of(lead), k, m)), T.unsqueeze(b, dim=2))
    made = T.reshape(products, shape=(*lead, k))
    result: Tensor = made if bias is None else T.add(made, bias)
    return result


__all__ = ["bilinear", "embedding", "embedding_bag", "one_hot"]
