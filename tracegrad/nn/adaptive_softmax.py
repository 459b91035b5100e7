"""Classes in clusters by their frequency, each with a projection of its own.  Source: E. Grave et al., Efficient softmax approximation for GPUs, 2017."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from tracegrad.eager.creation import zeros
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, DataError, ShapeError, explain
from tracegrad.nn import functional
from tracegrad.nn.containers import ModuleList, Sequential
from tracegrad.nn.layers import Linear
from tracegrad.nn.module import Module

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """log(softmax) over many classes: the frequent ones in a head, the others in clusters that the head names."""

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        listed = list(cutoffs)
        if not listed:
            raise ArgumentValueError(explain("AdaptiveLogSoftmaxWithLoss", "cutoffs should be a sequence of length larger than 0"))  # fmt: skip
        if listed != sorted(set(listed)) or min(listed) <= 0 or max(listed) > n_classes - 1 or any(int(c) != c for c in listed):  # fmt: skip
            problem = "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is between 1 and n_classes-1"
            raise ArgumentValueError(explain("AdaptiveLogSoftmaxWithLoss", problem))
        options = {"device": device, "dtype": dtype}
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*listed, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = listed[0], len(listed)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            width, size = int(in_features // div_value ** (i + 1)), self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(Sequential(Linear(in_features, width, False, **options), Linear(width, size, False, **options)))  # fmt: skip

    def reset_parameters(self) -> None:
        """Draw all weights anew."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> Any:  # noqa: A002
        """The log-probabilities of the targets, and minus their mean.  Shapes: (n, in_features), (n,) -> (n,), (); without n too.

        Raises RuntimeError for sizes that do not fit and for classes out of range.
        """
        batched = target.ndim > 0
        if target.ndim == 1 and input.shape[0] != target.shape[0]:
            problem = "Input and target should have the same size in the batch dimension."
            raise ShapeError(explain("AdaptiveLogSoftmaxWithLoss", problem))
        if target.ndim > 1:
            problem = "0D or 1D target tensor expected, multi-target not supported"
            raise ShapeError(explain("AdaptiveLogSoftmaxWithLoss", problem))
        if input.ndim != target.ndim + 1:
            raise ShapeError(explain("AdaptiveLogSoftmaxWithLoss", f"{target.ndim + 1}D input tensor expected"))
        x: Any = input if batched else T.unsqueeze(input, dim=0)
        classes: Any = target if batched else T.unsqueeze(target, dim=0)
        made = self._chosen(x, classes)
        loss = T.mean(T.neg(made), dim=None, keepdim=False)
        return _ASMoutput(made if batched else T.squeeze(made, dim=0), loss)

    def _chosen(self, x: Any, classes: Any) -> Any:
        """The log-probability of one class of each row; a cluster is computed for the rows that need it."""
        if classes.numel() and not bool(((classes >= 0) & (classes < self.n_classes)).all()):
            low, high = classes.min().item(), classes.max().item()
            problem = (
                f"Target values should be in [0, {self.n_classes - 1}], but values in range [{low}, {high}] were found."
            )
            raise DataError(explain("AdaptiveLogSoftmaxWithLoss", problem))
        cluster = sum(((classes >= cutoff).long() for cutoff in self.cutoffs[:-1]), zeros(classes.shape).long())
        within = T.where(cluster == 0, classes, self.shortlist_size + cluster - 1)
        made = functional.log_softmax(self.head(x), dim=1).gather(1, within.unsqueeze(1)).squeeze(1)
        extra = zeros(classes.shape, dtype=x.dtype)
        for i, tail in enumerate(self.tail):
            rows = (cluster == i + 1).nonzero().squeeze(1)
            if rows.numel():
                own = (classes.index_select(0, rows) - self.cutoffs[i]).unsqueeze(1)
                logs = functional.log_softmax(tail(x.index_select(0, rows)), dim=1)
                extra = extra.index_copy(0, rows, logs.gather(1, own).squeeze(1))
        return made + extra

    def log_prob(self, input: Tensor) -> Any:  # noqa: A002
        """The log-probabilities of all classes.  Shape: (n, in_features) -> (n, n_classes)."""
        head: Any = functional.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            own = functional.log_softmax(tail(input), dim=1)
            parts.append(own + head[:, self.shortlist_size + i].unsqueeze(1))
        return T.named(T.cat(*parts, dim=1), called="CopySlices")

    def predict(self, input: Tensor) -> Any:  # noqa: A002
        """The most probable class of every row.  Shape: (n, in_features) -> (n,)."""
        return self.log_prob(input).argmax(1)


__all__ = ["AdaptiveLogSoftmaxWithLoss"]
