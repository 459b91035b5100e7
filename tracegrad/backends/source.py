"""Source text of one node: what the NumPy backend, the JAX backend and the Python exporter print alike.

Text made here is run in a scope that holds `np` and `K` (the kernels of the backend), and for JAX also `jnp` and `jax`.  Identifiers come from a fixed
alphabet (a0, c0, v0, ...), never from a file or from a user's name.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tracegrad.errors import NotSupportedError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.text import location_text
from tracegrad.ir.types import SHORT_NAMES

BACKENDS = ("numpy", "jax")
_OPENING, _CLOSING = ("(", "[", ",", "=", ""), (")", "]", ",", "")


def literal_source(value: Any) -> str:
    """Python source whose value is `value`: a number, None, a string, `...`, a NumPy dtype, or slices and tuples of these.

    inf, nan and -0.0 are exact, alone and inside complex numbers.  Raises NotSupportedError for anything else.
    """
    if value is None or value is Ellipsis or isinstance(value, bool):
        return "..." if value is Ellipsis else repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _float_source(value)
    if isinstance(value, complex):
        return f"complex({_float_source(value.real)}, {_float_source(value.imag)})"
    if isinstance(value, str):
        return ascii(value)
    if isinstance(value, np.dtype):
        return dtype_source(value)
    if isinstance(value, slice):
        return f"slice({literal_source(value.start)}, {literal_source(value.stop)}, {literal_source(value.step)})"
    if isinstance(value, tuple):
        return tuple_source(tuple(literal_source(v) for v in value))
    raise NotSupportedError(
        explain("source", f"a value of type {type(value).__name__} cannot be written as source text")
    )


@lru_cache(64)
def dtype_source(dtype: np.dtype[Any]) -> str:
    """Source of an element type."""
    return "np.bool_" if dtype.kind == "b" else "np.dtype('bfloat16')" if dtype.kind == "V" else f"np.{dtype.name}"


def _float_source(value: float) -> str:
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    return float.__repr__(value)


def tuple_source(items: tuple[str, ...]) -> str:
    """Source of a tuple of the given expressions."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def has_expression(op: type[Op], backend: str) -> bool:
    """Whether the backend (`numpy` or `jax`) can print the operator; False for composites, which `decompose` opens first."""
    return bool(op.expression or getattr(op, backend))


def node_expression(node: Node, names: Mapping[Any, str], backend: str) -> str:
    """The expression that computes `node` from the variables `names`, in the column of `backend` (`numpy` or `jax`).

    An operator with several results gives a tuple, whose parts the `project` nodes take.  An operator's `expression(backend, *operands, *attrs)` is used
    where there is one (a variadic operand is a tuple of names there, an absent operand is "None"); it may answer "" to ask for the template.
    Raises NotSupportedError for an operator without this column: it must be opened first.
    """
    op = node.op
    if op is None or not has_expression(op, backend):
        name = "leaf" if op is None else op.name
        raise NotSupportedError(
            explain(
                name,
                f"the operator has no {backend} expression",
                "Open composite operators (decompose) before printing",
            )
        )
    operands = op.group(tuple(operand_source(i, names) for i in node.inputs))
    if op.expression is not None:
        text: str = op.expression(backend, *operands, *map(static, node.attrs))
        if text:
            return text
    values = [tuple_source(o) if isinstance(o, tuple) else o for o in operands]
    values += [attribute_source(a, names) for a in node.attrs]
    return fill_template(getattr(op, backend), dict(zip((*op.operands, *op.attrs), values, strict=True)))


class Quoted(str):
    """A string attribute that formats as a Python literal: an `expression` that prints it cannot let a file's text into source code."""

    __slots__ = ()

    def __repr__(self) -> str:
        return ascii(str.__str__(self))

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)


def static(value: Any) -> Any:
    """An attribute value as an `expression` gets it: strings that are no plain words are Quoted."""
    if isinstance(value, str) and not (value.isidentifier() and value.isascii()):
        return Quoted(value)
    return tuple(static(v) for v in value) if type(value) is tuple else value


def attribute_source(value: Any, names: Mapping[Any, str]) -> str:
    """A literal, or the name of the function that stands for a body."""
    return names[value] if isinstance(value, Graph) else literal_source(value)


def bodies_of(node: Node) -> list[Graph]:
    """The Graphs among a node's attributes: bodies of a branch or loop."""
    return [a for a in node.attrs if isinstance(a, Graph)]


def body_names(graph: Graph) -> dict[Graph, str]:
    """A function's name for every body in the graph, body0, body1, ...: equal ones have one, and those inside others stand before them."""
    found: dict[Graph, str] = {}

    def visit(inside: Graph) -> None:
        for body in (b for node in inside.nodes for b in bodies_of(node)):
            if body not in found:
                visit(body)
                found[body] = f"body{len(found)}"

    visit(graph)
    return found


def operand_source(operand: Any, names: Mapping[Any, str]) -> str:
    """A node's variable, or a Python number or None as a literal."""
    if isinstance(operand, tuple):  # a shape or Type on the eager tape
        raise NotSupportedError(explain("source", "an operand that autograd does not follow is not part of the graph"))
    return names[operand] if isinstance(operand, Node) else literal_source(operand)


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled; a literal is put in parentheses where it does not stand as a whole argument."""
    out = ""
    for text, field, alone in _template_pieces(template):
        out += text
        if field:
            value = values[field]
            out += value if alone or value.isidentifier() else f"({value})"
    return out


@lru_cache(4096)
def _template_pieces(template: str) -> tuple[tuple[str, str | None, bool], ...]:
    """The template as (text, placeholder after it, whether that stands as a whole argument)."""
    pieces = [(text, field) for text, field, _, _ in string.Formatter().parse(template)]
    followers = [*(text.lstrip() for text, _ in pieces[1:]), ""]
    return tuple(
        (text, field, text.rstrip()[-1:] in _OPENING and after[:1] in _CLOSING)
        for (text, field), after in zip(pieces, followers, strict=True)
    )


def source_names(graph: Graph, bodies: Mapping[Graph, str] | None = None) -> dict[Any, str]:
    """Variables for all values of a graph: a0, a1, ... for inputs, c0, ... for captures, v0, ... for nodes in program order; and the names of bodies."""
    names: dict[Any, str] = dict(bodies or {})
    names.update((node, f"a{i}") for i, node in enumerate(graph.inputs))
    names.update((node, f"c{i}") for i, node in enumerate(graph.captures))
    names.update((node, f"v{i}") for i, node in enumerate(graph.nodes))
    return names


@lru_cache(1024)
def _type_text(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    return f"{SHORT_NAMES[dtype.name]}[{','.join(map(str, shape))}]"


def types_comment(node: Node) -> str:
    """The type of a node, and the user's line where it is known: `f32[3,4]  train.py:17`."""
    types = (
        f"({', '.join(map(str, node.types))})" if isinstance(node.dtype, tuple) else _type_text(node.shape, node.dtype)
    )
    place = location_text(node)
    return f"{types}  {place}" if place else types
