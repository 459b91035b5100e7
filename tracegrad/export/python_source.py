"""Graphs as Python: a readable module that needs NumPy (and SciPy where a kernel uses it), and nothing of this package."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Iterable
from typing import Any

from tracegrad.backends.source import body_names, node_expression, operand_source, source_names, types_comment
from tracegrad.errors import ArgumentValueError, NotSupportedError, explain
from tracegrad.export.kernel_source import KernelSource
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import is_literal, object_text
from tracegrad.ir.node import Node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.text import safe_name, unique_name
from tracegrad.passes.bodies import in_bodies
from tracegrad.passes.decompose import decompose
from tracegrad.passes.widen import widen

_VARIABLE = re.compile(r"v[0-9]+\Z")
_BUILTINS = frozenset(dir(builtins))


def to_python(graph: Graph, name: str = "compiled") -> str:
    """Source of a module with one function `name` that computes the graph on NumPy arrays.

    Its parameters are the inputs, then the captures, under their own names where these are safe.  It returns the outputs, then the new values of the effects: a tuple,
    or the value itself if there is one.  Results of rank 0 may be NumPy scalars, and a result may share memory with an argument.
    Raises NotSupportedError for a graph with a custom Function, and ValueError if `name` is not usable as a function's name.
    """
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or name in ("np", "K"):
        raise ArgumentValueError(explain("to_python", f"{name!r} cannot be the name of a function"))
    _refuse_custom(graph)
    graph = _lowered(graph)
    kernels, bodies = KernelSource(), body_names(graph)
    names: dict[Any, str] = {node: f"v{i}" for i, node in enumerate(graph.nodes)}
    # parameters are named once the kernels are known, so that no name is taken twice
    names.update((leaf, f"LEAF{i}") for i, leaf in enumerate(graph.leaves))
    for inside in (*bodies, graph):
        known = names | bodies if inside is graph else source_names(inside, bodies)
        for node in inside.nodes:
            plain_calls(node_expression(node, known, "numpy"), kernels)
    if name in kernels.defined:
        raise ArgumentValueError(explain("to_python", f"{name!r} is the name of a kernel that the module defines"))
    taken = {name, "np", "K", *kernels.defined}
    for leaf, given in zip(graph.leaves, graph.names, strict=True):
        names[leaf] = parameter_name(given, taken)
    bodies = {body: unique_name(called, taken) for body, called in bodies.items()}
    functions = [line for body, called in bodies.items() for line in [*_body(body, called, bodies, kernels), "", ""]]
    main = _function(graph, name, names | bodies, kernels)
    return "\n".join([*_head(graph, name, kernels), *functions, *main, ""])


def _lowered(graph: Graph) -> Graph:
    """The graph and its bodies in operators that have a NumPy expression."""
    return decompose(widen(in_bodies(graph, _lowered)), "numpy")


def _refuse_custom(graph: Graph) -> None:
    """Raise for a custom Function whose results are not computed in the graph, as on the tape: only its forward, which is Python code, could compute them."""
    for node in graph.nodes:
        custom = [a for a in node.attrs if not (is_literal(a) or isinstance(a, Graph))]
        results = node.inputs[: len(node.types)]
        if node.op is None or REGISTRY.get(node.op.name) is not node.op:
            custom = [node.op]
        elif all(isinstance(r, Node) and r not in graph.captures for r in results):
            continue
        if custom:
            problem = f"the custom Function {object_text(custom[0])} has no source that the module could hold"
            raise NotSupportedError(explain("to_python", problem, "capture() records what its forward does"))


def parameter_name(given: str, taken: set[str]) -> str:
    """A parameter's name that is no keyword, no built-in, no variable of the function and not taken."""
    plain = safe_name(given)
    if (
        keyword.iskeyword(plain)
        or keyword.issoftkeyword(plain)
        or plain in _BUILTINS
        or _VARIABLE.match(plain)
        or plain.startswith("__")
    ):
        plain = f"x_{plain}"
    return unique_name(plain, taken)


def plain_calls(expression: str, kernels: KernelSource) -> str:
    """The expression with `K.f` written as `f`; the kernels used join `kernels`."""
    uses = [
        node
        for node in ast.walk(ast.parse(expression, mode="eval"))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "K"
    ]
    for use in sorted(uses, key=lambda node: node.col_offset, reverse=True):
        kernels.need(use.attr)
        assert use.end_col_offset is not None
        expression = f"{expression[: use.col_offset]}{use.attr}{expression[use.end_col_offset :]}"
    return expression


def _head(graph: Graph, name: str, kernels: KernelSource) -> list[str]:
    count = len(graph.nodes)
    needs = "NumPy and SciPy" if kernels.uses_scipy else "NumPy"
    has_bfloat16 = any(t.dtype.kind == "V" for node in (*graph.leaves, *graph.nodes) for t in node.types)
    needs += " and ml_dtypes" if has_bfloat16 else ""
    lines = [
        f'"""{name}: a program of {count} operation{"" if count == 1 else "s"}, written by tracegrad.  Needs {needs} only."""',
        "",
        "from __future__ import annotations",
        "",
        *(["import ml_dtypes  # NumPy's bfloat16"] if has_bfloat16 else []),
        *kernels.imports(),
    ]
    for source in kernels.sources:
        is_block = source.startswith(("def ", "class ", "@"))
        lines += ["", "", source] if is_block else ["", source]
    return [*lines, "", ""]


def _body(body: Graph, name: str, bodies: dict[Graph, str], kernels: KernelSource) -> list[str]:
    """The function of one body, which returns a tuple."""
    names = source_names(body, bodies)
    lines = [f"def {name}({', '.join(names[leaf] for leaf in body.leaves)}):"]
    for node in body.nodes:
        text = plain_calls(node_expression(node, names, "numpy"), kernels)
        lines.append(f"    {names[node]} = {text}  # {types_comment(node)}")
    return [*lines, f"    return ({''.join(f'{operand_source(o, names)}, ' for o in body.outputs).rstrip()})"]


def _function(graph: Graph, name: str, names: dict[Any, str], kernels: KernelSource) -> list[str]:
    parameters = ", ".join(names[leaf] for leaf in graph.leaves)
    returned = [*graph.outputs, *(new for _, new in graph.effects)]
    lines = [
        '@np.errstate(all="ignore")',
        f"def {name}({parameters}):",
        f'    """{_signature(graph, names, returned)}"""',
    ]
    for node in graph.nodes:
        text = plain_calls(node_expression(node, names, "numpy"), kernels)
        lines.append(f"    {names[node]} = {text}  # {types_comment(node)}")
    values = [operand_source(value, names) for value in returned]
    lines.append(f"    return {values[0] if len(values) == 1 else '(' + ', '.join(values) + ')'}")
    return lines


def _signature(graph: Graph, names: dict[Any, str], returned: Iterable[object]) -> str:
    takes = ", ".join(f"{names[leaf]}: {leaf.type}" for leaf in graph.leaves)
    gives = ", ".join(str(value.type) if isinstance(value, Node) else "a number" for value in returned)
    return f"({takes}) -> {gives or 'nothing'}."
