"""A compiled graph, and its place on the tape when gradients flow through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracegrad.backends.base import Executable, backend
from tracegrad.compiler.replay import replay
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.builder import projections
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Type
from tracegrad.passes.differentiate import vjp_graph
from tracegrad.passes.pipeline import optimise, prepare


class Program:
    """A graph compiled for one backend.  graph is what was recorded; optimised is what the backend compiled."""

    def __init__(self, graph: Graph, backend_name: str) -> None:
        self.graph, self.backend_name = graph, backend_name
        self.follows = followed_outputs(graph)
        self.optimised = optimise(graph, backend_name)
        self.executable: Executable = backend(backend_name)(self.optimised)
        self._backward: dict[tuple[int, ...], Backward] = {}

    def run(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The outputs for these Tensors in the place of the graph's leaves."""
        if local.grad_enabled:
            for t in tensors:
                if t._node is not None:
                    return self._tracked(tensors)
        return [handle(r, None) for r in self.executable(*[t._data for t in tensors])]

    def _tracked(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The same as one node on the tape, whose backward is compiled too."""
        arrays = tuple(t._data for t in tensors)
        followed = tuple(i for i, t in enumerate(tensors) if t._node is not None and t._node.needs)
        results = self.executable(*arrays)
        if not followed or not any(self.follows):
            return [handle(r, None) for r in results]
        inputs = tuple(t._node if t._node is not None else Type(t._data.shape, t._data.dtype) for t in tensors)
        types = tuple(Type(r.shape, r.dtype) for r in results)
        node = make_node(CompiledCall, inputs, (self.backward(followed),), types, saved=(arrays,))
        pieces = projections(node)
        return [handle(r, p if follows else None) for r, p, follows in zip(results, pieces, self.follows, strict=True)]

    def backward(self, followed: tuple[int, ...]) -> Backward:
        """The compiled backward for these followed leaves."""
        found = self._backward.get(followed)
        if found is None:
            found = self._backward[followed] = Backward(self, followed)
        return found


def followed_outputs(graph: Graph) -> list[bool]:
    """For each output whether derivatives flow to it from a leaf that needs them: a level of differentiation inside begins and ends there."""
    follows = {leaf: leaf.needs for leaf in graph.leaves}
    for node in graph.nodes:
        follows[node] = node.needs and any(isinstance(i, Node) and follows[i] for i in node.inputs)
    return [isinstance(o, Node) and follows[o] for o in graph.outputs]


class Backward:
    """The vector-Jacobian product of a program with respect to some of its leaves, compiled on first use."""

    def __init__(self, program: Program, followed: tuple[int, ...]) -> None:
        self.program, self.followed = program, followed
        self.graph = vjp_graph(prepare(program.graph), followed)
        self._executable: Executable | None = None

    @property
    def executable(self) -> Executable:
        """The compiled graph from leaves and cotangents to cotangents."""
        if self._executable is None:
            name = self.program.backend_name
            self._executable = backend(name, backward=True)(optimise(self.graph, name))
        return self._executable

    def __repr__(self) -> str:
        return f"<backward of a compiled function in {self.followed}>"


class CompiledCall(Op, family=True):
    """A call of a compiled function on the tape.  Shapes: the leaves -> the outputs."""

    name = "compiled_call"
    inputs, operands, variadic = ("*xs",), ("xs",), True
    attrs = ("backward",)
    torch_name = "CompiledFunctionBackward"

    @classmethod
    def several(cls) -> bool:
        """A compiled call always has a tuple of results."""
        return True

    @staticmethod
    def vjp(
        F: Ops, node: Node, given: tuple[Any, ...], read: Callable[[Node, int], Any], wanted: Callable[[Any], bool]
    ) -> list[Any]:
        """Run the backward graph operator by operator, so that it is recorded and differentiable in turn."""
        backward: Backward = node.attrs[0]
        cotangents = [F.zeros(t) if g is None else g for g, t in zip(given, node.types, strict=True)]
        leaves = [read(node, i) for i in range(len(node.inputs))]
        if isinstance(leaves[0], np.ndarray):  # first order, at a node with hooks
            found: Sequence[Any] = backward.executable(*leaves, *cotangents)
        else:
            found = replay(backward.graph, [*leaves, *cotangents])
        parts: list[Any] = [None] * len(node.inputs)
        for i, g in zip(backward.followed, found, strict=True):
            parts[i] = g if wanted(node.inputs[i]) else None
        return parts

    @staticmethod
    def back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
        """First order: run the compiled backward on arrays."""
        backward: Backward = node.attrs[0]
        cotangents = [
            np.zeros(t.shape, t.dtype) if c is None else np.asarray(c) for c, t in zip(g, node.types, strict=True)
        ]
        for i, part in zip(backward.followed, backward.executable(*node.saved[0], *cotangents), strict=True):
            source = node.inputs[i]
            before = grads.get(source)
            grads[source] = part if before is None else before + part
