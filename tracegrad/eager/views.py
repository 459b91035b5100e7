"""Which Tensors share memory: a view knows its parent, a base knows its live views."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from tracegrad.config import GENERATED, local
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import InplaceError, explain
from tracegrad.ir.node import Node, tick
from tracegrad.ir.op import Op
from tracegrad.kernels.windows import layout_positions, strided_positions, within

MADE_WITHOUT_GRAD = "_made_without_grad"  # marks a view that was made under no_grad()
MADE_IN_MODE = "_made_in_inference_mode"  # marks a view that was made under inference_mode()
MADE_IN_FUNCTION = "_made_in_function"  # marks a view that an autograd.Function returned
UNLINKED = frozenset({"detach", "view_dtype"})  # torch counts their results as no views
STANDS_FOR = "_stands_for"  # of the stand-in for a base that was transposed (or the like) in place: a weak reference to what the user has of it
PRUNE_AT = 32  # from this length on dead references are dropped whenever the length is a power of two
Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """Where a view's elements lie among its base's elements in row-major order."""

    strides: tuple[int, ...]
    offset: int


def link(parent: Tensor, child: Tensor, op: type[Op], attrs: tuple[Any, ...]) -> None:
    """Note that child shows parent's memory through `op`; does nothing when the operator copied."""
    a, b = parent._data, child._data
    if b is not a and ((memory := b.base) is None or (memory is not a and memory is not a.base)):
        return
    mode = GENERATED["MODE"]
    recording = mode and local.trace is not None
    if not recording:
        if op.name in UNLINKED:  # the memory is shared, but writes to one do not change the history of the other
            return
        if b is a:
            child._data = a.view()
    child._view = (parent, op, attrs)
    base = parent if a.base is None and not recording else base_of(parent)
    if mode and not recording and not local.grad_enabled:
        child.__dict__[MADE_WITHOUT_GRAD] = True
        if base._node is not None and child._node is None and base._node.needs:
            child._node = _leaf(b)  # as in torch such a view requires grad where its base does, and leads nowhere
    references = getattr(base, "_views", None)
    if references is None:
        base._views = [weakref.ref(child)]
        return
    if references and references[-1]() is None:  # views that live for one line
        references[-1] = weakref.ref(child)
        return
    references.append(weakref.ref(child))
    if len(references) >= PRUNE_AT and not len(references) & (len(references) - 1):  # at 32, 64, 128, ...
        references[:] = [r for r in references if r() is not None]


def _leaf(array: Array) -> Node:
    """make_leaf without its checks: every view under no_grad() pays for it."""
    node = Node.__new__(Node)
    node.op, node.inputs, node.attrs, node.saved, node.extra = None, (), (), None, None
    node.shape, node.dtype, node.seq, node.needs = array.shape, array.dtype, tick(), True
    return node


def base_of(t: Tensor) -> Tensor:
    """The Tensor at the end of t's chain of views; t itself when it is no view.

    Outside recordings a view's array has a base: asking for that is ten times as quick as asking for a slot that is not set.
    """
    if not GENERATED["MODE"] or local.trace is None:
        while t._data.base is not None and hasattr(t, "_view"):
            t = t._view[0]
        return t
    return end_of_views(t)


def end_of_views(t: Tensor) -> Tensor:
    """The same by the chain alone, whatever the arrays are."""
    while hasattr(t, "_view"):
        t = t._view[0]
    return t


def is_view(t: Tensor) -> bool:
    """Whether t shows the memory of another Tensor."""
    return named_base(t) is not None


def named_base(t: Tensor) -> Tensor | None:
    """The Tensor of the user's that the view t shows; None when t is no view, which includes a base that was transposed (or the like) in place."""
    if not hasattr(t, "_view"):
        return None
    base = base_of(t)
    stands_for = base.__dict__.get(STANDS_FOR)
    named = stands_for() if stands_for is not None else base
    return None if named is t else base if named is None else named


def path_of(t: Tensor) -> list[tuple[type[Op], tuple[Any, ...]]]:
    """The operators that lead from t's base to t."""
    path = []
    while hasattr(t, "_view"):
        parent, op, attrs = t._view
        path.append((op, attrs))
        t = parent
    path.reverse()
    return path


def views_of(base: Tensor) -> list[Tensor]:
    """The live views of a base."""
    return [v for r in getattr(base, "_views", ()) if (v := r()) is not None and base_of(v) is base]


def shows_twice(array: Array) -> bool:
    """Whether two elements of the array lie at one place in memory, as in an expanded array or in overlapping windows."""
    reach = 0
    for step, size in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if not step:
            return True
        if step <= reach:  # the axes are interleaved: counting tells
            places = strided_positions(array.shape, array.strides, 0)
            return np.unique(places).size < places.size
        reach += step * (size - 1)
    return False


