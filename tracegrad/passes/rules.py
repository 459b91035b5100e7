"""Rules: rewrites written as a pair of functions, or as one function where the pattern is open (any
operator, computed attributes).

A pattern names its wildcards by its parameters:

    x, y, g, ...    a value: any node
    c, c1, c2, c3   a literal: any Python number
    DIM, SHAPE ...  an attribute: any value (upper case)

The same wildcard twice must match the same thing.  Commutative operators match in both orders.  `after` and
`given` take the names they need; `out` is the type of the matched value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tracegrad.ops  # noqa: F401  (rules name operators, so the registry must know where they are)
from tracegrad.errors import DefinitionError, explain
from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op, parameters
from tracegrad.passes.patterns import MATCHED, Bindings, Matcher, P, Pattern, Signature, Wildcard, fits_node, wildcard

EXACTNESS = ("exact", "rounding", "domain", "fast")
"""exact: the same bits.  rounding: the same up to rounding.  domain: also finite where the original is not.
fast: may lose accuracy, off by default."""

Uses = Callable[[Node], int]


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
        self._matcher: Matcher | None = None
        inputs = self.pattern.inputs
        self._twice = len(inputs) == 2 and inputs[0] == inputs[1] and isinstance(inputs[0], Wildcard)

    def fits(self, of: Signature) -> bool:
        """Whether the rule can apply to a node of this signature."""
        return fits_node(self.pattern, of)

    def apply(self, F: Builder, node: Node, uses: Uses) -> Any:
        """The replacement of `node`, or None where the rule does not apply.  Rules of the exactness "domain" speak of real numbers."""
        if self.exactness == "domain" and node.dtype.kind == "c":  # log(exp z) is z up to 2 pi i
            return None
        if self._twice and node.inputs[0] is not node.inputs[1]:
            return None
        if self._matcher is None:
            self._matcher = Matcher(self.pattern)

        def accept(found: Bindings) -> bool:
            found["out"] = node.type
            if self.given is not None and not self.given(*[found[n] for n in self._given_names]):
                return False
            return not self.alone or all(uses(inner) <= 1 for inner in found[MATCHED][1:])

        found = self._matcher.find(node, accept)
        return None if found is None else self.after(F, *[found[n] for n in self._after_names])


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

    def fits(self, of: Signature) -> bool:
        """Whether the rule can apply to a node of this signature."""
        return self.when is None or of[0].variadic or self.when(of[0], of[1:])


AnyRule = Rule | Rewrite
