"""torch.signal: windows of signal processing."""

from __future__ import annotations

from tracegrad.signal import windows as windows

__all__ = ["windows"]
