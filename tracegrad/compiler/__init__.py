"""Recording functions as graphs, and compile()."""

import tracegrad.export  # noqa: F401  (gives graphs to_json, to_python, ...)
from tracegrad.compiler.compile import Compiled, compile  # noqa: A004  (torch's name)
from tracegrad.compiler.replay import capture

__all__ = ["Compiled", "capture", "compile"]
