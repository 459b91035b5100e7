"""Switches of torch programs that change how fast or where torch computes: most have no effect here, and say so.  Loaded on first use."""

from __future__ import annotations

import os
import warnings
from typing import Any

from tracegrad import dtypes
from tracegrad.devices import CPU, check_device, device
from tracegrad.errors import ArgumentError, DataError, explain


class _State:
    """What the setters were told."""

    threads = os.cpu_count() or 1
    interop_threads = os.cpu_count() or 1
    deterministic = False
    deterministic_warn_only = False
    precision = "highest"
    warn_always = False


def get_num_threads() -> int:
    """The number that set_num_threads was given; at first the number of CPUs."""
    return _State.threads


def set_num_threads(count: int) -> None:
    """Remembered and otherwise without effect: NumPy's threads are set by OMP_NUM_THREADS and the like.  Raises RuntimeError unless count is positive."""
    _State.threads = _positive("set_num_threads", count)


def get_num_interop_threads() -> int:
    """The number that set_num_interop_threads was given; at first the number of CPUs."""
    return _State.interop_threads


def set_num_interop_threads(count: int) -> None:
    """Remembered and otherwise without effect.  Raises RuntimeError unless count is positive."""
    _State.interop_threads = _positive("set_num_interop_threads", count)


def _positive(operation: str, count: Any) -> int:
    if not isinstance(count, int) or isinstance(count, bool):
        raise ArgumentError(explain(operation, f"expects an int, but got {type(count).__name__}"))
    if count <= 0:
        raise DataError(explain(operation, "expects a positive integer", count=count))
    return count


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered and otherwise without effect: every operator gives the same numbers each time."""
    if not isinstance(mode, bool):
        raise ArgumentError(explain("use_deterministic_algorithms", f"mode must be bool, not {type(mode).__name__}"))
    _State.deterministic, _State.deterministic_warn_only = mode, warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was told."""
    return _State.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """What use_deterministic_algorithms was told as warn_only."""
    return _State.deterministic and _State.deterministic_warn_only


def set_float32_matmul_precision(precision: str) -> None:
    """Remembered and otherwise without effect: products of float32 are never computed with fewer digits."""
    if precision in ("highest", "high", "medium"):
        _State.precision = precision
        return
    warnings.warn(f"{precision} is not one of 'highest', 'high', or 'medium'", UserWarning, stacklevel=2)


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was told."""
    return _State.precision


def set_flush_denormal(mode: bool) -> bool:
    """False: small numbers stay as they are."""
    return False


def set_warn_always(mode: bool) -> None:
    """Remembered and otherwise without effect: which warnings repeat is for Python's `warnings` to say."""
    _State.warn_always = bool(mode)


def is_warn_always_enabled() -> bool:
    """What set_warn_always was told."""
    return _State.warn_always


def set_default_device(wanted: Any) -> None:
    """Accepts the CPU and None.  Raises AssertionError for CUDA and NotImplementedError for other devices."""
    check_device("set_default_device", wanted)


def get_default_device() -> device:
    """The CPU."""
    return CPU


def set_default_tensor_type(kind: Any) -> None:
    """Make the dtype of a floating class such as DoubleTensor, or of its name 'torch.DoubleTensor', the default dtype."""
    names = {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64, "HalfTensor": dtypes.float16}
    found = names.get(kind.removeprefix("torch.")) if isinstance(kind, str) else getattr(kind, "dtype", None)
    if not isinstance(found, dtypes.dtype) or found not in names.values():
        raise ArgumentError(explain("set_default_tensor_type", "only floating-point types are supported as the default type", got=kind))  # fmt: skip
    dtypes.set_default_dtype(found)


__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_default_device",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_default_device",
    "set_default_tensor_type",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]
