"""Chains of matrix products, cross products and dot products along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad.errors import ArgumentError, AxisError, DTypeError, ShapeError, explain
from tracegrad.ir.families import Composite
from tracegrad.ir.prelude import Ops, Value
from tracegrad.ir.samples import A, C
from tracegrad.ir.types import one_axis
from tracegrad.ops.checks import not_for


def _chain_splits(sizes: list[int]) -> list[list[int]]:
    """Where to split each run of factors so that the fewest multiplications are made (Cormen et al., Introduction to Algorithms, 15.2)."""
    count = len(sizes) - 1
    cost = [[0] * count for _ in range(count)]
    split = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i][j], split[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )
    return split


def _multiplied(F: Ops, factors: Sequence[Any], split: list[list[int]], i: int, j: int) -> Value:
    if i == j:
        return factors[i]
    k = split[i][j]
    return F.mm(_multiplied(F, factors, split, i, k), _multiplied(F, factors, split, k + 1, j))


class LinalgMultiDot(Composite):
    """The product of matrices in the cheapest order; the first and the last may be vectors.  Shapes: (n, k), ..., (l, m) -> (n, m)."""

    function, method = False, False
    samples = ([[A(2, 3), A(3, 4), A(4, 2)]], [[A(3), A(3, 2), A(2)]])

    @staticmethod
    def call(F: Ops, tensors: Any) -> Value:
        """The product of two or more tensors.  Raises RuntimeError for fewer, and for sizes that do not fit."""
        if not isinstance(tensors, (list, tuple)):
            raise ArgumentError(
                explain("multi_dot", f"argument 'tensors' must be tuple of Tensors, not {type(tensors).__name__}")
            )
        factors = list(tensors)
        if len(factors) < 2:
            raise ShapeError(explain("multi_dot", f"expected at least 2 tensors but got {len(factors)}"))
        ranks = [len(F.shape(t)) for t in factors]
        for i, rank in enumerate(ranks):
            if rank != 2 and not (rank == 1 and i in (0, len(ranks) - 1)):
                raise ShapeError(
                    explain("multi_dot", f"tensor {i} must be 2D (the first and the last may be 1D) but got {rank}D")
                )
        factors[0] = F.unsqueeze(factors[0], dim=0) if ranks[0] == 1 else factors[0]
        factors[-1] = F.unsqueeze(factors[-1], dim=1) if ranks[-1] == 1 else factors[-1]
        shapes = [F.shape(t) for t in factors]
        for i in range(len(shapes) - 1):
            if shapes[i][1] != shapes[i + 1][0]:
                problem = f"tensors {i} and {i + 1} with shapes {list(shapes[i])} and {list(shapes[i + 1])} cannot be multiplied"
                raise ShapeError(explain("multi_dot", problem))
        split = _chain_splits([shapes[0][0], *(s[1] for s in shapes)])
        product = _multiplied(F, factors, split, 0, len(factors) - 1)
        rows, columns = shapes[0][0], shapes[-1][1]
        return F.reshape(product, shape=(*(() if ranks[0] == 1 else (rows,)), *(() if ranks[-1] == 1 else (columns,))))


class ChainMatmul(Composite):
    """The product of matrices in the cheapest order.  Shapes: (n, k), ..., (l, m) -> (n, m)."""

    method = False
    samples = ([A(2, 3), A(3, 4), A(4, 2)], [A(2, 3)])

    @staticmethod
    def call(F: Ops, *matrices: Any) -> Value:
        """The product of one or more matrices.  Raises RuntimeError for other tensors."""
        for m in matrices:
            if len(F.shape(m)) != 2:
                raise ShapeError(explain("chain_matmul", f"Tensor dimension is {len(F.shape(m))}, expected 2 instead"))
        return F.clone(matrices[0]) if len(matrices) == 1 else F.linalg_multi_dot(list(matrices))


class LinalgCross(Composite):
    """Cross products along an axis of 3 elements.  Shapes: (*a), (*b) -> broadcast(a, b)."""

    function, method = False, False
    samples = ([A(2, 3), A(2, 3)], [A(1, 3), A(2, 3)])

    @staticmethod
    def call(F: Ops, input: Any, other: Any, *, dim: int = -1) -> Value:  # noqa: A002
        """input x other along dim.  Raises RuntimeError unless both have 3 elements there and as many axes."""
        return crossed(F, "linalg.cross", input, other, dim)


def crossed(F: Ops, operation: str, a: Any, b: Any, dim: int) -> Value:
    """The cross product along an axis: a[i + 1] b[i + 2] - a[i + 2] b[i + 1] for the positions i modulo 3."""
    first, second = F.shape(a), F.shape(b)
    if len(first) != len(second):
        problem = f"inputs must have the same number of dimensions. Got {len(first)} and {len(second)}"
        raise ShapeError(explain(operation, problem))
    axis = one_axis(operation, len(first), dim)
    if not first:
        raise AxisError(explain(operation, f"Dimension specified as {dim} but tensor has no dimensions"))
    if first[axis] != 3 or second[axis] != 3:
        sizes = f"{first[axis]} and {second[axis]}"
        raise ShapeError(explain(operation, f"inputs dimension {dim} must have length 3. Got {sizes}"))

    if F.type(a).dtype != F.type(b).dtype:
        problem = "input and other must have the same dtype"
        raise DTypeError(explain(operation, problem, "Convert one with .to(dtype)", input=F.type(a), other=F.type(b)))
    not_for(operation, F.type(a), "b")

    def turned(x: Any, by: int) -> Any:
        pieces = [F.slice(x, dim=axis, start=(i + by) % 3, stop=(i + by) % 3 + 1, step=1) for i in range(3)]
        return F.cat(*pieces, dim=axis)

    product = F.sub(F.mul(turned(a, 1), turned(b, 2)), F.mul(turned(a, 2), turned(b, 1)))
    return F.named(product, called="LinalgCrossBackward0")


class Cross(Composite):
    """Cross products along the axis dim (None: the first with 3 elements).  Shapes: (*a), (*b) -> broadcast(a, b)."""

    tensors = ("other",)
    samples = ([A(2, 3), A(2, 3)], [A(3), A(3)], [A(3, 2), A(3, 2), 0])

    @staticmethod
    def call(F: Ops, input: Any, other: Any, dim: int | None = None) -> Value:  # noqa: A002
        """input x other along dim."""
        if dim is None:
            dim = next((i for i, size in enumerate(F.shape(input)) if size == 3), None)
            if dim is None:
                raise ShapeError(explain("cross", "no dimension of size 3 in input"))
        return crossed(F, "linalg.cross", input, other, dim)


class LinalgVecdot(Composite):
    """Sums of conj(x) * y along an axis.  Shapes: (*a), (*b) -> broadcast(a, b) without dim."""

    function, method = False, False
    samples = ([A(2, 3), A(2, 3)], [C(3), C(2, 3)])

    @staticmethod
    def call(F: Ops, x: Any, y: Any, *, dim: int = -1) -> Value:
        """The dot products of the vectors along dim."""
        if not F.is_floating(x) or not F.is_floating(y):
            raise DTypeError(
                explain(
                    "linalg.vecdot", "Expected a floating point or complex tensor as input", x=F.type(x), y=F.type(y)
                )
            )
        if F.type(x).dtype != F.type(y).dtype:
            problem = "Expected x and y to have the same dtype"
            raise DTypeError(explain("linalg.vecdot", problem, "Convert one with .to(dtype)", x=F.type(x), y=F.type(y)))
        if len(F.shape(x)) == len(F.shape(y)) == 1:
            one_axis("linalg.vecdot", 1, dim)
            return F.vdot(x, y)
        product = F.mul(F.conj(x) if F.is_complex(x) else x, y)
        axis = one_axis("linalg.vecdot", len(F.shape(product)), dim)
        return F.sum(product, dim=(axis,) if F.shape(product) else None, keepdim=False)
