"""What a function itself changes in Python objects: numbers, Tensors and lists that grow stand in a recording as its values, and the program puts back what becomes of them.

While a function is recorded, names of the recording stand in those places (a counter is a number of the recording, a running mean another name of its Tensor), and lists
that are only added to are replaced by `Collector`s.  Afterwards everything is as before; what stood there then is the effect of the path, which happens at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from tracegrad import pytree
from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.recorder import user_location
from tracegrad.compiler.results import taken_apart
from tracegrad.compiler.traced_numbers import TracedNumber, number_class
from tracegrad.compiler.walk import MISSING, Place, state_kind
from tracegrad.compiler.watch import Surroundings
from tracegrad.dtypes import F64, I64
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import end_of_views

NUMBERS = {int: I64, float: F64}


class Part(Place):
    """One part of a tuple that stands in a place."""

    def read(self) -> Any:
        """What the tuple holds there now."""
        return self.holder.read()[self.key]

    def name(self) -> Any:
        """What tells it from other places."""
        return (*self.holder.name(), self.key)


class Kept:
    """A Tensor that was there before the call, which a place or a list is to hold itself, or detached."""

    def __init__(self, tensor: Tensor, detached: bool = False) -> None:
        self.tensor, self.detached = tensor, detached


def _only_added_to(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Collector, *args: Any, **kwargs: Any) -> NoReturn:
        self._read = NotCompilable("reads a list to which it adds", user_location())
        raise self._read

    refuse.__name__ = name
    return refuse


class Collector:
    """Stands for a list or a deque while a function is recorded that only adds to it; whatever reads it ends the recording."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._added: list[Any] = []
        self._read: NotCompilable | None = None

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # type: ignore[override]
        """The class of the list, for isinstance()."""
        return type(self._real)

    def append(self, value: Any) -> None:
        """Note a value to be added."""
        self._added.append(value)

    def extend(self, values: Any) -> None:
        """Note several."""
        self._added.extend(values)

    def __iadd__(self, values: Any) -> Collector:
        self.extend(values)
        return self

    def __getattr__(self, name: str) -> Any:
        return _only_added_to(name)(self)

    for _name in (
        "len bool iter getitem setitem delitem contains reversed eq ne lt le gt ge add radd mul rmul imul "
        "repr str format hash copy deepcopy reduce_ex sizeof"
    ).split():
        locals()[f"__{_name}__"] = _only_added_to(_name)


