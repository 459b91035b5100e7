"""Rules for comparisons, bounds and logic.  Part of simplify.  `not x < y` is `x >= y` for whole numbers only: nan answers no to both."""

from __future__ import annotations

import math
from typing import Any

from tracegrad.dtypes import F64
from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A, I, M
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses
from tracegrad.passes.signs import negated

STAGE = "simplify"
X = {"x": A(2, 3)}
XC = {"x": A(2, 3), "c": 0.5}
XY = {"x": A(2, 3), "y": A(3)}
WHOLE = {"x": I(2, 3, below=3), "y": I(3, below=3)}
MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
OPPOSITE = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}
SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _mirrored(name: str) -> Rule:
    return Rule(f"neg x {SIGNS[name]} c -> x {SIGNS[MIRRORED[name]]} -c", lambda F, x, c: getattr(F, name)(F.neg(x), c),
                lambda F, x, c: getattr(F, MIRRORED[name])(x, negated(c)), given=lambda x, c: x.dtype.kind in "fV" and type(c) is float,
                stage=STAGE, exactness="exact", examples=(XC,))  # fmt: skip


def _opposite(name: str) -> Rule:
    return Rule(f"not x {SIGNS[name]} y -> x {SIGNS[OPPOSITE[name]]} y, whole numbers", lambda F, x, y: F.logical_not(getattr(F, name)(x, y)),
                lambda F, x, y: getattr(F, OPPOSITE[name])(x, y), given=lambda x, y: x.dtype.kind in "iub" and y.dtype.kind in "iub",
                alone=True, stage=STAGE, exactness="exact", examples=(WHOLE,))  # fmt: skip


def _same_twice(F: Builder, node: Node, uses: Uses) -> Any:
    """Of two equal values either one."""
    x, y = node.inputs
    return x if x is y and isinstance(x, Node) and x.type == node.type else None


def _bounded_again(F: Builder, node: Node, uses: Uses) -> Any:
    """Bounds within bounds are one clamp, where the outer ones leave room and differ from the inner ones (where they meet, derivatives would differ)."""
    inner = node.inputs[0]
    if not isinstance(inner, Node) or inner.op is None or inner.op.name not in ("clamp", "clamp_min", "clamp_max"):
        return None
    (low, high), (inner_low, inner_high) = node.attrs, inner.attrs
    bounds = (low, high, inner_low, inner_high)
    numbers = [b for b in bounds if b is not None]
    if any(type(b) not in (int, float) or not math.isfinite(b) for b in numbers) or len(set(numbers)) < len(numbers):
        return None
    x = inner.inputs[0]
    if any(v.dtype.kind != "f" or v.dtype.itemsize < 4 or v.dtype != node.dtype for v in (x, inner)):
        return None
    lowest = max((b for b in (low, inner_low) if b is not None), default=None)
    highest = min((b for b in (high, inner_high) if b is not None), default=None)
    if lowest is not None and highest is not None and lowest >= highest:
        return None
    return F.clamp(x, min=lowest, max=highest)


RULES: tuple[AnyRule, ...] = (
    *(_mirrored(name) for name in SIGNS),
    *(_opposite(name) for name in SIGNS),
    Rule("not x == y -> x != y", lambda F, x, y: F.logical_not(F.eq(x, y)), lambda F, x, y: F.ne(x, y), alone=True,
         stage=STAGE, exactness="exact", examples=(XY,)),
    Rule("not x != y -> x == y", lambda F, x, y: F.logical_not(F.ne(x, y)), lambda F, x, y: F.eq(x, y), alone=True,
         stage=STAGE, exactness="exact", examples=(XY,)),
    Rule("not x == c -> x != c", lambda F, x, c: F.logical_not(F.eq(x, c)), lambda F, x, c: F.ne(x, c), alone=True,
         stage=STAGE, exactness="exact", examples=(XC,)),
    Rule("not not m -> m", lambda F, m: F.logical_not(F.logical_not(m)), lambda F, m: m, given=lambda m: m.dtype.kind == "b",
         stage=STAGE, exactness="exact", examples=({"m": M(2, 3)},)),
    Rule("relu x > 0 -> x > 0", lambda F, x: F.gt(F.relu(x), 0), lambda F, x: F.gt(x, 0), stage=STAGE, exactness="exact", examples=(X,)),
    Rule("x * c > 0 -> x > 0, c at least 1", lambda F, x, c: F.gt(F.mul(x, c), 0), lambda F, x: F.gt(x, 0),
         given=lambda x, c: x.dtype.kind in "fV" and type(c) is float and 1 <= c < math.inf, stage=STAGE, exactness="exact",
         examples=({"x": A(2, 3), "c": 3.0},)),
    Rule("number of a mask != 0 -> the mask", lambda F, m, D: F.ne(F.cast(m, dtype=D), 0), lambda F, m: m,
         given=lambda m: m.dtype.kind == "b", stage=STAGE, exactness="exact", examples=({"m": M(2, 3), "D": F64},)),
    Rewrite("op(x, x) -> x: maximum, minimum, and, or", _same_twice,
            roots=("maximum", "minimum", "fmax", "fmin", "logical_and", "logical_or", "bitwise_and", "bitwise_or"),
            when=lambda op, kinds: kinds[0] is kinds[1], stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.maximum(x, x), (A(2, 3),)), (lambda F, m: F.logical_and(m, m), (M(3),)))),
    Rewrite("clamp(clamp x) -> clamp x", _bounded_again, roots=("clamp", "clamp_min", "clamp_max"), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.clamp(F.clamp(x, min=-1.5, max=1.0), min=-1.0, max=None), (A(2, 3),)),)),
    Rule("neg(maximum(neg x, neg y)) -> minimum(x, y)", lambda F, x, y: F.neg(F.maximum(F.neg(x), F.neg(y))), lambda F, x, y: F.minimum(x, y),
         given=lambda out: out.dtype.kind in "fV", stage=STAGE, exactness="rounding", examples=(XY,)),
    Rule("neg(minimum(neg x, neg y)) -> maximum(x, y)", lambda F, x, y: F.neg(F.minimum(F.neg(x), F.neg(y))), lambda F, x, y: F.maximum(x, y),
         given=lambda out: out.dtype.kind in "fV", stage=STAGE, exactness="rounding", examples=(XY,)),
)  # fmt: skip
