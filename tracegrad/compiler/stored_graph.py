"""Graphs as compact data for the cache on disk: quick to write and to read, exact, and checked when they are read.

Types and kinds of nodes stand once, in tables, so that a long program is mostly a list of numbers:

    types   [["f32", 3, 4], ...]; ["several", i, j] for an operator with several results
    kinds   [[operator, {attribute: literal}, [operand, ...], [type, ...]], ...]; an operand is the number of a type, or [literal]
    nodes   [[kind, place, value, ...], ...]: place is the number of the user's line or -1, values count leaves and nodes from 0
    leaves  [[type, whether derivatives flow], ...], the first `inputs` of them inputs, the others captures
    outputs [value | [literal], ...]

Reading checks each kind by the operator's own type rule, and each node against its kind; nothing is evaluated.  User's lines are numbers in a list that the
reader gives, so that a file never says where a line is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tracegrad.errors import FormatError, NotSupportedError, TracegradError, explain
from tracegrad.export.json_format import Reader, literal_json
from tracegrad.ir.assemble import Problem, assemble, checked_type, operator
from tracegrad.ir.graph import Graph, attribute_key
from tracegrad.ir.literals import LIMITS, is_number
from tracegrad.ir.node import Node, make_leaf, make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.text import location_of
from tracegrad.ir.types import SHORT_NAMES, Type

Data = dict[str, Any]


def graph_data(graph: Graph, places: Mapping[Any, int], names: bool = True) -> Data:
    """The graph as data for json.dumps; places numbers the user's lines.

    Raises NotSupportedError for a graph that holds what no file can: custom Functions, callbacks, sizes that are not known.
    """
    if graph.effects:
        raise NotSupportedError(explain("cache", "a graph with effects is not stored"))
    types = _Table()
    kinds = _Table()
    numbers = {node: i for i, node in enumerate((*graph.leaves, *graph.nodes))}
    rows = []
    for node in graph.nodes:
        kind = kinds.number(_kind_key(node), lambda node=node: _kind(node, types, places))  # type: ignore[misc]
        rows.append(
            [kind, places.get(location_of(node), -1), *[numbers[i] for i in node.inputs if isinstance(i, Node)]]
        )
    leaves = [[_type_number(leaf, types), int(leaf.needs)] for leaf in graph.leaves]
    outputs = [numbers[o] if isinstance(o, Node) else [literal_json(o)] for o in graph.outputs]
    return {
        "types": types.rows,
        "kinds": kinds.rows,
        "leaves": leaves,
        "inputs": len(graph.inputs),
        "names": list(graph.names) if names else [],
        "nodes": rows,
        "outputs": outputs,
    }


class _Table:
    """Rows that stand once."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, key: Any, row: Callable[[], Any]) -> int:
        """The number of the row with this key, made on first use."""
        found = self._numbers.get(key)
        if found is None:
            made = row()
            found = self._numbers[key] = len(self.rows)
            self.rows.append(made)
        return found


def _kind_key(node: Node) -> Any:
    inputs = tuple([(i.shape, i.dtype) if isinstance(i, Node) else (repr(i), type(i)) for i in node.inputs])
    return node.op, inputs, tuple(map(attribute_key, node.attrs)), node.shape, node.dtype


def _kind(node: Node, types: _Table, places: Mapping[Any, int]) -> list[Any]:
    op = node.op
    if op is None or REGISTRY.get(op.name) is not op:
        raise NotSupportedError(
            explain("cache", f"{getattr(op, '__name__', 'a leaf')} has no name that a file could hold")
        )
    attrs = {
        name: {"graph": graph_data(value, places)} if isinstance(value, Graph) else literal_json(value)
        for name, value in zip(op.attrs, node.attrs, strict=True)
    }
    operands = [_type_number(i, types) if isinstance(i, Node) else [_operand(i)] for i in node.inputs]
    return [op.name, attrs, operands, [_type(t, types) for t in node.types]]


def _operand(value: Any) -> Any:
    if value is not None and not is_number(value):
        raise NotSupportedError(explain("cache", "an operand is neither a value nor a number"))
    return literal_json(value)


def _type_number(node: Node, types: _Table) -> int:
    if not isinstance(node.dtype, tuple):
        return _type(Type(node.shape, node.dtype), types)
    inner = [_type(t, types) for t in node.dtype]
    return types.number(("several", *inner), lambda: ["several", *inner])


def _type(t: Type, types: _Table) -> int:
    if not all(type(n) is int for n in t.shape) or t.dtype.name not in SHORT_NAMES:
        raise NotSupportedError(explain("cache", f"a value of type {t} is not stored"))
    return types.number((t.shape, t.dtype), lambda: [SHORT_NAMES[t.dtype.name], *t.shape])


