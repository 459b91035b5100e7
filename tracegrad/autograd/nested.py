"""How a backward is run: silently, and where it may run the user's code with callbacks at its end and other backwards inside it, to any depth."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.node import Node

LEVELS = 20  # so many backwards run inside each other in one thread; the next one gets a thread, where Python counts its depth anew


class Sweep:
    """The backward that runs, for hooks that ask: the nodes it walks, and what such hooks keep while it does."""

    __slots__ = ("collected", "into_all_leaves", "nodes")

    def __init__(self, order: list[Node], into_all_leaves: bool) -> None:
        self.nodes, self.into_all_leaves = set(order), into_all_leaves
        self.collected: dict[object, Any] = {}


def run_with_user_code(run: Callable[[], Any]) -> Any:
    """What run() gives; afterwards the callbacks are called that were queued meanwhile."""
    outer = local.callbacks
    local.callbacks, local.depth = [], local.depth + 1
    try:
        result = _in_new_thread(run) if local.depth % LEVELS == 0 else run()
        for callback in local.callbacks:  # a callback may queue more
            callback()
        return result
    finally:
        local.callbacks, local.depth = outer, local.depth - 1


def _in_new_thread(run: Callable[[], Any]) -> Any:
    """run() in a new thread that has this one's modes, while this one waits."""
    state, context = vars(local), contextvars.copy_context()
    answers: list[Any] = []
    errors: list[BaseException] = []

    def work() -> None:
        mine = vars(local)
        mine.update(state)
        try:
            answers.append(context.run(run))
        except BaseException as error:
            errors.append(error)
        finally:
            state.update(mine)
            mine.clear()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors.pop()
    return answers.pop()


def queue_callback(callback: Callable[[], Any]) -> None:
    """Call `callback()` when the backward that runs now is complete.  Raises RuntimeError outside a backward."""
    if local.callbacks is None:
        problem = "Final callbacks can only be installed during backward pass."
        raise DifferentiationError(explain("queue_callback", problem))
    local.callbacks.append(callback)


def silently(function: Callable[..., Any], *arguments: Any) -> None:
    """Run a function without NumPy's warnings."""
    with np.errstate(all="ignore"):
        function(*arguments)


def silent_context() -> Any:
    """Runs kernels without NumPy's warnings, at a fraction of the cost of np.errstate."""
    return _SILENT.copy().run


_SILENT = contextvars.Context()
_SILENT.run(np.seterr, all="ignore")
_SILENT.run(np.setbufsize, 1024)  # as for the kernels of eager code


__all__ = ["Sweep", "queue_callback", "run_with_user_code", "silent_context", "silently"]
