"""canonicalise: one form for each expression, so that later passes have one pattern to look for.

promote -> cast; sub of a literal -> add; literal to the right of commutative operators; division by a power
of two -> mul; pow with a small exponent -> square, sqrt, reciprocal; chains of reshape, permute, broadcast_to
and cast merged; those that change nothing removed; for elementwise operators, which broadcast by themselves,
constants are numbers and operands are not expanded.
"""

from __future__ import annotations

import math
from typing import Any

from tracegrad.dtypes import F32, F64, complex64, complex128
from tracegrad.errors import TracegradError
from tracegrad.ir.builder import Builder
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, broadcast, reduced
from tracegrad.passes import powers, signs
from tracegrad.passes.patterns import is_value, reads
from tracegrad.passes.rewrite import RuleSet, rewrite
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses
from tracegrad.passes.signs import negated

STAGE = "canonicalise"
C64, C128 = complex64.numpy, complex128.numpy
LOSSLESS = {
    ("bool", d) for d in "uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128".split()
} | {
    (a, b)
    for a, wider in (
        ("uint8", "int16 int32 int64 float16 bfloat16 float32 float64"),
        ("int8", "int16 int32 int64 float16 bfloat16 float32 float64"),
        ("int16", "int32 int64 float32 float64"),
        ("int32", "int64 float64"),
        ("bfloat16", "float32 float64 complex64 complex128"),
        ("float16", "float32 float64 complex64 complex128"),
        ("float32", "float64 complex64 complex128"),
        ("float64", "complex128"),
        ("complex64", "complex128"),
    )
    for b in wider.split()
}


def canonicalise(graph: Graph) -> Graph:
    """The graph in canonical form."""
    return rewrite(graph, RULE_SET, STAGE)


def is_float(t: Type) -> bool:
    """Whether the elements are real floating-point numbers."""
    return t.dtype.kind in "fV"


def is_inexact(t: Type) -> bool:
    """Whether the elements are floating-point or complex numbers."""
    return t.dtype.kind in "fcV"


def is_power_of_two(c: Any) -> bool:
    """Whether multiplying by 1/c is the same as dividing by c, in every floating dtype (2**-8 to 2**8, both
    signs)."""
    if isinstance(c, (bool, complex)) or c == 0 or not math.isfinite(c):
        return False
    mantissa, exponent = math.frexp(abs(c))
    return mantissa == 0.5 and -8 < exponent <= 9


def lossless(before: Any, after: Any) -> bool:
    """Whether every value of dtype `before` is a value of dtype `after`."""
    return before == after or (before.name, after.name) in LOSSLESS


def _literal_to_the_right(F: Builder, node: Node, uses: Uses) -> Any:
    op = node.op
    assert op is not None
    if not op.commutative or isinstance(node.inputs[0], Node) or not isinstance(node.inputs[1], Node):
        return None
    return getattr(F, op.name)(node.inputs[1], node.inputs[0])


def _synonym(F: Builder, node: Node, uses: Uses) -> Any:
    """Operators that exist for torch's name of their gradient, or for their arguments, are one other
    operator each."""
    op = node.op
    assert op is not None
    if op.decompose is None or op.several() or op.name in _NO_SYNONYMS:
        return None
    other = op.decompose(F, *op.group(node.inputs), **dict(zip(op.attrs, node.attrs, strict=True)))
    if other in node.inputs or (
        isinstance(other, Node) and all(not isinstance(i, Node) or i in node.inputs for i in other.inputs)
    ):
        return other
    _NO_SYNONYMS.add(op.name)
    return None


_NO_SYNONYMS: set[str] = set()  # operators that decompose into several others, found by trying


def _float_literal(F: Builder, node: Node, uses: Uses) -> Any:
    op = node.op
    assert op is not None
    if (
        not op.elementwise
        or not any(type(i) is int for i in node.inputs)
        or op.promotion not in ("arithmetic", "float", "compare")
    ):
        return None
    strong = [i for i in node.inputs if isinstance(i, Node)]
    if any(i.dtype.kind not in "fV" for i in strong) or any(type(i) is int and abs(i) > 2**24 for i in node.inputs):
        return None
    inputs = tuple(float(i) if type(i) is int else i for i in node.inputs)
    return getattr(F, op.name)(*inputs, **dict(zip(op.attrs, node.attrs, strict=True)))


