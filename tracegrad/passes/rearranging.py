"""Rules for pieces of values and their order: what is cut from what was joined, turned twice, repeated, or put on a diagonal.  Part of simplify."""

from __future__ import annotations

from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A
from tracegrad.passes.patterns import made_by, reads
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"


def _joined_joins(F: Builder, node: Node, uses: Uses) -> Any:
    """A cat whose parts are cats along the same axis is one cat."""
    parts: list[Any] = []
    for part in node.inputs:
        inner = made_by(part, "cat") and part.attrs == node.attrs and uses(part) == 1
        parts.extend(part.inputs if inner else (part,))
    return F.cat(*parts, dim=node.attrs[0]) if len(parts) > len(node.inputs) else None


def _joined_alone(F: Builder, node: Node, uses: Uses) -> Any:
    """A cat of one value is the value."""
    return node.inputs[0] if len(node.inputs) == 1 and node.inputs[0].type == node.type else None


def _stack_of_selected(F: Builder, node: Node, uses: Uses) -> Any:
    """All positions of an axis in order, stacked along that axis, are the value."""
    (dim,) = node.attrs
    first = node.inputs[0]
    if not made_by(first, "select"):
        return None
    source = first.inputs[0]
    if source.type != node.type:
        return None
    for index, part in enumerate(node.inputs):
        if not made_by(part, "select") or part.inputs[0] is not source or part.attrs != (dim, index):
            return None
    return source


def _item_of_joined(F: Builder, node: Node, uses: Uses) -> Any:
    """One position of a cat is a position of one of its parts."""
    dim, index = node.attrs
    joined = node.inputs[0]
    if not made_by(joined, "cat") or joined.attrs[0] != dim:
        return None
    for part in joined.inputs:
        size = part.shape[dim]
        if index < size:
            return F.select(part, dim=dim, index=index)
        index -= size
    return None


def _item_of_repeated(F: Builder, node: Node, uses: Uses) -> Any:
    """One position along an axis that was only repeated: the rest, repeated as before."""
    dim = node.attrs[0]
    repeated = node.inputs[0]
    if not made_by(repeated, "broadcast_to"):
        return None
    x = repeated.inputs[0]
    at = dim - (len(repeated.shape) - len(x.shape))
    if at >= 0 and x.shape[at] != 1:
        return None
    rest = x if at < 0 else F.reshape(x, shape=(*x.shape[:at], *x.shape[at + 1 :]))
    return F.expand(rest, shape=node.shape)


def _item_of_permuted(F: Builder, node: Node, uses: Uses) -> Any:
    """One position of a permuted value is cut where the axis was before."""
    dim, index = node.attrs
    moved = node.inputs[0]
    if not made_by(moved, "permute"):
        return None
    dims = moved.attrs[0]
    axis = dims[dim]
    rest = tuple(d - (d > axis) for d in dims if d != axis)
    return F.permute(F.select(moved.inputs[0], dim=axis, index=index), dims=rest)


def _slice_of_permuted(F: Builder, node: Node, uses: Uses) -> Any:
    """A slice of a permuted value is cut first: slices of slices meet, and the permutations do."""
    dim, start, stop, step = node.attrs
    moved = node.inputs[0]
    if not made_by(moved, "permute") or uses(moved) > 1:
        return None
    dims = moved.attrs[0]
    return F.permute(F.slice(moved.inputs[0], dim=dims[dim], start=start, stop=stop, step=step), dims=dims)


def _flips(F: Builder, node: Node, uses: Uses) -> Any:
    """Flips one after the other are one flip of the axes that are flipped once."""
    inner = node.inputs[0]
    if not made_by(inner, "flip"):
        return None
    once = tuple(sorted(set(node.attrs[0]) ^ set(inner.attrs[0])))
    return F.flip(inner.inputs[0], dims=once) if once else inner.inputs[0]


def _rolls(F: Builder, node: Node, uses: Uses) -> Any:
    """Rolls along the same axes are one roll; a roll by nothing is the value."""
    shifts, dims = node.attrs
    inner = node.inputs[0]
    if not dims or len(shifts) != len(dims):
        return None
    sizes = [max(node.shape[d], 1) for d in dims]
    if made_by(inner, "roll") and inner.attrs[1] == dims:
        both = tuple((a + b) % n for a, b, n in zip(shifts, inner.attrs[0], sizes, strict=True))
        return F.roll(inner.inputs[0], shifts=both, dims=dims)
    return inner if all(s % n == 0 for s, n in zip(shifts, sizes, strict=True)) else None


