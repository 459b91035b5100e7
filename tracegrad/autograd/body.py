"""Second derivatives through what a Function's forward computed on the way.

forward runs unrecorded, so a Tensor that it computes and leaves on ctx has no history, and a derivative of backward would silently take it for a constant.
When backward is recorded (create_graph), forward is therefore run once more, recorded, and backward reads the Tensors of that run.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.config import local
from tracegrad.eager.clock import version
from tracegrad.eager.generator import default_generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.node import Node
from tracegrad.ir.sweep import reachable

Array = np.ndarray[Any, Any]
Step = tuple[str, Any]
Key = tuple[Step, ...]  # the way from ctx to a Tensor: attributes, items of containers, cells and defaults of functions
DEPTH = 15  # how far a way is followed, where an attribute counts FAR and anything else 1
FAR = 3
PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None), np.ndarray, slice, range, Node})
OPAQUE = "inside"  # a step into an object, such as an iterator, that only the garbage collector can look into
SAVED, SAVED_FORWARD = "saved_tensors", "saved_for_forward"
EMPTY = CellType()  # a closure's cell whose variable has no value yet
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
            elif all(step[0] != OPAQUE for step in key) and _connected(t, sources):
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
        duals = None if local.watch is None else local.watch.duals

        def again(a: Any) -> Any:
            if not isinstance(a, Tensor):
                return a
            made = handle(a._data, a._node)
            return made if duals is None else duals.copied(a, made)

        return self._tensors(tuple(map(again, self.args)), True)

    def _perturbed_run(self) -> dict[Key, Tensor] | None:
        """The Tensors for arguments that are a little different."""

        def moved(a: Any) -> Any:
            if not isinstance(a, Tensor) or a._data.dtype.kind not in "fcV":
                return a
            return handle(np.asarray(a._data * 1.001 + 0.001, a._data.dtype), a._node)

        return self._tensors(tuple(map(moved, self.args)), False)

    def _tensors(self, args: tuple[Any, ...], recorded: bool) -> dict[Key, Tensor] | None:
        outside, before = default_generator.state(), config.set_grad_enabled(recorded)
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
    """The floating Tensors saved or set on ctx, also inside containers, objects and closures, that are neither arguments nor results."""
    listed = results if isinstance(results, tuple) else (results,)
    own = {id(v) for v in (*args, *listed)}

    def counts(value: Any) -> bool:
        return isinstance(value, Tensor) and value._data.dtype.kind in "fcV" and id(value) not in own

    for i, t in enumerate(ctx._to_save):
        if counts(t):
            yield ((SAVED, i),), t
    for i, t in enumerate(ctx._to_save_forward):
        if counts(t):
            yield ((SAVED_FORWARD, i),), t
    seen: set[int] = {id(ctx)}
    for name, value in ctx.__dict__.items():
        if name not in OWN and name not in ctx.internal:
            yield from _inside((("attribute", name),), value, counts, seen)


def _inside(key: Key, value: Any, counts: Callable[[Any], bool], seen: set[int]) -> Iterator[tuple[Key, Tensor]]:
    if isinstance(value, Tensor):
        if counts(value):
            yield key, value
        return
    if type(value) in PLAIN or id(value) in seen or sum(FAR if s[0] == "attribute" else 1 for s in key) > DEPTH:
        return
    parts = _parts(value)
    if parts:
        seen.add(id(value))
    for step, item in parts:
        yield from _inside((*key, step), item, counts, seen)


def _parts(value: Any) -> list[tuple[Step, Any]]:
    """What a container, a function or an object holds, each under the step that leads to it."""
    if isinstance(value, dict):
        return [(("item", k), v) for k, v in value.items()]
    if isinstance(value, (list, tuple, deque)):
        return [(("item", i), v) for i, v in enumerate(value)]
    if isinstance(value, FunctionType):
        found: list[tuple[Step, Any]] = [
            (("cell", i), c.cell_contents) for i, c in enumerate(value.__closure__ or ()) if c != EMPTY
        ]
        return found + _attributes(value, ("__defaults__", "__kwdefaults__"))
    if isinstance(value, partial):
        return [(("argument", i), v) for i, v in enumerate(value.args)] + _attributes(value, ("keywords",))
    if isinstance(value, MethodType):
        return _attributes(value, ("__self__",))
    if isinstance(value, (type, ModuleType)):
        return []
    slots = [name for kind in type(value).__mro__ for name in _names(kind.__dict__.get("__slots__", ()))]
    held = _attributes(value, slots)
    if hasattr(value, "__dict__"):
        return held + [(("attribute", name), v) for name, v in vars(value).items()]
    inside = [] if held else gc.get_referents(value)
    return held or [((OPAQUE, i), v) for i, v in enumerate(inside) if isinstance(v, (Tensor, list, tuple, dict))]


def _attributes(value: Any, names: Sequence[str]) -> list[tuple[Step, Any]]:
    return [(("attribute", name), getattr(value, name)) for name in names if hasattr(value, name)]


def _names(slots: Any) -> tuple[str, ...]:
    listed = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in listed if name not in ("__dict__", "__weakref__"))


def shown(key: Key) -> str:
    """How a message names a Tensor on ctx."""
    text = "ctx"
    for kind, name in key:
        if kind in (SAVED, SAVED_FORWARD):
            text += f".{kind}[{name}]"
        elif kind == "attribute":
            text += f".{name}"
        else:
            text += {"item": f"[{name!r}]", "argument": f".args[{name}]", OPAQUE: ""}.get(kind, ".__closure__")
    return text


class substituted:  # noqa: N801
    """Inside the block ctx shows other Tensors under these keys."""

    def __init__(self, ctx: Any, tensors: dict[Key, Tensor]) -> None:
        self.ctx, self.tensors = ctx, tensors
        self.undo: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        ctx = self.ctx
        saved = {key[0][1]: t for key, t in self.tensors.items() if key[0][0] == SAVED}
        if saved:
            unpack = ctx._unpack
            self.undo.append(lambda: setattr(ctx, "_unpack", unpack))
            ctx._unpack = lambda *_: tuple(saved.get(i, t) for i, t in enumerate(unpack()))
        for key, t in self.tensors.items():
            if key[0][0] not in (SAVED, SAVED_FORWARD):
                self._put(key, t)

    def __exit__(self, *_exception: object) -> None:
        for undo in reversed(self.undo):
            undo()

    def _put(self, key: Key, value: Any) -> None:
        """Put a value at the end of a way; a tuple or a partial function there is replaced in what holds it."""
        holder = self.ctx
        for step in key[:-1]:
            holder = _get(holder, step)
        if isinstance(holder, tuple):
            items = list(holder)
            items[key[-1][1]] = value
            self._put(key[:-1], type(holder)(*items) if hasattr(holder, "_fields") else tuple(items))
            return
        if key[-1][0] == "argument":
            args = list(holder.args)
            args[key[-1][1]] = value
            self._put(key[:-1], partial(holder.func, *args, **holder.keywords))
            return
        before = _get(holder, key[-1])
        _set(holder, key[-1], value)
        self.undo.append(lambda: _set(holder, key[-1], before))


def _get(holder: Any, step: Step) -> Any:
    kind, name = step
    if kind == "item":
        return holder[name]
    if kind == "argument":
        return holder.args[name]
    return holder.__closure__[name].cell_contents if kind == "cell" else getattr(holder, name)


def _set(holder: Any, step: Step, value: Any) -> None:
    kind, name = step
    if kind == "item":
        holder[name] = value
    elif kind == "cell":
        holder.__closure__[name].cell_contents = value
    else:
        object.__setattr__(holder, name, value)


def _equal(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)


def _connected(t: Tensor, sources: set[Node]) -> bool:
    node = t._node
    return node is not None and node.needs and not sources.isdisjoint(reachable([node]))


__all__ = ["SAVED", "SAVED_FORWARD", "Body", "shown", "substituted", "tensors_on"]
