"""What operators cost: tracegrad on NumPy against PyTorch, JAX and SciPy with one thread each, in alternating runs of one process.

    python benchmarks/operators.py [NAME ...] [--size 1000000] [--rounds 9] [--quick] [--against torch,jax,scipy] [--over 2] [--json FILE] [--read FILE ...] [--page FILE]

A NAME selects the operators whose family or name contains it.  One line an operator: how many times as long as PyTorch (JAX, jitted; SciPy's
ufunc) tracegrad takes, forward and backward.  Backward is the derivative alone, of a graph that is kept; for JAX it is the jitted pullback, which
computes as much of the forward function as it needs.  Times are the process's own (everything runs in one thread), and ratios those of the fastest
rounds: on a shared machine a long call is rarely left alone.
`--over 2` prints only what takes more than twice as long as PyTorch.  `--json FILE` keeps the ratios, `--read FILE ...` takes what was kept before in place of
measuring (of operators in several files the last), and `--page docs/speed.md` writes them into the tables of that page.
"""

# ruff: noqa: E402  (libraries read the number of threads when they are imported)

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import argparse
import gc
import importlib.util
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from compare import alternate
from operator_cases import CASES, Case
from operator_layers import LAYERS
from operator_tables import write

import tracegrad as tg

Calls = dict[str, Callable[[], object]]


def cases(chosen: list[str]) -> Iterator[Case]:
    """The operators whose family or name contains one of the words; all without words."""
    for family in (*CASES, *LAYERS):
        for case in family():
            if not chosen or any(word in (case.family, case.name) or word in case.name for word in chosen):
                yield case


def eager(lib: Any, case: Case, arrays: list[Any]) -> tuple[Callable[[], object], Callable[[], object] | None]:
    """The forward call on plain tensors, and the backward call of a graph that is kept."""
    plain = [lib.from_numpy(a) for a in arrays]
    forward = lambda: case.run(lib, *plain)  # noqa: E731
    if not case.backward:
        return forward, None
    leaves = [lib.from_numpy(a).requires_grad_(a.dtype.kind == "f") for a in arrays]
    wanted = [x for x in leaves if x.requires_grad]
    out = case.run(lib, *leaves)
    g = lib.from_numpy(
        np.random.default_rng(1).uniform(0.5, 1, tuple(out.shape)).astype(str(out.dtype).rpartition(".")[2])
    )
    return forward, lambda: lib.autograd.grad(out, wanted, g, retain_graph=True, allow_unused=True)


def jitted(case: Case, arrays: list[Any]) -> tuple[Callable[[], object], Callable[[], object] | None]:
    """The same for JAX, compiled; the pullback by all floating operands."""
    import jax
    import jax.numpy as jnp

    run = case.jax
    assert run is not None
    floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    own = [jnp.asarray(a) for a in arrays]
    function = lambda *xs: run(jnp, jax.lax, jax.nn, *xs)  # noqa: E731
    compiled = jax.jit(function)
    forward = lambda: jax.block_until_ready(compiled(*own))  # noqa: E731
    if not case.backward:
        return forward, None

    def only(*chosen: Any) -> Any:
        xs = list(own)
        for i, x in zip(floats, chosen, strict=True):
            xs[i] = x
        return function(*xs)

    g = jnp.ones_like(forward())
    leaves = [own[i] for i in floats]
    pull = jax.jit(lambda g, *xs: jax.vjp(only, *xs)[1](g))
    return forward, lambda: jax.block_until_ready(pull(g, *leaves))


def calls(case: Case, size: int, against: list[str]) -> tuple[Calls, Calls]:
    """The calls to compare, forward and backward, by library."""
    arrays = case.make(size)
    forward: Calls = {}
    backward: Calls = {}
    for name in ("tracegrad", *against):
        if name == "scipy":
            if case.scipy is not None:
                import scipy.special

                forward[name] = partial(getattr(scipy.special, case.scipy), *arrays)
            continue
        if name == "jax":
            if case.jax is None or any(a.dtype == np.float64 for a in arrays):
                continue
            there, back = jitted(case, arrays)
        else:
            there, back = eager(LIBRARIES[name](), case, arrays)
        forward[name] = there
        if back is not None:
            backward[name] = back
    return forward, backward


