"""Which Tensors share memory: a view knows its parent, a base knows its live views."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.ir.op import Op

MADE_IN_FUNCTION = "_made_in_function"  # marks a view that an autograd.Function returned
UNLINKED = frozenset({"detach", "view_dtype"})  # torch counts their results as no views
PRUNE_AT = 32  # from this length on dead references are dropped whenever the length is a power of two
Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """Where a view's elements lie among its base's elements in row-major order."""

    strides: tuple[int, ...]
    offset: int


def link(parent: Tensor, child: Tensor, op: type[Op], attrs: tuple[Any, ...]) -> None:
    """Note that child shows parent's memory through `op`; does nothing when the operator copied."""
    a, b = parent._data, child._data
    if b is not a and not (b.base is not None and (b.base is a or b.base is a.base)):
        return
    if local.trace is None:
        if op.name in UNLINKED:  # the memory is shared, but writes to one do not change the history of the other
            return
        if not local.grad_enabled:
            child.__dict__["_made_without_grad"] = True
    child._view = (parent, op, attrs)
    base, view = (
        parent,
        getattr(parent, "_view", None),
    )  # getattr with a default costs a tenth of a caught AttributeError
    while view is not None:
        base = view[0]
        view = getattr(base, "_view", None)
    references = getattr(base, "_views", None)
    if references is None:
        base._views = [weakref.ref(child)]
        return
    references.append(weakref.ref(child))
    if len(references) >= PRUNE_AT and not len(references) & (len(references) - 1):  # at 32, 64, 128, ...
        references[:] = [r for r in references if r() is not None]


def base_of(t: Tensor) -> Tensor:
    """The Tensor at the end of t's chain of views; t itself when it is no view."""
    view = getattr(t, "_view", None)
    while view is not None:
        t = view[0]
        view = getattr(t, "_view", None)
    return t


def is_view(t: Tensor) -> bool:
    """Whether t shows the memory of another Tensor."""
    return hasattr(t, "_view")


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
    """Whether two elements of the array may lie at one place in memory, as in an expanded array."""
    reach = 0
    for step, size in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if step <= reach:
            return True
        reach += step * (size - 1)
    return False


def once(array: Array) -> Array:
    """The array with size 1 along the axes that repeat one element; writable if the memory is, which NumPy's broadcast arrays do not say."""
    shown = tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides)
    narrow, memory = array[shown], array
    while type(memory.base) is np.ndarray:
        memory = memory.base
    if narrow.flags.writeable or not (memory.flags.writeable and memory.flags.contiguous and memory.size):
        return narrow
    return np.ndarray(narrow.shape, array.dtype, memory, _address(narrow) - _address(memory), narrow.strides)


def place_in(base: Array, view: Array) -> Place | None:
    """Where the view's elements lie in a row-major base; None when the base is not row-major or the view shows an element twice."""
    if not base.flags.c_contiguous or base.dtype != view.dtype or shows_twice(view):
        return None
    size = base.itemsize
    distance = _address(view) - _address(base)
    return Place(tuple(s // size for s in view.strides), distance // size) if view.size else Place((0,) * view.ndim, 0)


def _address(array: Array) -> int:
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
