"""Further rules of stabilise: sums, products and quotients of exponentials, hyperbolic functions written with them, and differences that cancel."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, reduced, size_of
from tracegrad.passes.patterns import made_by
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses
from tracegrad.passes.signs import never_negative

STAGE = "stabilise"
LINEAR_FROM = 40.0  # log(1 + exp(x)) is x from here on, in every dtype with at most 53 bits
BIG = A(6, lo=-900.0, hi=900.0)
X = ({"x": A(2, 3)},)
BIGS = (*X, {"x": BIG})
PAIRS = ({"x": A(2, 3), "y": A(3)}, {"x": BIG, "y": BIG})


def real(out: Type) -> bool:
    """Whether the elements are real floating-point numbers."""
    return out.dtype.kind in "fV"


def _exp_of_log(F: Builder, node: Node, uses: Uses) -> Any:
    """exp undoes log where the logarithm is of what is never negative."""
    inner = node.inputs[0]
    return inner.inputs[0] if made_by(inner, "log") and never_negative(inner.inputs[0]) else None


def count(x: Node, dim: Any) -> int:
    """How many elements a fold of x over dim puts together."""
    return size_of(x.shape) // max(size_of(reduced(x.shape, dim, False)), 1)


EXPONENTIALS: tuple[AnyRule, ...] = (
    Rewrite("exp(log x) -> x, x never negative", _exp_of_log, roots=("exp",), when=lambda op, kinds: kinds[0] is not None,
            stage=STAGE, exactness="rounding", examples=((lambda F, x: F.exp(F.log(F.sigmoid(x))), (A(2, 3),)),)),
    Rule("log1p(expm1 x) -> x", lambda F, x: F.log1p(F.expm1(x)), lambda F, x: x, stage=STAGE, exactness="domain", examples=BIGS),
    Rule("log2(exp2 x) -> x", lambda F, x: F.log2(F.exp2(x)), lambda F, x: x, stage=STAGE, exactness="domain", examples=X),
    Rule("exp x * exp y -> exp(x + y)", lambda F, x, y: F.mul(F.exp(x), F.exp(y)), lambda F, x, y: F.exp(F.add(x, y)),
         alone=True, given=lambda out: out.dtype.kind == "f" and out.dtype.itemsize >= 4,
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3), "y": A(3)}, {"x": A(4, lo=710.0, hi=730.0), "y": A(4, lo=-700.0, hi=-650.0)})),
    Rule("log(exp x + exp y) -> logaddexp(x, y)", lambda F, x, y: F.log(F.add(F.exp(x), F.exp(y))),
         lambda F, x, y: F.logaddexp(x, y), stage=STAGE, exactness="domain", examples=PAIRS),
    Rule("exp x * (g / (exp x + exp y)) -> g * sigmoid(x - y)",
         lambda F, x, y, g: F.mul(F.div(g, F.add(F.exp(x), F.exp(y))), F.exp(x)),
         lambda F, x, y, g: F.mul(g, F.sigmoid(F.sub(x, y))), given=lambda x, y: x.shape == y.shape,
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3), "y": A(2, 3), "g": A(3)}, {"x": BIG, "y": BIG, "g": A(6)})),
    Rule("exp x / (exp x + exp y) -> sigmoid(x - y)", lambda F, x, y: F.div(F.exp(x), F.add(F.exp(x), F.exp(y))),
         lambda F, x, y: F.sigmoid(F.sub(x, y)), given=lambda x, y: x.shape == y.shape,
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3), "y": A(2, 3)}, {"x": BIG, "y": BIG})),
    Rule("log(mean(exp x)) -> logsumexp x - log(count)", lambda F, x, D, K: F.log(F.mean(F.exp(x), dim=D, keepdim=K)),
         lambda F, x, D, K: F.add(F.logsumexp(x, dim=D, keepdim=K), -math.log(count(x, D))), given=lambda x, D: count(x, D) > 0,
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3), "D": (1,), "K": False}, {"x": BIG, "D": None, "K": False})),
    Rule("sqrt(exp x) -> exp(x * 0.5)", lambda F, x: F.sqrt(F.exp(x)), lambda F, x: F.exp(F.mul(x, 0.5)),
         alone=True, stage=STAGE, exactness="domain", examples=BIGS),
    Rule("reciprocal(exp x) -> exp(neg x)", lambda F, x: F.reciprocal(F.exp(x)), lambda F, x: F.exp(F.neg(x)),
         alone=True, stage=STAGE, exactness="domain", examples=(*X, {"x": A(6, lo=600.0, hi=740.0)})),
    Rule("log(sqrt x) -> log x * 0.5", lambda F, x: F.log(F.sqrt(x)), lambda F, x: F.mul(F.log(x), 0.5),
         alone=True, given=real, stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=0.1)},)),
    Rule("x - logsumexp x -> log_softmax x", lambda F, x, D: F.sub(x, F.logsumexp(x, dim=D, keepdim=True)),
         lambda F, x, D: F.log_softmax(x, dim=D[0]), given=lambda D: D is not None and len(D) == 1, alone=True,
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "D": (1,)},)),
    Rule("exp(log_softmax x) -> softmax x", lambda F, x, D: F.exp(F.log_softmax(x, dim=D)), lambda F, x, D: F.softmax(x, dim=D),
         alone=True, stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "D": 1},)),
    Rule("log1p(neg(sigmoid x)) -> neg(softplus x)", lambda F, x: F.log1p(F.neg(F.sigmoid(x))),
         lambda F, x: F.neg(F.softplus(x, beta=1.0, threshold=LINEAR_FROM)),
         given=lambda out: out.dtype.kind == "f" and out.dtype.itemsize >= 4, stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3)}, {"x": BIG})),
    Rule("softplus x - x -> softplus(neg x)", lambda F, x, B, T: F.sub(F.softplus(x, beta=B, threshold=T), x),
         lambda F, x, B, T: F.softplus(F.neg(x), beta=B, threshold=T), alone=True,
         given=lambda B, T, out: B == 1 and T in (20, LINEAR_FROM) and out.dtype.kind == "f" and out.dtype.itemsize >= 4,
         stage=STAGE, exactness="domain", examples=({"x": A(2, 3), "B": 1.0, "T": LINEAR_FROM},)),
    Rule("logit(sigmoid x) -> x", lambda F, x: F.logit(F.sigmoid(x), eps=None), lambda F, x: x, stage=STAGE, exactness="domain",
         examples=BIGS),
    Rule("pow(exp x, c) -> exp(x * c)", lambda F, x, c: F.pow(F.exp(x), c), lambda F, x, c: F.exp(F.mul(x, c)),
         alone=True, given=lambda c, out: type(c) is float and 1e-4 < abs(c) < 1e4 and real(out), stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3), "c": 0.3},)),
)  # fmt: skip

HYPERBOLIC: tuple[AnyRule, ...] = (
    Rule("expm1 x / (exp x + 1) -> tanh(x * 0.5)", lambda F, x: F.div(F.expm1(x), F.add(F.exp(x), 1)),
         lambda F, x: F.tanh(F.mul(x, 0.5)), stage=STAGE, exactness="domain", examples=BIGS),
    Rule("(exp x - 1) / (exp x + 1) -> tanh(x * 0.5)", lambda F, x: F.div(F.add(F.exp(x), -1), F.add(F.exp(x), 1)),
         lambda F, x: F.tanh(F.mul(x, 0.5)), stage=STAGE, exactness="domain", examples=BIGS),
    Rule("sigmoid x * 2 - 1 -> tanh(x * 0.5)", lambda F, x: F.add(F.mul(F.sigmoid(x), 2), -1), lambda F, x: F.tanh(F.mul(x, 0.5)),
         given=real, alone=True, stage=STAGE, exactness="rounding", examples=X),
    Rule("(tanh(x * 0.5) + 1) * 0.5 -> sigmoid x", lambda F, x: F.mul(F.add(F.tanh(F.mul(x, 0.5)), 1), 0.5),
         lambda F, x: F.sigmoid(x), given=real, alone=True, stage=STAGE, exactness="rounding", examples=X),
    Rule("(exp x - exp(neg x)) * 0.5 -> sinh x", lambda F, x: F.mul(F.sub(F.exp(x), F.exp(F.neg(x))), 0.5), lambda F, x: F.sinh(x),
         given=real, alone=True, stage=STAGE, exactness="rounding", examples=X),
    Rule("(exp x + exp(neg x)) * 0.5 -> cosh x", lambda F, x: F.mul(F.add(F.exp(x), F.exp(F.neg(x))), 0.5), lambda F, x: F.cosh(x),
         given=real, alone=True, stage=STAGE, exactness="rounding", examples=X),
    Rule("sinh x / cosh x -> tanh x", lambda F, x: F.div(F.sinh(x), F.cosh(x)), lambda F, x: F.tanh(x),
         alone=True, stage=STAGE, exactness="domain", examples=BIGS),
    Rule("sin x / cos x -> tan x", lambda F, x: F.div(F.sin(x), F.cos(x)), lambda F, x: F.tan(x),
         given=real, alone=True, stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=-1.0, hi=1.0)},)),
)  # fmt: skip

CANCELLING: tuple[AnyRule, ...] = (
    Rule("1 - cos x -> square(sin(x * 0.5)) * 2", lambda F, x: F.sub(1, F.cos(x)),
         lambda F, x: F.mul(F.square(F.sin(F.mul(x, 0.5))), 2.0), given=real, stage=STAGE, exactness="rounding", examples=X),
    Rule("square x - square y -> (x - y) * (x + y)", lambda F, x, y: F.sub(F.square(x), F.square(y)),
         lambda F, x, y: F.mul(F.sub(x, y), F.add(x, y)),
         alone=True, given=lambda x, y: x.shape == y.shape, stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3), "y": A(2, 3)}, {"x": A(3, lo=1.5e154, hi=1.6e154), "y": A(3, lo=1.5e154, hi=1.6e154)})),
    Rule("1 - erf x -> erfc x", lambda F, x: F.sub(1, F.erf(x)), lambda F, x: F.erfc(x), given=real, alone=True,
         stage=STAGE, exactness="rounding", examples=X),
    Rule("1 - erfc x -> erf x", lambda F, x: F.sub(1, F.erfc(x)), lambda F, x: F.erf(x), given=real, alone=True,
         stage=STAGE, exactness="rounding", examples=X),
    Rule("mean(square x) - square(mean x) -> var x",
         lambda F, x, D, K: F.sub(F.mean(F.square(x), dim=D, keepdim=K), F.square(F.mean(x, dim=D, keepdim=K))),
         lambda F, x, D, K: F.var(x, dim=D, keepdim=K, correction=0), given=lambda x, D, out: real(out) and count(x, D) > 1,
         stage=STAGE, exactness="domain",
         examples=({"x": A(2, 3), "D": (1,), "K": True}, {"x": A(5, lo=10.0, hi=20.0), "D": None, "K": False})),
)  # fmt: skip

RULES: tuple[AnyRule, ...] = (*EXPONENTIALS, *HYPERBOLIC, *CANCELLING)
