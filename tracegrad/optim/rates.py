"""Learning rates that follow the number of epochs, or a measured value."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tracegrad.autograd.modes import no_grad
from tracegrad.eager.recorded_numbers import counts_as_number
from tracegrad.errors import ArgumentError, ArgumentValueError, RegistrationError, explain
from tracegrad.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules: subclasses write `_rate(base_lr, position)`, the rate of a group at epoch `last_epoch`."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise ArgumentError(explain("lr_scheduler", f"{type(optimizer).__name__} is not an Optimizer"))
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                problem = f"param 'initial_lr' is not specified in param_groups[{i}] when resuming an optimizer"
                raise RegistrationError(explain("lr_scheduler", problem))
        self.base_lrs = [_copied(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._started = optimizer.step_count
        self._move(last_epoch + 1)

    def step(self, epoch: int | None = None) -> None:
        """Go on by one epoch, or to the epoch given, and set the rates.  Warns when no optimizer.step() has come before."""
        if self.optimizer.step_count == self._started and self.last_epoch == 0:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first rate is skipped",
                UserWarning,
                stacklevel=2,
            )
        self._move(self.last_epoch + 1 if epoch is None else epoch)

    def get_lr(self) -> list[float]:
        """The rate of each group at `last_epoch`."""
        return [self._rate(base, i) for i, base in enumerate(self.base_lrs)]

    def get_last_lr(self) -> list[float]:
        """The rates that were set last."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict gave."""
        self.__dict__.update(state_dict)

    def _rate(self, base_lr: float, position: int) -> float:
        raise NotImplementedError(explain("lr_scheduler", f"{type(self).__name__} does not say which rate comes next"))

    def _move(self, epoch: int) -> None:
        self.last_epoch = epoch
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            set_rate(group, rate)
        self._last_lr = current_rates(self.optimizer)

    def _undo(self) -> None:
        """Be before the first epoch again."""
        self.last_epoch -= 1

    def _begin(self) -> None:
        """The first epoch."""
        self._move(self.last_epoch + 1)

    def _restart(self) -> None:
        """Begin anew, whatever came before."""
        for group, rate in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            set_rate(group, rate)
        self._move(0)

    def _now(self, position: int) -> float:
        rate: float = self.optimizer.param_groups[position]["lr"]
        return rate


def _copied(rate: Any) -> Any:
    """A rate that stays when a Tensor of the optimizer's is written."""
    return rate if counts_as_number(rate) else rate.detach().clone()  # type: ignore[attr-defined]


def current_rates(optimizer: Optimizer) -> list[Any]:
    """The rates of the groups as they are now."""
    return [_copied(group["lr"]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], rate: Any) -> None:
    """Give a group its rate; a rate that is a Tensor is written in place, so that programs that read it need not be made anew."""
    if not counts_as_number(group["lr"]):
        with no_grad():
            group["lr"].fill_(rate)  # type: ignore[attr-defined]
    else:
        group["lr"] = rate


class LambdaLR(LRScheduler):
    """base_lr times lr_lambda(epoch); one function for all groups or one each."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        several = isinstance(lr_lambda, (list, tuple))
        self.lr_lambdas: list[Any] = list(lr_lambda) if several else [lr_lambda] * len(optimizer.param_groups)  # type: ignore[arg-type]
        if len(self.lr_lambdas) != len(optimizer.param_groups):
            raise ArgumentValueError(
                explain(
                    "LambdaLR", f"Expected {len(optimizer.param_groups)} lr_lambdas, but got {len(self.lr_lambdas)}"
                )
            )
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:
        return base_lr * self.lr_lambdas[position](self.last_epoch)  # type: ignore[no-any-return]


class MultiplicativeLR(LambdaLR):
    """Times lr_lambda(epoch) every epoch."""

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        return (
            self._now(position) * self.lr_lambdas[position](self.last_epoch)
            if self.last_epoch > 0
            else self._now(position)
        )


class PolynomialLR(LRScheduler):
    """base_lr times (1 - epoch / total_iters)^power, and 0 from total_iters on."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        epoch, total = self.last_epoch, self.total_iters
        if epoch <= 0 or epoch > total:
            return self._now(position)
        return self._now(position) * ((1.0 - epoch / total) / (1.0 - (epoch - 1) / total)) ** self.power  # type: ignore[no-any-return]


class StepLR(LRScheduler):
    """Times gamma every step_size epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        turns = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return self._now(position) * self.gamma if turns else self._now(position)


class MultiStepLR(LRScheduler):
    """Times gamma at each of the milestones."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        return self._now(position) * self.gamma ** self.milestones.count(self.last_epoch)


class ExponentialLR(LRScheduler):
    """Times gamma every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        return self._now(position) * self.gamma if self.last_epoch > 0 else self._now(position)


class ConstantLR(LRScheduler):
    """base_lr times factor until epoch total_iters, base_lr from then on."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ArgumentValueError(
                explain("ConstantLR", "Constant multiplicative factor expected to be between 0 and 1")
            )
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        if self.last_epoch == 0:
            return self._now(position) * self.factor
        return self._now(position) * (1.0 / self.factor) if self.last_epoch == self.total_iters else self._now(position)


class LinearLR(LRScheduler):
    """base_lr times a factor that goes from start_factor to end_factor in total_iters epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ArgumentValueError(
                explain("LinearLR", "the multiplicative factors are expected in (0, 1] and [0, 1]")
            )
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        if self.last_epoch == 0:
            return self._now(position) * self.start_factor
        if self.last_epoch > self.total_iters:
            return self._now(position)
        change = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * change
        return self._now(position) * (1.0 + change / before)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from base_lr down to eta_min in T_max epochs.  Source: Loshchilov and Hutter 2017, equation 5."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:  # noqa: N803
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _rate(self, base_lr: float, position: int) -> float:
        now, epoch, turns = self._now(position), self.last_epoch, math.pi / self.T_max
        if epoch == 0:
            return now
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            return now + (base_lr - self.eta_min) * (1 - math.cos(turns)) / 2
        return (1 + math.cos(turns * epoch)) / (1 + math.cos(turns * (epoch - 1))) * (now - self.eta_min) + self.eta_min


class ReduceLROnPlateau:
    """Times factor when the value given to step has not improved for more than `patience` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ArgumentValueError(explain("ReduceLROnPlateau", "Factor should be < 1.0", factor=factor))
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ArgumentValueError(explain("ReduceLROnPlateau", f"mode {mode} or {threshold_mode} is unknown"))
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode, self.cooldown, self.eps = (threshold, threshold_mode, cooldown, eps)
        count = len(optimizer.param_groups)
        self.min_lrs: list[Any] = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * count
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0
        self._last_lr = current_rates(optimizer)

    def step(self, metrics: Any, epoch: int | None = None) -> None:
        """Count an epoch with this value, a number or a 0-d tensor, and lower the rates if it is time."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = current_rates(self.optimizer)

    def get_last_lr(self) -> list[float]:
        """The rates that were set last."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict gave."""
        self.__dict__.update(state_dict)

    def _better(self, value: float) -> bool:
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            return sign * value > sign * self.best * (1.0 + sign * self.threshold)
        return sign * value > sign * self.best + self.threshold

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lower = max(float(group["lr"]) * self.factor, least)
            if float(group["lr"]) - lower > self.eps:
                set_rate(group, lower)


__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "StepLR",
    "current_rates",
    "set_rate",
]
