"""The one list of passes: their order at each level, what each needs and gives, and the runner that checks them.

Facts about a graph that passes establish and need:

    canonical   one form for each expression (canonicalise)
    stable      no expression that overflows where a better form exists (stabilise)
    plain       no detach, alias or clone (finish); such a graph is not to be differentiated any more
    supported   the backend has an expression for every operator (decompose)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tracegrad import config
from tracegrad.errors import DefinitionError, PassError, TracegradError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.text import graph_text
from tracegrad.ir.verify import verify
from tracegrad.passes.bodies import in_bodies
from tracegrad.passes.canonicalise import canonicalise, finish
from tracegrad.passes.cse import cse
from tracegrad.passes.dce import dce
from tracegrad.passes.decompose import decompose
from tracegrad.passes.fold import fold
from tracegrad.passes.rewrite import forget
from tracegrad.passes.roll import roll
from tracegrad.passes.schedule import schedule
from tracegrad.passes.simplify import simplify
from tracegrad.passes.stabilise import stabilise
from tracegrad.passes.widen import widen

FACTS = frozenset(("canonical", "stable", "plain", "supported"))
Run = Callable[[Graph, str], Graph]


class Pass(NamedTuple):
    """A step of the pipeline: run(graph, backend) -> graph.

    requires     facts that must hold before
    establishes  facts that hold afterwards
    preserves    facts that still hold afterwards if they held before; all others are lost
    """

    name: str
    run: Run
    requires: frozenset[str]
    establishes: frozenset[str]
    preserves: frozenset[str]


class Step(NamedTuple):
    """What one pass did: the number of nodes before and after, and the time it took."""

    name: str
    before: int
    after: int
    time_s: float


def _pass(name: str, run: Callable[[Graph], Graph], requires: str = "", establishes: str = "", loses: str = "") -> Pass:
    lost = frozenset(loses.split())
    return Pass(
        name,
        lambda graph, backend: run(graph),
        frozenset(requires.split()),
        frozenset(establishes.split()),
        FACTS - lost,
    )


CANONICALISE = _pass("canonicalise", canonicalise, establishes="canonical", loses="stable")
STABILISE = _pass("stabilise", stabilise, requires="canonical", establishes="stable", loses="canonical")
SIMPLIFY = _pass("simplify", simplify, requires="canonical", loses="canonical")
FOLD = _pass("fold", fold)
CSE = _pass("cse", cse, loses="canonical")
DCE = _pass("dce", dce)
SCHEDULE = _pass("schedule", schedule)
FINISH = _pass("finish", finish, establishes="plain", loses="canonical")
WIDEN = _pass("widen", widen, loses="canonical stable")
ROLL = Pass("roll", roll, frozenset(), frozenset(), frozenset())
ROLL_BEFORE = ROLL._replace(run=lambda graph, backend: roll(graph, backend, differentiated=True))
DECOMPOSE = Pass("decompose", decompose, frozenset(), frozenset({"supported"}), frozenset({"plain"}))


def _bodies(level: str) -> Pass:
    """The passes of a level, or those before differentiation, on the bodies of branches and loops."""

    def run(graph: Graph, backend: str) -> Graph:
        passes = LEVELS.get(level, BEFORE_DIFFERENTIATION)
        return in_bodies(graph, lambda body: run_passes(body, passes, backend))

    return Pass("bodies", run, frozenset(), frozenset(), FACTS)


LEVELS: dict[str, tuple[Pass, ...]] = {
    # only what a backend cannot do without
    "O0": (_bodies("O0"), WIDEN, DECOMPOSE, FINISH, DCE),
    # equal and unused work removed; results have the bits of eager execution
    "O1": (_bodies("O1"), WIDEN, DECOMPOSE, FINISH, FOLD, CSE, DCE),
    # the whole list; results are equal up to rounding, and finite where eager execution is not
    "O2": (
        ROLL,
        FINISH,
        FOLD,
        CSE,
        CANONICALISE,
        STABILISE,
        CANONICALISE,
        CSE,
        CANONICALISE,
        SIMPLIFY,
        FOLD,
        CSE,
        CANONICALISE,
        SIMPLIFY,
        CSE,
        _bodies("O2"),
        WIDEN,
        DECOMPOSE,
        FINISH,
        FOLD,
        CSE,
        DCE,
        SCHEDULE,
    ),
}

# what is worth doing before differentiation: the derivative of a stable form is stable, that of a naive one often cannot be repaired
BEFORE_DIFFERENTIATION: tuple[Pass, ...] = (
    ROLL_BEFORE,
    _bodies("before differentiation"),
    FOLD,
    CSE,
    CANONICALISE,
    STABILISE,
    CANONICALISE,
    SIMPLIFY,
    CSE,
)


def check_order(passes: tuple[Pass, ...], given: frozenset[str] = frozenset()) -> frozenset[str]:
    """The facts that hold after `passes` on a graph for which `given` hold.  Raises DefinitionError where a
    pass comes too early."""
    holds = given
    for position, step in enumerate(passes):
        missing = step.requires - holds
        unknown = (step.requires | step.establishes) - FACTS
        if unknown:
            raise DefinitionError(
                explain("pipeline", f"{step.name} names facts that do not exist", facts=sorted(unknown))
            )
        if missing:
            raise DefinitionError(
                explain(
                    "pipeline",
                    f"{step.name} at position {position} needs {sorted(missing)}, which nothing before it gives",
                )
            )
        holds = (holds & step.preserves) | step.establishes
    return holds


for _level in (*LEVELS.values(), BEFORE_DIFFERENTIATION):
    check_order(_level)


def optimise(graph: Graph, backend: str = "numpy", *, level: str = "O2", record: list[Step] | None = None) -> Graph:
    """The graph after the passes of `level` (one of LEVELS), ready for `backend`.

    record receives one Step per pass.  With config.settings.verify every result is verified; with
    config.settings.dump every result is written to that folder.  Raises PassError naming the pass, the rule,
    the node and the user's line; its attributes `before` and `after` hold the IR around the fault.
    """
    if level not in LEVELS:
        raise PassError(explain("optimise", f"level={level!r} is not one of {tuple(LEVELS)}"))
    return run_passes(graph, LEVELS[level], backend, record)


def prepare(graph: Graph, record: list[Step] | None = None) -> Graph:
    """The graph in the form that is best differentiated: stable and short, with every detach in place.
    Raises PassError as `optimise` does."""
    return run_passes(graph, BEFORE_DIFFERENTIATION, record=record)


def run_passes(
    graph: Graph, passes: tuple[Pass, ...], backend: str = "numpy", record: list[Step] | None = None
) -> Graph:
    """The graph after `passes`, checked and recorded as `optimise` says."""
    if config.settings.dump:
        _dump(graph, "start")
    start = graph
    settled: dict[str, Graph] = {}  # the graphs that each pass left as they were
    for step in passes:
        started = time.perf_counter()
        after = graph if settled.get(step.name) is graph else run_pass(graph, step, backend)
        if after is graph:
            settled[step.name] = graph
        if record is not None:
            record.append(Step(step.name, len(graph.nodes), len(after.nodes), time.perf_counter() - started))
        if config.settings.dump and after is not graph:
            _dump(after, step.name)
        graph = after
    forget(start)
    forget(graph)
    return graph


def run_pass(graph: Graph, step: Pass, backend: str) -> Graph:
    """The graph after one pass.  Whatever goes wrong is a PassError."""
    after: Graph | None = None
    try:
        after = step.run(graph, backend)
        if after is not graph:
            check_interface(graph, after)
        if config.settings.verify:
            verify(after)
    except Exception as error:
        raise _fault(step, graph, after, error) from error
    return after


def check_interface(before: Graph, after: Graph) -> None:
    """Inputs, captures and outputs have kept number and type.  Raises PassError otherwise."""
    for what in ("inputs", "captures", "outputs"):
        old, new = ([getattr(v, "type", type(v)) for v in getattr(g, what)] for g in (before, after))
        if old != new:
            raise PassError(explain("interface", f"the {what} changed from {old} to {new}"))


def _fault(step: Pass, before: Graph, after: Graph | None, error: Exception) -> PassError:
    shown = str(error)
    text = shown if shown.startswith(f"{step.name}:") else explain(step.name, shown)
    texts = graph_text(before), _text(after) if after is not None else "(none: the pass did not end)"
    if config.settings.dump:
        path = _write(f"fault-{step.name}", "\n===>\n".join(texts))
        text = f"{text}. IR before and after: {path}"
    fault = PassError(text)
    fault.before, fault.after = texts
    fault.add_note(f"IR before {step.name}:\n{texts[0]}\nIR after:\n{texts[1]}")
    return fault


def _text(graph: Graph) -> str:
    """The text of a graph that may be broken."""
    try:
        return graph_text(graph)
    except TracegradError as error:
        return f"(no text: {error})"


def _dump(graph: Graph, name: str) -> None:
    _write(name, graph_text(graph) + "\n")


def _write(name: str, text: str) -> str:
    folder = Path(config.settings.dump)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(os.listdir(folder)):04d}-{name}.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)