def _without_leading_ones(F: Builder, node: Node, uses: Uses) -> Any:
    """Elementwise operators broadcast by themselves: an operand reshaped only to gain leading 1s is taken as
    it was."""
    op = node.op
    assert op is not None
    if not op.elementwise or len(node.inputs) < 2:
        return None
    inputs = tuple(bare(i) for i in node.inputs)
    if inputs == node.inputs or op.type_rule(tuple(_type(i) for i in inputs), node.attrs) != node.type:
        return None
    return getattr(F, op.name)(*inputs, **dict(zip(op.attrs, node.attrs, strict=True)))


def bare(value: Any) -> Any:
    """The value behind a reshape that only added leading axes of size 1."""
    if not isinstance(value, Node) or value.op is None or value.op.name != "reshape":
        return value
    source = value.inputs[0]
    lead = len(value.shape) - len(source.shape)
    return source if lead > 0 and value.shape == (1,) * lead + source.shape else value


def _type(value: Any) -> Type:
    from_node: Type = Builder().type(value)
    return from_node


def number(value: Any, t: Type) -> Any:
    """The Python number that an element of type t with this value is."""
    return {"b": bool, "i": int, "u": int, "f": float, "V": float, "c": complex}[t.dtype.kind](value)


def _operands_in_place(F: Builder, node: Node, uses: Uses) -> Any:
    """Operands of elementwise operators: a full becomes a number, a broadcast_to is left out, where the
    result's type stays."""
    op = node.op
    assert op is not None
    if not op.elementwise or len(node.inputs) < 2 or op.promotion not in ("arithmetic", "float", "compare"):
        return None
    for position, value in enumerate(node.inputs):
        smaller = _smaller(value)
        if smaller is None:
            continue
        inputs = (*node.inputs[:position], smaller, *node.inputs[position + 1 :])
        if _keeps_type(F, node, inputs):
            return getattr(F, op.name)(*inputs, **dict(zip(op.attrs, node.attrs, strict=True)))
    return None


def _smaller(value: Any) -> Any:
    if not isinstance(value, Node) or value.op is None:
        return None
    if value.op.name == "full" and value.dtype.kind in "iufV":
        return number(value.attrs[1], value.type)
    return value.inputs[0] if value.op.name == "broadcast_to" else None


def _keeps_type(F: Builder, node: Node, inputs: tuple[Any, ...]) -> bool:
    """Whether the operator gives the same type for these operands, at least one promoted operand being no
    literal."""
    op = node.op
    assert op is not None
    types = tuple(F.type(i) for i in inputs)
    taking_part = [t for name, t in zip(op.operands, types, strict=True) if not op.promoted or name in op.promoted]
    if all(t.weak for t in taking_part) or broadcast(op.name, *(t.shape for t in types)) != node.shape:
        return False
    try:
        result: Type = op.type_rule(types, node.attrs)
    except TracegradError:  # an operator that takes no number in this place
        return False
    return result == node.type


def _is_int(kind: Any) -> bool:
    return kind is int or type(kind) in (int, float, bool)  # 1 and 1.0 are one kind


