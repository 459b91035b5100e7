"""Rules for powers: small exponents are products, roots and reciprocals, which cost a fraction of `pow`.  Part of canonicalise."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.passes.patterns import made_by
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses
from tracegrad.passes.signs import never_negative

STAGE = "canonicalise"
X = {"x": A(2, 3)}
POSITIVE = {"x": A(2, 3, lo=0.5)}


def real(out: Type) -> bool:
    """Whether the elements are real floating-point numbers."""
    return out.dtype.kind in "fV"


def multiplies(out: Type) -> bool:
    """Whether products of the elements are products of numbers."""
    return out.dtype.kind in "fVi"


def _square_of_root(F: Builder, node: Node, uses: Uses) -> Any:
    """The square of a root of what is never negative is what is under the root."""
    root = node.inputs[0]
    return root.inputs[0] if made_by(root, "sqrt") and never_negative(root.inputs[0]) else None


def _unsigned(F: Builder, node: Node, uses: Uses) -> Any:
    """abs and relu of what is never negative do nothing."""
    return node.inputs[0] if never_negative(node.inputs[0]) else None


RULES: tuple[AnyRule, ...] = (
    Rule("pow(x, 0) -> 1", lambda F, x: F.pow(x, 0), lambda F, x, out: F.full(shape=out.shape, value=1.0, dtype=out.dtype),
         given=real, stage=STAGE, exactness="exact", examples=(X,)),
    Rule("pow(x, 3) -> square x * x", lambda F, x: F.pow(x, 3), lambda F, x: F.mul(F.square(x), x),
         given=multiplies, stage=STAGE, exactness="rounding", examples=(X,)),
    Rule("pow(x, 4) -> square(square x)", lambda F, x: F.pow(x, 4), lambda F, x: F.square(F.square(x)),
         given=multiplies, stage=STAGE, exactness="rounding", examples=(X,)),
    Rule("pow(x, -2) -> square(reciprocal x)", lambda F, x: F.pow(x, -2), lambda F, x: F.square(F.reciprocal(x)),
         given=real, stage=STAGE, exactness="rounding", examples=(POSITIVE,)),
    Rule("pow(x, -0.5) -> rsqrt x", lambda F, x: F.pow(x, -0.5), lambda F, x: F.rsqrt(x),
         given=real, stage=STAGE, exactness="rounding", examples=(POSITIVE,)),
    Rewrite("square(sqrt x) -> x, x never negative", _square_of_root, roots=("square",), when=lambda op, kinds: kinds[0] is not None,
            stage=STAGE, exactness="rounding", examples=((lambda F, x: F.square(F.sqrt(F.exp(x))), (A(2, 3),)),)),
    Rewrite("abs x -> x and relu x -> x, x never negative", _unsigned, roots=("abs", "relu"), when=lambda op, kinds: kinds[0] is not None,
            stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.abs(F.exp(x)), (A(2, 3),)), (lambda F, x: F.relu(F.square(x)), (A(2, 3),)))),
    Rule("square(abs x) -> square x", lambda F, x: F.square(F.abs(x)), lambda F, x: F.square(x),
         given=lambda x: real(x), stage=STAGE, exactness="exact", examples=(X,)),
)  # fmt: skip
