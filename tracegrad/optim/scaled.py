"""RMSprop and Adagrad: steps scaled by the squares of the gradients so far."""

from __future__ import annotations

from typing import Any

from tracegrad.eager.creation import tensor
from tracegrad.optim.optimizer import Optimizer, check_settings


class RMSprop(Optimizer):
    """p -= lr g / (sqrt(v) + eps) with the running mean v of g^2; its variance if centered.  Source: Tieleman and Hinton 2012, lecture 6e."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_settings(learning_rate=lr, epsilon=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if group["weight_decay"]:
            g = g + p * group["weight_decay"]
        if not state:
            state.update(step=tensor(0.0), square_avg=g * 0)
            state.update({"momentum_buffer": g * 0} if group["momentum"] else {})
            state.update({"grad_avg": g * 0} if group["centered"] else {})
        state["step"] += 1
        a = group["alpha"]
        spread = state["square_avg"].mul_(a).add_(g * (1 - a) * g)
        if group["centered"]:
            mean = state["grad_avg"].mul_(a).add_(g, alpha=1 - a)
            spread = spread - mean * mean
        scale = spread.sqrt() + group["eps"]
        if group["momentum"]:
            p -= state["momentum_buffer"].mul_(group["momentum"]).add_(g / scale) * group["lr"]
        else:
            p += g * -group["lr"] / scale


class Adagrad(Optimizer):
    """p -= lr g / (sqrt(s) + eps) with the sum s of g^2.  Source: Duchi, Hazan and Singer 2011."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_settings(
            learning_rate=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            epsilon=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                start = p.detach() * 0 + group["initial_accumulator_value"]
                self.state[p] = {"step": tensor(0.0), "sum": start}

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] += 1
        if group["weight_decay"]:
            g = g + p * group["weight_decay"]
        rate = group["lr"] / (1 + (state["step"].item() - 1) * group["lr_decay"])
        p += g * -rate / (state["sum"].add_(g * g).sqrt() + group["eps"])


__all__ = ["Adagrad", "RMSprop"]
