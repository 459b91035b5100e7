"""Second derivatives through what a Function's forward computed on the way.

forward runs unrecorded, so a Tensor that it computes and leaves on ctx has no history, and a derivative of backward would silently take it for a constant.
When backward is recorded (create_graph), forward is therefore run once more, recorded, and backward reads the Tensors of that run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.eager.clock import version
from tracegrad.eager.generator import default_generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.node import Node
from tracegrad.ir.sweep import reachable

Array = np.ndarray[Any, Any]
Key = tuple[
    str, Any
]  # of a Tensor on ctx: (attribute, None), or (attribute, index or key) of one in a list, tuple or dict
SAVED = "saved_tensors"
OWN = frozenset({"needs_input_grad", "materialize_grads"})


class Body:
    """How to run one forward again, and which Tensors on its ctx are neither arguments nor results of it.

    run     (ctx, arguments) -> results: forward, and setup_context if there is one
    """

    __slots__ = ("args", "fresh", "known", "run", "state", "usable", "versions")

    def __init__(
        self,
        run: Callable[[Any, tuple[Any, ...]], Any],
        fresh: Callable[[], Any],
        args: tuple[Any, ...],
        known: dict[Key, Tensor],
        state: Any,
        usable: bool,
    ) -> None:
        self.run, self.fresh, self.args, self.usable, self.state = run, fresh, args, usable, state
        self.known = {key: t._data for key, t in known.items()}
        self.versions = tuple(version(a) if isinstance(a, Tensor) else 0 for a in args)

    def recompute(self) -> tuple[dict[Key, Tensor], list[Key]]:
        """The Tensors of a recorded run, and the keys of those whose history does not reach the arguments although their values depend on them."""
        found = self._second_run()
        if found is None:
            return {}, list(self.known)
        sources = {a._node for a in self.args if isinstance(a, Tensor) and a._node is not None}
        replaced: dict[Key, Tensor] = {}
        broken: list[Key] = []
        loose: list[Key] = []
        for key, data in self.known.items():
            t = found.get(key)
            if t is None or not _equal(t._data, data):
                broken.append(key)
            elif _connected(t, sources):
                replaced[key] = t
            else:
                loose.append(key)
        if loose:
            other = self._perturbed_run()
            broken += [k for k in loose if other is None or k not in other or not _equal(other[k]._data, self.known[k])]
        return replaced, broken

    def _second_run(self) -> dict[Key, Tensor] | None:
        now = tuple(version(a) if isinstance(a, Tensor) else 0 for a in self.args)
        if not self.usable or now != self.versions:
            return None
        return self._tensors(tuple(handle(a._data, a._node) if isinstance(a, Tensor) else a for a in self.args), True)

    def _perturbed_run(self) -> dict[Key, Tensor] | None:
        """The Tensors for arguments that are a little different."""

        def moved(a: Any) -> Any:
            if not isinstance(a, Tensor) or a._data.dtype.kind not in "fc":
                return a
            return handle(np.asarray(a._data * 1.001 + 0.001, a._data.dtype), a._node)

        return self._tensors(tuple(map(moved, self.args)), False)

    def _tensors(self, args: tuple[Any, ...], recorded: bool) -> dict[Key, Tensor] | None:
        outside, before = default_generator.get_state(), config.set_grad_enabled(recorded)
        default_generator.set_state(self.state)
        try:
            ctx = self.fresh()
            results = self.run(ctx, args)
            return dict(tensors_on(ctx, args, results))
        except Exception:  # a forward that does not run like this has no history to give
            return None
        finally:
            config.set_grad_enabled(before)
            default_generator.set_state(outside)


def tensors_on(ctx: Any, args: tuple[Any, ...], results: Any) -> Iterator[tuple[Key, Tensor]]:
    """The floating Tensors saved or set on ctx that are neither arguments nor results."""
    listed = results if isinstance(results, tuple) else (results,)
    own = {id(v) for v in (*args, *listed)}

    def counts(value: Any) -> bool:
        return isinstance(value, Tensor) and value._data.dtype.kind in "fc" and id(value) not in own

    for i, t in enumerate(ctx._to_save):
        if counts(t):
            yield (SAVED, i), t
    for name, value in ctx.__dict__.items():
        if name in OWN or name in ctx.internal:
            continue
        if counts(value):
            yield (name, None), value
        elif isinstance(value, (list, tuple, dict)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                if counts(item):
                    yield (name, key), item


def shown(key: Key) -> str:
    """How a message names a Tensor on ctx."""
    name, index = key
    return f"ctx.{name}" if index is None else f"ctx.{name}[{index!r}]"


class substituted:  # noqa: N801
    """Inside the block ctx shows other Tensors under these keys."""

    def __init__(self, ctx: Any, tensors: dict[Key, Tensor]) -> None:
        self.ctx, self.tensors = ctx, tensors
        self.before: dict[str, Any] = {}

    def __enter__(self) -> None:
        ctx = self.ctx
        saved = {index: t for (name, index), t in self.tensors.items() if name == SAVED}
        if saved:
            unpack = self.before["_unpack"] = ctx._unpack
            ctx._unpack = lambda: tuple(saved.get(i, t) for i, t in enumerate(unpack()))
        for (name, index), t in self.tensors.items():
            if name == SAVED:
                continue
            value = self.before.setdefault(name, getattr(ctx, name))
            if index is None:
                setattr(ctx, name, t)
                continue
            changed = getattr(ctx, name)
            items = dict(changed) if isinstance(value, dict) else list(changed)
            items[index] = t
            setattr(ctx, name, tuple(items) if isinstance(value, tuple) else items)

    def __exit__(self, *_exception: object) -> None:
        for name, value in self.before.items():
            setattr(self.ctx, name, value)


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


def _connected(t: Tensor, sources: set[Node]) -> bool:
    node = t._node
    return node is not None and node.needs and not sources.isdisjoint(reachable([node]))


__all__ = ["Body", "shown", "substituted", "tensors_on"]
