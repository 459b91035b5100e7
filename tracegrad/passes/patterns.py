"""Patterns: what rules look for in a graph, and how it is found.

A pattern is traced once, from the `before` of a rule.  A signature says what a node's operator is applied to; it decides which rules are tried at all.  What
remains is matched by a chain of small functions, each of which looks at one node of the pattern and calls the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops

NAMED = frozenset((0, 1, -1, 2, -2, 3, 4, 0.5, -0.5, 1.5))
"""The numbers that patterns name; other literals are told apart by their type alone."""

Signature = tuple[Any, ...]
"""An operator and the kinds of its inputs; the operator alone if it takes any number of them."""

MATCHED = ""  # the key under which bindings keep the matched nodes, the root first
Bindings = dict[str, Any]
Accept = Callable[[Bindings], bool]
Step = Callable[[list[Any], Bindings, Accept], Bindings | None]


class Wildcard(NamedTuple):
    """Stands for anything of its kind: 'value', 'literal' or 'attribute'."""

    name: str
    kind: str


class Pattern(NamedTuple):
    """An operator over patterns, wildcards and numbers; `attrs` by name."""

    op: str
    inputs: tuple[Any, ...]
    attrs: dict[str, Any]


class PatternOps(Ops):
    """The namespace over which `before` is traced: operators make patterns.  It asks for no definition, so that rules load none."""

    def __getattr__(self, name: str) -> Callable[..., Pattern]:
        def make(*inputs: Any, **attrs: Any) -> Pattern:
            return Pattern(name, inputs, attrs)

        return make


P = PatternOps()


def wildcard(name: str) -> Wildcard:
    """The wildcard that a parameter's name stands for."""
    if name.isupper():
        return Wildcard(name, "attribute")
    return Wildcard(name, "literal" if name[0] == "c" and name[1:] in ("", "1", "2", "3") else "value")


def kind_of(value: Any) -> Any:
    """What a signature says of an input: the operator that made it, None for a leaf, one of NAMED, or the type of a literal."""
    kind = value.__class__
    if kind is Node:
        return value.op
    return value if (kind is float or kind is int) and value in NAMED else kind


def signature(node: Node) -> Signature:
    """What decides which rules are tried at a node."""
    op = node.op
    assert op is not None
    if op.variadic:
        return (op,)
    return (op, *[i.op if i.__class__ is Node else kind_of(i) for i in node.inputs])


def is_value(kind: Any) -> bool:
    """Whether an input of this kind is a node (or absent), and no literal."""
    return kind is None or (isinstance(kind, type) and issubclass(kind, Op))


def reads(kinds: tuple[Any, ...], *names: str) -> bool:
    """Whether one of the inputs was made by one of the operators `names`."""
    return any(kind is not None and is_value(kind) and kind.name in names for kind in kinds)


def fits_node(pattern: Pattern, of: Signature) -> bool:
    """Whether `pattern` can describe a node of this signature."""
    op, kinds = of[0], of[1:]
    if op.name != pattern.op:
        return False
    if op.variadic:
        return True
    if len(kinds) != len(pattern.inputs):
        return False
    if all(map(_fits_kind, pattern.inputs, kinds)):
        return True
    return op.commutative and all(map(_fits_kind, pattern.inputs, kinds[::-1]))


def _fits_kind(pattern: Any, kind: Any) -> bool:
    of_node = is_value(kind)
    if isinstance(pattern, Pattern):
        return of_node and kind is not None and kind.name == pattern.op
    if isinstance(pattern, Wildcard):
        return of_node == (pattern.kind == "value")
    return not of_node and (kind == pattern or (pattern not in NAMED and kind in (int, float)))


class Matcher:
    """Finds the bindings under which a pattern describes a node; operands of commutative operators are tried in both orders."""

    def __init__(self, pattern: Pattern) -> None:
        self._slots = 1
        self._of_nodes: list[int] = []
        self._first = self._node(pattern, 0, self._end)

    def find(self, node: Node, accept: Accept) -> Bindings | None:
        """The first bindings that `accept` takes."""
        slots = [None] * self._slots
        slots[0] = node  # type: ignore[call-overload]
        return self._first(slots, {}, accept)

    def _end(self, slots: list[Any], found: Bindings, accept: Accept) -> Bindings | None:
        found[MATCHED] = [slots[i] for i in sorted(self._of_nodes)]
        return found if accept(found) else None

    def _any(self, pattern: Any, slot: int, then: Step) -> Step:
        """The step that looks at one slot and goes on with `then`."""
        if isinstance(pattern, Pattern):
            return self._node(pattern, slot, then)
        if isinstance(pattern, Wildcard):
            return _wildcard_step(pattern, slot, then)

        def number(slots: list[Any], found: Bindings, accept: Accept) -> Bindings | None:
            return then(slots, found, accept) if same_number(pattern, slots[slot]) else None

        return number

    def _node(self, pattern: Pattern, slot: int, then: Step) -> Step:
        name, attrs, count = pattern.op, pattern.attrs, len(pattern.inputs)
        first = self._slots
        self._slots += count
        self._of_nodes.append(slot)
        for position in reversed(range(count)):
            then = self._any(pattern.inputs[position], first + position, then)
        inner, symmetric = then, count == 2 and pattern.inputs[0] == pattern.inputs[1]

        def step(slots: list[Any], found: Bindings, accept: Accept) -> Bindings | None:
            node = slots[slot]
            op = node.op if node.__class__ is Node else None
            if op is None or op.name != name or len(node.inputs) != count:
                return None
            if attrs and not _bind_attributes(attrs, op, node, found):
                return None
            if op.commutative and not symmetric:
                slots[first : first + 2] = node.inputs
                result = inner(slots[:], found.copy(), accept)
                if result is not None:
                    return result
                slots[first : first + 2] = node.inputs[::-1]
            else:
                slots[first : first + count] = node.inputs
            return inner(slots, found, accept)

        return step


def _wildcard_step(pattern: Wildcard, slot: int, then: Step) -> Step:
    name, wants_node = pattern.name, pattern.kind == "value"

    def step(slots: list[Any], found: Bindings, accept: Accept) -> Bindings | None:
        value = slots[slot]
        kind = value.__class__
        if (kind is Node) != wants_node or (not wants_node and kind not in (int, float, complex)):
            return None
        return then(slots, found, accept) if bind(name, value, found) else None

    return step


def _bind_attributes(attrs: dict[str, Any], op: type[Op], node: Node, found: Bindings) -> bool:
    for name, have in zip(op.attrs, node.attrs, strict=True):
        wanted = attrs[name]
        if not isinstance(wanted, Wildcard):
            if wanted != have:
                return False
        elif not bind(wanted.name, have, found):
            return False
    return True


def bind(name: str, value: Any, found: Bindings) -> bool:
    """Whether `name` is now bound to this very value."""
    if name not in found:
        found[name] = value
        return True
    before = found[name]
    if before is value:
        return True
    return not isinstance(value, Node) and not isinstance(before, Node) and bool(before == value)


def made_by(value: Any, name: str) -> bool:
    """Whether the value is a node of the operator `name`."""
    return value.__class__ is Node and value.op is not None and value.op.name == name


def same_number(a: Any, b: Any) -> bool:
    """Whether two literals are the same number, 0.0 and -0.0 being different."""
    if b.__class__ not in (int, float) or a != b:
        return False
    return a != 0 or math.copysign(1.0, a) == math.copysign(1.0, b)
