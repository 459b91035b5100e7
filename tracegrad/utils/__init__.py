"""torch.utils: checkpoint, data, dlpack, hooks, serialization."""

from tracegrad.utils import checkpoint, data, dlpack, hooks, serialization

__all__ = ["checkpoint", "data", "dlpack", "hooks", "serialization"]
