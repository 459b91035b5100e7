"""Losses of classes and label sequences as modules."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.ir.types import size_of
from tracegrad.nn import functional
from tracegrad.nn.layers import Linear
from tracegrad.nn.linear_loss_functions import LinearCrossEntropyOptions
from tracegrad.nn.losses import NLLLoss, _Loss
from tracegrad.nn.module import Module


class CTCLoss(_Loss):
    """Connectionist temporal classification.  Source: Graves et al. 2006."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Any:
        """Shapes: (t, n, c), (n, s) or all targets in one axis, (n,), (n,) -> (), or (n,) for reduction "none"."""
        options = (self.blank, self.reduction, self.zero_infinity)
        return functional.ctc_loss(log_probs, targets, input_lengths, target_lengths, *options)


class LinearCrossEntropyLoss(Module):
    """The cross entropy of what a linear layer makes of the input."""

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:
        super().__init__()
        self.in_features, self.num_classes, self.out_features = in_features, num_classes, tuple(out_features)
        self.reduction, self.ignore_index, self.label_smoothing = reduction, ignore_index, label_smoothing
        self.options = options
        count = num_classes * size_of(self.out_features)
        self.linear = Linear(in_features, count, bias=bias, device=device, dtype=dtype)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Any:  # noqa: A002
        """Shapes: (n, in_features), (n, *out_features) -> (); without n too."""
        shape = (self.num_classes, *self.out_features)
        bias = None if self.linear.bias is None else self.linear.bias.reshape(shape)
        return functional.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*shape, self.in_features)),
            target,
            linear_bias=bias,
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        """What the repr shows."""
        shown = f"in_features={self.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
        shown += f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
        return shown + f"label_smoothing={self.label_smoothing}, options={self.options}"


class NLLLoss2d(NLLLoss):
    """NLLLoss, under its old name for images."""


__all__ = ["CTCLoss", "LinearCrossEntropyLoss", "LinearCrossEntropyOptions", "NLLLoss2d"]
