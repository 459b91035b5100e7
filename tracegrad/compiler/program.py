"""A compiled graph, and its place on the tape when gradients flow through it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from tracegrad.backends.base import Executable
from tracegrad.compiler.deciding import Deciding, decides
from tracegrad.compiler.device_values import check_not_written, here, now
from tracegrad.compiler.generalise import Family, Sizes
from tracegrad.compiler.groups import Group, groups_of
from tracegrad.compiler.nan_search import first_nan
from tracegrad.compiler.replay import replay
from tracegrad.compiler.sizes import Number
from tracegrad.compiler.split import Split
from tracegrad.compiler.stages import Stages, emitted, optimised_graph
from tracegrad.compiler.unproved import Unproved, UnprovedSplit
from tracegrad.config import local
from tracegrad.eager.device_tensors import settle, unmoved, value_of, wrapped
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Parameter, Tensor, handle
from tracegrad.ir.builder import projections
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import N
from tracegrad.ir.types import Type
from tracegrad.passes.differentiate import differentiable, followed_outputs, vjp_graph
from tracegrad.passes.partition import Partition
from tracegrad.passes.pipeline import prepare


class Program:
    """A graph compiled for one backend.

    graph       what was recorded
    optimised   what the backend compiles
    sizes       where texts serve several sizes: what is known of graphs of this form, and this graph's numbers
    count       is called where it is compiled by itself rather than with a text that was made at other sizes
    remote      whether values stay on devices, where the backend leaves them
    """

    def __init__(
        self, graph: Graph, backend_name: str, sizes: Sizes | None = None, count: Callable[[], None] = int
    ) -> None:
        if backend_name != "numpy" and any(n.op.value_dependent for n in graph.nodes if n.op is not None):
            backend_name = "numpy"  # machine code has fixed sizes
        self.graph, self.backend_name, self.sizes, self._count = graph, backend_name, sizes, count
        self.follows, self.stages = followed_outputs(graph), Stages()
        self._backward: dict[Any, Backward] = {}
        bound = sizes.family.bound(sizes.numbers) if sizes is not None else None
        if bound is not None:
            self._note_count()  # of a text that was made at sizes that no call had
        self.executable: Executable = (
            self._compile() if bound is None else Unproved(bound.executables[0], graph, self._settle)
        )
        self.remote: bool = getattr(self.executable, "remote", False)
        self._parameters: list[Any] = []  # where those of the last call were on the host
        self._settled = False  # whether any have been the same

    @cached_property
    def optimised(self) -> Graph:
        """The graph after all passes."""
        return optimised_graph(self.graph, self.backend_name, self.stages)

    def _compile(self) -> Executable:
        made = emitted(self.optimised, self.backend_name, self.stages, self.graph)
        self._count()
        if self.sizes is not None:
            self.sizes.family.counted = True
            self.sizes.family.learn(self.sizes.numbers, [made.source])
        return made

    def _note_count(self) -> None:
        """Count the first program of a form."""
        assert self.sizes is not None
        if not self.sizes.family.counted:
            self.sizes.family.counted = True
            self._count()

    def _settle(self, proved: Executable | None) -> Executable:
        """Take the executable that was proved, or compile where it was not."""
        if proved is None:
            assert self.sizes is not None
            self.sizes.family.failures += 1
            proved = self._compile()
        self.executable = proved
        return proved

    def run(self, tensors: Sequence[Tensor], alone: bool = False) -> list[Tensor]:
        """The outputs for these Tensors in the place of the graph's leaves; alone where nothing else of the call reads or writes the arguments."""
        if local.grad_enabled:
            for t in tensors:
                if t._node is not None:
                    return self._tracked(tensors)
        executable = self.alone if alone else self.executable
        if self.remote:
            self._settle_parameters(tensors)
            return [wrapped(r, None) for r in executable(*map(value_of, tensors))]
        return [handle(r, None) for r in executable(*[t._data for t in tensors])]

    def _settle_parameters(self, tensors: Sequence[Tensor]) -> None:
        """Let parameters stay on the device that the call before was given as well, and that nobody has written since or shows elsewhere."""
        before, self._parameters = self._parameters, [unmoved(t) if type(t) is Parameter else None for t in tensors]
        same = [i for i, (a, b) in enumerate(zip(before, self._parameters, strict=False)) if a is not None and a == b]
        if same and not self._settled:
            gc.collect()  # what the recording left behind has the memory too
            self._settled = True
        for i in same:
            settle(tensors[i], partial(self.executable.settled, i))  # type: ignore[attr-defined]

    @property
    def alone(self) -> Executable:
        """The executable that may use the memory of donated arguments for its results."""
        return getattr(self.executable, "donating", self.executable)

    def _tracked(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The same as one node on the tape, whose backward is compiled too."""
        remote = self.remote
        arrays = tuple([now(t) for t in tensors] if remote else [t._data for t in tensors])
        followed = tuple(i for i, t in enumerate(tensors) if t._node is not None and t._node.needs)
        if not followed or not any(self.follows):
            return [wrapped(r, None) if remote else handle(r, None) for r in self.executable(*arrays)]
        groups, saved = self.groups, None
        if len(groups) == 1:
            results, saved = self.backward(followed).forward(arrays)
        else:
            results = self.executable(*arrays)
        made = [wrapped(r, None) if remote else handle(r, None) for r in results]
        inputs = tuple(t._node or Type(a.shape, a.dtype) for t, a in zip(tensors, arrays, strict=True))
        types = tuple(Type(r.shape, r.dtype) for r in results)
        for group in groups:
            backward = self.backward(followed, group.outputs if len(groups) > 1 else None)
            kept = arrays, saved
            freed, stays = (kept, None) if group.saves else (None, kept)
            node = make_node(CompiledCall, inputs, (backward, stays), types, saved=freed)
            pieces = projections(node)
            for i in group.outputs:
                made[i]._node = pieces[i]
        return made

    @cached_property
    def groups(self) -> list[Group]:
        """The outputs by the steps of the tape that they share; one group where running again would do more than compute."""
        found = groups_of(self.graph, self.follows)
        if len(found) > 1 and any(node.op is not None and not node.op.pure for node in self.graph.nodes):
            return [Group(tuple(i for i, follows in enumerate(self.follows) if follows), True)]
        return found

    @property
    def partitions(self) -> list[Partition]:
        """How the program and each backward that ran are divided, with the bytes saved between them."""
        return [b.split.parts for b in self._backward.values() if b.is_split]

    def backward(self, followed: tuple[int, ...], outputs: tuple[int, ...] | None = None) -> Backward:
        """The compiled backward for these followed leaves, of some outputs or all."""
        key = followed if outputs is None else (followed, outputs)
        found = self._backward.get(key)
        if found is None:
            found = self._backward[key] = Backward(self, followed, outputs)
        return found


class Backward:
    """The vector-Jacobian product of a program with respect to some of its leaves, compiled on first use.

    From then on the forward gives, beside its results, the values that the backward would otherwise compute again; a forward that nobody differentiates stays
    as it is.
    """

    def __init__(self, program: Program, followed: tuple[int, ...], outputs: tuple[int, ...] | None = None) -> None:
        self.program = program
        self.begin(program.graph, followed, outputs)
        if any(node.op is not None and not node.op.pure for node in program.graph.nodes):
            self._split = self.split  # the first backward must not run the forward again

    def begin(self, graph: Graph, followed: tuple[int, ...], outputs: tuple[int, ...] | None = None) -> None:
        """Note what is differentiated: some outputs of a graph, or all, for some leaves."""
        self.followed = followed
        self.outputs = differentiable(graph.outputs) if outputs is None else outputs  # those that have cotangents
        self._split: Split | UnprovedSplit | None = None
        self._reached: dict[tuple[int, ...], list[bool]] = {}

    @cached_property
    def graph(self) -> Graph:
        """From leaves and cotangents to cotangents.  Raises DifferentiationError where the user's code decides."""
        return vjp_graph(prepare(self.program.graph), self.followed, self.outputs)

    @cached_property
    def graph_on_tape(self) -> Graph:
        """The same for what is differentiated again, with the steps that the tape has though their derivative is 0."""
        return vjp_graph(prepare(self.program.graph), self.followed, self.outputs, followed=True)

    @cached_property
    def leaves_read(self) -> frozenset[int]:
        """The leaves whose values the cotangents depend on."""
        if self.deciding is not None:
            return frozenset(range(len(self.program.graph.leaves)))
        read = {i for node in self.graph.nodes for i in node.inputs} | set(self.graph.outputs)
        return frozenset(i for i, leaf in enumerate(self.graph.leaves) if leaf in read)

    def reached(self, given: Sequence[Any]) -> list[bool]:
        """For each followed leaf whether one of the outputs that have a cotangent depends on it; else it has no gradient."""
        there = tuple([i for i in self.outputs if given[i] is not None])
        found = self._reached.get(there)
        if found is None:
            graph = self.program.graph
            stack: list[Any] = [graph.outputs[i] for i in there]
            seen: set[Node] = set()
            while stack:
                node = stack.pop()
                if isinstance(node, Node) and node not in seen and node.needs:
                    seen.add(node)
                    stack.extend(node.inputs)
            found = self._reached[there] = [graph.leaves[i] in seen for i in self.followed]
        return found

    @cached_property
    def deciding(self) -> Deciding | None:
        """The backward as a function of its own, where it decides by values of cotangents."""
        program = self.program
        if not decides(program.graph):
            return None
        return Deciding(program.graph, self.followed, self.outputs, program.backend_name)

    def on_tensors(self, leaves: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Sequence[Any]:
        """The cotangents of the followed leaves with their history."""
        if self.deciding is not None:
            return self.deciding.on_tensors(leaves, cotangents)
        return replay(self.graph_on_tape if T.followed else self.graph, [*leaves, *cotangents])

    @property
    def is_split(self) -> bool:
        """Whether a backward has run."""
        return self._split is not None

    @property
    def split(self) -> Split | UnprovedSplit | Deciding:
        """The two halves; made on first use."""
        if self.deciding is not None:
            return self.deciding
        if self._split is None:
            sizes = self.program.sizes
            bound = self._taught(sizes).bound(sizes.numbers) if sizes is not None else None
            self._split = self._compile() if bound is None else UnprovedSplit(self, bound)
        return self._split

    def _taught(self, sizes: Sizes) -> Family:
        """What is known of such halves; that of the sizes at which the program was made before they came is made here."""
        family = sizes.halves(self.followed, self.outputs)
        new, family.taught = sizes.kin.twins[family.taught :], len(sizes.kin.twins)
        for graph, numbers in new:
            self._halves(graph, family, numbers)
        return family

    def _halves(self, graph: Graph, family: Family, numbers: tuple[Number, ...]) -> Split:
        program = self.program
        made = Split(graph, self.followed, self.outputs, program.backend_name, program.executable)
        texts = [made.forward.source if made.parts.saved else "", made.backward.source]
        family.learn(numbers, texts, (made.parts.saved, made.parts.leaves), made.parts)
        return made

    def _compile(self) -> Split:
        program, sizes = self.program, self.program.sizes
        if sizes is None:
            return Split(program.graph, self.followed, self.outputs, program.backend_name, program.executable)
        return self._halves(program.graph, sizes.halves(self.followed, self.outputs), sizes.numbers)

    def settle(self, proved: Split | None) -> Split:
        """Take the halves that were proved, or compile where they were not."""
        if proved is None:
            assert self.program.sizes is not None
            self.program.sizes.halves(self.followed, self.outputs).failures += 1
            proved = self._compile()
        self._split = proved
        return proved

    def forward(self, arrays: tuple[Any, ...]) -> tuple[Sequence[Any], tuple[Any, ...] | None]:
        """The results for these leaves, and what to save beside the leaves: nothing before the first backward."""
        return (self.program.executable(*arrays), None) if self._split is None else self._split.run(arrays)

    def __repr__(self) -> str:
        return f"<backward of a compiled function in {self.followed}>"


class CompiledCall(Op, family=True):
    """A call of a compiled function on the tape.  Shapes: the leaves -> the outputs.

    What the backward needs is in `saved` of a node, or in `kept` where eager code would save nothing, so that nothing is freed.
    """

    name = "compiled_call"
    inputs, operands, variadic = ("*xs",), ("xs",), True
    attrs = ("backward", "kept")
    torch_name = "CompiledFunctionBackward"

    @classmethod
    def several(cls) -> bool:
        """A compiled call always has a tuple of results."""
        return True

    @staticmethod
    def first_nan(node: Node, g: Any) -> tuple[str, int] | None:
        """The user's line whose derivative makes the first nan."""
        backward: Backward = node.attrs[0]
        arrays, _ = node.saved or node.attrs[1]
        given = [
            np.zeros(node.types[i].shape, node.types[i].dtype)
            if g[i] is None
            else now(g[i])
            if isinstance(g[i], Tensor)
            else g[i]
            for i in backward.outputs
        ]
        return (
            None if backward.deciding is not None else first_nan(backward.graph, [here(a) for a in (*arrays, *given)])
        )

    @staticmethod
    def edges(node: Node) -> range:
        """The positions of the inputs that the step leads to."""
        return range(len(node.inputs))

    @staticmethod
    def reads_saved(node: Node, name: str, position: int) -> bool:
        """Whether the backward needs this leaf: its memory may be written otherwise, as between operators."""
        backward: Backward = node.attrs[0]
        return name != "xs" or position in backward.leaves_read

    @staticmethod
    def vjp(
        F: Ops, node: Node, given: tuple[Any, ...], read: Callable[[Node, int], Any], wanted: Callable[[Any], bool]
    ) -> list[Any]:
        """Run the backward graph operator by operator, so that it is recorded and differentiable in turn."""
        backward: Backward = node.attrs[0]
        if backward.program.remote and node.saved is not None:  # rules read arrays
            check_not_written(node)
            node.saved = (tuple(map(here, node.saved[0])), node.saved[1])
        cotangents = [F.zeros(node.types[i]) if given[i] is None else given[i] for i in backward.outputs]
        arrays, saved = node.saved or node.attrs[1]
        if F is N:  # first order, at a node with hooks
            found: Sequence[Any] = [here(g) for g in backward.split.cotangents(arrays, saved, cotangents)]
        else:
            if node.saved is None:
                leaves = [
                    handle(a, i if isinstance(i, Node) else None)
                    for a, i in zip(map(here, arrays), node.inputs, strict=True)
                ]
            else:
                leaves = [read(node, i) for i in range(len(node.inputs))]
            found = backward.on_tensors(leaves, cotangents)
        parts: list[Any] = [None] * len(node.inputs)
        for i, g, reached in zip(backward.followed, found, backward.reached(given), strict=True):
            parts[i] = g if reached and wanted(node.inputs[i]) else None
        return parts

    @staticmethod
    def back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
        """First order: run the compiled backward on arrays."""
        backward: Backward = node.attrs[0]
        cotangents = [
            np.zeros(node.types[i].shape, node.types[i].dtype) if g[i] is None else np.asarray(g[i])
            for i in backward.outputs
        ]
        arrays, saved = node.saved or node.attrs[1]
        if backward.program.remote and node.saved is not None:
            check_not_written(node)
        found = backward.split.cotangents(arrays, saved, cotangents)
        for i, part, reached in zip(backward.followed, found, backward.reached(g), strict=True):
            if reached:
                source = node.inputs[i]
                before, part = grads.get(source), here(part)
                grads[source] = part if before is None else before + part
