"""What a compiled gradient costs: value and gradient of the Rosenbrock function of 10 variables.

    python benchmarks/rosenbrock.py [--size 10] [--rounds 31]

Targets: on NumPy at most 1.3 times the same derivative written by hand, and no more than jax.jit with NumPy arrays in and out.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from compare import report

import tracegrad as tg


def rosenbrock(x: Any) -> Any:
    """The sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2."""
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def by_hand(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Its value and gradient, written for NumPy."""
    head, tail = x[:-1], x[1:]
    a = tail - head * head
    b = 1.0 - head
    value = np.add.reduce(100.0 * (a * a) + b * b)
    g = np.zeros(x.shape)
    u = 200.0 * a
    g[1:] = u
    g[:-1] -= 2.0 * (u * head + b)
    return value, g


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    x = np.linspace(-1.2, 1.5, options.size)
    compiled = tg.compile(tg.func.value_and_grad(rosenbrock))
    tensor = tg.tensor(x)
    runs: dict[str, Callable[[], Any]] = {
        "numpy by hand": lambda: by_hand(x),
        "tracegrad, compiled": lambda: compiled(tensor),
    }
    if importlib.util.find_spec("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
        jitted = jax.jit(jax.value_and_grad(rosenbrock))
        runs["jax.jit"] = lambda: tuple(np.asarray(r) for r in jitted(x))
    expected = by_hand(x)
    for name, run in runs.items():
        for got, want in zip(run(), expected, strict=True):
            np.testing.assert_allclose(np.asarray(got), want, rtol=1e-10, err_msg=name)
    print(compiled.source)
    report(f"value and gradient of rosenbrock({options.size}), float64", runs, "numpy by hand", options.rounds)


if __name__ == "__main__":
    main()
