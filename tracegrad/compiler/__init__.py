"""Recording functions as graphs, and compile()."""

from tracegrad.compiler.compile import Compiled, compile  # noqa: A004  (torch's name)
from tracegrad.compiler.replay import capture

__all__ = ["Compiled", "capture", "compile"]
