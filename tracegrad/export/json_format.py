"""Graphs as JSON: schema version 1, written exactly and read back against the registry and limits; nothing is evaluated.

    {"format": "tracegrad-graph", "version": 1,
     "inputs": [{"name": "x", "type": {"dtype": "f32", "shape": [3]}}], "captures": [],
     "nodes": [{"op": "sum", "inputs": [{"value": 0}], "attrs": {"dim": {"tuple": [0]}, "keepdim": false},
                "types": [{"dtype": "f32", "shape": []}], "location": ["train.py", 17]}],
     "outputs": [{"value": 1}], "effects": []}

Values are numbered: inputs, captures, then nodes.  An operand is {"value": n}, {"opaque": type} or a literal.  Literals: null, true, false, integers as they are;
{"float": 0.5} or {"float": "nan" | "inf" | "-inf"}, {"complex": [re, im]}, {"str": "a"}, {"tuple": [...]}, {"slice": [a, b, c]}, {"dtype": "f32"}, {"ellipsis": true}.
The body of a branch or loop is an attribute {"graph": document}, with values numbered on their own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tracegrad.errors import FormatError, NotSupportedError, explain
from tracegrad.ir.assemble import Problem, assemble, checked_leaf, checked_type, operator
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import LIMITS, Limits, is_number, object_text
from tracegrad.ir.node import Node, input_type
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.text import location_of, safe_name, text_names
from tracegrad.ir.types import DTYPE_OF_SHORT, SHORT_NAMES, Type

FORMAT, VERSION = "tracegrad-graph", 1
_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def to_json(graph: Graph, indent: int | None = None) -> str:
    """The graph as JSON text; `Graph.from_json` gives an equal graph back.

    Raises NotSupportedError for a graph with a custom Function or an attribute that is no literal.
    """
    return json.dumps(_document(graph), indent=indent, allow_nan=False)


def _document(graph: Graph) -> dict[str, Any]:
    places = {node: i for i, node in enumerate((*graph.leaves, *graph.nodes))}
    names = text_names(graph, graph.nodes)

    def leaf(node: Node) -> dict[str, Any]:
        return {"name": names[node], "type": _type_json(node.type)}

    return {
        "format": FORMAT,
        "version": VERSION,
        "inputs": [leaf(n) for n in graph.inputs],
        "captures": [leaf(n) for n in graph.captures],
        "nodes": [_node_json(n, places) for n in graph.nodes],
        "outputs": [_operand_json(o, places) for o in graph.outputs],
        "effects": [{"leaf": places[old], "value": places[new]} for old, new in graph.effects],
    }


def _type_json(t: Type) -> dict[str, Any]:
    return {"dtype": SHORT_NAMES[t.dtype.name], "shape": list(t.shape)}


def _node_json(node: Node, places: dict[Node, int]) -> dict[str, Any]:
    op = node.op
    if op is None or REGISTRY.get(op.name) is not op:
        raise NotSupportedError(
            explain("to_json", f"the operator {object_text(op)} is not one of the library and cannot be stored")
        )
    inputs = [
        _operand_json(input_type(node, k) if isinstance(i, tuple) else i, places) for k, i in enumerate(node.inputs)
    ]
    entry: dict[str, Any] = {
        "op": op.name,
        "inputs": inputs,
        "attrs": {name: _attribute_json(value) for name, value in zip(op.attrs, node.attrs, strict=True)},
        "types": [_type_json(t) for t in node.types],
    }
    place = location_of(node)
    return entry if place is None else {**entry, "location": list(place)}


def _operand_json(value: Any, places: dict[Node, int]) -> Any:
    if isinstance(value, Node):
        return {"value": places[value]}
    return {"opaque": _type_json(value)} if isinstance(value, Type) else literal_json(value)


def _attribute_json(value: Any) -> Any:
    return {"graph": _document(value)} if isinstance(value, Graph) else literal_json(value)


def literal_json(value: Any) -> Any:
    """A literal as JSON; NotSupportedError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return {"float": _float_json(value)}
    if isinstance(value, complex):
        return {"complex": [_float_json(value.real), _float_json(value.imag)]}
    if isinstance(value, str):
        return {"str": str(value)}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, np.dtype) and value.name in SHORT_NAMES:
        return {"dtype": SHORT_NAMES[value.name]}
    if isinstance(value, slice):
        return {"slice": [literal_json(v) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, tuple):
        return {"tuple": [literal_json(v) for v in value]}
    raise NotSupportedError(
        explain("to_json", f"an attribute value {object_text(value)} is no literal and cannot be stored")
    )


def _float_json(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def from_json(document: str | dict[str, Any], limits: Limits = LIMITS) -> Graph:
    """The graph that a JSON text (or the dict read from one) describes.

    Raises FormatError (a ValueError) that names the JSON path of the fault: wrong schema, unknown operators or keys, types that differ from what the operators infer,
    content beyond the limits.
    """
    if isinstance(document, str):
        document = _loaded(document, limits)
    return Reader(limits).graph(document)


def _loaded(text: str, limits: Limits) -> Any:
    if len(text) > limits.characters:
        _fail("$", f"the text has {len(text)} characters, more than the limit of {limits.characters}")
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except RecursionError:
        _fail("$", "the JSON is nested too deeply")
    except json.JSONDecodeError as error:
        _fail("$", f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})")
    except ValueError as error:  # an integer of thousands of digits, a repeated key
        _fail("$", f"not JSON: {error}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _fail(path: str, problem: str) -> NoReturn:
    raise FormatError(explain("from_json", f"{path}: {problem}"))


class Reader:
    """Reads one document; each method raises FormatError with the path of what it does not take."""

    def __init__(self, limits: Limits, root: str = "$", depth: int = 0) -> None:
        self.limits, self.root, self.depth = limits, root, depth
        self.values: list[Node] = []

    def graph(self, document: Any) -> Graph:
        """The whole document."""
        root = self.root
        keys = ("format", "version", "inputs", "captures", "nodes", "outputs", "effects")
        if isinstance(document, dict) and document.get("format") != FORMAT:
            _fail(f"{root}.format", f"expected {FORMAT!r}, got {_shown(document.get('format'))}")
        if isinstance(document, dict) and (type(document.get("version")) is not int or document["version"] != VERSION):
            _fail(
                f"{root}.version",
                f"this version of tracegrad reads schema version {VERSION}, got {_shown(document.get('version'))}",
            )
        self.object(document, root, keys)
        names: list[str] = []
        inputs = self.each(document["inputs"], f"{root}.inputs", self.leaf, names)
        captures = self.each(document["captures"], f"{root}.captures", self.leaf, names)
        if len(self.array(document["nodes"], f"{root}.nodes")) > self.limits.nodes:
            _fail(f"{root}.nodes", f"more nodes than the limit of {self.limits.nodes}")
        self.each(document["nodes"], f"{root}.nodes", self.node)
        outputs = self.each(document["outputs"], f"{root}.outputs", self.output)
        leaves = {*inputs, *captures}
        effects = self.each(document["effects"], f"{root}.effects", self.effect, leaves, set())
        return Graph(inputs, outputs, captures, effects, names)

    def object(self, value: Any, path: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """An object with exactly these keys."""
        if not isinstance(value, dict):
            _fail(path, f"expected an object, got {_shown(value)}")
        for key in required:
            if key not in value:
                _fail(path, f"the key {key!r} is missing")
        for key in value:
            if key not in required and key not in optional:
                _fail(path, f"unknown key {_shown(key)}")

    def array(self, value: Any, path: str) -> list[Any]:
        """A list."""
        if not isinstance(value, list):
            _fail(path, f"expected a list, got {_shown(value)}")
        return value

    def each(self, value: Any, path: str, read: Callable[..., Any], *more: Any) -> list[Any]:
        """A list whose items `read(item, path, *more)` reads."""
        return [read(item, f"{path}[{i}]", *more) for i, item in enumerate(self.array(value, path))]

    def checked(self, path: str, action: Callable[..., Any], *arguments: Any) -> Any:
        """Run a check; its Problem becomes a FormatError at that path."""
        try:
            return action(*arguments)
        except Problem as problem:
            _fail(path, str(problem))

    def string(self, value: Any, path: str) -> str:
        """A string."""
        if not isinstance(value, str):
            _fail(path, f"expected a string, got {_shown(value)}")
        return value

    def integer(self, value: Any, path: str) -> int:
        """An integer that is no bool."""
        if type(value) is not int:
            _fail(path, f"expected an integer, got {_shown(value)}")
        return value

    def type(self, value: Any, path: str) -> Type:
        """{"dtype": "f32", "shape": [3]}"""
        self.object(value, path, ("dtype", "shape"))
        shape = self.array(value["shape"], f"{path}.shape")
        if len(shape) > self.limits.axes:
            _fail(f"{path}.shape", f"{len(shape)} axes are more than the limit of {self.limits.axes}")
        sizes = tuple(self.each(shape, f"{path}.shape", self.integer))
        found: Type = self.checked(path, checked_type, sizes, self.string(value["dtype"], f"{path}.dtype"), self.limits)
        return found

    def leaf(self, value: Any, path: str, names: list[str]) -> Node:
        """{"name": "x", "type": type}"""
        self.object(value, path, ("name", "type"))
        name = self.string(value["name"], f"{path}.name")
        if safe_name(name) != name:
            _fail(f"{path}.name", f"{_shown(name)} is not a name of ASCII letters, digits and underscores")
        if name in names:
            _fail(f"{path}.name", f"the name {_shown(name)} appears twice")
        names.append(name)
        node = checked_leaf(self.type(value["type"], f"{path}.type"))
        self.values.append(node)
        return node

    def node(self, value: Any, path: str) -> None:
        """One entry of "nodes"."""
        self.object(value, path, ("op", "inputs", "attrs", "types"), ("location",))
        op = self.checked(f"{path}.op", operator, self.string(value["op"], f"{path}.op"))
        if len(self.array(value["inputs"], f"{path}.inputs")) > self.limits.operands:
            _fail(f"{path}.inputs", f"more operands than the limit of {self.limits.operands}")
        inputs = tuple(self.each(value["inputs"], f"{path}.inputs", self.operand))
        types = tuple(self.each(value["types"], f"{path}.types", self.type))
        if not isinstance(value["attrs"], dict):
            _fail(f"{path}.attrs", f"expected an object, got {_shown(value['attrs'])}")
        attrs = {name: self.attribute(v, f"{path}.attrs.{_key(name)}") for name, v in value["attrs"].items()}
        place = self.location(value["location"], f"{path}.location") if "location" in value else None
        self.values.append(self.checked(path, assemble, op, inputs, attrs, types, place))

    def attribute(self, value: Any, path: str) -> Any:
        """A literal, or {"graph": document}."""
        if not isinstance(value, dict) or "graph" not in value:
            return self.literal(value, path)
        self.object(value, path, ("graph",))
        if self.depth >= self.limits.depth:
            _fail(path, f"graphs are nested deeper than the limit of {self.limits.depth}")
        inner = Reader(self.limits, f"{path}.graph", self.depth + 1)
        return inner.graph(value["graph"])

    def location(self, value: Any, path: str) -> tuple[str, int]:
        """["train.py", 17]"""
        if len(self.array(value, path)) != 2 or self.integer(value[1], f"{path}[1]") < 0:
            _fail(path, "expected a file name and a line number")
        return self.string(value[0], f"{path}[0]"), value[1]

    def place(self, value: Any, path: str) -> Node:
        """The number of a value that was made before."""
        index = self.integer(value, path)
        if not 0 <= index < len(self.values):
            _fail(path, f"there is no value {index} before this; {len(self.values)} are defined")
        return self.values[index]

    def operand(self, value: Any, path: str) -> Any:
        """{"value": n}, {"opaque": type}, null or a number"""
        if isinstance(value, dict) and "value" in value:
            self.object(value, path, ("value",))
            return self.place(value["value"], f"{path}.value")
        if isinstance(value, dict) and "opaque" in value:
            self.object(value, path, ("opaque",))
            return self.type(value["opaque"], f"{path}.opaque")
        found = self.literal(value, path)
        if found is not None and not is_number(found):
            _fail(path, f"expected a value, a number or null, got {_shown(value)}")
        return found

    def output(self, value: Any, path: str) -> Any:
        """{"value": n} or a number"""
        found = self.operand(value, path)
        if isinstance(found, Node) and isinstance(found.dtype, tuple):
            _fail(path, "the value has several results; take one with project")
        if not isinstance(found, Node) and not is_number(found):
            _fail(path, f"expected a value or a number, got {_shown(value)}")
        return found

    def effect(self, value: Any, path: str, leaves: set[Node], written: set[Node]) -> tuple[Node, Node]:
        """{"leaf": n, "value": m}"""
        self.object(value, path, ("leaf", "value"))
        old, new = self.place(value["leaf"], f"{path}.leaf"), self.place(value["value"], f"{path}.value")
        if old not in leaves or old in written:
            _fail(
                f"{path}.leaf",
                "the value is written twice" if old in written else "the value is neither an input nor a capture",
            )
        if new.types != old.types:
            _fail(f"{path}.value", "the new value has another type than the leaf")
        written.add(old)
        return old, new

    def literal(self, value: Any, path: str, depth: int = 0) -> Any:
        """A typed literal."""
        if depth > self.limits.depth:
            _fail(path, f"literals are nested deeper than the limit of {self.limits.depth}")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            if value.bit_length() > 3.4 * self.limits.digits:
                _fail(path, f"an integer of more than {self.limits.digits} digits")
            return value
        if not isinstance(value, dict) or len(value) != 1:
            _fail(path, f"expected a literal, got {_shown(value)}")
        ((kind, content),) = value.items()
        path = f"{path}.{_key(kind)}"
        if kind in ("tuple", "slice"):
            items = [self.literal(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(self.array(content, path))]
            if kind == "tuple":
                return tuple(items)
            return slice(*items) if len(items) == 3 else _fail(path, f"a slice has 3 parts, got {len(items)}")
        return self.plain(kind, content, path)

    def plain(self, kind: str, content: Any, path: str) -> Any:
        """A typed literal without parts of its own kind."""
        if kind == "float":
            return self.float(content, path)
        if kind == "complex":
            parts = self.each(content, path, self.float)
            return (
                complex(*parts) if len(parts) == 2 else _fail(path, f"a complex number has 2 parts, got {len(parts)}")
            )
        if kind == "str":
            return self.string(content, path)
        if kind == "dtype":
            if not isinstance(content, str) or content not in DTYPE_OF_SHORT:
                _fail(path, f"unknown element type {_shown(content)}; it is one of {', '.join(DTYPE_OF_SHORT)}")
            return DTYPE_OF_SHORT[content].numpy
        if kind == "ellipsis" and content is True:
            return ...
        _fail(path, f"expected a literal, got {_shown({kind: content})}")

    def float(self, value: Any, path: str) -> float:
        """A JSON number with a fraction or exponent, or "nan", "inf", "-inf"."""
        if isinstance(value, str) and value in _SPECIAL:
            return _SPECIAL[value]
        if type(value) is not float or not math.isfinite(value):
            _fail(path, f"expected a finite float, or one of {', '.join(map(repr, _SPECIAL))}; got {_shown(value)}")
        return value


def _shown(value: Any) -> str:
    """A short form of a file's value for a message."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = (
        f"an integer of {value.bit_length()} bits"
        if isinstance(value, int) and value.bit_length() > 200
        else json.dumps(value, default=object_text)
    )
    return text if len(text) <= 40 else f"{text[:37]}..."


def _key(name: Any) -> str:
    """A key as it stands in a path."""
    text = "".join(c if c.isalnum() or c == "_" else "?" for c in str(name))
    return text[:40]
