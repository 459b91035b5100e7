"""The Jacobian of a function with many outputs: autograd.grad with is_grads_batched against one sweep per row.

python -m benchmarks.batched_gradients
"""

from __future__ import annotations

import numpy as np

import tracegrad as tg
from benchmarks.compare import report

INPUTS = 50


def measure(outputs: int) -> None:
    """Print the time of the loop in units of the batched call's, for a small network's layer."""
    generator = np.random.default_rng(0)
    weights = tg.tensor(generator.normal(size=(outputs, INPUTS)))
    x = tg.tensor(generator.normal(size=INPUTS), requires_grad=True)
    y = tg.tanh(weights @ x) * tg.sin(weights @ x)
    rows = tg.eye(outputs, dtype=tg.float64)

    def batched() -> object:
        return tg.autograd.grad(y, x, rows, retain_graph=True, is_grads_batched=True)[0]

    def loop() -> object:
        return tg.stack([tg.autograd.grad(y, x, row, retain_graph=True)[0] for row in rows])

    report(f"{outputs} outputs", {"batched": batched, "loop": loop}, "batched", rounds=11)


if __name__ == "__main__":
    for count in (8, 40, 200, 1000):
        measure(count)