def _diagonal_of_diagonal(F: Builder, node: Node, uses: Uses) -> Any:
    """The diagonal on which a value was put is the value."""
    inner = node.inputs[0]
    if not made_by(inner, "diag_embed") or inner.attrs[1:] != node.attrs or inner.inputs[0].type != node.type:
        return None
    return inner.inputs[0]


def _halves(F: Any, x: Any, y: Any) -> Any:
    return F.cat(F.cat(x, y, dim=0), x, dim=0)


def _rows(F: Any, x: Any) -> Any:
    return F.stack(F.select(x, dim=0, index=0), F.select(x, dim=0, index=1), dim=0)


RULES: tuple[AnyRule, ...] = (
    Rewrite("cat(cat(x, y), z) -> cat(x, y, z)", _joined_joins, roots=("cat",), stage=STAGE, exactness="exact",
            examples=((_halves, (A(2), A(3))),)),
    Rewrite("cat(x) -> x", _joined_alone, roots=("cat",), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.cat(x, dim=0), (A(2, 3),)),)),
    Rewrite("stack of all positions -> the value", _stack_of_selected, roots=("stack",), stage=STAGE, exactness="exact",
            examples=((_rows, (A(2, 3),)),)),
    Rewrite("select of a cat -> select of the part", _item_of_joined, roots=("select",), when=lambda op, kinds: reads(kinds, "cat"),
            stage=STAGE, exactness="exact",
            examples=((lambda F, x, y: F.select(F.cat(x, y, dim=0), dim=0, index=3), (A(2, 3), A(5, 3))),)),
    Rewrite("select of a repeated value -> the value", _item_of_repeated, roots=("select",),
            when=lambda op, kinds: reads(kinds, "broadcast_to"), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.select(F.broadcast_to(x, shape=(4, 2, 3)), dim=0, index=1), (A(2, 3),)),
                      (lambda F, x: F.select(F.broadcast_to(x, shape=(4, 3)), dim=1, index=2), (A(4, 1),)))),
    Rewrite("select of a permuted value -> permuted select", _item_of_permuted, roots=("select",),
            when=lambda op, kinds: reads(kinds, "permute"), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.select(F.permute(x, dims=(2, 0, 1)), dim=1, index=1), (A(2, 3, 4),)),)),
    Rewrite("slice of a permuted value -> permuted slice", _slice_of_permuted, roots=("slice",),
            when=lambda op, kinds: reads(kinds, "permute"), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.slice(F.permute(x, dims=(1, 0)), dim=0, start=1, stop=3, step=1), (A(2, 3),)),)),
    Rule("select(slice x) -> select x",
         lambda F, x, D, I, J, K, M: F.select(F.slice(x, dim=D, start=I, stop=J, step=K), dim=D, index=M),
         lambda F, x, D, I, K, M: F.select(x, dim=D, index=I + K * M),
         stage=STAGE, exactness="exact", examples=({"x": A(9, 2), "D": 0, "I": 1, "J": 8, "K": 2, "M": 3},)),
    Rewrite("flip(flip x) -> flip x", _flips, roots=("flip",), when=lambda op, kinds: reads(kinds, "flip"), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.flip(F.flip(x, dims=(0, 1)), dims=(1,)), (A(2, 3),)),)),
    Rewrite("roll(roll x) -> roll x", _rolls, roots=("roll",), stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.roll(F.roll(x, shifts=(1,), dims=(1,)), shifts=(1,), dims=(1,)), (A(2, 3),)),
                      (lambda F, x: F.roll(x, shifts=(3,), dims=(1,)), (A(2, 3),)))),
    Rewrite("diagonal(diag_embed x) -> x", _diagonal_of_diagonal, roots=("diagonal",), when=lambda op, kinds: reads(kinds, "diag_embed"),
            stage=STAGE, exactness="exact",
            examples=((lambda F, x: F.diagonal(F.diag_embed(x, shape=(3, 3), offset=0, dim1=0, dim2=1), offset=0, dim1=0, dim2=1),
                       (A(3),)),)),
)  # fmt: skip
