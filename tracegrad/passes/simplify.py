"""simplify: the same value with less work.  Expects canonical form (see canonicalise).

x + 0.0 stays where x may be -0.0 (the sum is +0.0), x * 0.0 stays (x may be inf or nan), x - x stays (nan).
"""

from __future__ import annotations

import math
from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A, M
from tracegrad.ir.types import Type, broadcast, reduced, size_of
from tracegrad.passes import chains, comparing, conversions, folds, matrices, placing, rearranging, selecting
from tracegrad.passes.canonicalise import is_inexact
from tracegrad.passes.patterns import reads
from tracegrad.passes.rewrite import RuleSet, rewrite
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"
LARGEST_COUNT = 2048  # up to here float16 holds every whole number


def simplify(graph: Graph) -> Graph:
    """The graph with less arithmetic."""
    return rewrite(graph, RULE_SET, STAGE)


def product(c1: Any, c2: Any, t: Type) -> bool:
    """Whether two factors can be one: the product is far from overflow and underflow."""
    both = c1 * c2
    if t.dtype.kind == "i":
        return isinstance(both, int) and abs(both) < 128
    limit = 1e4 if t.dtype.itemsize == 2 else 1e15
    return t.dtype.kind in "fV" and (1 / limit < abs(both) < limit)


def moves(c: Any, t: Type) -> bool:
    """Whether a factor can stand after another product instead of before it; not in float16, where the other product may overflow."""
    return t.dtype.char != "e" and product(c, 1, t)


def addends(c1: Any, c2: Any, t: Type) -> bool:
    """Whether two added literals can be one: of one sign, so that nothing is cancelled that the user wanted
    lost."""
    return t.dtype.kind in "fV" and not isinstance(c1 + c2, complex) and math.isfinite(c1 + c2) and c1 * c2 >= 0


def _sum_of_broadcast(F: Builder, node: Node, uses: Uses) -> Any:
    """Summing what was repeated: sum what was there, times the number of repetitions."""
    source = node.inputs[0]
    if (
        not isinstance(source, Node)
        or source.op is None
        or source.op.name != "broadcast_to"
        or not is_inexact(node.type)
    ):
        return None
    x, dim = source.inputs[0], node.attrs[0]
    axes = tuple(range(len(source.shape))) if dim is None else dim
    lead = len(source.shape) - len(x.shape)
    repeated = [a for a in axes if a < lead or (x.shape[a - lead] == 1 and source.shape[a] != 1)]
    count = size_of(tuple(source.shape[a] for a in repeated))
    if not repeated or count == 0 or (node.dtype.char == "e" and count > LARGEST_COUNT):
        return None
    kept = [1 if a in repeated else size for a, size in enumerate(source.shape)]
    rest = tuple(a for a in axes if a not in repeated)
    if not rest and size_of(tuple(kept)) == size_of(x.shape):
        return F.mul(x if x.shape == node.shape else F.reshape(x, shape=node.shape), float(count))
    total = F.sum(F.expand(x, shape=tuple(kept)), dim=rest, keepdim=True) if rest else F.expand(x, shape=tuple(kept))
    return F.mul(F.reshape(total, shape=node.shape), float(count))


def _reduce_nothing(F: Builder, node: Node, uses: Uses) -> Any:
    """A fold over axes of size 1 (or over none) is the value itself in another shape; a sum's -0.0 would be 0.0."""
    x, dim = node.inputs[0], node.attrs[0]
    axes = range(len(x.shape)) if dim is None else dim
    if x.dtype != node.dtype or any(x.shape[a] != 1 for a in axes):
        return None
    return F.reshape(x, shape=node.shape)


def is_vector(x: Node) -> bool:
    """Whether x is a vector of a dtype that BLAS multiplies."""
    return len(x.shape) == 1 and x.dtype.kind in "fV" and x.dtype.itemsize >= 4


def is_product(x: Any, uses: Uses) -> bool:
    """Whether x is a product of vectors, perhaps scaled, that nothing else reads: its sum is a dot product."""
    if not isinstance(x, Node) or x.op is None or not is_vector(x) or uses(x) > 1:
        return False
    if x.op.name == "mul" and not isinstance(x.inputs[1], Node):
        return is_product(x.inputs[0], uses)
    return x.op.name in ("square", "mul") and all(i.shape == x.shape for i in x.inputs)


