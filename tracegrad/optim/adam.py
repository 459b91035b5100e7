"""Adam: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import ArgumentValueError, explain
from tracegrad.optim.optimizer import Optimizer, check_settings


class Adam(Optimizer):
    """p -= lr m / (sqrt(v) + eps) with the bias-corrected running means m of g and v of g^2.  Source: Kingma and Ba 2015, algorithm 1."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        check_settings(learning_rate=lr, epsilon=eps, weight_decay=weight_decay)
        for i, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ArgumentValueError(explain("Adam", f"Invalid beta parameter at index {i}: {beta}"))
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        first, second = group["betas"]
        if group["weight_decay"]:
            g = g + p * group["weight_decay"]
        if not state:
            state.update(step=0, exp_avg=g * 0, exp_avg_sq=g * 0)
        state["step"] += 1
        state["exp_avg"] = state["exp_avg"] * first + g * (1 - first)
        state["exp_avg_sq"] = state["exp_avg_sq"] * second + g * g * (1 - second)
        scale = (state["exp_avg_sq"] / (1 - second ** state["step"])).sqrt() + group["eps"]
        p -= state["exp_avg"] / scale * (group["lr"] / (1 - first ** state["step"]))


__all__ = ["Adam"]
