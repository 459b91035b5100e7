"""compile(): record a function once per signature, optimise, emit, and call the emitted function."""

from __future__ import annotations

import copy
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from tracegrad.autograd.duals import current as forward_mode
from tracegrad.backends.base import backend as find_backend
from tracegrad.compiler.arguments import Arguments
from tracegrad.compiler.bound import bound_to
from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.collection import no_collection
from tracegrad.compiler.deciding import Later
from tracegrad.compiler.effects import Ending, by_operators, ending_of, grads_looked_at
from tracegrad.compiler.explain import Explanation, explanation
from tracegrad.compiler.history import History, title
from tracegrad.compiler.host import hosting
from tracegrad.compiler.log import log
from tracegrad.compiler.places import Replaced, changing, decided_by, settle
from tracegrad.compiler.profile import Profile, profile_of
from tracegrad.compiler.programs import Programs
from tracegrad.compiler.quick_calls import Called
from tracegrad.compiler.recent import Recent
from tracegrad.compiler.recorder import at, recording
from tracegrad.compiler.results import taken_apart
from tracegrad.compiler.state import State
from tracegrad.compiler.tree import KEPT, MISS, Tree
from tracegrad.compiler.tree_text import tree_text
from tracegrad.compiler.watch import Surroundings, watch
from tracegrad.config import settings
from tracegrad.eager.tensor import Tensor
from tracegrad.errors import ArgumentError, MissingAttributeError, TraceError, explain
from tracegrad.ir.graph import Graph

ENTRIES_PER_SIGNATURE = 64  # recordings that differ in what the function reads outside; the oldest goes first
SIGNATURES = 256  # signatures whose programs are kept (a quarter for JAX, where each has machine code of its own)
ALL: weakref.WeakSet[Any] = weakref.WeakSet()  # the compiled functions that there are


