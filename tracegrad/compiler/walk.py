"""What a function can read besides its arguments: a walk over the functions, objects, classes and modules that its code names.

Attributes are followed by name: of an object, a class or a module of the user's only those count that some reached code names, so that a counter which only the
caller changes costs nothing.  Code that asks for attributes by other means (`getattr`, `vars`) makes all of them count.
"""

from __future__ import annotations

import functools
import sys
import threading
import warnings
import weakref
from array import array
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from enum import Enum
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from tracegrad.compiler.ownership import (
    is_foreign_class,
    is_foreign_file,
    is_trimmed,
    names_of,
    slots_of,
    stores_attributes,
)
from tracegrad.compiler.state_kinds import COLLECTS as COLLECTS
from tracegrad.compiler.state_kinds import state_kind as state_kind
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import explain

LIMIT = 2_000  # places watched for one function, and entries of one container
ARRAY_LIMIT = 16_384  # bytes of a NumPy array whose elements are compared; larger ones are compared by identity
PLAIN = (int, float, bool, str, bytes, complex, type(None))
SEQUENCES, TABLES = (list, tuple, deque), (dict, OrderedDict, defaultdict)
CONTAINERS = frozenset((*SEQUENCES, *TABLES, set, frozenset))
BASES = (list, tuple, deque, dict, set, frozenset)
DYNAMIC = frozenset(
    (
        "getattr",
        "hasattr",
        "setattr",
        "delattr",
        "vars",
        "__dict__",
        "attrgetter",
        "asdict",
        "astuple",
        "fields",
        "__slots__",
    )
)
MISSING = object()
CALLED = frozenset(("forward", "backward", "setup_context", "jvp", "vjp"))  # methods that modules and Functions call
BUILTIN = frozenset(("builtins", "numpy", "scipy", "collections", "functools", "threading"))


class Place:
    """Where one float stands that can be put elsewhere: an entry of a dict or a list, or a cell."""

    __slots__ = ("holder", "key")

    def __init__(self, holder: Any, key: Any) -> None:
        self.holder, self.key = holder, key

    def read(self) -> Any:
        """What stands there now."""
        return self.holder.cell_contents if isinstance(self.holder, CellType) else self.holder[self.key]

    def put(self, value: Any) -> None:
        """Let something else stand there."""
        if isinstance(self.holder, CellType):
            self.holder.cell_contents = value
        else:
            self.holder[self.key] = value

    def name(self) -> Any:
        """What tells it from other places."""
        return id(self.holder), self.key


