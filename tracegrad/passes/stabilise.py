"""stabilise: expressions that overflow or cancel become those that do not.  Expects canonical form (see
canonicalise).

The patterns include what differentiation makes of the naive forms: exp(x) * (g / sum(exp x)) is the gradient
of log(sum(exp x)).
"""

from __future__ import annotations

from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, broadcast, reduced
from tracegrad.passes import exponents
from tracegrad.passes.rewrite import RuleSet, rewrite
from tracegrad.passes.rules import AnyRule, Rule

STAGE = "stabilise"
LINEAR_FROM = 40.0  # log(1 + exp(x)) is x from here on, in every dtype with at most 53 bits

Axes = tuple[int, ...] | None


def stabilise(graph: Graph) -> Graph:
    """The graph with the stable form of each expression that has one."""
    return rewrite(graph, RULE_SET, STAGE)


def proportion(F: Builder, x: Node, dim: Axes) -> Any:
    """exp(x) / sum(exp(x)) over dim, without overflow."""
    axes = tuple(range(len(x.shape))) if dim is None else dim
    if len(axes) == 1:
        return F.softmax(x, dim=axes[0])
    return F.exp(F.sub(x, F.logsumexp(x, dim=dim, keepdim=True)))


def in_place(x: Node, dim: Axes, keep: bool) -> bool:
    """Whether a fold of x over dim stands where it belongs when it is broadcast against x: axes kept, or
    only leading ones gone."""
    axes = tuple(range(len(x.shape))) if dim is None else dim
    return keep or axes == tuple(range(len(axes)))


def kept(x: Node, dim: Axes, shape: tuple[int, ...]) -> bool:
    """Whether `shape` is that of a fold of x over dim with its axes kept."""
    return shape == reduced(x.shape, dim, True)


def soft(F: Builder, x: Node) -> Any:
    """log(1 + exp(x)) without overflow."""
    return F.softplus(x, beta=1.0, threshold=LINEAR_FROM)


def wide(out: Type) -> bool:
    """Whether exp(LINEAR_FROM) is a number of this dtype."""
    return out.dtype.kind in "fV" and out.dtype.itemsize >= 4


BIG = A(6, lo=-900.0, hi=900.0)
BIGS = ({"x": A(2, 3)}, {"x": BIG})
FOLDS = (
    {"x": A(2, 3), "D": (1,), "K": False},
    {"x": A(2, 3, lo=-900.0, hi=900.0), "D": (0,), "K": True},
    {"x": BIG, "D": None, "K": False},
)
KEPT = (
    {"x": A(2, 3), "D": (1,), "K": True},
    {"x": A(2, 3, lo=-900.0, hi=900.0), "D": (1,), "K": True},
    {"x": A(2, 3), "D": None, "K": False},
)
GKEPT = ({**KEPT[0], "g": A(2, 1)}, {**KEPT[1], "g": A(2, 1)}, {**KEPT[2], "g": A()})

