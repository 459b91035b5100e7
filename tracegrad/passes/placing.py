"""Rules for gradients of slices: sums of mostly-zero values become one `place`.  Part of simplify."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.ir.types import Shape
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"


class Parts(NamedTuple):
    """A value as a sum of parts at slices of one axis: triples (part, start, step)."""

    dim: int
    items: tuple[tuple[Node, int, int], ...]


def parts_of(F: Builder, node: Any, dim: int | None, uses: Uses) -> Parts | None:
    """The parts of a slice's gradient, or of a place, that nothing else reads; along `dim` if it is given."""
    if not isinstance(node, Node) or node.op is None or uses(node) > 1:
        return None
    if node.op.name == "place":
        shape, axis, starts, steps = node.attrs
        found = Parts(axis, tuple(zip(node.inputs, starts, steps, strict=True)))
    elif node.op.name == "slice_backward":
        shape, axis, start, _, step = node.attrs
        found = Parts(axis, ((node.inputs[0], start, step),))
    elif node.op.name == "select_backward":
        shape, axis, index = node.attrs
        x = node.inputs[0]
        if dim is not None and dim != axis:
            return None
        found = Parts(axis, ((F.reshape(x, shape=(*shape[:axis], 1, *shape[axis + 1 :])), index, 1),))
    else:
        return None
    return found if dim in (None, found.dim) else None


def placed(F: Builder, shape: Shape, parts: Parts) -> Any:
    """The sum of the parts, those at the same slice added first."""
    at: dict[tuple[int, int, int], Any] = {}
    for x, start, step in parts.items:
        key = (start, step, x.shape[parts.dim])
        at[key] = F.add(at[key], x) if key in at else x
    if len(at) == 1:
        (start, step, count), x = next(iter(at.items()))
        if x.shape == shape:
            return x
        return F.slice_backward(
            x, shape=shape, dim=parts.dim, start=start, stop=min(start + step * count, shape[parts.dim]), step=step
        )
    return F.place(
        *at.values(), shape=shape, dim=parts.dim, starts=tuple(k[0] for k in at), steps=tuple(k[1] for k in at)
    )


def _sum_of_placed(F: Builder, node: Node, uses: Uses) -> Any:
    """placed + placed along one axis -> one place; anything of the full shape + placed -> a place over it."""
    x, y = node.inputs
    if not isinstance(x, Node) or not isinstance(y, Node) or x.shape != y.shape:
        return None
    left = parts_of(F, x, None, uses)
    right = parts_of(F, y, left.dim if left else None, uses)
    if left is not None and right is not None:
        return placed(F, node.shape, Parts(left.dim, (*left.items, *right.items)))
    right = parts_of(F, y, None, uses) if right is None else right
    if right is not None:
        return placed(F, node.shape, Parts(right.dim, ((x, 0, 1), *right.items)))
    if left is not None:
        return placed(F, node.shape, Parts(left.dim, ((y, 0, 1), *left.items)))
    return None


def _example(F: Any, x: Any, y: Any) -> Any:
    low = F.slice_backward(x, shape=(5,), dim=0, start=0, stop=4, step=1)
    return F.add(low, F.slice_backward(y, shape=(5,), dim=0, start=1, stop=5, step=1))


def _dense_example(F: Any, x: Any, y: Any) -> Any:
    return F.add(F.select_backward(x, shape=(2, 3), dim=0, index=1), y)


RULES: tuple[AnyRule, ...] = (
    Rewrite("slice gradient + slice gradient -> place", _sum_of_placed, roots=("add",), stage=STAGE,
            exactness="rounding",
            examples=((_example, (A(4), A(4))), (_dense_example, (A(3), A(2, 3))))),
    Rule("slice of its own gradient -> x",
         lambda F, x, S, D, I, J, K: F.slice(F.slice_backward(x, shape=S, dim=D, start=I, stop=J, step=K),
                                                                                dim=D, start=I, stop=J, step=K),
                                                                                lambda F, x: x,
         stage=STAGE, exactness="exact", examples=({"x": A(3), "S": (5,), "D": 0, "I": 1, "J": 4, "K": 1},)),
    Rule("slice of everything -> x", lambda F, x, D, I, J, K: F.slice(x, dim=D, start=I, stop=J, step=K),
         lambda F, x: x,
         given=lambda x, out: x.shape == out.shape, stage=STAGE, exactness="exact",
         examples=({"x": A(3), "D": 0, "I": 0, "J": 3, "K": 1},)),
    Rule("slice(slice x) -> slice x",
         lambda F, x, D, I, J, K, L, M, N: F.slice(F.slice(x, dim=D, start=I, stop=J, step=K), dim=D, start=L,
                                                   stop=M, step=N),
         lambda F, x, D, I, K, L, M, N, out: F.slice(x, dim=D, start=I + K * L,
                                                     stop=I + K * L + K * N * (out.shape[D] - 1) + 1,
                                                     step=K * N),
         given=lambda D, out: out.shape[D] > 0, stage=STAGE, exactness="exact",
         examples=({"x": A(9), "D": 0, "I": 1, "J": 8, "K": 2, "L": 1, "M": 4, "N": 2},)),
)  # fmt: skip
