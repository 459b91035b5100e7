"""torch._inductor's settings, which programs set."""

from tracegrad._inductor import config

__all__ = ["config"]
