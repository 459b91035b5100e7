"""profile(): the programs of a call with a clock between their operators."""

from __future__ import annotations

import linecache
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tracegrad.backends.numpy_backend import is_constant, numpy_source
from tracegrad.backends.source import types_comment
from tracegrad.compiler.explain import course, followed
from tracegrad.compiler.history import title
from tracegrad.compiler.program import Program
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.text import location_of
from tracegrad.kernels import numpy_kernels

if TYPE_CHECKING:
    from tracegrad.compiler.compile import Compiled

BUDGET_S = 0.2  # seconds that the rounds may take where their number is not given
ROUNDS, FEW = 200, 5  # at most, and at least
SHOWN = 40  # rows that are printed


class Row(NamedTuple):
    """One operator of a program.

    operation  its name                 type   of its value            location  the user's (file, line), or None
    seconds    in one call, in all of its runs (the median over the rounds)      share  of the whole, from 0 to 1
    runs       how often it runs in one call                           code      text of the user's line
    """

    operation: str
    type: str
    location: tuple[str, int] | None
    seconds: float
    share: float
    runs: int
    code: str


class Profile:
    """The times of one call by operator: rows, the slowest first; print it for the table.

    total_s  of all operators          lines  (location, seconds, share) by the user's line, the slowest first          rounds  how often it was run
    """

    def __init__(self, name: str, found: dict[Any, tuple[Node, float, int]], rounds: int, exact: bool) -> None:
        self.name, self.rounds, self.exact = name, rounds, exact
        self.total_s = sum(seconds for _, seconds, _ in found.values())
        whole = self.total_s or 1.0
        made = [
            Row(
                n.op.name,
                types_comment(n).split("  ")[0],
                location_of(n),
                seconds,
                seconds / whole,
                runs,
                _code(location_of(n)),
            )
            for n, seconds, runs in found.values()
            if n.op is not None
        ]
        self.rows = sorted(made, key=lambda row: -row.seconds)

    @property
    def lines(self) -> list[tuple[tuple[str, int] | None, float, float]]:
        """The times by the user's line."""
        sums: dict[tuple[str, int] | None, float] = {}
        for row in self.rows:
            sums[row.location] = sums.get(row.location, 0.0) + row.seconds
        whole = self.total_s or 1.0
        return sorted(((place, s, s / whole) for place, s in sums.items()), key=lambda found: -found[1])

    def __str__(self) -> str:
        how = "" if self.exact else ", each operator alone (XLA fuses them)"
        head = f"{self.name}: {1e6 * self.total_s:.1f} us in {len(self.rows)} operators, median of {self.rounds} rounds{how}"
        shown = self.rows[:SHOWN]
        cells = [("share", "time us", "runs", "operator", "type", "line")]
        cells += [
            (f"{100 * r.share:.1f}%", f"{1e6 * r.seconds:.1f}", str(r.runs), r.operation, r.type, _place(r))
            for r in shown
        ]
        widths = [max(len(c[i]) for c in cells) for i in range(5)]
        lines = [
            "  ".join([*(c[i].rjust(widths[i]) if i < 3 else c[i].ljust(widths[i]) for i in range(5)), c[5]]).rstrip()
            for c in cells
        ]
        rest = [f"... and {len(self.rows) - SHOWN} more"] if len(self.rows) > SHOWN else []
        return "\n".join([head, *lines, *rest])

    __repr__ = __str__


def _code(location: tuple[str, int] | None) -> str:
    return linecache.getline(*location).strip() if location is not None else ""


def _place(row: Row) -> str:
    if row.location is None:
        return ""
    file, line = row.location
    return f"{file.replace(chr(92), '/').rpartition('/')[2]}:{line}  {row.code[:60]}"