def read_graph(data: Any, places: Sequence[Any], names: Sequence[str] = ()) -> Graph:
    """The graph; places are the user's lines by number, names those of the leaves where the data has none.  FormatError for anything that is not exactly such data."""
    try:
        return _GraphReader(places).graph(data, names)
    except (
        Problem,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise FormatError(explain("cache", f"not a stored graph: {type(error).__name__}: {error}")) from error
    except TracegradError as error:
        raise FormatError(explain("cache", f"not a stored graph: {error}")) from error


class _GraphReader:
    """Reads one graph; bodies are read by others of this class, a level deeper."""

    def __init__(self, places: Sequence[Any], depth: int = 0) -> None:
        self.places, self.depth = places, depth
        self.types: list[Any] = []

    def graph(self, data: Any, names: Sequence[str]) -> Graph:
        """The whole of it."""
        if self.depth > LIMITS.depth or len(data["nodes"]) > LIMITS.nodes:
            raise Problem("the graph is larger than the limits")
        for row in data["types"]:
            several = row[0] == "several"
            self.types.append(
                tuple([self.single(i) for i in row[1:]])
                if several
                else checked_type(tuple(map(whole, row[1:])), row[0], LIMITS)
            )
        leaves = [make_leaf(self.single(t), needs=bool(needs)) for t, needs in data["leaves"]]
        kinds = [self.kind(row) for row in data["kinds"]]
        values = list(leaves)
        for row in data["nodes"]:
            values.append(self.node(kinds[whole(row[0])], whole(row[1]) if row[1] != -1 else -1, row[2:], values))
        outputs = [self.literal(o[0]) if isinstance(o, list) else values[whole(o)] for o in data["outputs"]]
        if not all(is_number(o) or (isinstance(o, Node) and not isinstance(o.dtype, tuple)) for o in outputs):
            raise Problem("an output is neither one value nor a number")
        cut = whole(data["inputs"])
        own = data["names"] or names
        if not all(type(n) is str and n.isidentifier() for n in own):
            raise Problem("a name is no identifier")
        return Graph(leaves[:cut], outputs, leaves[cut:], (), own)

    def single(self, index: Any) -> Type:
        """The type of one value."""
        found = self.types[whole(index)]
        if not isinstance(found, Type):
            raise Problem("several results where one value is expected")
        return found

    def kind(self, row: Any) -> Node:
        """A node of this kind over stand-ins, checked by the operator's rule."""
        name, given, operands, results = row
        stands: list[Any] = []
        for o in operands:
            if isinstance(o, list):
                value = self.literal(o[0])
                if value is not None and not is_number(value):
                    raise Problem("an operand is neither a value nor a number")
                stands.append(value)
            else:
                t = self.types[whole(o)]
                stands.append(make_node(None, (), (), t, needs=False))
        attrs = {str(key): self.attribute(value) for key, value in given.items()}
        types = tuple([self.single(t) for t in results])
        return assemble(operator(name), tuple(stands), attrs, types, None)

    def attribute(self, value: Any) -> Any:
        """A literal, or a body."""
        if isinstance(value, dict) and "graph" in value:
            return _GraphReader(self.places, self.depth + 1).graph(value["graph"], ())
        return self.literal(value)

    def literal(self, value: Any) -> Any:
        """A literal of the JSON form."""
        return Reader(LIMITS).literal(value, "$")

    def node(self, like: Node, place: int, given: list[Any], before: list[Node]) -> Node:
        """A node like that of the kind, on values that have the types of its stand-ins."""
        rest = iter(given)
        inputs = []
        for stand in like.inputs:
            if isinstance(stand, Node):
                value = before[whole(next(rest))]
                if value.shape != stand.shape or value.dtype != stand.dtype:
                    raise Problem("a value has another type than its kind of node takes")
                inputs.append(value)
            else:
                inputs.append(stand)
        if next(rest, None) is not None:
            raise Problem("a node has more operands than its kind")
        location = self.places[place] if place >= 0 else None
        needs = any(i.needs for i in inputs if i.__class__ is Node)
        several = isinstance(like.dtype, tuple)
        return make_node(
            like.op, tuple(inputs), like.attrs, like.dtype if several else like.type, needs=needs, extra=location
        )


def whole(value: Any) -> int:
    """An index or a size."""
    if type(value) is not int or value < 0:
        raise Problem("a number is no index")
    return value


__all__ = ["graph_data", "read_graph"]
