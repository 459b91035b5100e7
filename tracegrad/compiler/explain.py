"""explain(): what a compiled function has recorded for some arguments, where it decides, why it recorded last, and what its programs cost to make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tracegrad.backends.numpy_backend import CONSTANT_LIMIT
from tracegrad.compiler.arguments import Arguments
from tracegrad.compiler.history import Cause, short, title
from tracegrad.compiler.program import Program
from tracegrad.compiler.stages import divided
from tracegrad.compiler.tree import Draws, Guard, Step, Tree
from tracegrad.errors import TraceError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node
from tracegrad.ir.types import Type, size_of
from tracegrad.passes import pipeline
from tracegrad.passes.differentiate import differentiable

if TYPE_CHECKING:
    from tracegrad.compiler.compile import Compiled

SHOWN = 12  # guards and programs that the text shows


class Taken(NamedTuple):
    """The course that a call takes: its arguments, the tree, the steps on the way with the values that decided, and why there is none."""

    call: Arguments
    tree: Tree | None
    steps: list[Step]
    values: list[Any]
    refused: str | None


class GuardInfo(NamedTuple):
    """A place where a value decides.

    kind      how it is read ("bool", "int", "float", "index" ...)        location  the user's (file, line)
    values    what has been seen there so far            value     what these arguments give; None where they do not come there
    """

    kind: str
    location: tuple[str, int] | None
    values: tuple[Any, ...]
    value: Any = None

    def __str__(self) -> str:
        where = f"{self.location[0]}:{self.location[1]}  " if self.location is not None else ""
        taken = f", here {short(self.value)}" if self.value is not None else ""
        return f"{where}{self.kind} has been {', '.join(map(short, self.values[:8]))}{taken}"


class ProgramInfo(NamedTuple):
    """One compiled piece.

    operators, optimised   how many were recorded, and how many are left         passes  a Step (name, before, after, time_s) for each pass
    cached    whether the cache on disk had it                                   shared  whether it runs a text that was made at other sizes
    passes_s, emit_s, compile_s  seconds for the passes (or reading the cache), for making and loading the text, and for XLA's work
    constant_bytes  of arrays that are made once          saved_bytes, naive_bytes  kept for the backward, and without the partition; 0 where no gradient flows
    """

    operators: int
    optimised: int
    passes: tuple[pipeline.Step, ...]
    cached: bool
    shared: bool
    passes_s: float
    emit_s: float
    compile_s: float
    constant_bytes: int
    saved_bytes: int
    naive_bytes: int

    def __str__(self) -> str:
        if self.shared:
            return f"{self.operators} operators, with a text that was made at other sizes"
        how = "read from the cache" if self.cached else f"by {len(self.passes)} passes"
        xla = f", compiled by XLA in {ms(self.compile_s)}" if self.compile_s else ""
        return f"{self.operators} -> {self.optimised} operators {how} in {ms(self.passes_s)}, emitted in {ms(self.emit_s)}{xla}"


class Explanation:
    """What `explain` found; print it.

    function, backend   names                        arguments   text of each input's type, by name
    paths, pieces       courses recorded for this signature, and programs between their decisions; operators as recorded, in all pieces
    guards      GuardInfo for each place where a value decides        watched   how many places outside of the arguments are compared at every call
    retrace     why it was recorded last (a Cause: kind, place, old, new, location)          recordings  how often it was
    programs    ProgramInfo for each piece            refused     why the signature runs uncompiled; None where it does not
    times       seconds by stage: record (which ends with scans for what repeats), passes, emit, compile
    constant_bytes, saved_bytes, naive_bytes          sums over the programs
    """

    def __init__(self, compiled: Compiled, taken: Taken | None) -> None:
        history = compiled._history
        tree = taken.tree if taken is not None else compiled.tree
        self.function, self.backend = title(compiled.function), str(compiled.backend)
        self.retrace: Cause | None = history.cause
        self.recordings = history.recordings
        self.refused = taken.refused if taken is not None else None
        self.arguments: dict[str, str] = _arguments(compiled, taken.call) if taken is not None else {}
        steps = list(tree.steps()) if tree is not None else []
        self.paths = tree.paths if tree is not None else 0
        self.watched = len(tree.watched.values()) if tree is not None else 0
        self.guards = _guards(steps, taken)
        programs = list(dict.fromkeys(s.program for s in steps if s.program is not None))
        self.programs = [_program(p) for p in programs]
        self.pieces, self.operators = len(programs), sum(p.operators for p in self.programs)
        self.constant_bytes = sum(p.constant_bytes for p in self.programs)
        self.saved_bytes = sum(p.saved_bytes for p in self.programs)
        self.naive_bytes = sum(p.naive_bytes for p in self.programs)
        self.times = {
            "record": history.record_s.get(tree, 0.0) if tree is not None else 0.0,
            "passes": sum(p.passes_s for p in self.programs),
            "emit": sum(p.emit_s for p in self.programs),
            "compile": sum(p.compile_s for p in self.programs),
        }

    def __str__(self) -> str:
        lines = [f"{self.function}, compiled for {self.backend}"]
        if self.arguments:
            lines.append("  arguments: " + ", ".join(f"{k}: {v}" for k, v in self.arguments.items()))
        if self.refused is not None:
            lines.append(f"  runs uncompiled: the function {self.refused}")
        lines.append(f"  recorded {self.recordings} time(s), last because {self.retrace}")
        if self.refused is not None:
            return "\n".join(lines)
        lines.append(
            f"  {self.paths} path(s) in {self.pieces} program(s) of {self.operators} operators; {self.watched} places outside are compared"
        )
        lines += _listed("  decides at", self.guards)
        lines += _listed("  program", self.programs)
        lines += [f"      {_pass_text(s)}" for p in self.programs[:1] for s in p.passes if s.before != s.after]
        lines.append(f"  constants: {self.constant_bytes} bytes")
        if self.naive_bytes or self.saved_bytes:
            lines.append(
                f"  saved for the backward: {self.saved_bytes} bytes; without the partition {self.naive_bytes}"
            )
        lines.append("  time: " + ", ".join(f"{k} {ms(v)}" for k, v in self.times.items() if v or k != "compile"))
        return "\n".join(lines)

    __repr__ = __str__


def _listed(head: str, items: Sequence[Any]) -> list[str]:
    more = [f"{head} ... and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    return [*(f"{head} {item}" for item in items[:SHOWN]), *more]


def _pass_text(step: pipeline.Step) -> str:
    return f"{step.name}: {step.before} -> {step.after} operators, {ms(step.time_s)}"


def ms(seconds: float) -> str:
    """A time in milliseconds, or seconds."""
    return f"{seconds:.2f} s" if seconds >= 10 else f"{1e3 * seconds:.2f} ms"


def _arguments(compiled: Compiled, call: Arguments) -> dict[str, str]:
    names = call.names(compiled.function)
    types = [str(Type(t._data.shape, t._data.dtype)) for t in call.tensors]
    return dict(zip(names, types, strict=True))


def _guards(steps: list[Step], taken: Taken | None) -> list[GuardInfo]:
    here = dict(zip(map(id, taken.steps), taken.values, strict=False)) if taken is not None else {}
    return [
        GuardInfo(s.guard.kind, s.guard.location, tuple(s.guard.children), here.get(id(s)))
        for s in steps
        if s.guard is not None
    ]


def _program(program: Program) -> ProgramInfo:
    stages = program.stages
    made = program.__dict__.get("optimised")  # not there where the text is another program's
    compile_s = getattr(program.executable, "compile_s", 0.0)
    saved, naive = _saved(program)
    return ProgramInfo(
        len(program.graph.nodes),
        len(made.nodes) if made is not None else 0,
        tuple(stages.steps),
        stages.cached,
        made is None,
        stages.passes_s,
        stages.emit_s,
        compile_s,
        constant_bytes(made) if made is not None else 0,
        saved,
        naive,
    )


def _saved(program: Program) -> tuple[int, int]:
    """The bytes between the halves, for the backward that ran last, or for the one with respect to all leaves that require grad."""
    if program.partitions:
        return program.partitions[-1].saved_bytes, program.partitions[-1].naive_bytes
    followed = tuple(i for i, leaf in enumerate(program.graph.leaves) if leaf.needs)
    if not followed or not any(program.follows):
        return 0, 0
    parts = divided(program.graph, followed, differentiable(program.graph.outputs), program.backend_name)
    return parts.saved_bytes, parts.naive_bytes


def constant_bytes(graph: Graph) -> int:
    """The bytes of values that depend on no input."""
    constant: set[Node] = set()
    total = 0
    for node in graph.nodes:
        if node.op is not None and node.op.pure and all(i in constant for i in node.inputs if isinstance(i, Node)):
            constant.add(node)
            if not isinstance(node.dtype, tuple) and size_of(node.shape) <= CONSTANT_LIMIT:
                total += size_of(node.shape) * node.dtype.itemsize
    return total


def taken_by(compiled: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Taken:
    """The course of a call with these arguments, recorded if it has not been; no effect of the function on Tensors happens, and no random number is used up."""
    with compiled._lock:
        call = Arguments(args, kwargs)
        for record in (True, True, False):  # the first recording may only have made what later calls update
            if call.key in compiled._uncompiled:
                return Taken(call, None, [], [], compiled._history.refused.get(call.key) or "cannot be compiled")
            trees = compiled._trees.use(call.key, list)
            tree = next((t for t in reversed(trees) if t.still_valid(call.tensors)), None)
            found = followed(tree, call) if tree is not None else None
            if found is not None:
                return Taken(call, tree, *found, None)
            if record:
                compiled._history.begins(compiled.function, call, trees, tree)
                compiled._recorded(call, tree, commit=False)
        return Taken(call, tree, [], [], None)


def followed(
    tree: Tree, call: Arguments, visit: Callable[[Program, list[Any]], None] | None = None
) -> tuple[list[Step], list[Any]] | None:
    """The steps of a call, and the values that decide between them; None where it leaves what has been recorded.  visit gets each program with its arrays."""
    if tree.root is None or tree.shares_memory(call.tensors):
        return None
    draws, env, step = Draws(), {}, tree.root
    steps: list[Step] = []
    values: list[Any] = []
    try:
        while True:
            steps.append(step)
            if visit is not None and step.piece is not None:
                program, ins, _ = step.piece
                visit(program, [tree._value(n, env, call.tensors, draws)._data for n in ins])
            guard: Guard | None = step.guard
            if guard is None:
                return steps, values
            if tree._run_step(step, env, call.tensors, draws) is None:
                return None
            following, value = tree.decide(guard, env, call.tensors, draws)
            values.append(value)
            if following is None:
                tree.missed = (guard, values[-1])
                return None
            step = following
    finally:
        draws.give_back()


def explanation(compiled: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Explanation:
    """The explanation of a call with these arguments; of the last call where there are none."""
    if not args and not kwargs and compiled._shown is not None:
        return Explanation(compiled, None)
    return Explanation(compiled, taken_by(compiled, args, kwargs))


def course(compiled: Compiled, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Taken:
    """As taken_by; raises TraceError where the signature runs uncompiled."""
    taken = taken_by(compiled, args, kwargs)
    if taken.tree is None or not taken.steps:
        reason = taken.refused or "could not be followed for these arguments"
        raise TraceError(explain("profile", f"there is no compiled program: the function {reason}"))
    return taken


__all__ = ["Explanation", "course", "explanation"]