LOGARITHMS: tuple[AnyRule, ...] = (
    Rule("log(exp x) -> x", lambda F, x: F.log(F.exp(x)), lambda F, x: x, stage=STAGE, exactness="domain",
         examples=BIGS),
    Rule("log(sum(exp x)) -> logsumexp x", lambda F, x, D, K: F.log(F.sum(F.exp(x), dim=D, keepdim=K)),
         lambda F, x, D, K: F.logsumexp(x, dim=D, keepdim=K), stage=STAGE, exactness="domain", examples=FOLDS),
    Rule("log(softmax x) -> log_softmax x", lambda F, x, D: F.log(F.softmax(x, dim=D)),
         lambda F, x, D: F.log_softmax(x, dim=D),
         stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3), "D": 1}, {"x": A(2, 3, lo=-900.0, hi=900.0), "D": 0})),
    Rule("log(1 + x) -> log1p x", lambda F, x: F.log(F.add(x, 1)), lambda F, x: F.log1p(x),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=-0.5)},)),
    Rule("log(1 - x) -> log1p(neg x)", lambda F, x: F.log(F.sub(1, x)), lambda F, x: F.log1p(F.neg(x)),
         given=lambda out: out.dtype.kind in "fV", stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, hi=0.5)},)),
    Rule("log1p(exp x) -> softplus x", lambda F, x: F.log1p(F.exp(x)), soft, given=lambda out: wide(out),
         stage=STAGE, exactness="domain", examples=BIGS),
    Rule("log(sigmoid x) -> neg(softplus(neg x))", lambda F, x: F.log(F.sigmoid(x)),
         lambda F, x: F.neg(soft(F, F.neg(x))),
         given=lambda out: wide(out), stage=STAGE, exactness="domain", examples=BIGS),
    Rule("log(square x) -> 2 log(abs x)", lambda F, x: F.log(F.square(x)),
         lambda F, x: F.mul(F.log(F.abs(x)), 2.0),
         given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3, lo=0.1)}, {"x": A(3, lo=1e200, hi=1e300)})),
    Rule("log(reciprocal(abs x)) -> neg(log(abs x))", lambda F, x: F.log(F.reciprocal(F.abs(x))), lambda F, x: F.neg(F.log(F.abs(x))),
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3, lo=0.1)}, {"x": A(3, lo=1e-310, hi=2e-310)})),
)  # fmt: skip

EXPONENTIALS: tuple[AnyRule, ...] = (
    Rule("exp x - 1 -> expm1 x", lambda F, x: F.add(F.exp(x), -1), lambda F, x: F.expm1(x), stage=STAGE,
         exactness="rounding",
         examples=({"x": A(2, 3)},)),
    Rule("1 - exp x -> neg(expm1 x)", lambda F, x: F.sub(1, F.exp(x)), lambda F, x: F.neg(F.expm1(x)),
         stage=STAGE, exactness="rounding",
         examples=({"x": A(2, 3)},)),
    Rule("sqrt(square x) -> abs x", lambda F, x: F.sqrt(F.square(x)), lambda F, x: F.abs(x),
         given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3)}, {"x": A(3, lo=1e200, hi=1e300)})),
    Rule("exp x * (g / exp x) -> g * exp(x - x)", lambda F, x, g: F.mul(F.div(g, F.exp(x)), F.exp(x)),
         lambda F, x, g: F.mul(g, F.exp(F.sub(x, x))), stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3), "g": A(3)}, {"x": BIG, "g": A(6)})),
    Rule("exp x / exp x -> exp(x - x)", lambda F, x: F.div(F.exp(x), F.exp(x)), lambda F, x: F.exp(F.sub(x, x)),
         stage=STAGE, exactness="domain", examples=BIGS),
    Rule("tanh from exponentials", lambda F, x: F.div(F.sub(F.exp(x), F.exp(F.neg(x))),
                                                      F.add(F.exp(x), F.exp(F.neg(x)))), lambda F, x: F.tanh(x),
         stage=STAGE, exactness="domain", examples=BIGS),
)  # fmt: skip

