"""From a recorded graph to what runs: the passes (or the cache on disk), emission, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tracegrad.backends.base import Executable, backend
from tracegrad.compiler.disk_cache import Entry, entry, output_types
from tracegrad.compiler.log import log, logs
from tracegrad.errors import FormatError, PassError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.passes.differentiate import vjp_graph
from tracegrad.passes.partition import Partition, partition
from tracegrad.passes.pipeline import Step, check_interface, optimise, prepare


class Stages:
    """What making one program took.

    steps   what each pass did; none where the cache on disk had the result       cached  whether it had
    passes_s, emit_s  seconds for the passes (or for reading the cache), and for the backend's work up to the first call
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.cached = False
        self.passes_s = self.emit_s = 0.0


def optimised_graph(graph: Graph, backend_name: str, stages: Stages) -> Graph:
    """The graph after the passes, or as the cache on disk has it."""
    started = time.perf_counter()
    place = entry(graph, backend_name, "program")
    found = place.load(_read_program) if place is not None else None
    stages.cached = found is not None
    made: Graph = optimise(graph, backend_name, record=stages.steps) if found is None else found
    stages.passes_s = time.perf_counter() - started
    if place is not None and found is None:
        place.store(lambda place: place.data(made, made.names != graph.names), _read_program, made)
    if logs("passes"):
        log("passes", passes_text(graph, made, stages))
    return made


def emitted(graph: Graph, backend_name: str, stages: Stages, origin: Graph) -> Executable:
    """The executable of an optimised graph; origin is what was recorded."""
    started = time.perf_counter()
    executable = backend(backend_name)(graph)
    if hasattr(executable, "origin"):
        executable.origin = origin
    stages.emit_s = time.perf_counter() - started
    if logs("source"):
        log("source", executable.source)
    return executable


def _read_program(data: Any, place: Entry) -> Graph:
    found = place.read(data, place.graph.names)
    try:
        check_interface(place.graph, found)
    except PassError as error:
        raise FormatError(str(error)) from None
    return found


def passes_text(graph: Graph, made: Graph, stages: Stages) -> str:
    """A line for each pass that changed something, and one for the whole."""
    lines = [
        f"  {s.name}: {s.before} -> {s.after} operators, {1e3 * s.time_s:.2f} ms"
        for s in stages.steps
        if s.before != s.after
    ]
    how = "read from the cache" if stages.cached else f"by {len(stages.steps)} passes"
    whole = f"program: {len(graph.nodes)} -> {len(made.nodes)} operators {how} in {1e3 * stages.passes_s:.2f} ms"
    return "\n".join([*lines, whole])


def divided(graph: Graph, followed: Sequence[int], outputs: Sequence[int], backend_name: str) -> Partition:
    """A graph with the cotangents of its leaves `followed` from those of its `outputs`, in two halves."""
    place = entry(graph, backend_name, f"halves {tuple(followed)} {tuple(outputs)}")
    if place is not None:
        found = place.load(lambda data, place: _read_halves(data, place, followed, outputs))
        if found is not None:
            return found  # type: ignore[no-any-return]
    joint = optimise(vjp_graph(prepare(graph), followed, outputs, keep_outputs=True), backend_name)
    made = partition(joint, len(graph.outputs), len(outputs))
    if place is not None:
        place.store(
            lambda place: [place.data(made.forward), place.data(made.backward), *made[2:]],
            lambda data, place: _read_halves(data, place, followed, outputs),
            made,
        )
    return made


def _read_halves(data: Any, place: Entry, followed: Sequence[int], outputs: Sequence[int]) -> Partition:
    """The partition, whose parts fit each other and the recorded graph.  FormatError otherwise."""
    graph = place.graph
    try:
        first, second, saved, leaves, saved_bytes, naive_bytes = data
        forward, backward = place.read(first), place.read(second)
        if not all(type(i) is int and i >= 0 for i in (*saved, *leaves, saved_bytes, naive_bytes)):
            raise FormatError(explain("cache", "a position is no number"))
        made = output_types(forward)
        kept = [(leaf.shape, leaf.dtype) for leaf in graph.leaves]
        taken = [*(kept[i] for i in leaves), *(made[i] for i in saved), *(output_types(graph)[i] for i in outputs)]
        fits = (
            [(leaf.shape, leaf.dtype) for leaf in forward.leaves] == kept
            and made[: len(graph.outputs)] == output_types(graph)
            and [(leaf.shape, leaf.dtype) for leaf in backward.leaves] == taken
            and [t for t in output_types(backward) if isinstance(t, tuple)]
            == [kept[i] for i, o in zip(followed, backward.outputs, strict=True) if isinstance(o, Node)]
        )
    except (TypeError, ValueError, IndexError) as error:
        raise FormatError(explain("cache", f"not two halves of a program: {error}")) from None
    if not fits:
        raise FormatError(explain("cache", "the halves are not those of this program"))
    return Partition(forward, backward, tuple(saved), tuple(leaves), saved_bytes, naive_bytes)


__all__ = ["Stages", "divided", "emitted", "optimised_graph"]
