"""Why calls of a compiled function were recorded: which part of the signature, which value or which place outside was not as before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CellType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from tracegrad.compiler.arguments import Arguments
from tracegrad.compiler.call_trace import Read
from tracegrad.compiler.log import log, logs
from tracegrad.compiler.places_text import key_text, name_of
from tracegrad.compiler.recent import Recent
from tracegrad.compiler.replay import parameter_names
from tracegrad.compiler.tree import Tree
from tracegrad.compiler.walk import CONTAINERS, MISSING, contents_of, fact
from tracegrad.compiler.watch import Surroundings
from tracegrad.eager.tensor import Tensor

KINDS = {
    "first call": "it was the first call",
    "signature": "the signature is another one",
    "surroundings": "something outside of the arguments has changed",
    "guard": "a value decides otherwise than before",
    "memory": "an argument shows memory that the function writes through another one",
}
KEYS = 16  # signatures among which the nearest is looked for
HISTORY = ("no gradient wanted", "requires grad", "computed from what requires grad")


class Cause(NamedTuple):
    """Why a call was recorded.

    kind   "first call", "signature", "surroundings", "guard" or "memory"
    place  name of what differs            old, new  what it was and is (for a guard old has the values known there)
    location  the user's (file, line) that reads it, where that is known
    """

    kind: str
    place: str = ""
    old: Any = None
    new: Any = None
    location: tuple[str, int] | None = None

    def __str__(self) -> str:
        text = KINDS[self.kind]
        if self.kind == "guard":
            text += f": {self.place} has been {', '.join(map(short, self.old[:8]))}, now it is {short(self.new)}"
        elif self.place:
            text += f": {self.place} was {short(self.old)}, now it is {short(self.new)}"
        return text + (f" ({self.location[0]}:{self.location[1]})" if self.location is not None else "")


def short(value: Any) -> str:
    """A bounded form of a value."""
    if isinstance(value, Tensor):
        return f"a Tensor of shape {tuple(value._data.shape)}"
    if value is MISSING:
        return "missing"
    try:
        text = value if isinstance(value, str) and value.startswith("<") else repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return text if len(text) <= 100 else f"{text[:97]}..."


class History:
    """What a compiled function remembers for explanations.

    cause     why it recorded last                      recordings  how often it has recorded
    refused   why signatures run uncompiled             record_s    seconds that recording took, by tree
    """

    def __init__(self, limit: int) -> None:
        self.cause: Cause | None = None
        self.recordings = 0
        self.refused: Recent[Any, str] = Recent(limit)
        self.record_s: WeakKeyDictionary[Tree, float] = WeakKeyDictionary()
        self._keys: deque[Any] = deque(maxlen=KEYS)  # the signatures that were recorded lately

    def begins(self, function: Callable[..., Any], call: Arguments, trees: Sequence[Tree], tree: Tree | None) -> None:
        """A call is about to be recorded: find out why, while what changed can still be seen."""
        self.recordings += 1
        try:
            self.cause = cause_of(function, call, trees, tree, self._keys)
        except Exception:  # objects of the user's may raise whatever is asked of them; a call must not fail for the sake of its explanation
            self.cause = Cause("surroundings")
        if call.key not in self._keys:
            self._keys.appendleft(call.key)
        if logs("guards"):
            log("guards", f"{title(function)} is recorded: {self.cause}")

    def ends(self, function: Callable[..., Any], tree: Tree, decisions: Sequence[Read], seconds: float) -> None:
        """A recording has become a path of the tree."""
        self.record_s[tree] = self.record_s.get(tree, 0.0) + seconds
        if logs("guards"):
            for read in decisions:
                where = f" ({read.location[0]}:{read.location[1]})" if read.location is not None else ""
                log("guards", f"{title(function)} decides by {read.kind}: {short(read.value)}{where}")
            log(
                "guards",
                f"{title(function)} has {tree.paths} path(s) here, and compares {len(tree.watched.values())} places",
            )


def title(function: Callable[..., Any]) -> str:
    """The name of a function."""
    return str(getattr(function, "__qualname__", None) or type(function).__name__)


def cause_of(
    function: Callable[..., Any], call: Arguments, trees: Sequence[Tree], tree: Tree | None, keys: Iterable[Any]
) -> Cause:
    """Why no recording serves this call; keys are the signatures that were recorded before, the latest first."""
    if tree is not None:
        if tree.shares_memory(call.tensors):
            return Cause("memory")
        if tree.missed is not None:
            guard, value = tree.missed
            return Cause("guard", guard.kind, tuple(guard.children), value, guard.location)
    if trees:
        return next(outside(function, trees[-1], call), Cause("surroundings"))
    found = [list(differences(function, call, key)) for key in keys]
    nearest = min((f for f in found if f), key=len, default=None)
    return nearest[0] if nearest is not None else Cause("first call")


def differences(function: Callable[..., Any], call: Arguments, last: Any) -> Iterator[Cause]:
    """Where a signature differs from the one before."""
    (old, old_named, old_same, old_grad, old_dtype), (new, new_named, same, grad, dtype) = last, call.key
    names = parameter_names(function)

    def by_name(parts: Any, named: Any) -> dict[str, Any]:
        return {**{names[i] if i < len(names) else f"argument {i}": p for i, p in enumerate(parts)}, **dict(named)}

    before, given = by_name(old, old_named), by_name(new, new_named)
    for name in dict.fromkeys((*before, *given)):
        yield from _differ(name, before.get(name, "<absent>"), given.get(name, "<absent>"))
    if old_grad != grad:
        yield Cause("signature", "grad mode", old_grad, grad)
    if old_dtype != dtype:
        yield Cause("signature", "default dtype", old_dtype, dtype)
    if old_same != same:
        yield Cause("signature", "which arguments are the same Tensor", old_same, same)


def _differ(place: str, old: Any, new: Any) -> Iterator[Cause]:
    """The places where two parts of a signature differ."""
    if old == new:
        return
    both = isinstance(old, tuple) and isinstance(new, tuple) and bool(old) and bool(new) and old[0] == new[0]
    if both and isinstance(old[0], type) and len(old) == len(new) and len(old) >= 3 and isinstance(old[1], tuple):
        yield from _of_arrays(place, old, new)
    elif both and len(old) == len(new) == 2 and isinstance(old[1], tuple) and isinstance(new[1], tuple):
        named = old[0] is dict and [k for k, _ in old[1]] == [k for k, _ in new[1]]
        if named:
            for ((_, key), a), (_, b) in zip(old[1], new[1], strict=True):
                yield from _differ(f"{place}[{key!r}]", a, b)
        elif old[0] in (tuple, list) and len(old[1]) == len(new[1]):
            for i, (a, b) in enumerate(zip(old[1], new[1], strict=True)):
                yield from _differ(f"{place}[{i}]", a, b)
        else:
            yield Cause("signature", place, _shown(old), _shown(new))
    else:
        yield Cause("signature", place, _shown(old), _shown(new))


def _of_arrays(place: str, old: Any, new: Any) -> Iterator[Cause]:
    """Shape, dtype and history of a Tensor or an array."""
    for what, a, b in zip(("shape", "dtype"), old[1:3], new[1:3], strict=True):
        if a != b:
            yield Cause(
                "signature", f"{place}.{what}", a if what == "shape" else str(a), b if what == "shape" else str(b)
            )
    if len(old) > 3 and old[3] != new[3]:
        yield Cause("signature", f"the history of {place}", f"<{HISTORY[old[3]]}>", f"<{HISTORY[new[3]]}>")
    if old[4:] != new[4:]:
        yield Cause("signature", f"the attributes of {place}", old[4:], new[4:])


def _shown(part: Any) -> Any:
    """A part of a signature as the user knows it."""
    if isinstance(part, tuple) and len(part) == 2 and part[0] in (int, bool, str):
        return part[1]
    if isinstance(part, tuple) and part and isinstance(part[0], type):
        if len(part) >= 3 and isinstance(part[1], tuple):
            return f"<a {part[0].__name__} of shape {part[1]} and dtype {part[2]}>"
        size = f" with {len(part[1])} entries" if len(part) == 2 and isinstance(part[1], tuple) else ""
        return f"<a {part[0].__name__}{size}>"
    return f"<a {part.__name__}>" if isinstance(part, type) else part


def outside(function: Callable[..., Any], tree: Tree, call: Arguments) -> Iterator[Cause]:
    """What the tree's recordings read outside of the arguments and is not as it was."""
    for source, had in tree.grads.values():
        owner = source.read(call.tensors)
        if (getattr(owner, "_grad", None) is not None) is not had:
            words = ("<None>", "<a Tensor>")
            yield Cause(
                "surroundings", f"the .grad of a Tensor of shape {tuple(owner._data.shape)}", words[had], words[not had]
            )
    for source, kind in tree.captured:
        t = source.read(call.tensors)
        now = None if t is None else (t._data.shape, t._data.dtype, t.requires_grad)
        if now != kind:
            shown = [f"<shape {k[0]}, {k[1]}, requires_grad={k[2]}>" if k else "<None>" for k in (kind, now)]
            yield Cause("surroundings", "a Tensor that the function captures", *shown)
    yield from changes(function, tree.watched)


