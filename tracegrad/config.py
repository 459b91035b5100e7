"""State that every layer may read: the fast-path switch, the per-thread modes, and the debug settings.

Layer 0: imports nothing of the package.
"""

from __future__ import annotations

import os
import threading
from typing import Any

# The globals of all generated code.  GENERATED["MODE"] is the only state that a generated function reads: 0 means that no thread is in a
# special mode (no_grad, recording, ...).  Anything else sends every operator through the general path, which asks `local` for the truth.
GENERATED: dict[str, Any] = {"MODE": 0}

_mode_lock = threading.Lock()


class _Local(threading.local):
    """The modes of one thread."""

    grad_enabled: bool = True
    inference: bool = False
    trace: Any = None  # the active recorder, or None
    location: tuple[str, int] | None = None


local = _Local()


class _Settings:
    """Debug settings; each has an environment variable TRACEGRAD_<NAME>."""

    def __init__(self) -> None:
        self.verify = os.environ.get("TRACEGRAD_VERIFY", "0") not in ("0", "")
        self.dump = os.environ.get("TRACEGRAD_DUMP", "")


settings = _Settings()


def leave_fast_path() -> None:
    """Send all operators through the general path until `return_to_fast_path` is called as often."""
    with _mode_lock:
        GENERATED["MODE"] += 1


def return_to_fast_path() -> None:
    """Undo one `leave_fast_path`."""
    with _mode_lock:
        GENERATED["MODE"] -= 1


def set_grad_enabled(enabled: bool) -> bool:
    """Set this thread's grad mode and return the previous one."""
    before = local.grad_enabled
    if before != enabled:
        local.grad_enabled = enabled
        (return_to_fast_path if enabled else leave_fast_path)()
    return before
