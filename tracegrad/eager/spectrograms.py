"""Spectra of short pieces of a signal: stft and its inverse, made of unfolding, a window and Fourier transforms.  Loaded on first use."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DataError, DTypeError, ShapeError, explain

_PADDED = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
_NO_WINDOW = (
    "A window was not provided. A rectangular window will be applied, which is known to cause spectral leakage. "
    "Other windows such as torch.hann_window or torch.hamming_window are recommended to reduce spectral leakage."
)
_warned: set[str] = set()  # each is told once, as in torch


def stft(
    input: Tensor,  # noqa: A002
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The spectra of the pieces of n_fft values that begin every hop_length (n_fft // 4), each multiplied by the window, as columns.

    Shape: (length,) or (batch, length) -> (*batch, n_fft // 2 + 1 if onesided else n_fft, pieces), and (..., 2) for return_complex=False.
    center: the signal is continued on both sides (pad_mode) so that pieces are centred.  Raises RuntimeError for lengths that do not go together.
    """
    if not isinstance(input, Tensor):
        raise ArgumentError(explain("stft", f"argument 'input' must be Tensor, not {type(input).__name__}"))
    if center and align_to_window is not None:
        raise ShapeError(explain("stft", "align_to_window should only be set when center = false"))
    hop, length = _lengths(n_fft, hop_length, win_length)
    _warn_without("stft", window)
    kind, single = input._data.dtype.kind, input._data.ndim == 1
    x = T.unsqueeze(input, dim=0) if single else input
    if center:
        x = _continued(x, n_fft // 2, pad_mode)
    _check_signal(x, n_fft, hop, length)
    whole = _whole_window("stft", window, n_fft, length, x)
    is_complex = kind == "c" or (whole is not None and whole._data.dtype.kind == "c")
    if return_complex is None:
        if not is_complex:
            raise ShapeError(explain("stft", "stft requires the return_complex parameter be given for real inputs"))
        return_complex = True
    if onesided is None:
        onesided = not is_complex
    if onesided and is_complex:
        raise ShapeError(explain("stft", "Cannot have onesided output if window or input is complex"))
    if align_to_window:
        x = _zeros_around(x, (n_fft - length) // 2)
    pieces = T.unfold(x, dim=1, length=n_fft, step=hop)
    if whole is not None:
        pieces = T.mul(pieces, whole)
    scale = 1 / math.sqrt(n_fft) if normalized else 1.0
    if is_complex:
        found = T.fft_c2c(pieces, dim=(2,), scale=scale, forward=True)
    else:
        found = T.fft_r2c(pieces, dim=(2,), scale=scale, onesided=onesided)
    found = T.transpose(found, dim0=1, dim1=2)
    if single:
        found = T.squeeze(found, dim=(0,))
    found = T.named(found, called="SqueezeBackward4" if single else "TransposeBackward1")
    if not return_complex:
        _warn("real", "stft with return_complex=False is deprecated. Take torch.view_as_real of the complex output")
        found = T.view_as_real(found)
    return found  # type: ignore[no-any-return]


def istft(
    input: Tensor,  # noqa: A002
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal whose stft is the input: the pieces, multiplied by the window, added in their places and divided by the sum of squared windows.

    Shape: (bins, pieces) or (batch, bins, pieces) -> (*batch, length).  Raises RuntimeError where that sum vanishes.
    """
    if not isinstance(input, Tensor):
        raise ArgumentError(explain("istft", f"argument 'input' must be Tensor, not {type(input).__name__}"))
    hop, taken = _lengths(n_fft, hop_length, win_length)
    _warn_without("istft", window)
    if input._data.dtype.kind != "c":
        problem = "istft requires a complex-valued input tensor matching the output from stft with return_complex=True."
        raise DTypeError(explain("istft", problem, got=input.dtype))
    if input._data.ndim not in (2, 3) or not input._data.size:
        raise ShapeError(
            explain("istft", "expected a tensor with 2 or 3 dimensions and with elements", shape=list(input.shape))
        )
    bins = input._data.shape[-2]
    if onesided is None:
        onesided = bins != n_fft
    if bins != (n_fft // 2 + 1 if onesided else n_fft):
        problem = "the number of bins must be n_fft / 2 + 1 when onesided=True and n_fft when onesided=False"
        raise ShapeError(explain("istft", problem, bins=bins, n_fft=n_fft))
    if not (0 < taken <= n_fft and 0 < hop <= taken):
        raise ShapeError(
            explain(
                "istft", "expected 0 < hop_length <= win_length <= n_fft", hop_length=hop, win_length=taken, n_fft=n_fft
            )
        )
    if return_complex and onesided:
        raise ShapeError(explain("istft", "Cannot have onesided output if window or input is complex"))
    if window is not None and window._data.dtype.kind == "c" and not return_complex:
        raise ShapeError(explain("istft", "Complex windows are incompatible with return_complex=False"))
    single = input._data.ndim == 2
    spectra = T.transpose(T.unsqueeze(input, dim=0) if single else input, dim0=1, dim1=2)
    scale = 1 / math.sqrt(n_fft) if normalized else 1 / n_fft
    if return_complex:
        pieces = T.fft_c2c(spectra, dim=(2,), scale=scale, forward=False)
    else:
        if not onesided:
            spectra = T.slice(spectra, dim=2, start=0, stop=n_fft // 2 + 1, step=1)
        pieces = T.fft_c2r(spectra, dim=(2,), scale=scale, length=n_fft)
    whole = _whole_window("istft", window, n_fft, taken, pieces)
    if whole is None:
        whole = T.ones(T.type(T.select(T.select(pieces, dim=0, index=0), dim=0, index=0)))
    return _laid_out(T.mul(pieces, whole), pieces, whole, hop, center, length, single)  # type: ignore[no-any-return]


def _laid_out(weighted: Any, pieces: Any, window: Any, hop: int, center: bool, length: int | None, single: bool) -> Any:
    """The weighted pieces (batch, count, n) added in their places, divided by what the squared windows add up to there."""
    batch, count, n = pieces._data.shape
    total = n + hop * (count - 1)
    start = n // 2 if center else 0
    stop = start + length if length is not None else total - n // 2 if center else total
    squares = T.expand(T.square(window), shape=(1, count, n))
    sums, weights = (
        T.slice(
            T.put_unfolded(p, shape=(rows, total), dim=1, length=n, step=hop),
            dim=1,
            start=start,
            stop=max(min(stop, total), start),
            step=1,
        )
        for p, rows in ((weighted, batch), (squares, 1))
    )
    if local.trace is None and weights._data.size and np.abs(weights._data).min() <= 1e-11:
        raise DataError(explain("istft", "window overlap add min: the squared windows add up to 0 somewhere"))
    found = T.div(sums, weights)
    if single:
        found = public_function("squeeze")(found, 0)
    if stop > total:
        warnings.warn("The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail.", UserWarning, stacklevel=3)  # fmt: skip
        shape = found._data.shape[:-1]
        zeros = T.full(shape=(*shape, stop - total), value=0, dtype=found._data.dtype)
        found = T.named(T.cat(found, zeros, dim=len(shape)), called="ConstantPadNdBackward0")
    return found


def _check_signal(x: Tensor, n_fft: int, hop: int, length: int) -> None:
    known = x._data.ndim == 2 and x._data.dtype.kind in "fc" and x._data.dtype.itemsize >= 4
    total = x._data.shape[-1] if x._data.ndim else 0
    if not (known and 0 < n_fft <= total and hop > 0 and 0 < length <= n_fft):
        problem = "expected a floating point signal of 1 or 2 axes, 0 < n_fft <= its length, hop_length > 0 and 0 < win_length <= n_fft"
        given = {"n_fft": n_fft, "hop_length": hop, "win_length": length, "shape": list(x.shape), "dtype": x.dtype}
        raise ShapeError(explain("stft", problem, **given))


def _lengths(n_fft: int, hop_length: int | None, win_length: int | None) -> tuple[int, int]:
    return n_fft // 4 if hop_length is None else hop_length, n_fft if win_length is None else win_length


def _warn_without(operation: str, window: Any) -> None:
    if window is None:
        _warn(operation, _NO_WINDOW)


def _warn(reason: str, text: str) -> None:
    if reason not in _warned:
        _warned.add(reason)
        warnings.warn(text, UserWarning, stacklevel=4)


def _whole_window(operation: str, window: Any, n_fft: int, length: int, like: Tensor) -> Any:
    """The window with zeros on both sides up to n_fft; None for all ones."""
    if window is None:
        if length == n_fft:
            return None
        window = T.full(shape=(length,), value=1, dtype=dtypes.from_numpy(like._data.dtype).to_real().numpy)
    if window._data.shape != (length,):
        problem = "expected a 1D window tensor of size equal to win_length"
        raise ShapeError(explain(operation, problem, win_length=length, window=list(window.shape)))
    left = (n_fft - length) // 2
    return window if length == n_fft else _filled(window, 0, left, n_fft - length - left)


def _filled(x: Any, axis: int, before: int, after: int) -> Any:
    shape = x._data.shape
    parts = [
        T.full(shape=(*shape[:axis], k, *shape[axis + 1 :]), value=0, dtype=x._data.dtype) for k in (before, after)
    ]
    return T.cat(parts[0], x, parts[1], dim=axis)


def _zeros_around(x: Any, count: int) -> Any:
    return _filled(x, x._data.ndim - 1, count, count) if count > 0 else x


def _continued(x: Any, count: int, mode: str) -> Any:
    """x with `count` values on both sides of its last axis."""
    if mode == "constant":
        return _zeros_around(x, count)
    if mode not in _PADDED:
        raise ShapeError(explain("stft", f"Unrecognised padding mode {mode}"))
    axis, total = x._data.ndim - 1, x._data.shape[-1] if x._data.ndim else 1
    if not x._data.ndim or (count >= total and mode == "reflect") or count > total or not total:
        problem = "Padding size should be less than the corresponding input dimension"
        raise ShapeError(explain("stft", problem, padding=(count, count), shape=list(x.shape)))
    places = np.pad(np.arange(total), count, mode=_PADDED[mode])  # type: ignore[call-overload]
    return T.index_select(x, handle(places, None), dim=axis)


__all__ = ["istft", "stft"]