def changes(function: Callable[..., Any], watched: Surroundings) -> Iterator[Cause]:
    """The places whose values are not what they were, with their names and the lines that read them."""
    for old, holder, key in watched.changed():
        if holder is None:
            continue
        if key is None and type(holder) in CONTAINERS:
            yield from _in_container(function, old, holder)
            continue
        cell = isinstance(holder, CellType)
        now = contents_of(holder) if cell else holder.get(key, MISSING) if key is not None else dict(holder)
        if now is old or (fact(now) == fact(old) and type(now) not in CONTAINERS):
            continue
        name, line = name_of(function, holder, "cell" if cell else key)
        yield Cause("surroundings", name or str(key), old, now, line)


def _in_container(function: Callable[..., Any], old: Any, holder: Any) -> Iterator[Cause]:
    """The entries of a list or dict that differ, or the whole where their number does."""
    name, line = name_of(function, holder, None)
    shown = name or f"a {type(holder).__name__}"
    if isinstance(holder, (dict, list)) and len(old) == len(holder):
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        known = old if isinstance(old, dict) else dict(enumerate(old))
        for key in keys:
            was = known.get(key, MISSING)
            if was is not holder[key] and fact(was) != fact(holder[key]):
                yield Cause("surroundings", f"{shown}[{key_text(key)}]", was, holder[key], line)
        return
    yield Cause("surroundings", shown, old, holder, line)


__all__ = ["Cause", "History", "cause_of", "short", "title"]