def profile_of(
    compiled: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any], rounds: int | None, file: Any
) -> Profile:
    """Measure a call, print the table and return it."""
    taken = course(compiled, args, kwargs)
    pieces: list[tuple[Program, list[Any]]] = []
    assert taken.tree is not None
    followed(taken.tree, taken.call, lambda program, arrays: pieces.append((program, arrays)))
    clocked = {program: Clocked(program) for program, _ in pieces}
    impure = any(n.op is not None and not n.op.pure for program, _ in pieces for n in program.graph.nodes)
    wanted = rounds if rounds is not None else 1 if impure else ROUNDS
    samples: list[dict[Any, list[float]]] = []
    ends = time.perf_counter() + BUDGET_S
    while len(samples) < max(wanted, 1) and (
        rounds is not None or len(samples) < (1 if impure else FEW) or time.perf_counter() < ends
    ):
        one: dict[Any, list[float]] = {}
        for program, arrays in pieces:
            for i, seconds in enumerate(clocked[program].run(arrays)):
                one.setdefault((program, i), []).append(seconds)
        samples.append(one)
    kept = samples[1:] if len(samples) > 2 else samples  # the first round warms the caches
    found = {
        key: (clocked[key[0]].nodes[key[1]], median(sum(s[key]) for s in kept), len(runs))
        for key, runs in samples[0].items()
    }
    profile = Profile(title(compiled.function), found, len(samples), all(c.exact for c in clocked.values()))
    print(profile, file=file or sys.stdout)
    return profile


class Clocked:
    """A program whose text reads a clock before each operator.  nodes are those that it measures; exact, whether it runs as it is compiled."""

    def __init__(self, program: Program) -> None:
        graph = program.optimised
        own = getattr(getattr(program.executable, "_function", None), "__globals__", {})
        self.jax = own.get("jax")
        self.exact = self.jax is None
        text = numpy_source(graph) if self.exact else program.executable.source
        self.nodes = list(measured(graph)) if self.exact else list(graph.nodes)
        self.marks: list[tuple[int, ...]] = []
        scope = {"np": np, "K": numpy_kernels} if self.exact else dict(own)
        scope |= {"clock_ns": time.perf_counter_ns, "marks": self.marks}
        with np.errstate(all="ignore"), self._modes():
            exec(compile(clocked_text(text, self.nodes, not self.exact), "<profiled function>", "exec"), scope)
        self.function: Callable[..., Any] = scope["compiled"]
        gaps = [-time.perf_counter_ns() + time.perf_counter_ns() for _ in range(100)]
        self.overhead = min(gaps)

    def _modes(self) -> Any:
        return self.jax.enable_x64(True) if self.jax is not None else nullcontext()

    def run(self, arrays: Sequence[Any]) -> Iterator[float]:
        """The seconds that each node takes."""
        with np.errstate(all="ignore"), self._modes():
            self.function(*arrays if self.exact else map(self.jax.numpy.asarray, arrays))
        marks = self.marks.pop()
        return (max(0, b - a - self.overhead) * 1e-9 for a, b in pairwise(marks))


def measured(graph: Graph) -> Iterator[Node]:
    """The nodes that the text of the NumPy backend computes at every call."""
    kept: set[Node] = set()
    for node in graph.nodes:
        if is_constant(node, kept):
            kept.add(node)
        else:
            yield node


def clocked_text(text: str, nodes: Sequence[Node], waits: bool) -> str:
    """The text with a reading of the clock before each line that begins an operator, and before the end; waits for each value where it is computed behind our back."""
    head, found, body = text.rpartition("def compiled(")
    lines: list[str] = []
    rest = iter(nodes)
    following = next(rest, None)
    count = 0
    for line in body.splitlines():
        if following is not None and line.endswith(f"  # {types_comment(following)}"):
            lines.append(f"    m{count} = clock_ns()")
            lines.append(line)
            if waits:
                lines.append(f"    jax.block_until_ready({line.split(' = ')[0].strip()})")
            count += 1
            following = next(rest, None)
        elif line.startswith("    return "):
            lines.append(f"    m{count} = clock_ns()")
            lines.append(f"    marks.append(({''.join(f'm{i}, ' for i in range(count + 1))}))")
            lines.append(line)
        else:
            lines.append(line)
    return head + found + "\n".join(lines) + "\n"


__all__ = ["Profile", "Row", "profile_of"]
