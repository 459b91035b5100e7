"""torch.utils: checkpoint, dlpack, hooks, serialization."""

from tracegrad.utils import checkpoint, dlpack, hooks, serialization

__all__ = ["checkpoint", "dlpack", "hooks", "serialization"]
