"""How long compiling takes for an unrolled recurrence of 20 and of 2,000 steps, after recording: `python benchmarks/unrolled.py [numpy|jax] [rounds]`.

Repetitions become scans as soon as they are recorded, so that all that follows goes by the text.  CPU seconds, the least of the rounds, which alternate between both
lengths; the time of one run is taken off.
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


def recurrence(steps: int) -> Callable[..., Any]:
    """A loss after so many steps of an RNN."""

    def loss(w: Any, u: Any, b: Any, xs: Any) -> Any:
        h = tg.zeros(8, dtype=tg.float64)
        for t in range(steps):
            h = tg.tanh(w @ h + u @ xs[t] + b)
        return (h * h).sum()

    return loss


def arguments(steps: int) -> list[Any]:
    """Weights and inputs."""
    rng = np.random.default_rng(0)
    return [tg.tensor(rng.normal(size=shape) * 0.1) for shape in ((8, 8), (8, 8), (8,), (steps, 8))]


def after_recording(function: Callable[..., Any], given: list[Any], backend: str) -> tuple[float, float]:
    """Seconds of the first call: of recording, and of what follows up to the first run."""
    fast = tg.compile(function, backend=backend)
    gc.collect()
    started = time.process_time()
    fast(*given)
    total = time.process_time() - started
    started = time.process_time()
    fast(*given)
    run = time.process_time() - started
    record = fast.explain(*given).times["record"]
    return record, total - record - run


def ratio(backend: str, gradient: bool, rounds: int) -> tuple[float, dict[int, tuple[float, float]]]:
    """By how much compiling 2,000 steps takes longer than 20, and the seconds of both lengths."""
    best: dict[int, tuple[float, float]] = {}
    for steps in (20, 2000) * rounds:
        loss = recurrence(steps)
        function = tg.func.grad(loss, argnums=(0, 1, 2)) if gradient else loss
        found = after_recording(function, arguments(steps), backend)
        best[steps] = min(best.get(steps, found), found, key=lambda pair: pair[1])
    return best[2000][1] / best[20][1], best


def main() -> None:
    """Print a line for the function and one for its gradient."""
    backend = sys.argv[1] if len(sys.argv) > 1 else "numpy"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    for gradient in (False, True):
        times, best = ratio(backend, gradient, rounds)
        shown = "; ".join(f"{n} steps: recording {a:.3f} s, then {b:.4f} s" for n, (a, b) in best.items())
        print(f"{backend} {'gradient' if gradient else 'forward'}: {shown}; ratio {times:.1f}", flush=True)


if __name__ == "__main__":
    main()
