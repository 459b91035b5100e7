"""Schedules made of others, and those that rise and fall: restarts, cycles, one cycle."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from tracegrad.errors import ArgumentError, ArgumentValueError, explain
from tracegrad.optim.optimizer import Optimizer
from tracegrad.optim.rates import LRScheduler, ReduceLROnPlateau, current_rates, set_rate


class _Several(LRScheduler):
    """A schedule that leaves the rates to others."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None) -> None:
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ArgumentValueError(explain(name, "expects at least one scheduler"))
        self.optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise ArgumentError(
                    explain(name, f"the scheduler at index {i} should have `optimizer` as its attribute")
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                problem = f"does not support `ReduceLROnPlateau`, whose step needs a value, but got one at index {i}"
                raise ArgumentValueError(explain(name, problem))
        if any(s.optimizer is not self.optimizer for s in schedulers):
            raise ArgumentValueError(explain(name, "expects all schedulers to belong to the same optimizer"))
        self._schedulers = schedulers

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of the schedules their states."""
        kept = {k: v for k, v in self.__dict__.items() if k not in ("optimizer", "_schedulers")}
        return {**kept, "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict gave."""
        self.__dict__.update({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for scheduler, kept in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(kept)


class ChainedScheduler(_Several):
    """All schedules at once: each step is a step of every one."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None) -> None:
        super().__init__(schedulers, optimizer)
        self._last_lr = current_rates(self.optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Go on by one epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = current_rates(self.optimizer)


class SequentialLR(_Several):
    """One schedule after the other; each begins anew at its milestone."""

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[Any], milestones: list[int], last_epoch: int = -1
    ) -> None:
        super().__init__(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            problem = f"{len(schedulers)} schedulers need {len(schedulers) - 1} milestones, but got {len(milestones)}"
            raise ArgumentValueError(explain("SequentialLR", problem))
        self._milestones, self.last_epoch = milestones, last_epoch + 1
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        self._undo()
        self._schedulers[bisect_right(milestones, 0)]._begin()
        self._last_lr = current_rates(optimizer)

    def step(self) -> None:  # type: ignore[override]
        """Go on by one epoch."""
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            scheduler._restart()
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def _undo(self) -> None:
        for scheduler in self._schedulers:
            scheduler._undo()

    def _begin(self) -> None:
        self._schedulers[bisect_right(self._milestones, 0)]._begin()


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from base_lr down to eta_min in T_0 epochs, then again, each time T_mult times as long.  Source: Loshchilov and Hutter 2017."""

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # noqa: N803
        T_mult: int = 1,  # noqa: N803
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        name = "CosineAnnealingWarmRestarts"
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ArgumentValueError(explain(name, f"Expected positive integer T_0, but got {T_0}"))
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ArgumentValueError(explain(name, f"Expected integer T_mult >= 1, but got {T_mult}"))
        if not isinstance(eta_min, (float, int)):
            raise ArgumentValueError(explain(name, f"Expected float or int eta_min, but got {eta_min}"))
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = max(last_epoch, 0)
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to the epoch given, which may be a fraction."""
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = 0 if epoch is None else epoch
            if epoch < 0:
                raise ArgumentValueError(explain(type(self).__name__, f"Expected non-negative epoch, but got {epoch}"))
            self._go_to(epoch)
        self._move(math.floor(epoch))

    def _go_to(self, epoch: float) -> None:
        self.T_i, self.T_cur = self.T_0, epoch
        if epoch >= self.T_0 and self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        elif epoch >= self.T_0:
            turns = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**turns - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**turns

    def _restart(self) -> None:
        self._move(0)

    def _rate(self, base_lr: float, position: int) -> float:  # noqa: ARG002
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2


class _WithMomentum(LRScheduler):
    """A schedule that moves the momentum (or the first of betas) against the rate."""

    def _start_momentum(self, base: Any, largest: Any, last_epoch: int) -> None:
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            problem = "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            raise ArgumentValueError(explain(type(self).__name__, problem))
        self.use_beta1 = "betas" in optimizer.defaults
        self.base_momentums = _per_group("base_momentum", optimizer, base)
        self.max_momentums = _per_group("max_momentum", optimizer, largest)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low

    def _set_momentum(self, group: dict[str, Any], momentum: Any) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Up from base_lr to max_lr in step_size_up steps and down again, over and over; the height scaled as `mode` says.  Source: Smith 2017."""

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        lowest = _per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for rate, group in zip(lowest, optimizer.param_groups, strict=True):
                set_rate(group, rate)
        self.max_lrs = _per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ArgumentValueError(explain("CyclicLR", "mode is invalid and scale_fn is None", mode=mode))
        self.mode, self.gamma, self._scale = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def scale_fn(self, x: float) -> float:
        """What the height of a cycle is multiplied by, for the number of the cycle or of the step."""
        if self._scale is not None:
            return self._scale(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else float(self.gamma**x)

    def get_lr(self) -> list[float]:
        """The rate of each group at `last_epoch`; sets the momentum too."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                self._set_momentum(group, high - (high - low) * height * scale)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]


class OneCycleLR(_WithMomentum):
    """Once up from max_lr / div_factor to max_lr and down to final_div_factor below the start, in total_steps steps.  Source: Smith and Topin 2018."""

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            problem = f"Expected float between 0 and 1 pct_start, but got {pct_start}"
            raise ArgumentValueError(explain("OneCycleLR", problem))
        if anneal_strategy not in ("cos", "linear"):
            problem = f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            raise ArgumentValueError(explain("OneCycleLR", problem))
        self._anneal_func_type, self.cycle_momentum = anneal_strategy, cycle_momentum
        top, end = float(pct_start * self.total_steps) - 1, self.total_steps - 1
        up, down = (
            ("initial_lr", "max_lr", "max_momentum", "base_momentum"),
            ("max_lr", "base_momentum", "max_momentum"),
        )
        self._phases: list[tuple[float, str, str, str, str]] = [(top, *up), (end, down[0], "min_lr", *down[1:])]
        if three_phase:
            falling = (float(2 * pct_start * self.total_steps) - 2, down[0], "initial_lr", *down[1:])
            self._phases[1:] = [falling, (end, "initial_lr", "min_lr", "max_momentum", "max_momentum")]
        if last_epoch == -1:
            for highest, group in zip(_per_group("max_lr", optimizer, max_lr), optimizer.param_groups, strict=True):
                group["initial_lr"], group["max_lr"] = highest / div_factor, highest
                group["min_lr"] = group["initial_lr"] / final_div_factor
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rate of each group at `last_epoch`; sets the momentum too.  Raises ValueError beyond the last step."""
        step, start = self.last_epoch, 0.0
        if step > self.total_steps:
            problem = f"Tried to step {step} times. The specified number of total steps is {self.total_steps}"
            raise ArgumentValueError(explain("OneCycleLR", problem))
        for phase in self._phases:
            end = phase[0]
            if step <= end or phase is self._phases[-1]:
                break
            start = end
        part = (step - start) / (end - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase[1]], group[phase[2]], part))
            if self.cycle_momentum:
                self._set_momentum(group, self._between(group[phase[3]], group[phase[4]], part))
        return rates

    def _between(self, start: float, end: float, part: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        problem = "You must define either total_steps OR (epochs AND steps_per_epoch)"
        raise ArgumentValueError(explain("OneCycleLR", problem))
    given: dict[str, Any] = (
        {"epochs": epochs, "steps_per_epoch": steps_per_epoch} if total_steps is None else {"total_steps": total_steps}
    )
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ArgumentValueError(explain("OneCycleLR", f"Expected positive integer {name}, but got {value}"))
    return math.prod(given.values())


def _per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value for each group."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        problem = f"expected {count} values for {name}, got {len(value)}"
        raise ArgumentValueError(explain("lr_scheduler", problem))
    return list(value)


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(explain("lr_scheduler", f"{type(optimizer).__name__} is not an Optimizer"))


__all__ = ["ChainedScheduler", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR", "SequentialLR"]
