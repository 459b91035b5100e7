"""What scripts ask torch.cuda before they choose a device: there is none.  Layer 0."""

from __future__ import annotations

from tracegrad.cuda import amp
from tracegrad.errors import DeviceError, explain


def is_available() -> bool:
    """False: tensors live on the CPU."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing: `tracegrad.manual_seed` seeds the generator of the CPU."""


def manual_seed_all(seed: int) -> None:
    """Nothing: `tracegrad.manual_seed` seeds the generator of the CPU."""


def empty_cache() -> None:
    """Nothing: there is no device memory."""


def is_bf16_supported() -> bool:
    """False."""
    return False


def memory_allocated(device: object = None) -> int:
    """0."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def reset_peak_memory_stats(device: object = None) -> None:
    """Nothing: there is no device memory."""


def current_device() -> int:
    """Raises AssertionError: there is no device."""
    raise _missing("current_device")


def get_device_name(device: object = None) -> str:
    """Raises AssertionError: there is no device."""
    raise _missing("get_device_name")


def synchronize(device: object = None) -> None:
    """Raises AssertionError: there is no device."""
    raise _missing("synchronize")


def _missing(operation: str) -> DeviceError:
    problem = "Torch not compiled with CUDA enabled: tracegrad has no CUDA tensors"
    return DeviceError(explain(operation, problem, "Ask is_available() first"))


__all__ = [
    "amp",
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "synchronize",
]
