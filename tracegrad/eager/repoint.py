"""Names after a write: the written name, its base and all live views get the nodes of their new values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.eager.dispatch import T, tracked, untracked
from tracegrad.eager.marked import InvalidView, invalidate
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import address, base_of, path_of, place_in, strides_in, views_of
from tracegrad.errors import InplaceError, explain
from tracegrad.ir.node import Node, make_node
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.types import Type
from tracegrad.kernels.windows import view_memory
from tracegrad.slots import slots

Array = np.ndarray[Any, Any]

_COPY_SLICES, _AS_STRIDED, _STRIDED_VIEW = (REGISTRY[name] for name in ("copy_slices", "as_strided", "strided_view"))
# torch reads these from a written base by their own operator
COMPLEX_VIEWS = frozenset({"view_as_real", "view_as_complex"})


def repoint(t: Tensor, base: Tensor, new: Tensor, in_memory: bool) -> None:
    """Point t at the node of `new`; if t shares memory, give the base and all live views their new values."""
    shown = views_of(base) if getattr(base, "_views", None) else []
    if in_memory and shown:
        invalidate(shown)
    views = [(v, place_in(base._data, v._data)) for v in shown if type(v) is not InvalidView]
    retaining = [
        (v, node)
        for v in (t, base, *[v for v, _ in views])
        if (node := v._node) is not None and node.extra is not None and getattr(node.extra, "retained", None)
    ]
    if base is t:
        value = new
    else:
        known = [place for v, place in views if v is t]
        value = _with_part(base, t, known[0] if known else place_in(base._data, t._data), new, in_memory)
    base._node = value._node
    before = base._data
    if not in_memory:
        base._data = _laid_out_as(before, value._data)
    if views:
        _reread(base, views, in_memory, before)
    for v, before in retaining:  # retain_grad() belongs to the name, hooks to the value
        if v._node is not before and before is not None:
            before.extra.retained = None
            if v._node is not None and v._node.needs:
                slots.retain_grad(v)


def _with_part(base: Tensor, t: Tensor, place: Any, new: Tensor, in_memory: bool) -> Tensor:
    """The base's value with the elements that t shows, at this place, replaced by those of `new`."""
    if place is None:
        made = put_back_along(handle(base._data, base._node), path_of(t), new)
        return tracked(REGISTRY["written_base"], [made], (), (base._data,))[0] if in_memory else made
    source = handle(base._data, base._node)
    if not in_memory:
        made = T.copy_slices(source, new, strides=place.strides, offset=place.offset)
        return made
    # the memory holds the result already: only the node is wanted
    return _followed(_COPY_SLICES, [source, new], tuple(place), base._data)


def _followed(op: type[Op], operands: list[Tensor], attrs: tuple[Any, ...], memory: Array) -> Tensor:
    """`tracked` for one result of an operator whose rules read no values."""
    if local.watch is not None or memory.dtype.kind == "c":
        return tracked(op, operands, attrs, (memory,))[0]
    inputs = tuple([untracked(x) if x._node is None else x._node for x in operands])
    return handle(memory, make_node(op, inputs, attrs, Type(memory.shape, memory.dtype)))


def _laid_out_as(like: Array, values: Array) -> Array:
    """The values in memory of the order that `like` has, so that a recording shows the strides that eager code shows."""
    if values.strides == like.strides:
        return values
    made = np.empty_like(like)
    made[...] = values
    return made


def _reread(base: Tensor, views: list[tuple[Tensor, Any]], in_memory: bool, before: Array) -> None:
    """Give live views the node (and, while recording, the array) that reads their elements from the base's new value."""
    whole = handle(base._data, base._node)
    for view, place in views:
        steps = strides_in(base._data, view._data) if place is None and in_memory else None
        if steps is not None:
            value = _followed(_AS_STRIDED, [whole], steps, view._data)
        elif place is None:
            path = path_of(view)
            value = along(whole, path)
            if in_memory and path[-1][0].name not in COMPLEX_VIEWS:
                value = tracked(REGISTRY["read_again"], [value], (), (view._data,))[0]
        elif in_memory:
            value = _followed(_STRIDED_VIEW, [whole], (view._data.shape, *place), view._data)
        else:
            value = T.strided_view(whole, shape=view._data.shape, strides=place.strides, offset=place.offset)
        view._node = value._node
        if not in_memory:
            view._data = _shown_as(view._data, before, base._data, value._data)


def _shown_as(view: Array, before: Array, base: Array, values: Array) -> Array:
    """What the view shows of the base's new array: the same places, if the base lies as it lay before."""
    if base.strides != before.strides or base.dtype != view.dtype:
        return values
    shown = view_memory(base, view.shape, view.strides, address(view) - address(before))
    return values if shown is None else shown


def pass_by_hooks(t: Tensor, node: Node | None, start: int) -> None:
    """Let the nodes made since `start` read the view t from its base: hooks on the view's old value do not see what a write passes on, as in torch."""
    old = t._node
    if old is None or not getattr(old.extra, "hooks", None) or local.trace is not None or not hasattr(t, "_view"):
        return
    base = base_of(t)
    steps = strides_in(base._data, t._data)
    if steps is None:
        return
    fresh = tracked(REGISTRY["as_strided"], [handle(base._data, base._node)], steps, (t._data,))[0]._node
    assert fresh is not None
    fresh.seq, stack = old.seq, [node]
    while stack:
        node = stack.pop()
        if type(node) is Node and node.seq >= start:
            node.inputs = tuple(fresh if i is old else i for i in node.inputs)
            stack.extend(node.inputs)


def along(x: Tensor, path: list[Any]) -> Tensor:
    """x read through a path of view operators."""
    for op, attrs in path:
        x = getattr(T, op.name)(x, **dict(zip(op.attrs, attrs, strict=True)))
        x = x[attrs[0]] if isinstance(x, tuple) else x
    return x


def put_back_along(whole: Tensor, path: list[Any], new: Tensor) -> Tensor:
    """The whole with the elements at the end of this path of views replaced, by the derivative rules of the view operators: for bases that are not row-major."""
    outers = [along(whole, path[:i]) for i in range(len(path))]
    value = handle(new._data, new._node)
    for (op, attrs), outer in zip(reversed(path), reversed(outers), strict=True):
        value = _put_back(op, attrs, outer, value)
    return value


def _put_back(op: Any, attrs: tuple[Any, ...], outer: Tensor, part: Tensor) -> Tensor:
    """`outer` with the elements that the view operator shows replaced by `part`: the view's own VJP puts them in place."""
    if op.replaced is not None:
        return op.replaced(T, outer, part)  # type: ignore[no-any-return]
    rule = op.rules[0]
    if rule is None:  # detach, while recording: the same elements
        if part._data.dtype != outer._data.dtype:
            raise InplaceError(explain("view", "a write through a view under another dtype cannot be recorded"))
        return part
    known = {"x_type": Type(outer._data.shape, outer._data.dtype), **dict(zip(op.attrs, attrs, strict=True))}

    def spread(g: Tensor) -> Any:
        return rule.function(T, *(g if name == "g" else known[name] for name in rule.reads))

    if part._data.size == outer._data.size or op.name in COMPLEX_VIEWS:  # of all elements: its VJP is its inverse
        return spread(part)  # type: ignore[no-any-return]
    shown = spread(T.ones(Type(part._data.shape, part._data.dtype)))
    return T.where(T.ne(shown, 0), spread(part), outer)  # type: ignore[no-any-return]
