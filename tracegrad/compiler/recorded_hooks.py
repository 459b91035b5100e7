"""Hooks that are registered while a function is recorded."""

from __future__ import annotations

from typing import Any

from tracegrad.autograd.function import Function
from tracegrad.compiler.recorder import user_location
from tracegrad.eager.tensor import Tensor
from tracegrad.ir.node import Node


class Hooks:
    """The hooks of one recording.

    on_tape  values and steps whose hooks no program has, and where they were registered: only a backward inside runs them
    """

    def __init__(self, trace: Any) -> None:
        self.trace = trace
        self.on_tape: dict[Node, tuple[str, int] | None] = {}
        self._tables: dict[Node, dict[int, Any]] = {}  # of values that are recorded behind their hooks

    def table(self, t: Tensor, hook: Any) -> dict[int, Any] | None:
        """The hooks of a value, which stands behind a step of their own from now on; None where the tape has them.  Raises NotCompilable for leaves of the outside world."""
        trace, node = self.trace, t._node
        if node is None or node.op is None or (trace.begins_at(t) and trace.is_outside(t)):
            trace.refuse("registers a hook on a leaf")
        assert node is not None
        found = self._tables.get(node)
        used = any(n.needs and node in n.inputs for n in trace.recorded.nodes if n.seq > node.seq)
        if found is None and (node in trace.begun or used):
            self.on_tape[node] = user_location()  # steps that have been recorded do not pass through another one
        elif found is None:
            found = {-1: hook}  # what it reads is looked for now
            t._node = hooked(found).apply(trace.name(t))._node
            assert t._node is not None
            self._tables[t._node] = found
            del found[-1]
        elif trace.readable([hook]):
            trace.refuse("registers a second hook, which reads what was recorded")
        return found


def hooked(hooks: dict[int, Any]) -> type[Function]:
    """The identity, whose derivative the hooks may replace."""

    class Hooked(Function):
        """The value.  Shapes: unchanged."""

        late = True

        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Any:
            return x.view_as(x)  # type: ignore[attr-defined]

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
            for hook in list(hooks.values()):
                answer = hook(g)
                g = g if answer is None else answer
            return g

    return Hooked


__all__ = ["Hooks", "hooked"]
