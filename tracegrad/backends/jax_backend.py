"""The JAX backend: a graph as Python source over JAX, compiled by XLA as one function.

float64 works without touching the user's JAX configuration (`enable_x64` is entered around tracing, and around the calls of programs with 64-bit arguments; it is
thread-local).  A call waits for its results, because XLA on the CPU reads the caller's NumPy buffers while it runs.  Results are NumPy arrays over XLA's memory
(jax_memory.py); those of accelerators and of several devices stay there (jax_devices.py).  This module imports JAX; `backends.base.backend` imports it on first use.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import source_info_util

from tracegrad.backends.base import Array
from tracegrad.backends.jax_devices import Places, gathered, lent, stays
from tracegrad.backends.jax_direct import caller, direct_text
from tracegrad.backends.jax_errors import named
from tracegrad.backends.jax_memory import Form, exclusive, form_of, resident, shown, taken
from tracegrad.backends.jax_mesh import shardings
from tracegrad.backends.jax_options import Options, read_options
from tracegrad.backends.jax_source import FILE, jax_source
from tracegrad.backends.numpy_errors import of_operators
from tracegrad.backends.on_device import OnDevice
from tracegrad.backends.source import body_names
from tracegrad.errors import ArgumentError, IndexingError, TracegradError, VerifyError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.types import size_of
from tracegrad.kernels import jax_kernels
from tracegrad.kernels.jax_conditions import noting

# nodes from which XLA's fusion of values that are read several times costs more than it gives: for small values, and for all
LONG, VERY_LONG = 800, 4000
FAR = 64  # nodes between a value and one that reads it from which it counts as read again
SMALL = 65_536  # elements of the largest value up to which a long program runs as fast without fusion
UNFUSED: dict[str, str | bool] = {"xla_disable_hlo_passes": "fusion"}
_WIDE = frozenset({"float64", "int64", "complex128", "uint64"})

__all__ = ["JaxExecutable", "compile_graph", "fuses", "jax_source", "read_options"]


class JaxExecutable:
    """A graph compiled by XLA at its first call.  `source` is the text of the traced function, `origin` the graph whose operators tell of a fault as eager code does.

    remote  whether values stay on devices: it takes and gives OnDevice beside arrays
    """

    origin: Graph | None = None

    def __init__(self, graph: Graph, options: Options | None = None) -> None:
        self.options = options or Options()
        self._graph = graph
        self._wide = any(leaf.dtype.name in _WIDE for leaf in graph.leaves)
        self._lock = threading.Lock()
        self._programs: dict[tuple[int, ...], Any] = {}  # by the positions of donated leaves
        self._plain: Any = None  # the one that donates nothing
        self.compile_s = 0.0  # seconds that JAX and XLA took
        self._device: Any = None
        self._forms: list[Form] = []
        self._refuses = False  # whether the program may find a position outside of its axis
        self._given = donated_leaves(graph, self.options)
        self._places: Places | None = None
        self.remote = stays(self.options.device, self.options.mesh)

    @cached_property
    def source(self) -> str:
        """The text of the program, operator by operator."""
        return jax_source(self._graph)

    @cached_property
    def _function(self) -> Callable[..., Any]:
        return _defined(self.source)

    @cached_property
    def _traced(self) -> Callable[..., Any]:
        """The function that JAX traces, which may have long runs of operators as one primitive each."""
        found = None if self.options.mesh is not None else direct_text(self._graph, body_names(self._graph))
        return self._function if found is None else _defined(found[0], RUN=caller(found[1]))

    def __call__(self, *arrays: Any) -> tuple[Array, ...]:
        """The outputs for these inputs and captures: fresh, writable NumPy arrays, or OnDevice."""
        program = self._plain or self._program(())
        if self.remote:
            return self._on_devices(program, arrays)
        device = self._device
        try:
            inputs = [a if a.base is None else taken(a, device) for a in arrays]
        except AttributeError:  # a number
            inputs = list(arrays)
        return self._run(program, arrays, inputs)

    @property
    def donating(self) -> Callable[..., tuple[Array, ...]]:
        """A function like the executable itself whose results may take the memory of the donated arguments."""
        return self._donating if self._given and self.options.mesh is None else self

    def _donating(self, *arrays: Any) -> tuple[Array, ...]:
        """The same where the memory of donated arguments is XLA's own and no other argument shows it; NumPy's is never given away."""
        self._plain or self._program(())
        if self.remote:
            return self._lending(arrays)
        found = {p: r for p in self._given if (r := exclusive(p, arrays, self._device)) is not None}
        if not found or self._refuses:  # a call that is refused leaves its arguments as they were
            return self(*arrays)
        inputs = [taken(a, self._device) for a in arrays]
        results = self._run(self._program(tuple(found)), arrays, inputs)
        owners = {r.address: r for r in (resident(a, self._device) for a in results) if r is not None}
        for old in found.values():
            if old.array.is_deleted():  # the old array shows memory that belongs to a result now, and keeps it alive
                if old.address not in owners:
                    raise VerifyError(explain("jax", "the memory of a donated argument belongs to no result"))
                old.array = owners[old.address].array
        return results

    def _run(self, program: Any, arrays: tuple[Any, ...], inputs: list[Any], fitted: bool = False) -> tuple[Array, ...]:
        try:
            if self._wide:
                with jax.enable_x64(True):
                    results, fits = program(*inputs)
            else:
                results, fits = program(*inputs)
            if fits is not None and not np.asarray(fits):  # quicker than bool(fits)
                raise self._outside(arrays)
            return tuple(map(shown, results, self._forms))
        except TracegradError:
            raise
        except Exception as error:
            if fitted or not isinstance(error, TypeError):
                raise self._failure(error, arrays) from error
            fitting = self._fitting(arrays)
        return self._run(program, tuple(fitting), fitting, True)

    def _on_devices(self, program: Any, arrays: tuple[Any, ...], fitted: bool = False) -> tuple[Any, ...]:
        assert self._places is not None
        try:
            with jax.enable_x64(True) if self._wide else contextlib.nullcontext():
                results, fits = program(*self._places.inputs(arrays))
                if fits is not None and not gathered(fits):
                    raise self._outside(arrays)
                return self._places.results(results, self.source)
        except TracegradError:
            raise
        except Exception as error:
            if fitted or not isinstance(error, TypeError):
                raise named(error, self.source, "run the program") from error
            fitting = self._fitting(tuple(map(_on_host, arrays)))
        return self._on_devices(program, tuple(fitting), True)

    def settled(self, position: int, array: Array) -> OnDevice | None:
        """An argument where the program wants it, to stay there; None before the first call, and where several processes would have to agree on it."""
        if self._places is None or jax.process_count() > 1:
            return None
        with jax.enable_x64(True):
            return self._places.settled(position, array)

    def _lending(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The results, with the memory of donated arguments that are on the device."""
        found = {p: v for p in self._given if (v := lent(p, arrays)) is not None}
        if not found or self._refuses:
            return self(*arrays)
        results = self._on_devices(self._program(tuple(found)), arrays)
        for value in found.values():
            value.give_away()
        return results

    def _fitting(self, arrays: tuple[Any, ...]) -> list[Array]:
        """The arguments as arrays of the leaves' dtypes.  Raises TypeError where shapes or their number differ."""
        leaves = self._graph.leaves
        found = [np.asarray(a, leaf.dtype) for a, leaf in zip(arrays, leaves, strict=False)]
        wrong = [i for i, (a, leaf) in enumerate(zip(found, leaves, strict=False)) if a.shape != leaf.shape]
        if wrong or len(arrays) != len(leaves):
            types = ", ".join(str(leaf.type) for leaf in leaves)
            raise ArgumentError(
                explain("jax", f"the program takes arrays of the types ({types}), got {len(arrays)} others")
            )
        return found

    def _failure(self, error: Exception, arrays: tuple[Any, ...]) -> TracegradError:
        """The error of a call, found once more operator by operator to know the one that fails."""
        found = named(error, self.source, "run the program")
        if type(found).__name__ != "BackendError":
            return found
        try:
            with jax.enable_x64(True):
                jax.block_until_ready(self._function(*map(jnp.asarray, arrays)))
        except Exception as again:
            return named(again, self.source, "run the program")
        return found

    def _outside(self, arrays: tuple[Any, ...]) -> TracegradError:
        """The error of the operator that has a position outside of its axis, found operator by operator as eager code finds it."""
        found = of_operators(self.origin or self._graph, [np.asarray(_on_host(a)) for a in arrays])
        if isinstance(found, TracegradError):
            return found
        return IndexingError(explain("jax", "a position lies outside of its axis"))

    def _program(self, donated: tuple[int, ...]) -> Any:
        """XLA's program, made on first use; a second thread waits for it."""
        with self._lock:
            found = self._programs.get(donated)
            if found is None:
                started = time.perf_counter()
                lowered = self._lower(donated)
                found = self._programs[donated] = self._load(lowered)
                self.compile_s += time.perf_counter() - started
                self._device = found.runtime_executable().local_devices()[0]
                results, fits = lowered.out_info
                if self.remote and self._places is None:
                    self._places = Places.on(self._device, len(self._graph.leaves))
                self._forms = [form_of(r.shape, r.dtype, self._device) for r in results]
                self._refuses = fits is not None
            if not donated:
                self._plain = found
            return found

    def _lower(self, donated: tuple[int, ...]) -> Any:
        """JAX's form of the program before XLA's work."""
        graph, options = self._graph, self.options
        specs = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in graph.leaves]
        chosen: dict[str, Any] = {"donate_argnums": donated} if donated else {}
        if options.mesh is not None:
            origin = self.origin or graph
            spread = shardings(graph, options, origin.outlets)
            self._places = Places(spread[0])
            chosen |= {"in_shardings": spread[0], "out_shardings": (spread[1], None)}
        elif options.device is not None:
            chosen["in_shardings"] = chosen["out_shardings"] = jax.sharding.SingleDeviceSharding(options.device)
        # one location for all operators: JAX would make one for every line, which takes as long as the rest of its lowering
        here = source_info_util.current().traceback
        try:
            with plain_settings(), source_info_util.user_context(here):
                lowered = jax.jit(noting(self._traced), **chosen).lower(*specs)
        except Exception as error:
            if self._traced is not self._function:  # a fault is looked for in the text of all operators
                self._traced = self._function
                return self._lower(donated)
            raise named(error, self.source, "compile the program") from error
        self._check(lowered.out_info[0])
        return lowered

    def _load(self, lowered: Any) -> Any:
        """XLA's program."""
        fused = fuses(self._graph) if self.options.fusion is None else self.options.fusion
        try:
            with jax.enable_x64(True):
                return lowered.compile(compiler_options=None if fused else UNFUSED)
        except Exception as error:
            raise named(error, self.source, "compile the program") from error

    def _check(self, results: Any) -> None:
        """XLA's types are those of the graph."""
        for i, (result, output) in enumerate(zip(results, self._graph.outputs, strict=True)):
            if isinstance(output, Node) and (result.shape != output.shape or result.dtype != output.dtype):
                problem = f"output {i} should be {output.type}, XLA gives {result.dtype}{list(result.shape)}"
                raise VerifyError(explain("jax backend", problem, "This is a fault of tracegrad"))


