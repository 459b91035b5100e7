"""The poolings of torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.dtypes import I64
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.dispatch import T
from tracegrad.eager.rounding_once import rounds_once
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import size_of
from tracegrad.nn.conv_functions import check_flags, check_tensors, tuple_of, tuples_of
from tracegrad.ops.checks import not_for

Shape = tuple[int, ...]


def _planes(operation: str, input: Any, d: int) -> tuple[Any, bool]:  # noqa: A002
    """input (n, c, *s) and whether it had n."""
    check_tensors(operation, input=input)
    if input.ndim not in (d + 1, d + 2):
        problem = f"Expected {d + 1}D or {d + 2}D (batch mode) tensor expected for input, but got: {list(input.shape)}"
        raise ShapeError(explain(operation, problem))
    if 0 in input.shape[input.ndim - d - 1 :]:
        problem = f"Expected input to have non-zero size for non-batch dimensions, but got {list(input.shape)}"
        raise ShapeError(explain(operation, problem))
    return (input, True) if input.ndim == d + 2 else (T.unsqueeze(input, dim=0), False)


def _name(kind: str, d: int) -> str:
    """torch's name for the last step of a pooling over d axes; over one axis it is one over two axes."""
    return f"{kind}{d}DBackward0" if d > 1 else "SqueezeBackward1"


def _single(x: Any, had_batch: bool, called: str = "") -> Any:
    """x without the axis that the input did not have, with torch's name for the whole."""
    x = x if had_batch else T.squeeze(x, dim=0)
    return T.named(x, called=called) if called else x


def _check_divisor(operation: str, divisor: Any) -> None:
    if not isinstance(divisor, int) or isinstance(divisor, bool):
        problem = f"argument 'divisor_override' must be int, not {type(divisor).__name__}"
        raise ArgumentError(explain(operation, problem))
    if not divisor:
        raise ShapeError(explain(operation, "divisor must be not zero"))


def _is_absent(stride: Any) -> bool:
    """Whether a stride is left out, which an empty list means too."""
    return stride is None or (isinstance(stride, (list, tuple)) and not stride)


