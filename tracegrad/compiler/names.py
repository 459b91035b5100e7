"""torch.compiler's names: what programs say to the compiler, beside compile()."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tracegrad import config
from tracegrad.backends.base import MODULES
from tracegrad.compiler.compile import ALL, Compiled
from tracegrad.compiler.front import DISABLED
from tracegrad.config import settings
from tracegrad.errors import ArgumentError, DataError, explain
from tracegrad.slots import slots

STANCES = ("default", "eager_then_compile", "aot_eager_then_compile", "force_eager", "eager_on_recompile", "fail_on_recompile")  # fmt: skip


def reset() -> None:
    """Forget all programs of all compiled functions; what they were wrapped around stays."""
    for compiled in list(ALL):
        compiled.reset()


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """`fn` as something that compile() leaves as it is; without fn, a decorator.

    Inside another compiled function its operators are still part of that program, and what it does besides (prints, Python objects that it changes) sends the signature to eager code as ever.
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    if slots.optimized_module is not None and isinstance(fn, slots.optimized_module[1]):
        return fn._orig_mod
    if isinstance(fn, Compiled):
        return disable(fn.function, recursive)
    if not callable(fn):
        raise ArgumentError(explain("disable", f"needs a function, got {type(fn).__name__}"))
    if isinstance(fn, type) or (slots.optimized_module is not None and isinstance(fn, slots.optimized_module[0])):
        setattr(fn, DISABLED, True)
        return fn

    @functools.wraps(fn)
    def plain(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    setattr(plain, DISABLED, True)
    return plain


def allow_in_graph(fn: Any) -> Any:
    """`fn` itself: all operators are part of programs here."""
    if isinstance(fn, (list, tuple)):
        return [allow_in_graph(f) for f in fn]
    if not callable(fn):
        raise ArgumentError(explain("allow_in_graph", f"needs a function, got {type(fn).__name__}"))
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` itself: what it reads is compared, so nothing needs to be assumed."""
    return fn


def substitute_in_graph(
    original_fn: Any, *, can_constant_fold_through: bool = False, skip_signature_check: bool = False
) -> Any:
    """A decorator that leaves a function as it is: the original is followed itself."""
    return lambda fn: fn


def nested_compile_region(fn: Any = None, **options: Any) -> Any:
    """`fn` itself; equal pieces of programs share their compiled form anyway."""
    return fn if fn is not None else lambda f: f


def wrap_numpy(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` for NumPy arrays that are given as Tensors: Tensors among the results of NumPy code."""
    return fn


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """The backends of compile(), and torch's name for the first."""
    return sorted({*MODULES, "inductor"})


def is_dynamo_compiling() -> bool:
    """Whether the code that asks is being recorded."""
    return config.local.trace is not None


def is_exporting() -> bool:
    """False: there is no export by recording with torch.export."""
    return False


def cudagraph_mark_step_begin() -> None:
    """Nothing: there are no CUDA graphs."""


class set_stance:  # noqa: N801  (torch's name)
    """What calls without a program do, from now on or inside a `with` block or a decorated function.

    "default" compiles, "force_eager" runs everything as it is, "eager_on_recompile" runs what has no program as it is, "fail_on_recompile" raises RuntimeError there.
    Raises RuntimeError for another stance.
    """

    def __init__(
        self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False, force_backend: Any = None
    ) -> None:
        if stance not in STANCES:
            raise DataError(explain("set_stance", f"invalid stance {stance!r}", f"Use one of {', '.join(STANCES)}"))
        self.stance = stance
        self.before = _take_stance(stance)

    def __enter__(self) -> None:
        _take_stance(self.stance)

    def __exit__(self, *_: Any) -> None:
        _take_stance(self.before)

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """The function under this stance; it holds nowhere else."""
        _take_stance(self.before)

        @functools.wraps(fn)
        def within(*args: Any, **kwargs: Any) -> Any:
            before = _take_stance(self.stance)
            try:
                return fn(*args, **kwargs)
            finally:
                _take_stance(before)

        return within


def _take_stance(stance: str) -> str:
    """Let a stance hold and return the one before; generated paths are left while everything is to run as it is."""
    before = settings.stance
    if (stance == "force_eager") is not (before == "force_eager"):
        (config.leave_fast_path if stance == "force_eager" else config.return_to_fast_path)()
    settings.stance = stance
    return before


__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "cudagraph_mark_step_begin",
    "disable",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "nested_compile_region",
    "reset",
    "set_stance",
    "substitute_in_graph",
    "wrap_numpy",
]
