"""Node: one value of a program.  The eager tape and the compiled graph are both made of these."""

from __future__ import annotations

from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from tracegrad.ir.types import Type, literal_type

if TYPE_CHECKING:
    from tracegrad.ir.op import Op

tick = count(1).__next__  # the sequence clock: program order, reverse order and the time of writes
BY_SEQUENCE = attrgetter("seq")


class Freed:
    """Stands where the saved values of a node were, after a backward that did not retain the graph."""

    def __repr__(self) -> str:
        return "FREED"


FREED = Freed()


class ByRules:
    """Stands in `extra` of a tape node whose backward goes by the rules as `ir/sweep` reads them, not by the generated text: a complex one."""


BY_RULES = ByRules()


class Node:
    """One value: an operator applied to nodes and Python numbers, with static attributes.

    op      the operator's class; None for a leaf (an input, a captured tensor, a tensor that requires grad)
    inputs  nodes and Python numbers; None for an optional operand that is absent; on the eager tape also the shape (a tuple) or Type of an
            operand that is not tracked
    attrs   values of op.attrs, in order, hashable
    saved   eager tape only: what the derivative rules read, in the order of op.inputs then op.outputs; None where nothing is kept
    shape   of the value; for an operator with several results a tuple of Types stands in `dtype` and shape is ()
    seq     when it was made, by the sequence clock
    needs   whether a derivative flows through it
    extra   leaf on the tape: weak reference to its Tensor; node with hooks: `Extra`; complex node: BY_RULES; graph node: the user's (file, line); else None
    """

    __slots__ = ("__weakref__", "attrs", "dtype", "extra", "inputs", "needs", "op", "saved", "seq", "shape")

    op: type[Op] | None
    inputs: tuple[Any, ...]
    attrs: tuple[Any, ...]
    saved: Any
    shape: tuple[int, ...]
    dtype: Any
    seq: int
    needs: bool
    extra: Any

    @property
    def type(self) -> Type:
        """Shape and dtype of the value (operators with one result)."""
        return Type(self.shape, self.dtype)

    @property
    def types(self) -> tuple[Type, ...]:
        """The types of all results."""
        return self.dtype if isinstance(self.dtype, tuple) else (Type(self.shape, self.dtype),)

    def __repr__(self) -> str:
        kind = self.op.name if self.op is not None else "leaf"
        return f"<Node {kind} {', '.join(map(str, self.types))}>"


def make_node(
    op: type[Op] | None,
    inputs: tuple[Any, ...],
    attrs: tuple[Any, ...],
    result: Type | tuple[Type, ...],
    *,
    saved: Any = None,
    needs: bool = True,
    extra: Any = None,
) -> Node:
    """A new node whose value has the type `result` (a plain tuple of Types for several results)."""
    node = Node.__new__(Node)
    node.op, node.inputs, node.attrs, node.saved = op, inputs, attrs, saved
    if isinstance(result, Type):
        node.shape, node.dtype = result.shape, result.dtype
    else:
        node.shape, node.dtype = (), result
    node.seq, node.needs, node.extra = tick(), needs, extra
    return node


def make_leaf(result: Type, *, needs: bool = False, extra: Any = None) -> Node:
    """A node without operator: a graph's input or capture, or a tensor that requires grad."""
    return make_node(None, (), (), result, needs=needs, extra=extra)


def node_like(node: Node, inputs: tuple[Any, ...], needs: bool) -> Node:
    """The operator of a graph node on other inputs of the same types, at the same place of the user's program."""
    made = Node.__new__(Node)
    made.op, made.inputs = node.op, inputs
    made.attrs, made.saved = node.attrs, None
    made.shape, made.dtype = node.shape, node.dtype
    made.seq, made.needs = tick(), needs
    made.extra = node.extra
    return made


def input_type(node: Node, position: int) -> Type:
    """The type of one input of a node, whatever stands for it."""
    value = node.inputs[position]
    if isinstance(value, Node):
        return value.type
    if isinstance(value, Type):
        return value
    if isinstance(value, tuple):  # an operand that is not tracked: its shape; its dtype is the node's
        return Type(value, node.types[0].dtype)
    return literal_type(value)
