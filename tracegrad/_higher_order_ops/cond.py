"""Where torch has `cond`."""

from tracegrad.func.control_flow import cond

__all__ = ["cond"]
