"""One compiled signature: its program, its captures, and what it read outside its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracegrad.backends.base import Executable
from tracegrad.compiler.program import Program
from tracegrad.compiler.replay import Recorded
from tracegrad.compiler.watch import Watched
from tracegrad.eager.generator import Generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.graph import Graph


class Entry:
    """A recorded function compiled for one signature; its program has the captures as further inputs."""

    def __init__(
        self,
        recorded: Recorded,
        random_keys: Sequence[tuple[Tensor, Generator]],
        backend_name: str,
        watched: list[Watched],
    ) -> None:
        self.recorded, self.watched, self.backend_name = recorded, watched, backend_name
        keys = {id(k) for k, _ in random_keys}
        # captures that are random keys are drawn anew at every call, in the order in which they were asked for
        self.captures = [None if id(t) in keys else t for t in recorded.captures]
        order = {id(k): i for i, (k, _) in enumerate(random_keys)}
        self.generators = [generator for _, generator in random_keys]
        self._first_keys = [k for k, _ in random_keys]  # the first call uses the keys that recording has drawn
        self.draw_of = [order.get(id(t), -1) for t in recorded.captures]
        self.capture_types = [(t._data.shape, t._data.dtype, t.requires_grad) for t in recorded.captures]
        graph = recorded.graph
        self.program = Program(Graph(graph.leaves, graph.outputs, (), graph.effects, graph.names), backend_name)

    @property
    def optimised(self) -> Graph:
        """What the backend compiled."""
        return self.program.optimised

    @property
    def executable(self) -> Executable:
        """The compiled graph."""
        return self.program.executable

    def still_valid(self) -> bool:
        """Whether everything that the recording read outside its arguments is what it was."""
        for t, kind in zip(self.captures, self.capture_types, strict=True):
            if t is not None and (t._data.shape, t._data.dtype, t.requires_grad) != kind:
                return False
        return self.unchanged()

    def unchanged(self) -> bool:
        """Whether the watched places hold what they held."""
        return all(watched.unchanged() for watched in self.watched)

    def captured_tensors(self) -> list[Tensor]:
        """The Tensors to pass after the arguments: captures as they are now, and fresh random keys."""
        keys, self._first_keys = self._first_keys, []
        keys = keys or [handle(np.asarray(g.next_key()), None) for g in self.generators]
        return [keys[draw] if t is None else t for t, draw in zip(self.captures, self.draw_of, strict=True)]

    def run(self, tensors: list[Tensor]) -> Any:
        """The function's result for these argument Tensors."""
        if self.captures:
            tensors = tensors + self.captured_tensors()
        return self.recorded.result(self.program.run(tensors))
