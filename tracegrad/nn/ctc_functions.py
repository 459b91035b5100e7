"""Connectionist temporal classification: the loss of sequences whose alignment with their labels is unknown."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Any

from tracegrad.config import local
from tracegrad.dtypes import I64
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, NotSupportedError, ShapeError, explain
from tracegrad.nn.conv_functions import check_tensors

_REDUCTIONS = ("none", "mean", "sum")
_OVERFLOW = 1e4  # whose exponential is inf in every dtype


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """-log of the summed probabilities of all alignments of each target with its sequence.

    Shapes: log_probs (t, n, c) logarithms of probabilities, or (t, c); targets (n, s) classes, or all of them in one axis; lengths (n,), tensors or tuples of
    ints -> (n,), or () if reduced; "mean" divides by the lengths of the targets first.  A target that does not fit has loss inf, 0 with zero_infinity.
    The derivative holds for log_probs that are normalised over c, as torch's does.  Raises RuntimeError for sizes and lengths that do not fit.
    """
    check_tensors("ctc_loss", log_probs=log_probs, targets=targets)
    if reduction not in _REDUCTIONS:
        raise ArgumentValueError(explain("ctc_loss", f"{reduction} is not a valid value for reduction"))
    x, rows, columns = _operands(log_probs, targets, input_lengths, target_lengths, blank)
    labels = _padded(targets, columns, x.shape[1])
    columns = _column(columns)
    losses = _losses(x, _column(rows), labels, columns, blank, zero_infinity)
    if log_probs.ndim == 2:
        losses = T.squeeze(losses, dim=0)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return T.sum(losses, dim=None, keepdim=False)
    shares = T.cast(T.maximum(columns, 1), dtype=x._data.dtype)
    return T.mean(T.div(losses, shares), dim=None, keepdim=False)


def _operands(x: Any, targets: Any, rows: Any, columns: Any, blank: int) -> tuple[Any, Any, Any]:
    """log_probs (t, n, c), and the lengths: a list where Python may read them, else a tensor."""
    as_tensors = isinstance(rows, Tensor), isinstance(columns, Tensor)
    if as_tensors[0] != as_tensors[1]:
        raise ArgumentError(explain("ctc_loss", "the lengths must both be tensors or both be tuples of ints"))
    if as_tensors[0] and any(v._data.dtype.kind not in "iu" for v in (rows, columns)):
        raise ShapeError(explain("ctc_loss", "input_lengths and target_lengths must be integral"))
    if not x._data.size:
        raise ShapeError(explain("ctc_loss", "log_probs tensor must not be empty", log_probs=T.type(x)))
    if x.ndim not in (2, 3):
        raise ShapeError(explain("ctc_loss", f"Expected 3-dimensional tensor, but got {x.ndim}-dimensional tensor"))
    if x._data.dtype.name not in ("float32", "float64"):
        raise NotSupportedError(explain("ctc_loss", f'"ctc_loss_cpu" not implemented for {x.dtype}'))
    x = x if x.ndim == 3 else T.unsqueeze(x, dim=1)
    if not 0 <= blank < x.shape[2]:
        raise ShapeError(explain("ctc_loss", "blank must be in label range", blank=blank, classes=x.shape[2]))
    found = []
    for name, given, most in (("input", rows, x.shape[0]), ("target", columns, None)):
        lengths = _listed(given)
        count = len(lengths) if isinstance(lengths, list) else lengths._data.size
        if count != x.shape[1]:
            raise ShapeError(explain("ctc_loss", f"{name}_lengths must be of size batch_size", lengths=count))
        if isinstance(lengths, list):
            _check_lengths(name, lengths, most)
        found.append(lengths)
    _check_targets(targets, found[1], x.shape[1])
    return x, found[0], found[1]


def _listed(lengths: Any) -> Any:
    if not isinstance(lengths, Tensor):
        return [int(v) for v in lengths]
    if local.trace is None:  # in a recording they may change, those of a captured tensor too
        return [int(v) for v in lengths._data.ravel()]
    return T.reshape(T.cast(lengths, dtype=I64), shape=(lengths._data.size,))


def _check_lengths(name: str, lengths: list[int], most: int | None) -> None:
    for length in lengths:
        if length < 0:
            problem = f"Expected {name}_lengths to have value at least 0, but got value {length}"
            raise ShapeError(explain("ctc_loss", problem))
        if most is not None and length > most:
            problem = f"Expected {name}_lengths to have value at most {most}, but got value {length}"
            raise ShapeError(explain("ctc_loss", problem))


def _check_targets(targets: Any, lengths: Any, count: int) -> None:
    shape = tuple(targets.shape)
    if len(shape) not in (1, 2):
        problem = f"Expected 1 to 2 dimensions, but got {len(shape)}-dimensional tensor for argument #2 'targets'"
        raise ShapeError(explain("ctc_loss", problem))
    wanted = None
    if len(shape) == 2 and shape[0] != count:
        wanted = f"size {count} at dimension 0, but got size {shape[0]}"
    elif isinstance(lengths, list) and len(shape) == 2 and max(lengths) > shape[1]:
        wanted = f"size at least {max(lengths)} at dimension 1, but got size {shape[1]}"
    elif isinstance(lengths, list) and len(shape) == 1 and sum(lengths) != shape[0]:
        wanted = f"size {sum(lengths)} at dimension 0, but got size {shape[0]}"
    if wanted is not None:
        raise ShapeError(explain("ctc_loss", f"Expected tensor to have {wanted} for argument #2 'targets'"))


def _column(lengths: Any) -> Any:
    return T.literal(values=tuple(lengths), shape=(len(lengths),), dtype=I64) if isinstance(lengths, list) else lengths


def _padded(targets: Any, lengths: Any, count: int) -> Any:
    """The targets as (n, s)."""
    targets = T.cast(targets, dtype=I64)
    if targets.ndim == 2:
        return targets
    if not isinstance(lengths, list):
        lengths = lengths.tolist()  # raises where Python may not read them: the shapes depend on them
    ends, longest = list(accumulate(lengths)), max(lengths)
    places = [
        min(end - length + i, end - 1) if length else 0
        for end, length in zip(ends, lengths, strict=True)
        for i in range(longest)
    ]
    index = T.literal(values=tuple(places), shape=(len(places),), dtype=I64)
    return T.reshape(T.index_select(targets, index, dim=0), shape=(count, longest))


def _losses(x: Any, rows: Any, labels: Any, columns: Any, blank: int, zero_infinity: bool) -> Any:
    """-log p for every sequence."""
    dtype, (steps, count, _) = x._data.dtype, x.shape
    states = _states(labels, columns, blank)
    width = states.shape[1]
    index = T.broadcast_to(T.unsqueeze(states, dim=0), shape=(steps, count, width))
    moved = T.ne(
        T.slice(states, dim=1, start=min(2, width), stop=width, step=1),
        T.slice(states, dim=1, start=0, stop=max(width - 2, 0), step=1),
    )
    jumps = T.cat(T.full(shape=(count, min(2, width)), value=False, dtype=moved._data.dtype), moved, dim=1)
    start = T.literal(values=(0.0, 0.0, *(-math.inf,) * (width - 2))[:width], shape=(1, width), dtype=dtype)
    start = T.broadcast_to(start, shape=(count, width))
    paths = T.ctc_paths(T.gather(x, index, dim=2), start, jumps)
    last = T.broadcast_to(T.reshape(T.maximum(T.sub(rows, 1), 0), shape=(1, count, 1)), shape=(1, count, width))
    ends = T.squeeze(T.gather(paths, last, dim=0), dim=0)
    none = T.eq(columns, 0)
    final = T.mul(T.unsqueeze(columns, dim=1), 2)
    on_blank = T.squeeze(T.gather(ends, final, dim=1), dim=1)
    on_label = T.squeeze(T.gather(ends, T.maximum(T.sub(final, 1), 0), dim=1), dim=1)
    on_label = T.where(none, -math.inf, on_label)
    empty = T.eq(rows, 0)
    on_blank = T.where(empty, T.where(none, T.full(shape=(), value=0.0, dtype=dtype), -math.inf), on_blank)
    on_label = T.where(empty, -math.inf, on_label)
    lost = T.logical_and(T.eq(on_blank, -math.inf), T.eq(on_label, -math.inf))
    found = T.neg(T.logaddexp(T.where(lost, 0.0, on_blank), T.where(lost, 0.0, on_label)))
    return _with_normalisation(x, rows, found, lost, zero_infinity)


def _states(labels: Any, columns: Any, blank: int) -> Any:
    """blank, label, blank, label, ..., blank for every target; behind its end only blanks.  Shape: (n, s) -> (n, 2 s + 1)."""
    count, longest = labels.shape
    place = T.arange(start=0, step=1, count=longest, dtype=I64)
    own = T.where(T.lt(place, T.unsqueeze(columns, dim=1)), labels, blank)
    blanks = T.full(shape=(count, longest), value=blank, dtype=I64)
    pairs = T.reshape(T.stack(blanks, own, dim=2), shape=(count, 2 * longest))
    return T.cat(pairs, T.full(shape=(count, 1), value=blank, dtype=I64), dim=1)


def _with_normalisation(x: Any, rows: Any, found: Any, lost: Any, zero_infinity: bool) -> Any:
    """The losses, with the derivative exp(x) besides: 0 behind log_softmax, and part of torch's gradient of log_probs."""
    steps = T.arange(start=0, step=1, count=x.shape[0], dtype=I64)
    present = T.lt(T.unsqueeze(steps, dim=1), rows)
    sums = T.sum(T.where(T.unsqueeze(present, dim=2), T.exp(x), 0.0), dim=(0, 2), keepdim=False)
    losses = T.sub(found, T.sub(T.detach(sums), sums))
    if zero_infinity:
        return T.named(T.where(lost, 0.0, losses), called="WhereBackward0")
    endless = T.exp(T.add(T.mul(T.where(lost, sums, 1.0), 0.0), _OVERFLOW))  # inf, with derivative nan
    return T.named(T.where(lost, endless, losses), called="CtcLossBackward0")


__all__ = ["ctc_loss"]
