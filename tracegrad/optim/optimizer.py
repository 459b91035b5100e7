"""Optimizer: groups of parameters with their settings, and what the methods keep per parameter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from tracegrad.autograd.modes import enable_grad, no_grad
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, ArgumentValueError, explain


class Optimizer:
    """Base of the methods: subclasses give `defaults` and write `_update(parameter, gradient, state, group)`."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise ArgumentError(
                explain("optimizer", "params should be an iterable of Tensors or dicts, but got one Tensor")
            )
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.step_count = 0
        self.param_groups: list[dict[str, Any]] = []
        given = list(params)
        if not given:
            raise ArgumentValueError(explain("optimizer", "got an empty parameter list"))
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimise these parameters as well; settings that the group leaves out are the defaults."""
        params = param_group["params"]
        listed = [params] if isinstance(params, Tensor) else list(params)
        for p in listed:
            if not isinstance(p, Tensor):
                raise ArgumentError(
                    explain("optimizer", f"can only optimize Tensors, but one of the params is {type(p).__name__}")
                )
            if not p.is_leaf:
                raise ArgumentValueError(explain("optimizer", "can't optimize a non-leaf Tensor"))
            if any(p is q for g in self.param_groups for q in g["params"]):
                raise ArgumentValueError(
                    explain("optimizer", "some parameters appear in more than one parameter group")
                )
        self.param_groups.append(
            {**{**param_group, "params": listed}, **{k: v for k, v in self.defaults.items() if k not in param_group}}
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the .grad of all parameters to None, or to zeros."""
        for p in self._parameters():
            if p.grad is not None:
                p.grad = None if set_to_none else p.grad.detach() * 0  # type: ignore[attr-defined]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.  closure, if given, computes loss and gradients first; its loss is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self.step_count += 1
        with no_grad():
            for group in self.param_groups:
                self._update_group(group)
        return loss

    def _update_group(self, group: dict[str, Any]) -> None:
        for p in group["params"]:
            if p.grad is None:
                continue
            gradient = -p.grad.detach() if group["maximize"] else p.grad.detach()
            kept = self.state.get(p, {})
            if p.is_complex():  # each part is a number of its own
                kept = {name: _parts(value) for name, value in kept.items()}
                self._update(_parts(p), _parts(gradient), kept, group)
            else:
                self._update(p, gradient, kept, group)
            if kept:
                self.state[p] = kept

    def _update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError(explain("optimizer", f"{type(self).__name__} does not say how to change a parameter"))

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])

    def _parameters(self) -> Iterable[Tensor]:
        return (p for group in self.param_groups for p in group["params"])

    def state_dict(self) -> dict[str, Any]:
        """The settings and the kept values; parameters are numbered in order."""
        numbers = {id(p): i for i, p in enumerate(self._parameters())}
        groups = [
            {**{k: v for k, v in g.items() if k != "params"}, "params": [numbers[id(p)] for p in g["params"]]}
            for g in self.param_groups
        ]
        return {"state": {numbers[id(p)]: kept for p, kept in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict of an optimizer of the same form gave.  Raises ValueError when the groups differ."""
        saved = state_dict["param_groups"]
        if [len(g["params"]) for g in saved] != [len(g["params"]) for g in self.param_groups]:
            raise ArgumentValueError(explain("load_state_dict", "loaded state dict has different parameter groups"))
        for own, group in zip(self.param_groups, saved, strict=True):
            own.update({k: v for k, v in group.items() if k != "params"})
        params = list(self._parameters())
        copied = (
            {k: v.clone() if isinstance(v, Tensor) else v for k, v in kept.items()}
            for kept in state_dict["state"].values()
        )  # type: ignore[attr-defined]
        self.state = defaultdict(dict, {params[i]: kept for i, kept in zip(state_dict["state"], copied, strict=True)})


def _parts(value: Any) -> Any:
    """A complex Tensor as its real and imaginary parts, a view; anything else as it is."""
    return (
        public_function("view_as_real")(value) if isinstance(value, Tensor) and value._data.dtype.kind == "c" else value
    )


def check_settings(**settings: float) -> None:
    """Raise ValueError for a negative setting."""
    for name, value in settings.items():
        if value < 0:
            raise ArgumentValueError(explain("optimizer", f"Invalid {name.replace('_', ' ')} value: {value}"))


__all__ = ["Optimizer", "check_settings"]
