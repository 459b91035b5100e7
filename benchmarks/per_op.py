"""What one eager operation costs: tracegrad against NumPy written by hand, and against PyTorch where it is installed.

    python benchmarks/per_op.py [--rounds 31] [--chain-only]

Targets: the chain's forward and backward at most 4 times the handwritten NumPy adjoint, and faster than PyTorch.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from compare import report

import tracegrad as tg

SIZE, STEPS = 8, 20
X = np.linspace(0.1, 1.0, SIZE, dtype=np.float32)
Y = np.linspace(0.5, 2.0, SIZE, dtype=np.float32)

# name -> the operation under the names of its library, the same in NumPy, and the number of operands
OPERATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any], int]] = {
    "neg": (lambda lib, x: -x, np.negative, 1),
    "exp": (lambda lib, x: lib.exp(x), np.exp, 1),
    "log": (lambda lib, x: lib.log(x), np.log, 1),
    "sin": (lambda lib, x: lib.sin(x), np.sin, 1),
    "tanh": (lambda lib, x: lib.tanh(x), np.tanh, 1),
    "sqrt": (lambda lib, x: lib.sqrt(x), np.sqrt, 1),
    "sum": (lambda lib, x: lib.sum(x), np.add.reduce, 1),
    "reshape": (lambda lib, x: x.reshape(2, 4), lambda x: x.reshape(2, 4), 1),
    "add": (lambda lib, x, y: x + y, np.add, 2),
    "sub": (lambda lib, x, y: x - y, np.subtract, 2),
    "mul": (lambda lib, x, y: x * y, np.multiply, 2),
    "div": (lambda lib, x, y: x / y, np.divide, 2),
    "maximum": (lambda lib, x, y: lib.maximum(x, y), np.maximum, 2),
    "matmul": (lambda lib, x, y: x @ y, np.matmul, 2),
}


def chain_by_hand() -> np.ndarray:
    """The chain v -> sin(v) * v + v, summed, and its derivative, written for NumPy."""
    v, saved = -X, []
    for _ in range(STEPS):
        s = np.sin(v)
        saved.append((v, s))
        v = s * v + v
    np.add.reduce(v)
    g = np.ones(SIZE, np.float32)
    for v, s in reversed(saved):
        g = g + g * s + g * v * np.cos(v)
    return g


def chain_of(library: Any, x: Any) -> Callable[[], Any]:
    """The same chain, forward and backward, with the names of PyTorch."""

    def run() -> Any:
        x.grad = None
        v = x
        for _ in range(STEPS):
            v = library.sin(v) * v + v
        v.sum().backward()
        return x.grad

    return run


def libraries() -> dict[str, Any]:
    """tracegrad, and PyTorch with one thread where it is installed."""
    found: dict[str, Any] = {"tracegrad": tg}
    if importlib.util.find_spec("torch"):
        import torch

        torch.set_num_threads(1)
        found["torch"] = torch
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--chain-only", action="store_true")
    options = parser.parse_args()
    available = libraries()

    runs: dict[str, Callable[[], Any]] = {"numpy by hand": chain_by_hand}
    runs |= {name: chain_of(lib, lib.tensor(-X, requires_grad=True)) for name, lib in available.items()}
    for name, run in runs.items():
        np.testing.assert_allclose(np.asarray(run()), chain_by_hand(), rtol=1e-4, err_msg=name)
    report(
        f"forward and backward of {3 * STEPS + 1} operations on {SIZE} float32", runs, "numpy by hand", options.rounds
    )
    if options.chain_only:
        return
    for name, (operation, kernel, count) in OPERATIONS.items():
        calls: dict[str, Callable[[], Any]] = {"numpy": partial(kernel, *(X, Y)[:count])}
        for library, lib in available.items():
            calls[library] = partial(operation, lib, *(lib.tensor(a, requires_grad=True) for a in (X, Y)[:count]))
        report(f"one tracked {name}", calls, "numpy", options.rounds)


if __name__ == "__main__":
    main()
