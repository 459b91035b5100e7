"""The NumPy backend: a graph as straight-line Python source, with constants bound once and dead arrays used again."""

from __future__ import annotations

import contextvars
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tracegrad.backends.base import Array
from tracegrad.backends.numpy_errors import FILE, named
from tracegrad.backends.source import (
    bodies_of,
    body_names,
    dtype_source,
    literal_source,
    node_expression,
    operand_source,
    source_names,
    types_comment,
)
from tracegrad.dtypes import F32, F64
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.types import Type, size_of
from tracegrad.kernels import numpy_kernels

CONSTANT_LIMIT = 65_536  # elements up to which a constant array is made once and kept
LARGE = 4096  # elements from which a selection of zeros goes by bits
DELETE_FROM_BYTES = 32_768  # arrays of this size are released right after their last use
_KEYWORD_OUT = (
    "maximum",
    "minimum",
)  # NumPy deprecates the positional form for these; for the others it is the faster one
# on single numbers Python's operators cost a fifth of a ufunc call
_OPERATORS = {"add": "{x} + {y}", "sub": "{x} - {y}", "mul": "{x} * {y}", "div": "{x} / {y}", "neg": "-{x}"}
# the same for arrays, whose operators are these ufuncs: half the text for Python to compile, and a tenth less time per call
_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!="}  # fmt: skip
_IN_PLACE = ("add", "subtract", "multiply", "divide")
_UFUNC_CALL = re.compile(r"^np\.(\w+)\((.*)\)$")
_plain: dict[type[Op], str] = {}


class Constants:
    """Values that are made once, beside the function: Python numbers as 0-d arrays (half the cost per use), and small constant arrays."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}

    def name(self, expression: str) -> str:
        """The variable that holds the value of an expression."""
        found = self._names.get(expression)
        if found is None:
            found = self._names[expression] = f"k{len(self._names)}"
            self.lines.append(f"{found} = {expression}")
        return found


class Memory:
    """Which arrays share memory, and when each block is read for the last time."""

    def __init__(self, graph: Graph) -> None:
        self.root: dict[Node, Node] = {leaf: leaf for leaf in graph.leaves}
        self.members: dict[Node, list[Node]] = {}  # the nodes that show each block
        self.last_use: dict[Node, int] = {}
        self.broadcast: set[Node] = set()
        self.large: set[Node] = {node for node in graph.nodes if is_large(node)}
        for position, node in enumerate(graph.nodes):
            op = node.op
            assert op is not None
            source = node.inputs[0] if (op.view or op.name == "project") and node.inputs else None
            root = self.root[node] = self.root[source] if isinstance(source, Node) else node
            if self.large:
                self.members.setdefault(root, []).append(node)
            if op.name == "broadcast_to" or source in self.broadcast:
                self.broadcast.add(node)
            for i in node.inputs:
                if i.__class__ is Node:
                    self.last_use[self.root[i]] = position
        for output in graph.outputs:
            if isinstance(output, Node):
                self.last_use[self.root[output]] = len(graph.nodes)


class NumpyExecutable:
    """A graph compiled to a Python function over NumPy arrays.  `source` is its text, `origin` the graph whose operators tell of a fault as eager code does."""

    origin: Graph | None = None

    def __init__(self, graph: Graph) -> None:
        self.source = numpy_source(graph)
        self._take(_run(self.source)["compiled"])

    @classmethod
    def maker(cls, text: str, parameters: Sequence[str]) -> Callable[[str, Mapping[str, Any]], NumpyExecutable]:
        """For a text with parameters: a function from the text that is shown and the parameters' values to an executable."""
        inside = "".join(f"    {line}\n" for line in text.splitlines())
        bind = _run(f"def bind({', '.join(parameters)}):\n{inside}\n    return compiled\n")["bind"]

        def make(source: str, values: Mapping[str, Any]) -> NumpyExecutable:
            made = cls.__new__(cls)
            made.source = source
            with np.errstate(all="ignore"):
                made._take(bind(**values))
            return made

        return make

    def _take(self, function: Callable[..., tuple[Array, ...]]) -> None:
        self.function = function
        # a context of its own with a silent error state: entering it costs a fraction of np.errstate
        self._context = contextvars.copy_context()
        self._context.run(np.seterr, all="ignore")
        self._context.run(np.setbufsize, 1024)  # as for the kernels of eager code
        self.quiet = self._context.run

    def __call__(self, *arrays: Any) -> tuple[Array, ...]:
        """The outputs for these inputs and captures: fresh arrays, never aliases of an argument or of each other."""
        try:
            return self.quiet(self.function, *arrays)
        except Exception as error:
            return self.after(error, arrays)

    def after(self, error: Exception, arrays: Sequence[Any]) -> tuple[Array, ...]:
        """The outputs where the error says that another thread is inside the context; else raises what eager code raises, with the user's line."""
        trace = error.__traceback__
        if type(error) is RuntimeError and trace is not None and trace.tb_next is None:
            try:
                with np.errstate(all="ignore"):
                    return self.function(*arrays)
            except Exception as own:
                error = own
        raise named(error, self.source, self.origin, arrays) from None