@contextlib.contextmanager
def plain_settings() -> Iterator[None]:
    """64-bit numbers, and JAX's own rules for operands, whatever the user has set for other programs of this thread."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def _defined(text: str, **names: Any) -> Callable[..., Any]:
    """The function `compiled` of a text."""
    scope: dict[str, Any] = {"np": np, "jnp": jnp, "jax": jax, "K": jax_kernels, **names}
    exec(compile(text, FILE, "exec"), scope)
    return scope["compiled"]  # type: ignore[no-any-return]


def _on_host(value: Any) -> Any:
    return value.copied() if type(value) is OnDevice else value


def donated_leaves(graph: Graph, options: Options) -> tuple[int, ...]:
    """The positions of leaves that were donated and whose memory a result can take: one of the same type for each."""
    free = [o.type for o in graph.outputs if isinstance(o, Node)]
    found = []
    for position, (name, leaf) in enumerate(zip(graph.names, graph.leaves, strict=True)):
        if options.is_donated(name) and leaf.type in free:
            free.remove(leaf.type)
            found.append(position)
    return tuple(found)


def fuses(graph: Graph) -> bool:
    """Whether XLA is to fuse this program: not where that makes its compile time, or that of a loop's body, grow faster than the text.

    A fused loop computes again what others read long after, so that XLA's time explodes on long gradients, which read the values of the forward.
    """
    return all(map(_fuses, (graph, *body_names(graph))))


def _fuses(graph: Graph) -> bool:
    nodes = graph.nodes
    if len(nodes) < LONG:
        return True
    place = {node: i for i, node in enumerate(nodes)}
    far = {
        i for at, node in enumerate(nodes) for i in node.inputs if isinstance(i, Node) and at - place.get(i, at) > FAR
    }
    if len(far) * 8 < len(nodes):
        return True
    largest = max((size_of(t.shape) for node in nodes for t in node.types), default=0)
    return largest > SMALL and len(nodes) < VERY_LONG


compile_graph = JaxExecutable
