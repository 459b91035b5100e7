"""What Python code does besides computing, as seen while it is recorded: a replay would not print, draw numbers of Python's, ask for the time, or go on with an iterator.

A profile function sees every call of the user's code.  A call that has such an effect, or reads what no program can compare, ends the recording before it happens
(NotCompilable: the function runs uncompiled), or, where Python objects have changed already, lets the recording be the call (give_up).  Operators run without the
profile function, so that recording stays quick.  A profile function of the user's is called as well; a profiler written in C rests while a function is recorded.
"""

from __future__ import annotations

import _random
import datetime
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, CodeType, FrameType, GeneratorType
from typing import Any

import numpy as np

from tracegrad.compiler.call_trace import CallTrace, NotCompilable
from tracegrad.compiler.ownership import INTERNAL, is_foreign_file
from tracegrad.compiler.places import Replaced
from tracegrad.compiler.recorder import user_location
from tracegrad.compiler.walk import PLAIN
from tracegrad.compiler.watch import Surroundings
from tracegrad.config import local
from tracegrad.eager.dispatch import general

TOGGLES = sys.version_info < (3, 12)  # later Pythons instrument all code anew whenever a profile function is set
_GENERAL = general.__code__
_OURS, _FOREIGN, _USERS = 0, 1, 2

# modules of C functions that reach outside the process, or read what changes by itself; and those of their functions that do not
REACHING = {
    "time": "asks for the time",
    "posix": "calls the operating system",
    "nt": "calls the operating system",
    "_posixsubprocess": "starts a process",
    "_socket": "uses the network",
    "select": "waits for the system",
    "_warnings": "gives a warning",
    "_sqlite3": "uses a database",
}
HARMLESS = frozenset(
    "fspath getpid getppid cpu_count sched_getaffinity strerror fsencode fsdecode get_terminal_size mktime struct_time _filters_mutated getcwd".split()
)
FUNCTIONS = {print: "prints", input: "asks for input", open: "opens a file"}
METHODS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("write", "writelines"), (lambda o: isinstance(o, io.IOBase), "writes to a file or stream")),
    **dict.fromkeys(
        ("read", "readline", "readlines", "readinto", "read1", "seek", "truncate"),
        (lambda o: isinstance(o, io.IOBase), "reads a file or stream"),
    ),
    **dict.fromkeys(
        ("random", "getrandbits", "seed", "setstate"),
        (lambda o: isinstance(o, _random.Random), "draws random numbers of Python's"),
    ),
    **dict.fromkeys(
        ("now", "utcnow", "today"), (lambda o: isinstance(o, type) and issubclass(o, datetime.date), "asks for the time")
    ),
    **dict.fromkeys(
        ("send", "sendall", "recv", "connect", "accept"), (lambda o: type(o).__module__ in ("socket", "_socket"), "uses the network")
    ),
    "start_new_thread": (lambda o: True, "starts a thread"),
    "tofile": (lambda o: isinstance(o, np.ndarray), "writes to a file or stream"),
}  # fmt: skip
_found: dict[Any, str] = {}


class _Kinds(dict[str, int]):
    """Whose code a file holds."""

    def __missing__(self, file: str) -> int:
        frozen = file.startswith("<frozen")  # of the standard library, but for the code that imports
        ours = file.startswith("<frozen importlib" if frozen else INTERNAL)
        found = self[file] = _OURS if ours else _FOREIGN if is_foreign_file(file) else _USERS
        return found


_kinds = _Kinds()


class Host:
    """What the profile function of one recording has seen.

    entered  the code of the user's that ran, with its globals
    """

    def __init__(self, trace: CallTrace, surroundings: Surroundings, floats: Replaced) -> None:
        self.trace, self.surroundings, self.floats = trace, surroundings, floats
        self.entered: dict[int, tuple[CodeType, dict[str, Any]]] = {}
        self.given: list[Any] = []
        stateful = [(thing, state_of(thing)) for thing in surroundings.walk.stateful]
        self.states = [*stateful, *((thing, state_of(thing)) for thing in global_generators())]
        self.frames = {id(g.gi_frame) for g in surroundings.walk.stateful if isinstance(g, GeneratorType)}
        self.stopped: NotCompilable | None = None

    def finish(self) -> None:
        """Compare the states of iterators and generators with those before the recording."""
        for thing, before in self.states:
            if state_of(thing) != before:
                random = (type(thing).__module__ or "").startswith("numpy.random")
                self.trace.give_up(
                    "draws random numbers of NumPy's"
                    if random
                    else f"goes on with an iterator ({type(thing).__name__}) of the outside world"
                )
        self.floats.__exit__()
        known = {id(c) for code in self.surroundings.walk.codes for c in nested(code)}
        known.update(id(c) for code, _ in self.surroundings.codes for c in nested(code))
        new = [
            (code, scope)
            for i, (code, scope) in self.entered.items()
            if i not in known and not str(scope.get("__name__")).startswith("namedtuple_")
        ]
        if new:
            self.surroundings.extend(new)

    def effect(self, reason: str) -> None:
        """Stop the recording before something happens that a replay would not do again, or let it be the last one."""
        reason = f"{reason}, which a replay would not do again"
        if self.trace.given_up is not None or not self.unchanged():
            self.trace.give_up(reason)
            return
        self.stopped = NotCompilable(reason, user_location())
        raise self.stopped

    def unchanged(self) -> bool:
        """Whether no Python object is known to have changed so far."""
        self.floats.__exit__()
        try:
            return self.surroundings.still_valid() and all(state_of(thing) == state for thing, state in self.states)
        finally:
            self.floats.again()

    def profile(self, users: Callable[[FrameType, str, Any], Any] | None) -> Callable[[FrameType, str, Any], None]:
        """The profile function, which also calls the one of the user's."""
        kinds, entered, frames, functions = _kinds, self.entered, self.frames, effects_of_functions()
        off, methods, general_code, toggles = sys.setprofile, METHODS, _GENERAL, TOGGLES and users is None

        def see(frame: FrameType, event: str, arg: Any) -> None:
            if users is not None:
                users(frame, event, arg)
            if event == "call":
                code = frame.f_code
                if code is general_code:
                    if toggles:
                        off(None)
                    return
                kind = kinds[code.co_filename]
                if kind == _USERS:
                    if id(code) not in entered:
                        entered[id(code)] = code, frame.f_globals
                    if id(frame) in frames:
                        self.trace.give_up(
                            "goes on with a generator of the outside world, which a replay would not do again"
                        )
                elif kind == _FOREIGN and code.co_name in SPECIAL:
                    SPECIAL[code.co_name](self, frame)
            elif event == "c_call" and kinds[frame.f_code.co_filename]:
                reason = functions.get(arg)
                if reason is None:
                    method = methods.get(arg.__name__)
                    if method is None or not method[0](getattr(arg, "__self__", None)):
                        return
                    reason = method[1]
                if not importing(frame):
                    self.effect(reason)

        return see


