"""torch.optim.swa_utils: averages of a model's parameters along training, and the schedule that goes with them."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.creation import tensor
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.nn.module import Module
from tracegrad.nn.norms import _Running
from tracegrad.optim.optimizer import Optimizer
from tracegrad.optim.rates import LRScheduler

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]
Average = Callable[[Any, Any, Any], Any]
Averages = Callable[[Sequence[Any], Sequence[Any], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """decay * average + (1 - decay) * value, for AveragedModel(avg_fn=...).  Raises ValueError for a decay outside [0, 1]."""
    _check_decay("get_ema_avg_fn", decay)

    def average(kept: Any, value: Any, count: Any) -> Any:  # noqa: ARG001
        with no_grad():
            return kept * decay + value * (1 - decay)

    return average


def get_swa_avg_fn() -> Average:
    """The mean of all values so far, for AveragedModel(avg_fn=...)."""

    def average(kept: Any, value: Any, count: Any) -> Any:
        with no_grad():
            return kept + (value - kept) / (count + 1)

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """The same as get_ema_avg_fn for all parameters at once, in place, for AveragedModel(multi_avg_fn=...)."""
    _check_decay("get_ema_multi_avg_fn", decay)
    return _in_place(get_ema_avg_fn(decay), lambda kept, value, count: kept.lerp_(value, 1 - decay))  # noqa: ARG005


def get_swa_multi_avg_fn() -> Averages:
    """The same as get_swa_avg_fn for all parameters at once, in place, for AveragedModel(multi_avg_fn=...)."""
    return _in_place(get_swa_avg_fn(), lambda kept, value, count: kept.lerp_(value, 1 / (count + 1)))


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's, at each `update_parameters`.

    avg_fn (average, value, count) -> average, or multi_avg_fn (averages, values, count) in place, say which; equal weights by default.  use_buffers averages the
    buffers too, which are copied otherwise.  Raises AssertionError where both functions are given.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the parameters of a model into the average; the first are copied."""
        own: Any = list(itertools.chain(self.module.parameters(), self.module.buffers() if self.use_buffers else ()))
        other: Any = list(itertools.chain(model.parameters(), model.buffers() if self.use_buffers else ()))
        kept, values = [t.detach() for t in own], [t.detach() for t in other]
        if self.n_averaged == 0:
            _copy(kept, values)
        elif self.avg_fn is not None:
            _copy(kept, [self.avg_fn(t, value, self.n_averaged) for t, value in zip(kept, values, strict=True)])
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(kept, values, self.n_averaged)
        if not self.use_buffers:
            _copy([b.detach() for b in self.module.buffers()], [b.detach() for b in model.buffers()])  # type: ignore[attr-defined]
        self.n_averaged += 1


class SWALR(LRScheduler):
    """From the optimizer's rates to `swa_lr` (a number, or one for each group) within `anneal_epochs`, along a cosine or a line; constant afterwards.

    Raises ValueError for another anneal_strategy, fewer than 0 epochs, or another number of rates than of groups.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        groups = optimizer.param_groups
        rates = list(swa_lr) if isinstance(swa_lr, (list, tuple)) else [swa_lr] * len(groups)
        if len(rates) != len(groups):
            problem = "swa_lr must have the same length as optimizer.param_groups. "
            problem += f"swa_lr has {len(rates)} values, param_groups has {len(groups)}."
            raise ArgumentValueError(explain("SWALR", problem))
        if anneal_strategy not in ("cos", "linear"):
            problem = f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            raise ArgumentValueError(explain("SWALR", problem))
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            problem = f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}"
            raise ArgumentValueError(explain("SWALR", problem))
        for group, rate in zip(groups, rates, strict=True):
            group["swa_lr"] = rate
        self.anneal_epochs, self._by_cosine, self._begun = anneal_epochs, anneal_strategy == "cos", last_epoch + 1
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates of this epoch, from those of the one before."""
        epoch = self.last_epoch - self._begun
        if self.anneal_epochs == 0:
            epoch = max(1, epoch)
        before, now = self._part(epoch - 1), self._part(epoch)
        found = []
        for group in self.optimizer.param_groups:
            target = group["swa_lr"]
            first = target if before == 1 else (group["lr"] - before * target) / (1 - before)
            found.append(target * now + first * (1 - now))
        return found

    def _part(self, epoch: int) -> float:
        """How much of the way lies behind."""
        part = max(0.0, min(1.0, epoch / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * part)) / 2 if self._by_cosine else part


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch norms anew: the means over all batches of the loader (the first element, where these are sequences)."""
    norms = [m for m in model.modules() if isinstance(m, _Running)]
    if not norms:
        return
    was_training, momenta = model.training, [m.momentum for m in norms]
    model.train()
    try:
        with no_grad():
            for m in norms:
                m.reset_running_stats()
                m.momentum = None
            for batch in loader:
                value = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(value if device is None else value.to(device))
    finally:
        for m, momentum in zip(norms, momenta, strict=True):
            m.momentum = momentum
        model.train(was_training)


def _in_place(average: Average, update: Callable[[Any, Any, Any], Any]) -> Averages:
    """An average for many Tensors: `update` for floating ones, which writes, `average` for the rest."""

    def averages(kept: Sequence[Any], values: Sequence[Any], count: Any) -> None:
        with no_grad():
            for t, value in zip(kept, values, strict=True):
                if t.is_floating_point() or t.is_complex():
                    update(t, value, count)
                else:
                    t.copy_(average(t, value, count))

    return averages


def _copy(kept: Sequence[Any], values: Iterable[Any]) -> None:
    with no_grad():
        for t, value in zip(kept, values, strict=True):
            t.copy_(value)


def _check_decay(operation: str, decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        problem = f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        raise ArgumentValueError(explain(operation, problem))
