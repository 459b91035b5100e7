"""The text form of a graph, printed.  ir/parse.py reads it back; the round trip is exact.

graph(%x: f32[3,4], %w: f32[4,5]; capture %b: f32[5]) {
  %1: f32[3,5] = matmul(%x, %w)
  %2: f32[3,5] = add(%1, %b)
  %3: f32[3] = sum(%2, dim=(1,), keepdim=False)  # train.py:17
  effect %b <- %3
  return %3, 2.0
}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tracegrad.ir.literals import is_number, literal_text, object_text
from tracegrad.ir.node import Node, input_type
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type

if TYPE_CHECKING:
    from tracegrad.ir.graph import Graph


def graph_text(graph: Graph) -> str:
    """The graph as text, one line per node, without a newline at the end."""
    return "\n".join(graph_lines(graph, graph.nodes))


def graph_lines(graph: Graph, nodes: Iterable[Node]) -> list[str]:
    """The lines of the text form, for these nodes: also for a broken graph, whose undefined operands print as `%?`."""
    names = text_names(graph, nodes)
    body = [node_text(node, names) for node in nodes]
    body += [f"effect {value_text(old, names)} <- {value_text(new, names)}" for old, new in graph.effects]
    body.append(f"return {', '.join(value_text(o, names) for o in graph.outputs)}".rstrip())
    return [header_text(graph, names), *(f"  {line}" for line in body), "}"]


def header_text(graph: Graph, names: Mapping[Node, str]) -> str:
    """The first line: inputs, then captures, with their types."""
    inputs = ", ".join(f"%{names[n]}: {n.type}" for n in graph.inputs)
    captures = ", ".join(f"capture %{names[n]}: {n.type}" for n in graph.captures)
    return f"graph({inputs}; {captures}) {{" if captures else f"graph({inputs}) {{"


def text_names(graph: Graph, nodes: Iterable[Node]) -> dict[Node, str]:
    """The name of each value: leaves by their own names, made safe and unique, nodes by their place, from 1."""
    given = [*graph.names, *("" for _ in graph.leaves)]
    names: dict[Node, str] = {}
    taken: set[str] = set()
    for leaf, name in zip(graph.leaves, given, strict=False):
        names[leaf] = unique_name(safe_name(name), taken)
    names.update((node, str(i)) for i, node in enumerate(nodes, 1))
    return names


def safe_name(name: str) -> str:
    """The name with ASCII letters, digits and underscores only, not starting with a digit."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    return kept if kept[:1].isalpha() or kept[:1] == "_" else f"_{kept}"


def unique_name(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if it is taken; adds it to `taken`."""
    shown, count = name, 1
    while shown in taken:
        shown, count = f"{name}_{count}", count + 1
    taken.add(shown)
    return shown


def node_text(node: Node, names: Mapping[Node, str]) -> str:
    """One line: `%1: f32[3] = add(%x, 2.0)  # train.py:17`."""
    op = node.op
    operands = [operand_text(node, i, names) for i in range(len(node.inputs))]
    attrs = [f"{name}={attribute_text(value)}" for name, value in zip(op.attrs, node.attrs, strict=False)] if op else []
    # an operator that is not in the registry (a custom Function) cannot be read back
    name = "leaf" if op is None else op.name if REGISTRY.get(op.name) is op else object_text(op)
    line = f"%{names.get(node, '?')}: {node_types_text(node)} = {name}({', '.join([*operands, *attrs])})"
    place = location_text(node)
    return f"{line}  # {place}" if place else line


def attribute_text(value: Any) -> str:
    """A literal; a Graph, which prints itself, over several lines."""
    body = getattr(value, "to_text", None)
    return literal_text(value) if body is None else body().replace("\n", "\n  ")


def node_types_text(node: Node) -> str:
    """The type of the value; a tuple of types for several results."""
    types = types_text(node.types)
    return f"({types},)" if isinstance(node.dtype, tuple) and len(node.types) == 1 else types


def types_text(types: tuple[Type, ...]) -> str:
    """One type as it is, several as `(f32[3], i64[3])`."""
    return str(types[0]) if len(types) == 1 else f"({', '.join(map(str, types))})"


def operand_text(node: Node, position: int, names: Mapping[Node, str]) -> str:
    """One operand: a value's name, a number, None, or `opaque: f32[3]` where autograd does not follow it."""
    value = node.inputs[position]
    if isinstance(value, tuple):  # a Type, or on the tape the bare shape
        return f"opaque: {input_type(node, position)}"
    return value_text(value, names)


def value_text(value: Any, names: Mapping[Node, str]) -> str:
    """A value's name, a number or None; `<Name>` of anything else, which a verified graph does not hold."""
    if isinstance(value, Node):
        return f"%{names.get(value, '?')}"
    return literal_text(value) if value is None or is_number(value) else object_text(value)


def location_of(node: Node) -> tuple[str, int] | None:
    """The user's (file, line) on a node of a graph; None where there is none (other uses of `extra` are not locations)."""
    extra = node.extra
    is_place = (
        type(extra) is tuple and len(extra) == 2 and type(extra[0]) is str and type(extra[1]) is int and extra[1] >= 0
    )
    return extra if is_place else None


def location_text(node: Node) -> str:
    """`train.py:17`: the last part of the file's path, without control characters, and the line; empty without a location."""
    place = location_of(node)
    if place is None:
        return ""
    return f"{_file_text(place[0])}:{place[1]}"


@lru_cache(256)
def _file_text(path: str) -> str:
    file = path.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c if c.isprintable() else "?" for c in file).strip() or "?"


__all__ = [
    "attribute_text",
    "graph_lines",
    "graph_text",
    "location_of",
    "location_text",
    "node_text",
    "safe_name",
    "text_names",
    "types_text",
    "unique_name",
]
