"""Graphs as Graphviz text."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, input_type
from tracegrad.ir.text import attribute_text, location_text, text_names, types_text, value_text

_STYLES = {
    "input": "shape=box, style=filled, fillcolor=lightblue",
    "capture": "shape=box, style=filled, fillcolor=lightgrey",
    "node": "shape=box, style=rounded",
    "number": "shape=plaintext",
    "output": "shape=box, style=filled, fillcolor=palegreen",
}


def to_dot(graph: Graph) -> str:
    """The graph in the language of Graphviz: inputs blue, captures grey, outputs green; numbers stand as nodes of their own.

    An edge leads from a value to its reader and is labelled with the operand's name.  Identifiers are n0, n1, ...; labels are escaped.
    """
    names = text_names(graph, graph.nodes)
    identifiers = {node: f"n{i}" for i, node in enumerate((*graph.leaves, *graph.nodes))}
    lines = ["digraph graph_ {", "  rankdir=TB;", "  node [fontname=monospace];"]
    lines += [_vertex(identifiers[n], f"%{names[n]}\n{n.type}", "input") for n in graph.inputs]
    lines += [_vertex(identifiers[n], f"capture %{names[n]}\n{n.type}", "capture") for n in graph.captures]
    for node in graph.nodes:
        lines += _node_lines(node, names, identifiers)
    for position, value in enumerate(graph.outputs):
        label = f"output {position}" if isinstance(value, Node) else f"output {position}\n{value_text(value, names)}"
        lines.append(_vertex(f"out{position}", label, "output"))
        if isinstance(value, Node):
            lines.append(f"  {identifiers[value]} -> out{position};")
    for old, new in graph.effects:
        lines.append(f'  {identifiers[new]} -> {identifiers[old]} [style=dashed, label="effect"];')
    return "\n".join([*lines, "}"])


def _node_lines(node: Node, names: dict[Node, str], identifiers: dict[Node, str]) -> list[str]:
    op, here = node.op, identifiers[node]
    assert op is not None
    attrs = [f"{name}={attribute_text(value)}" for name, value in zip(op.attrs, node.attrs, strict=False)]
    label = [f"%{names[node]} = {op.name}", *attrs, types_text(node.types), location_text(node)]
    lines = [_vertex(here, "\n".join(part for part in label if part), "node")]
    for position, value in enumerate(node.inputs):
        if value is None:
            continue
        source = identifiers[value] if isinstance(value, Node) else f"{here}_{position}"
        if not isinstance(value, Node):
            shown = f"opaque: {input_type(node, position)}" if isinstance(value, tuple) else value_text(value, names)
            lines.append(_vertex(source, shown, "number"))
        lines.append(f"  {source} -> {here} [label={_quoted(operand_name(op, position))}];")
    return lines


def operand_name(op: Any, position: int) -> str:
    """The name of the operand at a position; `xs[2]` for the parts of a variadic one."""
    last = len(op.operands) - 1
    if op.variadic and position >= last:
        return f"{op.operands[last]}[{position - last}]"
    return str(op.operands[position]) if position <= last else str(position)


def _vertex(identifier: str, label: str, style: str) -> str:
    return f"  {identifier} [label={_quoted(label)}, {_STYLES[style]}];"


def _quoted(text: str) -> str:
    """A Graphviz string: quotes and backslashes escaped, lines left-aligned breaks."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