def _sum_of_products(F: Builder, node: Node, uses: Uses) -> Any:
    """The sum of a sum of products of vectors is a sum of dot products."""
    source, (dim, keepdim) = node.inputs[0], node.attrs
    if (
        not isinstance(source, Node)
        or source.op is None
        or source.op.name != "add"
        or uses(source) > 1
        or keepdim
        or node.shape
    ):
        return None
    x, y = source.inputs
    if not is_product(x, uses) or not is_product(y, uses):
        return None
    return F.add(F.sum(x, dim=dim, keepdim=False), F.sum(y, dim=dim, keepdim=False))


def _reshape_once(F: Builder, node: Node, uses: Uses) -> Any:
    """An elementwise operator whose operands are all reshaped from one shape is applied before the reshape."""
    op = node.op
    assert op is not None
    nodes = [i for i in node.inputs if isinstance(i, Node)]
    if (
        not op.elementwise
        or len(nodes) < 2
        or any(n.op is None or n.op.name != "reshape" or uses(n) > 1 for n in nodes)
    ):
        return None
    if len({n.inputs[0].shape for n in nodes}) != 1 or any(n.shape != node.shape for n in nodes):
        return None
    inputs = tuple(i.inputs[0] if isinstance(i, Node) else i for i in node.inputs)
    return F.reshape(getattr(F, op.name)(*inputs, **dict(zip(op.attrs, node.attrs, strict=True))), shape=node.shape)


X = {"x": A(2, 3)}
XC = {"x": A(2, 3), "c": 3.0}
XY = {"x": A(2, 3), "y": A(3, lo=0.5)}

