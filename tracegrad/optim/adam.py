"""Adam and its relatives: steps scaled by running means of the gradient and of its size."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, explain
from tracegrad.optim.method import Method, check_betas, check_settings, check_tensor_rate, scalar, zeros

Betas = tuple[float | Tensor, float | Tensor]


class Adam(Method):
    """p -= lr m / (sqrt(v) + eps) with the bias-corrected running means m of g and v of g^2.  Source: Kingma and Ba 2015, algorithm 1.

    amsgrad divides by the largest v so far.  decoupled_weight_decay shrinks p by lr weight_decay instead of adding weight_decay p to g.
    lr and betas may be Tensors with one element.  foreach, capturable and fused are torch's ways of running; they are kept and change nothing.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
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
        operation = type(self).__name__
        if isinstance(lr, Tensor) and foreach and not capturable:
            problem = "lr as a Tensor is not supported for capturable=False and foreach=True"
            raise ArgumentValueError(explain(operation, problem))
        check_tensor_rate(lr)
        check_settings(operation, lr=lr, eps=eps)
        check_betas(operation, betas)
        check_settings(operation, weight_decay=weight_decay)
        _check_kinds(operation, betas, bool(foreach and not capturable))
        defaults = {
            "lr": lr,
            "betas": tuple(b.reshape(()) if isinstance(b, Tensor) else b for b in betas),  # type: ignore[attr-defined]
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

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        kept = {"step": scalar(0.0), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}
        return {**kept, "max_exp_avg_sq": zeros(p)} if group["amsgrad"] else kept

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        lr, (first, second) = o["lr"], o["betas"]
        g = decayed(K, p, g, o)
        mean, square = moments(K, g, state, first, second)
        if o["amsgrad"]:
            square = K.maximum(state["max_exp_avg_sq"], square, state["max_exp_avg_sq"])
        size = K.plus(K.over(K.sqrt(square), (1 - second**step) ** 0.5), o["eps"])
        K.addcdiv_(p, mean, size, -(lr / (1 - first**step)))


class AdamW(Adam):
    """Adam with decoupled weight decay.  Source: Loshchilov and Hutter 2019, algorithm 2."""

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


class Adamax(Method):
    """Adam with the largest |g|, which fades by betas[1] a step, in the place of sqrt(v).  Source: Kingma and Ba 2015, algorithm 2."""

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("Adamax", lr=lr, eps=eps)
        check_betas("Adamax", betas)
        check_settings("Adamax", weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"step": scalar(0.0), "exp_avg": zeros(p), "exp_inf": zeros(p)}

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        first, second = o["betas"]
        g = decayed(K, p, g, o)
        K.lerp_(state["exp_avg"], g, 1 - first)
        largest = state["exp_inf"]
        K.mul_(largest, second)
        K.maximum(largest, K.plus(K.absolute(g), o["eps"]), largest)
        K.addcdiv_(p, state["exp_avg"], largest, -(o["lr"] / (1 - first**step)))


class NAdam(Method):
    """Adam with Nesterov's momentum, which grows by momentum_decay.  Source: Dozat 2016, algorithm 8."""

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("NAdam", lr=lr, eps=eps)
        check_betas("NAdam", betas)
        check_settings("NAdam", weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"step": scalar(0.0), "mu_product": scalar(1.0), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        lr, (first, second), decay = o["lr"], o["betas"], o["momentum_decay"]
        g = decayed(K, p, g, o)
        mu = first * (1.0 - 0.5 * 0.96 ** (step * decay))
        next_mu = first * (1.0 - 0.5 * 0.96 ** ((step + 1) * decay))
        K.mul_(state["mu_product"], mu)
        product = K.value(state["mu_product"])
        mean, square = moments(K, g, state, first, second)
        size = K.plus(K.sqrt(square / (1 - second**step)), o["eps"])
        K.addcdiv_(p, g, size, -lr * (1.0 - mu) / (1.0 - product))
        K.addcdiv_(p, mean, size, -lr * next_mu / (1.0 - product * next_mu))


class RAdam(Method):
    """Adam whose first steps, while the spread of v is large, are those of a running mean.  Source: Liu et al. 2020, algorithm 2."""

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("RAdam", lr=lr, eps=eps)
        check_betas("RAdam", betas)
        check_settings("RAdam", weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return {"step": scalar(0.0), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        first, second = o["betas"]
        g = decayed(K, p, g, o)
        mean, square = moments(K, g, state, first, second)
        correction = 1 - second**step
        longest = 2 / (1 - second) - 1
        length = longest - 2 * step * second**step / correction
        change = mean / (1 - first**step) * o["lr"]

        def rectified() -> Any:
            ratio = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            return change * (correction**0.5 / K.plus(K.sqrt(square), o["eps"])) * ratio**0.5

        K.add_(p, K.choose(length > 5.0, rectified, lambda: change), -1.0)


def moments(K: ModuleType, g: Any, state: dict[str, Any], first: float, second: float) -> tuple[Any, Any]:  # noqa: N803
    """The running means of the gradient and of its square, with another gradient in them."""
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    K.lerp_(mean, g, 1 - first)
    K.mul_(square, second)
    K.addcmul_(square, g, g, 1 - second)
    return mean, square


def decayed(K: ModuleType, p: Any, g: Any, o: dict[str, Any]) -> Any:  # noqa: N803
    """The gradient with weight_decay p added; a decoupled decay shrinks p itself instead."""
    decay = o["weight_decay"]
    if not isinstance(decay, Tensor) and decay == 0:
        return g
    if o.get("decoupled_weight_decay"):
        K.mul_(p, 1 - o["lr"] * decay)
        return g
    return K.add(g, p, decay)


def _check_kinds(operation: str, betas: Any, foreach: bool) -> None:
    """Raise ValueError unless both decay rates are floats or both are Tensors of one element."""
    kinds = [isinstance(b, Tensor) for b in betas]
    if kinds[0] != kinds[1] or not all(k or isinstance(b, float) for k, b in zip(kinds, betas, strict=True)):
        raise ArgumentValueError(explain(operation, "betas must be either both floats or both Tensors"))
    for i, b in enumerate(betas):
        if kinds[i] and foreach:
            problem = f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True"
            raise ArgumentValueError(explain(operation, problem))
        if kinds[i] and b._data.size != 1:
            raise ArgumentValueError(explain(operation, f"Tensor betas[{i}] must be 1-element"))


__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "decayed"]
