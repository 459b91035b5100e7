"""Masks: which elements of a cotangent are zeros that a selection put there, and are therefore not to be multiplied by a derivative.

The cotangent that leaves where(c, x, y) toward x is where(c, g, 0).  If the next rule multiplies it by an infinite derivative, 0 * inf is nan, although
that element was never chosen.  So the sweep keeps the mask c beside the cotangent, carries it through the operators that keep elements apart, and
writes each product on the way as where(c, rule(g), 0).  Only selections make masks; a cotangent that happens to be 0 is multiplied as usual.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

from tracegrad.dtypes import BOOL, F32, NUMBERS
from tracegrad.ir.families import Movement
from tracegrad.ir.node import Node
from tracegrad.ir.op import EACH, REGISTRY, ROWS, SELECTIONS, SELECTS, Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.types import Shape, Type, broadcast

# operators that act on a mask as they do on numbers
_ON_BOOLS = frozenset({
    "cat", "copy_slices", "gather", "index", "index_mask", "index_mask_backward", "index_one", "index_put", "index_select", "masked_select_node",
    "place", "project", "stack", "strided_view",
})  # fmt: skip
# sums in which masks are counted
_ON_COUNTS = frozenset({"cumsum", "index_add", "put_strided", "put_unfolded", "scatter_add"})
# movements of complex values only
_ON_COMPLEX = frozenset({"view_as_complex", "view_as_real"})
# what changes no zero into another number, nor back
_KEEPING = frozenset({"alias", "cast", "clone", "neg", "promote", "whole"})


class UnknownMaskError(Exception):
    """A rule does something to its cotangent through which masks do not go."""


class Mark:
    """A mask in the place of a cotangent of this shape: `value` is a bool value that broadcasts to the shape; None: true everywhere."""

    __slots__ = ("shape", "value")

    def __init__(self, value: Any, shape: Shape) -> None:
        self.value, self.shape = value, shape


class MaskOps(Ops):
    """The namespace in which a derivative rule tells where its result can differ from 0, given where its cotangent can.

    Marks stand for the cotangent and what is made of it; everything else is computed by F.
    """

    def __init__(self, F: Ops) -> None:
        self.F = F

    def __getattr__(self, name: str) -> Callable[..., Any]:
        plain = getattr(self.F, name)

        def apply(*inputs: Any, **attrs: Any) -> Any:
            if not any(type(i) is Mark for i in inputs):
                return plain(*inputs, **attrs)
            return self._marked(name, plain, inputs, attrs)

        self.__dict__[name] = apply
        return apply

    def type(self, x: Any) -> Type:
        """Shape and dtype of a value; bool for a mark."""
        return Type(x.shape, BOOL) if type(x) is Mark else self.F.type(x)

    def shape(self, x: Any) -> Shape:
        """Shape of a value or a mark."""
        return x.shape if type(x) is Mark else self.F.shape(x)

    def is_floating(self, x: Any) -> bool:
        """Whether x is a value with a floating dtype."""
        return type(x) is not Mark and self.F.is_floating(x)

    def full(self, *, shape: Shape, value: Any, dtype: Any) -> Any:
        """The mark of a constant; a whole number is a value like any other."""
        if dtype.kind in "iu":
            return self.F.full(shape=shape, value=value, dtype=dtype)
        return self.ones(Type(shape, dtype)) if value else self.zeros(Type(shape, dtype))

    def zeros(self, like: Type) -> Any:
        """The mark of a value that is 0 everywhere."""
        return Mark(self.F.full(shape=(), value=False, dtype=BOOL), like.shape)

    def ones(self, like: Type) -> Any:
        """The mark of a value that is 0 nowhere."""
        return Mark(None, like.shape)

    def where(self, c: Any, x: Any, y: Any) -> Any:
        """Where the chosen branch can differ from 0; the number 0 never does, another value always."""
        if type(x) is not Mark and type(y) is not Mark:
            return self.F.where(c, x, y)
        shape = broadcast("where", *(self.shape(v) for v in (c, x, y)))
        if x is y:
            return Mark(x.value, shape)
        if type(x) is Mark and type(y) is Mark:
            return self._either(x, y, shape)
        mark, other, inside = (x, y, c) if type(x) is Mark else (y, x, self.F.logical_not(c))
        if isinstance(other, NUMBERS) and other == 0:
            return Mark(inside if mark.value is None else self.F.logical_and(inside, mark.value), shape)
        return Mark(None if mark.value is None else self.F.logical_or(self.F.logical_not(inside), mark.value), shape)

    def sum(self, x: Any, *, dim: Any, keepdim: bool) -> Any:
        """Where a sum can differ from 0: where one of its terms can."""
        if type(x) is not Mark:
            return self.F.sum(x, dim=dim, keepdim=keepdim)
        found = self.F.any(self.bools(x), dim=dim, keepdim=keepdim)
        return Mark(None if x.value is None else found, self.F.shape(found))

    def bools(self, mark: Mark) -> Any:
        """The bools of a mark in its whole shape."""
        if mark.value is None:
            return self.F.full(shape=mark.shape, value=True, dtype=BOOL)
        return self.F.expand(mark.value, shape=mark.shape)

    def _either(self, x: Mark, y: Mark, shape: Shape) -> Mark:
        if x.value is None or y.value is None:
            return Mark(None, shape)
        return Mark(self.F.logical_or(x.value, y.value), shape)

    def _marked(self, name: str, plain: Callable[..., Any], inputs: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        if name in _KEEPING:
            return inputs[0]
        if name in ("add", "sub") and all(type(i) is Mark for i in inputs):
            x, y = inputs
            return self._either(x, y, broadcast(name, x.shape, y.shape))
        if name == "mul" or (name == "div" and type(inputs[0]) is Mark):
            shape = broadcast(name, *map(self.shape, inputs))
            marks = [i.value for i in inputs if type(i) is Mark and i.value is not None]
            both = name == "mul" and len(marks) == 2
            return Mark(self.F.logical_and(*marks) if both else self._first(inputs).value, shape)
        counted = attrs["accumulate"] if name == "index_put" else name in _ON_COUNTS
        if not counted and name not in _ON_BOOLS and (name in _ON_COMPLEX or not issubclass(REGISTRY[name], Movement)):
            raise UnknownMaskError(name)
        values = [self.bools(i) if type(i) is Mark else i for i in inputs]
        if not counted:
            found = plain(*values, **attrs)
        else:
            counts = [self.F.as_dtype(v, F32) if type(i) is Mark else v for i, v in zip(inputs, values, strict=True)]
            found = self.F.ne(plain(*counts, **attrs), 0)
        return Mark(found, self.F.shape(found))

    @staticmethod
    def _first(inputs: tuple[Any, ...]) -> Mark:
        """Of the marks among the factors of a product, one that says most."""
        marks = [i for i in inputs if type(i) is Mark]
        return next((m for m in marks if m.value is not None), marks[0])


def multiplies(node: Node) -> bool:
    """Whether the rules of a node multiply its cotangent by values that may not be finite, and not just by a number of the program."""
    op: type[Op] = node.op  # type: ignore[assignment]
    if not op.reads_values:
        return False
    for position, value in enumerate(node.inputs):
        if type(value) is float or type(value) is int:
            return not (position in op.scales and value and isfinite(value))
    return True


def _picks_from_rows(op: type[Op] | None, source: Node) -> bool:
    """Whether a selection takes something from each row of what was made row by row, so that a mask of rows says nothing."""
    return op is not None and op.masks == "picks" and source.op is not None and source.op.mask_kind == ROWS


def masks_matter(order: list[Node]) -> bool:
    """Whether a selection among these nodes is behind an operator that multiplies by values, with nothing between that masks cannot cross.

    It looks only at what is behind selections, each node once, because every backward asks.
    """
    seen: set[Node] = set()
    for node in order:  # noqa: SIM110  (every backward runs it, and a generator costs more)
        if node.op in SELECTIONS and _multiplies_behind(node, seen):
            return True
    return False


def _multiplies_behind(selection: Node, seen: set[Node]) -> bool:
    stack = [selection]
    while stack:
        node = stack.pop()
        for source in node.inputs:
            if type(source) is not Node:
                continue
            op = source.op
            if op is None or not op.mask_kind or source in seen:  # a leaf, STOPS
                continue
            if op.reads_values and _is_pole(source):
                if _picks_from_rows(node.op, source):
                    continue
                return True
            seen.add(source)
            stack.append(source)
    return False


def _is_pole(node: Node) -> bool:
    """Whether a mask has to guard the products of this node: EACH, ROWS or FOLDS of values."""
    op: type[Op] = node.op  # type: ignore[assignment]
    return op.mask_kind > SELECTS and multiplies(node)


def where_masks_matter(order: list[Node]) -> set[Node]:
    """The nodes at which a mask changes the result of a sweep over `order` (latest first); none where no mask from a selection gets to one.

    These are the nodes that multiply by values, and those through which masks reach such a node.
    """
    if SELECTIONS.isdisjoint({node.op for node in order}):
        return set()
    found: set[Node] = set()
    selected = False
    for node in reversed(order):
        op = node.op
        if op is None or not op.mask_kind:
            continue
        if _is_pole(node):
            found.add(node)
            continue
        behind = [source for source in node.inputs if type(source) is Node and source in found]
        if behind:
            found.add(node)
            selected = selected or (op.mask_kind == SELECTS and not all(_picks_from_rows(op, s) for s in behind))
    return found if selected else set()


def spread_mask(S: MaskOps, node: Node, mark: Mark, shape: Shape) -> Mark:
    """Where the cotangent of an operand of this shape can differ from 0, for a node whose elements or rows are kept apart."""
    op: type[Op] = node.op  # type: ignore[assignment]
    if op.mask_kind == EACH:
        own = mark.shape
        if len(own) < len(shape) or any(have < want for have, want in zip(own[::-1], shape[::-1], strict=False)):
            return Mark(mark.value, shape)  # a loss reduced to one number
        return mark if own == shape or mark.value is None else S.sum_to(mark, shape=shape)
    dim = node.attrs[op.attrs.index("dim")]
    if op.mask_kind == ROWS:
        return Mark(S.sum(mark, dim=(dim,), keepdim=True).value, shape) if shape else mark
    return Mark(S.unreduce(mark, shape=shape, dim=dim).value, shape)


__all__ = ["Mark", "MaskOps", "UnknownMaskError", "masks_matter", "multiplies", "spread_mask", "where_masks_matter"]
