"""The alignments of connectionist temporal classification: a recursion over time in log space, and the linear recurrence of all its derivatives.

Source: A. Graves et al., Connectionist temporal classification, 2006.  A state s of an extended label is reached from s, from s - 1, and from s - 2 where
two neighbouring labels differ.  Derivatives never leave log space unguarded: what cannot be reached (-inf) has weight 0.
"""

from __future__ import annotations

import math

from tracegrad.errors import ShapeError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, M
from tracegrad.ir.types import Type


def _moved(F: Ops, x: Value, dim: int, count: int, first: float) -> Value:
    """x moved by `count` along dim, with the number `first` in front and the last elements gone."""
    shape = F.shape(x)
    kept, size = max(shape[dim] - count, 0), min(count, shape[dim])
    start = F.full(shape=(*shape[:dim], size, *shape[dim + 1 :]), value=first, dtype=F.type(x).dtype)
    return F.cat(start, F.slice(x, dim=dim, start=0, stop=kept, step=1), dim=dim)


def _before(F: Ops, x: Value, count: int, first: float) -> Value:
    """x of the time before, `count` states below."""
    last = len(F.shape(x)) - 1
    return _moved(F, _moved(F, x, last, count, first) if count else x, 0, 1, first)


def _adjoint(F: Ops, g: Value, weights: tuple[Value, Value, Value]) -> Value:
    """The transpose of banded_recurrence in b: the same recurrence backwards in time and in states."""
    both = (0, len(F.shape(g)) - 1)
    moved = (_before(F, F.flip(w, dims=both), count, 0.0) for count, w in enumerate(weights))
    return F.flip(F.banded_recurrence(F.flip(g, dims=both), *moved), dims=both)


class CtcPaths(Op):
    """log of the summed probabilities of all alignments that end in state s at time t.  Shapes: emit (t, *p, s), start, jumps (*p, s) -> (t, *p, s).

    emit and start are logarithms of probabilities: of a state's label at a time, and of beginning in a state; jumps says where a state is reached from two below.
    """

    inputs, nondiff, function, method, real_only = ("emit", "start", "jumps"), ("jumps",), False, False, True
    torch_name, pole = "CtcLossBackward0", "states that no alignment reaches: value -inf, derivative 0"
    numpy = jax = "K.ctc_paths({emit}, {start}, {jumps})"
    samples = (
        [A(4, 2, 5), A(2, 5), M(2, 5)],
        [A(3, 3), A(3), M(3)],
        [A(1, 2, 3), A(2, 3), M(2, 3)],
        [A(3, 2, 1), A(2, 1), M(2, 1)],
        [A(0, 2, 3), A(2, 3), M(2, 3)],
        [A(4, 0, 3), A(0, 3), M(0, 3)],
    )

    @staticmethod
    def infer(emit: Type, start: Type, jumps: Type) -> Type:
        """emit's type.  Raises RuntimeError when the others do not fit."""
        if not emit.shape[1:] == start.shape == jumps.shape:
            problem = "start and jumps have emit's shape without time"
            raise ShapeError(explain("ctc_paths", problem, emit=emit, start=start, jumps=jumps))
        return emit

    @staticmethod
    def grad_emit(F: Ops, g: Value, emit: Value, jumps: Value, out: Value) -> Value:
        """The recurrence is linear in small changes; the weights are the shares of the three ways into a state."""
        dead = F.eq(out, -math.inf)
        level = F.sub(F.where(dead, 0.0, out), F.where(dead, 0.0, emit))
        alive = F.logical_not(dead)
        ways = (alive, alive, F.logical_and(alive, jumps))
        shares = tuple(
            F.exp(F.sub(F.where(way, _before(F, out, count, -math.inf), -math.inf), level))
            for count, way in enumerate(ways)
        )
        return F.where(dead, 0.0, _adjoint(F, g, shares))

    @staticmethod
    def grad_start(F: Ops, g: Value, emit: Value, jumps: Value, out: Value, start_type: Type) -> Value:
        if not F.shape(emit)[0]:
            return F.zeros(start_type)
        return F.squeeze(F.slice(CtcPaths.grad_emit(F, g, emit, jumps, out), dim=0, start=0, stop=1, step=1), dim=0)

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], emit: Value, start: Value, jumps: Value) -> Value:
        emit, start, jumps = (
            v if is_batched else F.broadcast_to(F.unsqueeze(v, dim=0), shape=(size, *F.shape(v)))
            for v, is_batched in zip((emit, start, jumps), batched, strict=True)
        )
        return F.transpose(F.ctc_paths(F.transpose(emit, dim0=0, dim1=1), start, jumps), dim0=0, dim1=1)


class BandedRecurrence(Op):
    """y[t, s] = b[t, s] + stay[t, s] y[t-1, s] + step[t, s] y[t-1, s-1] + jump[t, s] y[t-1, s-2], from y[-1] = 0.  Shape: (t, *p, s) each -> (t, *p, s)."""

    inputs, linear, function, method = ("b", "stay", "step", "jump"), ("b",), False, False
    torch_name = "CtcLossBackwardBackward0"
    numpy = jax = "K.banded_recurrence({b}, {stay}, {step}, {jump})"
    samples = (
        [A(4, 2, 5), A(4, 2, 5), A(4, 2, 5), A(4, 2, 5)],
        [A(3, 2), A(3, 2), A(3, 2), A(3, 2)],
        [A(1, 2, 1), A(1, 2, 1), A(1, 2, 1), A(1, 2, 1)],
        [A(0, 3), A(0, 3), A(0, 3), A(0, 3)],
    )

    @staticmethod
    def infer(b: Type, stay: Type, step: Type, jump: Type) -> Type:
        """b's type, which all have."""
        return b

    @staticmethod
    def grad_b(F: Ops, g: Value, stay: Value, step: Value, jump: Value) -> Value:
        return _adjoint(F, g, (stay, step, jump))

    @staticmethod
    def grad_stay(F: Ops, g: Value, stay: Value, step: Value, jump: Value, out: Value) -> Value:
        return F.mul(_adjoint(F, g, (stay, step, jump)), _before(F, out, 0, 0.0))

    @staticmethod
    def grad_step(F: Ops, g: Value, stay: Value, step: Value, jump: Value, out: Value) -> Value:
        return F.mul(_adjoint(F, g, (stay, step, jump)), _before(F, out, 1, 0.0))

    @staticmethod
    def grad_jump(F: Ops, g: Value, stay: Value, step: Value, jump: Value, out: Value) -> Value:
        return F.mul(_adjoint(F, g, (stay, step, jump)), _before(F, out, 2, 0.0))

    @staticmethod
    def batch(F: Ops, size: int, batched: tuple[bool, ...], b: Value, stay: Value, step: Value, jump: Value) -> Value:
        lifted = (F.transpose(v, dim0=0, dim1=1) for v in F.lift(size, batched, b, stay, step, jump))
        return F.transpose(F.banded_recurrence(*lifted), dim0=0, dim1=1)


__all__ = ["BandedRecurrence", "CtcPaths"]
