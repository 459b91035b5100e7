"""vmap: the function is recorded for one example, a pass gives every value a leading axis, and the result runs on Tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from tracegrad import pytree
from tracegrad.autograd.modes import no_grad
from tracegrad.compiler.recorder import Trace
from tracegrad.compiler.replay import Recorded, as_tensor_leaf, record, replay
from tracegrad.config import local
from tracegrad.dtypes import I64
from tracegrad.eager.dispatch import T
from tracegrad.eager.generator import Generator, default_generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentValueError, DataError, explain
from tracegrad.func.levels import running
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type, one_axis
from tracegrad.passes.batch import batch_graph

Function = Callable[..., Any]


def record_function(trace: Trace, function: Function, tensors: Sequence[Tensor], treedef: Any, random: str) -> Recorded:
    """Record function at these argument leaves, as what the transform `trace.what` does with it."""
    # for a later reverse mode the graph must say where no_grad() stops it
    needs = [t._node is not None and t._node.needs for t in tensors]
    args = treedef.unflatten([trace.leaf(t._data, needs=n) for t, n in zip(tensors, needs, strict=True)])
    trace.given = list(tensors)
    with running(trace.what, random):
        return record(trace, function, args, {})


def vmap(
    function: Function, in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *, chunk_size: int | None = None
) -> Function:
    """The function mapped over an axis of its arguments, as one program without a loop.

    in_dims: the mapped axis of every argument: one int for all, or a tuple with an int, None (not mapped) or a matching container per argument; out_dims likewise for
    results, where None says that a result is the same for all examples.  randomness: what random operators do: 'error' refuses them, 'same' draws once for all examples,
    'different' for each.  chunk_size: at most so many examples at a time.
    Code that reads a value (`if x > 0`) raises RuntimeError, since each example would go its own way.  Nests, and may be differentiated and compiled.
    Raises ValueError for axes that the arguments lack and for results that are no Tensors, IndexError for out_dims that they lack.
    """
    if randomness not in ("error", "different", "same"):
        raise DataError(explain("vmap", f"randomness must be 'error', 'different' or 'same', got {randomness!r}"))
    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentValueError(explain("vmap", f"chunk_size should be None or greater than 0, got {chunk_size}"))

    @wraps(function)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        flat, treedef = pytree.flatten(args)
        tensors = [as_tensor_leaf("vmap", v) for v in flat]
        axes = _axes_of_leaves(in_dims, args, tensors)
        size = _batch_size(tensors, axes)
        moved = [t if a is None else move(t, a, 0) for t, a in zip(tensors, axes, strict=True)]
        program = _Program(lambda *inner: function(*inner, **kwargs), treedef, axes, randomness)
        if chunk_size is None or chunk_size >= size:
            return program(moved, size).placed(out_dims)
        answers = []
        for start in range(0, size, chunk_size):
            stop = min(start + chunk_size, size)
            pieces = [
                t if a is None else T.slice(t, dim=0, start=start, stop=stop, step=1)
                for t, a in zip(moved, axes, strict=True)
            ]
            answers.append(program(pieces, stop - start))
        return _joined(answers).placed(out_dims)

    return mapped


class _Trace(Trace):
    """The recording of one example; it decides what its random operators draw from."""

    def __init__(self, randomness: str) -> None:
        super().__init__("vmap", False)
        self.randomness = randomness
        self.own_keys: dict[int, tuple[Tensor, Generator]] = {}
        self.given: list[Tensor] = []  # what the inputs stand for outside
        self.aside: list[tuple[int, Any]] = []  # new running statistics: the input that has them, and their node

    def leave(self, t: Tensor, kind: str) -> None:
        """A value may be read that is the same for all examples and may be read outside.  Raises TraceError for others."""
        outside: list[Tensor] = []
        if self._varies(t, outside):
            super().leave(t, kind)
        if self.parent is not None:
            for given in outside:
                self.parent.leave(given, kind)

    def put_aside(self, kept: Tensor, value: Tensor) -> bool:
        """Note new running statistics, one for each example.  Raises RuntimeError where the examples share the old ones."""
        places = [
            i for i, (n, a) in enumerate(zip(self.inputs, self.axes, strict=True)) if n is kept._node and a is not None
        ]
        if places:
            self.aside.append((places[0], value._node))
            return True
        if not self.owns(kept) and self._varies(value, []):
            problem = "Batch norm got a batched tensor as input while the running_mean or running_var, which will be updated in place, were not batched."
            raise DataError(explain("vmap", problem, "Map them too, or keep no running statistics"))
        return super().put_aside(kept, value)

    def _varies(self, t: Tensor, outside: list[Tensor]) -> bool:
        """Whether t depends on the example; `outside` gets the Tensors of the outer world that t is made of."""
        sources = {id(n): (g, a is not None) for n, g, a in zip(self.inputs, self.given, self.axes, strict=True)}
        sources.update({id(n): (c, id(c) in self.own_keys) for c, n in self.captured.values()})
        stack, seen = [t._node], set()
        while stack:
            node = stack.pop()
            if id(node) in sources:
                given, varies = sources[id(node)]
                if varies:
                    return True
                outside.append(given)
            elif node is None or node.seq <= self.start:
                outside.append(t)
            elif id(node) not in seen:
                seen.add(id(node))
                stack.extend(n for n in node.inputs if isinstance(n, Node))
        return False

    def random_key(self, generator: Generator = default_generator) -> Tensor:
        """A key for a random operator: the same one for all examples, or a stand-in for one per example."""
        if self.randomness == "error":
            raise DataError(
                explain(
                    "vmap",
                    "called random operation while in randomness error mode",
                    "Use the 'same' or 'different' randomness flags on vmap, or draw outside of it",
                )
            )
        if self.randomness == "same":
            return super().random_key(generator)
        key = handle(np.zeros(2, I64), None)
        self.own_keys[id(key)] = key, generator
        return key


class _Program:
    """The recording and batching of one call."""

    def __init__(self, function: Function, treedef: Any, axes: list[int | None], randomness: str) -> None:
        self.function, self.treedef, self.axes, self.randomness = function, treedef, axes, randomness
        self.mapped = [a is not None for a in axes]

    def __call__(self, tensors: list[Tensor], size: int) -> _Answer:
        """The results for `size` examples."""
        example = [_example(t) if has else t for t, has in zip(tensors, self.mapped, strict=True)]
        trace = _Trace(self.randomness)
        trace.axes, trace.given = self.axes, example
        recorded = record_function(trace, self.function, example, self.treedef, self.randomness)
        graph = recorded.graph
        count, aside = len(graph.outputs), trace.aside
        closed = Graph(graph.leaves, [*graph.outputs, *(n for _, n in aside)], (), graph.effects, graph.names)
        own = trace.own_keys
        flags = (*self.mapped, *(id(c) in own for c in recorded.captures))
        captures = [_keys(size, own[id(c)][1]) if id(c) in own else c for c in recorded.captures]
        program = batch_graph(closed, flags, size, spread=False)
        varies = [len(new.shape) > len(old.shape) for new, old in zip(program.outputs, graph.outputs, strict=False)]
        found = replay(program, [*tensors, *captures])
        with no_grad():
            for (place, _), value in zip(aside, found[count:], strict=True):
                tensors[place].copy_(value)  # type: ignore[attr-defined]
        return _Answer(recorded, found[:count], varies, size)


class _Answer:
    """The results of a batch: Tensors with the batch along their first axis where they vary with the example."""

    def __init__(self, recorded: Recorded, found: list[Tensor], varies: list[bool], size: int) -> None:
        self.recorded, self.found, self.varies, self.size = recorded, found, varies, size

    def placed(self, out_dims: Any) -> Any:
        """The results with their batch axis where out_dims wants it."""
        recorded = self.recorded
        given = self.found
        axes = _axes_of_results(out_dims, recorded.result(given), recorded.treedef.leaf_count)
        if any(axes[i] is not None for i in recorded.statics):
            kind = type(next(recorded.statics[i] for i in recorded.statics if axes[i] is not None)).__name__
            problem = f"the function must only return Tensors, got type {kind}"
            raise ArgumentValueError(explain("vmap", problem, "Set out_dims to None for this result"))
        places = [a for i, a in enumerate(axes) if i not in recorded.statics]
        return recorded.result([self._placed(t, has, a) for t, has, a in zip(given, self.varies, places, strict=True)])

    def _placed(self, t: Tensor, varies: bool, axis: int | None) -> Tensor:
        if axis is None:
            if varies:
                problem = "a result that differs between examples cannot be returned when out_dim is None"
                raise ArgumentValueError(explain("vmap", problem))
            return t
        if not varies:
            t = T.broadcast_to(t, shape=(self.size, *t._data.shape))
        return move(t, 0, one_axis("vmap", t._data.ndim, axis))


def _joined(answers: list[_Answer]) -> _Answer:
    """The results of several chunks as those of one batch."""
    first = answers[0]
    found = [
        T.cat(*(a.found[i] for a in answers), dim=0) if varies else first.found[i]
        for i, varies in enumerate(first.varies)
    ]
    return _Answer(first.recorded, found, first.varies, sum(a.size for a in answers))


def _keys(size: int, generator: Generator) -> Tensor:
    """Keys of a generator for the examples of a batch."""
    keys = [
        local.trace.random_key(generator) if local.trace is not None else handle(np.asarray(generator.next_key()), None)
        for _ in range(size)
    ]
    return T.stack(*keys, dim=0)  # type: ignore[no-any-return]


def _example(t: Tensor) -> Tensor:
    """One entry along the first axis, or zeros where the batch is empty."""
    if t._data.shape[0] == 0:
        return T.zeros(Type(t._data.shape[1:], t._data.dtype))  # type: ignore[no-any-return]
    return T.select(t, dim=0, index=0)  # type: ignore[no-any-return]


def move(t: Tensor, source: int, target: int) -> Tensor:
    """t with one axis moved, the others in order."""
    ndim = len(t._data.shape)
    source, target = source % ndim, target % ndim
    if source == target:
        return t
    order = [d for d in range(ndim) if d != source]
    order.insert(target, source)
    return T.permute(t, dims=tuple(order))  # type: ignore[no-any-return]


def _axes_of_leaves(in_dims: Any, args: tuple[Any, ...], tensors: list[Tensor]) -> list[int | None]:
    """The mapped axis of every leaf."""
    if isinstance(in_dims, int):
        axes: list[Any] = [in_dims] * len(tensors)
    else:
        if not isinstance(in_dims, (tuple, list)) or len(in_dims) != len(args):
            raise ArgumentValueError(
                explain("vmap", f"in_dims must be an int or have one entry per argument ({len(args)}), got {in_dims!r}")
            )
        axes = [axis for spec, arg in zip(in_dims, args, strict=True) for axis in _spread("in_dims", spec, arg)]
    for a, t in zip(axes, tensors, strict=True):
        ndim = t._data.ndim
        if a is not None and not -ndim <= a < ndim:
            problem = f"Got in_dim={a} for an input of dimensionality {ndim}, expected in_dim to satisfy -{ndim} <= in_dim < {ndim}"
            raise ArgumentValueError(explain("vmap", problem))
    return [None if a is None else one_axis("vmap", t._data.ndim, a) for a, t in zip(axes, tensors, strict=True)]


def _axes_of_results(out_dims: Any, result: Any, count: int) -> list[int | None]:
    """The axis of every leaf of the result where its batch shall be."""
    if out_dims is None or isinstance(out_dims, int):
        return [out_dims] * count
    if isinstance(result, Tensor) and isinstance(out_dims, (tuple, list)) and len(out_dims) == 1:
        return list(out_dims)
    return _spread("out_dims", out_dims, result)


def _spread(what: str, spec: Any, value: Any) -> list[Any]:
    """One entry of in_dims or out_dims for every leaf of its argument or result."""
    if spec is None or isinstance(spec, int):
        return [spec] * pytree.flatten(value)[1].leaf_count
    if isinstance(spec, dict) and isinstance(value, dict) and spec.keys() == value.keys():
        return [axis for key in value for axis in _spread(what, spec[key], value[key])]
    if isinstance(spec, (tuple, list)) and isinstance(value, (tuple, list)) and len(spec) == len(value):
        return [axis for s, a in zip(spec, value, strict=True) for axis in _spread(what, s, a)]
    raise ArgumentValueError(explain("vmap", f"an entry of {what} does not match: {spec!r}"))


def _batch_size(tensors: list[Tensor], axes: list[int | None]) -> int:
    sizes = {t._data.shape[a] for t, a in zip(tensors, axes, strict=True) if a is not None}
    if not sizes:
        raise ArgumentValueError(
            explain("vmap", "at least one argument with an axis must be mapped, and every mapped argument needs one")
        )
    if len(sizes) > 1:
        problem = f"Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(sizes)}"
        raise ArgumentValueError(explain("vmap", problem))
    return sizes.pop()


__all__ = ["move", "record_function", "vmap"]