def effects_of_functions() -> dict[Any, str]:
    """Functions written in C, with what they do."""
    if not _found:
        _found.update(FUNCTIONS)
    for name in REACHING:
        module = sys.modules.get(name)
        if module is not None and name not in _found:
            _found[name] = name
            _found.update(
                (f, REACHING[name])
                for key, f in vars(module).items()
                if isinstance(f, BuiltinFunctionType) and key not in HARMLESS
            )
    return _found


def importing(frame: FrameType | None) -> bool:
    """Whether a module is being imported."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _asks_whether_logged(host: Host, frame: FrameType) -> None:
    logger, level = frame.f_locals.get("self"), frame.f_locals.get("level")
    if isinstance(logger, logging.Logger) and (id(logger), level) not in host.given:
        host.given.append((id(logger), level))
        host.surroundings.watch(lambda: logger.isEnabledFor(level))


def _reads_environment(host: Host, frame: FrameType) -> None:
    if frame.f_locals.get("self") is os.environ and "environment" not in host.given:
        host.given.append("environment")
        host.surroundings.watch(lambda: str(os.environ._data))  # type: ignore[attr-defined]


def _shows_warning(host: Host, frame: FrameType) -> None:
    caller = frame.f_back
    if frame.f_code.co_filename == warnings.__file__ and caller is not None and _kinds[caller.f_code.co_filename]:
        host.trace.give_up("gives a warning, which a replay would not do again")


SPECIAL: dict[str, Callable[[Host, FrameType], None]] = {
    "isEnabledFor": _asks_whether_logged,
    "__getitem__": _reads_environment,
    "__iter__": _reads_environment,
    "_showwarnmsg": _shows_warning,
}


def nested(code: CodeType) -> Iterator[CodeType]:
    """A code object and those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def global_generators() -> list[Any]:
    """NumPy's generator behind np.random.rand and the like, where it has been imported."""
    module = sys.modules.get("numpy.random.mtrand")
    return [module._rand] if module is not None else []


def state_of(thing: Any) -> Any:
    """Something comparable that changes when an iterator or a generator of random numbers is used."""
    if isinstance(thing, GeneratorType):
        frame = thing.gi_frame
        return None if frame is None else (frame.f_lasti, tuple(map(state_of, frame.f_locals.values())))
    if isinstance(thing, PLAIN):
        return thing if thing == thing else "nan"
    if isinstance(thing, (tuple, list, dict)):
        if len(thing) > 100 or isinstance(thing, list):
            return len(thing)
        return tuple(map(state_of, thing.values() if isinstance(thing, dict) else thing))
    if isinstance(thing, np.ndarray):
        return thing.tobytes() if thing.nbytes < 10_000 else id(thing)
    try:
        if hasattr(thing, "bit_generator"):
            return state_of(thing.bit_generator.state)
        if hasattr(thing, "get_state"):
            return state_of(thing.get_state(legacy=False))
        if (type(thing).__module__ or "").startswith("numpy.random"):
            return state_of(thing.state)
        if hasattr(thing, "__next__") and hasattr(type(thing), "__reduce__") and not isinstance(thing, io.IOBase):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return state_of(thing.__reduce__())
    except (TypeError, ValueError, AttributeError):
        pass
    return id(thing)


@contextmanager
def hosting(trace: CallTrace, surroundings: Surroundings, floats: Replaced) -> Iterator[Host]:
    """See what Python code does inside the block.  Raises NotCompilable under a profiler that does not let itself be stopped meanwhile."""
    host, before, there = Host(trace, surroundings, floats), local.host, sys.getprofile()
    paused = there is not None and not callable(there)  # one written in C, such as cProfile's
    if paused:
        if not hasattr(there, "disable") or not hasattr(there, "enable"):
            raise NotCompilable("runs under a profiler, which hides what else it does", None)
        there.disable()
    local.host = host.profile(None if paused or there is before else there)
    sys.setprofile(local.host)
    try:
        yield host
        if host.stopped is not None:  # the user's code has caught it
            raise host.stopped
        host.finish()
    finally:
        sys.setprofile(None if paused else there)
        local.host = before
        if paused:
            there.enable()  # type: ignore[union-attr]
