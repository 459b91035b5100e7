"""The text form of a graph, read back.  Nothing is evaluated: words become literals, operators come from the registry, types are checked against the rules.

Every fault is a FormatError that says line, column and what was expected there.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tracegrad.errors import ArgumentError, FormatError, explain
from tracegrad.ir.assemble import assemble, checked_leaf, checked_type, operator
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import LIMITS, Limits, is_number
from tracegrad.ir.node import Node
from tracegrad.ir.tokens import Token, Tokens, shown
from tracegrad.ir.types import DTYPE_OF_SHORT, Type

_INTEGER = re.compile(r"-?[0-9]+\Z")
_WORDS = {"None": None, "True": True, "False": False}


def parse(text: str, limits: Limits = LIMITS) -> Graph:
    """The graph that the text describes.

    Raises FormatError (a ValueError) with line and column for anything that is not exactly the text form: unknown operators, wrong arity or attributes,
    undefined or repeated names, types that differ from what the operators infer, and texts beyond the limits.
    """
    if not isinstance(text, str):
        raise ArgumentError(explain("parse", f"the text must be a str, got {type(text).__name__}"))
    if len(text) > limits.characters:
        raise FormatError(
            explain("parse", f"the text has {len(text)} characters, more than the limit of {limits.characters}")
        )
    return _Parser(text, limits).graph()


class _Parser(Tokens):
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, limits: Limits) -> None:
        super().__init__(text, limits)
        self.depth = self.nesting = self.count = 0
        self.values: dict[str, Node] = {}

    def graph(self) -> Graph:
        """The whole text."""
        self.skip_lines()
        found = self.block()
        self.skip_lines()
        if self.peek().kind != "end":
            self.fail(self.peek().at, f"expected the end of the text, got {shown(self.peek())}")
        return found

    def block(self) -> Graph:
        """graph(leaves) { lines }, with names of its own"""
        self.nesting += 1
        if self.nesting > self.limits.depth:
            self.fail(self.peek().at, f"graphs are nested deeper than the limit of {self.limits.depth}")
        outer, self.values = self.values, {}
        self.expect("graph")
        inputs, captures, names = self.leaves()
        self.expect("{")
        self.end_of_line()
        effects = self.lines({*inputs, *captures})
        outputs = self.outputs()
        self.skip_lines()
        self.expect("}")
        self.values = outer
        self.nesting -= 1
        return Graph(inputs, outputs, captures, effects, names)

    def lines(self, leaves: set[Node]) -> list[tuple[Node, Node]]:
        """Nodes, then effects, up to `return`; gives the effects."""
        effects: list[tuple[Node, Node]] = []
        while not self.at("return"):
            token = self.peek()
            if token.kind == "newline":
                self.next()
            elif self.take("effect"):
                effects.append(self.effect(leaves, effects))
            else:
                self.count += 1
                if self.count > self.limits.nodes:
                    self.fail(token.at, f"more nodes than the limit of {self.limits.nodes}")
                self.node(bool(effects))
        return effects

    def leaves(self) -> tuple[list[Node], list[Node], list[str]]:
        """(%x: f32[3], ...; capture %b: f32[], ...)"""
        inputs: list[Node] = []
        captures: list[Node] = []
        names: list[str] = []
        self.expect("(")
        if not self.at(")") and not self.at(";"):
            inputs.append(self.leaf(names))
            while self.take(","):
                inputs.append(self.leaf(names))
        if self.take(";"):
            self.expect("capture")
            captures.append(self.leaf(names))
            while self.take(","):
                self.expect("capture")
                captures.append(self.leaf(names))
        self.expect(")")
        return inputs, captures, names

    def leaf(self, names: list[str]) -> Node:
        """%x: f32[3]"""
        token = self.kind("value", "a name such as %x")
        if token.text[1].isdigit():
            self.fail(token.at, f"the name of an input or capture cannot start with a digit: {token.text}")
        self.expect(":")
        leaf = checked_leaf(self.type())
        self.define(token, leaf)
        names.append(token.text[1:])
        return leaf

    def define(self, token: Token, node: Node) -> None:
        """Give a node its name."""
        if token.text in self.values:
            self.fail(token.at, f"{token.text} is defined twice")
        self.values[token.text] = node

    def value(self) -> Node:
        """A name that was defined before."""
        token = self.kind("value", "a name such as %x")
        node = self.values.get(token.text)
        if node is None:
            self.fail(token.at, f"{token.text} is not defined here")
        return node

    def type(self) -> Type:
        """f32[3,4]"""
        token = self.kind("word", "a type such as f32[3]")
        sizes: list[int] = []
        self.expect("[")
        while not self.at("]"):
            if sizes:
                self.expect(",")
            sizes.append(self.integer())
            if len(sizes) > self.limits.axes:
                self.fail(token.at, f"more axes than the limit of {self.limits.axes}")
        self.expect("]")
        found: Type = self.checked(token.at, checked_type, tuple(sizes), token.text, self.limits)
        return found

    def integer(self) -> int:
        """A size."""
        token = self.kind("number", "a size")
        if not token.text.isdigit() or len(token.text) > self.limits.digits:
            self.fail(token.at, f"expected a size, got {shown(token)}")
        return int(token.text)

    def types(self) -> tuple[Type, ...]:
        """f32[3], or (f32[3], i64[3])"""
        if not self.take("("):
            return (self.type(),)
        found = [self.type()]
        while self.take(","):
            if self.at(")"):
                break
            found.append(self.type())
        self.expect(")")
        return tuple(found)

    def node(self, after_effects: bool) -> None:
        """%1: f32[3] = add(%x, 2.0)  # train.py:17"""
        target = self.kind("value", "a node (%1: ...), 'effect' or 'return'")
        if after_effects:
            self.fail(target.at, "a node cannot stand after an effect")
        if target.text in self.values:
            self.fail(target.at, f"{target.text} is defined twice")
        self.expect(":")
        several = self.at("(")
        types_at = self.peek().at
        types = self.types()
        self.expect("=")
        name = self.kind("word", "an operator")
        op = self.checked(name.at, operator, name.text)
        inputs, attrs = self.arguments()
        place = self.end_of_line()
        if several != op.several():
            self.fail(
                types_at,
                f"{op.name} has {'several results: expected (type, ...)' if op.several() else 'one result: expected one type'}",
            )
        self.define(target, self.checked(name.at, assemble, op, inputs, attrs, types, place))

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """(operands, name=literal, ...)"""
        inputs: list[Any] = []
        attrs: dict[str, Any] = {}
        self.expect("(")
        while not self.at(")"):
            if inputs or attrs:
                self.expect(",")
            token = self.peek()
            if token.kind == "word" and self.tokens[self.position + 1].text == "=":
                self.attribute(attrs)
            elif attrs:
                self.fail(token.at, f"expected an attribute, got {shown(token)}; operands stand before attributes")
            else:
                inputs.append(self.operand())
                if len(inputs) > self.limits.operands:
                    self.fail(token.at, f"more operands than the limit of {self.limits.operands}")
        self.expect(")")
        return tuple(inputs), attrs

    def attribute(self, attrs: dict[str, Any]) -> None:
        """name=literal, or name=graph(...) { ... }"""
        token = self.next()
        if token.text in attrs:
            self.fail(token.at, f"the attribute {token.text!r} is given twice")
        self.expect("=")
        attrs[token.text] = self.block() if self.at("graph") else self.literal()

    def operand(self) -> Any:
        """%x, a number, None, or opaque: f32[3]"""
        token = self.peek()
        if token.kind == "value":
            return self.value()
        if self.take("opaque"):
            self.expect(":")
            return self.type()
        value = self.literal()
        if value is not None and not is_number(value):
            self.fail(token.at, f"expected a value (%name), a number or None, got {shown(token)}")
        return value

    def effect(self, leaves: set[Node], before: list[tuple[Node, Node]]) -> tuple[Node, Node]:
        """effect %w <- %9"""
        token = self.peek()
        old = self.value()
        if old not in leaves:
            self.fail(token.at, f"{token.text} is not an input or a capture, so it cannot be written")
        if any(old is other for other, _ in before):
            self.fail(token.at, f"{token.text} is written twice")
        self.expect("<-")
        here = self.peek()
        new = self.value()
        if new.types != old.types:
            self.fail(here.at, f"{here.text} has another type than {token.text}")
        self.end_of_line()
        return old, new

    def outputs(self) -> list[Any]:
        """return %3, 2.0"""
        self.expect("return")
        found: list[Any] = []
        while self.peek().kind not in ("newline", "end"):
            if found:
                self.expect(",")
            token = self.peek()
            value = self.value() if token.kind == "value" else self.literal()
            if isinstance(value, Node) and isinstance(value.dtype, tuple):
                self.fail(token.at, f"{token.text} has several results; take one with project")
            if not isinstance(value, Node) and not is_number(value):
                self.fail(token.at, f"expected a value (%name) or a number, got {shown(token)}")
            found.append(value)
        self.end_of_line()
        return found

    def literal(self) -> Any:
        """A typed literal; see ir/literals.py."""
        token = self.next()
        if token.kind == "number":
            return self.number(token)
        if token.kind == "string":
            return self.string(token)
        if token.kind == "mark" and token.text == "...":
            return ...
        if token.kind == "mark" and token.text == "(":
            return self.tuple(token)
        if token.kind == "word" and token.text in _WORDS:
            return _WORDS[token.text]
        if token.kind == "word" and token.text in DTYPE_OF_SHORT:
            return DTYPE_OF_SHORT[token.text].numpy
        if token.kind == "word" and token.text in ("slice", "complex"):
            return self.call(token)
        self.fail(token.at, f"expected a literal, got {shown(token)}")

    def number(self, token: Token) -> int | float:
        """An int if it is written without point, exponent, inf and nan."""
        if len(token.text) > self.limits.digits:
            self.fail(token.at, f"a number of more than {self.limits.digits} digits")
        return int(token.text) if _INTEGER.match(token.text) else float(token.text)

    def string(self, token: Token) -> str:
        """A JSON string."""
        try:
            value: str = json.loads(token.text)
        except ValueError:
            self.fail(token.at, f"a string with an unknown escape: {shown(token)}")
        return value

    def tuple(self, opening: Token) -> tuple[Any, ...]:
        """(a, b), (a,) or ()"""
        self.depth += 1
        if self.depth > self.limits.depth:
            self.fail(opening.at, f"literals are nested deeper than the limit of {self.limits.depth}")
        items: list[Any] = []
        comma = False
        while not self.at(")"):
            if items and not comma:
                self.expect(",")
            items.append(self.literal())
            comma = self.take(",")
        if len(items) == 1 and not comma:
            self.fail(self.peek().at, "expected ',': a tuple of one is written (a,)")
        self.expect(")")
        self.depth -= 1
        return tuple(items)

    def call(self, word: Token) -> Any:
        """slice(a, b, c) or complex(re, im)"""
        if not self.at("("):
            self.expect("(")
        items = self.tuple(self.next())
        if word.text == "slice":
            if len(items) != 3:
                self.fail(word.at, f"slice takes 3 literals, got {len(items)}")
            return slice(*items)
        if len(items) != 2 or not all(isinstance(i, float) for i in items):
            self.fail(word.at, "complex takes two floats: complex(1.0, -2.0)")
        return complex(*items)