def once(array: Array) -> Array:
    """The array with size 1 along the axes that repeat one element; writable if the memory is, which NumPy's broadcast arrays do not say."""
    return writable(array[tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides)])


def writable(array: Array) -> Array:
    """The array, writable if its memory is, which NumPy's broadcast arrays do not say."""
    memory = owner(array)
    if array.flags.writeable or not (memory.flags.writeable and memory.flags.contiguous and memory.size):
        return array
    return np.ndarray(array.shape, array.dtype, memory, address(array) - address(memory), array.strides)


def place_in(base: Array, view: Array) -> Place | None:
    """Where the view's elements lie in a row-major base; None when no strides tell or the view shows an element twice."""
    if base.dtype != view.dtype or shows_twice(view):
        return None
    if not base.flags.c_contiguous:
        return _place_in_order(base, view)
    size = base.itemsize
    distance = address(view) - address(base)
    return Place(tuple(s // size for s in view.strides), distance // size) if view.size else Place((0,) * view.ndim, 0)


def _place_in_order(base: Array, view: Array) -> Place | None:
    """The place of the view among the elements of a base that lies in memory in another order, counted row by row."""
    steps = strides_in(base, view)
    if steps is None:
        return None
    if not view.size:
        return Place((0,) * view.ndim, 0)
    shape, strides, offset, layout = steps
    positions = layout_positions(base.shape, layout, shape, strides, offset)
    first = int(positions.flat[0])
    paces = tuple(int(positions.take(1, axis).flat[0]) - first if n > 1 else 0 for axis, n in enumerate(shape))
    return Place(paces, first) if np.array_equal(positions, strided_positions(shape, paces, first)) else None


def strides_in(base: Array, view: Array) -> tuple[Any, ...] | None:
    """The attributes with which as_strided reads the view from the base; None where no strides tell: another dtype, or elements that are none of the base's."""
    if base.dtype != view.dtype or shows_twice(base):
        return None
    size = base.itemsize
    layout = () if base.flags.c_contiguous else tuple(s // size for s in base.strides)
    strides = tuple(s // size for s in view.strides)
    offset = (address(view) - address(base)) // size if view.size else 0
    return (view.shape, strides, offset, layout) if within(base.shape, layout, view.shape, strides, offset) else None


def address(array: Array) -> int:
    """Where in memory the array's first element lies."""
    return int(array.__array_interface__["data"][0])


def cut(t: Tensor) -> Tensor:
    """Take t out of its views: they, and its own place among the views of a base, pass to the stand-in that is returned."""
    stand_in: Tensor = object.__new__(Tensor)
    stand_in._data, stand_in._node = t._data, t._node
    base = base_of(t)
    for view in views_of(base):
        parent, op, attrs = view._view
        if parent is t:
            view._view = (stand_in, op, attrs)
    if hasattr(t, "_view"):
        stand_in._view = t._view
        base._views.append(weakref.ref(stand_in))
        del t._view
    elif hasattr(t, "_views"):
        stand_in._views = t._views
        del t._views
    return stand_in


def owner(array: Array) -> Array:
    """The array that owns the memory that `array` shows."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


def refuse_overlap(written: Array, read: Array, operation: str) -> None:
    """Raise InplaceError if an elementwise write reads, in the same memory, other elements than it writes; only blocks without gaps are compared, as in torch."""
    if read is written or (read.base is None and written.base is None) or owner(read) is not owner(written):
        return
    if not (_is_dense(written) and _is_dense(read)):
        return
    first, second = address(written), address(read)
    if first == second and written.nbytes == read.nbytes and written.strides == read.strides:
        return
    if first < second + read.nbytes and second < first + written.nbytes:
        raise _overlap(operation)


def refuse_shared(written: Array, read: Array, operation: str) -> None:
    """Raise InplaceError if what is written and what is read have memory in common; only blocks without gaps are compared, as in torch."""
    if read.base is None and written.base is None and read is not written:
        return
    if not (written.size and read.size and _is_dense(written) and _is_dense(read)):
        return
    first, second = address(written), address(read)
    if first < second + read.nbytes and second < first + written.nbytes:
        raise _overlap(operation)


def _overlap(operation: str) -> InplaceError:
    problem = "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location"
    return InplaceError(explain(operation, problem, "clone() the tensor before performing the operation"))


def _is_dense(array: Array) -> bool:
    """Whether the elements fill one block of memory, in whatever order."""
    if array.flags.forc:
        return True
    step = array.itemsize
    for stride, size in sorted(zip(array.strides, array.shape, strict=True)):
        if size != 1 and stride != step:
            return False
        step *= size
    return True
