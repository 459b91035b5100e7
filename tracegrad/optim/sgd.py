"""Gradient descent."""

from __future__ import annotations

from typing import Any

from tracegrad.errors import ArgumentValueError, explain
from tracegrad.optim.optimizer import Optimizer, check_settings


class SGD(Optimizer):
    """p -= lr d, with d = the gradient + weight_decay p, or with momentum the running sum b = momentum b + (1 - dampening) d.

    foreach, differentiable and fused are torch's ways of running; they are kept and change nothing.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_settings(learning_rate=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ArgumentValueError(explain("SGD", "Nesterov momentum requires a momentum and zero dampening"))
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if group["weight_decay"]:
            g = g.add(p, alpha=group["weight_decay"])
        if group["momentum"]:
            kept = state.get("momentum_buffer")
            if kept is None:
                kept = state["momentum_buffer"] = g.clone()
            else:
                kept.mul_(group["momentum"]).add_(g, alpha=1 - group["dampening"])
            g = g.add(kept, alpha=group["momentum"]) if group["nesterov"] else kept
        p.add_(g, alpha=-group["lr"])  # one rounding in half precision


__all__ = ["SGD"]
