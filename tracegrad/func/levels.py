"""One level of reverse-mode differentiation of a function: where it begins, and its sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tracegrad import config, pytree
from tracegrad.autograd import (
    function_transforms as function_transforms,  # autograd.Function asks it while a transform runs
)
from tracegrad.autograd.arguments import as_gradient
from tracegrad.autograd.engine import own, run
from tracegrad.compiler.recorder import user_location
from tracegrad.compiler.replay import as_tensor_leaf
from tracegrad.config import local
from tracegrad.dtypes import default
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DataError, DTypeError, explain
from tracegrad.ir.node import Node, make_leaf, make_node, tick
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.sweep import reachable
from tracegrad.ir.types import Type


@contextmanager
def running(what: str, randomness: str = "error") -> Iterator[None]:
    """Tell the code inside, which autograd.Function asks, that this transform runs it."""
    before, local.transforms = local.transforms, (*local.transforms, (what, randomness))
    try:
        yield
    finally:
        local.transforms = before


def begin(what: str, value: Any) -> Tensor:
    """A new name for an argument, at which this level's derivative begins; outer levels still see through it."""
    t = as_tensor_leaf(what, value)
    if "_is_number" in t.__dict__:  # a Python float given to a recorded function: the tensor that it would be outside
        t = T.cast(t, dtype=default.float)
    if t._data.dtype.kind not in "fcV":
        raise DTypeError(explain(what, f"only floating point and complex arguments have derivatives, got {t.dtype}"))
    kind = Type(t._data.shape, t._data.dtype)
    if local.trace is None and t._node is None:
        return handle(t._data, make_leaf(kind, needs=True))
    source = t._node if local.trace is None else local.trace.node_of(t)
    location = user_location() if local.trace is not None else None
    node = make_node(REGISTRY["alias"], (source,), (), kind, extra=location)
    if local.trace is not None:
        local.trace.recorded.add(node)
    return handle(t._data, node)


class Level:
    """The arguments of a function at one level, and the sweep back to them."""

    def __init__(self, what: str, values: Sequence[Any]) -> None:
        self.what, self.trace, self.start = what, local.trace, tick()
        flat = [pytree.flatten(v) for v in values]
        self.treedefs = [treedef for _, treedef in flat]
        self.leaves = [[begin(what, leaf) for leaf in leaves] for leaves, _ in flat]

    def arguments(self) -> list[Any]:
        """The arguments with this level's names in the place of their Tensors."""
        return [d.unflatten(leaves) for d, leaves in zip(self.treedefs, self.leaves, strict=True)]

    def inner(self, outputs: Sequence[Tensor]) -> bool:
        """Whether anything besides this level's arguments needs derivatives of the outputs: outer levels, a recording, tracked captures.

        What began later is this level's own, or that of a level inside it, whose derivatives are taken already.
        """
        if self.trace is not None:
            return True
        roots = [t._node for t in outputs if t._node is not None]
        return any(n.op is None and n.seq < self.start for n in reachable(roots))

    def sweep(self, outputs: Sequence[Tensor], cotangents: Sequence[Tensor], keep: bool) -> list[Any]:
        """The cotangents of the arguments, in their containers; zeros for those that the outputs do not depend on."""
        create = self.inner(outputs) or any(g._node is not None and g._node.needs for g in cotangents)
        pairs = [
            (o._node, as_gradient(self.what, o, g))
            for o, g in zip(outputs, cotangents, strict=True)
            if o._node is not None and o._node.needs
        ]
        targets = {t._node for leaves in self.leaves for t in leaves if t._node is not None}
        roots: list[Node] = [n for n, _ in pairs if n is not None]
        given = [g for _, g in pairs]
        before = config.set_grad_enabled(True)
        try:
            with running(self.what):
                found = run(roots, given, targets, keep or create, create, False) if roots else {}
        finally:
            config.set_grad_enabled(before)
        return [
            d.unflatten([_cotangent(t, found) for t in leaves])
            for d, leaves in zip(self.treedefs, self.leaves, strict=True)
        ]

    def outside(self, t: Any) -> Any:
        """A result as the caller sees it: without this level's history unless an outer level needs it."""
        if not isinstance(t, Tensor) or t._node is None or local.trace is not None:
            return t
        return t if self.inner([t]) else handle(t._data, None)


def _cotangent(t: Tensor, found: dict[Node, Any]) -> Tensor:
    g = found.get(t._node) if t._node is not None else None
    if g is None:
        return T.zeros(Type(t._data.shape, t._data.dtype))  # type: ignore[no-any-return]
    return g if isinstance(g, Tensor) else handle(own(g, t._data.dtype), None)


def positions(what: str, argnums: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    """argnums as non-negative positions.  Raises RuntimeError for one that the call does not have or that is named twice."""
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not numbers or len(set(numbers)) < len(numbers) or not all(isinstance(n, int) for n in numbers):
        raise DataError(
            explain(
                what,
                f"argnums must be an int or a tuple of ints that names one argument at least, and each once, got {argnums!r}",
            )
        )
    for n in numbers:
        if not -count <= n < count:
            raise DataError(explain(what, f"argnums names argument {n}, but the call has {count} positional arguments"))
    return tuple(n % count for n in numbers)
