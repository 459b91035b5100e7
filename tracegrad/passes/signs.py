"""Units and signs: neutral operands disappear, and signs move outward until they meet a literal, a sum or
another sign.  Part of canonicalise."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.passes.patterns import same_number
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "canonicalise"
NEVER_MINUS_ZERO = frozenset(("square", "exp", "abs", "sigmoid", "softplus", "cosh", "softmax"))


def negated(c: Any) -> Any:
    """-c, where the int 0 counts as 0.0: its negative is -0.0."""
    return -c if c != 0 or isinstance(c, complex) else -float(c)


def cannot_be_minus_zero(x: Node) -> bool:
    """Whether no element of x is -0.0, by the operator that made it."""
    if x.dtype.kind not in "fcV":
        return True
    if x.op is None:
        return False
    return x.op.name in NEVER_MINUS_ZERO or (x.op.name == "add" and type(x.inputs[1]) is float and x.inputs[1] != 0)


def never_negative(x: Any) -> bool:
    """Whether every element of the real value x is 0.0, positive or nan, by the operator that made it."""
    if not isinstance(x, Node) or x.op is None or x.dtype.kind not in "fV":
        return False
    return x.op.name in NEVER_MINUS_ZERO


def _plus_zero(F: Builder, node: Node, uses: Uses) -> Any:
    x, c = node.inputs
    return (
        x if isinstance(x, Node) and same_number(0, c) and x.shape == node.shape and cannot_be_minus_zero(x) else None
    )


def _involution(F: Builder, node: Node, uses: Uses) -> Any:
    inner = node.inputs[0] if len(node.inputs) == 1 else None
    if (
        node.op is None
        or not node.op.involution
        or not isinstance(inner, Node)
        or inner.op is not node.op
        or inner.attrs != node.attrs
    ):
        return None
    return inner.inputs[0]


def _idempotent(F: Builder, node: Node, uses: Uses) -> Any:
    inner = node.inputs[0] if len(node.inputs) == 1 else None
    if (
        node.op is None
        or not node.op.idempotent
        or not isinstance(inner, Node)
        or inner.op is not node.op
        or inner.attrs != node.attrs
    ):
        return None
    return inner


X = {"x": A(2, 3)}
XC = {"x": A(2, 3), "c": 3.0}
XY = {"x": A(2, 3), "y": A(3, lo=0.5)}

RULES: tuple[AnyRule, ...] = (
    Rule("x * 1 -> x", lambda F, x: F.mul(x, 1), lambda F, x: x, stage=STAGE, exactness="exact", examples=(X,)),
    Rule("x / 1 -> x", lambda F, x: F.div(x, 1), lambda F, x: x, stage=STAGE, exactness="exact", examples=(X,)),
    Rule("x + -0.0 -> x", lambda F, x: F.add(x, -0.0), lambda F, x: x, stage=STAGE, exactness="exact",
         examples=(X,)),
    Rewrite("x + 0 -> x, x never -0.0", _plus_zero, roots=("add",), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.add(F.exp(x), 0), (A(2, 3),)),
                      (lambda F, x: F.add(F.add(x, 1.5), 0.0), (A(2, 3),)))),
    Rule("x * -1 -> neg x", lambda F, x: F.mul(x, -1), lambda F, x: F.neg(x),
         given=lambda out: out.dtype.kind in "fiV",
         stage=STAGE, exactness="exact", examples=(X,)),
    Rewrite("f(f x) -> x, f an involution", _involution, when=lambda op, kinds: op.involution and kinds[0] is op, stage=STAGE, exactness="rounding",
            examples=((lambda F, x: F.neg(F.neg(x)), (A(2, 3),)),)),
    Rewrite("f(f x) -> f x, f idempotent", _idempotent, when=lambda op, kinds: op.idempotent and kinds[0] is op, stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.relu(F.relu(x)), (A(2, 3),)),)),
    Rule("neg(x * c) -> x * -c", lambda F, x, c: F.neg(F.mul(x, c)), lambda F, x, c: F.mul(x, negated(c)),
         given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="exact", examples=(XC,)),
    Rule("neg(x) * c -> x * -c", lambda F, x, c: F.mul(F.neg(x), c), lambda F, x, c: F.mul(x, negated(c)),
         given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="exact", examples=(XC,)),
    Rule("neg(x) * y -> neg(x * y)", lambda F, x, y: F.mul(F.neg(x), y), lambda F, x, y: F.neg(F.mul(x, y)),
         given=lambda x, out: out.dtype.kind in "fV" and x.shape == out.shape, stage=STAGE, exactness="exact",
         examples=(XY,)),
    Rule("neg(x) / y -> neg(x / y)", lambda F, x, y: F.div(F.neg(x), y), lambda F, x, y: F.neg(F.div(x, y)),
         given=lambda x, out: out.dtype.kind in "fV" and x.shape == out.shape, stage=STAGE, exactness="exact",
         examples=(XY,)),
    Rule("x + neg y -> x - y", lambda F, x, y: F.add(x, F.neg(y)), lambda F, x, y: F.sub(x, y),
         stage=STAGE, exactness="exact", examples=(XY,)),
    Rule("x - neg y -> x + y", lambda F, x, y: F.sub(x, F.neg(y)), lambda F, x, y: F.add(x, y),
         stage=STAGE, exactness="exact", examples=(XY,)),
    Rule("neg(x) - y -> neg(x + y)", lambda F, x, y: F.sub(F.neg(x), y), lambda F, x, y: F.neg(F.add(x, y)),
         alone=True,
         given=lambda out: out.dtype.kind in "fV", stage=STAGE, exactness="rounding", examples=(XY,)),
    Rule("neg(x) / c -> x / -c", lambda F, x, c: F.div(F.neg(x), c), lambda F, x, c: F.div(x, negated(c)),
         given=lambda out: out.dtype.kind in "fV", stage=STAGE, exactness="exact", examples=(XC,)),
    Rule("neg(x) + c -> c - x", lambda F, x, c: F.add(F.neg(x), c), lambda F, x, c: F.sub(c, x),
         stage=STAGE, exactness="exact", examples=(XC,)),
    Rule("sum(neg x) -> neg(sum x)", lambda F, x, D, K: F.sum(F.neg(x), dim=D, keepdim=K),
         lambda F, x, D, K: F.neg(F.sum(x, dim=D, keepdim=K)),
         alone=True, given=lambda out: out.dtype.kind in "fV", stage=STAGE, exactness="rounding",
         examples=({"x": A(2, 3), "D": (0,), "K": False},)),
    Rule("square(neg x) -> square x", lambda F, x: F.square(F.neg(x)), lambda F, x: F.square(x), stage=STAGE,
         exactness="exact", examples=(X,)),
    Rule("abs(neg x) -> abs x", lambda F, x: F.abs(F.neg(x)), lambda F, x: F.abs(x), given=lambda out: out.dtype.kind != "u", stage=STAGE,
         exactness="exact", examples=(X,)),
    Rule("cos(neg x) -> cos x", lambda F, x: F.cos(F.neg(x)), lambda F, x: F.cos(x), stage=STAGE,
         exactness="exact", examples=(X,)),
    Rule("x * reciprocal y -> x / y", lambda F, x, y: F.mul(x, F.reciprocal(y)), lambda F, x, y: F.div(x, y),
         alone=True,
         stage=STAGE, exactness="rounding", examples=(XY,)),
)  # fmt: skip
