"""Rules: rewrites written as a pair of functions, or as one function where the pattern is open (any
operator, computed attributes).

A pattern names its wildcards by its parameters:

    x, y, g, ...    a value: any node
    c, c1, c2       a literal: any Python number
    DIM, SHAPE ...  an attribute: any value (upper case)

The same wildcard twice must match the same thing.  Commutative operators match in both orders.  `after` and
`given` take the names they need; `out` is the type of the matched value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tracegrad.ops  # noqa: F401  (rules name operators, so the registry must be filled)
from tracegrad.errors import DefinitionError, explain
from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op, parameters
from tracegrad.ir.prelude import Ops

EXACTNESS = ("exact", "rounding", "domain", "fast")
"""exact: the same bits.  rounding: the same up to rounding.  domain: also finite where the original is not.
fast: may lose accuracy, off by default."""

NAMED = frozenset((0, 1, -1, 2, -2, 3, 4, 0.5, -0.5))
"""The numbers that patterns name; other literals are told apart by their type alone."""

Signature = tuple[Any, ...]
"""An operator and the kinds of its inputs; the operator alone if it takes any number of them."""

MATCHED = ""  # the key under which bindings keep the matched nodes, the root first
Bindings = dict[str, Any]
Uses = Callable[[Node], int]


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
    return Wildcard(name, "literal" if name[0] == "c" and name[1:] in ("", "1", "2") else "value")


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
    return (op,) if op.variadic else (op, *map(kind_of, node.inputs))


class Rule:
    """`before -> after`, where `given` holds.

    stage      the pass that the rule belongs to
    exactness  one of EXACTNESS
    alone      only where no other node reads the inner values, which would then be computed twice
    examples   bindings for the generated tests: a Sample for a value, a number for a literal, a value for an
               attribute
    """

    def __init__(
        self,
        name: str,
        before: Callable[..., Any],
        after: Callable[..., Any],
        *,
        stage: str,
        exactness: str,
        examples: tuple[dict[str, Any], ...],
        given: Callable[..., bool] | None = None,
        alone: bool = False,
    ) -> None:
        if exactness not in EXACTNESS:
            raise DefinitionError(explain("rule", f"{exactness!r} is not one of {EXACTNESS}", rule=name))
        self.name, self.before, self.after, self.given = name, before, after, given
        self.stage, self.exactness, self.alone, self.examples = stage, exactness, alone, examples
        self.wildcards = parameters(before)[1:]
        self.pattern: Pattern = before(P, *map(wildcard, self.wildcards))
        self.roots: tuple[str, ...] | None = (self.pattern.op,)
        self._after_names = parameters(after)[1:]
        self._given_names = parameters(given) if given is not None else ()

    def fits(self, signature: Signature) -> bool:
        """Whether the rule can apply to a node of this signature."""
        return fits_node(self.pattern, signature)

    def apply(self, F: Builder, node: Node, uses: Uses) -> Any:
        """The replacement of `node`, or None where the rule does not apply.  Rules of the exactness "domain" speak of real numbers."""
        if not could_match(self.pattern, node):
            return None
        if self.exactness == "domain" and node.dtype.kind == "c":  # log(exp z) is z up to 2 pi i
            return None
        for found in match(self.pattern, node, {}):
            found["out"] = node.type
            if self.given is not None and not self.given(*(found[n] for n in self._given_names)):
                continue
            if self.alone and any(uses(inner) > 1 for inner in found[MATCHED][1:]):
                continue
            return self.after(F, *(found[n] for n in self._after_names))
        return None


class Rewrite:
    """A rule that is one function(F, node, uses) -> replacement or None, for the operators `roots` (None: all).

    examples   pairs (function over F, samples of its arguments): graphs in which the rewrite must happen
    when       (operator, kinds of its inputs) -> whether the function can have anything to say: asked once for each Signature
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Builder, Node, Uses], Any],
        *,
        stage: str,
        exactness: str,
        examples: tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...],
        roots: tuple[str, ...] | None = None,
        when: Callable[[type[Op], tuple[Any, ...]], bool] | None = None,
    ) -> None:
        if exactness not in EXACTNESS:
            raise DefinitionError(explain("rule", f"{exactness!r} is not one of {EXACTNESS}", rule=name))
        self.name, self.apply, self.roots, self.when = name, function, roots, when
        self.stage, self.exactness, self.examples = stage, exactness, examples

    def fits(self, signature: Signature) -> bool:
        """Whether the rule can apply to a node of this signature."""
        return self.when is None or signature[0].variadic or self.when(signature[0], signature[1:])