SIGMOIDS: tuple[AnyRule, ...] = (
    Rule("1 / (1 + exp(neg x)) -> sigmoid x", lambda F, x: F.reciprocal(F.add(F.exp(F.neg(x)), 1)),
         lambda F, x: F.sigmoid(x),
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3)},)),
    Rule("1 / (1 + exp x) -> sigmoid(neg x)", lambda F, x: F.reciprocal(F.add(F.exp(x), 1)),
         lambda F, x: F.sigmoid(F.neg(x)),
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3)},)),
    Rule("exp x / (1 + exp x) -> sigmoid x", lambda F, x: F.div(F.exp(x), F.add(F.exp(x), 1)),
         lambda F, x: F.sigmoid(x),
         stage=STAGE, exactness="domain", examples=BIGS),
    Rule("g / (1 + exp x) -> g * sigmoid(neg x)", lambda F, x, g: F.div(g, F.add(F.exp(x), 1)),
         lambda F, x, g: F.mul(g, F.sigmoid(F.neg(x))),
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3), "g": A(3)},)),
    Rule("sigmoid(neg x) * exp x -> sigmoid x", lambda F, x: F.mul(F.sigmoid(F.neg(x)), F.exp(x)),
         lambda F, x: F.sigmoid(x),
         stage=STAGE, exactness="domain", examples=BIGS),
    Rule("(g * sigmoid(neg x)) * exp x -> g * sigmoid x",
         lambda F, x, g: F.mul(F.mul(g, F.sigmoid(F.neg(x))), F.exp(x)),
         lambda F, x, g: F.mul(g, F.sigmoid(x)), stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3), "g": A(3)}, {"x": BIG, "g": A(6)})),
    Rule("square(sigmoid x) * exp(neg x) -> sigmoid x * sigmoid(neg x)",
         lambda F, x: F.mul(F.square(F.sigmoid(x)), F.exp(F.neg(x))),
         lambda F, x: F.mul(F.sigmoid(x), F.sigmoid(F.neg(x))), stage=STAGE, exactness="domain", examples=BIGS),
    Rule("(g * square(sigmoid x)) * exp(neg x) -> g * sigmoid x * sigmoid(neg x)",
         lambda F, x, g: F.mul(F.mul(g, F.square(F.sigmoid(x))), F.exp(F.neg(x))),
         lambda F, x, g: F.mul(g, F.mul(F.sigmoid(x), F.sigmoid(F.neg(x)))), stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3), "g": A(3)}, {"x": BIG, "g": A(6)})),
    Rule("1 - sigmoid x -> sigmoid(neg x)", lambda F, x: F.sub(1, F.sigmoid(x)),
         lambda F, x: F.sigmoid(F.neg(x)),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3)},)),
)  # fmt: skip

PROPORTIONS: tuple[AnyRule, ...] = (
    Rule("exp x / sum(exp x) -> softmax x", lambda F, x, D, K: F.div(F.exp(x),
                                                                     F.sum(F.exp(x), dim=D, keepdim=K)),
                                                                     lambda F, x, D: proportion(F, x, D),
         given=lambda x, D, K: in_place(x, D, K), stage=STAGE, exactness="domain", examples=KEPT),
    Rule("exp x * (g / sum(exp x)) -> softmax x * g",
         lambda F, x, g, D, K: F.mul(F.div(g, F.sum(F.exp(x), dim=D, keepdim=K)), F.exp(x)),
         lambda F, x, g, D: F.mul(proportion(F, x, D), g),
         given=lambda x, g, D, K, out: in_place(x, D, K) and out.shape == broadcast("mul", x.shape, g.shape),
         stage=STAGE, exactness="domain", examples=GKEPT),
    Rule("exp x * reshape(reciprocal(sum(exp x))) -> softmax x",
         lambda F, x, D, R: F.mul(F.reshape(F.reciprocal(F.sum(F.exp(x), dim=D, keepdim=False)), shape=R),
                                  F.exp(x)),
         lambda F, x, D: proportion(F, x, D), given=lambda x, D, R: kept(x, D, R), stage=STAGE,
         exactness="domain",
         examples=({"x": A(2, 3), "D": (1,), "R": (2, 1)},
                   {"x": A(2, 3, lo=-900.0, hi=900.0), "D": (1,), "R": (2, 1)})),
    Rule("exp x * reshape(g / sum(exp x)) -> softmax x * reshape g",
         lambda F, x, g, D, R: F.mul(F.reshape(F.div(g, F.sum(F.exp(x), dim=D, keepdim=False)), shape=R),
                                     F.exp(x)),
         lambda F, x, g, D, R: F.mul(proportion(F, x, D), F.reshape(g, shape=R)),
         given=lambda x, g, D, R: kept(x, D, R) and g.shape == reduced(x.shape, D, False), stage=STAGE,
         exactness="domain",
         examples=({"x": A(2, 3), "g": A(2), "D": (1,), "R": (2, 1)},
                   {"x": A(2, 3, lo=-900.0, hi=900.0), "g": A(2), "D": (1,), "R": (2, 1)})),
)  # fmt: skip

RULES: tuple[AnyRule, ...] = (*LOGARITHMS, *EXPONENTIALS, *SIGMOIDS, *PROPORTIONS, *exponents.RULES)
RULE_SET = RuleSet(RULES, STAGE)
