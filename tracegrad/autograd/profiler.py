"""torch.autograd.profiler as far as programs need it to run: labels are accepted, measuring is left to Python's profilers."""

from __future__ import annotations

from typing import Any

from tracegrad.autograd.modes import _Mode
from tracegrad.errors import NotSupportedError, explain


class record_function(_Mode):  # noqa: N801
    """Accepted for programs written for torch: a block or a function with a label, which nothing here reads."""

    def __init__(self, name: str, args: str | None = None) -> None:
        super().__init__()
        self.name, self.args = name, args

    def __enter__(self) -> Any:
        """Nothing changes."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing changes."""

    def _fresh(self) -> _Mode:
        return record_function(self.name, self.args)


class profile:  # noqa: N801
    """torch's profiler, of which only `enabled=False` exists here.  Raises NotImplementedError otherwise."""

    def __init__(self, enabled: bool = True, **_options: Any) -> None:
        if enabled:
            raise NotSupportedError(
                explain(
                    "profile", "there is no profiler of operators", "Use cProfile, or explain() of a compiled function"
                )
            )

    def __enter__(self) -> profile:
        """Nothing changes."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing changes."""


class emit_nvtx(profile):  # noqa: N801
    """NVTX ranges, which exist on NVIDIA devices alone.  Raises NotImplementedError unless `enabled=False`."""


class emit_itt(profile):  # noqa: N801
    """ITT ranges of Intel's profiler.  Raises NotImplementedError unless `enabled=False`."""


__all__ = ["emit_itt", "emit_nvtx", "profile", "record_function"]
