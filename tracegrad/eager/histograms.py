"""How many elements lie between edges (histogram, histogramdd), and what segments add up to (segment_reduce).  Loaded on first use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.eager.creation import spaced
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, DataError, DTypeError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import one_axis, size_of
from tracegrad.ops.results import named_result


def histogram(input: Tensor, bins: Any, *, range: Sequence[float] | None = None, weight: Tensor | None = None, density: bool = False,
              out: Any = None) -> Any:  # noqa: A002  # fmt: skip
    """The counts (or sums of weights) between edges, the last part closed: `bins` equal parts of `range` or of all values, or the edges themselves.

    Shapes: (*a) -> (hist: (k,), bin_edges: (k + 1,)).  density: divided by the sum and by the widths.  The results have no derivative.
    """
    if not isinstance(bins, (int, Tensor)) or isinstance(bins, bool):
        raise ArgumentError(explain("histogram", f"bins must be int or Tensor, not {type(bins).__name__}"))
    rows = T.reshape(_values(input), shape=(input._data.size, 1))
    weights = None if weight is None else _weights(weight, input, input._data.shape)
    hist, edges = _counted(rows, [bins], None if range is None else [tuple(range)], weights, density)
    values = (hist, edges[0])
    if out is None:
        return named_result("histogram", ("hist", "bin_edges"), values)
    for target, made in zip(out, values, strict=True):
        target.resize_(made.shape).copy_(made)
    return out


def histogramdd(input: Tensor, bins: Any, range: Sequence[float] | None = None, weight: Tensor | None = None, density: bool = False) -> Any:  # noqa: A002  # fmt: skip
    """The same for rows of d values: counts in boxes, between edges along every axis.

    Shapes: (*a, d) -> (hist: (k1, ..., kd), bin_edges: d tensors).  bins: numbers of parts or edges, one for each axis, or one number; range: 2 d numbers.
    """
    shape = _values(input)._data.shape
    if len(shape) < 2:
        raise ShapeError(explain("histogramdd", "input tensor should have at least 2 dimensions", shape=list(shape)))
    d = shape[-1]
    _check_bins(bins)
    given = [bins] * d if isinstance(bins, (int, Tensor)) else list(bins)
    if len(given) != d:
        raise ShapeError(
            explain("histogramdd", "The size of bins must be equal to the innermost dimension of the input.")
        )
    if range is not None and len(range) != 2 * d:
        raise ShapeError(
            explain(
                "histogramdd",
                f"for a {d}-dimensional histogram range should have {2 * d} elements, but got {len(range)}",
            )
        )
    ranges = None if range is None else [tuple(range[2 * i : 2 * i + 2]) for i, _ in enumerate(given)]
    rows = T.reshape(_values(input), shape=(size_of(shape[:-1]), d))
    weights = None if weight is None else _weights(weight, input, shape[:-1])
    hist, edges = _counted(rows, given, ranges, weights, density)
    return named_result("histogramdd", ("hist", "bin_edges"), (hist, tuple(edges)))


def _check_bins(bins: Any) -> None:
    """Raise TypeError unless bins is a number, numbers or Tensors."""
    several = isinstance(bins, (list, tuple))
    kinds = {type(b) for b in bins} if several else {type(bins)}
    if not all(issubclass(k, (int, Tensor, np.integer)) and k is not bool for k in kinds):
        shown = ", ".join(sorted(k.__name__ for k in kinds))
        raise ArgumentError(explain("histogramdd", f"bins must be int, ints or Tensors, not {shown}"))


def _values(x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise ArgumentError(explain("histogram", f"argument 'input' must be Tensor, not {type(x).__name__}"))
    if x._data.dtype.kind != "f":
        raise NotSupportedError(explain("histogramdd", "not implemented for this dtype", got=x.dtype))
    return x.detach()  # type: ignore[attr-defined,no-any-return]


def _weights(weight: Tensor, x: Tensor, shape: tuple[int, ...]) -> Any:
    if weight._data.dtype != x._data.dtype:
        problem = "if weight tensor is provided, input tensor and weight tensor should have the same dtype"
        raise DTypeError(explain("histogramdd", problem, input=x.dtype, weight=weight.dtype))
    if weight._data.shape != shape:
        problem = "if weight tensor is provided it should have the same shape as the input tensor excluding its innermost dimension"
        raise ShapeError(explain("histogramdd", problem, weight=list(weight.shape), wanted=list(shape)))
    return T.reshape(weight.detach(), shape=(size_of(shape),))  # type: ignore[attr-defined]


def _counted(rows: Any, bins: list[Any], ranges: Any, weights: Any, density: bool) -> tuple[Tensor, list[Tensor]]:
    d = rows._data.dtype
    edges = [
        _edges(T.select(rows, dim=1, index=i), b, None if ranges is None else ranges[i], i) for i, b in enumerate(bins)
    ]
    sizes = tuple(e._data.shape[0] - 1 for e in edges)
    inside: Any = T.full(shape=(rows._data.shape[0],), value=True, dtype=dtypes.BOOL)
    place: Any = T.full(shape=(rows._data.shape[0],), value=0, dtype=dtypes.I64)
    for i, (e, count) in enumerate(zip(edges, sizes, strict=True)):
        x = T.select(rows, dim=1, index=i)
        first, last = T.select(e, dim=0, index=0), T.select(e, dim=0, index=count)
        inside = T.logical_and(inside, T.logical_and(T.ge(x, first), T.le(x, last)))
        part = T.sub(T.searchsorted_rows(e, x, right=True, dtype=dtypes.I64), 1)
        place = T.add(T.mul(place, count), T.clamp(part, min=0, max=count - 1))
    one = T.full(shape=inside._data.shape, value=1, dtype=d) if weights is None else weights
    zeros = T.full(shape=(size_of(sizes),), value=0, dtype=d)
    hist = T.reshape(T.index_add(zeros, place, T.where(inside, one, 0.0), dim=0), shape=sizes)
    if density:
        hist = T.div(hist, T.sum(hist, dim=None, keepdim=False))
        for i, e in enumerate(edges):
            count = sizes[i]
            widths = T.sub(
                T.slice(e, dim=0, start=1, stop=count + 1, step=1), T.slice(e, dim=0, start=0, stop=count, step=1)
            )
            hist = T.div(hist, T.reshape(widths, shape=tuple(count if k == i else 1 for k, _ in enumerate(sizes))))
    return hist, edges


def _edges(x: Any, bins: Any, limits: Any, axis: int) -> Any:
    """The given edges, or those of `bins` equal parts between the limits, which are by default the least and the largest value."""
    if isinstance(bins, Tensor):
        if bins._data.ndim != 1:
            problem = f"bins tensor should have one dimension, but got {bins._data.ndim} dimensions in the bins tensor for dimension {axis}"
            raise ShapeError(explain("histogramdd", problem))
        if bins._data.dtype != x._data.dtype:
            raise DTypeError(
                explain("histogramdd", "input tensor and bins tensors should have the same dtype", bins=bins.dtype)
            )
    count = bins._data.shape[0] - 1 if isinstance(bins, Tensor) else bins
    if count < 1:
        raise ShapeError(explain("histogram", f"bins must be > 0, but got {count} for dimension {axis}"))
    if isinstance(bins, Tensor):
        return bins.detach()  # type: ignore[attr-defined]
    low, high = _limits(x, limits, axis)
    if local.trace is None:
        first, last = (v._data if isinstance(v, Tensor) else v for v in (low, high))
        if not (np.isfinite(first) and np.isfinite(last)):
            raise DataError(explain("histogramdd", f"dimension {axis}'s range [{first}, {last}] is not finite"))
    d = x._data.dtype
    low, high = (v if isinstance(v, Tensor) else T.full(shape=(), value=v, dtype=d) for v in (low, high))
    flat = T.eq(low, high)
    low, high = T.where(flat, T.sub(low, 0.5), low), T.where(flat, T.add(high, 0.5), high)
    return spaced(low, high, count + 1)


def _limits(x: Any, limits: Any, axis: int) -> tuple[Any, Any]:
    if limits is not None:
        if len(limits) != 2:
            raise ShapeError(
                explain(
                    "histogramdd", f"for a 1-dimensional histogram range should have 2 elements, but got {len(limits)}"
                )
            )
        low, high = (float(v) for v in limits)
        if low > high:
            raise ShapeError(
                explain("histogramdd", f"min should not exceed max, but got min {low} max {high} for dimension {axis}")
            )
        return low, high
    if not x._data.size:
        return 0.0, 1.0
    return T.amin(x, dim=None, keepdim=False), T.amax(x, dim=None, keepdim=False)


# --- segments

_STARTS = {"sum": 0.0, "mean": 0.0, "max": -np.inf, "amax": -np.inf, "min": np.inf, "amin": np.inf, "prod": 1.0}
_FOLDS = {"max": "amax", "amax": "amax", "min": "amin", "amin": "amin", "prod": "prod"}


def segment_reduce(data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None, offsets: Tensor | None = None, axis: int = 0,
                   unsafe: bool = False, initial: Any = None) -> Tensor:  # fmt: skip
    """Consecutive pieces along an axis, of the given lengths or between offsets, each folded by 'sum', 'mean', 'max', 'min' or 'prod' from `initial` on.

    Shapes: data (*p, n, *q), lengths (*p, s) or offsets (*p, s + 1) -> (*p, s, *q), where axis is the last one of lengths.
    Raises RuntimeError for lengths that are negative or, unless `unsafe`, do not add up to n.
    """
    axis = one_axis("segment_reduce", data._data.ndim, axis)
    if data._data.dtype.kind != "f":
        raise NotSupportedError(explain("segment_reduce", "not implemented for this dtype", got=data.dtype))
    if reduce not in _STARTS:
        raise ShapeError(
            explain("segment_reduce", f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
        )
    if indices is not None:
        raise ShapeError(explain("segment_reduce", "indices based reduction is not supported yet."))
    given = lengths if lengths is not None else offsets
    if given is None:
        raise ShapeError(explain("segment_reduce", "Either lengths or offsets must be defined."))
    if given._data.dtype.kind not in "iu":
        raise NotSupportedError(explain("segment_reduce", "lengths and offsets are integers", got=given.dtype))
    if axis != given._data.ndim - 1:
        raise ShapeError(
            explain("segment_reduce", f"Expected axis to be the last dimension of lengths but got {axis}.")
        )
    shape = data._data.shape
    rows, n, rest = size_of(shape[:axis]), shape[axis], shape[axis + 1 :]
    ends, count = _ends(given, lengths is not None, axis, rows, n, unsafe)
    place = T.arange(start=0, step=1, count=n, dtype=dtypes.I64)
    piece = T.searchsorted_rows(ends, T.expand(place, shape=(rows, n)), right=True, dtype=dtypes.I64)
    first = T.sub(piece, 0 if lengths is not None else 1)
    known = T.logical_and(T.ge(first, 0), T.lt(first, count))
    row = T.reshape(T.arange(start=0, step=count, count=rows, dtype=dtypes.I64), shape=(rows, 1))
    target = T.reshape(T.where(known, T.add(first, row), rows * count), shape=(rows * n,))
    source, outside = T.reshape(data, shape=(rows * n, *rest)), rows * count
    begin = T.full(
        shape=(outside + 1, *rest), value=_STARTS[reduce] if initial is None else float(initial), dtype=data._data.dtype
    )
    if reduce in _FOLDS:
        found = public_function("index_reduce")(begin, 0, target, source, _FOLDS[reduce])
    else:
        found = T.index_add(begin, target, source, dim=0)
    found = T.slice(found, dim=0, start=0, stop=outside, step=1)
    if reduce == "mean":
        found = _means(found, target, outside, rest, initial)
    return T.named(T.reshape(found, shape=(*shape[:axis], count, *rest)), called="SegmentReduceBackward0")  # type: ignore[no-any-return]


def _means(sums: Any, target: Any, outside: int, rest: tuple[int, ...], initial: Any) -> Any:
    """Sums divided by the lengths of the pieces; an empty one is nan, or `initial`."""
    d = sums._data.dtype
    ones = T.full(shape=target._data.shape, value=1, dtype=d)
    sizes = T.slice(
        T.index_add(T.full(shape=(outside + 1,), value=0, dtype=d), target, ones, dim=0),
        dim=0,
        start=0,
        stop=outside,
        step=1,
    )
    sizes = T.reshape(sizes, shape=(outside, *(1 for _ in rest)))
    if initial is None:
        return T.div(sums, sizes)
    return T.div(sums, T.where(T.eq(sizes, 0), 1.0, sizes))


def _ends(given: Any, is_lengths: bool, axis: int, rows: int, n: int, unsafe: bool) -> tuple[Any, int]:
    """Where the pieces end (for lengths) or begin (for offsets), as rows, and how many there are."""
    count = given._data.shape[-1]
    if not is_lengths:
        return T.reshape(T.cast(given, dtype=dtypes.I64), shape=(rows, count)), count - 1
    if local.trace is None and not unsafe:
        if (given._data < 0).any():
            raise DataError(explain("segment_reduce", "lengths contains negative value!"))
        if (given._data.sum(-1) != n).any():
            problem = "Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe."
            raise DataError(explain("segment_reduce", problem, n=n))
    wide = T.reshape(T.cast(given, dtype=dtypes.I64), shape=(rows, count))
    return T.cumsum(wide, dim=1), count


__all__ = ["histogram", "histogramdd", "segment_reduce"]