NUMBERS: tuple[AnyRule, ...] = (
    Rule("(x * c1) * c2 -> x * (c1*c2)", lambda F, x, c1, c2: F.mul(F.mul(x, c1), c2),
         lambda F, x, c1, c2: F.mul(x, c1 * c2),
         given=lambda c1, c2, out: product(c1, c2, out), stage=STAGE, exactness="rounding",
         examples=({"x": A(2, 3), "c1": 3.0, "c2": -0.7},)),
    Rule("(x / c1) * c2 -> x * (c2/c1)", lambda F, x, c1, c2: F.mul(F.div(x, c1), c2),
         lambda F, x, c1, c2: F.mul(x, c2 / c1),
         given=lambda c1, c2, out: c1 != 0 and product(1 / c1, c2, out), stage=STAGE, exactness="rounding",
         examples=({"x": A(2, 3), "c1": 3.0, "c2": -0.7},)),
    Rule("(x + c1) + c2 -> x + (c1+c2), of one sign", lambda F, x, c1, c2: F.add(F.add(x, c1), c2),
         lambda F, x, c1, c2: F.add(x, c1 + c2),
         given=lambda c1, c2, out: addends(c1, c2, out), stage=STAGE, exactness="rounding",
         examples=({"x": A(2, 3), "c1": 3.0, "c2": 0.7},)),
    Rule("(x * c1) * (y * c2) -> (x * y) * (c1*c2)", lambda F, x, y, c1, c2: F.mul(F.mul(x, c1), F.mul(y, c2)),
         lambda F, x, y, c1, c2: F.mul(F.mul(x, y), c1 * c2), alone=True,
         given=lambda x, y, c1, c2, out: moves(c1 * c2, out) and out.shape in (x.shape, y.shape),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "y": A(3), "c1": 3.0, "c2": -0.7},)),
    Rule("(x * c) * y -> (x * y) * c", lambda F, x, y, c: F.mul(F.mul(x, c), y),
         lambda F, x, y, c: F.mul(F.mul(x, y), c), alone=True,
         given=lambda x, y, c, out: moves(c, out) and out.shape == x.shape and not scaled(y),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "y": A(3), "c": 3.0},)),
    Rule("c1 / (x * c2) -> (c1/c2) / x", lambda F, x, c1, c2: F.div(c1, F.mul(x, c2)),
         lambda F, x, c1, c2: F.div(c1 / c2, x), given=lambda c1, c2, out: c2 != 0 and product(c1, 1 / c2, out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=0.5), "c1": 3.0, "c2": -0.7},)),
    Rule("(c1 / x) * c2 -> (c1*c2) / x", lambda F, x, c1, c2: F.mul(F.div(c1, x), c2),
         lambda F, x, c1, c2: F.div(c1 * c2, x),
         given=lambda c1, c2, out: product(c1, c2, out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=0.5), "c1": 3.0, "c2": -0.7},)),
    Rule("(c / x) * y -> (y / x) * c", lambda F, x, y, c: F.mul(F.div(c, x), y),
         lambda F, x, y, c: F.mul(F.div(y, x), c),
         alone=True, given=lambda y, c, out: moves(c, out) and y.shape == out.shape,
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=0.5), "y": A(2, 3), "c": -0.7},)),
    Rule("y / (x * c) -> (y / x) * (1/c)", lambda F, x, y, c: F.div(y, F.mul(x, c)),
         lambda F, x, y, c: F.mul(F.div(y, x), 1 / c),
         alone=True, given=lambda x, c, out: c != 0 and moves(1 / c, out) and x.shape == out.shape,
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3, lo=0.5), "y": A(3), "c": -0.7},)),
    Rule("(x * c) / y -> (x / y) * c", lambda F, x, y, c: F.div(F.mul(x, c), y),
         lambda F, x, y, c: F.mul(F.div(x, y), c),
         alone=True, given=lambda x, c, out: moves(c, out) and x.shape == out.shape,
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "y": A(3, lo=0.5), "c": -0.7},)),
    Rule("x * c + y * c -> (x + y) * c", lambda F, x, y, c: F.add(F.mul(x, c), F.mul(y, c)),
         lambda F, x, y, c: F.mul(F.add(x, y), c), alone=True, given=lambda x, y, c, out: common(x, y, c, out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "y": A(2, 3), "c": 0.3},)),
    Rule("x * c - y * c -> (x - y) * c", lambda F, x, y, c: F.sub(F.mul(x, c), F.mul(y, c)),
         lambda F, x, y, c: F.mul(F.sub(x, y), c), alone=True, given=lambda x, y, c, out: common(x, y, c, out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "y": A(2, 3), "c": 0.3},)),
    Rule("x / c + y / c -> (x + y) / c", lambda F, x, y, c: F.add(F.div(x, c), F.div(y, c)),
         lambda F, x, y, c: F.div(F.add(x, y), c), alone=True, given=lambda x, y, c, out: common(x, y, c, out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "y": A(2, 3), "c": 0.3},)),
    Rule("x * c1 + x * c2 -> x * (c1 + c2), of one sign", lambda F, x, c1, c2: F.add(F.mul(x, c1), F.mul(x, c2)),
         lambda F, x, c1, c2: F.mul(x, c1 + c2), alone=True,
         given=lambda x, c1, c2, out: common(x, x, c1, out) and common(x, x, c2, out) and c1 * c2 > 0,
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "c1": 0.3, "c2": 2.5},)),
    Rule("(x * c1) / c2 -> x * (c1/c2)", lambda F, x, c1, c2: F.div(F.mul(x, c1), c2),
         lambda F, x, c1, c2: F.mul(x, c1 / c2),
         given=lambda c1, c2, out: c2 != 0 and product(c1, 1 / c2, out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "c1": 3.0, "c2": -0.7},)),
    Rule("x + x -> x * 2", lambda F, x: F.add(x, x), lambda F, x: F.mul(x, 2.0),
         given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="exact", examples=(X,)),
    Rule("sum(x * c) -> sum(x) * c", lambda F, x, c, D, K: F.sum(F.mul(x, c), dim=D, keepdim=K),
         lambda F, x, c, D, K: F.mul(F.sum(x, dim=D, keepdim=K), c),
         alone=True, given=lambda c, out: moves(c, out), stage=STAGE, exactness="rounding",
         examples=({"x": A(2, 3), "c": 3.0, "D": (0,), "K": False},)),
)  # fmt: skip


def _select_once(F: Builder, node: Node, uses: Uses) -> Any:
    """Inside where(m, ...) a factor that is itself a where(m, ...) is its own branch: the other one is dropped anyway."""
    m = node.inputs[0]
    for branch in (1, 2):
        product = node.inputs[branch]
        if not isinstance(product, Node) or product.op is None or product.op.name not in ("mul", "div"):
            continue
        for position, factor in enumerate(product.inputs):
            if (
                not isinstance(factor, Node)
                or factor.op is None
                or factor.op.name != "where"
                or factor.inputs[0] is not m
            ):
                continue
            other, chosen = product.inputs[1 - position], factor.inputs[branch]
            if isinstance(chosen, Node) and chosen.op is not None and chosen.op.name == "full":
                chosen = chosen.attrs[chosen.op.attrs.index("value")]
            if not isinstance(other, Node) and not isinstance(chosen, Node):
                continue
            operands = (chosen, other) if position == 0 else (other, chosen)
            inputs = [*node.inputs]
            inputs[branch] = getattr(F, product.op.name)(*operands)
            if broadcast("where", *(i.shape for i in inputs if isinstance(i, Node))) == node.shape:
                return F.where(*inputs)
    return None


