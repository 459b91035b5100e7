"""Rules for products of matrices and vectors, and for folds over leading axes.  Part of simplify."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"
SWAP = (1, 0)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, Node) and value.op is not None and value.op.name == name


def vector_behind(value: Node, shape: tuple[int, int]) -> Node | None:
    """The vector that was reshaped to this row or column."""
    if not _is(value, "reshape") or value.shape != shape or len(value.inputs[0].shape) != 1:
        return None
    source: Node = value.inputs[0]
    return source


def _row_times_matrix(F: Builder, node: Node, uses: Uses) -> Any:
    """(1, n) @ (n, m) with a vector behind the row is a product of the transposed matrix and the vector."""
    row, matrix = node.inputs
    x = vector_behind(row, (1, matrix.shape[0]))
    if x is None or node.dtype.kind not in "fV" or 1 in matrix.shape:
        return None
    return F.reshape(F.mv(F.permute(matrix, dims=SWAP), x), shape=node.shape)


def _column_times_row(F: Builder, node: Node, uses: Uses) -> Any:
    """(n, 1) @ (1, m) is a product element by element."""
    column, row = node.inputs
    if column.shape[1] != 1 or node.dtype.kind not in "fV":
        return None
    return F.mul(column, row)


def _transposed_product(F: Builder, node: Node, uses: Uses) -> Any:
    """The transpose of a product of which a factor is transposed: the product of the other transposes."""
    product = node.inputs[0]
    if node.attrs[0] != SWAP or not _is(product, "mm") or uses(product) > 1:
        return None
    if not any(_is(x, "permute") for x in product.inputs):
        return None
    a, b = product.inputs
    return F.mm(F.permute(b, dims=SWAP), F.permute(a, dims=SWAP))


def _fold_of_leading_axes(F: Builder, node: Node, uses: Uses) -> Any:
    """A fold over the first axes that keeps them as 1s, without them: elementwise operators broadcast by themselves."""
    op, (dim, keepdim, *rest) = node.op, node.attrs
    assert op is not None
    if not keepdim or dim is None or tuple(dim) != tuple(range(len(dim))) or not dim:
        return None
    options = dict(zip(op.attrs[2:], rest, strict=True))
    return F.reshape(getattr(F, op.name)(node.inputs[0], dim=dim, keepdim=False, **options), shape=node.shape)


def smaller(x: Node, y: Node) -> bool:
    """Whether x has fewer axes, or fewer elements."""
    return sum(x.shape) < sum(y.shape) and len(x.shape) <= len(y.shape)


def moderate(c: Any, out: Type) -> bool:
    """Whether a real factor is so far from overflow and underflow that it can stand elsewhere in a product."""
    return out.dtype.kind in "fV" and out.dtype.char != "e" and not isinstance(c, complex) and 1e-15 < abs(c) < 1e15


RULES: tuple[AnyRule, ...] = (
    Rewrite("row @ matrix -> matrix.T times vector", _row_times_matrix, roots=("mm",), stage=STAGE, exactness="rounding",
            examples=((lambda F, x, a: F.mm(F.reshape(x, shape=(1, 3)), a), (A(3), A(3, 4))),)),
    Rewrite("column @ row -> column * row", _column_times_row, roots=("mm",), stage=STAGE, exactness="rounding",
            examples=((lambda F, x, y: F.mm(x, y), (A(3, 1), A(1, 4))),)),
    Rewrite("transpose of (a.T @ b) -> b.T @ a", _transposed_product, roots=("permute",), stage=STAGE, exactness="rounding",
            examples=((lambda F, a, b: F.permute(F.mm(F.permute(a, dims=SWAP), b), dims=SWAP), (A(3, 2), A(3, 4))),)),
    Rewrite("fold of leading axes, kept -> reshape of the fold", _fold_of_leading_axes, roots=("mean", "amax", "amin", "var", "std"),
            stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.mean(x, dim=(0,), keepdim=True), (A(2, 3),)),)),
    Rule("(x * y) * c -> (x * c) * y, x the smaller one", lambda F, x, y, c: F.mul(F.mul(x, y), c),
         lambda F, x, y, c: F.mul(F.mul(x, c), y), alone=True,
         given=lambda x, y, c, out: smaller(x, y) and y.shape == out.shape and moderate(c, out),
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 1), "y": A(2, 3), "c": 3.0},)),
    Rule("x * c + x -> x * (c + 1), c positive", lambda F, x, c: F.add(F.mul(x, c), x), lambda F, x, c: F.mul(x, c + 1),
         given=lambda x, c, out: x.shape == out.shape and moderate(c, out) and 0 < c < 1e4,
         alone=True, stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "c": 0.2},)),
)  # fmt: skip
