"""compile(): record a function once per signature, optimise, emit, and call the emitted function."""

from __future__ import annotations

import enum
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tracegrad import devices, dtypes, pytree
from tracegrad.backends.base import Target
from tracegrad.backends.base import backend as find_backend
from tracegrad.compiler.entry import Entry
from tracegrad.compiler.quick import MISS, quick_call
from tracegrad.compiler.recorder import Trace
from tracegrad.compiler.replay import Recorded, argument_names, as_tensor_leaf, parameter_names, record, replay
from tracegrad.compiler.watch import Watched, watch, watch_gradients
from tracegrad.config import local
from tracegrad.eager.tensor import Size, Tensor, handle
from tracegrad.errors import ArgumentError, DataError, MissingAttributeError, TraceError, explain
from tracegrad.ir.graph import Graph

ENTRIES_PER_SIGNATURE = (
    64  # recordings of one signature that differ in what the function reads outside; the oldest goes first
)

PLAIN = frozenset({"eager", "aot_eager"})  # backends of torch's that run a function as it is
MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")

_STATIC: tuple[type, ...] = (bool, int, str, bytes, type(None), dtypes.dtype, slice, type(Ellipsis))


class Compiled:
    """A function that is recorded, optimised and compiled once per signature.  Made by `tracegrad.compile`.

    source  text of the function that the last call ran        graph    its optimised Graph
    """

    def __init__(self, function: Callable[..., Any], backend: str) -> None:
        if not callable(function):
            raise ArgumentError(explain("compile", f"needs a function, got {type(function).__name__}"))
        find_backend(backend)
        self.function, self.backend = function, backend
        self._entries: dict[Any, list[Entry]] = {}
        self._quick: tuple[int, Callable[[tuple[Any, ...]], Any]] | None = None  # for so many positional arguments
        self._lock = threading.RLock()
        self._uncompiled: set[Any] = set()
        self._shown: Entry | None = None
        self._warned = False
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result.  Tensors in it are new: never an argument, nor views of one."""
        quick = self._quick
        if quick is not None and not kwargs and len(args) == quick[0]:
            result = quick[1](args)
            if result is not MISS:
                return result
        if local.trace is not None:  # inside another recording: part of that program
            return self.function(*args, **kwargs)
        return self._general(args, kwargs)

    def __getattr__(self, name: str) -> Any:
        """What the function itself has, such as the parameters() of a module."""
        if name.startswith("__") or "function" not in self.__dict__:
            raise MissingAttributeError(f"a compiled function has no attribute {name!r}")
        return getattr(self.function, name)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """A compiled method: one compiled function per instance."""
        if instance is None:
            return self
        name = f"_compiled_{self.function.__name__}"
        found = instance.__dict__.get(name)
        if found is None:
            found = Compiled(self.function.__get__(instance, owner), self.backend)
            object.__setattr__(instance, name, found)
        return found

    def _general(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves, treedef = pytree.flatten((args, kwargs))
        dynamic = [not isinstance(leaf, _STATIC) for leaf in leaves]
        tensors = [_argument(leaf) for leaf, d in zip(leaves, dynamic, strict=True) if d]
        key = (
            treedef,
            tuple(_signature(leaf, d) for leaf, d in zip(leaves, dynamic, strict=True)),
            local.grad_enabled,
            dtypes.default.float,
        )
        try:
            entries = self._entries.setdefault(key, [])
        except TypeError as error:
            raise ArgumentError(explain("compile", f"an argument cannot be part of the signature: {error}")) from error
        entry = valid(entries)
        if entry is None and key in self._uncompiled:
            return self.function(*args, **kwargs)
        if entry is not None:
            self._remember(args, kwargs, entry)
            return entry.run(tensors)
        with self._lock:
            entry = valid(entries)  # another thread may have made it meanwhile
            if entry is not None:
                return entry.run(tensors)
            recorded, trace, watched = self._record(args, leaves, dynamic, treedef)
            changed = [w for w in watched if not w.unchanged()]
            if changed:  # the recording has done this call's effects: its program gives the result, later calls run the function itself
                self._uncompiled.add(key)
                self._warn(changed[0].value)
                return recorded.result(replay(recorded.graph, [*tensors, *recorded.captures]))
            watched += watch_gradients(watched, recorded.captures)
            made = Entry(recorded, trace.random_keys, self.backend, watched)
            entries.append(made)
            del entries[:-ENTRIES_PER_SIGNATURE]
        self._remember(args, kwargs, made)
        return made.run(tensors)

    def _remember(self, args: tuple[Any, ...], kwargs: dict[str, Any], entry: Entry) -> None:
        """Make the entry the one that the next call tries first."""
        if self._shown is not entry:
            self._shown = entry
            call = None if kwargs else quick_call(entry, args)
            self._quick = None if call is None else (len(args), call)

    def _record(
        self, args: Any, leaves: list[Any], dynamic: list[bool], treedef: Any
    ) -> tuple[Recorded, Trace, list[Watched]]:
        """Record one signature; also returns what the function could read outside, as it was before."""
        name = getattr(self.function, "__name__", "compile")
        trace = Trace(f"compile({name})")
        watched = watch(self.function)
        inner = [
            trace.leaf(_argument(leaf)._data, isinstance(leaf, float), isinstance(leaf, Tensor) and leaf.requires_grad)
            if d
            else leaf
            for leaf, d in zip(leaves, dynamic, strict=True)
        ]
        new_args, new_kwargs = treedef.unflatten(inner)
        names = [*argument_names(self.function, args), *(f"k{i}" for i in range(len(leaves)))][: len(leaves)]
        chosen = [n for n, d in zip(names, dynamic, strict=True) if d]
        recorded = record(trace, self.function, new_args, new_kwargs, chosen)
        for value in recorded.statics.values():
            check_result(value)
        return recorded, trace, watched

    def _warn(self, value: Any) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                explain(
                    "compile",
                    f"the function changes a Python object that it does not own (it was {value!r:.80}), which a replay would skip; it runs uncompiled",
                    "Return the value instead",
                ),
                RuntimeWarning,
                stacklevel=4,
            )

    @property
    def entry(self) -> Entry:
        """What the last call ran.  Raises RuntimeError before the first call."""
        if self._shown is None:
            raise TraceError(explain("compile", "nothing has been compiled yet", "Call the function once"))
        return self._shown

    @property
    def source(self) -> str:
        """Text of the function that the last call ran."""
        return self.entry.executable.source

    @property
    def graph(self) -> Graph:
        """The optimised Graph that the last call ran."""
        return self.entry.optimised

    @property
    def compilations(self) -> int:
        """How many programs have been compiled so far."""
        return sum(len(entries) for entries in self._entries.values())


def valid(entries: list[Entry]) -> Entry | None:
    """The first entry for which everything outside the arguments is what it was."""
    return next((entry for entry in entries if entry.still_valid()), None)


def check_result(value: Any) -> None:
    """Raises TraceError for a part of the result that may hold values of the recorded call: a closure, a generator, an object."""
    if not isinstance(value, (*_STATIC, complex, np.generic, np.dtype, range, type, enum.Enum, devices.device, Size)):
        raise TraceError(
            explain(
                "compile",
                f"the function returned a {type(value).__name__}, which every later call would return again as it is now",
                "Return Tensors, numbers and strings, in tuples, lists and dicts",
            )
        )


def _argument(leaf: Any) -> Tensor:
    """A dynamic leaf as a Tensor; a Python float becomes a 0-d float64 value that follows the dtypes that it meets."""
    if type(leaf) is Tensor:
        return leaf
    if isinstance(leaf, float) and not isinstance(leaf, np.generic):
        return handle(np.array(leaf, np.float64), None)
    return as_tensor_leaf("compile", leaf)


def _signature(leaf: Any, dynamic: bool) -> Any:
    if not dynamic:
        return (type(leaf), (leaf.start, leaf.stop, leaf.step) if isinstance(leaf, slice) else leaf)
    if isinstance(leaf, float) and not isinstance(leaf, np.generic):
        return float
    data = leaf._data if isinstance(leaf, Tensor) else np.asarray(leaf)
    return (type(leaf), data.shape, data.dtype, isinstance(leaf, Tensor) and leaf.requires_grad)


def compile(  # noqa: A001  (torch's name)
    function: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "numpy",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
    **backend_options: Any,
) -> Any:
    """A fast version of `function`: recorded once per signature, optimised, and emitted for `backend` ("numpy" or "jax").

    Of torch's backends "inductor" is "numpy" here; "eager" and "aot_eager", and disable=True, give back the function itself.  fullgraph, dynamic, mode and options
    are accepted as torch takes them and change nothing: a program is always whole, and made anew for other shapes.  Further keywords, or `options`, are the backend's own:
    device, donate, fusion, mesh, in_specs and out_specs for "jax" (docs/jax.md).

    Arguments may be Tensors, NumPy arrays, numbers, and nested tuples, lists and dicts of them; shapes, dtypes and all values that are not
    numeric (strings, bools, ints, None) belong to the signature, floats are inputs.  Gradients flow through a compiled function to any order.
    Works as a decorator, with or without options.

    What the function reads besides its arguments (globals, closures, attributes, lists, dicts, small NumPy arrays) is compared at every call, and a change leads to
    another recording; Python containers with more than 2,000 entries are not compared (a RuntimeWarning says so), nor the elements of NumPy arrays above 16 KiB
    that only Python code reads.  A function that changes such an object runs uncompiled, with one warning.  A Tensor that it keeps somewhere (a global list) holds
    the values of the call that was recorded, without history.

    Raises TraceError (a RuntimeError) with the user's line when the function reads a value in Python, writes to an argument, or has another effect that a
    replay would not repeat, and for a mode that torch does not know; ValueError for an unknown backend.  Example:  fast = compile(tg.func.value_and_grad(loss, argnums=(0, 1)))
    """
    if mode not in MODES or (mode is not None and options is not None):
        problem = f"mode must be one of {', '.join(map(repr, MODES))}, without options, got {mode!r}"
        raise DataError(explain("compile", problem))
    if function is None:
        return partial(
            compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode, options=options, disable=disable, **backend_options
        )  # fmt: skip
    if disable or backend in PLAIN:
        return function
    if backend == "jax":
        backend_options = {**(options or {}), **backend_options}
    if backend_options:
        return Compiled(function, Target(backend, backend_options, parameter_names(function)))
    return Compiled(function, "numpy" if backend == "inductor" else backend)
