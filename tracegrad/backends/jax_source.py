"""Source text of the JAX backend: `jax.lax` where the types say that nothing has to be promoted or broadcast, the operators' `jax` columns elsewhere.

A call of jax.numpy costs two to four times as much while JAX traces it as the `jax.lax` function behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tracegrad.backends.source import body_names, literal_source, node_expression, source_names, types_comment
from tracegrad.dtypes import F32, F64
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type

FILE = "<generated JAX function>"
_COLUMN = re.compile(r"^jnp\.(\w+)\((\{\w+\}(?:, \{\w+\})*)\)$")
_UNARY = {name: name for name in ("sin", "cos", "tanh", "exp", "log", "sqrt", "square", "floor", "ceil", "log1p", "expm1", "abs")}  # fmt: skip
_UNARY["negative"] = "neg"
_BINARY = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "maximum": "max", "minimum": "min"}
_COMPARISON = {"equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge"}  # fmt: skip


def jax_source(graph: Graph) -> str:
    """The text of `def compiled(a0, ..., c0, ...)` over JAX, which returns a tuple, behind the functions of its bodies."""
    bodies = body_names(graph)
    functions = [line for body, name in bodies.items() for line in [*_function(body, name, bodies), "", ""]]
    return "\n".join([*functions, *_function(graph, "compiled", bodies), ""])


def text_of(graph: Graph, line: Callable[[Node, dict[Any, str]], str | None]) -> str:
    """The same for a graph without bodies, where `line` gives the lines of some nodes: "" for none, None for those that it leaves."""
    return "\n".join([*_function(graph, "compiled", {}, line), ""])


def _function(
    graph: Graph,
    name: str,
    bodies: dict[Graph, str],
    line: Callable[[Node, dict[Any, str]], str | None] = lambda node, names: None,
) -> list[str]:
    """The lines of the function of one graph."""
    names = source_names(graph, bodies)
    parameters = ", ".join(names[leaf] for leaf in graph.leaves)
    lines = [
        f"    # {names[leaf]}: {leaf.type} = {shown}" for leaf, shown in zip(graph.leaves, graph.names, strict=True)
    ]
    constants: dict[tuple[str, Type], str] = {}
    for node in graph.nodes:
        given = line(node, names)
        if given is not None:
            lines += [given] if given else []
            continue
        known = len(constants)
        text = _plain(node, names, constants) or node_expression(node, names, "jax")
        lines += [_constant(key, k) for key, k in list(constants.items())[known:]]
        lines.append(f"    {names[node]} = {text}  # {types_comment(node)}")
    results = "".join(f"{names[o] if isinstance(o, Node) else literal_source(o)}, " for o in graph.outputs).rstrip()
    return [f"def {name}({parameters}):", *lines, f"    return ({results})"]


def _constant(key: tuple[str, Type], name: str) -> str:
    number, of = key
    return f"    {name} = jax.lax.full({literal_source(of.shape)}, {number}, {literal_source(of.dtype)})"


def _plain(node: Node, names: Mapping[Any, str], constants: dict[tuple[str, Type], str]) -> str:
    """A call of one jax.lax function, or "" where jax.numpy has to look at the operands; numbers become constants of their neighbour's type."""
    op = node.op
    assert op is not None
    if op.expression is not None or isinstance(node.dtype, tuple) or not 1 <= len(node.inputs) <= 2 or node.attrs:
        return ""
    column = _COLUMN.match(op.jax)
    types = [i.type for i in node.inputs if isinstance(i, Node)]
    if column is None or not types or types[0].dtype not in (F32, F64) or any(t != types[0] for t in types):
        return ""
    if column[2] != ", ".join("{" + operand + "}" for operand in op.operands):
        return ""
    given = types[0]
    if column[1] == "reciprocal" and node.type == given:
        return f"jax.lax.div({_name(1.0, given, names, constants)}, {names[node.inputs[0]]})"
    table = _UNARY if len(node.inputs) == 1 else _BINARY if node.type == given else _COMPARISON
    function = table.get(column[1])
    if function is None or node.shape != given.shape or not all(map(_fits, node.inputs)):
        return ""
    return f"jax.lax.{function}({', '.join(_name(i, given, names, constants) for i in node.inputs)})"


def _fits(value: Any) -> bool:
    return isinstance(value, Node) or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _name(value: Any, of: Type, names: Mapping[Any, str], constants: dict[tuple[str, Type], str]) -> str:
    """The variable of a node, or of a number as an array of the type `of`."""
    if isinstance(value, Node):
        return names[value]
    return constants.setdefault((literal_source(value), of), f"k{len(constants)}")
