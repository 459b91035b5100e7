"""What scripts ask torch.cuda before they choose a device: there is none.  Layer 0: imports nothing of the package."""

from __future__ import annotations


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


__all__ = ["device_count", "empty_cache", "is_available", "is_initialized", "manual_seed", "manual_seed_all"]
