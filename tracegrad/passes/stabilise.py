"""stabilise: expressions that overflow or cancel become those that do not.  Expects canonical form (see canonicalise)."""

from __future__ import annotations

from tracegrad.ir.graph import Graph
from tracegrad.ir.samples import A
from tracegrad.passes.rewrite import rewrite
from tracegrad.passes.rules import AnyRule, Rule

STAGE = "stabilise"


def stabilise(graph: Graph) -> Graph:
    """The graph with the stable form of each expression that has one."""
    return rewrite(graph, RULES, STAGE)


RULES: tuple[AnyRule, ...] = (
    Rule("log(exp x) -> x", lambda F, x: F.log(F.exp(x)), lambda F, x: x,
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3)}, {"x": A(3, lo=-1e3, hi=1e3)})),
)  # fmt: skip
