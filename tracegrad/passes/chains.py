"""Rules for chains of products of matrices: the order that costs least, factors outside, sums of products without the products.  Part of simplify.

Another order of finite values differs by rounding.  Infinities and nan in matrices are treated as BLAS does, which leaves out products with 0.
"""

from __future__ import annotations

from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.ir.types import Type, size_of
from tracegrad.passes.patterns import made_by, reads
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"
LONGEST = 40  # factors of a chain: the best order is found in cubic time
AB = {"a": A(3, 4), "b": A(4, 2)}


def factors(node: Node, uses: Uses) -> list[Node]:
    """The matrices of a chain of products of which nothing else reads the inner ones, from left to right."""
    chain: list[Node] = []
    pending = list(node.inputs[::-1])
    while pending:
        part = pending.pop()
        if made_by(part, "mm") and uses(part) == 1 and len(chain) + len(pending) < LONGEST:
            pending.extend(part.inputs[::-1])
        else:
            chain.append(part)
    return chain


def best_order(sizes: list[int]) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """(cost, first cut) of the products i..j of matrices of sizes[i] x sizes[i + 1], for all i <= j."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j], cut[i, j] = min(
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return cost, cut


def cost_as_written(node: Any, chain: set[Node]) -> int:
    """The multiplications of a chain in the order in which it stands."""
    if node in chain:
        return 0
    a, b = node.inputs
    return cost_as_written(a, chain) + cost_as_written(b, chain) + int(a.shape[0] * a.shape[1] * b.shape[1])


def _cheapest_chain(F: Builder, node: Node, uses: Uses) -> Any:
    """A chain of products in the order with the fewest multiplications, where that saves a tenth."""
    if node.dtype.kind not in "fc" or node.dtype.itemsize < 4 or not any(made_by(i, "mm") for i in node.inputs):
        return None
    chain = factors(node, uses)
    if not 3 <= len(chain) <= LONGEST:
        return None
    cost, cut = best_order([chain[0].shape[0], *(a.shape[1] for a in chain)])
    last = len(chain) - 1
    if cost[0, last] >= 0.9 * cost_as_written(node, set(chain)):
        return None

    def product(i: int, j: int) -> Any:
        return chain[i] if i == j else F.mm(product(i, cut[i, j]), product(cut[i, j] + 1, j))

    return product(0, last)


def _matrix_times_column(F: Builder, node: Node, uses: Uses) -> Any:
    """(n, m) @ (m, 1) with a vector behind the column is a product of matrix and vector."""
    matrix, column = node.inputs
    if not made_by(column, "reshape") or column.shape[1] != 1 or len(column.inputs[0].shape) != 1 or 1 in matrix.shape:
        return None
    return F.reshape(F.mv(matrix, column.inputs[0]), shape=node.shape)


def outward(out: Type, x: Type, c: Any) -> bool:
    """Whether scaling a product of this type is less work than scaling the factor x."""
    return size_of(out.shape) < size_of(x.shape) and real(out) and not isinstance(c, complex) and 1e-4 < abs(c) < 1e4


def real(out: Type) -> bool:
    """Whether the elements are real numbers that BLAS multiplies."""
    return out.dtype.kind == "f" and out.dtype.itemsize >= 4


RULES: tuple[AnyRule, ...] = (
    Rewrite("(a @ b) @ c -> a @ (b @ c), where that is less work", _cheapest_chain, roots=("mm",), when=lambda op, kinds: reads(kinds, "mm"),
            stage=STAGE, exactness="rounding",
            examples=((lambda F, a, b, c: F.mm(F.mm(a, b), c), (A(6, 2), A(2, 6), A(6, 1))),
                      (lambda F, a, b, c, d: F.mm(F.mm(a, F.mm(b, c)), d), (A(2, 6), A(6, 5), A(5, 6), A(6, 2))))),
    Rewrite("matrix @ column -> matrix @ vector", _matrix_times_column, roots=("mm",), when=lambda op, kinds: reads(kinds, "reshape"),
            stage=STAGE, exactness="rounding", examples=((lambda F, a, x: F.mm(a, F.reshape(x, shape=(4, 1))), (A(3, 4), A(4))),)),
    Rule("(a @ b) @ vector -> a @ (b @ vector)", lambda F, a, b, x: F.mv(F.mm(a, b), x), lambda F, a, b, x: F.mv(a, F.mv(b, x)),
         alone=True, given=lambda a, b, out: real(out) and min(*a.shape, *b.shape) > 1, stage=STAGE, exactness="rounding",
         examples=({"a": A(3, 4), "b": A(4, 2), "x": A(2)},)),
    Rule("(a * c) @ b -> (a @ b) * c, a the larger one", lambda F, a, b, c: F.mm(F.mul(a, c), b), lambda F, a, b, c: F.mul(F.mm(a, b), c),
         alone=True, given=lambda a, b, c, out: outward(out, a.type, c), stage=STAGE, exactness="rounding", examples=({**AB, "c": 0.3},)),
    Rule("a @ (b * c) -> (a @ b) * c, b the larger one", lambda F, a, b, c: F.mm(a, F.mul(b, c)), lambda F, a, b, c: F.mul(F.mm(a, b), c),
         alone=True, given=lambda a, b, c, out: outward(out, b.type, c), stage=STAGE, exactness="rounding",
         examples=({"a": A(2, 4), "b": A(4, 3), "c": 0.3},)),
    Rule("(a * c) @ vector -> (a @ vector) * c", lambda F, a, x, c: F.mv(F.mul(a, c), x), lambda F, a, x, c: F.mul(F.mv(a, x), c),
         alone=True, given=lambda a, c, out: outward(out, a.type, c), stage=STAGE, exactness="rounding",
         examples=({"a": A(3, 4), "x": A(4), "c": 0.3},)),
    Rule("neg a @ b -> neg(a @ b)", lambda F, a, b: F.mm(F.neg(a), b), lambda F, a, b: F.neg(F.mm(a, b)),
         alone=True, given=lambda a, out: outward(out, a.type, 1.0), stage=STAGE, exactness="rounding", examples=(AB,)),
    Rule("sum(a @ b) over rows -> sum(a).T @ b", lambda F, a, b: F.sum(F.mm(a, b), dim=(0,), keepdim=False),
         lambda F, a, b: F.mv(F.permute(b, dims=(1, 0)), F.sum(a, dim=(0,), keepdim=False)), alone=True, given=real,
         stage=STAGE, exactness="rounding", examples=(AB,)),
    Rule("sum(a @ b) over columns -> a @ sum(b)", lambda F, a, b: F.sum(F.mm(a, b), dim=(1,), keepdim=False),
         lambda F, a, b: F.mv(a, F.sum(b, dim=(1,), keepdim=False)), alone=True, given=real,
         stage=STAGE, exactness="rounding", examples=(AB,)),
    Rule("sum(a @ b) -> sum(a) @ sum(b)", lambda F, a, b: F.sum(F.mm(a, b), dim=None, keepdim=False),
         lambda F, a, b: F.dot(F.sum(a, dim=(0,), keepdim=False), F.sum(b, dim=(1,), keepdim=False)), alone=True, given=real,
         stage=STAGE, exactness="rounding", examples=(AB,)),
    Rule("sum(a @ vector) -> sum(a) @ vector", lambda F, a, x, D: F.sum(F.mv(a, x), dim=D, keepdim=False),
         lambda F, a, x: F.dot(F.sum(a, dim=(0,), keepdim=False), x), alone=True, given=lambda out: real(out) and out.shape == (),
         stage=STAGE, exactness="rounding", examples=({"a": A(3, 4), "x": A(4), "D": None},)),
    Rule("trace(a @ b) -> sum(a * b.T)", lambda F, a, b: F.trace(F.mm(a, b)),
         lambda F, a, b: F.sum(F.mul(a, F.permute(b, dims=(1, 0))), dim=None, keepdim=False), alone=True,
         given=lambda a, b, out: real(out) and a.shape == b.shape[::-1], stage=STAGE, exactness="rounding",
         examples=({"a": A(3, 4), "b": A(4, 3)},)),
    Rule("trace of a transpose -> trace", lambda F, a: F.trace(F.permute(a, dims=(1, 0))), lambda F, a: F.trace(a),
         stage=STAGE, exactness="exact", examples=({"a": A(3, 3)},)),
)  # fmt: skip
