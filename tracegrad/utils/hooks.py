"""torch.utils.hooks: what removes a hook."""

from __future__ import annotations

from tracegrad.autograd.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
