"""Rules for folds: folds of folds are one, factors and signs move out of them, and moved or repeated values are folded where they lie.  Part of simplify.

Only numbers move out of a sum: a factor that is a value may be infinite or 0 where the terms cancel.
"""

from __future__ import annotations

from typing import Any

from tracegrad.ir.builder import Builder
from tracegrad.ir.node import Node
from tracegrad.ir.samples import A, M
from tracegrad.ir.types import Type, reduced, size_of
from tracegrad.passes.patterns import made_by, reads
from tracegrad.passes.rules import AnyRule, Rewrite, Rule, Uses

STAGE = "simplify"
FOLDS = ("sum", "mean", "prod", "amax", "amin", "any", "all", "logsumexp")
IN_ANY_ORDER = (
    "sum",
    "mean",
    "prod",
    "any",
    "all",
    "logsumexp",
)  # of whose result and derivative the order of the elements tells nothing
MERGED = {"x": A(2, 3, 4), "D": (1,), "K": False, "E": (1,), "L": True}
MERGED_MASK = {**MERGED, "x": M(2, 3, 4)}
SCALED = {"x": A(2, 3), "c": 3.0, "D": (0,), "K": False}


def merged_axes(x: Type, inner: Any, keep: bool, outer: Any) -> tuple[int, ...]:
    """The axes of x that a fold over `inner` and then over `outer` folds."""
    all_axes = tuple(range(len(x.shape)))
    first = all_axes if inner is None else inner
    left = all_axes if keep else tuple(a for a in all_axes if a not in first)
    second = left if outer is None else tuple(left[a] for a in outer)
    return tuple(sorted({*first, *second}))


def _merging(name: str, exactness: str, example: dict[str, Any]) -> Rule:
    """f(f x) -> f x, over the axes of both."""

    def before(F: Any, x: Any, D: Any, K: Any, E: Any, L: Any) -> Any:
        return getattr(F, name)(getattr(F, name)(x, dim=D, keepdim=K), dim=E, keepdim=L)

    def after(F: Builder, x: Any, D: Any, K: Any, E: Any, out: Type) -> Any:
        return F.reshape(getattr(F, name)(x, dim=merged_axes(x, D, K, E), keepdim=False), shape=out.shape)

    return Rule(f"{name}({name} x) -> {name} x", before, after, alone=True,
                stage=STAGE, exactness=exactness, examples=(example,))  # fmt: skip


def real(c: Any, out: Type) -> bool:
    """Whether c is a finite factor other than 0 that can move out of a fold of real numbers; a fold of float16 may overflow without it."""
    return out.dtype.kind in "fV" and out.dtype.char != "e" and not isinstance(c, complex) and 1e-4 < abs(c) < 1e4


def _fold_where_it_lies(F: Builder, node: Node, uses: Uses) -> Any:
    """A fold over all elements does not see in which order or shape they come."""
    op, source = node.op, node.inputs[0]
    assert op is not None
    if source.op is None or source.op.name not in ("permute", "reshape", "flip", "roll"):
        return None
    if size_of(node.shape) != 1 or reduced(source.shape, node.attrs[0], False) != ():
        return None
    return F.reshape(getattr(F, op.name)(source.inputs[0], dim=None, keepdim=False), shape=node.shape)


def _fold_of_permuted(F: Builder, node: Node, uses: Uses) -> Any:
    """A fold over some axes of a permuted value folds the axes that these were before; what is left is permuted."""
    op, source, (dim, keepdim) = node.op, node.inputs[0], node.attrs
    assert op is not None
    if not made_by(source, "permute") or dim is None or keepdim:
        return None
    dims = source.attrs[0]
    left = [d for i, d in enumerate(dims) if i not in dim]
    if left != sorted(left):
        return None
    return getattr(F, op.name)(source.inputs[0], dim=tuple(sorted(dims[a] for a in dim)), keepdim=False)


def _mean_of_repeated(F: Builder, node: Node, uses: Uses) -> Any:
    """The mean, greatest or least of values that were only repeated is the value."""
    source, dim = node.inputs[0], node.attrs[0]
    if not made_by(source, "broadcast_to") or 0 in source.shape:
        return None
    x = source.inputs[0]
    axes = range(len(source.shape)) if dim is None else dim
    lead = len(source.shape) - len(x.shape)
    if any(a >= lead and x.shape[a - lead] != 1 for a in axes):
        return None
    folded = reduced(source.shape, dim, True)
    return F.reshape(F.expand(x, shape=folded), shape=node.shape) if len(folded) >= len(x.shape) else None


