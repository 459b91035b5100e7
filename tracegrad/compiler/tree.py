"""The tree of traces of one signature: programs between the values that decide, and where each decision leads.

A recording is a path: its nodes are cut where Python code read a value.  Each piece is a `Step`; the value that was read chooses the next one.  Paths share their
beginning, and pieces of equal text share one compiled program, so that the body of a loop is compiled once however often it ran.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

import numpy as np

from tracegrad.compiler.call_trace import NotCompilable, Read
from tracegrad.compiler.effects import Ending
from tracegrad.compiler.handlers import any_catches
from tracegrad.compiler.pieces import closed, parted
from tracegrad.compiler.program import Program
from tracegrad.compiler.quick import MISS
from tracegrad.compiler.readers import COUNT
from tracegrad.compiler.recorder import at
from tracegrad.compiler.values import Source, Values
from tracegrad.compiler.watch import Surroundings
from tracegrad.eager.generator import Generator, Rewinding
from tracegrad.eager.tensor import Tensor, handle, raw
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import BY_SEQUENCE, Node, tick
from tracegrad.ir.op import REGISTRY

MACHINE_CODES = 8  # paths that differ only in how much masks select for which there is machine code
KEPT = 256  # paths of one tree, whose masks may select ever other numbers of elements
COUNTED = REGISTRY["counted"]
ProgramOf = Callable[[Graph, bool], Program]


class Guard:
    """Where a value decides: the node, how it is read, the user's line, and where its values have led so far."""

    def __init__(self, node: Node, read: Read) -> None:
        self.node, self.reader, self.kind, self.location = node, read.reader, read.kind, read.location
        self.children: dict[Any, Step] = {}


class Step:
    """A piece of a recording: the program from `ins` to `outs`, then a guard, or the ending."""

    def __init__(self) -> None:
        self.defined: set[Node] = set()
        self.piece: tuple[Program, list[Node], list[Node]] | None = None  # set as a whole: other threads may run it
        self.results: list[Node] = []  # of the ending, after outs: fresh copies where these are leaves
        self.live: set[Node] = set()  # what is needed after it, on any path
        self.entry: Node | None = None  # the value of the guard before it, whose size is known from here on
        self.guard: Guard | None = None
        self.ending: Ending | None = None

    @property
    def program(self) -> Program | None:
        """The program; None where the step has nothing to compute."""
        return self.piece[0] if self.piece is not None else None

    @property
    def ins(self) -> list[Node]:
        """What the program reads."""
        return self.piece[1] if self.piece is not None else []

    @property
    def outs(self) -> list[Node]:
        """What the program makes for the guard and for later steps."""
        return self.piece[2] if self.piece is not None else []


class Draws:
    """The random keys of one call, drawn in the order of the recording and given back if the call takes another path."""

    def __init__(self, drawn: Sequence[Tensor] = ()) -> None:
        self.drawn = list(drawn)
        self._before = Rewinding()

    def key(self, number: int, generators: list[Generator]) -> Tensor:
        """The key of this draw; those before it are drawn first."""
        while len(self.drawn) <= number:
            generator = generators[len(self.drawn)]
            self._before.note(generator)
            self.drawn.append(handle(np.asarray(generator.next_key()), None))
        return self.drawn[number]

    def rewind(self, count: int, generators: list[Generator]) -> None:
        """Leave the generators as after the first `count` draws."""
        if self._before:
            self.give_back()
            self.drawn.clear()
            if count:
                self.key(count - 1, generators)

    def give_back(self) -> None:
        """Let the generators draw the same keys again."""
        self._before.rewind()


