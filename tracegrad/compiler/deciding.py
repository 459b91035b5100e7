"""Backwards that decide by the values of cotangents: compiled as functions are, with a tree of traces of their own.

Such a backward has no graph.  It runs the program's operators again, and the rules and hooks of the user's code over them, as a function of the program's leaves
and the cotangents; that function is compiled, so what it decides is compared at every call.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from tracegrad.autograd import engine
from tracegrad.autograd.modes import enable_grad, no_grad
from tracegrad.compiler.replay import replay
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.graph import Graph


class Later:
    """What this file cannot import: the class of compiled functions (compile.py puts it here)."""

    compiled: Any = None


def decides(graph: Graph) -> bool:
    """Whether a derivative of the graph runs the user's code."""
    return any(
        node.op is not None and node.op.name == "custom_call" and node.attrs[0].late is not None for node in graph.nodes
    )


class Deciding:
    """The backward of a graph with respect to the leaves `followed`, from the cotangents of its `outputs`."""

    def __init__(self, graph: Graph, followed: tuple[int, ...], outputs: tuple[int, ...], backend_name: str) -> None:
        self.graph, self.followed, self.outputs, self.backend_name = graph, followed, outputs, backend_name

    @cached_property
    def compiled(self) -> Any:
        """The compiled function from leaves and cotangents to cotangents."""
        users = [node.attrs[0].late.roots for node in self.graph.nodes if node.op is not None and node.op.name == "custom_call" and node.attrs[0].late is not None]  # fmt: skip

        def backward(leaves: list[Tensor], cotangents: list[Tensor]) -> Any:
            return self.swept(leaves, cotangents) if users else None  # users: what is read besides the arguments

        return Later.compiled(backward, str(self.backend_name))

    def swept(self, leaves: list[Tensor], cotangents: list[Tensor]) -> tuple[Tensor, ...]:
        """The cotangents of the leaves, operator by operator, with their history where there is one."""
        again = local.grad_enabled and any(t.requires_grad for t in (*leaves, *cotangents))
        with enable_grad():
            names: list[Any] = list(leaves)
            for i in self.followed:
                names[i] = T.alias(leaves[i]) if leaves[i].requires_grad else T.detach(leaves[i]).requires_grad_()
            made = replay(self.graph, names)
        pairs = [(made[i], g) for i, g in zip(self.outputs, cotangents, strict=True) if made[i].requires_grad]
        wanted = [names[i] for i in self.followed]
        found = engine.grad([r for r, _ in pairs], wanted, [g for _, g in pairs], create_graph=again, allow_unused=True)
        return tuple([T.zeros(t._node.type) if g is None else g for t, g in zip(wanted, found, strict=True)])

    def on_tensors(self, leaves: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Sequence[Tensor]:
        """The cotangents of the followed leaves with their history."""
        found: Sequence[Tensor] = self.compiled(list(leaves), list(cotangents))
        return found

    def cotangents(self, arrays: Sequence[Any], saved: tuple[Any, ...] | None, given: Sequence[Any]) -> Sequence[Any]:
        """The same on arrays."""
        with no_grad():
            found = self.compiled([handle(a, None) for a in arrays], [handle(g, None) for g in given])
        return [t._data for t in found]


__all__ = ["Deciding", "Later", "decides"]