def _run(source: str) -> dict[str, Any]:
    """What generated text defines."""
    scope: dict[str, Any] = {"np": np, "K": numpy_kernels}
    # constants may overflow to inf when they are converted, as literals do in torch
    with np.errstate(all="ignore"):
        exec(compile(source, FILE, "exec"), scope)
    return scope


def numpy_source(graph: Graph) -> str:
    """The text: constants, a function per body of a branch or loop, then `def compiled(a0, ..., c0, ...)`; each returns a tuple."""
    constants, bodies = Constants(), body_names(graph)
    functions = [
        line for body, name in bodies.items() for line in [*function_lines(body, name, constants, bodies), "", ""]
    ]
    main = function_lines(graph, "compiled", constants, bodies)
    return "\n".join([*constants.lines, *([""] if constants.lines else []), *functions, *main, ""])


def function_lines(graph: Graph, name: str, constants: Constants, bodies: dict[Graph, str]) -> list[str]:
    """The lines of the function of one graph."""
    names = source_names(graph, bodies)
    memory = Memory(graph)
    kept: set[Node] = set()  # constant arrays, which must be copied when they are returned
    body: list[str] = []
    for position, node in enumerate(graph.nodes):
        if is_constant(node, kept):
            names[node] = constants.name(expression(node, names, constants))
            kept.add(node)
            continue
        if node.op is not None and node.op.statements is not None:
            operands = tuple(operand_source(i, names) for i in node.inputs)
            functions = [bodies[b] for b in bodies_of(node)]
            first, *rest = node.op.statements(names[node], operands, node, *functions)
            body += [f"    {first}  # {types_comment(node)}", *(f"    {line}" for line in rest)]
        else:
            text = assignment(node, position, names, constants, memory, kept)
            body.append(f"    {text}  # {types_comment(node)}")
        if memory.large:
            dead = dict.fromkeys(names[n] for n in memory_released(node, position, memory, kept))
            body += [f"    del {', '.join(dead)}"] if dead else []
    results = return_values(graph, names, memory, kept)
    parameters = ", ".join(names[leaf] for leaf in graph.leaves)
    described = [
        f"    # {names[leaf]}: {leaf.type} = {shown}" for leaf, shown in zip(graph.leaves, graph.names, strict=True)
    ]
    closing = f"    return ({''.join(f'{r}, ' for r in results).rstrip()})"
    return [f"def {name}({parameters}):", *described, *body, closing]


def is_constant(node: Node, known: set[Node]) -> bool:
    """Whether a node depends on nothing but constants, and is small enough to be made once."""
    for i in node.inputs:
        if i.__class__ is Node and i not in known:
            return False
    op = node.op
    assert op is not None
    made_once = op.pure and op.statements is None and not isinstance(node.dtype, tuple)
    return made_once and size_of(node.shape) <= CONSTANT_LIMIT


