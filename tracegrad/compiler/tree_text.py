"""The source of a tree of traces: its programs as functions, and their calls with the decisions between them as `if`."""

from __future__ import annotations

import re
from typing import Any

from tracegrad.compiler.program import Program
from tracegrad.compiler.tree import Step, Tree
from tracegrad.ir.node import Node

DEPTH = 40  # decisions inside each other that are shown


def tree_text(tree: Tree) -> str:
    """One program's text as it is; several as functions, followed by the calls with `if` between them."""
    programs = list(dict.fromkeys(s.program for s in tree.steps() if s.program is not None))
    steps = list(tree.steps())
    if len(steps) == 1 and len(programs) <= 1:
        return programs[0].executable.source if programs else ""
    names = {program: f"piece{i}" for i, program in enumerate(programs)}
    texts = [_named(program.executable.source, name) for program, name in names.items()]
    values: dict[Node, str] = {}
    inputs = [_name(leaf, values, f"a{i}") for i, leaf in enumerate(tree.values.sources)]
    lines = [f"def compiled({', '.join(inputs)}):"]
    assert tree.root is not None
    given = {source.key(): values[leaf] for leaf, source in tree.values.sources.items()}
    _lines(tree.root, names, values, lines, 1, given)
    return "\n\n".join([*texts, "\n".join(lines) + "\n"])


def _named(source: str, name: str) -> str:
    """The text of a program under another name, and with it its constants and bodies of loops."""
    text = source.replace("def compiled(", f"def {name}(")
    own = re.findall(r"^(?:def )?([a-z]+\d+)(?= = |\()", text, re.MULTILINE)
    for inner in sorted(set(own) - {name}):
        text = re.sub(rf"\b{inner}\b", f"{name}_{inner}", text)
    return text


def _name(node: Node, values: dict[Node, str], wanted: str = "") -> str:
    if node not in values:
        values[node] = wanted or f"v{len(values)}"
    return values[node]


def _lines(
    step: Step, names: dict[Program, str], values: dict[Node, str], lines: list[str], depth: int, given: dict[Any, str]
) -> None:
    """The lines of a step and of what follows it; given names the inputs by their sources."""
    while True:
        indent = "    " * depth
        results = [f"r{i}" for i in range(len(step.results))]
        if step.program is not None:
            arguments = ", ".join(_name(n, values) for n in step.ins)
            made = [*(_name(n, values) for n in step.outs), *results]
            lines.append(
                f"{indent}{', '.join(made)}{',' if len(made) == 1 else ''} = {names[step.program]}({arguments})"
            )
        if step.ending is not None:
            shown = [_name(p, values) if isinstance(p, Node) else results[p] for p in step.ending.plan]
            for i, (kind, source) in enumerate(step.ending.leaves):
                if kind == "outside":  # what the function was given is the result itself
                    shown.insert(i, given.get(source.key(), "..."))
            lines.append(f"{indent}return {', '.join(shown) or 'None'}")
            return
        guard = step.guard
        if guard is None:
            return
        where = f"  # {guard.location[0].rpartition('/')[2]}:{guard.location[1]}" if guard.location is not None else ""
        if depth > DEPTH:
            lines.append(f"{indent}...{where}")
            return
        for value, child in guard.children.items():
            if child.entry is not None:
                values[child.entry] = _name(guard.node, values)
            lines.append(f"{indent}if {_test(guard.kind, _name(guard.node, values), value)}:{where}")
            _lines(child, names, values, lines, depth + 1, given)
        lines.append(f"{indent}raise NotRecorded")
        return


def _test(kind: str, name: str, value: object) -> str:
    """The condition under which a value that was read leads on."""
    if isinstance(value, bool):
        return name if value else f"not {name}"
    if kind == "count" and isinstance(value, tuple):
        return f"{name}.shape == {value}"
    return (
        f"{kind}({name}) == {value}"
        if isinstance(value, int)
        else f"read_by_{kind.replace(' ', '_')}({name}) == {value!r:.60}"
    )