def _torch() -> Any:
    import torch

    torch.set_num_threads(1)
    return torch


LIBRARIES: dict[str, Callable[[], Any]] = {"tracegrad": lambda: tg, "torch": _torch}


def measured(functions: Calls, rounds: int, round_s: float) -> dict[str, float]:
    """How many times as long as each other library tracegrad takes, by the fastest rounds, and under its own name its microseconds."""
    if "tracegrad" not in functions:
        return {}
    times = alternate(functions, rounds, round_s, time.process_time)
    own = min(times.pop("tracegrad"))
    return {"tracegrad": own * 1e6, **{name: own / min(other) for name, other in times.items()}}


def line(case: Case, there: dict[str, float], back: dict[str, float], against: list[str]) -> str:
    """One row of the table."""
    cells = [f"{there[name]:8.2f}" if name in there else " " * 8 for name in against]
    cells += [f"{back[name]:8.2f}" if name in back else " " * 8 for name in against if name != "scipy"]
    own = f"{there['tracegrad'] / 1e3:9.2f}" + (f"{back['tracegrad'] / 1e3:9.2f}" if back else "")
    return f"{case.family:<12} {case.name:<28}{''.join(cells)}  {own}"


def header(against: list[str]) -> str:
    """The names over the columns."""
    cells = [f"{name:>8}" for name in against] + [f"{'∂' + name:>8}" for name in against if name != "scipy"]
    return f"{'':<12} {'':<28}{''.join(cells)}  {'own ms':>9}{'∂ own ms':>9}"


def main() -> None:
    """Measure the chosen operators, or read what was measured, and show or keep it."""
    parser = argparse.ArgumentParser(description="tracegrad's operators against PyTorch, JAX and SciPy")
    parser.add_argument("names", nargs="*", help="families or parts of names; all without any")
    parser.add_argument("--size", type=int, default=1_000_000, help="elements of the largest operand")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--quick", action="store_true", help="1,000 elements and one short round: whether everything runs"
    )
    parser.add_argument("--against", default="torch,jax,scipy", help="of these what is installed")
    parser.add_argument("--over", type=float, default=0.0, help="only lines with a larger ratio to PyTorch")
    parser.add_argument("--json", type=Path, help="also write the ratios to this file")
    parser.add_argument("--read", type=Path, nargs="+", default=[], help="ratios kept by --json, instead of measuring")
    parser.add_argument("--page", type=Path, help="write the tables into this page")
    options = parser.parse_args()
    every: dict[str, Any] = {}
    for kept in options.read:
        every.update(json.loads(kept.read_text()))
    if not options.read:
        every = measure(options)
    if options.json:
        options.json.write_text(json.dumps(every, indent=1))
    if options.page:
        write(options.page, every)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Time the chosen operators, print a line for each, and return the ratios."""
    size, rounds, round_s = (1000, 1, 1e-5) if options.quick else (options.size, options.rounds, 0.005)
    against = [name for name in options.against.split(",") if name and importlib.util.find_spec(name)]
    print(
        f"tracegrad's time in units of the other's, {size:,} elements, the fastest of {rounds} alternating rounds; ∂: backward"
    )
    print(header(against))
    every = {}
    for case in cases(options.names):
        forward, backward = calls(case, size, against)
        gc.freeze()  # the collection before each measurement need not go through the libraries
        there, back = measured(forward, rounds, round_s), measured(backward, rounds, round_s)
        every[f"{case.family}: {case.name}"] = {"forward": there, "backward": back}
        if max((d.get("torch", 0.0) for d in (there, back)), default=0.0) >= options.over:
            print(line(case, there, back, against), flush=True)
    return every


if __name__ == "__main__":
    main()