def assignment(
    node: Node, position: int, names: dict[Node, str], constants: Constants, memory: Memory, kept: set[Node]
) -> str:
    """The statement that computes a node, into the memory of an operand that is read here for the last time where there is one."""
    op = node.op
    assert op is not None
    function = plain_ufunc(op)
    operands = ufunc_operands(node, names, constants) if function and node.shape and node.dtype.kind != "V" else None
    if operands is None:
        return f"{names[node]} = {reuse(node, position, expression(node, names, constants), names, memory, kept)}"
    free = released_operand(node, position, memory, kept)
    if free is None:
        return f"{names[node]} = {ufunc_call(function, operands)}"
    target = names[node] = names[free]
    if function in _IN_PLACE:
        if target == operands[0]:
            return f"{target} {_INFIX[function]}= {operands[1]}"
        if op.commutative:
            return f"{target} {_INFIX[function]}= {operands[0]}"
    return f"{target} = np.{function}({', '.join(operands)}, {'out=' if function in _KEYWORD_OUT else ''}{target})"


def ufunc_operands(node: Node, names: dict[Node, str], constants: Constants) -> list[str] | None:
    """The operands of a plain ufunc, Python numbers beside arrays as 0-d constants; None where numbers have to stay numbers."""
    inputs = node.inputs
    if all(i.__class__ is Node for i in inputs):
        return [names[i] for i in inputs]
    d = literal_dtype(node)
    return None if d is None else [_operand(i, d, names, constants) for i in inputs]


def _operand(value: Any, d: np.dtype[Any], names: dict[Node, str], constants: Constants) -> str:
    return (
        names[value]
        if value.__class__ is Node
        else constants.name(f"np.array({literal_source(value)}, {dtype_source(d)})")
    )


def ufunc_call(function: str, operands: list[str]) -> str:
    """A ufunc's expression: Python's operator where there is one."""
    sign = _INFIX.get(function)
    if sign is not None:
        return f"{operands[0]} {sign} {operands[1]}"
    return f"-{operands[0]}" if function == "negative" else f"np.{function}({', '.join(operands)})"


def expression(node: Node, names: dict[Node, str], constants: Constants) -> str:
    """The node's expression, with Python numbers beside arrays as 0-d constants where the kernel is a ufunc."""
    op = node.op
    assert op is not None
    strong = [i for i in node.inputs if isinstance(i, Node)]
    if strong and not node.shape and node.dtype in (F32, F64) and op.name in _OPERATORS:
        texts = [names[i] if isinstance(i, Node) else f"({literal_source(i)})" for i in node.inputs]
        return _OPERATORS[op.name].format(**dict(zip(op.operands, texts, strict=True)))
    if not (
        op.elementwise and is_ufunc(op.numpy) and op.expression is None and strong and len(strong) < len(node.inputs)
    ):
        return node_expression(node, names, "numpy")
    d = literal_dtype(node)
    if d is None:
        return node_expression(node, names, "numpy")
    if op.name == "where" and node.dtype.kind in "fV" and size_of(node.shape) >= LARGE:
        c, x, y = node.inputs
        if repr(y) == "0.0" and isinstance(c, Node):
            return f"K.keep({names[c]}, {names[x]})"
        if repr(x) == "0.0" and isinstance(c, Node):
            return f"K.drop({names[c]}, {names[y]})"
    texts = [_operand(i, d, names, constants) for i in node.inputs]
    attrs = {a: literal_source(v) for a, v in zip(op.attrs, node.attrs, strict=True)}
    return op.numpy.format(**dict(zip(op.operands, texts, strict=True)), **attrs)


def literal_dtype(node: Node) -> np.dtype[Any] | None:
    """The dtype that a literal takes beside the other operands that are promoted (the mask of a selection is not one of them)."""
    op = node.op
    assert op is not None
    promoted = op.promoted or op.operands
    for name, value in zip(op.operands, node.inputs, strict=True):
        if name in promoted and isinstance(value, Node):
            found: np.dtype[Any] = value.dtype
            return found
    return None


