"""Recording a function once as a Graph, and running a Graph on Tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracegrad import pytree
from tracegrad.compiler.recorder import Trace, recording
from tracegrad.compiler.recorder import replay as replay  # defined where traces run graphs themselves
from tracegrad.dtypes import NUMBERS, number_dtype
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import TraceError, explain
from tracegrad.ir.graph import Graph


class Recorded:
    """A function recorded once: its graph, the Tensors that the graph captures, and the form of its result.

    statics holds the leaves of the result that are no Tensors, by position; graph.outputs are the other leaves in order.
    """

    __slots__ = ("captures", "graph", "statics", "treedef")

    def __init__(self, graph: Graph, captures: list[Tensor], treedef: pytree.TreeDef, statics: dict[int, Any]) -> None:
        self.graph, self.captures, self.treedef, self.statics = graph, captures, treedef, statics

    def result(self, tensors: Sequence[Any]) -> Any:
        """The function's result with these Tensors in the place of the graph's outputs."""
        if not self.statics:
            return self.treedef.unflatten(tensors)
        given = iter(tensors)
        count = self.treedef.leaf_count
        return self.treedef.unflatten([self.statics[i] if i in self.statics else next(given) for i in range(count)])


def record(trace: Trace, function: Callable[..., Any], args: Any, kwargs: Any, names: Sequence[str] = ()) -> Recorded:
    """Run `function(*args, **kwargs)`, whose Tensors were made by trace.leaf, and return what was recorded."""
    with recording(trace):
        try:
            result = function(*args, **kwargs)
            leaves, treedef = pytree.flatten(result)
            statics = {i: leaf for i, leaf in enumerate(leaves) if not isinstance(leaf, Tensor)}
            for leaf in statics.values():
                if isinstance(leaf, np.ndarray):
                    raise TraceError(
                        explain(
                            trace.what,
                            "the recorded function returned a NumPy array, whose value would be that of the first call",
                            "Return Tensors",
                        )
                    )
            graph = trace.graph([leaf for leaf in leaves if isinstance(leaf, Tensor)], names)
            return Recorded(graph, trace.captures, treedef, statics)
        finally:
            trace.close()


def as_tensor_leaf(what: str, value: Any) -> Tensor:
    """An argument leaf as a Tensor: a Tensor itself, an array, or a number (0-d of the default dtype, or int64)."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return handle(np.asarray(value), None)
    if isinstance(value, NUMBERS):
        return T.full(shape=(), value=value, dtype=number_dtype(value))  # type: ignore[no-any-return]
    raise TraceError(explain(what, f"an argument of type {type(value).__name__} is neither a Tensor nor a number"))


def capture(function: Callable[..., Any], *example_args: Any) -> Graph:
    """Record `function` on example arguments (nested tuples, lists and dicts of Tensors and numbers) and return its Graph.

    Inputs are the Tensor leaves of the arguments, in order; outside Tensors become captures.  Python control flow follows the example's shapes; code that reads
    a value raises TraceError (a RuntimeError) with the user's line.  Example:  capture(lambda x: (x * x).sum(), tg.ones(3))
    """
    trace = Trace("capture")
    leaves, treedef = pytree.flatten(example_args)
    inner = [trace.leaf(leaf._data) if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    names = argument_names(function, example_args)
    chosen = [name for name, leaf in zip(names, leaves, strict=True) if isinstance(leaf, Tensor)]
    return record(trace, function, treedef.unflatten(inner), {}, chosen).graph


def argument_names(function: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """A name for every leaf of the arguments: the parameter's, with a counter where an argument has several leaves."""
    parameters, names = parameter_names(function), []
    for i, arg in enumerate(args):
        name = parameters[i] if i < len(parameters) else f"a{i}"
        count = pytree.flatten(arg)[1].leaf_count
        names += [name] if count == 1 else [f"{name}_{k}" for k in range(count)]
    return names


def parameter_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a function's positional parameters; none where it is not written in Python."""
    while hasattr(function, "__wrapped__"):  # grad(f) has the parameters of f
        function = function.__wrapped__
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return ()
    return code.co_varnames[int(hasattr(function, "__self__")) : code.co_argcount]  # type: ignore[no-any-return]