class State:
    """The state of one recording: enter to let names of it stand in the places, leave to let these be as before.

    effects   what to do at the end of the path: ("put", the place) or ("add", the list), for each of the values
    found     names of what the function has changed that may be a part of its state from now on
    """

    def __init__(self, trace: CallTrace, watched: Surroundings) -> None:
        self.trace, self.watched = trace, watched
        self.effects: list[tuple[str, Any]] = []
        self._places = [(p, p.read(), self._named(p, p.read())) for p in watched.states()]
        made: dict[int, Collector] = {}
        self._lists = [(p, real, made.setdefault(id(real), Collector(real))) for p, real in watched.walk.collectors]
        self._now = [name for _, _, name in self._places]
        self.found: set[Any] = set()
        self._there = False

    def _named(self, place: Place, value: Any) -> Any:
        """A name of the recording for what stands in a place."""
        kind = type(value)
        if kind is tuple:
            return tuple([self._named(Part(place, i), v) for i, v in enumerate(value)])
        if kind in NUMBERS:
            self.trace.has_numbers = True
            t = handle(np.array(value, NUMBERS[kind]), None)
            t.__dict__["_is_number"] = True
            t.__class__ = number_class(t._data.dtype)
        elif isinstance(value, Tensor):
            t = handle(value._data, value._node)
        else:
            return value
        self.trace.floats[id(t)] = (t, place)
        return t

    def begin(self) -> None:
        """Let the names of the recording stand in the places, or what the function has put there."""
        self._there = True
        for (place, _, _), now in zip(self._places, self._now, strict=True):
            place.put(now)
        for place, _, collector in self._lists:
            place.put(collector)

    def end(self) -> None:
        """Let everything be as before, and remember what stood there."""
        if not self._there:
            return
        self._there = False
        for i, (place, old, _) in enumerate(self._places):
            try:
                self._now[i] = place.read()
            except (KeyError, IndexError, ValueError):
                self._now[i] = MISSING
                continue
            place.put(old)
        for place, real, collector in self._lists:
            if place.read() is collector:
                place.put(real)

    def with_result(self, result: Any) -> Any:
        """The result, and with it the values of the effects, where there are any."""
        changed = [(p, now) for (p, _, was), now in zip(self._places, self._now, strict=True) if now is not was]
        captured = [self.trace.floats[i][0] for i in self.trace.captured if i in self.trace.floats]
        if any(t._node is not None and t._node.needs and t._node.op is None for t in captured):
            raise NotCompilable("computes with a leaf that it has kept itself", None)
        if any(now is MISSING for _, now in changed):
            raise NotCompilable("removes what it reads outside", None)
        for _, _, c in self._lists:
            if c._read is not None:  # some code has caught it
                raise c._read
        added = {id(c): c for _, _, c in self._lists if c._added}
        self.effects = [("put", p) for p, _ in changed] + [("add", c._real) for c in added.values()]
        values = [*(now for _, now in changed), *(c._added for c in added.values())]
        values = [self._apart(v) for v in values]
        grown = self.watched.grown()
        self.found |= grown
        for place, before in self.watched.changed_places().items():
            now = place.read()
            if before and state_kind(_plain(now)) is not None:
                self.found.add(place.name())
            try:
                values.append(
                    self._apart(now)
                )  # a value of the recording has been left there: what it stands for is put
                self.effects.append(("put", place))
            except NotCompilable:
                continue
        return (result, values) if self.effects else result

    def _apart(self, value: Any) -> Any:
        """A value of an effect as containers of what the program makes.  Raises NotCompilable for what cannot be made again."""
        return pytree.map(self._kept, taken_apart(value, self.watched.walk.reached))

    def _kept(self, value: Any) -> Any:
        if isinstance(value, Collector):
            raise NotCompilable("keeps a list to which it adds", None)
        if not isinstance(value, Tensor) or isinstance(value, TracedNumber):
            return value
        if self._existed(value):
            return Kept(value)
        base = end_of_views(value)
        if base is value or not self._existed(base):
            return value
        if value._data is base._data or (
            value._node is not None and value._node.needs is False and same_memory(value, base)
        ):
            return Kept(base, True)
        raise NotCompilable("keeps a view of a Tensor of the outside world", None)

    def _existed(self, t: Tensor) -> bool:
        return id(t) in self.trace.given or id(t) in self.trace.floats or self.watched.walk.reached(t)

    def keep(self) -> None:
        """Let the changes of a call that has failed stand, as they do where it is not compiled."""
        for (place, _, was), now in zip(self._places, self._now, strict=True):
            if now is not was and now is not MISSING:
                place.put(settled(now))
        for c in {id(c): c for _, _, c in self._lists}.values():
            c._real.extend([settled(v) for v in c._added])


def _plain(value: Any) -> Any:
    """A number or a tuple without numbers of the recording."""
    if isinstance(value, TracedNumber):
        return value._data.item()
    return tuple(map(_plain, value)) if type(value) is tuple else value


def settled(value: Any) -> Any:
    """The value with Python's numbers for numbers of a recording."""
    if isinstance(value, TracedNumber):
        return value._data.item()
    if isinstance(value, list):
        value[:] = [settled(v) for v in value]
    elif isinstance(value, dict):
        value.update({k: settled(v) for k, v in value.items() if isinstance(v, (TracedNumber, list, dict))})
    return tuple([settled(v) for v in value]) if type(value) is tuple else value


def same_memory(a: Tensor, b: Tensor) -> bool:
    """Whether two Tensors show the same elements."""
    x, y = a._data, b._data
    return x.shape == y.shape and x.strides == y.strides and x.ctypes.data == y.ctypes.data


def apply(effects: list[tuple[str, Any]], values: list[Any]) -> None:
    """Do what becomes of the state."""
    for (kind, target), value in zip(effects, values, strict=True):
        if kind == "put":
            target.put(value)
        else:
            target.extend(value)