class Walk:
    """The places that `roots` can read, in an order that depends on the form of the surroundings only.

    entries, cells, getters and containers are the places by kind, each with its value now; sized the attribute tables of objects and classes, in which names can appear.  facts holds a comparable text of everything: two walks with equal facts mean the same to the function.  floats gives for the position of a fact the
    place of the float.  `state` names places that the function itself changes: their kind is a fact, not what they hold.  iterators and generators of random numbers are in `stateful`, Tensors in `tensors`.
    """

    def __init__(
        self,
        roots: Iterable[Any],
        codes: Iterable[tuple[CodeType, dict[str, Any]]] = (),
        warns: bool = False,
        state: frozenset[Any] = frozenset(),
    ) -> None:
        self._warns, self._state = warns, state
        self.states: dict[Any, Place] = {}  # the places of the state, by name
        self.collectors: list[tuple[Place, Any]] = []  # lists of the state that are only added to, and where they stand
        self.open: set[Any] = set()  # names of lists that stand elsewhere too
        self.entries: list[tuple[Any, Any, Any]] = []
        self.cells: list[tuple[CellType, Any]] = []
        self.getters: list[tuple[Callable[[], Any], Any]] = []
        self.containers: list[Any] = []
        self.arrays: list[tuple[Callable[[], Any], Any]] = []
        self.sized: list[Any] = []
        self.facts: list[Any] = []
        self.floats: dict[int, Place] = {}
        self.stateful: list[Any] = []
        self.tensors: list[Tensor] = []
        self.names: set[str] = set()
        self.codes: set[CodeType] = set()
        self._roots = list(roots)
        self._seen: dict[Any, Any] = {}  # by identity; the objects stay alive with the walk
        self._stack: list[Any] = self._roots[::-1]
        self._named: list[
            tuple[Any, Any, set[str]]
        ] = []  # classes, modules and objects, with the names that were followed
        self.functions: list[tuple[FunctionType, CodeType]] = []  # with their code, which a reload replaces
        self._dynamic = False
        for code, scope in codes:
            self.add_code(code, scope)
        self._run()

    def _run(self) -> None:
        again, attributed = True, 0
        while again and len(self.facts) < 10 * LIMIT:
            while self._stack:
                self._visit(self._stack.pop())
            self._dynamic = not DYNAMIC.isdisjoint(self.names)
            for thing, table, done in self._named:
                self._follow_names(thing, table, done)
            again = bool(self._stack)
            new = [f for f, _ in self.functions[attributed:]]
            if new and any(map(stores_attributes, self.codes)):
                self._named += [(f, f.__dict__, set()) for f in new]
                attributed, again = len(self.functions), True
        self.sized = [table for thing, table, _ in self._named if not isinstance(thing, ModuleType)]

    def reached(self, thing: Any) -> bool:
        """Whether an object is one of those that the function can read."""
        return self._seen.get(id(thing)) is thing

    # --- places

    def place(self, holder: Any, key: Any, value: Any) -> None:
        """Note an entry of a table or of a class."""
        self.entries.append((holder, key, value))
        self._note(value, Place(holder, key))

    def getter(self, read: Callable[[], Any], value: Any) -> None:
        """Note a place that only a function can read."""
        self.getters.append((read, value))
        self._note(value, None)

    def _note(self, value: Any, place: Place | None) -> None:
        if self._state and self._note_state(value, place):
            return
        if type(value) is float and place is not None and not isinstance(place.holder, MappingProxyType):
            self.floats[len(self.facts)] = place
        self.facts.append(fact(value))
        elements = content(value) if place is not None else None
        if elements is not None and place is not None:
            self.arrays.append((place.read, elements))
            self.facts[-1] = elements
        if not isinstance(value, PLAIN):
            self._stack.append(value)

    def _note_state(self, value: Any, place: Place | None) -> bool:
        """Note a place that the function itself changes; False for all others."""
        if place is None or isinstance(place.holder, MappingProxyType):
            return False
        if (id(value), COLLECTS) in self._state:
            self.collectors.append((place, value))
            self.facts.append((type(value), COLLECTS))
            return True
        kind = state_kind(value) if place.name() in self._state else None
        if kind is not None:
            self.states[place.name()] = place
            self.facts.append(kind)
        return kind is not None

    # --- things

    def _visit(self, thing: Any) -> None:
        if id(thing) in self._seen or isinstance(thing, PLAIN):
            return
        if self._state and (id(thing), COLLECTS) in self._state:
            self.open.add((id(thing), COLLECTS))
        self._seen[id(thing)] = thing
        if isinstance(thing, Tensor):
            self.tensors.append(thing)
        elif isinstance(thing, FunctionType):
            self._function(thing)
        elif isinstance(thing, BASES):
            self._container(thing)
            if type(thing) not in CONTAINERS:
                self._object(thing)
        elif isinstance(thing, MethodType):
            self._stack += [thing.__self__, thing.__func__]
        elif isinstance(thing, (staticmethod, classmethod)):
            self._stack.append(thing.__func__)
        elif isinstance(thing, property):
            self._stack += [f for f in (thing.fdel, thing.fset, thing.fget) if f is not None]
        elif isinstance(thing, functools.partial):
            self._stack += [thing.keywords, thing.args, thing.func]
        elif isinstance(thing, ContextVar):
            self.getter(functools.partial(thing.get, MISSING), thing.get(MISSING))
        elif isinstance(thing, weakref.ref):
            self.getter(thing, thing())
        elif isinstance(thing, threading.local):
            for name in sorted(thing.__dict__):
                self.getter(functools.partial(getattr, thing, name, MISSING), getattr(thing, name))
        elif isinstance(thing, ModuleType):
            if not is_foreign_file(getattr(thing, "__file__", None) or "<frozen"):
                self._named.append((thing, vars(thing), set()))
        elif isinstance(thing, type):
            self._class(thing)
        elif not isinstance(thing, (np.ndarray, np.generic, Enum)):
            self._object(thing)

    def _function(self, function: FunctionType) -> None:
        foreign = is_foreign_file(
            function.__code__.co_filename
        )  # what tracegrad's own wrappers close over is followed but cannot change
        if hasattr(function, "__wrapped__"):
            self._stack.append(function.__wrapped__)
        for cell in function.__closure__ or ():
            value = contents_of(cell)
            if value is MISSING:
                continue
            if foreign:
                self._stack.append(value)
            elif id(cell) not in self._seen:
                self._seen[id(cell)] = cell
                self.cells.append((cell, value))
                self._note(value, Place(cell, "cell"))
        if foreign:
            return
        self.codes.add(function.__code__)
        self.functions.append((function, function.__code__))
        if function.__dict__:
            self._named.append((function, function.__dict__, set()))
        if function.__defaults__:
            self.getter(lambda: function.__defaults__, function.__defaults__)
        if function.__kwdefaults__:
            self.getter(lambda: function.__kwdefaults__, function.__kwdefaults__)
        self.add_code(function.__code__, function.__globals__)

    def add_code(self, code: CodeType, scope: dict[str, Any]) -> None:
        """Note the globals that a code object names, and the modules that it imports."""
        names = names_of(code)
        if "globals" in names:
            names |= {n for n, v in scope.items() if n[:2] != "__" and not isinstance(v, (ModuleType, type))}
        self.names |= names
        for name in sorted(names):
            if name in scope:
                self._global(scope, name)
            elif name in sys.modules:
                self._stack.append(sys.modules[name])

    def _global(self, scope: dict[str, Any], name: str) -> None:
        key = (id(scope), name)
        if key in self._seen:
            return
        self._seen[key] = scope
        value = scope[name]
        if isinstance(value, ModuleType) or (isinstance(value, type) and is_foreign_class(value)):
            self._stack.append(value)
        else:
            self.place(scope, name, value)

    def _container(self, thing: Any) -> None:
        if len(thing) > LIMIT or len(self.facts) > 8 * LIMIT:
            if self._warns and not isinstance(thing, tuple):
                warn_of_size(thing)
            return
        self.facts.append((type(thing), len(thing)))
        table = isinstance(thing, dict)
        if not isinstance(thing, (tuple, frozenset)):
            self.containers.append(thing)
            if table:
                self.containers.append(dict.values(thing))
        places = type(thing) is list or type(thing) in TABLES
        keys = list(thing) if table else range(len(thing))
        if table:
            self.facts += [fact(k) for k in keys]
        for key, value in zip(keys, thing.values() if table else thing, strict=True):
            self._note(value, Place(thing, key) if places else None)

    def _class(self, thing: type) -> None:
        for cls in thing.__mro__:
            if id(cls) in self._seen and cls is not thing:
                continue
            self._seen[id(cls)] = cls
            if not is_foreign_class(cls) and not issubclass(cls, Enum):
                self._named.append((cls, vars(cls), set()))

    def _object(self, thing: Any) -> None:
        kind = type(thing)
        if hasattr(kind, "__next__") or (kind.__module__ or "").startswith("numpy.random"):
            self.stateful.append(thing)
            return
        try:
            table = object.__getattribute__(thing, "__dict__")
        except AttributeError:
            table = None
        if table is not None and "__wrapped__" in table:
            self._stack.append(table["__wrapped__"])
        internal = kind.__module__.startswith("tracegrad.")
        if internal and not kind.__module__.startswith(("tracegrad.nn", "tracegrad.optim")):
            return
        if not internal:
            self._stack.append(kind)
        if kind.__module__.partition(".")[0] in BUILTIN and is_foreign_class(kind):
            return
        for holder in slots_of(thing):
            self.getter(functools.partial(getattr, thing, holder, MISSING), getattr(thing, holder, MISSING))
        if table is not None:
            self._named.append((thing, table, set()))

    def _follow_names(self, thing: Any, table: Any, done: set[str]) -> None:
        """Note the attributes that have been named since the last time."""
        if isinstance(thing, type):
            new = [
                n
                for n in table
                if n not in done
                and (n in self.names or n in CALLED or (n[:2] == "__" and isinstance(table[n], FunctionType)))
            ]
        elif isinstance(thing, ModuleType):
            new = [n for n in self.names.intersection(table) if n not in done and n[:2] != "__"]
        else:
            everything = not isinstance(thing, FunctionType) and (self._dynamic or not is_trimmed(type(thing)))
            new = [
                n for n in table
                if n not in done and (everything or n in self.names or n[:1] == "_" or n == "training") and n[:10] != "_compiled_"
            ]  # fmt: skip
        done.update(new)
        for name in sorted(new):
            self._global(table, name)


def fact(value: Any) -> Any:
    """A comparable copy of a plain value; the kind of a container, whose own facts follow; the identity of anything else."""
    if isinstance(value, PLAIN):
        return (type(value), repr(value) if isinstance(value, float) else value)
    if isinstance(value, np.generic):
        return (type(value), value.tobytes())
    return type(value) if type(value) in CONTAINERS else id(value)


def content(value: Any) -> Any:
    """The elements of a small array, comparable; None for anything else."""
    if isinstance(value, np.ndarray):
        return (
            (value.dtype, value.shape, value.tobytes())
            if value.nbytes <= ARRAY_LIMIT and value.dtype.kind in "biufc"
            else None
        )
    return (type(value), bytes(value)) if isinstance(value, (bytearray, array)) and len(value) <= LIMIT else None


def contents_of(cell: CellType) -> Any:
    """What a cell holds; MISSING for an empty one."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def warn_of_size(container: Any) -> None:
    """Say that changes in a very large container are not seen."""
    text = explain(
        "compile",
        f"the function can read a {type(container).__name__} with {len(container)} entries; later changes in it will not be seen",
        "Pass what the function needs as an argument, or as a Tensor",
    )
    warnings.warn(text, RuntimeWarning, stacklevel=2)