class Tree:
    """All paths of one signature for which what the function reads outside is the same."""

    def __init__(self, watched: Surroundings, program_of: ProgramOf) -> None:
        self.watched, self.program_of = watched, program_of
        self.values = Values()
        self.root: Step | None = None
        self.paths = 0
        self.courses: set[int] = set()  # the paths by what decided, but for how much masks select
        self.endings: list[Ending] = []
        self.generators: list[Generator] = []
        self.captured: list[tuple[Source, tuple[Any, ...]]] = []  # with shape, dtype and requires_grad
        self.grads: dict[Any, tuple[Source, bool]] = {}  # whose .grad is looked at, and whether there was one
        self.last: Step | None = None  # where the last call ended
        self.quick: Any = None  # the generated call path; False where there is none
        self.missed: tuple[Guard, Any] | None = None
        self.catches = any_catches([*watched.walk.codes, *(code for code, _ in watched.codes)])
        self.writes = False  # whether a path writes memory of the outside world
        self.names: list[str] = []  # of the arguments, for backends with options that go by them

    # --- making

    def add(
        self, ins: dict[Node, Source], reads: Sequence[Read], ending: Ending, roots: Sequence[Any], path: Sequence[Node]
    ) -> None:
        """Add the path of one recording: its leaves, what was read on the way, the nodes of its results, and all between in program order.

        Raises NotCompilable where the recording went on otherwise than an earlier one after equal decisions.
        """
        known = {node: self._leaf(source, node) for node, source in ins.items()}
        self.values.take(path, known)
        if self._known_path(reads, known):
            return
        times = [r.time for r in reads]
        regions: list[list[Node]] = [[] for _ in range(len(reads) + 1)]
        first: dict[Node, int] = {}
        for node in path:
            own = known[node]
            if own not in first and own.op is not COUNTED:
                first[own] = bisect_left(times, node.seq)
                regions[first[own]].append(own)
        entries = {known[n].inputs[0]: known[n] for n in path if n.op is COUNTED}
        results = [known[r] if isinstance(r, Node) else r for r in roots]
        needs = self._needs(regions, first, [known[r.node] for r in reads], results)
        root = step = self.root or Step()
        any_size = False
        links: list[tuple[Guard, Any, Step]] = []  # made when all is complete: other threads may run the tree meanwhile
        for k, read in enumerate(reads):
            self._extend(step, regions[k], needs[k], [], any_size)
            guard = step.guard = step.guard or Guard(known[read.node], read)
            following = guard.children.get(read.value)
            if following is None:
                following = Step()
                following.entry = entries.get(guard.node)
                links.append((guard, read.value, following))
            any_size = any_size or (read.kind is COUNT and self.paths >= len(self.courses) + MACHINE_CODES)
            step = following
        self._extend(step, regions[-1], [], [r for r in results if isinstance(r, Node)], any_size)
        ending.take(step.results, results)
        if step.piece is not None and step.piece[0].remote:
            step.piece[0].graph.outlets = ending.outlets(step, self.values.sources)
        step.ending = ending
        self.endings.append(ending)
        for guard, value, following in reversed(links):
            guard.children[value] = following
        self.root = root
        self.paths += 1
        self.courses.add(hash(tuple([r.value for r in reads if r.kind is not COUNT])))
        self.writes = self.writes or bool(ending.writes)
        self._note_lives(reads)

    def _known_path(self, reads: Sequence[Read], known: dict[Node, Node]) -> bool:
        """Whether this path is there already.  Raises NotCompilable where decisions that were equal so far led elsewhere."""
        step = self.root
        for read in reads:
            guard = None if step is None else step.guard
            if guard is None and (step is None or step.ending is None):
                return False
            if guard is None or guard.kind != read.kind or not self.values.alike(guard.node, known[read.node]):
                raise NotCompilable("takes another course after equal decisions", read.location)
            step = guard.children.get(read.value)
        if step is not None and step.guard is not None:
            raise NotCompilable("takes another course after equal decisions", step.guard.location)
        return step is not None and step.ending is not None

    def _leaf(self, source: Source, node: Node) -> Node:
        before = len(self.values.leaves)
        leaf = self.values.leaf(source, node)
        if len(self.values.leaves) > before and (
            source.kind in ("captured", "grad") or (source.kind == "place" and isinstance(source.of.read(), Tensor))
        ):
            self.captured.append((source, (node.shape, node.dtype, node.needs)))
        return leaf

    def _needs(
        self, regions: list[list[Node]], first: dict[Node, int], guards: list[Node], results: list[Any]
    ) -> list[list[Node]]:
        """For each region the nodes that it makes and that are read later, or by its guard."""
        found: list[dict[Node, None]] = [{} for _ in regions]

        def use(node: Any, region: int) -> None:
            if isinstance(node, Node) and node in first and node not in self.values.constant and first[node] < region:
                found[first[node]][node] = None

        for k, region in enumerate(regions):
            for node in region:
                for i in node.inputs:
                    use(i, k)
        for guard in guards:
            if guard in first:
                found[first[guard]][guard] = None
        for node in results:
            use(node, len(regions) - 1)
        return [sorted(region, key=BY_SEQUENCE) for region in found]

    def _extend(self, step: Step, region: list[Node], needed: list[Node], results: list[Node], any_size: bool) -> None:
        """Let the step's program make what a path needs."""
        step.defined.update(region)
        have = set(step.outs)
        missing = [n for n in needed if n not in have]
        own = [n for n in results if n in step.defined or n in self.values.constant or n.op is None]
        if not missing and step.program is not None and own == step.results:
            return
        if not missing and not own:
            return
        outs = sorted([*step.outs, *missing], key=BY_SEQUENCE)
        outputs = [*outs, *own]
        ins, between = parted(outputs, step.defined | self.values.constant)
        program = self.program_of(closed(ins, between, outputs, self._names(ins)), any_size)
        step.results = own
        step.piece = (program, ins, outs)

    def _names(self, ins: list[Node]) -> list[str]:
        """Names for what a program reads: those of the arguments, and a count for the rest."""
        found: list[str] = []
        taken = set(self.names)
        for node in ins:
            source = self.values.sources.get(node)
            if source is not None and source.kind == "argument" and self.names:
                found.append(self.names[source.of])
            else:
                letter = "v" if source is None else "c"
                found.append(next(n for n in (f"{letter}{i}" for i in count()) if n not in taken))
            taken.add(found[-1])
        return found

    def _note_lives(self, reads: Sequence[Read]) -> None:
        """Note for each step of a path what is needed after it."""
        steps = [self.root]
        for read in reads:
            steps.append(steps[-1].guard.children[read.value])  # type: ignore[union-attr]
        live: set[Node] = set()
        for step in reversed(steps):
            assert step is not None
            if step.ending is not None:
                live = set(step.ending.from_before)
            step.live |= live
            live = (set(step.live) - set(step.outs)) | set(step.ins)
            live.discard(step.entry)  # type: ignore[arg-type]
            if step.guard is not None and step.guard.node not in step.outs:
                live.add(step.guard.node)

    # --- running

    def still_valid(self, arguments: list[Tensor]) -> bool:
        """Whether everything that the recordings read outside their arguments is what it was."""
        for source, had in self.grads.values():
            if (getattr(source.read(arguments), "_grad", None) is not None) is not had:
                return False
        for source, kind in self.captured:
            t = source.read(arguments)
            if t is None or ((value := raw(t)).shape, value.dtype, t.requires_grad) != kind:
                return False
        return self.watched.still_valid()

    def run(self, arguments: list[Tensor], drawn: Sequence[Tensor] = ()) -> Any:
        """The function's result after its effects, or MISS where a value leads to what has not been recorded; then nothing has changed."""
        draws, env, step, begun = Draws(drawn), {}, self.root, tick()
        if step is None:
            return MISS
        while True:
            made = self._run_step(step, env, arguments, draws)
            if made is None:  # another thread has added a path that needs more of the steps before
                draws.give_back()
                return MISS
            guard = step.guard
            if guard is None:
                break
            following, value = self.decide(guard, env, arguments, draws)
            if following is None:
                draws.give_back()
                self.missed = (guard, value)
                return MISS
            step = following
        assert step.ending is not None
        self.last = step
        if step.ending.draws:
            draws.key(step.ending.draws - 1, self.generators)
        return step.ending.finish(made, env, arguments, begun)

    def decide(
        self, guard: Guard, env: dict[Node, Tensor], arguments: list[Tensor], draws: Draws
    ) -> tuple[Step | None, Any]:
        """The step where a guard leads, None where that is not known, and the value that decides."""
        read = self._value(guard.node, env, arguments, draws)
        value = guard.reader(read._data)
        following = guard.children.get(value)
        if following is not None and following.entry is not None:
            env[following.entry] = read
        return following, value

    def _run_step(
        self, step: Step, env: dict[Node, Tensor], arguments: list[Tensor], draws: Draws
    ) -> list[Tensor] | None:
        """Run a step's program, keep in env what later steps read, and return what the ending takes; None where a value that it reads is not known."""
        if step.piece is None:
            return []
        program, ins, outs = step.piece
        if any(n.op is not None and n not in env for n in ins):
            return None
        alone = (
            step is self.root
            and step.ending is not None
            and not (step.ending.writes or step.ending.grads or step.ending.histories)
            and all(kind != "outside" for kind, _ in step.ending.leaves)
        )
        before = len(draws.drawn)
        try:
            made = program.run([self._value(n, env, arguments, draws) for n in ins], alone)
        except Exception as error:
            if self.catches:  # Python decides what follows
                self.missed = None
                return None
            self._draw_as_far(error, ins, before, draws)
            raise
        if step.guard is not None:
            for node in [n for n in env if n not in step.live]:
                if node is not step.guard.node:
                    del env[node]
            env.update(zip(outs, made, strict=False))
        return made[len(outs) :]

    def _draw_as_far(self, error: Exception, ins: list[Node], before: int, draws: Draws) -> None:
        """Leave the generators as the operators would, of which none was reached behind the one that fails."""
        read = getattr(error, "leaves_read", None)
        if read is not None:
            sources = [self.values.sources.get(n) for i, n in enumerate(ins) if i in read]
            draws.rewind(
                max([before, *(s.of + 1 for s in sources if s is not None and s.kind == "random")]), self.generators
            )

    def _value(self, node: Node, env: dict[Node, Tensor], arguments: list[Tensor], draws: Draws) -> Tensor:
        if node.op is not None:
            return env[node]
        source = self.values.sources[node]
        if source.kind == "random":
            return draws.key(source.of, self.generators)
        return source.read(arguments)  # type: ignore[no-any-return]

    def shares_memory(self, arguments: list[Tensor]) -> bool:
        """Whether an argument shows memory of another one that a path writes."""
        return self.writes and any(ending.conflict(arguments) for ending in self.endings)

    def is_exhausted(self, limit: int) -> bool:
        """Whether more than so many courses have been taken; how much a mask selects is none, though it may come with ever new ones."""
        by_size = self.missed is not None and self.missed[0].kind is COUNT
        return len(self.courses) >= (2 * limit if by_size else limit)

    def renewed(self) -> Tree:
        """An empty tree in the place of one with many sizes."""
        made = Tree(self.watched, self.program_of)
        made.names, made.courses = self.names, self.courses
        return made

    def last_miss(self) -> str:
        """Where the last call left what has been recorded, for messages."""
        if self.missed is None:
            return "an operator failed"
        guard, value = self.missed
        known = ", ".join(f"{v!r:.40}" for v in list(guard.children)[:4])
        return f"{guard.kind}{at(guard.location)} gave {value!r:.60}, which has not been seen there (known: {known})"

    def steps(self) -> Iterable[Step]:
        """All steps, the root first."""
        stack = [self.root] if self.root is not None else []
        while stack:
            step = stack.pop()
            yield step
            if step.guard is not None:
                stack.extend(reversed(step.guard.children.values()))
