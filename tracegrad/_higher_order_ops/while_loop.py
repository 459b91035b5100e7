"""Where torch has `while_loop`."""

from tracegrad.func.control_flow import while_loop

__all__ = ["while_loop"]