class Compiled(Called):
    """A function that is recorded, optimised and compiled once per signature and course.  Made by `tracegrad.compile`.

    source  text of the programs that the last call ran        graph    the optimised Graph of the first of them
    """

    origin: Any = None  # of a compiled method: what the class has
    fullgraph = False  # whether a function that cannot be compiled is an error

    def __init__(self, function: Callable[..., Any], backend: str, dynamic: bool | None = None) -> None:
        if not callable(function):
            raise ArgumentError(explain("compile", f"needs a function, got {type(function).__name__}"))
        find_backend(backend)
        self.function, self.backend, self.dynamic = function, backend, dynamic
        own = SIGNATURES if backend == "numpy" else SIGNATURES // 4
        self._trees: Recent[Any, list[Tree]] = Recent(own)
        self._programs = Programs(backend, dynamic)
        self._begin(own)
        self._lock = threading.RLock()
        self._uncompiled: Recent[Any, bool] = Recent(SIGNATURES)
        self._codes: list[Any] = []  # what ran in recordings though no name leads to it
        self._exact = False  # whether .item() gives Python's own numbers
        self._state: frozenset[Any] = frozenset()  # names of the places that the function itself changes
        self._steady: set[Any] = set()  # places of floats that decide by their exact value
        self._changes: Recent[Any, int] = Recent(SIGNATURES)  # recordings that changed Python objects
        self._shown: Tree | None = None
        self._warned = False
        self._history = History(SIGNATURES)
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))
        self.__wrapped__ = function
        ALL.add(self)

    def __getattr__(self, name: str) -> Any:
        """What the function itself has, such as the parameters() of a module."""
        if name.startswith("__") or "function" not in self.__dict__:
            raise MissingAttributeError(f"a compiled function has no attribute {name!r}")
        return getattr(self.function, name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Programs are made anew in a copy.  A function that carries this object's name in its module is found there again."""
        home = sys.modules.get(getattr(self, "__module__", None) or "")
        name = getattr(self, "__qualname__", "")
        if name and getattr(home, name, None) is self:
            return name
        return remade, (type(self), self.function, self.backend, self.dynamic, self.fullgraph)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compiled:
        """A compiled copy of the function; a plain function is its own copy, as ever."""
        return remade(type(self), copy.deepcopy(self.function, memo), self.backend, self.dynamic, self.fullgraph)

    def reset(self) -> None:
        """Forget all programs."""
        with self._lock:
            fresh = vars(type(self)(self.function, self.backend, self.dynamic))
            self.__dict__.update({k: v for k, v in fresh.items() if k != "_lock"})
            self._begin(fresh["_trees"].limit)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A compiled method: one compiled function per instance (or class, for a class method)."""
        bind = getattr(self.function, "__get__", None)
        if instance is None or bind is None:
            return self
        return bound_to(
            self,
            instance,
            lambda: remade(type(self), bind(instance, owner), self.backend, self.dynamic, self.fullgraph),
        )

    def _general(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = Arguments(args, kwargs)
        try:
            trees = self._trees.use(call.key, list)
        except TypeError as error:
            raise ArgumentError(explain("compile", f"an argument cannot be part of the signature: {error}")) from error
        if call.key in self._uncompiled or forward_mode() is not None:
            return self.function(*args, **kwargs)
        tree = valid(trees, call.tensors)
        result = self._replayed(trees, tree, call)
        if result is not MISS:
            return result
        with self._lock:
            tree = valid(trees, call.tensors)  # another thread may have made it meanwhile
            result = self._replayed(trees, tree, call)
            if result is not MISS:
                return result
            if tree is not None and tree.is_exhausted(settings.max_paths):
                problem = f"takes more than {settings.max_paths} different courses; {tree.last_miss()}"
                self._give_up(call.key, problem, None)
                return self.function(*args, **kwargs)
            if tree is not None and tree.paths >= KEPT:
                trees[trees.index(tree)] = tree = tree.renewed()
            self._history.begins(self.function, call, trees, tree)
            if settings.stance != "default" and (tree is not None or not self._programs.serves(call)):
                return self._not_recorded(args, kwargs)
            return self._recorded(call, tree)

    def _not_recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if settings.stance == "fail_on_recompile":
            problem = "the call has no program yet, and set_stance('fail_on_recompile') holds"
            raise TraceError(explain("compile", problem))
        return self.function(*args, **kwargs)

    def _replayed(self, trees: list[Tree], tree: Tree | None, call: Arguments) -> Any:
        """The result by what has been compiled, or MISS."""
        if tree is None or (tree.shares_memory(call.tensors)):
            return MISS
        result = tree.run(call.tensors)
        if result is not MISS:
            if tree is not trees[-1]:  # the one that is tried first next time, and the last to go
                with self._lock:
                    trees[:] = [*(t for t in trees if t is not tree), tree]
            self._remember(call, tree)
        return result

    def _recorded(self, call: Arguments, tree: Tree | None, commit: bool = True, exact: bool = False) -> Any:
        """The result by recording the call, which adds a path to the tree; no result and no effects unless commit."""
        key, tensors, started = call.key, call.tensors, time.perf_counter()
        trace = CallTrace(f"compile({getattr(self.function, '__name__', 'compile')})", self.backend != "numpy")
        trace.exact = exact or self._exact
        if tree is not None and tree.watched.asked != self._state:
            tree = None
        watched = watch(self.function, *call.objects, codes=self._codes, state=self._state, exact=trace.exact)
        watched.variable = (
            tree.watched.variable if tree is not None else changing(self._trees.use(key, list), watched, self._steady)
        )
        floats, ending = Replaced(trace, watched.places(), State(trace, watched)), None
        try:
            with no_collection(), floats, hosting(trace, watched, floats):
                result = self._record(trace, call, watched)
            with no_collection():
                sources, ending, roots = ending_of(trace, floats.state.with_result(result), self._programs.of)
            ending.state = floats.state.effects
            tree = self._new_tree(call, trace, watched) if tree is None else tree
            trace.outside.restore()
            if ending.conflict(tensors):
                raise NotCompilable("writes memory that another argument shows", None)
        except NotCompilable as stop:
            trace.outside.restore()
            if not watched.still_valid() and not watched.put_back():
                problem = f"the function {stop.reason}, after it has changed a Python object"
                remedy = "Leave that part outside"
                raise TraceError(explain("compile", problem, remedy, location=stop.location)) from None
            trace.give_back()
            self._give_up(key, stop.reason, stop.location)
            return self.function(*call.args, **call.kwargs) if commit else None
        except Exception:  # perhaps of code that wants Python's own numbers
            trace.outside.restore()
            if trace.exact or not trace.has_numbers or not watched.still_valid():
                floats.state.keep()
                raise
            trace.give_back()
            ending = None
        finally:
            trace.outside.restore()
            trace.close()
        if ending is None:
            result = self._recorded(call, tree, commit, exact=True)
            self._exact = True
            return result
        if (changed := watched.changed()) or trace.given_up:
            try:
                return by_operators(trace, sources, ending, roots, tensors) if commit or changed else trace.give_back()
            finally:
                for _, holder, name in changed:
                    settle(holder, name)
                self._unfinished(key, trace, watched, changed, floats.state.found)
        if not trace.decisions:
            with no_collection():
                roots = trace.recorded.roll(list(sources), roots, str(self.backend))
        return self._added(call, tree, trace, (sources, ending, roots), commit, started)

    def _added(self, call: Arguments, tree: Tree, trace: CallTrace, made: Any, commit: bool, started: float) -> Any:
        """The result by the path of a recording, which joins its tree."""
        recorded = time.perf_counter()
        try:
            self._add(call, tree, trace, *made)
        except NotCompilable as stop:
            self._give_up(call.key, stop.reason, stop.location)
            return by_operators(trace, *made, call.tensors) if commit else trace.give_back()
        self._history.ends(self.function, tree, trace.decisions, recorded - started)
        if not commit:
            return trace.give_back()
        result = tree.run(call.tensors, [k for k, _ in trace.random_keys])
        if result is MISS:  # what decides is so near that the rounding of compiled code decides otherwise
            return by_operators(trace, *made, call.tensors)
        self._remember(call, tree)
        return result

    def _new_tree(self, call: Arguments, trace: CallTrace, watched: Surroundings) -> Tree:
        """A tree for these surroundings.  Floats whose exact value decides are compared instead of read."""
        self._codes = watched.codes
        self._steady |= decided_by(trace)
        watched.variable -= self._steady
        watched.note_tensors(trace.captured)
        tree = Tree(watched, self._programs.of)
        tree.names = call.names(self.function)
        return tree

    def _add(
        self, call: Arguments, tree: Tree, trace: CallTrace, sources: Any, ending: Ending, roots: list[Any]
    ) -> None:
        """Add the path of a recording to its tree, and the tree to those of the signature."""
        tree.generators[len(tree.generators) :] = trace.draws()[len(tree.generators) :]
        tree.grads.update((source.key(), (source, had)) for source, had in grads_looked_at(trace))
        with no_collection(), self._programs.of_call(self, call, tree, trace):
            tree.add(sources, trace.decisions, ending, roots, trace.recorded.found)
        trees = self._trees.use(call.key, list)
        if tree not in trees:
            trees.append(tree)
            self._changes.put(call.key, 0)  # a new state is made now and then
            del trees[:-ENTRIES_PER_SIGNATURE]

    def _unfinished(
        self, key: Any, trace: CallTrace, watched: Surroundings, changed: list[tuple[Any, Any, Any]], found: set[Any]
    ) -> None:
        """Learn from a call whose recording cannot be used again: what it has changed may be a state that later recordings know."""
        times = (self._changes.get(key) or 0) + 1
        self._changes.put(key, times)
        self._state, before = self._state | found, self._state
        if trace.given_up is not None:
            self._give_up(key, *trace.given_up)
        elif times > (1 if self._state == before else 4):  # the first call may have made what later ones only update
            problem = f"changes a Python object that it does not own (it was {changed[0][0]!r:.80}), which a replay would skip"
            self._give_up(key, problem, watched.line_of_change(changed[0][2]))

    def _record(self, trace: CallTrace, call: Arguments, watched: Surroundings) -> Any:
        """Run the function on names of its own for the arguments."""
        trace.reached = watched.walk.reached
        try:
            args, kwargs = call.inside(trace)
            with recording(trace):
                result = self.function(*args, **kwargs)
                if call.changed():
                    where = watched.line_of_change(None)
                    raise NotCompilable("changes a container or an object among its arguments", where)
                return taken_apart(result, lambda thing: call.keeps(thing) or watched.walk.reached(thing))
        finally:
            call.restore()

    def _give_up(self, key: Any, reason: str, location: Any) -> None:
        """Let a signature run uncompiled from now on, with a warning.  Raises TraceError where that is not wanted."""
        where = at(location)
        if self.fullgraph:
            remedy = "Leave out fullgraph=True, or that part"
            raise TraceError(explain("compile", f"the function {reason}{where}", remedy))
        self._uncompiled.put(key, True)
        self._history.refused.put(key, f"{reason}{where}")
        log("guards", f"{title(self.function)} runs uncompiled: the function {reason}{where}")
        if not self._warned:
            self._warned = True
            text = explain("compile", f"the function {reason}{where}; it runs uncompiled")
            warnings.warn(text, RuntimeWarning, stacklevel=6)

    def explain(self, *args: Any, **kwargs: Any) -> Explanation:
        """What has been recorded for these arguments, or for the last call where there are none: print it, or read its fields.

        A call that has no program yet is recorded for it; what the function does to Tensors does not happen then, and random numbers are not used up.  Only where
        the recording has changed Python objects (the first step of an optimizer makes its state) the call is carried out, so that these fit the Tensors.
        """
        return explanation(self, args, kwargs)

    def profile(self, *args: Any, rounds: int | None = None, file: Any = None, **kwargs: Any) -> Profile:
        """Run the programs for these arguments with a clock between the operators, print a table of the times by operator and user's line, and return its rows.

        rounds is how often (as often as fits in a fifth of a second by default); file is where to print, stdout by default.  Effects on Tensors do not happen, random
        numbers are not used up.  Raises RuntimeError for a signature that runs uncompiled.
        """
        return profile_of(self, args, kwargs, rounds, file)

    @property
    def tree(self) -> Tree:
        """The tree of traces that the last call used.  Raises RuntimeError before the first call."""
        if self._shown is None:
            raise TraceError(explain("compile", "nothing has been compiled yet", "Call the function once"))
        return self._shown

    @property
    def source(self) -> str:
        """Text of the programs of the last call's signature, with the decisions between them."""
        return tree_text(self.tree)

    @property
    def graph(self) -> Graph:
        """The optimised Graph of the last call's signature, up to the first value that decides."""
        return (*self.graphs, Graph((), ()))[0]

    @property
    def graphs(self) -> list[Graph]:
        """The optimised Graphs of the last call's signature, in the order of the source."""
        return [
            program.optimised for program in dict.fromkeys(s.program for s in self.tree.steps()) if program is not None
        ]

    @property
    def compilations(self) -> int:
        """How many programs have been compiled so far."""
        return self._programs.count


Later.compiled = Compiled


def remade(cls: type[Compiled], function: Any, backend: str, dynamic: bool | None, fullgraph: bool) -> Compiled:
    """A compiled function with these options."""
    made = cls(function, backend, dynamic)
    made.fullgraph = fullgraph
    return made


def valid(trees: list[Tree], arguments: list[Tensor]) -> Tree | None:
    """The first tree for which everything outside the arguments is what it was."""
    for tree in reversed(trees):
        if tree.still_valid(arguments):
            return tree
    return None
