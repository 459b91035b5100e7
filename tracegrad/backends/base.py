"""What a backend gives back: a callable over arrays, with its source text."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np

from tracegrad.errors import ArgumentError, ArgumentValueError, NotSupportedError, explain
from tracegrad.ir.graph import Graph

Array = np.ndarray[Any, Any]


class Executable(Protocol):
    """A compiled graph: arrays for inputs and captures in, a tuple of fresh arrays out."""

    source: str

    def __call__(self, *arrays: Any) -> tuple[Array, ...]: ...


MODULES = {"numpy": "tracegrad.backends.numpy_backend", "jax": "tracegrad.backends.jax_backend"}


class Target(str):
    """The name of a backend with options for it, which travel wherever the name goes.

    options     what the backend's `read_options` gets      parameters  the names of the compiled function's parameters
    """

    options: Mapping[str, Any]
    parameters: tuple[str, ...]

    def __new__(cls, name: str, options: Mapping[str, Any] | None = None, parameters: tuple[str, ...] = ()) -> Target:
        """The target; its options are read when a graph is compiled."""
        made = str.__new__(cls, name)
        made.options, made.parameters = dict(options or {}), parameters
        return made


def backend(name: str, *, backward: bool = False, **options: Any) -> Callable[[Graph], Executable]:
    """The function that compiles a graph for the backend `name`; its module is imported on first use.

    Options are those of the backend's own (docs/jax.md), beside those that a Target carries; backward=True leaves out what is meant for the forward program alone.
    Raises ValueError that lists the backends for an unknown name, TypeError for an option that the backend does not have, NotImplementedError when the package that
    it needs is not installed.
    """
    module = MODULES.get(name) if isinstance(name, str) else None
    if module is None:
        raise ArgumentValueError(
            explain("compile", f"backend must be one of {', '.join(map(repr, MODULES))}, got {name!r}")
        )
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise NotSupportedError(
            explain(
                "compile", f"backend {name!r} needs a package that is not installed: {error}", f"pip install {name}"
            )
        ) from error
    found: Callable[..., Executable] = imported.compile_graph
    given = {**(name.options if isinstance(name, Target) else {}), **options}
    if not given:
        return found
    if not hasattr(imported, "read_options"):
        problem = f"got an unexpected keyword argument {next(iter(given))!r}: backend {str(name)!r} has no options"
        raise ArgumentError(explain("compile", problem))
    parameters = name.parameters if isinstance(name, Target) else ()
    return partial(found, options=imported.read_options(given, parameters, backward))
