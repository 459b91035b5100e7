"""A program and its backward as two executables, with saved values between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.backends.base import Executable, backend
from tracegrad.compiler.stages import divided
from tracegrad.ir.graph import Graph
from tracegrad.passes.partition import Partition


class Split:
    """The executables of a graph whose leaves `followed` get cotangents from those of its `outputs`.

    parts  the two graphs, and how many bytes are saved between them with and without the partition
    plain  the graph compiled alone, which is the forward where nothing is to be saved
    """

    def __init__(
        self, graph: Graph, followed: Sequence[int], outputs: Sequence[int], backend_name: str, plain: Executable
    ) -> None:
        self.parts: Partition = divided(graph, followed, outputs, backend_name)
        self.result_count = len(graph.outputs)
        made = backend(backend_name, backward=True)  # its leaves are kept: nothing is donated
        self.forward: Executable = made(self.parts.forward) if self.parts.saved else plain
        self.backward: Executable = made(self.parts.backward)
        if hasattr(self.forward, "origin"):
            self.forward.origin = graph
            self.backward.origin = self.parts.backward

    @classmethod
    def of(cls, parts: Partition, result_count: int, forward: Executable, backward: Executable) -> Split:
        """The split that has these executables."""
        made = cls.__new__(cls)
        made.parts, made.result_count, made.forward, made.backward = parts, result_count, forward, backward
        return made

    def run(self, arrays: Sequence[Any]) -> tuple[Sequence[Any], tuple[Any, ...]]:
        """The program's results for these leaves, and what the backward wants saved beside the leaves."""
        made = self.forward(*arrays)
        return made[: self.result_count], tuple([made[i] for i in self.parts.saved])

    def cotangents(self, arrays: Sequence[Any], saved: tuple[Any, ...] | None, given: Sequence[Any]) -> Sequence[Any]:
        """The cotangents of the followed leaves from those of the outputs; without saved values they are made here."""
        if saved is None:
            saved = self.run(arrays)[1] if self.parts.saved else ()
        found: Sequence[Any] = self.backward(*[arrays[i] for i in self.parts.leaves], *saved, *given)
        return found


__all__ = ["Split"]
