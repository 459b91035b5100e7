"""State that every layer may read: the fast-path switch, the per-thread modes, and the debug settings.

Layer 0: imports nothing of the package.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

# The globals of all generated code.  GENERATED["MODE"] is the only state that a generated function reads: 0 means that no thread is in a
# special mode (no_grad, recording, ...).  Anything else sends every operator through the general path, which asks `local` for the truth.
GENERATED: dict[str, Any] = {"MODE": 0, "WATCHED": 1 << 30}

WATCHED = GENERATED["WATCHED"]  # MODE is at least this while any thread has a watch

_mode_lock = threading.Lock()


class _Local(threading.local):
    """The modes of one thread."""

    grad_enabled: bool = True
    inference: bool = (
        False  # inside inference mode; there grad_enabled is False but for what this package records itself
    )
    asked: bool = False  # the grad mode that was asked for inside inference mode, where it has no effect
    trace: Any = None  # the active recorder, or None
    host: Any = None  # the profile function that sees what Python code does while it is recorded
    watch: Any = None  # what sees every new node of the tape (saved-tensor hooks, anomaly mode), or None
    transforms: tuple[
        tuple[str, str], ...
    ] = ()  # the function transforms that run, outermost first, each with its randomness
    inducing: Any = None  # in anomaly mode: the step whose backward records what runs now
    sweep: Any = None  # the backward that runs, where a hook asks for it
    callbacks: Any = (
        None  # what is called when the backward that runs is complete; None outside of one that runs the user's code
    )
    depth: int = 0  # how many such backwards run inside each other
    quiet: Any = (
        None  # runs a function in a context of this thread whose NumPy error state is silent; None while it does
    )

    def __init__(self) -> None:
        thread = threading.current_thread()
        if thread is not threading.main_thread():
            weakref.finalize(thread, _ended, vars(self)).atexit = False


def _ended(modes: dict[str, Any]) -> None:
    """Give back what a thread that ended inside a mode took part in."""
    with _mode_lock:
        GENERATED["MODE"] -= WATCHED * (modes.get("watch") is not None) + (not modes.get("grad_enabled", True))


local = _Local()


class UserCode:
    """Whether a backward may run the user's code: hooks, autograd.Function, packed values.  Set once, never unset."""

    possible = False


class _Settings:
    """Debug settings; each has an environment variable TRACEGRAD_<NAME>."""

    def __init__(self) -> None:
        self.verify = os.environ.get("TRACEGRAD_VERIFY", "0") not in ("0", "")
        self.dump = os.environ.get("TRACEGRAD_DUMP", "")
        self.strict_every = int(os.environ.get("TRACEGRAD_STRICT_EVERY", "100"))  # calls of strict compiled functions
        self.max_paths = int(os.environ.get("TRACEGRAD_MAX_PATHS", "64"))  # courses of one signature that are compiled
        self.stance = "default"  # what calls without a program do, see compiler.set_stance
        self.log = os.environ.get("TRACEGRAD_LOG", "")  # some of guards, passes, source, cache, with commas between
        self.cache_dir = os.environ.get("TRACEGRAD_CACHE_DIR", "")  # where compile() keeps programs; "" keeps none
        self.cache_limit = int(os.environ.get("TRACEGRAD_CACHE_LIMIT", "256"))  # MiB of files there


settings = _Settings()


def leave_fast_path() -> None:
    """Send all operators through the general path until `return_to_fast_path` is called as often."""
    with _mode_lock:
        GENERATED["MODE"] += 1


def return_to_fast_path() -> None:
    """Undo one `leave_fast_path`."""
    with _mode_lock:
        GENERATED["MODE"] -= 1


def set_watch(watch: Any) -> Any:
    """Let `watch` see every node that this thread puts on the tape (None: nothing does), and return what saw them before."""
    before = local.watch
    with _mode_lock:
        GENERATED["MODE"] += WATCHED * ((watch is not None) - (before is not None))
    local.watch = watch
    return before


def set_grad_enabled(enabled: bool) -> bool:
    """Set this thread's grad mode and return the previous one."""
    before = local.grad_enabled
    if before != enabled:
        local.grad_enabled = enabled
        with _mode_lock:
            GENERATED["MODE"] += -1 if enabled else 1
    return before


def _after_fork() -> None:
    """A lock that another thread held is held for ever in a forked process: make a new one."""
    global _mode_lock
    _mode_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
