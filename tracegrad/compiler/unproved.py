"""Texts that serve a new size for the first time: their results are compared with those of the operators, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tracegrad.backends.base import Executable
from tracegrad.compiler.generalise import Bound
from tracegrad.compiler.split import Split
from tracegrad.ir.graph import Graph, evaluate
from tracegrad.ir.half import wide_array
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.raw import compute
from tracegrad.passes.differentiate import vjp_graph

if TYPE_CHECKING:
    from tracegrad.compiler.program import Backward

TOLERANCE = {2: 2e-2, 4: 2e-4, 8: 1e-9}  # by bytes of a real number; relative to it and to the largest one
CANCELLED = 256  # how many roundings of the largest value on the way may stand in a result that is nothing else


def agrees(made: Sequence[Any], graph: Graph, arrays: Sequence[Any]) -> bool:
    """Whether results are what the operators of the graph give, one after the other."""
    digits = coarsest(graph)
    return alike(made, graph(*arrays), 0.0, digits) or alike(made, *operated(graph, arrays), digits)


def coarsest(graph: Graph) -> int:
    """The fewest bytes of a real number on the way: what `.item()` gives has float64, and is no more exact than what it was read from."""
    kinds = [t.dtype for node in graph.nodes for t in node.types]
    return min([d.itemsize // (2 if d.kind == "c" else 1) for d in kinds if d.kind in "fcV"], default=8)


def operated(graph: Graph, arrays: Sequence[Any]) -> tuple[list[Any], float]:
    """The outputs of the operators, one after the other, and the largest finite value on the way."""
    largest = 0.0

    def apply(op: type[Op], inputs: tuple[Any, ...], attrs: tuple[Any, ...], node: Node) -> Any:
        nonlocal largest
        found = inputs[0][attrs[0]] if op.name == "project" else compute(op, inputs, attrs)
        if not isinstance(found, tuple):
            found = np.asarray(found)
            largest = max(largest, _largest(found))
        return found

    values = dict(zip(graph.leaves, arrays, strict=True))
    outputs = list(map(np.asarray, evaluate(graph, values, apply)))
    return outputs, max([largest, *map(_largest, arrays)])


def _largest(array: Any) -> float:
    array = wide_array(np.asarray(array))
    if array.dtype.kind not in "fc":
        return 0.0
    with np.errstate(all="ignore"):
        size = np.abs(array)
        return float(size.max(where=np.isfinite(size), initial=0.0))


def alike(made: Sequence[Any], expected: Sequence[Any], largest: float = 0.0, digits: int = 8) -> bool:
    """Whether results are those of the operators, up to rounding of values of so many bytes; where the operators overflow anything may stand."""
    return len(made) == len(expected) and all(_same(m, e, largest, digits) for m, e in zip(made, expected, strict=True))


def _same(made: Any, expected: Any, largest: float, digits: int) -> bool:
    made, expected = np.asarray(made), np.asarray(expected)
    if made.shape != expected.shape or made.dtype != expected.dtype:
        return False
    wide = wide_array(expected)
    if wide.dtype.kind not in "fc":
        return bool(np.array_equal(made, expected))
    own = wide.itemsize // (2 if wide.dtype.kind == "c" else 1)
    own = 2 if wide is not expected else min(own, digits)
    tolerance = TOLERANCE.get(own, TOLERANCE[8])
    noise = 0.0 if own == 2 else CANCELLED * float(np.finfo(np.float32 if own == 4 else np.float64).eps) * largest
    made, expected = wide_array(made), wide
    with np.errstate(all="ignore"):
        known = np.isfinite(expected)
        size = np.abs(np.where(known, expected, 0.0))
        near = np.abs(made - expected) <= tolerance * (size + size.max(initial=0.0)) + noise
    return bool(np.all(near | ~known))


class Unproved:
    """An executable that was made at other sizes; `settle` takes it, or None and gives one that was compiled."""

    def __init__(self, executable: Any, graph: Graph, settle: Callable[[Executable | None], Executable]) -> None:
        self.executable, self.graph, self.settle = executable, graph, settle
        self.source: str = executable.source
        executable.origin = graph

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        """The results, once they are known to be right.  Raises what the operators raise."""
        try:
            made = self.executable(*arrays)
        except Exception:
            if self._operators_raise(arrays):
                raise
            return self.settle(None)(*arrays)
        if agrees(made, self.graph, arrays):
            self.settle(self.executable)
            return made  # type: ignore[no-any-return]
        return self.settle(None)(*arrays)

    def _operators_raise(self, arrays: Sequence[Any]) -> bool:
        try:
            self.graph(*arrays)
        except Exception:
            return True
        return False


class UnprovedSplit:
    """The halves of a program and its backward that were made at other sizes.  Until the first backward nothing is saved."""

    def __init__(self, backward: Backward, bound: Bound) -> None:
        self.backward, self.parts = backward, bound.about
        program = backward.program
        forward, back = bound.executables
        self.bound = Split.of(
            self.parts, len(program.graph.outputs), forward or program.executable, back or program.executable
        )

    def run(self, arrays: Sequence[Any]) -> tuple[Sequence[Any], None]:
        """The results of the program, with nothing saved."""
        return self.backward.program.executable(*arrays), None

    def cotangents(self, arrays: Sequence[Any], saved: tuple[Any, ...] | None, given: Sequence[Any]) -> Sequence[Any]:
        """The cotangents, once they are known to be right."""
        program = self.backward.program
        try:
            results, kept = self.bound.run(arrays)
            found = self.bound.cotangents(arrays, kept, given)
            plain = vjp_graph(program.graph, self.backward.followed, self.backward.outputs)
            right = agrees(found, plain, [*arrays, *given]) and agrees(results, program.graph, arrays)
        except Exception:
            right = False
        if right:
            self.backward.settle(self.bound)
            return found
        return self.backward.settle(None).cotangents(arrays, None, given)
