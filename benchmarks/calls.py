"""What a call of a compiled function costs beside its arithmetic, against jax.jit's call of an empty function: `python benchmarks/calls.py [rounds]`.

Four float32 tensors of four elements, no gradients, NumPy.  The overhead is the time of a call less that of the same arithmetic on raw arrays (of a copy where an argument
is returned, of nothing where no tensor is).  Its ratios are to the empty function of JAX without arguments, and with four.  CPU time, the least of the rounds, in which
all calls take turns; `fresh` means that the tensors are others at every call.  JAX is needed.
"""

from __future__ import annotations

import os
import sys
import time
import timeit
from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp

import tracegrad as tg

NUMBER = 10_000
Thunk = Callable[[], Any]


def compiled(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """The function, compiled for these arguments and called often enough."""
    fast = tg.compile(function)
    for _ in range(100):
        fast(*args, **kwargs)
    return fast  # type: ignore[no-any-return]


def empty_functions(arrays: list[Any]) -> dict[str, Thunk]:
    """Calls of jax.jit's empty functions."""
    on_device = [jnp.asarray(a) for a in arrays]
    none, four = jax.jit(lambda: None), jax.jit(lambda a, b, c, d: None)
    none()
    four(*on_device)
    a, b, c, d = on_device
    return {"jax, no arguments": lambda: none(), "jax, four arrays": lambda: four(a, b, c, d)}


def calls(arrays: list[Any]) -> dict[str, tuple[Thunk, Thunk]]:
    """Per name a call of a compiled function, and its arithmetic."""
    a, b, c, d = tensors = [tg.tensor(x) for x in arrays]
    w, x, y, z = arrays
    nothing: Thunk = lambda: None  # noqa: E731
    copy: Thunk = lambda: np.array(w)  # noqa: E731
    sums: Thunk = lambda: w + x + y + z  # noqa: E731
    products: Thunk = lambda: w * x + y * z  # noqa: E731
    f_sum = compiled(lambda a, b, c, d: a + b + c + d, *tensors)
    f_products = compiled(lambda a, b, c, d: a * b + c * d, *tensors)
    f_two = compiled(lambda a, b, c, d: (a + b, c + d), *tensors)
    f_first = compiled(lambda a, b, c, d: a, *tensors)
    f_none = compiled(lambda a, b, c, d: None, *tensors)
    f_three = compiled(lambda a, b, c, d: 3, *tensors)
    f_empty = compiled(lambda: None)
    f_nested = compiled(lambda p: p[0] * p[1][0] + p[1][1] * p[2]["d"], (a, (b, c), {"d": d}))
    f_named = compiled(lambda a, b, *, c, d: a * b + c * d, a, b, c=c, d=d)
    f_float = compiled(lambda a, b, c, s: a * b + c * s, a, b, c, 2.5)
    f_captured = compiled(lambda: a * b + c * d)
    s = np.float32(2.5)
    nest = (a, (b, c), {"d": d})
    turns = cycle([[tg.tensor(x) for x in arrays] for _ in range(64)])

    def fresh() -> Any:
        a, b, c, d = next(turns)
        return f_sum(a, b, c, d)

    def fresh_sums() -> Any:
        _, _, _, _ = next(turns)
        return w + x + y + z

    return {
        "a + b + c + d": (lambda: f_sum(a, b, c, d), sums),
        "a + b + c + d, fresh": (fresh, fresh_sums),
        "a * b + c * d": (lambda: f_products(a, b, c, d), products),
        "two results": (lambda: f_two(a, b, c, d), lambda: (w + x, y + z)),
        "an argument": (lambda: f_first(a, b, c, d), copy),
        "None": (lambda: f_none(a, b, c, d), nothing),
        "a constant": (lambda: f_three(a, b, c, d), nothing),
        "no arguments": (lambda: f_empty(), nothing),
        "nested": (lambda: f_nested(nest), products),
        "two by name": (lambda: f_named(a, b, c=c, d=d), products),
        "one is a float": (lambda: f_float(a, b, c, 2.5), lambda: w * x + y * s),
        "captured": (lambda: f_captured(), products),
    }


def measured(rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of overhead of each call, and of JAX's empty functions."""
    arrays = [np.random.default_rng(0).random(4, np.float32) for _ in range(4)]
    empty, own = empty_functions(arrays), calls(arrays)
    timers = {"nothing": lambda: None, **empty}
    for name, (call, raw) in own.items():
        timers[name], timers[f"raw {name}"] = call, raw
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name, thunk in timers.items():
            seconds = timeit.Timer(thunk, timer=time.process_time).timeit(NUMBER) / NUMBER
            best[name] = min(best.get(name, seconds), seconds)
    return {name: best[name] - best[f"raw {name}"] for name in own}, {n: best[n] - best["nothing"] for n in empty}


def main() -> None:
    """Print a line for each call."""
    overhead, empty = measured(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    for name, seconds in empty.items():
        print(f"{name:24s} {1e9 * seconds:6.0f} ns")
    for name, seconds in overhead.items():
        ratios = "  ".join(f"{seconds / of:.2f} of {n}" for n, of in empty.items())
        print(f"{name:24s} {1e9 * seconds:6.0f} ns  {ratios}")


if __name__ == "__main__":
    main()