SELECTIONS: tuple[AnyRule, ...] = (
    Rewrite("where(m, where(m, x, c) * y, z) -> where(m, x * y, z)", _select_once, roots=("where",), stage=STAGE, exactness="exact",
            examples=((lambda F, m, x, y: F.where(m, F.mul(F.where(m, x, 0.0), y), 0.0), (M(2, 3), A(3), A(2, 3))),
                      (lambda F, m, x, y: F.where(m, 1.0, F.div(y, F.where(m, 0.5, x))), (M(2, 3), A(2, 3), A(3))))),
    Rule("where(m, x, 0) + where(m, y, 0) -> where(m, x + y, 0)",
         lambda F, m, x, y: F.add(F.where(m, x, 0.0), F.where(m, y, 0.0)), lambda F, m, x, y: F.where(m, F.add(x, y), 0.0),
         alone=True, stage=STAGE, exactness="exact", examples=({"m": M(2, 3), "x": A(3), "y": A(2, 3)},)),
    Rule("where(m, 0, x) + where(m, 0, y) -> where(m, 0, x + y)",
         lambda F, m, x, y: F.add(F.where(m, 0.0, x), F.where(m, 0.0, y)), lambda F, m, x, y: F.where(m, 0.0, F.add(x, y)),
         alone=True, stage=STAGE, exactness="exact", examples=({"m": M(2, 3), "x": A(3), "y": A(2, 3)},)),
    Rule("where(m, x, x) -> x", lambda F, m, x: F.where(m, x, x), lambda F, x: x,
         given=lambda x, out: x.shape == out.shape,
         stage=STAGE, exactness="exact", examples=({"m": M(3), "x": A(2, 3)},)),
    Rule("where(m, where(m, x, y), z) -> where(m, x, z)", lambda F, m, x, y, z: F.where(m, F.where(m, x, y), z),
         lambda F, m, x, z: F.where(m, x, z),
         given=lambda m, x, z, out: broadcast("where", m.shape, x.shape, z.shape) == out.shape,
         stage=STAGE, exactness="exact", examples=({"m": M(2, 3), "x": A(3), "y": A(2, 3), "z": A()},)),
    Rule("where(m, where(m, x, y), c) -> where(m, x, c)", lambda F, m, x, y, c: F.where(m, F.where(m, x, y), c),
         lambda F, m, x, c: F.where(m, x, c),
         given=lambda m, x, out: broadcast("where", m.shape, x.shape) == out.shape,
         stage=STAGE, exactness="exact", examples=({"m": M(2, 3), "x": A(3), "y": A(2, 3), "c": 0.0},)),
    Rule("where(m, where(m, x, c1), c2) -> where(m, x, c2)",
         lambda F, m, x, c1, c2: F.where(m, F.where(m, x, c1), c2),
         lambda F, m, x, c2: F.where(m, x, c2), stage=STAGE, exactness="exact",
         examples=({"m": M(2, 3), "x": A(3), "c1": 1.0, "c2": 0.0},)),
    Rule("where(m, c2, where(m, c1, x)) -> where(m, c2, x)",
         lambda F, m, x, c1, c2: F.where(m, c2, F.where(m, c1, x)),
         lambda F, m, x, c2: F.where(m, c2, x), stage=STAGE, exactness="exact",
         examples=({"m": M(2, 3), "x": A(3), "c1": 1.0, "c2": 0.0},)),
    Rule("where(m, x, where(m, y, z)) -> where(m, x, z)", lambda F, m, x, y, z: F.where(m, x, F.where(m, y, z)),
         lambda F, m, x, z: F.where(m, x, z),
         given=lambda m, x, z, out: broadcast("where", m.shape, x.shape, z.shape) == out.shape,
         stage=STAGE, exactness="exact", examples=({"m": M(2, 3), "x": A(3), "y": A(2, 3), "z": A()},)),
    Rule("where(not m, x, y) -> where(m, y, x)", lambda F, m, x, y: F.where(F.logical_not(m), x, y),
         lambda F, m, x, y: F.where(m, y, x),
         given=lambda m: m.dtype.kind == "b", stage=STAGE, exactness="exact",
         examples=({"m": M(3), "x": A(2, 3), "y": A()},)),
    Rule("where(not m, x, c) -> where(m, c, x)", lambda F, m, x, c: F.where(F.logical_not(m), x, c),
         lambda F, m, x, c: F.where(m, c, x),
         given=lambda m: m.dtype.kind == "b", stage=STAGE, exactness="exact",
         examples=({"m": M(3), "x": A(2, 3), "c": 0.0},)),
)  # fmt: skip

