"""torch.fft: discrete Fourier transforms, their frequencies and shifts.  Loaded on first use; each is an operator or is made of operators (ops/fourier.py)."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.creation import tensor as _tensor
from tracegrad.eager.generate import exported_function as _exported
from tracegrad.eager.tensor import Tensor
from tracegrad.ops.fourier import frequencies as _frequencies

_NAMES = [kind + end for kind in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for end in ("", "2", "n")]
_NAMES += ["fftshift", "ifftshift"]

globals().update({name: _exported(f"fft_{name}") for name in _NAMES})


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The frequencies of a transform of n values d apart: 0, 1, ..., -1, each by n * d.  Shape: (n,)."""
    return _made(n, d, False, dtype, device, requires_grad)


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The frequencies of the half spectrum of n real values d apart.  Shape: (n // 2 + 1,)."""
    return _made(n, d, True, dtype, device, requires_grad)


def _made(n: int, d: float, half: bool, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    values = _frequencies(n, d, half).tolist()
    return _tensor(values, dtype=dtype, device=device, requires_grad=requires_grad)


__all__ = sorted([*_NAMES, "fftfreq", "rfftfreq"])
