"""Where a sweep ends: adding cotangents to `.grad`."""

from __future__ import annotations

import os
import threading
from sys import getrefcount
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.hooks import Extra, run_after_step
from tracegrad.config import local
from tracegrad.eager.clock import touch
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.node import Node

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
    tensor = extra.tensor() if type(extra) is Extra else extra() if callable(extra) else None
    if tensor is None:
        return
    alone = type(g) is np.ndarray and g.base is None and getrefcount(g) <= _ALONE
    accumulate(tensor, g, create_graph, alone and g.dtype == tensor._data.dtype and g.strides == tensor._data.strides)
    if type(extra) is Extra:
        extra.accumulated(tensor, create_graph)
        if extra.after_step:
            run_after_step(leaf, [], g)


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
            else:
                tensor._grad = T.add(before, g)
        elif before is None:
            tensor._grad = handle(g if owned else _laid_out(g, tensor._data), None)
        elif create_graph or not before._data.flags.writeable:
            tensor._grad = T.add(before, handle(np.asarray(g), None))
        else:
            np.add(before._data, g, out=before._data)
            touch(before)


def _copied(tensor: Tensor, g: Tensor) -> Tensor:
    """A cotangent as a Tensor of its own: several leaves may get the same one."""
    if g._node is None:
        return handle(_laid_out(g._data, tensor._data), None)
    if local.trace is not None:
        return g
    before = config.set_grad_enabled(True)
    try:
        copied: Tensor = T.overwrite(T.zeros(g._node.type), g, kind="copy")
    finally:
        config.set_grad_enabled(before)
    return copied


def _laid_out(g: Any, like: Any) -> Any:
    """A private copy of a cotangent in the layout of `like`; row-major where that has gaps or repeats elements."""
    if not like.flags.c_contiguous:
        made = np.empty_like(like)
        if made.strides == like.strides:
            np.copyto(made, g, casting="unsafe")
            return made
    return own(g, like.dtype)


def own(g: Any, dtype: Any) -> Any:
    """A private, contiguous, writable copy of a cotangent."""
    return np.array(g, dtype, order="C")


__all__ = ["accumulate", "own", "reach_leaf"]
