"""Losses as modules."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.nn import functional
from tracegrad.nn.module import Module
from tracegrad.ops.losses import reduction_of


class _Loss(Module):
    """A loss with a reduction: "mean", "sum" or "none"."""

    def __init__(self, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> None:
        super().__init__()
        deprecated = size_average is not None or reduce is not None
        self.reduction = reduction_of(type(self).__name__, size_average, reduce, reduction) if deprecated else reduction


class _WeightedLoss(_Loss):
    """A loss with a weight for every class or element."""

    def __init__(
        self, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class MSELoss(_Loss):
    """(input - target)^2."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """Shapes: (*a), (*a) -> (), or (*a) for reduction "none"."""
        return functional.mse_loss(input, target, reduction=self.reduction)  # type: ignore[no-any-return]


class L1Loss(_Loss):
    """|input - target|."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """Shapes: (*a), (*a) -> (), or (*a) for reduction "none"."""
        return functional.l1_loss(input, target, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of sigmoid(input), stable for any input."""

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """Shapes: (*a), (*a) -> (), or (*a) for reduction "none"."""
        made: Tensor = functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )
        return made


class NLLLoss(_WeightedLoss):
    """Negative log likelihood of log-probabilities (n, c, *q) against classes (n, *q)."""

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """Shapes: (n, c, *q), (n, *q) -> (), or (n, *q) for reduction "none"."""
        made: Tensor = functional.nll_loss(
            input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )
        return made


class CrossEntropyLoss(_WeightedLoss):
    """Cross entropy of logits (n, c, *q) against classes (n, *q) or probabilities (n, c, *q)."""

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # noqa: A002
        """Shapes: (n, c, *q), (n, *q) -> (), or (n, *q) for reduction "none"."""
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "L1Loss", "MSELoss", "NLLLoss"]
