"""What a backend gives back: a callable over arrays, with its source text."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from tracegrad.errors import ArgumentValueError, NotSupportedError, explain
from tracegrad.ir.graph import Graph

Array = np.ndarray[Any, Any]


class Executable(Protocol):
    """A compiled graph: arrays for inputs and captures in, a tuple of fresh arrays out."""

    source: str

    def __call__(self, *arrays: Any) -> tuple[Array, ...]: ...


MODULES = {"numpy": "tracegrad.backends.numpy_backend", "jax": "tracegrad.backends.jax_backend"}


def backend(name: str) -> Callable[[Graph], Executable]:
    """The function that compiles a graph for the backend `name`; its module is imported on first use.

    Raises ValueError that lists the backends for an unknown name, NotImplementedError when the package that it needs is not installed.
    """
    module = MODULES.get(name) if isinstance(name, str) else None
    if module is None:
        raise ArgumentValueError(
            explain("compile", f"backend must be one of {', '.join(map(repr, MODULES))}, got {name!r}")
        )
    try:
        found: Callable[[Graph], Executable] = importlib.import_module(module).compile_graph
    except ImportError as error:
        raise NotSupportedError(
            explain(
                "compile", f"backend {name!r} needs a package that is not installed: {error}", f"pip install {name}"
            )
        ) from error
    return found
