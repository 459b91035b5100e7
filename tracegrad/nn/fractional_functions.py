"""Maxima over windows at random places (fractional max pooling).  Source: B. Graham, Fractional max-pooling, 2014."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad.dtypes import I64
from tracegrad.eager.argument_types import with_typed_arguments
from tracegrad.eager.creation import rand
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, AxisError, NotSupportedError, ShapeError, explain
from tracegrad.ir.types import size_of
from tracegrad.nn.conv_functions import check_tensors, tuple_of


def _fractional_max_pool(d: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    operation = f"fractional_max_pool{d}d"

    def with_indices(
        input: Tensor,  # noqa: A002
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        return _pooled(d, input, kernel_size, output_size, output_ratio, _random_samples)

    def function(
        input: Tensor,  # noqa: A002
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        found = _pooled(d, input, kernel_size, output_size, output_ratio, _random_samples)
        return found if return_indices else found[0]

    with_indices.__name__ = with_indices.__qualname__ = f"{operation}_with_indices"
    function.__name__ = function.__qualname__ = operation
    with_indices.__doc__ = f"{operation}, and the positions of the maxima among the elements of their {d} axes."
    function.__doc__ = f"""Maxima of windows whose distances are drawn at random, given by their number or as a ratio of the size.  Shape: (n, c, *s) -> (n, c, *output_size).

    _random_samples (n, c, {d}) in [0, 1) are what is drawn.  Raises ValueError without size and ratio, RuntimeError for windows that do not fit.
    """
    return with_typed_arguments(function), with_typed_arguments(with_indices)


def _pooled(d: int, x: Any, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Any) -> tuple[Any, Any]:
    operation = f"fractional_max_pool{d}d"
    check_tensors(operation, input=x)
    if output_size is None and output_ratio is None:
        problem = f"{operation} requires specifying either an output_size or an output_ratio"
        raise ArgumentValueError(explain(operation, problem))
    if x.ndim <= d:
        raise AxisError(explain(operation, f"expected {d + 1}D or {d + 2}D input", input=T.type(x)))
    if output_size is None:
        if not isinstance(output_ratio, (tuple, list)):
            raise ArgumentError(explain(operation, f"output_ratio is one number for each axis, got {output_ratio}"))
        output_size = tuple(int(n * r) for n, r in zip(x.shape[-d:], output_ratio, strict=False))
    for name, value in (("kernel_size", kernel_size), ("output_size", output_size)):
        if isinstance(value, (tuple, list)) and len(value) != d:
            raise ShapeError(explain(operation, f"{name} must either be a single Int or tuple of {d} Ints", got=value))
    kernel = tuple_of(operation, "kernel_size", kernel_size, d)
    sizes = tuple_of(operation, "output_size", output_size, d)
    if x._data.dtype.kind not in "fV":
        raise NotSupportedError(explain(operation, f"not implemented for {x.dtype}"))
    whole = x if x.ndim == d + 2 else T.unsqueeze(x, dim=0)
    _check_windows(operation, whole, kernel, sizes, d)
    if samples is None:
        samples = rand(*whole.shape[:2], d, dtype=x.dtype)
    _check_samples(operation, samples, whole, d)
    values, places = _maxima(whole, kernel, sizes, samples)
    if x.ndim != d + 2:
        values, places = T.squeeze(values, dim=0), T.squeeze(places, dim=0)
    return T.named(values, called=f"FractionalMaxPool{d}DBackward0"), places


def _check_windows(operation: str, x: Any, kernel: Any, sizes: Any, d: int) -> None:
    shape = list(x.shape)
    if len(shape) != d + 2 or 0 in shape[1:]:
        axis = next((i for i, n in enumerate(shape) if i and not n), 0)
        problem = f"Expected input to have non-zero size for non-batch dimensions, but got{shape} with dimension {axis} being empty."
        raise ShapeError(explain(f"{operation}()", problem))
    for word, n, k, m in zip(("time", "height", "width")[-d:], shape[2:], kernel, sizes, strict=True):
        if k < 1 or m < 1:
            raise ShapeError(explain(f"{operation}()", "windows and their number must be positive", kernel=k, output=m))
        if m + k - 1 > n:
            raise ShapeError(explain(f"{operation}()", f"pool {word} {k} too large relative to input {word} {n}"))


def _check_samples(operation: str, samples: Any, x: Any, d: int) -> None:
    if samples._data.dtype != x._data.dtype:
        raise ShapeError(explain(operation, "Expect _random_samples to have the same dtype as input"))
    if samples.ndim != 3 or samples.shape[0] < x.shape[0]:
        raise ShapeError(explain(operation, "Expect _random_samples.size(0) no less then input batch size."))
    for axis, size, what in ((1, x.shape[1], "equals to input channel size"), (2, d, f"equals to {d}")):
        if samples.shape[axis] != size:
            raise ShapeError(explain(operation, f"Expect _random_samples.size({axis}) {what}."))


def _maxima(x: Any, kernel: Any, sizes: Any, samples: Any) -> tuple[Any, Any]:
    """The largest elements of the windows, and where they are."""
    d, (n, c, *own) = len(kernel), x.shape
    index = None
    for i in range(d):
        # images: the first number is for the last axis; volumes: for the first one
        drawn = T.select(T.slice(samples, dim=0, start=0, stop=n, step=1), dim=2, index=d - 1 - i if d == 2 else i)
        starts = _starts(T.unsqueeze(drawn, dim=2), own[i], sizes[i], kernel[i])
        at = T.add(T.unsqueeze(starts, dim=3), T.arange(start=0, step=1, count=kernel[i], dtype=I64))
        shape = [n, c] + [1] * (2 * d)
        shape[2 + i], shape[2 + d + i] = sizes[i], kernel[i]
        at = T.mul(T.reshape(at, shape=tuple(shape)), size_of(tuple(own[i + 1 :])))
        index = at if index is None else T.add(index, at)
    windows = (n, c, *sizes, size_of(kernel))
    index = T.reshape(index, shape=(n, c, size_of(windows[2:])))
    taken = T.gather(T.reshape(x, shape=(n, c, size_of(tuple(own)))), index, dim=2)
    values, chosen = T.max_dim(T.reshape(taken, shape=windows), dim=2 + d, keepdim=False)
    places = T.gather(T.reshape(index, shape=windows), T.unsqueeze(chosen, dim=2 + d), dim=2 + d)
    return values, T.squeeze(places, dim=2 + d)


def _starts(drawn: Any, own: int, made: int, kernel: int) -> Any:
    """Where the windows of an axis begin: the last one at the end, the others at uneven distances.  Shape: (n, c, 1) -> (n, c, made)."""
    last = T.full(shape=(*drawn.shape[:2], 1), value=own - kernel, dtype=I64)
    if made == 1:
        return last
    pace = T.div(T.full(shape=(), value=own - kernel, dtype=drawn._data.dtype), float(made - 1))
    i = T.cast(T.arange(start=0, step=1, count=made - 1, dtype=I64), dtype=drawn._data.dtype)
    far, near = (T.cast(T.mul(v, pace), dtype=I64) for v in (T.add(i, drawn), drawn))
    return T.cat(T.sub(far, near), last, dim=2)


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional_max_pool(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional_max_pool(3)

__all__ = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]