RULES: tuple[AnyRule, ...] = (
    Rule("promote x -> cast x", lambda F, x, D: F.promote(x, dtype=D), lambda F, x, D: F.cast(x, dtype=D),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "D": F32},)),
    Rule("cast x to its own dtype -> x", lambda F, x, D: F.cast(x, dtype=D), lambda F, x: x,
         given=lambda x, out: x.dtype == out.dtype,
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "D": F64},)),
    Rule("cast(cast x) -> cast x, the inner one lossless",
         lambda F, x, C, D: F.cast(F.cast(x, dtype=C), dtype=D),
         lambda F, x, D: F.cast(x, dtype=D),
         given=lambda x, C, D: lossless(x.dtype, C) and x.dtype.kind + D.kind not in ("fb", "Vb"),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "C": C128, "D": C64},)),
    Rewrite("a synonym -> the operator that it stands for", _synonym, when=lambda op, kinds: op.decompose is not None, stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.transpose(x, dim0=0, dim1=1), (A(2, 3),)),
                      (lambda F, x: F.unsqueeze(x, dim=1), (A(2, 3),)))),
    Rewrite("op(x, int) -> op(x, float), x floating", _float_literal, when=lambda op, kinds: op.elementwise and any(_is_int(k) for k in kinds), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.mul(x, 3), (A(2, 3),)),)),
    Rule("reshape(sum x) -> sum x with kept axes",
         lambda F, x, D, R: F.reshape(F.sum(x, dim=D, keepdim=False), shape=R),
         lambda F, x, D: F.sum(x, dim=D, keepdim=True), given=lambda x, D, R: reduced(x.shape, D, True) == R,
         alone=True,
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "D": (1,), "R": (2, 1)},)),
    Rewrite("op(literal, x) -> op(x, literal), op commutative", _literal_to_the_right,
            when=lambda op, kinds: op.commutative and not is_value(kinds[0]), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.add(2.0, x), (A(2, 3),)), (lambda F, x: F.mul(3, x), (A(),)))),
    Rule("rsub(x, y) -> y - x", lambda F, x, y: F.rsub(x, y), lambda F, x, y: F.sub(y, x),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "y": A(3)},)),
    Rule("rsub(x, c) -> c - x", lambda F, x, c: F.rsub(x, c), lambda F, x, c: F.sub(c, x),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "c": 1},)),
    Rule("rsub(c, x) -> x - c", lambda F, x, c: F.rsub(c, x), lambda F, x, c: F.sub(x, c),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "c": 1},)),
    Rule("x - c -> x + -c", lambda F, x, c: F.sub(x, c), lambda F, x, c: F.add(x, negated(c)),
         given=lambda out: is_inexact(out),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "c": 1.5}, {"x": A(), "c": 0})),
    Rule("x / c -> x * (1/c), c a power of two", lambda F, x, c: F.div(x, c), lambda F, x, c: F.mul(x, 1.0 / c),
         given=lambda c, out: is_power_of_two(c) and is_inexact(out),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "c": 4.0}, {"x": A(3), "c": -2})),
    Rule("1 / x -> reciprocal x", lambda F, x: F.div(1, x), lambda F, x: F.reciprocal(x),
         given=lambda out: is_float(out),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3, lo=0.5)},)),
    Rule("x * x -> square x", lambda F, x: F.mul(x, x), lambda F, x: F.square(x),
         given=lambda out: out.dtype.kind != "b",
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3)},)),
    Rule("pow(x, 2) -> square x", lambda F, x: F.pow(x, 2), lambda F, x: F.square(x),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3)},)),
    Rule("pow(x, 1) -> x", lambda F, x: F.pow(x, 1), lambda F, x: x,
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3)},)),
    Rule("pow(x, 0.5) -> sqrt x", lambda F, x: F.pow(x, 0.5), lambda F, x: F.sqrt(x),
         given=lambda out: is_float(out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=0.5)},)),
    Rule("pow(x, -1) -> reciprocal x", lambda F, x: F.pow(x, -1), lambda F, x: F.reciprocal(x),
         given=lambda out: is_float(out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=0.5)},)),
    Rule("reshape(reshape x) -> reshape x", lambda F, x, S, R: F.reshape(F.reshape(x, shape=S), shape=R),
         lambda F, x, R: F.reshape(x, shape=R),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 6), "S": (3, 4), "R": (4, 3)},)),
    Rule("reshape x to its own shape -> x", lambda F, x, S: F.reshape(x, shape=S), lambda F, x: x,
         given=lambda x, S: x.shape == S, stage=STAGE, exactness="exact",
         examples=({"x": A(2, 3), "S": (2, 3)},)),
    Rule("permute(permute x) -> permute x", lambda F, x, S, R: F.permute(F.permute(x, dims=S), dims=R),
         lambda F, x, S, R: F.permute(x, dims=tuple(S[r] for r in R)),
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3, 4), "S": (2, 0, 1), "R": (1, 0, 2)},)),
    Rule("permute x in order -> x", lambda F, x, R: F.permute(x, dims=R), lambda F, x: x,
         given=lambda R: tuple(range(len(R))) == R, stage=STAGE, exactness="exact",
         examples=({"x": A(2, 3), "R": (0, 1)},)),
    Rule("permute of axes of size 1 -> reshape", lambda F, x, R: F.permute(x, dims=R),
         lambda F, x, out: F.reshape(x, shape=out.shape),
         given=lambda x, R: keeps_order(x.shape, R), stage=STAGE, exactness="exact",
         examples=({"x": A(1, 3), "R": (1, 0)},)),
    Rule("broadcast_to(broadcast_to x) -> broadcast_to x",
         lambda F, x, S, R: F.broadcast_to(F.broadcast_to(x, shape=S), shape=R),
         lambda F, x, R: F.broadcast_to(x, shape=R),
         stage=STAGE, exactness="exact", examples=({"x": A(3), "S": (2, 3), "R": (4, 2, 3)},)),
    Rule("broadcast_to its own shape -> x", lambda F, x, S: F.broadcast_to(x, shape=S), lambda F, x: x,
         given=lambda x, S: x.shape == S, stage=STAGE, exactness="exact",
         examples=({"x": A(2, 3), "S": (2, 3)},)),
    Rule("broadcast_to(reshape x) -> broadcast_to x, the reshape adding leading 1s",
         lambda F, x, S, R: F.broadcast_to(F.reshape(x, shape=S), shape=R),
         lambda F, x, R: F.broadcast_to(x, shape=R),
         given=lambda x, S: len(S) > len(x.shape) and (1,) * (len(S) - len(x.shape)) + x.shape == S,
         stage=STAGE, exactness="exact", examples=({"x": A(3), "S": (1, 3), "R": (2, 3)},)),
    Rewrite("op(full, y) -> op(number, y); op(broadcast_to x, y) -> op(x, y)", _operands_in_place, when=lambda op, kinds: op.elementwise and reads(kinds, "full", "broadcast_to"), stage=STAGE,
            exactness="exact",
            examples=((lambda F, x: F.mul(x, F.full(shape=(3,), value=2, dtype=x.dtype)), (A(2, 3),)),
                      (lambda F, x, y: F.sub(F.broadcast_to(x, shape=(2, 3)), y), (A(3), A(2, 3))))),
    Rewrite("op(reshape x, y) -> op(x, y), the reshape adding leading 1s", _without_leading_ones,
            when=lambda op, kinds: op.elementwise and reads(kinds, "reshape"), stage=STAGE, exactness="exact",
            examples=((lambda F, x, y: F.sub(F.reshape(x, shape=(1, 3)), y), (A(3), A(2, 3))),)),
)  # fmt: skip


