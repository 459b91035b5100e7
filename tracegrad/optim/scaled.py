"""Methods that scale each step by what the gradients were so far: RMSprop, Adagrad, Adadelta, Rprop; and averaged gradient descent, ASGD."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.optim.adam import decayed
from tracegrad.optim.method import Method, check_settings, check_tensor_rate, filled, scalar, zeros


class RMSprop(Method):
    """p -= lr g / (sqrt(v) + eps) with the running mean v of g^2; its variance if centered.  Source: Tieleman and Hinton 2012, lecture 6e."""

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
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
        check_tensor_rate(lr)
        check_settings("RMSprop", lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
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

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        kept = {"step": scalar(0.0), "square_avg": zeros(p)}
        if group["momentum"] > 0:
            kept["momentum_buffer"] = zeros(p)
        return {**kept, "grad_avg": zeros(p)} if group["centered"] else kept

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803, ARG002
        g, alpha, lr = decayed(K, p, g, o), o["alpha"], o["lr"]
        square = state["square_avg"]
        K.mul_(square, alpha)
        K.addcmul_(square, g, g, 1 - alpha)
        if o["centered"]:
            mean = state["grad_avg"]
            K.lerp_(mean, g, 1 - alpha)
            square = K.less_square(square, mean)
        size = K.plus(K.sqrt(square), o["eps"])
        if o["momentum"] > 0:
            kept = state["momentum_buffer"]
            K.mul_(kept, o["momentum"])
            K.addcdiv_(kept, g, size)
            K.add_(p, kept, -lr)
        else:
            K.addcdiv_(p, g, size, -lr)


class Adagrad(Method):
    """p -= lr g / (sqrt(s) + eps) with the sum s of g^2.  Source: Duchi, Hazan and Singer 2011."""

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
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
        start = initial_accumulator_value
        check_tensor_rate(lr)
        check_settings("Adagrad", lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        check_settings("Adagrad", initial_accumulator_value=start, eps=eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": start,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = self._started(p, self.defaults)

    def _start(self, p: Any, group: dict[str, Any]) -> dict[str, Any]:
        start = group["initial_accumulator_value"]
        return {"step": scalar(0.0), "sum": filled(p, complex(start, start) if p.is_complex() else start)}

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        g = decayed(K, p, g, o)
        rate = o["lr"] / (1 + (step - 1) * o["lr_decay"])
        K.addcmul_(state["sum"], g, g)
        K.addcdiv_(p, g, K.plus(K.sqrt(state["sum"]), o["eps"]), -rate)


class Adadelta(Method):
    """p -= lr g sqrt(u + eps) / sqrt(v + eps) with the running means v of g^2 and u of the changes squared.  Source: Zeiler 2012, algorithm 1."""

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("Adadelta", lr=lr)
        if not 0 <= rho <= 1:
            raise ArgumentValueError(explain("Adadelta", f"Invalid rho value: {rho}"))
        check_settings("Adadelta", eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"step": scalar(0.0), "square_avg": zeros(p), "acc_delta": zeros(p)}

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803, ARG002
        g, rho, eps = decayed(K, p, g, o), o["rho"], o["eps"]
        K.mul_(state["square_avg"], rho)
        K.addcmul_(state["square_avg"], g, g, 1 - rho)
        change = K.over(K.sqrt(state["acc_delta"] + eps), K.sqrt(state["square_avg"] + eps)) * g
        K.mul_(state["acc_delta"], rho)
        K.addcmul_(state["acc_delta"], change, change, 1 - rho)
        K.add_(p, change, -o["lr"])


class Rprop(Method):
    """Steps by the sign of the gradient alone; each element's step grows by etas[1] while the sign stays and shrinks by etas[0] when it turns.

    Source: Riedmiller and Braun 1993.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("Rprop", lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ArgumentValueError(explain("Rprop", f"Invalid eta values: {etas[0]}, {etas[1]}"))
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Any, group: dict[str, Any]) -> dict[str, Any]:
        lr = float(group["lr"])
        return {
            "step": scalar(0.0),
            "prev": zeros(p),
            "step_size": filled(p, complex(lr, lr) if p.is_complex() else lr),
        }

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803, ARG002
        (shrink, grow), (low, high) = o["etas"], o["step_sizes"]
        turn = K.sign(g * state["prev"])
        turned = turn < 0
        factor = K.where(turn > 0, grow, K.where(turned, shrink, K.where(turn == 0, 1.0, turn)))
        K.mul_(state["step_size"], factor)
        K.clamp_(state["step_size"], low, high)
        g = K.where(turned, 0.0, g)  # after a turn the element rests
        K.addcmul_(p, K.sign(g), state["step_size"], -1)
        K.copy_(state["prev"], g)


class ASGD(Method):
    """Gradient descent with a falling rate, p = (1 - lambd eta) p - eta g, and from step t0 on the mean of p in the state `ax`.

    Source: Polyak and Juditsky 1992.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("ASGD", lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for kept in self.state.values():
            for name in ("eta", "mu"):
                if name in kept and not isinstance(kept[name], Tensor):
                    kept[name] = scalar(float(kept[name]))

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": scalar(0.0), "eta": scalar(float(group["lr"])), "mu": scalar(1.0), "ax": zeros(p)}

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        g, lr, mean = decayed(K, p, g, o), o["lr"], state["ax"]
        eta, mu = K.value(state["eta"]), K.value(state["mu"])
        K.mul_(p, 1 - o["lambd"] * eta)
        K.add_(p, g, -eta)
        K.copy_(mean, K.choose(mu == 1, lambda: p, lambda: mean + (p - mean) * mu))
        K.copy_(state["eta"], lr / (1 + o["lambd"] * lr * step) ** o["alpha"])
        K.copy_(state["mu"], 1 / K.at_least_one(step - o["t0"]))


__all__ = ["ASGD", "Adadelta", "Adagrad", "RMSprop", "Rprop"]
