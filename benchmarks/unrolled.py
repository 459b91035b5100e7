"""How long compiling takes for an unrolled recurrence of 20 and of 2,000 steps, after recording: `python benchmarks/unrolled.py [numpy|jax] [rounds]`.

A recording ends with finding what repeats in it and writing that as scans, so that all that follows goes by the text.  CPU seconds of the first call, less those of the
recording and those of a run; the least of the rounds, which alternate between both lengths.  Of the recording, what finding the repetitions took is shown as well.

Cells: a plain RNN, one whose states are stacked, a GRU and an LSTM.  Modes: the function; with its gradient inside by func.grad and by autograd.grad; the backward of a
call (its program is compiled at the first one); and the gradient of the gradient.
"""

from __future__ import annotations

import gc
import importlib
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

import tracegrad as tg

importlib.import_module("tracegrad.compiler.compile").time = SimpleNamespace(
    perf_counter=time.process_time
)  # other work on the machine counts for nothing
recorded = importlib.import_module("tracegrad.compiler.rolling").Recorded
finding = [0.0]  # seconds of finding repetitions

LENGTHS = (20, 2000)
Loss = Callable[[list[Any], Any, int], Any]


def _timed(self: Any, *args: Any, roll: Any = recorded.roll) -> Any:
    started = time.process_time()
    try:
        return roll(self, *args)
    finally:
        finding[0] = time.process_time() - started


recorded.roll = _timed


def rnn(p: list[Any], xs: Any, steps: int) -> Any:
    """The square of the last state."""
    h = tg.zeros(8, dtype=tg.float64)
    for t in range(steps):
        h = tg.tanh(p[0] @ h + p[1] @ xs[t] + p[2])
    return (h * h).sum()


def stacked(p: list[Any], xs: Any, steps: int) -> Any:
    """The squares of all states, stacked."""
    h, states = tg.zeros(8, dtype=tg.float64), []
    for t in range(steps):
        h = tg.tanh(p[0] @ h + p[1] @ xs[t] + p[2])
        states.append(h)
    return tg.stack(states).square().sum()


def gru(p: list[Any], xs: Any, steps: int) -> Any:
    """Gates that mix the old state and the new one."""
    h = tg.zeros(8, dtype=tg.float64)
    for t in range(steps):
        z = tg.sigmoid(p[0] @ h + p[1] @ xs[t])
        r = tg.sigmoid(p[2] @ h + p[3] @ xs[t])
        h = (1 - z) * h + z * tg.tanh(p[4] @ (r * h) + p[5] @ xs[t])
    return (h * h).sum()


def lstm(p: list[Any], xs: Any, steps: int) -> Any:
    """Two states, four gates of one product."""
    h = c = tg.zeros(8, dtype=tg.float64)
    for t in range(steps):
        g = p[0] @ h + p[1] @ xs[t] + p[2]
        c = tg.sigmoid(g[8:16]) * c + tg.sigmoid(g[:8]) * tg.tanh(g[24:])
        h = tg.sigmoid(g[16:24]) * tg.tanh(c)
    return (h * h).sum()


CELLS: dict[str, tuple[Loss, list[tuple[int, ...]]]] = {
    "rnn": (rnn, [(8, 8), (8, 8), (8,)]),
    "stacked": (stacked, [(8, 8), (8, 8), (8,)]),
    "gru": (gru, [(8, 8)] * 6),
    "lstm": (lstm, [(32, 8), (32, 8), (32,)]),
}


def forward(loss: Loss, steps: int) -> Callable[..., Any]:
    """The loss."""
    return lambda p, xs: loss(p, xs, steps)


def by_func(loss: Loss, steps: int) -> Callable[..., Any]:
    """Its gradient by func.grad."""
    return lambda p, xs: tg.func.grad(lambda q: loss(q, xs, steps))(p)


def by_autograd(loss: Loss, steps: int) -> Callable[..., Any]:
    """Its gradient by autograd.grad."""

    def gradient(p: list[Any], xs: Any) -> Any:
        q = [t.detach().requires_grad_() for t in p]
        return tg.autograd.grad(loss(q, xs, steps), q)

    return gradient


def second(loss: Loss, steps: int) -> Callable[..., Any]:
    """The gradient of the square of its gradient."""
    first = by_func(loss, steps)
    return lambda p, xs: tg.func.grad(lambda q: sum((g * g).sum() for g in first(q, xs)))(p)


MODES = {"forward": forward, "func.grad": by_func, "autograd.grad": by_autograd, "backward": forward, "second": second}


def after_recording(cell: str, mode: str, steps: int, backend: str) -> tuple[float, float, float]:
    """Seconds of the first call: of recording, of finding repetitions (the end of it), and of what follows, up to the first run."""
    loss, shapes = CELLS[cell]
    rng = np.random.default_rng(0)
    outside = mode == "backward"
    p = [tg.tensor(rng.normal(size=shape) * 0.1).requires_grad_(outside) for shape in shapes]
    xs = tg.tensor(rng.normal(size=(steps, 8)))
    fast = tg.compile(MODES[mode](loss, steps), backend=backend)
    gc.collect()
    seconds = []
    for _ in range(2):
        started = time.process_time()
        result = fast(p, xs)
        if outside:
            result.backward()
        seconds.append(time.process_time() - started)
    record = fast.explain(p, xs).times["record"]
    return record, finding[0], seconds[0] - record - seconds[1]


def measured(cell: str, mode: str, backend: str, rounds: int) -> dict[int, tuple[float, float, float]]:
    """The seconds of both lengths."""
    best: dict[int, tuple[float, float, float]] = {}
    for steps in LENGTHS * rounds:
        found = after_recording(cell, mode, steps, backend)
        best[steps] = min(best.get(steps, found), found, key=lambda times: times[2])
    return best


def main() -> None:
    """Print a line for each cell and mode."""
    backend = sys.argv[1] if len(sys.argv) > 1 else "numpy"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    for cell in CELLS:
        for mode in MODES:
            best = measured(cell, mode, backend, rounds)
            shown = "; ".join(
                f"{n} steps: {1e3 * then:.1f} ms after a recording of {record:.2f} s ({1e3 * found:.0f} ms to find repetitions)"
                for n, (record, found, then) in best.items()
            )
            ratio = best[LENGTHS[1]][2] / best[LENGTHS[0]][2]
            print(f"{backend} {cell} {mode}: {shown}; ratio {ratio:.1f}", flush=True)


if __name__ == "__main__":
    main()