def keeps_order(shape: tuple[int, ...], dims: tuple[int, ...]) -> bool:
    """Whether the permutation moves only axes of size 1, so that elements stay in order."""
    moved = [d for d in dims if shape[d] != 1]
    return moved == sorted(moved)


def _gone(name: str) -> Rule:
    return Rule(
        f"{name} x -> x",
        lambda F, x: getattr(F, name)(x),
        lambda F, x: x,
        stage="finish",
        exactness="exact",
        examples=({"x": A(2, 3)},),
    )


FINISHING: tuple[AnyRule, ...] = (
    *(_gone(name) for name in ("detach", "stop_reverse", "alias", "clone")),
    Rule("flat(value, x) -> value", lambda F, value, x, STEP: F.flat(value, x, step=STEP), lambda F, value: value,
         stage="finish", exactness="exact", examples=({"value": A(2, 3), "x": A(2, 3), "STEP": "FlatBackward0"},)),
)  # fmt: skip


RULE_SET = RuleSet((*RULES, *signs.RULES, *powers.RULES), STAGE)
FINISHING_SET = RuleSet(FINISHING, "finish")


def finish(graph: Graph) -> Graph:
    """The graph without detach, alias, clone and flat, which mean something to differentiation only.  Runs after it."""
    return rewrite(graph, FINISHING_SET, "finish")
