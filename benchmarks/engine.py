"""The engine at its limits: a chain of a million nodes, fifty thousand leaves, long training without the garbage collector, threads.

    python benchmarks/engine.py [--scale 1.0]

Prints seconds and megabytes.  Targets: time per node of the chain independent of its length, no recursion; 20,000 training steps with `gc` disabled grow
memory by less than 5 MB; gradients that eight threads add into one leaf are all there.  A broken target ends the program with an error.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tracegrad as tg

NODES, LEAVES, STEPS, THREADS, EACH = 1_000_000, 50_000, 20_000, 8, 500
GROWTH_LIMIT = 5.0  # megabytes


def resident() -> float:
    """Megabytes of memory that this process holds now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / 1e6


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that a call takes, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def recorded(x: tg.Tensor, nodes: int) -> tg.Tensor:
    """x after `nodes` operations, each of which the tape keeps."""
    for _ in range(nodes):
        x = -x
    return x


def chain(nodes: int) -> None:
    """Record, sweep and release a chain."""
    x = tg.ones((), requires_grad=True)
    before = resident()
    kept: list[tg.Tensor] = []
    record, _ = timed(lambda: kept.append(recorded(x, nodes)))
    held = resident() - before
    sweep, _ = timed(lambda: kept[0].backward(retain_graph=True))
    release, _ = timed(kept.clear)
    assert x.grad is not None and abs(x.grad.item()) == 1.0
    each = 1e9 / nodes
    print(
        f"chain of {nodes:,} nodes: record {record:.2f} s, sweep {sweep:.2f} s, release {release:.2f} s, {held:.0f} MB"
    )
    print(f"  per node: record {record * each:.0f} ns, sweep {sweep * each:.0f} ns, release {release * each:.0f} ns")


def wide(leaves: int) -> None:
    """Many leaves added up into one value."""
    xs = [tg.ones((), requires_grad=True) for _ in range(leaves)]

    def total() -> tg.Tensor:
        y = xs[0]
        for x in xs[1:]:
            y = y + x
        return y

    record, y = timed(total)
    sweep, _ = timed(y.backward)
    assert all(x.grad is not None and x.grad.item() == 1.0 for x in xs)
    print(f"sum of {leaves:,} leaves: record {record:.2f} s, sweep {sweep:.2f} s")
    record, y = timed(lambda: tg.stack(xs).sum())
    sweep, _ = timed(y.backward)
    print(f"stack of {leaves:,} leaves: record {record:.2f} s, sweep {sweep:.2f} s")


def training(steps: int) -> None:
    """Steps of a small network without the garbage collector."""
    tg.manual_seed(0)
    w, b = tg.rand(8, 8, requires_grad=True), tg.zeros(8, requires_grad=True)
    x = tg.rand(4, 8)

    def step() -> None:
        w.grad = b.grad = None
        (tg.tanh(x @ w + b) ** 2).mean().backward()
        with tg.no_grad():
            for p in (w, b):
                p.sub_(p.grad, alpha=0.01)

    for _ in range(200):
        step()
    gc.collect()
    gc.disable()
    try:
        before = resident()
        seconds, _ = timed(lambda: [step() for _ in range(steps)] and None)
        growth = resident() - before
    finally:
        gc.enable()
    print(
        f"{steps:,} training steps without gc: {seconds:.2f} s, {seconds / steps * 1e6:.0f} us a step, {growth:+.2f} MB"
    )
    assert growth < GROWTH_LIMIT, f"memory grew by {growth:.2f} MB"


def threads(count: int, each: int) -> None:
    """Independent backwards in threads, and backwards that add into one leaf."""

    def alone(_k: int) -> None:
        x = tg.ones(1000, requires_grad=True)
        for _ in range(each):
            x.grad = None
            (x * 2.0).sin().sum().backward()

    shared = tg.zeros(3, requires_grad=True)

    def together(k: int) -> None:
        for _ in range(each):
            (shared * float(k + 1)).sum().backward()

    for name, work in (("independent", alone), ("into one leaf", together)):
        running = [threading.Thread(target=work, args=(k,)) for k in range(count)]
        start = time.perf_counter()
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        print(f"{count} threads of {each} backwards, {name}: {time.perf_counter() - start:.2f} s")
    expected = float(each * sum(range(1, count + 1)))
    assert shared.grad is not None and shared.grad.tolist() == [expected] * 3, "an update was lost"
    print(f"  gradient {shared.grad.tolist()[0]:.0f}, expected {expected:.0f}")


def main() -> None:
    """Run all, at a scale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the sizes")
    scale = parser.parse_args().scale

    def sized(n: int) -> int:
        return max(int(n * scale), 2)

    chain(sized(NODES))
    wide(sized(LEAVES))
    training(sized(STEPS))
    threads(THREADS, sized(EACH))


if __name__ == "__main__":
    main()
