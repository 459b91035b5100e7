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


def _piece_of_joined(F: Builder, node: Node, uses: Uses) -> Any:
    """A slice of a cat that lies within one part is a slice of that part."""
    dim, start, stop, step = node.attrs
    joined = node.inputs[0]
    if not _is(joined, "cat") or joined.attrs[0] != dim or node.shape[dim] == 0:
        return None
    offset = 0
    for part in joined.inputs:
        size = part.shape[dim]
        if offset <= start and stop <= offset + size:
            return F.slice(part, dim=dim, start=start - offset, stop=stop - offset, step=step)
        offset += size
    return None


def _item_of_stack(F: Builder, node: Node, uses: Uses) -> Any:
    """One position of a stack along its axis is that value."""
    dim, index = node.attrs
    stacked = node.inputs[0]
    return stacked.inputs[index] if _is(stacked, "stack") and stacked.attrs[0] == dim else None


def _joined_pieces(F: Builder, node: Node, uses: Uses) -> Any:
    """Neighbouring slices of one value, joined again, are one slice of it."""
    (dim,) = node.attrs
    first = node.inputs[0]
    if not _is(first, "slice"):
        return None
    at = first.attrs[1]
    for part in node.inputs:
        if not _is(part, "slice") or part.inputs[0] is not first.inputs[0] or part.attrs[0] != dim:
            return None
        if part.attrs[1] != at or part.attrs[3] != 1:
            return None
        at = part.attrs[2]
    return F.slice(first.inputs[0], dim=dim, start=first.attrs[1], stop=at, step=1)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, Node) and value.op is not None and value.op.name == name


def _halves(F: Any, x: Any) -> Any:
    low, high = F.slice(x, dim=0, start=0, stop=2, step=1), F.slice(x, dim=0, start=2, stop=5, step=1)
    return F.cat(low, high, dim=0)


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
    Rewrite("slice of a cat within one part -> slice of the part", _piece_of_joined, roots=("slice",),
            stage=STAGE, exactness="exact",
            examples=((lambda F, x, y: F.slice(F.cat(x, y, dim=0), dim=0, start=3, stop=6, step=1), (A(2), A(5))),)),
    Rewrite("select of a stack -> the value", _item_of_stack, roots=("select",), stage=STAGE, exactness="exact",
            examples=((lambda F, x, y: F.select(F.stack(x, y, dim=1), dim=1, index=1), (A(3), A(3))),)),
    Rewrite("cat of neighbouring slices -> slice", _joined_pieces, roots=("cat",), stage=STAGE, exactness="exact",
            examples=((_halves, (A(5),)),)),
)  # fmt: skip
