"""NumPy kernels of alignments: forward variables of connectionist temporal classification, and the linear recurrence of their derivatives.

Each function may use NumPy and the other functions of this file, and nothing else: exported Python modules carry copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def ctc_paths(emit: Array, start: Array, jumps: Array) -> Array:
    """log of the summed probabilities of all alignments that end in state s at time t, coming from s, s - 1, and s - 2 where jumps says so."""
    made = np.empty(emit.shape, emit.dtype)
    if not emit.size:
        return made
    made[0] = start + emit[0]
    before = np.full((*emit.shape[1:-1], emit.shape[-1] + 2), -np.inf, emit.dtype)
    for t in range(1, emit.shape[0]):
        before[..., 2:] = made[t - 1]
        stay, step = before[..., 2:], before[..., 1:-1]
        jump = np.where(jumps, before[..., :-2], before.dtype.type(-np.inf))
        top = np.maximum(np.maximum(stay, step), jump)
        level = np.where(top == -np.inf, before.dtype.type(0), top)
        total = np.exp(stay - level)
        total += np.exp(step - level)
        total += np.exp(jump - level)
        made[t] = np.log(total) + level + emit[t]
    return made


def banded_recurrence(b: Array, stay: Array, step: Array, jump: Array) -> Array:
    """y[t, s] = b[t, s] + stay[t, s] y[t - 1, s] + step[t, s] y[t - 1, s - 1] + jump[t, s] y[t - 1, s - 2], from y[-1] = 0."""
    made = np.array(b)
    for t in range(1, b.shape[0]):
        before, now = made[t - 1], made[t]
        now += stay[t] * before
        now[..., 1:] += step[t, ..., 1:] * before[..., :-1]
        now[..., 2:] += jump[t, ..., 2:] * before[..., :-2]
    return made


__all__ = ["banded_recurrence", "ctc_paths"]
