"""Grad modes: whether this thread records what it computes.  Each is a context manager and a decorator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from functools import update_wrapper
from types import CodeType
from typing import Any, TypeVar

from tracegrad import config
from tracegrad.autograd.saving import change_watch
from tracegrad.config import local
from tracegrad.errors import ArgumentError, explain

Function = TypeVar("Function", bound=Callable[..., Any])

_GENERATOR_FLAG = 0x20  # inspect.CO_GENERATOR


def is_grad_enabled() -> bool:
    """Whether operations of this thread on tensors that require grad are recorded (inside inference mode: whether that was asked for)."""
    return local.asked if local.inference else local.grad_enabled


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode()`."""
    return local.inference


def _ask(enabled: bool) -> bool:
    """Set the grad mode that the program asks for, which has no effect inside inference mode, and return the previous one."""
    if not local.inference:
        return config.set_grad_enabled(enabled)
    before, local.asked = local.asked, enabled
    return before


class _Mode:
    """A setting of this thread that is in force inside a `with` block, a decorated function or the steps of a decorated generator."""

    _enabled: bool = False

    def __init__(self) -> None:
        self._before: list[Any] = []

    def __enter__(self) -> None:
        self._before.append(_ask(self._enabled) if local.inference else config.set_grad_enabled(self._enabled))

    def __exit__(self, *_exception: object) -> None:
        (_ask if local.inference else config.set_grad_enabled)(self._before.pop())

    def _fresh(self) -> _Mode:
        """A new object of the same setting: a decorated function may be entered by several threads at once."""
        return type(self)()

    def __call__(self, function: Function) -> Function:
        """The function, run in this mode."""
        if isinstance(function, type):
            text = explain(
                type(self).__name__,
                "decorating a class runs only its construction in this mode",
                "Decorate the methods",
            )
            warnings.warn(text, FutureWarning, stacklevel=2)
        code = getattr(function, "__code__", None)
        if type(code) is CodeType and code.co_flags & _GENERATOR_FLAG:
            return update_wrapper(_steps_in_mode(self._fresh, function), function)  # type: ignore[return-value]

        def run(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return function(*args, **kwargs)

        return update_wrapper(run, function)  # type: ignore[return-value]


def _steps_in_mode(fresh: Callable[[], _Mode], function: Callable[..., Any]) -> Callable[..., Any]:
    """A generator function whose body runs in the mode while its caller, between the steps, does not."""

    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with fresh():
            steps = function(*args, **kwargs)
        resume: Callable[[], Any] = steps.__next__
        while True:
            try:
                with fresh():
                    item = resume()
            except StopIteration as end:
                return end.value
            try:
                received = yield item
            except GeneratorExit:
                with fresh():
                    steps.close()
                raise
            except BaseException as error:  # thrown in by the caller: the body may handle it
                resume = _throwing(steps, error)
            else:
                resume = _sending(steps, received)

    return run


def _throwing(steps: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)


def _sending(steps: Generator[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: steps.send(value)


class no_grad(_Mode):  # noqa: N801
    """Record nothing: `with no_grad():`, `@no_grad()` or `@no_grad`."""

    def __new__(cls, function: Any = None) -> Any:
        """The mode; with a function (`@no_grad`) that function, decorated."""
        mode = object.__new__(cls)
        if function is None:
            return mode
        _Mode.__init__(mode)
        return mode(function)


class enable_grad(_Mode):  # noqa: N801
    """Record again, inside `no_grad()`: `with enable_grad():`, `@enable_grad()` or `@enable_grad`."""

    _enabled = True
    __new__ = no_grad.__new__


class set_grad_enabled(_Mode):  # noqa: N801
    """Record or not, from this call on; as a context manager the previous mode returns at the end of the block."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        if not isinstance(mode, bool):
            problem = f"argument 'enabled' must be bool, not {type(mode).__name__}"
            raise ArgumentError(explain("set_grad_enabled", problem))
        self.mode = self._enabled = mode
        self.prev = _ask(self._enabled)

    def __enter__(self) -> None:
        _ask(self._enabled)

    def __exit__(self, *_exception: object) -> None:
        _ask(self.prev)

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"

    def _fresh(self) -> _Mode:
        return set_grad_enabled(self.mode)

    def __call__(self, function: Function) -> Function:
        """The function, run in this mode; a decorator leaves the mode outside as it was before it."""
        _ask(self.prev)
        return super().__call__(function)


class inference_mode(_Mode):  # noqa: N801
    """Record nothing, and promise that what is made here never meets autograd: `with inference_mode():`, `@inference_mode()` or `@inference_mode`.

    What is made inside are inference tensors, unless it is a view of another tensor.  Outside, they may be read and computed with; RuntimeError meets
    who saves one for a derivative, writes to it, asks for its version or sets requires_grad; `clone()` makes an ordinary tensor.
    `inference_mode(False)` records again.
    """

    def __new__(cls, mode: Any = True) -> Any:
        """The mode; with a function (`@inference_mode`) that function, decorated."""
        made = object.__new__(cls)
        if not callable(mode):
            return made
        made.__init__()  # type: ignore[misc]
        return made(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.mode = mode

    def __enter__(self) -> None:
        self._before.append((local.inference, local.asked))
        local.inference = False
        self._before.append((config.set_grad_enabled(not self.mode), local.watch is not None and local.watch.inference))
        change_watch(inference=bool(self.mode))
        local.inference, local.asked = bool(self.mode), False

    def __exit__(self, *_exception: object) -> None:
        local.inference = False
        enabled, watched = self._before.pop()
        change_watch(inference=watched)
        config.set_grad_enabled(enabled)
        local.inference, local.asked = self._before.pop()

    def _fresh(self) -> _Mode:
        return inference_mode(self.mode)


class recording(_Mode):
    """What this package computes inside the block is recorded or not, whatever mode the program is in."""

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self._enabled = enabled

    def __enter__(self) -> None:
        self._before.append(config.set_grad_enabled(self._enabled))

    def __exit__(self, *_exception: object) -> None:
        config.set_grad_enabled(self._before.pop())

    def _fresh(self) -> _Mode:
        return recording(self._enabled)


class set_multithreading_enabled(_Mode):  # noqa: N801
    """Accepted for programs written for torch: a backward runs in the thread that called it, whatever `mode` is."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode, self.prev = mode, _Threads.asked
        _Threads.asked = mode

    def __enter__(self) -> None:
        """Nothing changes: the mode was set when this was made."""

    def __exit__(self, *_exception: object) -> None:
        """What was asked for before is asked for again."""
        _Threads.asked = self.prev

    def _fresh(self) -> _Mode:
        return set_multithreading_enabled(self.mode)


class _Threads:
    """What set_multithreading_enabled asked for last."""

    asked = True


def is_multithreading_enabled() -> bool:
    """What set_multithreading_enabled was last given; True at first, as in torch, though a backward has one thread here."""
    return _Threads.asked


def is_view_replay_enabled() -> bool:
    """False: views are followed in one way here, which needs no replaying."""
    return False


class _force_original_view_tracking(_Mode):  # noqa: N801
    """Accepted for programs written for torch: there is one way here in which views are followed."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.mode = mode

    def __enter__(self) -> None:
        """Nothing changes."""

    def __exit__(self, *_exception: object) -> None:
        """Nothing changes."""

    def _fresh(self) -> _Mode:
        return _force_original_view_tracking(self.mode)


__all__ = [
    "_force_original_view_tracking",
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "is_multithreading_enabled",
    "is_view_replay_enabled",
    "no_grad",
    "set_grad_enabled",
    "set_multithreading_enabled",
]
