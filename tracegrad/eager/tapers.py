"""Windows of signal processing: hann_window and the like, and those of torch.signal.windows.  Computed in the dtype asked for; loaded on first use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.devices import check_device, strided
from tracegrad.eager.creation import shape_of
from tracegrad.eager.data import as_leaf, element_type
from tracegrad.eager.inference import fresh
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, DTypeError, NotSupportedError, ShapeError, explain

Array = np.ndarray[Any, Any]
Formula = Callable[..., Array]


# --- formulas: i are the places 0, 1, ..., of the dtype wanted; span is the distance of the ends of the whole window


def _cosines(i: Array, span: float, *weights: float) -> Array:
    """weights[0] - weights[1] cos x + weights[2] cos 2x - ..."""
    steps = np.multiply(i, i.dtype.type(2 * math.pi / span))
    terms = (np.cos(steps * i.dtype.type(n)) * i.dtype.type(w * (-1) ** n) for n, w in enumerate(weights))
    total = np.zeros_like(i)
    for term in terms:
        total = total + term
    return total


def _raised_cosine(i: Array, span: float, alpha: float, beta: float) -> Array:
    kind = i.dtype.type
    return np.cos(i * kind(2 * math.pi / span)) * kind(-beta) + kind(alpha)


def _blackman(i: Array, span: float) -> Array:
    kind = i.dtype.type
    angle = i * kind(math.pi / span)
    return np.cos(angle * kind(4)) * kind(0.08) - np.cos(angle * kind(2)) * kind(0.5) + kind(0.42)


def _bartlett(i: Array, span: float) -> Array:
    kind = i.dtype.type
    rising = i * kind(2 / span)
    return np.where(i <= (span // 2), rising, kind(2) - rising)


def _kaiser(i: Array, span: float, beta: float) -> Array:
    from scipy.special import i0

    place = (i.astype(np.float64) * 2 - span) / span
    return np.asarray(i0(beta * np.sqrt(np.maximum(1 - place**2, 0))) / i0(beta)).astype(i.dtype)


# --- torch.hann_window and the like


def _window(
    name: str, formula: Formula, length: Any, periodic: bool, options: dict[str, Any], *parameters: float
) -> Tensor:
    known = {"dtype", "layout", "device", "pin_memory", "requires_grad"}
    if set(options) - known:
        raise ArgumentError(explain(name, f"got unexpected arguments {sorted(set(options) - known)}"))
    check_device(name, options.get("device"))
    d = element_type(name, options.get("dtype")) or dtypes.default.float
    if d.kind not in "fcV":
        raise DTypeError(explain(name, f"expects floating point dtypes, got: {dtypes.from_numpy(d)}"))
    if d.kind == "c":
        raise NotSupportedError(explain(name, f"is not implemented for complex dtypes, got: {dtypes.from_numpy(d)}"))
    if isinstance(length, bool) or not hasattr(length, "__index__"):
        raise ArgumentError(explain(name, f"argument 'window_length' must be int, not {type(length).__name__}"))
    count = int(length)
    if count < 0:
        raise ShapeError(explain(name, f"requires non-negative window_length, got window_length={count}"))
    if count <= 1:
        return as_leaf(name, fresh(np.ones(count, d)), options.get("requires_grad", False))
    made = formula(np.arange(count).astype(d), count - (not periodic), *parameters)
    return as_leaf(name, fresh(made.astype(d)), options.get("requires_grad", False))


def hann_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """(1 - cos x) / 2 over one period; `periodic` leaves out the last point.  Shape: (window_length,)."""
    return _window("hann_window", _raised_cosine, window_length, periodic, options, 0.5, 0.5)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **options: Any
) -> Tensor:
    """alpha - beta cos x over one period; `periodic` leaves out the last point.  Shape: (window_length,)."""
    return _window("hamming_window", _raised_cosine, window_length, periodic, options, alpha, beta)


def blackman_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """0.42 - 0.5 cos x + 0.08 cos 2x over one period; `periodic` leaves out the last point.  Shape: (window_length,)."""
    return _window("blackman_window", _blackman, window_length, periodic, options)


def bartlett_window(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
    """From 0 to 1 and back in straight lines; `periodic` leaves out the last point.  Shape: (window_length,)."""
    return _window("bartlett_window", _bartlett, window_length, periodic, options)


def kaiser_window(
    window_length: int, periodic: bool | None = None, beta: float | None = None, **options: Any
) -> Tensor:
    """i0(beta sqrt(1 - x**2)) / i0(beta), x from -1 to 1, beta 12 by default; `periodic` leaves out the last point.  Shape: (window_length,)."""
    if periodic is None and beta is not None:
        raise ArgumentError(explain("kaiser_window", "beta is taken only together with periodic"))
    whole = True if periodic is None else periodic
    return _window("kaiser_window", _kaiser, window_length, whole, options, 12.0 if beta is None else beta)


# --- torch.signal.windows


def _tapered(
    name: str, M: int, sym: bool, formula: Formula, dtype: Any, layout: Any, device: Any, requires_grad: bool
) -> Tensor:
    """The window `formula(i, span)` of M points; one point is 1.  Raises ValueError for M < 0 and dtypes other than float32 and float64."""
    check_device(name, device)
    if M < 0:
        raise ArgumentValueError(explain(name, f"requires non-negative window length, got M={M}"))
    if layout not in (None, strided):
        raise ArgumentValueError(explain(name, f"is implemented for strided tensors only, got: {layout}"))
    d = element_type(name, dtype) or dtypes.default.float
    if d not in (np.float32, np.float64):
        raise ArgumentValueError(explain(name, f"expects float32 or float64 dtypes, got: {dtypes.from_numpy(d)}"))
    shape_of(name, (M,))
    made = np.ones(M, d) if M <= 1 else formula(np.arange(M).astype(d), M - bool(sym)).astype(d)
    return as_leaf(name, fresh(made), requires_grad)


def _weighted(weights: Iterable[float]) -> Formula:
    return lambda i, span: _cosines(i, span, *weights)


def bartlett(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """From 0 to 1 and back in straight lines.  Shape: (M,)."""
    return _tapered(
        "bartlett", M, sym, lambda i, span: 1 - np.abs(2 * i / span - 1), dtype, layout, device, requires_grad
    )


def blackman(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """0.42 - 0.5 cos x + 0.08 cos 2x.  Shape: (M,)."""
    return _tapered("blackman", M, sym, _weighted((0.42, 0.5, 0.08)), dtype, layout, device, requires_grad)


def cosine(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """Half a period of the sine.  Shape: (M,)."""
    return _tapered("cosine", M, sym, lambda i, span: np.sin(math.pi / (span + 1) * (i + 0.5)), dtype, layout, device, requires_grad)  # fmt: skip


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
                requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """exp(-|i - center| / tau); center is the middle unless given, which needs sym=False.  Shape: (M,).  Raises ValueError for tau <= 0."""
    if tau <= 0:
        raise ArgumentValueError(explain("exponential", f"Tau must be positive, got: {tau} instead."))
    if sym and center is not None:
        raise ArgumentValueError(explain("exponential", "Center must be None for symmetric windows"))
    return _tapered("exponential", M, sym, lambda i, span: np.exp(-np.abs(i - (span / 2 if center is None else center)) / tau), dtype, layout, device,
                    requires_grad)  # fmt: skip


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """exp(-((i - middle) / std)**2 / 2).  Shape: (M,).  Raises ValueError for std <= 0."""
    if std <= 0:
        raise ArgumentValueError(explain("gaussian", f"Standard deviation must be positive, got: {std} instead."))
    return _tapered("gaussian", M, sym, lambda i, span: np.exp(-(((i - span / 2) / std) ** 2) / 2), dtype, layout, device, requires_grad)  # fmt: skip


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """i0(beta sqrt(1 - x**2)) / i0(beta), x from -1 to 1.  Shape: (M,).  Raises ValueError for beta < 0."""
    if beta < 0:
        raise ArgumentValueError(explain("kaiser", f"beta must be non-negative, got: {beta} instead."))
    return _tapered("kaiser", M, sym, lambda i, span: _kaiser(i, span, beta), dtype, layout, device, requires_grad)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """a[0] - a[1] cos x + a[2] cos 2x - ...  Shape: (M,).  Raises TypeError unless a is iterable, ValueError when it is empty."""
    if not isinstance(a, Iterable):
        raise ArgumentError(explain("general_cosine", "Coefficients must be a list/tuple"))
    weights = tuple(a)
    if not weights:
        raise ArgumentValueError(explain("general_cosine", "Coefficients cannot be empty"))
    return _tapered("general_cosine", M, sym, _weighted(weights), dtype, layout, device, requires_grad)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """alpha - (1 - alpha) cos x.  Shape: (M,)."""
    return _tapered("general_hamming", M, sym, _weighted((alpha, 1 - alpha)), dtype, layout, device, requires_grad)


def hamming(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """0.54 - 0.46 cos x.  Shape: (M,)."""
    return _tapered("hamming", M, sym, _weighted((0.54, 0.46)), dtype, layout, device, requires_grad)


def hann(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """(1 - cos x) / 2.  Shape: (M,)."""
    return _tapered("hann", M, sym, _weighted((0.5, 0.5)), dtype, layout, device, requires_grad)


def nuttall(M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # noqa: N803  # fmt: skip
    """Four cosines with Nuttall's weights, whose side lobes are small.  Shape: (M,)."""
    weights = (0.3635819, 0.4891775, 0.1365995, 0.0106411)
    return _tapered("nuttall", M, sym, _weighted(weights), dtype, layout, device, requires_grad)
