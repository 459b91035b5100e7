"""How long the first call of a compiled function takes, against `jax.jit`: `python benchmarks/first_call.py [numpy|jax] [rounds]`.

Four programs on small values, of about 300 and 3,000 operators: one with a loop body that repeats, one whose steps differ, a random graph, and layers with products of
matrices; the function alone and its gradient.  CPU seconds, the least of the rounds, which alternate between both libraries; JAX is needed.
"""

from __future__ import annotations

import os
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp

import tracegrad as tg

Function = Callable[[Any], Any]


def chain(count: int, library: Any) -> Function:
    """Steps of one form."""

    def f(x: Any) -> Any:
        y = x
        for _ in range(count // 3):
            y = library.sin(y * 1.01) + x
        return y.sum()

    return f


def mixed(count: int, library: Any) -> Function:
    """Steps of five forms in no order, each with a number of its own."""
    steps = (
        lambda v, x, i: library.sin(v) * x + (1 + i),
        lambda v, x, i: library.tanh(v - x) / (2.5 + i),
        lambda v, x, i: library.exp(-v * v) + x * i,
        lambda v, x, i: library.sqrt(v * v + (1.0 + i)) - x,
        lambda v, x, i: library.cos(v) * v * (i + 0.5) - x,
    )

    def f(x: Any) -> Any:
        y = x
        for i in range(count // 5):
            y = steps[(i * i + i // 3) % 5](y, x, i)
        return y.sum()

    return f


def graph(count: int, library: Any) -> Function:
    """Operators that read two of the last five values."""
    draw = random.Random(count)
    plan = [(draw.choice("add sub mul sin tanh exp".split()), draw.random(), draw.random()) for _ in range(count)]
    apply = {
        "add": lambda u, v: u + v,
        "sub": lambda u, v: u - v * 0.5,
        "mul": lambda u, v: u * v,
        "sin": lambda u, v: library.sin(u),
        "tanh": lambda u, v: library.tanh(u),
        "exp": lambda u, v: library.exp(-u * u),
    }

    def f(x: Any) -> Any:
        values = [x]
        for name, a, b in plan:
            last = min(len(values), 5)
            values.append(apply[name](values[-1 - int(a * last)], values[-1 - int(b * last)]))
        return sum(values[-5:]).sum()

    return f


def layers(count: int, library: Any) -> Function:
    """Layers with weights that are used again, and a norm in every third."""
    rng = np.random.default_rng(0)
    array = tg.tensor if library is tg else jnp.asarray
    weights = [array(rng.standard_normal((8, 8)).astype(np.float32) * 0.3) for _ in range(7)]
    biases = [array(rng.standard_normal(8).astype(np.float32)) for _ in range(5)]

    def f(x: Any) -> Any:
        h = x
        for i in range(count // 6):
            h = library.tanh(h @ weights[i % 7] + biases[i % 5]) * 0.5 + h
            if i % 3 == 0:
                h = h / (1 + (h * h).sum())
        return (h * h).sum()

    return f


def of_tracegrad(f: Function, gradient: bool, backend: str) -> float:
    """CPU seconds of the first call."""
    x = tg.ones(8)
    fast = tg.compile(tg.func.grad(f) if gradient else f, backend=backend)
    started = time.process_time()
    fast(x)
    return time.process_time() - started


def of_jax(f: Function, gradient: bool) -> float:
    """CPU seconds of the first call."""
    x = jnp.ones(8)
    fast = jax.jit(jax.grad(f) if gradient else f)
    started = time.process_time()
    fast(x).block_until_ready()
    return time.process_time() - started


def ratio(
    program: Callable[..., Function], count: int, gradient: bool, backend: str, rounds: int
) -> tuple[float, float]:
    """Seconds of tracegrad and of jax.jit."""
    pairs = [
        (of_tracegrad(program(count, tg), gradient, backend), of_jax(program(count, jnp), gradient))
        for _ in range(rounds)
    ]
    ours, theirs = zip(*pairs, strict=True)
    return min(ours), min(theirs)


def main() -> None:
    """Print a line for each program."""
    backend = sys.argv[1] if len(sys.argv) > 1 else "numpy"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    warnings.simplefilter("ignore")
    for gradient in (False, True):
        for count in (300, 3000) if not gradient else (300,):
            for program in (chain, mixed, graph, layers):
                ours, theirs = ratio(program, count, gradient, backend, rounds if count == 300 else 2)
                what = "gradient" if gradient else "function"
                print(
                    f"{what} {program.__name__:7} {count:5}: {ours:.3f} s, jax.jit {theirs:.3f} s, ratio {ours / theirs:.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
