"""Gradient descent."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.optim.method import Method, check_settings, check_tensor_rate, zeros


class SGD(Method):
    """p -= lr d, with d = the gradient + weight_decay p, or with momentum the running sum b = momentum b + (1 - dampening) d, which begins as d.

    nesterov takes d + momentum b.  lr may be a Tensor with one element.  foreach and fused are torch's ways of running; they are kept and change nothing.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
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

    def _keeps(self, group: dict[str, Any]) -> bool:
        return bool(group["momentum"] != 0)

    def _starts_from_zero(self, group: dict[str, Any]) -> bool:
        return bool(group["dampening"] == 0)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"momentum_buffer": zeros(p)}

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        decay, momentum, lr = o["weight_decay"], o["momentum"], o["lr"]
        if isinstance(decay, Tensor) or decay:
            g = K.add(g, p, decay)
        if momentum != 0:
            kept, dampening = state["momentum_buffer"], o["dampening"]
            if step == 1 and (dampening != 0 or o["differentiable"]):
                K.begin_(kept, g)
            else:  # the first time from zeros, so that all steps are one program
                K.mul_(kept, momentum)
                K.add_(kept, g, 1 - dampening)
            g = K.add(g, kept, momentum) if o["nesterov"] else kept
        K.add_(p, g, -lr)


__all__ = ["SGD"]