def plain_ufunc(op: type[Op]) -> str:
    """The ufunc that is all of an elementwise operator's kernel, its operands in their order; "" for other operators."""
    name = _plain.get(op)
    if name is None:
        name = ""
        if op.elementwise and op.expression is None and not op.attrs and not op.variadic and is_ufunc(op.numpy):
            found = _UFUNC_CALL.match(op.numpy)
            whole = found is not None and found.group(2) == ", ".join(f"{{{operand}}}" for operand in op.operands)
            name = found.group(1) if found is not None and whole and found.group(1) != "where" else ""
        _plain[op] = name
    return name


@lru_cache(4096)
def is_ufunc(template: str) -> bool:
    """Whether a template is one call of a NumPy ufunc with one result, or of np.where."""
    found = _UFUNC_CALL.match(template)
    if found is None or "(" in found.group(2):
        return False
    function = getattr(np, found.group(1), None)
    return (isinstance(function, np.ufunc) and function.nout == 1) or function is np.where


def reuse(node: Node, position: int, text: str, names: dict[Node, str], memory: Memory, kept: set[Node]) -> str:
    """The expression, writing into an operand's memory when that operand is private, of the same type, and read here for the last time."""
    op = node.op
    assert op is not None
    if not (op.elementwise and node.shape and is_ufunc(op.numpy)):
        return text
    found = _UFUNC_CALL.match(text)
    if found is None or found.group(1) == "where":
        return text
    free = released_operand(node, position, memory, kept)
    if free is None:
        return text
    names[node] = names[free]
    keyword = "out=" if found.group(1) in _KEYWORD_OUT else ""
    return f"{text[:-1]}, {keyword}{names[free]})"


def released_operand(node: Node, position: int, memory: Memory, kept: set[Node]) -> Node | None:
    """An operand that is private, of the same type as the node, and read here for the last time: its memory is the node's from here on."""
    for source in node.inputs:
        if source.__class__ is not Node or source.op is None or source in kept or memory.root[source] is not source:
            continue
        if source.shape == node.shape and source.dtype == node.dtype and memory.last_use[source] == position:
            memory.last_use.pop(source)
            return source
    return None


def memory_released(node: Node, position: int, memory: Memory, kept: set[Node]) -> list[Node]:
    """Large arrays (with their views) that nobody reads after this node."""
    roots = {memory.root[i] for i in node.inputs if isinstance(i, Node)}
    ended = [r for r in roots if r in memory.large and r not in kept and memory.last_use.get(r) == position]
    return [n for r in ended for n in memory.members[r] if n not in kept]


def is_large(node: Node) -> bool:
    """Whether the value is worth an early release."""
    if node.dtype.__class__ is tuple:
        return any(size_of(t.shape) * t.dtype.itemsize >= DELETE_FROM_BYTES for t in node.types)
    return bool(size_of(node.shape) * node.dtype.itemsize >= DELETE_FROM_BYTES)


def return_values(graph: Graph, names: dict[Node, str], memory: Memory, kept: set[Node]) -> list[str]:
    """Expressions of the outputs: a copy where an output would share memory with an argument, a constant or an earlier output."""
    returned: set[Node] = set()
    results = []
    for output in graph.outputs:
        if not isinstance(output, Node):
            results.append(f"np.asarray({literal_source(output)})")
            continue
        root = memory.root[output]
        shared = root.op is None or root in kept or root in returned or output in memory.broadcast
        returned.add(root)
        results.append(
            f"np.array({names[output]})"
            if shared
            else f"np.asarray({names[output]})"
            if is_scalar(output.type)
            else names[output]
        )
    return results


def is_scalar(t: Type) -> bool:
    """Whether NumPy may hold the value as a scalar object instead of an array."""
    return not t.shape


compile_graph = NumpyExecutable
