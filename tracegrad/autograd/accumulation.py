"""Where a sweep ends: adding cotangents to `.grad`."""

from __future__ import annotations

import os
import threading
import weakref
from sys import getrefcount
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.hooks import Extra, extra_of, run_after_step, run_before_step
from tracegrad.config import local
from tracegrad.eager.clock import touch
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import GRAD_DTYPE, STOPPED, Stopped, Tensor, handle
from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.types import Type

_accumulation = threading.RLock()  # the same thread may come again: a saved-tensor hook may run a backward of its own


def _after_fork() -> None:
    """A lock that another thread held is held for ever in a forked process: make a new one."""
    global _accumulation
    _accumulation = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _references(g: Any) -> int:
    return getrefcount(g)


def _count_alone() -> int:
    g = np.ones(1)
    return _references(g)


_ALONE = (
    _count_alone()
)  # how often an array counts as held that only a caller's local and a parameter hold; differs between Python versions


def reach_leaf(leaf: Node, g: Any, create_graph: bool) -> None:
    """Add a complete cotangent to the `.grad` of a leaf's Tensor, if that still exists, and run the hooks that wait for it."""
    extra = leaf.extra
    if type(extra) is Extra:
        if extra.before_step:
            g = run_before_step(leaf, g)
        tensor = extra.tensor()
        if g is None or tensor is None:
            return
        if GRAD_DTYPE in tensor.__dict__:
            g = _of_dtype(g, tensor.__dict__[GRAD_DTYPE] or g.dtype)
    else:
        tensor = extra() if callable(extra) else None
        if tensor is None:
            return
    data = tensor._data
    alone = type(g) is np.ndarray and g.base is None and getrefcount(g) <= _ALONE
    owned = alone and g.dtype is data.dtype and (g.ndim == 1 or g.strides == data.strides)
    accumulate(tensor, g, create_graph, owned)
    if type(extra) is Extra:
        extra.accumulated(tensor, create_graph)
        if extra.after_step:
            run_after_step(leaf, [], g)


def _of_dtype(g: Any, d: Any) -> Any:
    """A cotangent in the dtype that the leaf's `grad_dtype` asks for."""
    d = getattr(d, "numpy", d)
    return T.cast(g, dtype=d) if isinstance(g, Tensor) else g.astype(d, copy=False)


def accumulate(tensor: Tensor, g: Any, create_graph: bool, owned: bool = False) -> None:
    """Add a cotangent to `.grad`: in place where that is first-order (references to .grad see it), as a new Tensor otherwise.

    owned says that nobody else holds the array g, so that it may become `.grad` without a copy.
    """
    if local.trace is not None and not local.trace.owns(tensor):
        local.trace.check_accumulate(tensor)
    with _accumulation:
        before = getattr(tensor, "_grad", None)
        if isinstance(g, Tensor):
            if before is None:
                tensor._grad = _copied(tensor, g)
            elif local.trace is not None and not create_graph and g._node is not None:
                before.add_(g.detach())  # type: ignore[attr-defined]
            else:
                tensor._grad = T.add(before, g)
        elif before is None:
            tensor._grad = handle(g if owned else _laid_out(g, tensor), None)
        elif create_graph or not before._data.flags.writeable:
            tensor._grad = T.add(before, handle(np.asarray(g), None))
        else:
            np.add(before._data, g, out=before._data)
            touch(before)


def _copied(tensor: Tensor, g: Tensor) -> Tensor:
    """A cotangent as a Tensor of its own: several leaves may get the same one."""
    if g._node is None:
        return handle(_laid_out(g._data, tensor), None)
    if local.trace is not None:  # several leaves may get the same one, each under a name of its own
        return local.trace.name(g)  # type: ignore[no-any-return]
    before = config.set_grad_enabled(True)
    try:
        copied: Tensor = T.overwrite(T.zeros(g._node.type), g, kind="copy")
    finally:
        config.set_grad_enabled(before)
    return copied


def _laid_out(g: Any, tensor: Tensor) -> Any:
    """A private copy of a cotangent in the layout of a leaf, row-major where that has gaps or repeats elements, and in the dtype of its gradients."""
    like, d = tensor._data, g.dtype if GRAD_DTYPE in tensor.__dict__ else tensor._data.dtype
    if not like.flags.c_contiguous:
        made = np.empty_like(like, d)
        if made.strides == tuple(step // like.itemsize * d.itemsize for step in like.strides):
            np.copyto(made, g, casting="unsafe")
            return made
    return own(g, d)


def _grad_dtype(self: Tensor) -> Any:
    """The dtype that the gradients of this leaf are converted to; None where any may be assigned and none is converted.  Raises RuntimeError for a non-leaf."""
    _check_leaf(self, "accessed")
    return self.__dict__.get(GRAD_DTYPE, self.dtype)


def _set_grad_dtype(self: Tensor, value: Any) -> None:
    _check_leaf(self, "set")
    if self.grad is not None and value is not None and value != self.grad.dtype:
        problem = f"Cannot set grad_dtype to {value} because there is already a gradient of {self.grad.dtype}"
        raise DifferentiationError(explain("grad_dtype", problem, "Set .grad to None first"))
    self.__dict__[GRAD_DTYPE] = value
    if self._node is not None:
        extra_of(self._node)
    elif self._data.dtype.kind in "fcV":
        Stopped.any = True
        node, extra = self.__dict__.get(STOPPED) or (
            make_leaf(Type(self._data.shape, self._data.dtype), needs=True),
            weakref.ref(self),
        )
        node.extra = extra
        self.__dict__[STOPPED], node.extra = (node, extra_of(node)), None


def _check_leaf(t: Tensor, verb: str) -> None:
    if not t.is_leaf:
        raise DifferentiationError(explain("grad_dtype", f"grad_dtype can only be {verb} on leaf tensors"))


def own(g: Any, dtype: Any) -> Any:
    """A private, contiguous, writable copy of a cotangent."""
    return np.array(g, dtype, order="C")


Tensor.grad_dtype = property(_grad_dtype, _set_grad_dtype)  # type: ignore[attr-defined]
__all__ = ["accumulate", "own", "reach_leaf"]
