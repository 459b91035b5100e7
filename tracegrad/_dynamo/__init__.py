"""torch._dynamo's names that programs use: `reset`, `disable`, `mark_dynamic`, `explain`, `config` ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracegrad._dynamo import config
from tracegrad.compiler import compile, mark_dynamic  # noqa: A004  (torch's name)
from tracegrad.compiler.marks import mark_static, maybe_mark_dynamic
from tracegrad.compiler.names import (
    allow_in_graph,
    assume_constant_result,
    disable,
    list_backends,
    reset,
    substitute_in_graph,
)
from tracegrad.compiler.names import is_dynamo_compiling as is_compiling
from tracegrad.nn.optimized import OptimizedModule


def graph_break(msg: str = "") -> None:
    """Nothing: values that decide are followed, and programs go on behind them."""


def optimize(backend: str = "inductor", *, nopython: bool = False, **options: Any) -> Callable[[Any], Any]:
    """A decorator that compiles, as `tracegrad.compile`."""
    return compile(backend=backend, fullgraph=nopython)  # type: ignore[no-any-return]


def explain(f: Callable[..., Any], *extra_args: Any, **extra_kwargs: Any) -> Any:
    """Called with f's arguments: what compile() makes of that call, as `compile(f).explain(...)`."""

    def of(*args: Any, **kwargs: Any) -> Any:
        return compile(f).explain(*args, **kwargs)

    return of(*extra_args, **extra_kwargs) if extra_args or extra_kwargs else of


__all__ = [
    "OptimizedModule",
    "allow_in_graph",
    "assume_constant_result",
    "config",
    "disable",
    "explain",
    "graph_break",
    "is_compiling",
    "list_backends",
    "mark_dynamic",
    "mark_static",
    "maybe_mark_dynamic",
    "optimize",
    "reset",
    "substitute_in_graph",
]