VECTOR = {"x": A(5), "D": None}

PRODUCTS: tuple[AnyRule, ...] = (
    Rule("sum(square x) -> dot(x, x), x a vector", lambda F, x, D: F.sum(F.square(x), dim=D, keepdim=False),
         lambda F, x: F.dot(x, x),
         given=lambda x, out: is_vector(x) and out.shape == (), alone=True, stage=STAGE, exactness="rounding", examples=(VECTOR,)),
    Rule("sum(x * y) -> dot(x, y), vectors", lambda F, x, y, D: F.sum(F.mul(x, y), dim=D, keepdim=False),
         lambda F, x, y: F.dot(x, y),
         given=lambda x, y, out: is_vector(x) and x.shape == y.shape and out.shape == (), alone=True, stage=STAGE, exactness="rounding",
         examples=({**VECTOR, "y": A(5)},)),
    Rewrite("sum(x + y) -> sum x + sum y, products of vectors", _sum_of_products, roots=("sum",), stage=STAGE,
            exactness="rounding",
            examples=((lambda F, x, y: F.sum(F.add(F.square(x), F.mul(F.mul(x, y), 3.0)), dim=None,
                                             keepdim=False), (A(5), A(5))),)),
)  # fmt: skip

SHAPES: tuple[AnyRule, ...] = (
    Rewrite("sum(broadcast_to x) -> sum(x) * count", _sum_of_broadcast, roots=("sum",), stage=STAGE,
            exactness="rounding",
            examples=((lambda F, x: F.sum(F.broadcast_to(x, shape=(4, 2, 3)), dim=(0, 2), keepdim=False),
                       (A(2, 1),)),)),
    Rewrite("fold over axes of size 1 -> reshape", _reduce_nothing, roots=("sum", "mean", "prod", "amax", "amin"),
            stage=STAGE, exactness="rounding",
            examples=((lambda F, x: F.sum(x, dim=(1,), keepdim=False), (A(2, 1),)),)),
    Rewrite("op(reshape x, reshape y) -> reshape(op(x, y))", _reshape_once, when=lambda op, kinds: op.elementwise and reads(kinds, "reshape"), stage=STAGE, exactness="exact",
            examples=((lambda F, x, y: F.add(F.reshape(x, shape=(3, 2)), F.reshape(y, shape=(3, 2))),
                       (A(2, 3), A(2, 3))),)),
    Rule("reshape(sum x with kept axes) -> sum x",
         lambda F, x, D, R: F.reshape(F.sum(x, dim=D, keepdim=True), shape=R),
         lambda F, x, D: F.sum(x, dim=D, keepdim=False), given=lambda x, D, R: reduced(x.shape, D, False) == R,
         alone=True,
         stage=STAGE, exactness="exact", examples=({"x": A(2, 3), "D": (0,), "R": (3,)},)),
)  # fmt: skip


def common(x: Node, y: Node, c: Any, out: Type) -> bool:
    """Whether a factor of two terms can be one of their sum: of one type, and without overflow of half precision."""
    return (
        x.type == y.type == out
        and out.dtype.kind == "f"
        and out.dtype.itemsize >= 4
        and not isinstance(c, complex)
        and 1e-4 < abs(c) < 1e4
    )


def scaled(y: Node) -> bool:
    """Whether y is itself a value times a literal."""
    return y.op is not None and y.op.name == "mul" and not isinstance(y.inputs[1], Node)


RULES: tuple[AnyRule, ...] = (
    *NUMBERS, *SELECTIONS, *PRODUCTS, *SHAPES, *placing.RULES, *selecting.RULES, *chains.RULES, *matrices.RULES, *folds.RULES,
    *rearranging.RULES, *comparing.RULES, *conversions.RULES,
)  # fmt: skip
RULE_SET = RuleSet(RULES, STAGE)
