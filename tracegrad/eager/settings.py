"""Switches of torch programs that change how fast or where torch computes: most have no effect here, and say so.  Loaded on first use."""

from __future__ import annotations

import os
import warnings
from typing import Any

from tracegrad import dtypes
from tracegrad.devices import CPU, check_device, device
from tracegrad.errors import ArgumentError, DataError, NotSupportedError, explain


class _State:
    """What the setters were told."""

    threads = os.cpu_count() or 1
    interop_threads = os.cpu_count() or 1
    deterministic = False
    deterministic_warn_only = False
    precision = "highest"
    warn_always = False
    autocast_dtypes: dict[str, dtypes.dtype] = {}
    autocast_cache = True
    autocast_nesting = 0


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


_DEBUG_MODES = ("default", "warn", "error")


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """use_deterministic_algorithms in one number: 0 or 'default', 1 or 'warn', 2 or 'error'.  Raises RuntimeError for others."""
    if debug_mode not in (0, 1, 2, *_DEBUG_MODES):
        raise DataError(explain("set_deterministic_debug_mode", "invalid value of debug_mode", got=debug_mode))
    level = _DEBUG_MODES.index(debug_mode) if isinstance(debug_mode, str) else int(debug_mode)
    use_deterministic_algorithms(level > 0, warn_only=level == 1)


def get_deterministic_debug_mode() -> int:
    """What set_deterministic_debug_mode was told, as a number."""
    return (1 if _State.deterministic_warn_only else 2) if _State.deterministic else 0


# --- autocast, which never lowers a precision here

_AUTOCAST_DTYPES = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16, "xpu": dtypes.float16, "mps": dtypes.float16}


def _autocast_device(operation: str, device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise ArgumentError(explain(operation, f"device_type must be str, not {type(device_type).__name__}"))
    if device_type not in _AUTOCAST_DTYPES:
        raise DataError(explain(operation, f"unknown device type for autocast: {device_type}"))
    return device_type


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype that set_autocast_dtype was told; at first bfloat16 for the CPU and float16 for CUDA."""
    return (
        _State.autocast_dtypes.get(device_type) or _AUTOCAST_DTYPES[_autocast_device("get_autocast_dtype", device_type)]
    )


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Remembered and otherwise without effect."""
    _State.autocast_dtypes[_autocast_device("set_autocast_dtype", device_type)] = dtype


def _deprecated(name: str, instead: str) -> None:
    text = f"torch.{name}() is deprecated. Please use torch.{instead} instead."
    warnings.warn(text, DeprecationWarning, stacklevel=3)


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """get_autocast_dtype('cpu').  Deprecated in torch."""
    _deprecated("get_autocast_cpu_dtype", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """get_autocast_dtype('cuda').  Deprecated in torch."""
    _deprecated("get_autocast_gpu_dtype", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """False: no precision is lowered.  Raises RuntimeError for unknown devices."""
    _autocast_device("is_autocast_enabled", device_type)
    return False


def is_autocast_cpu_enabled() -> bool:
    """False.  Deprecated in torch."""
    _deprecated("is_autocast_cpu_enabled", "is_autocast_enabled('cpu')")
    return False


def set_autocast_enabled(device_type: Any, enabled: bool = False) -> None:
    """Accepts False.  Raises NotImplementedError for True: there is no arithmetic of lower precision."""
    if enabled or device_type is True:
        problem = "there is no arithmetic of lower precision"
        raise NotSupportedError(explain("set_autocast_enabled", problem, "Pass False"))


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """set_autocast_enabled('cpu', enabled).  Deprecated in torch."""
    _deprecated("set_autocast_cpu_enabled", "set_autocast_enabled('cpu', enabled)")
    set_autocast_enabled("cpu", enabled)


def is_autocast_cache_enabled() -> bool:
    """What set_autocast_cache_enabled was told."""
    return _State.autocast_cache


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Remembered and otherwise without effect."""
    _State.autocast_cache = bool(enabled)


def clear_autocast_cache() -> None:
    """Nothing: nothing is kept."""


def autocast_increment_nesting() -> int:
    """One more level of autocast; the number of levels."""
    _State.autocast_nesting += 1
    return _State.autocast_nesting


def autocast_decrement_nesting() -> int:
    """One level of autocast less; the number of levels."""
    _State.autocast_nesting -= 1
    return _State.autocast_nesting


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
    "autocast_decrement_nesting",
    "autocast_increment_nesting",
    "clear_autocast_cache",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "get_default_device",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_autocast_cache_enabled",
    "set_autocast_cpu_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
    "set_default_device",
    "set_default_tensor_type",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]
