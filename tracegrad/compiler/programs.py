"""The programs of one compiled function: one for each text, and for each form of graph what serves its sizes."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tracegrad.backends.base import Target
from tracegrad.compiler.alike import sizeless
from tracegrad.compiler.generalise import Forms
from tracegrad.compiler.other_sizes import OtherSizes
from tracegrad.compiler.program import Program
from tracegrad.compiler.recent import Recent
from tracegrad.compiler.sizes import form_and_numbers
from tracegrad.errors import ConstraintViolationError
from tracegrad.ir.graph import Graph

if TYPE_CHECKING:
    from tracegrad.compiler.arguments import Arguments
    from tracegrad.compiler.call_trace import CallTrace
    from tracegrad.compiler.compile import Compiled
    from tracegrad.compiler.tree import Tree

FORMS = 256  # forms of graphs whose texts are kept, to serve other sizes


class Programs:
    """The programs that are in use.

    count   how many have been compiled        forms   what is known of graphs by their form
    lengths, shapes   how many operators were recorded first, by place in the recording and all of the signature but its sizes; the shapes of the arguments then
    futile   how many calls of such a signature could not be recorded at other sizes
    """

    def __init__(self, backend: str, dynamic: bool | None) -> None:
        self.backend, self.dynamic, self.count = backend, dynamic, 0
        self.forms = Forms(FORMS)
        self.lengths: Recent[Any, int] = Recent(FORMS)
        self.futile: Recent[Any, int] = Recent(FORMS)
        self.shapes: Recent[Any, list[tuple[int, ...]]] = Recent(FORMS)
        self._made: weakref.WeakValueDictionary[Any, Program] = weakref.WeakValueDictionary()
        self._others: OtherSizes | None = None

    def values(self) -> list[Program]:
        """The programs that are in use."""
        return list(self._made.values())

    def serves(self, call: Arguments) -> bool:
        """Whether there are texts for other sizes of such a signature, made before these came."""
        return self.futile.get(sizeless(call.key)) == 0

    def of(self, graph: Graph, any_size: bool = False) -> Program:
        """The compiled form of a piece; one for all pieces of the same text.  any_size: sizes follow from values, so a text serves where machine code would not."""
        backend = "numpy" if any_size else self.backend
        names = graph.names if isinstance(backend, Target) else ()
        key = (graph, tuple(leaf.needs for leaf in graph.leaves), names, str(backend))
        found = self._made.get(key)
        if found is None:
            others, sizes = self._others if backend == "numpy" else None, None
            if others is not None:
                graph, sizes = others.served(graph)
            elif backend == "numpy" and self.dynamic is not False and (known := form_and_numbers(graph)) is not None:
                sizes = self.forms.of(*known)
            found = self._made[key] = Program(graph, backend, sizes, self._count)
            if others is not None:
                others.compare(found)
        return found

    def _count(self) -> None:
        self.count += 1

    @contextmanager
    def of_call(self, compiled: Compiled, call: Arguments, tree: Tree, trace: CallTrace) -> Iterator[None]:
        """Inside it programs are those of this call, which may be recorded at other sizes as well.  Raises ConstraintViolationError where marks do not hold."""
        before, self._others = self._others, None
        try:
            if self.backend == "numpy":
                self._others = OtherSizes.of(compiled, self, call, tree, trace)
            yield
        except ConstraintViolationError:
            trace.give_back()
            raise
        finally:
            self._others = before
