"""torch.cuda.amp: the older names of torch.amp, whose first argument is not the device.  Layer 0."""

from __future__ import annotations

from typing import Any

from tracegrad import amp


class autocast(amp.autocast):  # noqa: N801  (torch's name)
    """amp.autocast("cuda"): warns and turns itself off."""

    def __init__(self, enabled: bool = True, dtype: Any = None, cache_enabled: bool = True) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """amp.GradScaler("cuda"): warns and scales nothing."""

    def __init__(
        self, init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True
    ) -> None:  # fmt: skip
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


__all__ = ["GradScaler", "autocast"]
