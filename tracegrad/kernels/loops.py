"""Kernels of branches and loops: bodies are functions from arrays to tuples of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Function = Callable[..., Sequence[Array]]


def cond(pred: Any, xs: Sequence[Array], true: Function, false: Function) -> tuple[Array, ...]:
    """The results of one of two bodies, in memory of their own."""
    return tuple([np.array(v) for v in (true if pred else false)(*xs)])


def scan(
    xs: Sequence[Array], body: Function, carries: int, slices: int, length: int, reverse: bool
) -> tuple[Array, ...]:
    """The last carried values, and the stacks of what the body gives besides."""
    state, rows, constants = list(xs[:carries]), xs[carries : carries + slices], xs[carries + slices :]
    made = []
    for i in range(length - 1, -1, -1) if reverse else range(length):
        found = body(*state, *[row[i, ...] for row in rows], *constants)
        state = list(found[:carries])
        made.append(found[carries:])
    if reverse:
        made.reverse()
    return (*(np.array(h) for h in state), *(np.stack(column) for column in zip(*made, strict=True)))


def while_loop(xs: Sequence[Array], test: Function, body: Function, carries: int) -> tuple[Array, ...]:
    """The carried values when the condition first fails."""
    state, constants = xs[:carries], xs[carries:]
    while test(*state, *constants)[0]:
        state = body(*state, *constants)
    return tuple([np.array(h) for h in state])


def while_backward(
    xs: Sequence[Array], test: Function, body: Function, back: Function, carries: int, followed: tuple[int, ...]
) -> tuple[Array, ...]:
    """The cotangents of a loop's followed operands: the carried values of every step are kept, then walked back over."""
    moving = len([i for i in followed if i < carries])
    last = len(xs) - moving
    state, constants, g = xs[:carries], xs[carries:last], list(xs[last:])
    steps = []
    while test(*state, *constants)[0]:
        steps.append(state)
        state = body(*state, *constants)
    sums = [np.zeros_like(xs[i]) for i in followed[moving:]]
    for step in reversed(steps):
        parts = back(*step, *constants, *g)
        g = list(parts[:moving])
        sums = [total + part for total, part in zip(sums, parts[moving:], strict=True)]
    return tuple([np.array(v) for v in (*g, *sums)])