RULES: tuple[AnyRule, ...] = (
    *(_merging(name, "rounding", MERGED) for name in ("sum", "mean", "logsumexp")),
    *(_merging(name, "exact", MERGED_MASK) for name in ("any", "all")),
    Rule("mean(x * c) -> mean(x) * c", lambda F, x, c, D, K: F.mean(F.mul(x, c), dim=D, keepdim=K),
         lambda F, x, c, D, K: F.mul(F.mean(x, dim=D, keepdim=K), c), alone=True, given=real,
         stage=STAGE, exactness="rounding", examples=(SCALED,)),
    Rule("sum(x / c) -> sum(x) / c", lambda F, x, c, D, K: F.sum(F.div(x, c), dim=D, keepdim=K),
         lambda F, x, c, D, K: F.div(F.sum(x, dim=D, keepdim=K), c), alone=True,
         given=lambda x, c, out: real(c, out) and x.dtype == out.dtype, stage=STAGE, exactness="rounding", examples=(SCALED,)),
    Rule("mean(x / c) -> mean(x) / c", lambda F, x, c, D, K: F.mean(F.div(x, c), dim=D, keepdim=K),
         lambda F, x, c, D, K: F.div(F.mean(x, dim=D, keepdim=K), c), alone=True,
         given=lambda x, c, out: real(c, out) and x.dtype == out.dtype, stage=STAGE, exactness="rounding", examples=(SCALED,)),
    Rule("mean(neg x) -> neg(mean x)", lambda F, x, D, K: F.mean(F.neg(x), dim=D, keepdim=K),
         lambda F, x, D, K: F.neg(F.mean(x, dim=D, keepdim=K)), alone=True, given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "D": (0,), "K": False},)),
    Rule("amax(neg x) -> neg(amin x)", lambda F, x, D, K: F.amax(F.neg(x), dim=D, keepdim=K),
         lambda F, x, D, K: F.neg(F.amin(x, dim=D, keepdim=K)), alone=True, given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "D": (0,), "K": False},)),
    Rule("amin(neg x) -> neg(amax x)", lambda F, x, D, K: F.amin(F.neg(x), dim=D, keepdim=K),
         lambda F, x, D, K: F.neg(F.amax(x, dim=D, keepdim=K)), alone=True, given=lambda out: out.dtype.kind in "fV",
         stage=STAGE, exactness="rounding", examples=({"x": A(2, 3), "D": (0,), "K": False},)),
    Rewrite("fold of all elements of a moved value -> fold of the value", _fold_where_it_lies, roots=IN_ANY_ORDER,
            when=lambda op, kinds: reads(kinds, "permute", "reshape", "flip", "roll"), stage=STAGE, exactness="rounding",
            examples=((lambda F, x: F.sum(F.permute(x, dims=(1, 0)), dim=None, keepdim=False), (A(2, 3),)),
                      (lambda F, x: F.mean(F.flip(x, dims=(0,)), dim=(0, 1), keepdim=True), (A(2, 3),)))),
    Rewrite("fold of a permuted value -> fold of the axes as they were", _fold_of_permuted, roots=FOLDS,
            when=lambda op, kinds: reads(kinds, "permute"), stage=STAGE, exactness="rounding",
            examples=((lambda F, x: F.sum(F.permute(x, dims=(2, 0, 1)), dim=(0,), keepdim=False), (A(2, 3, 4),)),
                      (lambda F, x: F.amax(F.permute(x, dims=(1, 0)), dim=(0,), keepdim=False), (A(2, 3),)))),
    Rewrite("mean, amax or amin of a repeated value -> the value", _mean_of_repeated, roots=("mean", "amax", "amin"),
            when=lambda op, kinds: reads(kinds, "broadcast_to"), stage=STAGE, exactness="rounding",
            examples=((lambda F, x: F.mean(F.broadcast_to(x, shape=(4, 2, 3)), dim=(0, 2), keepdim=False), (A(2, 1),)),
                      (lambda F, x: F.amax(F.broadcast_to(x, shape=(4, 3)), dim=(0,), keepdim=True), (A(3),)))),
)  # fmt: skip
