"""Functions as bodies of branches and loops: recorded as graphs, with what they read outside as further inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracegrad import config, pytree
from tracegrad.compiler.recorder import Trace
from tracegrad.compiler.replay import record
from tracegrad.config import local
from tracegrad.dtypes import I64, number_dtype
from tracegrad.eager.dispatch import T
from tracegrad.eager.generator import Generator, default_generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DataError, DTypeError, ShapeError, explain
from tracegrad.ir.bodies import is_differentiable
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_leaf
from tracegrad.ir.types import Type
from tracegrad.passes.differentiate import differentiable, track

_NUMBERS = (bool, int, float, complex)


class BodyTrace(Trace):
    """The recording of a body.  A random operator in it gets a stand-in for a key, in the place of which each step has a key of its own."""

    def __init__(self, what: str, steps: bool) -> None:
        super().__init__(what)
        self.steps = steps
        self.keys: dict[int, Generator] = {}
        self._kept: list[Tensor] = []

    def random_key(self, generator: Generator = default_generator) -> Tensor:
        """A stand-in.  Raises RuntimeError in a branch and in a loop whose number of steps is not known."""
        if not self.steps:
            problem = "draws random numbers in a body that may run any number of times, so that a recording cannot say which keys it needs"
            outer = self.parent
            while outer is not None:
                if outer.decides:  # compile() can run the function as it is
                    outer.refuse(problem)
                outer = outer.parent
            raise DataError(explain(self.what, problem, "Draw them outside, or use scan"))
        key = handle(np.zeros(2, I64), None)
        self.keys[id(key)] = generator
        self._kept.append(key)
        return key


class Body:
    """A recorded body.

    graph       inputs: the leaves of the arguments; captures: what it read outside
    captures    the Tensors that it read outside
    generators  for each capture that stands for the key of a random operator the generator
    treedef     the form of its result, whose leaves are all Tensors
    """

    __slots__ = ("captures", "generators", "graph", "treedef")

    def __init__(self, graph: Graph, captures: list[Tensor], generators: list[Generator | None], treedef: Any) -> None:
        self.graph, self.captures, self.generators, self.treedef = graph, captures, generators, treedef

    @property
    def types(self) -> tuple[Type, ...]:
        """The types of the results."""
        return tuple(o.type for o in self.graph.outputs)

    def closed(self, captures: Sequence[Tensor]) -> Graph:
        """The graph with `captures` as inputs after those of the arguments; those that it does not read are inputs all the same."""
        own = {id(t): n for t, n in zip(self.captures, self.graph.captures, strict=True)}
        more = [own.get(id(t)) or make_leaf(kind_of(t)) for t in captures]
        return Graph([*self.graph.inputs, *more], self.graph.outputs)


def record_body(
    what: str, function: Callable[..., Any], examples: Sequence[Tensor], treedef: Any, steps: bool = False
) -> Body:
    """`function` recorded for arguments like the examples.  Numbers among its results become Tensors; raises RuntimeError for other objects."""
    trace = BodyTrace(what, steps)
    leaves = [trace.leaf(t._data, needs=is_differentiable(kind_of(t))) for t in examples]

    def converted(*args: Any) -> Any:
        return as_tensors(what, function(*args))

    before = config.set_grad_enabled(True)  # whether derivatives flow is the operator's to say
    try:
        recorded = record(trace, converted, treedef.unflatten(leaves), {})
    finally:
        config.set_grad_enabled(before)
    generators = [trace.keys.get(id(t)) for t in recorded.captures]
    graph = track(recorded.graph, differentiable(recorded.graph.leaves))  # what it captures may be no leaf outside
    return Body(graph, recorded.captures, generators, recorded.treedef)


def as_tensors(what: str, value: Any) -> Any:
    """The value with numbers as Tensors.  Raises RuntimeError where a leaf is anything else than a Tensor or a number."""
    return pytree.map(lambda leaf: as_tensor(what, leaf), value)


def as_tensor(what: str, value: Any) -> Tensor:
    """A Tensor, or a number as one; a recorded Python float becomes the Tensor that it would be outside."""
    if isinstance(value, Tensor):
        if "_is_number" in value.__dict__ and local.trace is not None and value._data.dtype.kind in "fc":
            return T.cast(value, dtype=number_dtype(value._data.item()))  # type: ignore[no-any-return]
        return value
    if isinstance(value, _NUMBERS) and not isinstance(value, np.generic):
        return T.full(shape=(), value=value, dtype=number_dtype(value))  # type: ignore[no-any-return]
    if isinstance(value, (np.ndarray, np.generic)):
        return handle(np.asarray(value), None)
    raise DataError(explain(what, f"operands and results must be Tensors or numbers, not {type(value).__name__}"))


def together(bodies: Sequence[Body]) -> list[Tensor]:
    """What several bodies read outside, each Tensor once."""
    return list({id(t): t for body in bodies for t in body.captures}.values())


def keys_of_steps(body: Body, length: int, reverse: bool) -> list[Tensor]:
    """For each key that the body asks for a stack with one per step, drawn in the order in which the steps run."""
    generators = [g for g in body.generators if g is not None]
    drawn = [[_key(g) for g in generators] for _ in range(length)]
    if reverse:
        drawn.reverse()
    return [T.stack(*column, dim=0) for column in zip(*drawn, strict=True)]


def _key(generator: Generator) -> Tensor:
    if local.trace is not None:
        return local.trace.random_key(generator)  # type: ignore[no-any-return]
    return handle(np.asarray(generator.next_key()), None)


def kind_of(t: Tensor) -> Type:
    """Shape and dtype of a Tensor."""
    return Type(t._data.shape, t._data.dtype)


def check_same(what: str, described: str, have: Sequence[Type], want: Sequence[Type], forms: tuple[Any, Any]) -> None:
    """Raise RuntimeError unless two lists of types and their forms are equal."""
    if forms[0] != forms[1] or len(have) != len(want):
        raise ShapeError(explain(what, f"{described} must have the same form: {forms[1]}, not {forms[0]}"))
    for i, (a, b) in enumerate(zip(have, want, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            error = ShapeError if a.shape != b.shape else DTypeError
            place = f" (leaf {i})" if len(want) > 1 else ""
            raise error(explain(what, f"{described} must have the same shapes and dtypes: {b}{place}, not {a}"))
