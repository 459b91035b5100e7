"""Recordings at sizes that have not come yet, by which one text serves all sizes from the first call on.

With `dynamic=True`, for axes that are marked, and where two sizes gave texts that are not alike, the function is recorded once more without effects, on arguments of which
some axes have other sizes: the data again and again, or a part of it.  What cannot be recorded so (an error, another course) is left to the sizes that do come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tracegrad.compiler.alike import Piece, Text, like, sizeless
from tracegrad.compiler.generalise import Kin, Sizes
from tracegrad.compiler.log import log
from tracegrad.compiler.marks import Marks, marks_of
from tracegrad.compiler.moves import Change, Move, Unit, by_kind, changed, units
from tracegrad.compiler.resized import Axis, Recorder, axes_of, integers_of
from tracegrad.compiler.stages import Stages, emitted, optimised_graph
from tracegrad.errors import ConstraintViolationError, LinAlgError, explain
from tracegrad.ir.graph import Graph

if TYPE_CHECKING:
    from tracegrad.compiler.arguments import Arguments
    from tracegrad.compiler.call_trace import CallTrace
    from tracegrad.compiler.compile import Compiled
    from tracegrad.compiler.program import Program
    from tracegrad.compiler.programs import Programs
    from tracegrad.compiler.tree import Tree

OTHERS: tuple[Callable[[int], int], ...] = (
    lambda n: n + 1,
    lambda n: n - 1,
    lambda n: n + 2,
    lambda n: n - 2,
    lambda n: 2 * n,
    lambda n: 3 * n,
)
SAMPLES = 3  # other sizes at which a graph is compiled at most
MOST, FEW = 16, 6  # recordings for one call: where one text is to serve all sizes at once, and elsewhere
LESSONS = 3  # how often texts for other sizes of one form are made
FUTILE = 3  # calls for which other sizes were looked for in vain, after which it is left
MANY = 1_000_000  # elements that the arguments may have at other sizes, though they have fewer


class Plan(NamedTuple):
    """Which axes get other sizes, and the pieces of the recordings with these."""

    moves: list[Move]
    samples: list[list[Piece]]


class OtherSizes:
    """What one recorded call can tell about other sizes.

    marks   of its arguments        wanted   whether one text is to serve all sizes at once
    """

    def __init__(self, compiled: Compiled, programs: Programs, recorder: Recorder, marks: Marks) -> None:
        self.compiled, self.programs, self.recorder, self.marks = compiled, programs, recorder, marks
        self.wanted = compiled.dynamic is True or bool(marks.dynamic)
        self.forms = programs.forms
        self.place = 0  # of the next piece in the recording
        self.key = sizeless(recorder.call.key)
        self.first = programs.shapes.use(self.key, lambda: [t._data.shape for t in recorder.call.tensors])
        self._found: list[Plan] | None = None
        self._left = MOST if self.wanted else FEW

    @classmethod
    def of(
        cls, compiled: Compiled, programs: Programs, call: Arguments, tree: Tree, trace: CallTrace
    ) -> OtherSizes | None:
        """For this call; None where every size is compiled by itself."""
        marks = marks_of(call)
        if compiled.dynamic is False and not marks.dynamic:
            return None
        return cls(compiled, programs, Recorder(compiled, call, tree, trace), marks)

    # --- programs

    def served(self, graph: Graph) -> tuple[Graph, Sizes | None]:
        """The graph to compile for a piece, this one or the same with scans, and what is known of its form."""
        piece = Piece(graph)
        self.place += 1
        if piece.plain is None:
            return graph, None
        looped = self._looped(piece) if self.forms.known(piece.plain.form, self.marks.static) is None else None
        text = looped or piece.plain
        known = self.forms.known(text.form, self.marks.static)
        if (self.wanted or looped is not None) if known is None else self._is_vague(known, text):
            return self._taught(piece, text)
        return self._of(text)

    def _is_vague(self, known: Kin, text: Text) -> bool:
        """Whether what is known of graphs of one form does not tell the text of this one, though it should."""
        if known.taught >= LESSONS or known.family.is_general(text.numbers):
            return False
        return self.wanted or known.family.is_several()

    def _of(self, text: Text) -> tuple[Graph, Sizes]:
        return text.graph, self.forms.of(text.form, text.numbers, self.marks.static)

    def _looped(self, piece: Piece) -> Text | None:
        """The piece with scans, where it was recorded with another number of operators at other sizes."""
        first = self.programs.lengths.use((self.place, self.key), lambda: len(piece.graph.nodes))
        return piece.rolled if first != len(piece.graph.nodes) else None

    def _taught(self, piece: Piece, text: Text) -> tuple[Graph, Sizes]:
        """The same after texts for other sizes have been made, where the function can be recorded at some."""
        first = next(iter(self._plans(piece)), None)
        if first is not None:
            for mine, how in ((piece.plain, "plain"), (piece.rolled, "rolled")):
                if mine is not None and like(mine, how, first.samples[0]) is not None:
                    graph, sizes = self._of(mine)
                    self._teach(piece, mine, how, sizes)
                    return graph, sizes
        graph, sizes = self._of(text)
        sizes.kin.taught += 1
        return graph, sizes

    def _teach(self, piece: Piece, mine: Text, how: str, sizes: Sizes) -> None:
        """Make texts for graphs of this form at other sizes, until they tell the text for the present ones."""
        kin, family = sizes.kin, sizes.family
        kin.taught += 1
        for plan in self._plans(piece):
            for number in range(SAMPLES):
                pieces = self._sample(piece, plan, number)
                found = None if pieces is None else like(mine, how, pieces)
                if found is None:
                    break
                if found.numbers != mine.numbers and all(found.numbers != numbers for _, numbers in kin.twins):
                    kin.twins.append((found.graph, found.numbers))
                    made = emitted(optimised_graph(found.graph, "numpy", Stages()), "numpy", Stages(), found.graph)
                    family.learn(found.numbers, [made.source])
                    family.taught = len(kin.twins)
                if family.is_general(sizes.numbers):
                    return

    def compare(self, program: Program) -> None:
        """Where a program was compiled by itself though its form was known: see that texts of its form are alike, or make more of them."""
        sizes = program.sizes
        if sizes is None or sizes.kin.taught or not sizes.family.is_vague(sizes.numbers):
            return
        root = Piece(program.graph)
        first = next(iter(self._plans(root)), None)
        if root.plain is not None and first is not None:
            how = "plain" if like(root.plain, "plain", first.samples[0]) is not None else "rolled"
            self._teach(root, root.plain, how, sizes)

    # --- recordings

    def _plans(self, root: Piece) -> Iterator[Plan]:
        """Ways to record with other sizes, each with a recording of which one piece has the form of the root."""
        if self._found is None:
            self._found = []
            futile = self.programs.futile
            if (futile.get(self.key) or 0) < FUTILE:
                first = self._marked(root) if self.marks.dynamic else self._all(root)
                self._found += [first] if first is not None else []
                futile.put(self.key, 0 if first is not None else 1 + (futile.get(self.key) or 0))
        yield from self._found
        if len(self._found) == 1 and len(self._found[0].moves) > 1:
            for move in self._found[0].moves:  # where they differ in more than numbers, fewer of them
                found = self._plan(root, [move])
                if found is not None:
                    self._found.append(found)
                    yield found

    def _sample(self, root: Piece, plan: Plan, number: int) -> list[Piece] | None:
        """The pieces of one of the recordings of a plan; None where there are no more."""
        while len(plan.samples) <= number:
            self._left = max(self._left, 1)
            found = self._try(root, plan.moves, len(plan.samples))
            if found is None:
                return None
            plan.samples.append(found)
        return plan.samples[number]

    def _plan(self, root: Piece, moves: list[Move]) -> Plan | None:
        found = self._try(root, moves)
        return None if found is None else Plan(moves, [found])

    def _marked(self, root: Piece) -> Plan | None:
        """How to record with other sizes of the marked axes, perhaps of all that are as large.  Raises ConstraintViolationError where their sizes are constants of the function."""
        every = self._axes()
        marked = [a for a in every if a in self.marks.dynamic]
        sizes = {every[a] for a in marked}
        linked = [a for a in every if every[a] in sizes]
        tried = [units(marked, every), *([units(linked, every)] if len(linked) > len(marked) else [])]
        for multiples in (False, True):
            for together in tried:
                found = self._plan(root, [Move(unit, multiples) for unit in together])
                if found is not None:
                    return found
        if marked and not self.marks.weak:
            self._refuse_constants(root, tried[-1], every)
        return None

    def _refuse_constants(self, root: Piece, together: list[Unit], every: dict[Axis, int]) -> None:
        """Raises ConstraintViolationError where all other sizes are errors, or take one and the same other course."""
        forms = set()
        for other in OTHERS:
            change = {axis: other(every[axis]) for unit in together for axis in unit}
            if min(change.values()) < 2:
                continue
            pieces = self.record(change)
            if pieces is None and (self.recorder.error is None or isinstance(self.recorder.error, LinAlgError)):
                return
            if pieces and (self.is_like(root, pieces) or pieces[0].plain is None):
                return
            forms.add(pieces[0].plain.form if pieces else pieces if pieces is None else ())  # type: ignore[union-attr]
        axis = min(a for a in self.marks.dynamic if a in every)
        if len(forms) > 1 or (forms != {None} and every[axis] == 2):  # at 2 the course may be that of a 1 on the way
            return
        name = f"{self.recorder.tree.names[axis.argument]}.size()[{axis.dim}]"
        problem = f"you marked {name} as dynamic but your code specialized it to be a constant ({every[axis]})"
        raise ConstraintViolationError(explain("compile", problem, "Remove the mark, or use maybe_mark_dynamic"))

    def _all(self, root: Piece) -> Plan | None:
        """How to record with other sizes of as many axes as possible."""
        every = self._axes()
        groups = units(every, every)
        for multiples in (False, True):
            found = self._plan(root, [Move(unit, multiples) for unit in groups])
            if found is not None:
                return found
        single = [move for unit in groups for move in self._each(root, unit, len(groups) > 1)]
        found = self._plan(root, single)
        kept: list[Move] = []
        for move in single if found is None else ():
            made = self._plan(root, [*kept, move])
            if made is not None:
                kept, found = [*kept, move], made
        return found

    def _each(self, root: Piece, unit: Unit, whole: bool) -> list[Move]:
        """How the axes of a unit can have another size while all others stay: together, or the first, second ... ones by themselves."""
        for multiples in (False, True) if whole else ():
            if self._try(root, [Move(unit, multiples)]) is not None:
                return [Move(unit, multiples)]
        parts = by_kind(unit)
        return [move for part in parts if len(parts) > 1 for move in self._each(root, part, True)]

    def _axes(self) -> dict[Axis, int]:
        """The axes of the arguments, and the ints among them, that may have other sizes, with these: all with dynamic=True, else those that were others at the first call."""
        every = {**axes_of(self.recorder.call), **integers_of(self.recorder.call)}
        first = self.first
        return {
            axis: size
            for axis, size in every.items()
            if axis not in self.marks.constant
            and (self.wanted or axis.argument < 0 or first[axis.argument][axis.dim] != size)
            and (axis.argument >= 0 or not self.marks.dynamic)
        }

    def _try(self, root: Piece, moves: Sequence[Move], skipped: int = 0) -> list[Piece] | None:
        """The pieces at other sizes; None where there are none of the form of the root."""
        if self._left <= 0 or not moves or root.plain is None:
            return None
        self._left -= 1
        call = self.recorder.call
        sizes = {**axes_of(call), **integers_of(call)}
        change = changed(sizes, moves, map(abs, root.plain.numbers), self.recorder.size(), skipped)  # type: ignore[arg-type]
        pieces = self.record(change) if self.recorder.size(change) <= max(MANY, 2 * self.recorder.size()) else None
        return pieces if pieces is not None and self.is_like(root, pieces) else None

    def record(self, change: Change) -> list[Piece] | None:
        """The pieces of a recording with these sizes; None where there is none."""
        graphs = self.recorder.graphs(change)
        shown = ", ".join(f"{size}" for size in dict.fromkeys(change.values()))
        log(
            "guards",
            f"{self.recorder.name} is recorded at other sizes ({shown}): {'done' if graphs is not None else self.recorder.problem}",
        )
        return None if graphs is None else list(map(Piece, graphs))

    def is_like(self, root: Piece, pieces: Iterable[Piece]) -> bool:
        """Whether a recording has a piece of the same form, at least with scans."""
        pieces = list(pieces)
        if like(root.plain, "plain", pieces) is not None:
            return True
        many = {len(p.graph.nodes) for p in pieces}
        return many != {len(root.graph.nodes)} and like(root.rolled, "rolled", pieces) is not None
