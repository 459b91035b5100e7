"""Losses of classes and label sequences as modules."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.nn import functional
from tracegrad.nn.losses import NLLLoss, _Loss


class CTCLoss(_Loss):
    """Connectionist temporal classification.  Source: Graves et al. 2006."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Any:
        """Shapes: (t, n, c), (n, s) or all targets in one axis, (n,), (n,) -> (), or (n,) for reduction "none"."""
        options = (self.blank, self.reduction, self.zero_infinity)
        return functional.ctc_loss(log_probs, targets, input_lengths, target_lengths, *options)


class NLLLoss2d(NLLLoss):
    """NLLLoss, under its old name for images."""


__all__ = ["CTCLoss", "NLLLoss2d"]
