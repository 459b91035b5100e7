"""torch.utils: checkpoint."""

from tracegrad.utils import checkpoint

__all__ = ["checkpoint"]