def _sizes(operation: str, own: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape, ceil: bool) -> Shape:  # fmt: skip
    if min(kernel) < 1:
        raise ShapeError(explain(operation, f"kernel size should be greater than zero, but got {list(kernel)}"))
    if min(stride) < 1:
        raise ShapeError(explain(operation, f"stride should be greater than zero, but got {list(stride)}"))
    if min(dilation) < 1:
        raise ShapeError(explain(operation, f"dilation should be greater than zero, but got {list(dilation)}"))
    if any(p < 0 or p > (w * (k - 1) + 1) // 2 for p, k, w in zip(padding, kernel, dilation, strict=True)):
        problem = f"pad should be at most half of effective kernel size, but got padding={list(padding)}, kernel_size={list(kernel)}"
        raise ShapeError(explain(operation, problem))
    sizes = []
    for n, k, t, p, w in zip(own, kernel, stride, padding, dilation, strict=True):
        span = n + 2 * p - w * (k - 1) - 1
        count = (span + (t - 1 if ceil else 0)) // t + 1
        if ceil and (count - 1) * t >= n + p:  # the last window must begin inside
            count -= 1
        if count < 1:
            problem = f"Given input size {list(own)}, the calculated output size is too small"
            raise ShapeError(explain(operation, problem))
        sizes.append(count)
    return tuple(sizes)


def _max_pool(d: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    operation = f"max_pool{d}d"

    def with_indices(
        input: Tensor,  # noqa: A002
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        x, had_batch = _planes(operation, input, d)
        not_for(operation, T.type(x), "b")
        check_flags(operation, ceil_mode=ceil_mode)
        kernel = tuple_of(operation, "kernel_size", kernel_size, d)
        given = {"stride": kernel if _is_absent(stride) else stride, "padding": padding, "dilation": dilation}
        t, p, w = tuples_of(operation, d, **given)
        sizes = _sizes(operation, tuple(x.shape[2:]), kernel, t, p, w, ceil_mode)
        values, indices = T.max_pool(x, kernel=kernel, stride=t, padding=p, dilation=w, sizes=sizes)
        values = _single(values, had_batch, "SqueezeBackward1" if d == 1 else f"MaxPool{d}DWithIndicesBackward0")
        return values, _single(indices, had_batch)

    def function(
        input: Tensor,  # noqa: A002
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        found = with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)
        not_for(operation, T.type(input), "iu" if d == 1 and not return_indices else "b")
        return found if return_indices else found[0]

    with_indices.__name__ = with_indices.__qualname__ = f"{operation}_with_indices"
    function.__name__ = function.__qualname__ = operation
    with_indices.__doc__ = f"The maxima of windows over the last {d} axes, and their positions in the plane."
    function.__doc__ = f"The maxima of windows over the last {d} axes; their positions as well if return_indices."
    return function, with_indices


def _avg_pool(d: int) -> Callable[..., Any]:
    operation = f"avg_pool{d}d"

    def function(
        input: Tensor,  # noqa: A002
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        x, had_batch = _planes(operation, input, d)
        if x._data.dtype.kind not in "fV" and x._data.dtype != I64:
            raise NotSupportedError(explain(operation, "not implemented for this dtype", input=T.type(x)))
        check_flags(operation, ceil_mode=ceil_mode, count_include_pad=count_include_pad)
        if divisor_override is not None:
            _check_divisor(operation, divisor_override)
        kernel = tuple_of(operation, "kernel_size", kernel_size, d)
        t = tuple_of(operation, "stride", kernel if _is_absent(stride) else stride, d)
        p = tuple_of(operation, "padding", padding, d)
        own = tuple(x.shape[2:])
        sizes = _sizes(operation, own, kernel, t, p, (1,) * d, ceil_mode)
        total = T.sum_pool(x, kernel=kernel, stride=t, padding=p, sizes=sizes)
        if divisor_override is not None:
            count: Any = divisor_override
        else:
            count = _counts(own, kernel, t, p, sizes, count_include_pad, x._data.dtype)
        if x._data.dtype == I64:  # torch divides whole numbers
            return _single(T.div_trunc(total, int(count) if isinstance(count, float) else count), had_batch)
        mean = T.div(total, float(count) if isinstance(count, int) else count)
        return _single(mean, had_batch, _name("AvgPool", d))

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = f"The means of windows over the last {d} axes."
    return function


def _counts(own: Shape, kernel: Shape, stride: Shape, padding: Shape, sizes: Shape, with_padding: bool, d: Any) -> Any:
    """How many elements each window has: a number if all have the same."""
    counts: Any = np.ones((), np.int64)
    for n, k, t, p, m in zip(own, kernel, stride, padding, sizes, strict=True):
        begin = np.arange(m) * t - p
        end = np.minimum(begin + k, n + p)
        along = end - begin if with_padding else np.minimum(end, n) - np.maximum(begin, 0)
        counts = counts[..., None] * along
    if (counts == counts.flat[0]).all():
        return float(counts.flat[0])
    return T.literal(values=tuple(counts.ravel().tolist()), shape=tuple(counts.shape), dtype=d)


def _bounds(own: int, made: int) -> tuple[Any, Any]:
    """First and last-but-one element of each of `made` windows that cover an axis."""
    i = np.arange(made)
    return i * own // made, -((-(i + 1) * own) // made)


def _check_wanted(operation: str, x: Any, output_size: Any, d: int) -> None:
    """Raise ValueError for an input of too few axes, RuntimeError for negative sizes, as torch does for sizes of more than one axis."""
    if d == 1 or not isinstance(output_size, (tuple, list)):
        return
    if isinstance(x, Tensor) and x.ndim <= len(output_size):
        raise ArgumentValueError(explain(operation, f"Input dimension should be at least {len(output_size) + 1}"))
    if any(m is not None and m < 0 for m in output_size):
        problem = f"Trying to create tensor with negative dimension: {list(output_size)}"
        raise ShapeError(explain(operation, problem))


def _wanted(operation: str, x: Any, output_size: Any, d: int) -> Shape:
    if not isinstance(output_size, (tuple, list)):
        output_size = (output_size,) * d
    if len(output_size) != d:
        raise ShapeError(explain(operation, f"output_size must be {d} numbers, got {tuple(output_size)}"))
    return tuple(n if m is None else m for m, n in zip(output_size, x.shape[2:], strict=True))


def _adaptive_avg_pool(d: int) -> Callable[..., Any]:
    operation = f"adaptive_avg_pool{d}d"

    def function(input: Tensor, output_size: Any) -> Any:  # noqa: A002
        _check_wanted(operation, input, output_size, d)
        x, had_batch = _planes(operation, input, d)
        if x._data.dtype.kind not in "fcV":
            raise NotSupportedError(explain(operation, "not implemented for 'Long'", input=T.type(x)))
        sizes = _wanted(operation, x, output_size, d)
        if min(sizes) < 0:
            raise ShapeError(explain(operation, "elements of output_size must be greater than or equal to 0"))
        own = tuple(x.shape[2:])
        called = "MeanBackward1" if d > 1 and sizes == (1,) * d else _name("AdaptiveAvgPool", d)
        if 0 in sizes:
            return _single(x.new_zeros((*x.shape[:2], *sizes)), had_batch)
        if all(n % m == 0 for n, m in zip(own, sizes, strict=True)):
            kernel = tuple(n // m for n, m in zip(own, sizes, strict=True))
            total = T.sum_pool(x, kernel=kernel, stride=kernel, padding=(0,) * d, sizes=sizes)
            mean = T.div(total, float(size_of(kernel)))
        else:
            mean = x
            for i, (n, m) in enumerate(zip(own, sizes, strict=True)):
                mean = _along(mean, i + 2, _means(n, m, x._data.dtype))
        return _single(mean, had_batch, called)

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = f"Means of as many windows as output_size says, over the last {d} axes."
    return rounds_once(function)


def _means(own: int, made: int, d: Any) -> Any:
    """The matrix (made, own) that takes the mean of each window."""
    begin, end = _bounds(own, made)
    at = np.arange(own)
    inside = (at >= begin[:, None]) & (at < end[:, None])
    rows = inside / (end - begin)[:, None]
    return T.literal(values=tuple(rows.ravel().tolist()), shape=(made, own), dtype=d)


def _along(x: Any, dim: int, rows: Any) -> Any:
    """The matrix `rows` applied to axis dim."""
    last = x.ndim - 1
    return T.transpose(T.matmul(T.transpose(x, dim0=dim, dim1=last), T.mT(rows)), dim0=dim, dim1=last)


def _adaptive_max_pool(d: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    operation = f"adaptive_max_pool{d}d"

    def with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:  # noqa: A002
        _check_wanted(operation, input, output_size, d)
        x, had_batch = _planes(operation, input, d)
        not_for(operation, T.type(x), "biuc")
        sizes = _wanted(operation, x, output_size, d)
        own = tuple(x.shape[2:])
        if all(m and n % m == 0 for n, m in zip(own, sizes, strict=True)):
            kernel = tuple(n // m for n, m in zip(own, sizes, strict=True))
            none, ones = (0,) * d, (1,) * d
            found = T.max_pool(x, kernel=kernel, stride=kernel, padding=none, dilation=ones, sizes=sizes)
        else:
            found = _uneven_maxima(x, own, sizes)
        return _single(found[0], had_batch, _name("AdaptiveMaxPool", d)), _single(found[1], had_batch)

    def function(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:  # noqa: A002
        found = with_indices(input, output_size)
        return found if return_indices else found[0]

    with_indices.__name__ = with_indices.__qualname__ = f"{operation}_with_indices"
    function.__name__ = function.__qualname__ = operation
    with_indices.__doc__ = f"Maxima of as many windows as output_size says over the last {d} axes, and their positions."
    function.__doc__ = f"Maxima of as many windows as output_size says, over the last {d} axes."
    return function, with_indices


def _uneven_maxima(x: Any, own: Shape, sizes: Shape) -> tuple[Any, Any]:
    """Windows of different lengths: the shorter ones repeat their last element."""
    places: Any = np.zeros((), np.int64)
    for n, m in zip(own, sizes, strict=True):
        begin, end = _bounds(n, m)
        longest = int((end - begin).max(initial=1))
        at = np.minimum(begin[:, None] + np.arange(longest), end[:, None] - 1)
        places = places[..., None, None] * n + at
    d = len(sizes)
    longest = places.size // size_of(sizes) if size_of(sizes) else 1
    places = places.transpose(*range(0, 2 * d, 2), *range(1, 2 * d, 2)).reshape(*sizes, longest)
    rows = tuple(x.shape[:2])
    flat = T.reshape(x, shape=(*rows, size_of(own)))
    index = T.literal(values=tuple(places.ravel().tolist()), shape=(places.size,), dtype=I64)
    windows = T.reshape(T.index_select(flat, index, dim=2), shape=(*rows, *places.shape))
    chosen = T.max_dim(windows, dim=2 + d, keepdim=False)[1]
    table = T.broadcast_to(T.reshape(index, shape=(1, 1, *places.shape)), shape=(*rows, *places.shape))
    picked = T.gather(table, T.unsqueeze(chosen, dim=2 + d), dim=2 + d)
    # the values once more by their positions: their derivative is then one scatter into x, not one into all windows
    values = T.gather(flat, T.reshape(picked, shape=(*rows, size_of(sizes))), dim=2)
    return T.reshape(values, shape=(*rows, *sizes)), T.reshape(picked, shape=(*rows, *sizes))


def _unpooled(operation: str, wanted: Shape, usual: Shape, stride: Shape) -> Shape:
    """The lengths that the caller wants, which a pooling could have had before.  Raises ValueError for others."""
    if len(wanted) not in (len(usual), len(usual) + 2):
        problem = f"output_size should be a sequence containing {len(usual)} or {len(usual) + 2} elements, but it has a length of '{len(wanted)}'"
        raise ArgumentValueError(explain(operation, problem))
    wanted = wanted[-len(usual) :]
    for i, (n, m, s) in enumerate(zip(wanted, usual, stride, strict=True)):
        if not m - s < n < m + s:
            problem = f'invalid output_size "{wanted}" (dim {i} must be between {m - s} and {m + s})'
            raise ArgumentValueError(explain(operation, problem))
    return wanted


def _max_unpool(d: int) -> Callable[..., Any]:
    operation = f"max_unpool{d}d"

    def function(
        input: Tensor,  # noqa: A002
        indices: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Any:
        check_tensors(operation, input=input, indices=indices)
        kernel = tuple_of(operation, "kernel_size", kernel_size, d)
        t = tuple_of(operation, "stride", kernel if stride is None else stride, d)
        p = tuple_of(operation, "padding", padding, d)
        if indices._data.dtype != I64:
            raise ShapeError(explain(operation, "elements in indices should be type int64", indices=T.type(indices)))
        if indices.shape != input.shape:
            raise ShapeError(explain(operation, "Expected shape of indices to be same as that of the input tensor"))
        not_for(operation, T.type(input), "biuc")
        first = input.ndim - d
        sizes = tuple((n - 1) * s + k - 2 * q for n, s, k, q in zip(input.shape[first:], t, kernel, p, strict=True))
        if output_size is not None:
            sizes = _unpooled(operation, tuple(output_size), sizes, t)
        rows, count = tuple(input.shape[:first]), size_of(tuple(input.shape[first:]))
        flat, at = (T.reshape(v, shape=(*rows, count)) for v in (input, indices))
        zeros = T.full(shape=(*rows, size_of(sizes)), value=0, dtype=input._data.dtype)
        made = zeros.scatter(first, at, flat)
        return T.named(T.reshape(made, shape=(*rows, *sizes)), called=f"MaxUnpool{d}DBackward0")

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = f"Zeros in which the elements of input stand where max_pool{d}d took them."
    return function


def _lp_pool(d: int) -> Callable[..., Any]:
    operation, mean_of = f"lp_pool{d}d", _avg_pool(d)

    def function(
        input: Tensor,  # noqa: A002
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> Any:
        mean = mean_of(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)  # type: ignore[attr-defined]
        count = kernel_size if d == 1 else size_of(tuple_of(operation, "kernel_size", kernel_size, d))
        return (mean.sign() * mean.abs().relu()).mul(count).pow(1.0 / norm_type)

    function.__name__ = function.__qualname__ = operation
    function.__doc__ = f"The norms of windows over the last {d} axes, keeping the sign of their sum of powers."
    return function


max_pool1d, max_pool1d_with_indices = _max_pool(1)
max_pool2d, max_pool2d_with_indices = _max_pool(2)
max_pool3d, max_pool3d_with_indices = _max_pool(3)
avg_pool1d, avg_pool2d, avg_pool3d = _avg_pool(1), _avg_pool(2), _avg_pool(3)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (_adaptive_avg_pool(d) for d in (1, 2, 3))
adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_max_pool(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_max_pool(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_max_pool(3)
lp_pool1d, lp_pool2d, lp_pool3d = _lp_pool(1), _lp_pool(2), with_typed_arguments(_lp_pool(3))
max_unpool1d, max_unpool2d, max_unpool3d = _max_unpool(1), _max_unpool(2), _max_unpool(3)

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
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]
