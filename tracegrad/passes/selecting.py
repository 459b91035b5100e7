"""Rules for selections: masks move outward, meet, and stand in for products with what is 0 by structure (one-hot rows, identities, diagonals).

A zero that is there by structure drops what it is multiplied with, infinite or not: that is what the class `domain` says.  A zero that is only a value does not.
"""

from __future__ import annotations

from typing import Any

from tracegrad.dtypes import I64
from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A, I, M
from tracegrad.ir.types import Type
from tracegrad.passes.patterns import made_by, reads
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"
MX = {"m": M(2, 3), "x": A(3), "c": 2.0}
MXY = {"m": M(2, 3), "x": A(3), "y": A(2, 3)}


def positive(c: Any, out: Type) -> bool:
    """Whether c is a positive factor far from overflow and underflow, of real numbers."""
    return out.dtype.kind in "fV" and type(c) is float and 1e-4 < c < 1e4


def one_value(c: Any) -> bool:
    """Whether two literals that are equal to c are surely the same value: 0.0 and -0.0 are equal, too."""
    return type(c) in (int, float) and bool(c)


def _one_hot(value: Any, axis: int) -> Node | None:
    """The positions of which `value` holds the one-hot rows along its last (axis 1) or first (axis 0) axis; shape (rows, classes) or its transpose."""
    while made_by(value, "cast") or made_by(value, "promote"):
        value = value.inputs[0]
    if not made_by(value, "eq") or len(value.shape) != 2 or not all(isinstance(i, Node) for i in value.inputs):
        return None
    for positions, classes in (value.inputs, value.inputs[::-1]):
        if not made_by(classes, "arange") or classes.attrs[:2] != (0, 1) or classes.shape != (value.shape[axis],):
            continue
        found: Node = positions
        if axis == 1 and found.dtype.kind in "iu" and found.shape == (value.shape[0], 1):
            return found
    return None


def _within(F: Builder, positions: Node, count: int, picked: Node) -> Any:
    """What was picked at the positions, and 0 where a position is none."""
    inside = F.logical_and(F.ge(positions, 0), F.lt(positions, count))
    return F.where(inside, picked, 0.0)


def _rows_of_matrix(F: Builder, node: Node, uses: Uses) -> Any:
    """One-hot rows times a matrix are rows of the matrix."""
    hot, matrix = node.inputs
    positions = _one_hot(hot, 1)
    count = matrix.shape[0]
    if positions is None or count == 0 or node.dtype.kind != "f":
        return None
    flat = F.clamp(F.reshape(F.cast(positions, dtype=I64), shape=(positions.shape[0],)), min=0, max=count - 1)
    return _within(F, positions, count, F.index_select(matrix, flat, dim=0))


def _one_of_each_row(F: Builder, node: Node, uses: Uses) -> Any:
    """The sum of one-hot rows times values is one value of each row."""
    product, dim = node.inputs[0], node.attrs[0]
    if (
        not made_by(product, "mul")
        or dim != (1,)
        or len(product.shape) != 2
        or node.dtype.kind != "f"
        or uses(product) > 1
    ):
        return None
    for hot, x in (product.inputs, product.inputs[::-1]):
        positions = _one_hot(hot, 1)
        if positions is None or not isinstance(x, Node) or x.shape != product.shape or x.shape[1] == 0:
            continue
        count = x.shape[1]
        picked = F.gather(x, F.clamp(F.cast(positions, dtype=I64), min=0, max=count - 1), dim=1)
        return F.reshape(_within(F, positions, count, picked), shape=node.shape)
    return None


def _diagonal(value: Any) -> Node | None:
    """The vector of which `value` is the diagonal matrix."""
    if not made_by(value, "diag_embed") or value.attrs[1:] != (0, 0, 1) or len(value.shape) != 2:
        return None
    vector: Node = value.inputs[0]
    return vector if vector.shape == (value.shape[0],) == (value.shape[1],) else None


def _identity(value: Any) -> bool:
    return made_by(value, "eye") and value.shape[0] == value.shape[1]


def _structured_product(F: Builder, node: Node, uses: Uses) -> Any:
    """Products with an identity do nothing, those with a diagonal matrix scale rows or columns."""
    a, b = node.inputs
    if node.dtype.kind not in "fV":
        return None
    if _identity(a) or _identity(b):
        return b if _identity(a) else a
    scales = _diagonal(a)
    if scales is not None:
        return F.mul(F.reshape(scales, shape=(a.shape[0], 1)), b)
    scales = _diagonal(b)
    return None if scales is None else F.mul(a, scales)


def _hot(F: Any, i: Any, count: int) -> Any:
    classes = F.arange(start=0, step=1, count=count, dtype=I64)
    return F.eq(F.reshape(i, shape=(4, 1)), classes)


