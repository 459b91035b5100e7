"""Long runs of elementwise operators straight to StableHLO: JAX sees each run as one primitive, which it neither traces nor lowers operator by operator.

A program of thousands of operators otherwise spends as long in tracing and lowering as all passes take.  What XLA gets is the same, operator by operator.  Operators
of one floating type and one shape take part (the rest of the program is source text); the source text that users see has all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import mlir
from jaxlib.mlir.dialects import stablehlo as hlo

from tracegrad.backends.jax_source import text_of
from tracegrad.dtypes import F32, F64
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type

FEWEST = 64  # operators of a program from which this pays
SHORTEST = 4  # operators of a run

_UNARY: dict[str, Callable[..., Any]] = {
    "neg": hlo.negate, "sin": hlo.sine, "cos": hlo.cosine, "tanh": hlo.tanh, "exp": hlo.exponential, "log": hlo.log, "sqrt": hlo.sqrt, "rsqrt": hlo.rsqrt,
    "floor": hlo.floor, "ceil": hlo.ceil, "abs": hlo.abs, "log1p": hlo.log_plus_one, "expm1": hlo.exponential_minus_one, "sigmoid": hlo.logistic,
}  # fmt: skip
_BINARY: dict[str, Callable[..., Any]] = {
    "add": hlo.add, "sub": hlo.subtract, "mul": hlo.multiply, "div": hlo.divide, "maximum": hlo.maximum, "minimum": hlo.minimum,
}  # fmt: skip
_COMPARISONS = {"eq": "EQ", "ne": "NE", "lt": "LT", "le": "LE", "gt": "GT", "ge": "GE"}
_SPECIAL = frozenset(("square", "reciprocal", "relu"))


class Run:
    """Consecutive elementwise operators.  ins and outs are what they read of the rest and what the rest reads of them; given is the type that they share."""

    def __init__(self, nodes: list[Node], ins: list[Node], outs: list[Node], given: Type) -> None:
        self.nodes, self.ins, self.outs, self.given = nodes, ins, outs, given
        self.avals = [jax.core.ShapedArray(n.shape, n.dtype) for n in outs]


run_p = Primitive("elementwise_operators")
run_p.multiple_results = True


run_p.def_abstract_eval(lambda *avals, run: run.avals)


def _lowered(ctx: Any, *operands: Any, run: Run) -> list[Any]:
    """The operations of a run."""
    values: dict[Any, Any] = dict(zip(run.ins, operands, strict=True))
    shape, dtype = run.given.shape, run.given.dtype
    full = mlir.ir.RankedTensorType.get(shape, mlir.dtype_to_ir_type(dtype))
    nowhere = mlir.dense_int_array([])

    def operand(value: Any) -> Any:
        if isinstance(value, Node):
            return values[value]
        key = (repr(value),)
        found = values.get(key)
        if found is None:
            found = mlir.ir_constant(np.asarray(value, dtype))
            found = values[key] = hlo.broadcast_in_dim(full, found, nowhere) if shape else found
        return found

    for node in run.nodes:
        name = node.op.name  # type: ignore[union-attr]
        given = [operand(i) for i in node.inputs]
        if name in _BINARY:
            made = _BINARY[name](*given)
        elif name in _UNARY:
            made = _UNARY[name](*given)
        elif name in _COMPARISONS:
            direction = hlo.ComparisonDirectionAttr.get(_COMPARISONS[name])
            x, y = given
            made = hlo.compare(x, y, direction, compare_type=hlo.ComparisonTypeAttr.get("FLOAT"))
        elif name == "where":
            made = hlo.select(*given)
        elif name == "square":
            made = hlo.multiply(given[0], given[0])
        elif name == "relu":
            made = hlo.maximum(given[0], operand(0.0))
        else:
            made = hlo.divide(operand(1.0), given[0])
        values[node] = made
    return [values[n] for n in run.outs]


mlir.register_lowering(run_p, _lowered)


def direct_text(graph: Graph, bodies: Any) -> tuple[str, list[Run]] | None:
    """The text of `compiled` with calls of `RUN` in the place of runs, and these; None where text for every operator does as well."""
    if len(graph.nodes) < FEWEST or bodies:
        return None
    runs = _runs(graph)
    if 2 * sum(len(r.nodes) for r in runs) < len(graph.nodes):
        return None
    first = {r.nodes[0]: i for i, r in enumerate(runs)}
    inside = {n for r in runs for n in r.nodes}

    def line(node: Node, names: dict[Any, str]) -> str | None:
        if node not in inside:
            return None
        at = first.get(node)
        if at is None:
            return ""
        run = runs[at]
        made = ", ".join(names[n] for n in run.outs)
        return f"    {made}, = RUN({', '.join([str(at), *(names[i] for i in run.ins)])})"

    return text_of(graph, line), runs


def caller(runs: list[Run]) -> Callable[..., Any]:
    """The function RUN of such a text."""
    return lambda number, *values: run_p.bind(*values, run=runs[number])


def _runs(graph: Graph) -> list[Run]:
    found: list[tuple[list[Node], Type]] = []
    before: Type | None = None
    for node in graph.nodes:
        given = _type_of(node)
        if given is not None and given == before:
            found[-1][0].append(node)
        elif given is not None:
            found.append(([node], given))
        before = given
    kept = [(nodes, given) for nodes, given in found if len(nodes) >= SHORTEST]
    reader: dict[Node, set[int]] = {}
    place = {n: i for i, (nodes, _) in enumerate(kept) for n in nodes}
    for node in graph.nodes:
        for i in node.inputs:
            if isinstance(i, Node):
                reader.setdefault(i, set()).add(place.get(node, -1))
    for o in graph.outputs:
        if isinstance(o, Node):
            reader.setdefault(o, set()).add(-1)
    runs = []
    for at, (nodes, given) in enumerate(kept):
        own = set(nodes)
        ins = _distinct(i for n in nodes for i in n.inputs if isinstance(i, Node) and i not in own)
        runs.append(Run(nodes, ins, [n for n in nodes if reader.get(n, set()) - {at}], given))
    return runs


def _distinct(nodes: Iterable[Node]) -> list[Node]:
    return list(dict.fromkeys(nodes))


def _type_of(node: Node) -> Type | None:
    """The type that the operator's operands share, if it can be part of a run."""
    op = node.op
    assert op is not None
    name = op.name
    if node.attrs or isinstance(node.dtype, tuple):
        return None
    values = node.inputs
    if name == "where":
        mask, *values_ = values
        given: Any = node.type
        if not isinstance(mask, Node) or mask.type != Type(node.shape, np.dtype(bool)):
            return None
        values = tuple(values_)
    elif name in _UNARY or name in _BINARY or name in _COMPARISONS or name in _SPECIAL:
        given = next((i.type for i in values if isinstance(i, Node)), None)
    else:
        return None
    if given is None or given.dtype not in (F32, F64) or node.shape != given.shape:
        return None
    same = all(i.type == given if isinstance(i, Node) else _is_number(i) for i in values)
    wanted = np.dtype(bool) if name in _COMPARISONS else given.dtype
    return given if same and node.dtype == wanted else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


__all__ = ["Run", "caller", "direct_text"]
