"""Where torch has `map`."""

from tracegrad.func.control_flow import map  # noqa: A004  (the name in torch)

__all__ = ["map"]