AnyRule = Rule | Rewrite


def fits_node(pattern: Pattern, signature: Signature) -> bool:
    """Whether `pattern` can describe a node of this signature."""
    op, kinds = signature[0], signature[1:]
    if op.name != pattern.op:
        return False
    if op.variadic:
        return True
    if len(kinds) != len(pattern.inputs):
        return False
    if all(map(fits_kind, pattern.inputs, kinds)):
        return True
    return op.commutative and all(map(fits_kind, pattern.inputs, kinds[::-1]))


def fits_kind(pattern: Any, kind: Any) -> bool:
    """Whether `pattern` can describe an input of this kind (see `kind_of`)."""
    of_node = is_value(kind)
    if isinstance(pattern, Pattern):
        return of_node and kind is not None and kind.name == pattern.op
    if isinstance(pattern, Wildcard):
        return of_node == (pattern.kind == "value")
    return not of_node and not isinstance(kind, type) and bool(kind == pattern)


def is_value(kind: Any) -> bool:
    """Whether an input of this kind is a node (or absent), and no literal."""
    return kind is None or (isinstance(kind, type) and issubclass(kind, Op))


def reads(kinds: tuple[Any, ...], *names: str) -> bool:
    """Whether one of the inputs was made by one of the operators `names`."""
    return any(kind is not None and is_value(kind) and kind.name in names for kind in kinds)


def could_match(pattern: Pattern, node: Node) -> bool:
    """Whether the operators of a pattern are those of the node and of what it reads: a quick look before `match` binds names."""
    return all(map(_could, pattern.inputs, node.inputs)) or (
        node.op is not None and node.op.commutative and all(map(_could, pattern.inputs, node.inputs[::-1]))
    )


def _could(pattern: Any, value: Any) -> bool:
    if pattern.__class__ is not Pattern:
        return True
    if value.__class__ is not Node or value.op is None or value.op.name != pattern.op:
        return False
    return could_match(pattern, value)


def match(pattern: Any, value: Any, found: Bindings) -> Iterator[Bindings]:
    """All ways in which `pattern` describes `value`, each as a dict of bindings that extends `found`."""
    if isinstance(pattern, Wildcard):
        fits = isinstance(value, Node) if pattern.kind == "value" else type(value) in (int, float, complex)
        if fits and bind(pattern.name, value, found):
            yield {**found, pattern.name: value}
    elif isinstance(pattern, Pattern):
        if isinstance(value, Node) and value.op is not None and value.op.name == pattern.op:
            yield from _match_node(pattern, value, {**found, MATCHED: (*found.get(MATCHED, ()), value)})
    elif not isinstance(value, Node) and same_number(pattern, value):
        yield dict(found)


def _match_node(pattern: Pattern, node: Node, found: Bindings) -> Iterator[Bindings]:
    assert node.op is not None
    if len(node.inputs) != len(pattern.inputs):
        return
    for name, have in zip(node.op.attrs, node.attrs, strict=True):
        wanted = pattern.attrs[name]
        if not isinstance(wanted, Wildcard):
            if wanted != have:
                return
        elif bind(wanted.name, have, found):
            found = {**found, wanted.name: have}
        else:
            return
    yield from _match_all(pattern.inputs, node.inputs, found)
    if node.op.commutative and pattern.inputs[0] != pattern.inputs[1]:
        yield from _match_all(pattern.inputs, node.inputs[::-1], found)


def _match_all(patterns: tuple[Any, ...], values: tuple[Any, ...], found: Bindings) -> Iterator[Bindings]:
    if not patterns:
        yield found
        return
    for here in match(patterns[0], values[0], found):
        yield from _match_all(patterns[1:], values[1:], here)


def bind(name: str, value: Any, found: Bindings) -> bool:
    """Whether `name` is free or bound to this very value."""
    if name not in found:
        return True
    before = found[name]
    return before is value or (not isinstance(value, Node) and not isinstance(before, Node) and before == value)


def same_number(a: Any, b: Any) -> bool:
    """Whether two literals are the same number, 0.0 and -0.0 being different."""
    if isinstance(b, bool) or not isinstance(b, (int, float)) or a != b:
        return False
    return a != 0 or math.copysign(1.0, a) == math.copysign(1.0, b)
