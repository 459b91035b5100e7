"""Kernels of Fourier transforms; NumPy's keep single precision."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _scaled(x: Array, scale: float) -> Array:
    return np.asarray(x if scale == 1.0 else np.multiply(x, x.dtype.type(scale)), order="C")


def fft_c2c(x: Array, dim: tuple[int, ...], scale: float, forward: bool) -> Array:
    """The transform of complex x over the axes dim, times scale."""
    if not x.size:
        return np.array(x)
    found = np.fft.fftn(x, axes=dim) if forward else np.fft.ifftn(x, axes=dim, norm="forward")
    return _scaled(found, scale)


def fft_r2c(x: Array, dim: tuple[int, ...], scale: float, onesided: bool) -> Array:
    """The transform of real x over the axes dim, times scale: half of the last of them if onesided."""
    if not x.size:
        shape = list(x.shape)
        shape[dim[-1]] = shape[dim[-1]] // 2 + 1 if onesided else shape[dim[-1]]
        return np.zeros(shape, np.result_type(x.dtype, np.complex64))
    return _scaled(np.fft.rfftn(x, axes=dim) if onesided else np.fft.fftn(x, axes=dim), scale)


def fft_c2r(x: Array, dim: tuple[int, ...], scale: float, length: int) -> Array:
    """The real values, `length` along the last of dim, of half a spectrum, times scale."""
    if not x.size:
        shape = list(x.shape)
        shape[dim[-1]] = length
        return np.zeros(shape, x.real.dtype)
    x = np.fft.ifftn(x, axes=dim[:-1], norm="forward") if len(dim) > 1 else x
    return _scaled(np.fft.irfft(x, length, axis=dim[-1], norm="forward"), scale)
