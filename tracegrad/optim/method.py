"""Method: what the methods that treat each parameter on its own have in common.

A step is one function `_update` for arrays and for Tensors alike.  Eagerly it runs on the arrays, whose operators cost least.  While `compile` records, and for
a method that is differentiated itself, it runs on Tensors, and the state Tensors and parameters are written in place: nothing then reads a value in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from tracegrad import dtypes
from tracegrad.autograd.modes import enable_grad
from tracegrad.config import local, set_grad_enabled
from tracegrad.dtypes import F32, F64
from tracegrad.eager.clock import touch
from tracegrad.eager.creation import full_like
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import shows_twice
from tracegrad.errors import ArgumentValueError, DataError, explain
from tracegrad.optim import arrays, tensors
from tracegrad.optim.optimizer import Optimizer, made_inside


class Method(Optimizer):
    """A method with one state and one update per parameter.  Subclasses write `_start` and `_update`."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        check_tensor_rate(defaults["lr"])
        super().__init__(params, defaults)
        if defaults.get("fused") and (defaults.get("differentiable") or defaults.get("foreach")):
            other = "differentiable" if defaults.get("differentiable") else "foreach"
            raise DataError(explain(type(self).__name__, f"`fused` and `{other}` cannot be `True` together"))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)
        for kept in self.state.values():
            if "step" in kept and not isinstance(kept["step"], Tensor):  # as older checkpoints have it
                kept["step"] = scalar(float(kept["step"]))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.  closure, if given, computes loss and gradients first; its loss is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        differentiable = bool(self.defaults.get("differentiable"))
        before = set_grad_enabled(differentiable)
        try:
            with np.errstate(all="ignore"):
                for group in self.param_groups:
                    self._update_group(group, differentiable)
        finally:
            set_grad_enabled(before)
        return loss

    def start_state(self) -> None:
        """Make now what the method keeps for each parameter that requires grad, which the first step would make: zeros, and counters that are 0."""
        for group in self.param_groups:
            if self._keeps(group) and self._starts_from_zero(group):
                for p in group["params"]:
                    if p.requires_grad and not self.state[p]:
                        self.state[p].update(self._started(p, group))

    def _keeps(self, group: dict[str, Any]) -> bool:  # noqa: ARG002
        """Whether parameters of this group have a state."""
        return True

    def _starts_from_zero(self, group: dict[str, Any]) -> bool:  # noqa: ARG002
        """Whether the first step with a state is a step like any other."""
        return True

    def _started(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """The state of a parameter before its first step; a recording is told whose it is: the outside world's, which keeps it, or one that every call makes again."""
        kept, trace = self._start(p, group), local.trace
        recorded = made_inside.get(self)
        inside = recorded is not None and recorded() is trace
        for name, t in kept.items() if trace is not None else ():
            if inside:
                kept[name] = t.clone()
            else:
                trace.adopt(t)
        return kept

    def _start(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """The state of a parameter before its first step; `step`, a 0-d Tensor, counts."""
        raise NotImplementedError(explain("optimizer", f"{type(self).__name__} does not say what it keeps"))

    def _update(self, K: ModuleType, p: Any, g: Any, state: dict[str, Any], step: Any, o: dict[str, Any]) -> None:  # noqa: N803
        """Change p by the gradient g.  K is `arrays` or `tensors`; p, g and the values of state are of its kind.

        step, the number of this step (of a method that does not count: 1 for the first, then 2), and the settings o are numbers, or Tensors while recording.
        """
        raise NotImplementedError(explain("optimizer", f"{type(self).__name__} does not say how to change a parameter"))

    def _update_group(self, group: dict[str, Any], differentiable: bool) -> None:
        recording = local.trace is not None
        raw = not (recording or differentiable or (local.watch is not None and local.watch.duals is not None))
        o = {name: _setting(group[name], recording, differentiable) for name in group if name != "params"}
        keeps, maximize = self._keeps(group), o["maximize"]
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            kept, step = self.state[p] if keeps else {}, 2
            if keeps and not kept:
                kept.update(self._started(p, group))
                step = 1
            if raw and _plain(p, g):
                self._update_arrays(p, g, kept, step, o)
                continue
            if not differentiable:
                g = g.detach()
            self._update_tensors(p, -g if maximize else g, kept, step, o)

    def _update_arrays(self, p: Tensor, g: Tensor, kept: dict[str, Any], step: Any, o: dict[str, Any]) -> None:
        state = {name: t._data for name, t in kept.items()}
        counter = state.get("step")
        if counter is not None:
            counter += 1
            step = counter.item()
        self._update(arrays, p._data, -g._data if o["maximize"] else g._data, state, step, o)
        touch(p)
        for t in kept.values():
            touch(t)

    def _update_tensors(self, p: Any, g: Any, kept: dict[str, Any], step: Any, o: dict[str, Any]) -> None:
        if "step" in kept:
            kept["step"].add_(1)
            step = tensors.value(kept["step"])
        if p.is_complex():  # each part is a number of its own
            parts = public_function("view_as_real")
            kept = {k: parts(t) if t.is_complex() else t for k, t in kept.items()}
            p, g = parts(p), parts(g)
        self._update(tensors, p, g, kept, step, o)


def _plain(p: Tensor, g: Tensor) -> bool:
    """Whether arrays can be calculated with in place of these Tensors."""
    a, b = p._data, g._data
    d = a.dtype
    if (d is not F32 and d is not F64) or b.dtype is not d or b.shape != a.shape or type(p) is not Tensor:
        return False
    flags = a.flags
    return bool(flags.writeable and (flags.c_contiguous or not shows_twice(a)))


def _setting(value: Any, recording: bool, differentiable: bool) -> Any:
    """A setting as the update reads it: a one-element Tensor as a number, unless the program that is recorded, or a derivative, must see it."""
    kind = type(value)
    if kind is float or kind is bool or kind is int or value is None:
        return value
    if isinstance(value, tuple):
        return tuple(_setting(v, recording, differentiable) for v in value)
    if isinstance(value, Tensor):
        if recording or (differentiable and value.requires_grad):
            return value.reshape(()) if value._data.ndim else value  # type: ignore[attr-defined]
        return value._data.item() if value._data.size == 1 else value
    return value.item() if isinstance(value, np.generic) else value


def zeros(p: Tensor) -> Tensor:
    """Zeros of p's shape, dtype and order in memory: a state that no program has made, even while one is recorded."""
    return handle(np.zeros_like(p._data, subok=False), None)


def filled(p: Tensor, value: complex) -> Tensor:
    """The same filled with a number."""
    if p._data.dtype.kind in "fc":
        return handle(np.full_like(p._data, value, subok=False), None)
    made: Tensor = full_like(p, value, requires_grad=False)
    return made


def scalar(number: float) -> Tensor:
    """A 0-d state: float32, or float64 where that is the default dtype."""
    kind = np.float64 if dtypes.default.float == F64 else np.float32
    return handle(np.array(number, kind), None)


def check_settings(operation: str, **settings: Any) -> None:
    """Raise ValueError for a negative setting (or nan)."""
    for name, value in settings.items():
        if not value >= 0:
            shown = "learning rate" if name == "lr" else "epsilon value" if name == "eps" else f"{name} value"
            raise ArgumentValueError(explain(operation, f"Invalid {shown}: {value}"))


def check_betas(operation: str, betas: Any) -> None:
    """Raise ValueError for a decay rate outside [0, 1)."""
    for i in range(2):
        if not 0 <= betas[i] < 1:
            raise ArgumentValueError(explain(operation, f"Invalid beta parameter at index {i}: {betas[i]}"))


def check_tensor_rate(lr: Any) -> None:
    """Raise ValueError for a learning rate with several elements."""
    if isinstance(lr, Tensor) and lr._data.size != 1:
        raise ArgumentValueError(explain("optimizer", "Tensor lr must be 1-element"))


__all__ = ["Method", "check_betas", "check_settings", "filled", "scalar", "zeros"]
