"""Which Tensors share memory: a view knows its parent, a base knows its live views."""

from __future__ import annotations

import weakref
from typing import Any

from tracegrad.eager.tensor import Tensor
from tracegrad.ir.op import Op

PRUNE_AT = 32  # dead references are dropped when the list of a base has doubled


class Views:
    """Weak references to the live views of one base."""

    __slots__ = ("limit", "references")

    def __init__(self) -> None:
        self.references: list[weakref.ref[Tensor]] = []
        self.limit = PRUNE_AT

    def add(self, view: Tensor) -> None:
        """Remember a view."""
        if len(self.references) >= self.limit:
            self.references = [r for r in self.references if r() is not None]
            self.limit = PRUNE_AT + 2 * len(self.references)
        self.references.append(weakref.ref(view))

    def alive(self) -> list[Tensor]:
        """The views that still exist, oldest first."""
        return [v for r in self.references if (v := r()) is not None]


def link(parent: Tensor, child: Tensor, op: type[Op], attrs: tuple[Any, ...]) -> None:
    """Note that child shows parent's memory through `op`; does nothing when the operator copied."""
    a, b = parent._data, child._data
    if b is not a and not (b.base is not None and (b.base is a or b.base is a.base)):
        return
    child._view = (parent, op, attrs)
    base = base_of(parent)
    try:
        base._views.add(child)
    except AttributeError:
        base._views = Views()
        base._views.add(child)


def base_of(t: Tensor) -> Tensor:
    """The Tensor at the end of t's chain of views; t itself when it is no view."""
    while True:
        try:
            t = t._view[0]
        except AttributeError:
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
    views = getattr(base, "_views", None)
    return views.alive() if views is not None else []
