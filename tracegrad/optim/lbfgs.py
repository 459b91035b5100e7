"""L-BFGS: steps along an estimate of Newton's direction that comes from the last changes of the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tracegrad.autograd.modes import enable_grad, no_grad
from tracegrad.eager.creation import zeros_like
from tracegrad.eager.generate import public_function
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentValueError, DataError, explain
from tracegrad.optim.method import check_settings, check_tensor_rate
from tracegrad.optim.optimizer import Optimizer
from tracegrad.optim.wolfe import Point, strong_wolfe


class LBFGS(Optimizer):
    """The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno.  Source: Nocedal and Wright 2006, algorithms 7.4 and 7.5.

    step(closure) evaluates the closure up to max_eval times (default 1.25 max_iter) in up to max_iter iterations and returns the first loss; it ends when no
    part of the gradient exceeds tolerance_grad or nothing changes by more than tolerance_change.  history_size changes are kept.  Each iteration goes lr
    along the direction, or with line_search_fn="strong_wolfe" as far as the strong Wolfe conditions ask.  All parameters form one group.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_tensor_rate(lr)
        check_settings("LBFGS", lr=lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            problem = "LBFGS doesn't support per-parameter options (parameter groups)"
            raise ArgumentValueError(explain("LBFGS", problem))
        self._params: list[Any] = self.param_groups[0]["params"]

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Run up to max_iter iterations; returns the loss of the first evaluation."""
        with no_grad():
            return self._iterate(closure)

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group, state = self.param_groups[0], self.state[self._params[0]]
        closure = enable_grad()(closure)
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = closure()
        state["func_evals"] += 1
        now = _Now(float(first), self._gradient())
        if now.gradient.abs().max() <= group["tolerance_grad"]:
            return first
        memory = _Memory(state)
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            memory.aim(now.gradient, group["history_size"])
            before = memory.prev_loss = now.loss
            lr = float(group["lr"])
            memory.t = min(1.0, 1.0 / now.gradient.abs().sum()) * lr if state["n_iter"] == 1 else lr
            slope = now.gradient.dot(memory.d)
            if slope > -group["tolerance_change"]:
                break
            last = iteration == group["max_iter"]
            now, count = self._advance(closure, memory, now, slope, evaluations, last)
            evaluations += count
            state["func_evals"] += count
            if last or evaluations >= group["max_eval"] or now.gradient.abs().max() <= group["tolerance_grad"]:
                break
            change = memory.d.mul(memory.t).abs().max()
            if change <= group["tolerance_change"] or abs(now.loss - before) < group["tolerance_change"]:
                break
        memory.keep(state)
        return first

    def _advance(
        self, closure: Callable[[], Any], memory: _Memory, now: _Now, slope: Any, evaluations: int, last: bool
    ) -> tuple[_Now, int]:
        """Go along memory.d; the loss and gradient found there (the old ones where nothing was evaluated), and the number of evaluations."""
        group, d = self.param_groups[0], memory.d
        search = group["line_search_fn"]
        if search is None:
            self._move(memory.t, d)
            return (now, 0) if last else (_Now(float(closure()), self._gradient()), 1)
        if search != "strong_wolfe":
            raise DataError(explain("LBFGS", "only 'strong_wolfe' is supported", line_search_fn=search))
        start = [p.clone() for p in self._params]

        def evaluate(t: Any) -> Point:
            self._move(t, d)
            loss, gradient = float(closure()), self._gradient()
            for p, value in zip(self._params, start, strict=True):
                p.copy_(value)
            return Point(t, loss, gradient, gradient.dot(d))

        here = Point(0, now.loss, now.gradient, slope)
        found, count = strong_wolfe(evaluate, here, memory.t, d.abs().max(), group["max_eval"] - evaluations)
        memory.t = found.t
        self._move(found.t, d)
        return _Now(found.loss, found.gradient), count

    def _gradient(self) -> Any:
        """All gradients in one vector; zeros where there is none."""
        parts = []
        for p in self._params:
            g: Any = zeros_like(p) if p.grad is None else p.grad.detach()
            parts.append((public_function("view_as_real")(g) if g.is_complex() else g).reshape(-1))
        return public_function("cat")(parts)

    def _move(self, t: Any, direction: Any) -> None:
        """p += t direction for the part of the direction that belongs to each parameter."""
        start = 0
        for p in self._params:
            flat = public_function("view_as_real")(p) if p.is_complex() else p
            end = start + flat.numel()
            flat.add_(direction[start:end].view_as(flat), alpha=float(t))
            start = end


class _Now(NamedTuple):
    loss: float
    gradient: Any


class _Memory:
    """What the method keeps between iterations and steps, under torch's names.

    d  direction      t  length of the last step along it        old_dirs, old_stps, ro  changes of gradient and parameters, and 1 / their products
    """

    d: Any
    t: Any
    old_dirs: list[Any]
    old_stps: list[Any]
    ro: list[Any]
    H_diag: Any
    prev_flat_grad: Any
    NAMES = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")

    def __init__(self, state: dict[str, Any]) -> None:
        self.d, self.t, self.H_diag = (state.get(name) for name in ("d", "t", "H_diag"))
        self.old_dirs, self.old_stps, self.ro = (state.get(name) or [] for name in ("old_dirs", "old_stps", "ro"))
        self.prev_flat_grad, self.prev_loss = state.get("prev_flat_grad"), state.get("prev_loss")
        self.al: list[Any] | None = state.get("al")

    def keep(self, state: dict[str, Any]) -> None:
        """Put everything into the state."""
        if self.al is not None:
            state["al"] = self.al
        for name in self.NAMES:
            state[name] = getattr(self, name)

    def aim(self, gradient: Any, history_size: int) -> None:
        """Set the direction: the first time against the gradient, then with what the last change has shown."""
        if self.prev_flat_grad is None:
            self.d, self.H_diag = gradient.neg(), 1
            self.prev_flat_grad = gradient.clone()
            return
        self._learn(gradient.sub(self.prev_flat_grad), self.d.mul(self.t), history_size)
        if self.al is None:
            self.al = [None] * history_size
        q, count = gradient.neg(), len(self.old_dirs)
        for i in reversed(range(count)):
            self.al[i] = self.old_stps[i].dot(q) * self.ro[i]
            q.add_(self.old_dirs[i], alpha=-float(self.al[i]))
        self.d = q.mul(self.H_diag)
        for i in range(count):
            turn = self.old_dirs[i].dot(self.d) * self.ro[i]
            self.d.add_(self.old_stps[i], alpha=float(self.al[i] - turn))
        self.prev_flat_grad.copy_(gradient)

    def _learn(self, change: Any, step: Any, history_size: int) -> None:
        product = change.dot(step)
        if product <= 1e-10:
            return
        if len(self.old_dirs) == history_size:
            for kept in (self.old_dirs, self.old_stps, self.ro):
                kept.pop(0)
        self.old_dirs.append(change)
        self.old_stps.append(step)
        self.ro.append(1.0 / product)
        self.H_diag = product / change.dot(change)


__all__ = ["LBFGS"]
