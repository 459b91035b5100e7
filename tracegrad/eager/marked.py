"""Views that nobody may write to in grad mode, as in torch, and that nobody may differentiate after a write to what they show.

They are those made under no_grad(), the pieces of unbind, split and chunk, and what an autograd.Function returned: each would lose the history that it has.
"""

from __future__ import annotations

from typing import Any

from tracegrad.config import local
from tracegrad.eager.tensor import Tensor
from tracegrad.eager.views import MADE_IN_FUNCTION, MADE_IN_MODE, MADE_WITHOUT_GRAD, base_of, strides_in, views_of
from tracegrad.errors import InplaceError, explain
from tracegrad.ir.node import Node, make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type
from tracegrad.slots import slots

STRIDED = frozenset({"as_strided", "strided_view"})  # the operators that read a view from its base
_WHY = {
    MADE_IN_FUNCTION: "This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic to handle "
    "view+inplace would override the custom backward associated with the custom Function, leading to incorrect gradients",
    MADE_WITHOUT_GRAD: "A view was created in no_grad mode",
    MADE_IN_MODE: "A view was created in inference mode and is being modified inplace in normal mode",
    "one_of_many": "This view is the output of a function that returns multiple views. Such functions do not allow the output views to be modified inplace",
}
_REMEDIES = {
    MADE_IN_FUNCTION: "clone() the output of the Function",
    MADE_WITHOUT_GRAD: "Make the view and the write both inside no_grad(), or both outside",
    MADE_IN_MODE: "Make the view and the write both inside inference_mode(), or both outside",
    "one_of_many": "Take the piece by slicing, or clone() it",
}


def mark_of(t: Tensor) -> str:
    """Why torch refuses in-place writes to the view t in grad mode, as a key of its reasons; '' when it allows them."""
    while hasattr(t, "_view"):
        parent, op, _ = t._view
        for mark in (MADE_IN_FUNCTION, MADE_IN_MODE, MADE_WITHOUT_GRAD):
            if mark in t.__dict__:
                return mark
        if op.one_of_many:
            return "one_of_many"
        t = parent
    return ""


def refuse_marked(t: Tensor, operation: str) -> None:
    """Raise InplaceError if t is a view that must not be written to in grad mode."""
    mark = mark_of(t)
    if mark:
        what = "Output 0 of a function is a view and is being modified inplace in grad mode"
        raise InplaceError(explain(operation, f"{what}. {_WHY[mark]}", _REMEDIES[mark]))


def refuse_function_views(t: Tensor, base: Tensor, operation: str) -> None:
    """Refuse a write that would change a view returned by an autograd.Function: reading it again from the base would skip the user's backward."""
    if any(MADE_IN_FUNCTION in v.__dict__ for v in (t, *views_of(base))):
        raise InplaceError(
            explain(
                operation,
                "the output of a custom Function is a view, and it, its base or another view of its base is being modified inplace",
                "clone() the output of the Function",
            )
        )


def shows_leaf(t: Tensor) -> bool:
    """Whether t is a view of a leaf that requires grad, which may be a view itself."""
    while hasattr(t, "_view"):
        t = t._view[0]
        if t._node is not None and t._node.op is None:
            return True
    return False


def invalidate(views: list[Tensor]) -> None:
    """After a write to a base that requires grad, or to a view of it: what its marked views show is no longer the value that their history tells of."""
    for view in views:
        if type(view) is Tensor and mark_of(view):
            _set_class(view, InvalidView)


def written(base: Tensor) -> None:
    """After a write that no node tells of: views with a history read the base from now on, as in torch, and marked ones are of no use."""
    for reference in getattr(base, "_views", ()):
        view = reference()
        if type(view) is not Tensor or base_of(view) is not base:
            continue
        if MADE_WITHOUT_GRAD in view.__dict__ or mark_of(view):
            _set_class(view, InvalidView)
        elif not local.grad_enabled:
            _read_again(view, base)


def _read_again(view: Tensor, base: Tensor) -> None:
    """Let a view with a history read the base from now on."""
    node, source = view._node, base._node
    if node is None or node.op is None or source is None or not source.needs:
        return
    if node.op.name in STRIDED and node.inputs == (source,):
        return
    steps = strides_in(base._data, view._data)
    if steps is None:
        return
    view._node = make_node(REGISTRY["as_strided"], (source,), steps, Type(view._data.shape, view._data.dtype))
    retained = getattr(node.extra, "retained", None)
    if retained is not None:  # retain_grad() belongs to the name
        node.extra.retained = None
        slots.retain_grad(view)


def release_views(base: Tensor) -> None:
    """After base.detach_(): what was made of it under no_grad() requires grad no longer."""
    for view in views_of(base):
        node = view._node if type(view) is Tensor else None
        if node is not None and node.op is None and node.extra is None:
            view._node = None


class InvalidView(Tensor):
    """A view whose memory was written behind the back of its history: it may be read, but not differentiated.  To the program its class is Tensor."""

    _shown = "torch.Tensor"
    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """Tensor: the subclass is a matter of this package."""
        return Tensor

    @property
    def _node(self) -> Node | None:
        if not local.grad_enabled:
            return None
        return self._history()

    @_node.setter
    def _node(self, node: Node | None) -> None:
        _set_node(self, node)

    @property
    def requires_grad(self) -> bool:
        """Whether the base does."""
        return base_of(self).requires_grad

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Nothing where the base requires grad already."""
        return self if requires_grad and self.requires_grad else super().requires_grad_(requires_grad)

    @property
    def is_leaf(self) -> bool:
        """Raises InplaceError where the history no longer counts."""
        node = self._history()
        return node is None or node.op is None

    @property
    def grad_fn(self) -> Any:
        """Raises InplaceError where the history no longer counts."""
        return slots.grad_fn(self) if self._history() is not None else None

    def _history(self) -> Node | None:
        base = base_of(self)
        if base._node is None or not base._node.needs:
            return None if base is self else _get_node(self)
        mark = mark_of(self)
        what = "Output 0 of a function is a view and its base or another view of its base has been modified inplace with grad mode enabled"
        raise InplaceError(explain("view", f"{what}. {_WHY[mark]}", _REMEDIES[mark]))


InvalidView.__name__ = InvalidView.__qualname__ = Tensor.__name__
InvalidView.__module__ = Tensor.__module__
_set_class = object.__dict__["__class__"].__set__
_node_slot: Any = Tensor.__dict__["_node"]
_get_node, _set_node = _node_slot.__get__, _node_slot.__set__


def is_invalid(t: Tensor) -> bool:
    """Whether t is a view that may no longer be differentiated."""
    if type(t) is not InvalidView:
        return False
    node = base_of(t)._node
    return node is not None and node.needs
