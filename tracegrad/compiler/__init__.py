"""Recording functions as graphs, and compile()."""

import tracegrad.export  # noqa: F401  (gives graphs to_json, to_python, ...)
from tracegrad.compiler import names
from tracegrad.compiler.compile import Compiled
from tracegrad.compiler.front import compile  # noqa: A004  (torch's name)
from tracegrad.compiler.marks import mark_dynamic
from tracegrad.compiler.names import *  # noqa: F403
from tracegrad.compiler.replay import capture
from tracegrad.config import local


def is_compiling() -> bool:
    """Whether the code that asks is being recorded."""
    return local.trace is not None


__all__ = ["Compiled", "capture", "compile", "is_compiling", "mark_dynamic", *names.__all__]
