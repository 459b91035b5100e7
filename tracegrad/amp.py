"""torch.amp in programs that run without an accelerator: all is computed in the dtypes of the tensors.  Layer 0."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from tracegrad.errors import ArgumentValueError, NotSupportedError, explain


class autocast:  # noqa: N801  (torch's name)
    """A context manager or decorator that lowers no precision.

    For CUDA it warns and turns itself off, as torch without CUDA does.  Raises NotImplementedError where it is enabled for the CPU: torch computes in bfloat16 there.
    """

    def __init__(
        self, device_type: str = "cuda", dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ArgumentValueError(explain("autocast", f"device_type must be a string, got {device_type!r}"))
        if enabled and device_type == "cuda":
            warnings.warn("autocast: CUDA is not available, so that it is disabled", UserWarning, stacklevel=2)
        elif enabled:
            problem = f"there is no arithmetic of lower precision on {device_type!r}"
            raise NotSupportedError(explain("autocast", problem, "Pass enabled=False"))
        self.device, self.fast_dtype = device_type, dtype

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is left to do."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def unchanged(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return unchanged


class GradScaler:
    """Scales nothing: losses stay as they are, and `step(optimizer)` is `optimizer.step()`.  Warns when it is enabled, as torch without CUDA does."""

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        if enabled:
            warnings.warn("GradScaler: CUDA is not available, so that it is disabled", UserWarning, stacklevel=2)

    def scale(self, outputs: Any) -> Any:
        """The loss itself."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing: gradients are not scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """optimizer.step()."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Nothing."""

    def get_scale(self) -> float:
        """1.0."""
        return 1.0

    def is_enabled(self) -> bool:
        """False."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Empty."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing is taken from it."""


__all__ = ["GradScaler", "autocast"]
