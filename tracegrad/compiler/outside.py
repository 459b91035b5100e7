"""Names of the outside world that a recording re-points, and how they are put back."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad.eager.tensor import Tensor
from tracegrad.eager.views import views_of
from tracegrad.ir.node import Node

Array = np.ndarray[Any, Any]


class Outside:
    """Names of the outside world that a recording re-pointed, as they were before."""

    def __init__(self) -> None:
        self.bases: dict[int, tuple[Tensor, Array, Node | None]] = {}
        self.grads: dict[int, tuple[Tensor, Tensor | None]] = {}
        self._names: dict[int, tuple[Tensor, Array, Node | None]] = {}
        self.restored = False

    def save(self, base: Tensor) -> None:
        """Remember what a base and its views are, before the first write."""
        if id(base) in self.bases:
            return
        self.bases[id(base)] = (base, base._data, base._node)
        for t in (base, *views_of(base)):
            self._names.setdefault(id(t), (t, t._data, t._node))

    def save_grad(self, t: Tensor) -> None:
        """Remember t.grad before it is read or changed."""
        if id(t) not in self.grads:
            self.grads[id(t)] = (t, getattr(t, "_grad", None))

    def restore(self) -> None:
        """Put all names and gradients back."""
        if self.restored:
            return
        self.restored = True
        for t, data, node in self._names.values():
            t._data, t._node = data, node
        for t, grad in self.grads.values():
            t._grad = grad
