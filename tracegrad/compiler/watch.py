"""Surroundings: what a function can read besides its arguments, as it was when a program was recorded.

A compiled program is right only while these are what they were, so every call compares them: values by equality and type, Tensors, functions and objects by identity
(the elements of a Tensor are read anew anyway).  The comparison is a few loops in C over all places; only where an object is no longer the same one it is looked at.
Containers with more than LIMIT entries are compared by identity and length, with a warning; so are NumPy arrays of more than ARRAY_LIMIT bytes, whose elements are
nevertheless seen where the array itself is an operand.

A float that has changed while nothing else has can be read anew at every call: its place joins `variable`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable
from itertools import chain
from operator import attrgetter, getitem, is_
from types import CellType, CodeType
from typing import Any

from tracegrad.compiler.changes import line_of_change, put_back
from tracegrad.compiler.ownership import compares_identity
from tracegrad.compiler.walk import (
    BASES,
    COLLECTS,
    CONTAINERS,
    MISSING,
    Place,
    Walk,
    content,
    contents_of,
    fact,
    state_kind,
)
from tracegrad.compiler.watch_text import holding
from tracegrad.eager.device_tensors import HERE, fetched
from tracegrad.eager.tensor import Tensor, raw

# code that names these may look at the type of a number, or hand it to code written in C that does
TYPED = frozenset(
    "type Tensor is_tensor json pickle struct ctypes statistics Fraction Decimal fractions decimal".split()
)
_of_cell = attrgetter("cell_contents")
_of_code = attrgetter("__code__")
MOST_TESTS = 2_000  # of a generated comparison, which takes some microseconds each to make
MOST_TEXTS = 4  # generated comparisons of one Surroundings, whose objects may be replaced by equal ones ever again


def _kind_of(t: Tensor) -> Any:
    value = raw(t)
    return value.shape, value.dtype, t.requires_grad


class Surroundings:
    """What `roots` can read, as it is now; variable names the places of floats that may change.

    state  names of the places that the function itself changes, of those that were asked for       still_valid  whether it is so now        places  of floats that could become variable, by position among the facts
    """

    def __init__(
        self,
        roots: Iterable[Any],
        codes: Iterable[tuple[CodeType, dict[str, Any]]] = (),
        state: frozenset[Any] = frozenset(),
        exact: bool = False,
    ) -> None:
        self.roots, self.codes, self.state, self.asked = list(roots), list(codes), state, state
        self._ran = [code for code, _ in self.codes]
        self.variable: frozenset[Any] = frozenset()
        self.more: list[tuple[Callable[[], Any], Any]] = []  # what was seen to be read while recording
        self._tensors: list[tuple[Any, Any]] = []
        self._texts = 0  # generated so far
        walk = Walk(self.roots, self.codes, True, self.state)
        fixed = irreplaceable(walk, exact) if state else frozenset()
        if fixed:
            self.state -= fixed
            walk = Walk(self.roots, self.codes, False, self.state)
        self._take(walk)

    def _take(self, walk: Walk) -> None:
        self.walk, self.facts = walk, walk.facts
        self._sized, self._sizes = walk.sized, list(map(len, walk.sized))
        self._containers, self._lengths = walk.containers, list(map(len, walk.containers))
        self._dicts = [d for d, _, _ in walk.entries]
        self._keys = [k for _, k, _ in walk.entries]
        self._cells = [c for c, _ in walk.cells]
        self._functions = [f for f, _ in walk.functions]
        self._getters = [g for g, _ in (*walk.getters, *self.more)]
        self._items = [
            *chain.from_iterable(walk.containers),
            *(v for _, _, v in walk.entries),
            *(v for _, v in walk.cells),
            *(v for _, v in walk.functions),
            *(v for _, v in (*walk.getters, *self.more)),
        ]
        self._changed()

    def _changed(self) -> None:
        """Other objects are compared from now on."""
        self._holds: Callable[[], bool] | None = None  # the generated comparison, which knows identity only
        self._steady = 0  # comparisons since then that found every object again

    def __bool__(self) -> bool:
        return bool(self._items or self._sized or self.walk.arrays)

    def note_tensors(self, captured: Container[int]) -> None:
        """Compare form and requires_grad of the Tensors that can be read and are no operands; `captured` has the ids of those that are."""
        self._tensors = [(t, _kind_of(t)) for t in self.walk.tensors if id(t) not in captured]
        self._changed()

    def values(self) -> list[Any]:
        """What stood in the places."""
        return [v for v in self._items if not isinstance(v, CodeType)]

    @property
    def size(self) -> int:
        """How many comparisons there are, nearly."""
        return (
            len(self._items)
            + len(self._containers)
            + len(self._sized)
            + 2 * (len(self._tensors) + len(self.walk.arrays))
        )

    @property
    def items(self) -> list[Any]:
        """What stood in the places: of the containers, entries, cells, functions (their code) and getters, in this order."""
        return self._items

    @property
    def getters(self) -> list[Callable[[], Any]]:
        """What reads places that only a function can read."""
        return self._getters

    @property
    def forms(self) -> list[tuple[Any, Any]]:
        """Tensors that are no operands, and their shape, dtype and requires_grad."""
        return self._tensors

    def sizes(self) -> tuple[list[tuple[Any, int]], list[tuple[Any, int]]]:
        """The containers with their lengths, whose entries are items, and other tables with theirs."""
        return list(zip(self._containers, self._lengths, strict=True)), list(zip(self._sized, self._sizes, strict=True))

    def free_floats(self) -> set[int]:
        """The positions among the items of the floats that may change."""
        if not self.variable:
            return set()
        return {i for i, v in enumerate(self._items) if type(v) is float and self._name_at(i) in self.variable}

    def free_kinds(self) -> dict[int, Any]:
        """The positions among the items of what the function itself changes, and of what kind these are."""
        kinds = [(i, v, state_kind(v)) for i, v in enumerate(self._items)] if self.state else []
        return {i: kind for i, _, kind in kinds if kind is not None and self._name_at(i) in self.state}

    def states(self) -> list[Place]:
        """The places that the function itself changes."""
        return list(self.walk.states.values())

    def places(self) -> list[Place]:
        """The places of the floats that may change."""
        return list({p.name(): p for p in self.walk.floats.values() if p.name() in self.variable}.values())

    def watch(self, read: Callable[[], Any]) -> None:
        """Compare what `read` gives as well: a plain value, or an object by identity."""
        value = read()
        self.more.append((read, value))
        self._getters.append(read)
        self._items.append(value)
        self._changed()

    def still_valid(self) -> bool:
        """Whether all this is what it was."""
        holds = self._holds
        return (holds is not None and holds()) or self._compared()

    def _compared(self) -> bool:
        """The same in loops, and by values where objects are others."""
        try:
            if list(map(len, self._containers)) != self._lengths or (self._tensors and not self._same_tensors()):
                return False
            if list(map(len, self._sized)) == self._sizes:
                if all(map(is_, self._now(), self._items)):
                    self._note_steady()
                    return not self.walk.arrays or self._same_arrays()
                if (same := self._same_values()) is not None:
                    return same and self._same_arrays()
        except (KeyError, ValueError, RuntimeError):  # an entry that is gone, an empty cell
            return False
        return self._same_facts()

    def _note_steady(self) -> None:
        """Everything was as it was once more: after a while the comparison is generated."""
        self._steady += 1
        if self._steady == 16 + self.size // 4 and self._texts < MOST_TEXTS and self.size <= MOST_TESTS:
            self._holds, self._texts, self._steady = holding(self), self._texts + 1, 0

    def _same_tensors(self) -> bool:
        return all(_kind_of(t) == kind for t, kind in self._tensors)

    def _same_arrays(self) -> bool:
        return all(content(read()) == was for read, was in self.walk.arrays)

    def _now(self) -> Any:
        return chain(
            chain.from_iterable(self._containers),
            map(getitem, self._dicts, self._keys),
            map(_of_cell, self._cells),
            map(_of_code, self._functions),
            [read() for read in self._getters] if self._getters else (),
        )

    def _same_values(self) -> bool | None:
        """Whether what are other objects are equal numbers, or floats that may change; then these are known from now on.  None where it is not that simple."""
        changed, state = [], []
        for i, (now, was) in enumerate(zip(self._now(), self._items, strict=True)):
            if now is not was:
                if self.state and self._is_state(i, now, was):
                    state.append((i, now))
                    continue
                if type(now) in CONTAINERS and type(was) in CONTAINERS:
                    return None
                if type(now) is not type(was) or (fact(now) != fact(was) and not self._may_change(i, now, was)):
                    return False
                changed.append((i, now))
        for i, now in (*changed, *state):
            self._items[i] = now
        if changed:
            self._changed()
        else:
            self._note_steady()
        return True

    def _may_change(self, index: int, now: Any, was: Any) -> bool:
        return (
            bool(self.variable) and type(now) is float and type(was) is float and self._name_at(index) in self.variable
        )

    def _is_state(self, index: int, now: Any, was: Any) -> bool:
        """Whether this is a place that the function itself changes, and holds what it may."""
        kind = state_kind(now)
        return kind is not None and kind == state_kind(was) and self._name_at(index) in self.state

    def _name_at(self, index: int) -> Any:
        """The name of the place whose value stands at this index of the items."""
        for container, length in zip(self._containers, self._lengths, strict=True):
            if index < length:
                if isinstance(container, list):
                    return id(container), index
                table = self._table_of(container)
                return (id(table), list(table)[index]) if table is not None else None
            index -= length
        if index < len(self._dicts):
            return id(self._dicts[index]), self._keys[index]
        index -= len(self._dicts)
        return (id(self._cells[index]), "cell") if index < len(self._cells) else None

    def _table_of(self, view: Any) -> Any:
        """The dict of a view of values, which follows it among the containers."""
        if isinstance(view, BASES):
            return None
        return next(a for a, b in zip(self._containers, self._containers[1:], strict=False) if b is view)

    def _same_facts(self) -> bool:
        """Whether another walk finds the same; then its objects are known from now on."""
        if any(fact(read()) != fact(was) for read, was in self.more):
            return False
        walk = Walk(self.roots, self.codes, False, self.state)
        if differing_floats(walk, self.walk, self.variable) != set():
            return False
        self._take(walk)
        return True

    def only_floats_differ(self, other: Surroundings) -> set[int] | None:
        """The positions of the floats by which other differs from this, where nothing else differs; None otherwise."""
        if [fact(v) for _, v in self.more] != [fact(v) for _, v in other.more[: len(self.more)]]:
            return None
        return differing_floats(other.walk, self.walk, frozenset())

    def changed(self) -> list[tuple[Any, Any, Any]]:
        """What is no longer as it was: (the value then, the container, cell or table of names where it stood, the name)."""
        if self.still_valid():
            return []
        found: list[tuple[Any, Any, Any]] = [
            (self._shown(c, i), self._table_of(c) or c, None)
            for i, (c, length) in enumerate(zip(self._containers, self._lengths, strict=True))
            if len(c) != length or not all(map(is_, c, self._items[self._offset(i) : self._offset(i) + length]))
        ]
        found += [(v, t, k) for t, k, v in self.walk.entries if t.get(k, MISSING) is not v]
        found += [(v, c, None) for c, v in self.walk.cells if getattr(c, "cell_contents", MISSING) is not v]
        found += [(dict(t), t, None) for t, size in zip(self._sized, self._sizes, strict=True) if len(t) != size]
        return found or [(None, None, None)]

    def put_back(self) -> bool:
        """Undo what has changed; False where that cannot be."""
        sized = [(t, n) for t, n in zip(self._sized, self._sizes, strict=True) if len(t) != n]
        known = {id(t) for t, _ in sized}
        changed = [c for c in self.changed() if c[2] is not None or id(c[1]) not in known]
        return put_back(changed, sized) and self.still_valid()

    def line_of_change(self, name: Any) -> tuple[str, int] | None:
        """Where the code changes what has this name, as far as the text shows it."""
        return line_of_change([*self.walk.codes, *self._ran], name)

    def grown(self) -> set[Any]:
        """The names of lists that hold more than they did, and all that they held."""
        found = [(was, holder) for was, holder, _ in self.changed() if isinstance(holder, (list, deque))]
        return {(id(now), COLLECTS) for was, now in found if len(now) > len(was) and all(map(is_, was, now))}

    def changed_places(self) -> dict[Place, bool]:
        """The places that hold something else than they did, as far as something can be put there, and whether they were there before."""
        found: dict[Any, tuple[Place, bool]] = {}
        for was, holder, key in self.changed():
            keys: dict[Any, bool] = {}
            if isinstance(holder, CellType):
                keys = {} if contents_of(holder) is MISSING else {"cell": True}
            elif isinstance(holder, dict) and key is not None:
                keys = {key: True} if key in holder else {}
            elif isinstance(holder, dict) and isinstance(was, dict):
                sizes = [n for t, n in zip(self._sized, self._sizes, strict=True) if t is holder]
                new = list(holder)[sizes[0] :] if sizes else [k for k in holder if k not in was]
                keys = {k: True for k, v in holder.items() if was.get(k, MISSING) is not v}
                keys.update(dict.fromkeys(new, False))
            elif isinstance(holder, (list, deque)):
                keys = {i: i < len(was) for i, v in enumerate(holder) if i >= len(was) or was[i] is not v}
            for k, before in keys.items():
                place = Place(holder, k)
                found.setdefault(place.name(), (place, before))
        return dict(found.values())

    def extend(self, codes: list[tuple[CodeType, dict[str, Any]]]) -> None:
        """Compare also what code objects read that ran, though nothing that was known leads to them."""
        self._ran += [code for code, _ in codes]
        if self.still_valid():
            self.codes += codes
            self._take(Walk(self.roots, self.codes, False, self.state))

    def _offset(self, i: int) -> int:
        return sum(self._lengths[:i])

    def _shown(self, container: Any, i: int) -> Any:
        """What a container held."""
        items = self._items[self._offset(i) : self._offset(i) + self._lengths[i]]
        table = self._table_of(container)
        return list(items) if table is None else dict(zip(self._shown(table, i - 1), items, strict=True))


def irreplaceable(walk: Walk, exact: bool) -> frozenset[Any]:
    """The names in the state whose values must stand in their places while the function is recorded."""
    found = set(walk.open)
    if exact or not TYPED.isdisjoint(walk.names):
        found |= {name for name, place in walk.states.items() if has_numbers(place.read())}
        found |= {(id(real), COLLECTS) for _, real in walk.collectors}
    if any(map(compares_identity, walk.codes)):
        found |= set(walk.states)
    return frozenset(found)


def has_numbers(value: Any) -> bool:
    """Whether a value of the state is a number or a tuple with one."""
    return any(map(has_numbers, value)) if type(value) is tuple else type(value) in (int, float)


def differing_floats(now: Walk, was: Walk, free: frozenset[Any] | set[Any]) -> set[int] | None:
    """The positions of the facts of two walks that differ, but for free places; None where one of them is no float, or the walks are not alike."""
    if len(now.facts) != len(was.facts):
        return None
    found = set()
    for i, (a, b) in enumerate(zip(now.facts, was.facts, strict=True)):
        if a != b:
            place, before = now.floats.get(i), was.floats.get(i)
            if place is None or before is None or place.name() != before.name():
                return None
            if place.name() not in free:
                found.add(i)
    return found


def watch(
    *roots: Any,
    codes: Iterable[tuple[CodeType, dict[str, Any]]] = (),
    state: frozenset[Any] = frozenset(),
    exact: bool = False,
) -> Surroundings:
    """What these functions and objects can read, and the code objects with their globals; state names what the functions change themselves, but for numbers if exact.

    Tensors on devices come to the host, for they are of a subclass: as second operands they would come first in comparisons.
    """
    found = Surroundings(roots, codes, state, exact)
    for t in found.walk.tensors:
        if type(t) in HERE:
            fetched(t)
    return found


__all__ = ["Place", "Surroundings", "watch"]
