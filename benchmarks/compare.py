"""Alternating runs in one process: the one way in which this project measures.

Single times of a shared machine say little; the ratio of two functions that take turns says what changed.
"""

from __future__ import annotations

import gc
import statistics
import timeit
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Ratio(NamedTuple):
    """The cost of one function in units of another's: the median over the rounds, and the quartiles as the spread."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:6.2f}  [{self.low:.2f}, {self.high:.2f}]"


def alternate(
    functions: Mapping[str, Callable[[], object]],
    rounds: int = 31,
    round_s: float = 0.02,
    timer: Callable[[], float] = timeit.default_timer,
) -> dict[str, list[float]]:
    """Seconds per call of each function in each round; within a round the functions take turns.

    A round calls each function as often as fits into `round_s`.  The garbage collector is off, as in timeit.
    """
    numbers = {}
    for name, function in functions.items():
        function()
        once = min(timeit.repeat(function, timer=timer, number=3, repeat=3)) / 3
        numbers[name] = max(1, int(round_s / max(once, 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in functions}
    gc.collect()
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(timeit.timeit(function, timer=timer, number=numbers[name]) / numbers[name])
    return times


def ratios(times: Mapping[str, list[float]], base: str) -> dict[str, Ratio]:
    """The cost of every function in units of `base`, round by round."""
    found = {}
    for name, measured in times.items():
        by_round = sorted(a / b for a, b in zip(measured, times[base], strict=True))
        low, _, high = statistics.quantiles(by_round, n=4)
        found[name] = Ratio(statistics.median(by_round), low, high)
    return found


def report(title: str, functions: Mapping[str, Callable[[], object]], base: str, rounds: int = 31) -> dict[str, Ratio]:
    """Measure, print one line per function, and return the ratios."""
    found = ratios(alternate(functions, rounds), base)
    print(f"{title}  (cost in units of {base}: median, [quartiles] of {rounds} alternating rounds)")
    for name, ratio in found.items():
        print(f"  {name:<28} {ratio}")
    print()
    return found