def _rows_example(F: Any, i: Any, w: Any) -> Any:
    return F.mm(F.cast(F.cast(_hot(F, i, 5), dtype=I64), dtype=w.dtype), w)


def _each_row_example(F: Any, i: Any, x: Any) -> Any:
    return F.sum(F.mul(F.cast(_hot(F, i, 5), dtype=x.dtype), x), dim=(1,), keepdim=False)


def _diagonal_example(F: Any, v: Any, w: Any) -> Any:
    return F.mm(F.diag_embed(v, shape=(3, 3), offset=0, dim1=0, dim2=1), w)


RULES: tuple[AnyRule, ...] = (
    Rule("where(m, x, 0) * c -> where(m, x * c, 0), c positive", lambda F, m, x, c: F.mul(F.where(m, x, 0.0), c),
         lambda F, m, x, c: F.where(m, F.mul(x, c), 0.0), alone=True, given=positive, stage=STAGE, exactness="exact", examples=(MX,)),
    Rule("where(m, 0, x) * c -> where(m, 0, x * c), c positive", lambda F, m, x, c: F.mul(F.where(m, 0.0, x), c),
         lambda F, m, x, c: F.where(m, 0.0, F.mul(x, c)), alone=True, given=positive, stage=STAGE, exactness="exact", examples=(MX,)),
    Rule("where(m, x, 0) / c -> where(m, x / c, 0), c positive", lambda F, m, x, c: F.div(F.where(m, x, 0.0), c),
         lambda F, m, x, c: F.where(m, F.div(x, c), 0.0), alone=True, given=positive, stage=STAGE, exactness="exact",
         examples=({**MX, "c": 3.0},)),
    Rule("where(m, x, 0) * where(m, y, 0) -> where(m, x * y, 0)", lambda F, m, x, y: F.mul(F.where(m, x, 0.0), F.where(m, y, 0.0)),
         lambda F, m, x, y: F.where(m, F.mul(x, y), 0.0), alone=True, given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="exact", examples=(MXY,)),
    Rule("where(m, x, 0) - where(m, y, 0) -> where(m, x - y, 0)", lambda F, m, x, y: F.sub(F.where(m, x, 0.0), F.where(m, y, 0.0)),
         lambda F, m, x, y: F.where(m, F.sub(x, y), 0.0), alone=True, stage=STAGE, exactness="exact", examples=(MXY,)),
    Rule("where(m, x, 0) + where(m, 0, y) -> where(m, x, y)", lambda F, m, x, y: F.add(F.where(m, x, 0.0), F.where(m, 0.0, y)),
         lambda F, m, x, y: F.where(m, x, y), alone=True, stage=STAGE, exactness="rounding", examples=(MXY,)),
    Rule("where(m, where(k, x, c), c) -> where(m and k, x, c)", lambda F, m, k, x, c: F.where(m, F.where(k, x, c), c),
         lambda F, m, k, x, c: F.where(F.logical_and(m, k), x, c), alone=True,
         given=lambda m, k, c: m is not k and one_value(c), stage=STAGE, exactness="exact",
         examples=({"m": M(2, 3), "k": M(3), "x": A(2, 3), "c": 2.0},)),
    Rule("where(m, c, where(k, c, x)) -> where(m or k, c, x)", lambda F, m, k, x, c: F.where(m, c, F.where(k, c, x)),
         lambda F, m, k, x, c: F.where(F.logical_or(m, k), c, x), alone=True,
         given=lambda m, k, c: m is not k and one_value(c), stage=STAGE, exactness="exact",
         examples=({"m": M(2, 3), "k": M(3), "x": A(2, 3), "c": 0.5},)),
    Rewrite("one-hot rows @ matrix -> rows of the matrix", _rows_of_matrix, roots=("mm",), when=lambda op, kinds: reads(kinds, "cast"),
            stage=STAGE, exactness="domain", examples=((_rows_example, (I(4, below=5), A(5, 3))),)),
    Rewrite("sum(one-hot rows * x) -> gather", _one_of_each_row, roots=("sum",), when=lambda op, kinds: reads(kinds, "mul"),
            stage=STAGE, exactness="domain", examples=((_each_row_example, (I(4, below=5), A(4, 5))),)),
    Rewrite("identity @ a -> a, diagonal @ a -> rows scaled", _structured_product, roots=("mm",),
            when=lambda op, kinds: reads(kinds, "eye", "diag_embed"), stage=STAGE, exactness="domain",
            examples=((lambda F, x: F.mm(x, F.eye(n=3, m=3, dtype=x.dtype)), (A(2, 3),)), (_diagonal_example, (A(3), A(3, 4))))),
)  # fmt: skip
