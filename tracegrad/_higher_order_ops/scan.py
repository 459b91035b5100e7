"""Where torch has `scan`."""

from tracegrad.func.control_flow import scan

__all__ = ["scan"]
