"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.eager.creation import tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.optim.optimizer import Optimizer, check_settings


class Adam(Optimizer):
    """p -= lr m / (sqrt(v) + eps) with the bias-corrected running means m of g and v of g^2.  Source: Kingma and Ba 2015, algorithm 1.

    amsgrad divides by the largest v so far.  decoupled_weight_decay shrinks p by lr weight_decay instead of adding weight_decay p to g.
    foreach, capturable, differentiable and fused are torch's ways of running; they are kept and change nothing.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_settings(learning_rate=lr, epsilon=eps, weight_decay=weight_decay)
        for i, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ArgumentValueError(explain(type(self).__name__, f"Invalid beta parameter at index {i}: {beta}"))
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        first, second = group["betas"]
        decay = group["weight_decay"]
        if decay and group.get("decoupled_weight_decay"):
            p.mul_(1 - group["lr"] * decay)
        elif decay:
            g = g + p * decay
        if not state:
            state.update(step=tensor(0.0), exp_avg=g * 0, exp_avg_sq=g * 0)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = g * 0
        state["step"] += 1
        step = state["step"].item()
        mean = state["exp_avg"].mul_(first).add_(g, alpha=1 - first)
        square = state["exp_avg_sq"].mul_(second).add_(g * (1 - second) * g)
        if group["amsgrad"]:
            square = state["max_exp_avg_sq"].copy_(state["max_exp_avg_sq"].maximum(square))
        scale = square.sqrt() / math.sqrt(1 - second**step) + group["eps"]
        p += mean * -(group["lr"] / (1 - first**step)) / scale


class AdamW(Adam):
    """Adam with decoupled weight decay.  Source: Loshchilov and Hutter 2019, algorithm 2."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay=True, **kwargs)


__all__ = ["Adam", "AdamW"]
