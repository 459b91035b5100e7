"""CallTrace: the recording of one call of a compiled function.

Unlike a plain Trace it lets values leave: each read that decides about the program becomes a `Read`, at which replays compare.  Writes to Tensors of the outside world
are recorded as new values of these names; `Outside` puts everything back afterwards, and the replay writes the memory once the whole path is known to be right.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracegrad.compiler.handlers import may_be_caught, succeeded
from tracegrad.compiler.outside import Outside
from tracegrad.compiler.overwritten import Overwritten
from tracegrad.compiler.ownership import INTERNAL
from tracegrad.compiler.readers import COUNT, CUT, READERS, nothing, shape_of, whole_number, whole_value
from tracegrad.compiler.recorded_hooks import Hooks
from tracegrad.compiler.recorder import Trace, user_location
from tracegrad.compiler.traced_numbers import TracedNumber, number_class
from tracegrad.compiler.walk import Walk
from tracegrad.config import local
from tracegrad.dtypes import F64, I64
from tracegrad.eager.dispatch import T
from tracegrad.eager.generator import Generator, Rewinding, default_generator
from tracegrad.eager.tensor import Parameter, Tensor, handle
from tracegrad.eager.views import views_of
from tracegrad.ir.builder import projections
from tracegrad.ir.node import Node, make_node, tick
from tracegrad.ir.op import REGISTRY, Op, result_types
from tracegrad.ir.types import Type
from tracegrad.slots import slots

Location = tuple[str, int] | None
Array = np.ndarray[Any, Any]


class NotCompilable(BaseException):
    """The function does what a program cannot say; it is to run uncompiled.  Not an Exception, so that the user's `except` lets it pass."""

    def __init__(self, reason: str, location: Location) -> None:
        super().__init__(reason)
        self.reason, self.location = reason, location


SHOWN = frozenset(("print", "format"))  # what a replay would not do again
MEMORY = frozenset(("storage", "untyped_storage", "data_ptr", "storage_offset", "dlpack", "pickle", "map2_"))
RESHAPED = frozenset(
    "squeeze_ unsqueeze_ t_ transpose_ swapaxes_ swapdims_ moveaxis_ as_strided_ set_ resize_ resize_as_".split()
)


class Read(NamedTuple):
    """A value that Python code read: its node, when, how, what it was, and the user's line."""

    node: Node
    time: int
    kind: str
    reader: Callable[[Array], Any]
    value: Any
    location: Location


# code that names these looks at the type of a number, or hands it to code written in C that does
TYPES = frozenset(
    "type json Fraction Decimal fractions decimal statistics struct np numpy scipy ctypes Tensor is_tensor pickle".split()
)


class DecidesLate(NotCompilable):
    """A derivative rule decides by the value of a cotangent, which only a backward knows."""


def asks_for_types() -> bool:
    """Whether the user's function that asks for a number may look at its type."""
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(INTERNAL):
            return not TYPES.isdisjoint(code.co_names)
        frame = frame.f_back  # type: ignore[assignment]
    return False


class CallTrace(Trace):
    """The recording of one call; `reads` lists what decided about its course."""

    on_tape = True

    def __init__(self, what: str, cuts: bool = False) -> None:
        super().__init__(what)
        self.cuts = cuts  # whether operators that read values need programs of their own
        self.decisions: list[Read] = []
        self.outside = Outside()
        self.grads_read: dict[int, Tensor] = {}  # whose .grad was looked at before it was set
        self.given_up: tuple[str, Location] | None = None
        self.given: dict[int, int] = {}  # id of an argument's name inside -> its position
        self.subclassed = False  # whether an argument is of a subclass of the user's
        self.derived: dict[int, Tensor] = {}  # arguments that are no leaves, by the id of the name inside
        self.fixed: dict[int, Tensor] = {}  # made of values that were read, so they are the same on this path
        self.floats: dict[int, tuple[Tensor, Any]] = {}  # numbers that stand in places of floats, with these
        self.messages: list[Any] = []  # of debug_print, with the nodes of their values
        self.printed: list[Any] = []
        self.exact = False  # whether .item() gives Python's numbers, by which the course is known
        self.has_numbers = False
        self._varying: dict[Node, bool] = {}
        self.overwritten = Overwritten()
        self.reached: Callable[[Any], bool] = bool  # whether the function could read a thing when the call began
        self._adopted: dict[int, Tensor] = {}
        self._outer: dict[int, Tensor] = {}  # the arguments themselves, which the function should not meet
        self.replaced: Any = None  # the floats in whose places numbers of the recording stand
        self.hooks = Hooks(self)
        self._drawn_from = Rewinding()

    def record(self, op: type[Op], operands: Sequence[Any], attrs: tuple[Any, ...], arrays: tuple[Any, ...]) -> Any:
        """Note one operator; what it makes of values that were read belongs to the path."""
        reads_values = op.value_dependent and not any(op.rules)
        if reads_values and any(isinstance(o, Tensor) and self.varies(self.node_of(o)) for o in operands):
            return self._counted(op, operands, attrs, arrays)
        made = super().record(op, operands, attrs, arrays)
        if "check" in op.attrs and attrs[op.attrs.index("check")] and may_be_caught():
            node = self.node_of(made[0] if isinstance(made, tuple) else made)
            self.decisions.append(Read(node, tick(), "success", succeeded, True, user_location()))
        if reads_values:
            self.fixed.update((id(t), t) for t in (made if isinstance(made, tuple) else (made,)))
        elif op.elementwise and "_is_number" in made.__dict__:
            made.__class__ = number_class(made._data.dtype)
        elif self.subclassed:
            kinds = [
                type(o) for o in operands if isinstance(o, Tensor) and not isinstance(o, (TracedNumber, Parameter))
            ]
            for t in made if isinstance(made, tuple) else (made,):
                t.__class__ = max(kinds, key=lambda kind: len(kind.__mro__), default=Tensor)
        return made

    def _counted(self, op: type[Op], operands: Sequence[Any], attrs: tuple[Any, ...], arrays: tuple[Any, ...]) -> Any:
        """What an operator makes whose result is as large as values say: only how large decides about what follows."""
        nodes, where = tuple([self.constant(self.node_of(o)) for o in operands]), user_location()
        if self.cuts:
            self.decisions += [Read(n, tick(), CUT, nothing, None, where) for n in nodes if isinstance(n, Node)]
        types = tuple([Type(a.shape, a.dtype) for a in arrays])
        node = make_node(op, nodes, attrs, types if op.several() else types[0], needs=False, extra=where)
        pieces = projections(node) if op.several() else (node,)
        for n in dict.fromkeys((node, *pieces)):
            self.recorded.add(n)
        inferred = op.type_rule(tuple([None if o is None else T.type(o) for o in operands]), attrs)
        made = []
        for array, piece, kind in zip(arrays, pieces, result_types(inferred), strict=True):
            if kind.shape != array.shape:
                self.decisions.append(Read(piece, tick(), COUNT, shape_of, array.shape, where))
                piece = make_node(REGISTRY["counted"], (piece,), (), piece.type, needs=False, extra=where)
                self.recorded.add(piece)
            made.append(handle(array, piece))
            self._made.append(weakref.ref(made[-1]))
        if local.host is not None:
            sys.setprofile(local.host)
        return tuple(made) if op.several() else made[0]

    # --- arguments

    def argument(self, outer: Tensor, position: int, number: bool) -> Tensor:
        """The name inside for an argument."""
        t = self.leaf(outer._data, number, outer.requires_grad)
        if type(outer) is not Tensor and type(outer) is not slots.inference_class:
            t.__class__ = type(outer)
            self.subclassed = self.subclassed or not isinstance(outer, Parameter)
        if t._node.needs and outer._node.op is not None:  # type: ignore[union-attr]
            self.derived[id(t)] = outer
        if getattr(outer, "_grad", None) is not None:
            t._grad = outer._grad
        if number:
            t.__class__ = number_class(t._data.dtype)
        self.given[id(t)] = position
        self._outer[id(outer)] = outer
        return t

    def original(self, t: Tensor) -> Tensor | None:
        """The outer Tensor of an argument that is no leaf."""
        return self.derived.get(id(t))

    def is_outside(self, t: Tensor) -> bool:
        """Whether t is of the outside world or an argument, so that a change of it is an effect."""
        return id(t) in self.given or id(t) in self.outside.bases or not self.owns(t)

    # --- values that leave

    decides = counts = True
    stops, postponed = (NotCompilable,), (DecidesLate,)

    def leave(self, t: Tensor, kind: str) -> None:
        """Note that a value decides about what follows."""
        if not self.values_known:
            raise DecidesLate("decides in a derivative rule by the value of a cotangent", user_location())
        whole = t._data.size == 1 and t._data.dtype.kind in "iub"  # whose text is soon seen again
        if kind in SHOWN and not whole and self.varies(self.node_of(t)):
            self.give_up(f"{kind}s a value, which a replay would not do again")
        elif kind in MEMORY:
            raise NotCompilable(f"{kind} gives away the memory of a value", user_location())
        elif self.varies(self.node_of(t)):
            bound = kind.startswith("a bound of") and t._data.size == 1 and t._data.dtype.kind in "iu"
            kind = COUNT if bound else kind
            reader = whole_number if bound else READERS.get(kind, whole_value)
            self.decisions.append(Read(self.node_of(t), tick(), kind, reader, reader(t._data), user_location()))

    def leave_mask(self, t: Tensor) -> None:
        """Values of a mask are not noted: what they select is counted."""
        if not self.values_known:
            self.leave(t, "a boolean mask index")

    def debug(self, message: Any) -> None:
        """Note a message, which every replay prints."""
        self.messages.append(message)
        self.printed += [self.node_of(t) for t in message.tensors]

    def failed(self) -> None:
        """Let later calls run the function itself, if it goes on after an operator has failed."""
        self.give_up("catches an error that an operator raises for some values")

    def give_up(self, reason: str) -> None:
        """Go on, but let later calls run the function itself."""
        if self.given_up is None:
            self.given_up = (reason, user_location())

    def number(self, t: Tensor) -> Any:
        """The one element as a number that stays in the program; None where Python's number must be read."""
        if t._data.size != 1 or t._data.dtype.kind not in "iufV" or not self.varies(self.node_of(t)):
            return None
        if self.exact or asks_for_types():
            self.leave(t, "item")
            return None
        self.has_numbers = True
        made = T.cast(T.reshape(T.detach(t), shape=()), dtype=I64 if t._data.dtype.kind in "iu" else F64)
        made.__dict__["_is_number"] = True
        made.__class__ = number_class(made._data.dtype)
        return made

    def is_known(self, t: Tensor) -> bool:
        """Whether t's value is the same at every replay; that of a Tensor of the outside world may change."""
        return not self.varies(self.node_of(t))

    def varies(self, node: Any) -> bool:
        """Whether a value depends on an argument, a captured Tensor or random numbers."""
        found = self._varying
        stack = [node]
        while stack:
            n = stack[-1]
            if n in found:
                stack.pop()
                continue
            if n.op is None or n.seq <= self.start:
                found[n] = True
                continue
            sources = [i for i in n.inputs if isinstance(i, Node)]
            unknown = [i for i in sources if i not in found]
            if unknown:
                stack.extend(unknown)
            else:
                found[n] = any(found[i] for i in sources)
        return found[node]

    # --- effects

    def check_write(self, base: Tensor, operation: str) -> None:
        """Remember what the base was.  Raises NotCompilable for writes that change more than values."""
        self.overwritten.note(base._data)
        if id(base) in self._outer:
            self.refuse("writes to an argument that it reaches by another way")
        if not self.is_outside(base):
            return
        if operation in RESHAPED:
            raise NotCompilable(f"{operation} changes the form of a Tensor of the outside world", user_location())
        node = base._node
        if node is not None and node.needs and not local.grad_enabled and not self.begins_at(base):
            problem = f"{operation} changes a value of the outside world without its history"
            raise NotCompilable(problem, user_location())
        if id(base) not in self.outside.bases and not self._existed(base):
            raise NotCompilable(f"writes by {operation} to a Tensor that no operator has made", user_location())
        self.outside.save(base)
        if base._node is None:
            base._node = self.node_of(base)

    def begins_at(self, base: Tensor) -> bool:
        """Whether derivatives begin at this name: a leaf of the outside world that requires grad, or one made so inside."""
        if super().begins_at(base):
            return True
        if not self.is_outside(base) or id(base) in self.derived:
            return False
        node = self.outside.bases[id(base)][2] if id(base) in self.outside.bases else base._node
        return node is not None and node.op is None and node.needs

    def adopt(self, t: Tensor) -> None:
        """t was made just now for something of the outside world, which keeps it."""
        self._adopted[id(t)] = t

    def _existed(self, base: Tensor) -> bool:
        """Whether a Tensor without operator was there before the call, rather than made inside from memory that a replay would not make again."""
        if id(base) in self.given or id(base) in self._adopted:
            return True
        grads = [g for _, g in self.outside.grads.values()]
        return any(self.reached(t) or any(t is g for g in grads) for t in (base, *views_of(base)))

    def begin_leaf(self, t: Tensor) -> None:
        """Let derivatives begin at t, which is an effect where t is of the outside world."""
        if self.is_outside(t):
            self.outside.save(t)
        super().begin_leaf(t)

    def end_leaf(self, t: Tensor) -> None:
        """Let no derivative begin at t any more, which is an effect where t is of the outside world."""
        if self.is_outside(t):
            self.outside.save(t)
        super().end_leaf(t)

    def check_intact(self, order: list[Node]) -> None:
        """Raises OverwrittenError for a sweep over these nodes that needs a value which eager code would have overwritten."""
        self.overwritten.check(order)

    def begun_at(self, node: Node) -> Tensor | None:
        """The Tensor whose derivative begins at a node inside, if it still exists."""
        return self.begun[node][0]() if node in self.begun else None

    def check_accumulate(self, t: Tensor) -> None:
        """Note that backward() changes t.grad.  Raises NotCompilable where the sweep left what is recorded."""
        node = t._node
        known = node is not None and (node.seq > self.start or any(n is node for _, n in self.captured.values()))
        if not known or id(t) in self.derived:
            raise NotCompilable("backward() runs on into what was computed outside", user_location())
        self.note_grad(t)

    def note_grad(self, t: Tensor, reads: bool = True) -> None:
        """t.grad is read, or set anew."""
        if id(t) in self._outer:
            self.refuse("reaches the .grad of an argument by another way, such as an optimizer's")
        if self.is_outside(t):
            if reads and id(t) not in self.outside.grads:
                self.grads_read[id(t)] = t
            self.outside.save_grad(t)

    def hook(self, t: Tensor, hook: Any) -> Any:
        """Let the derivative pass through the user's hook.  Returns the table of the value's hooks; None where the tape has them."""
        return self.hooks.table(t, hook)

    def step_hook(self, node: Node) -> None:
        """The tape is to call a hook of a step: that of a backward inside can."""
        self.hooks.on_tape[node] = user_location()

    def readable(self, roots: Sequence[Any]) -> list[Tensor]:
        """The Tensors of this recording that functions and objects can read, as far as is known of the surroundings of functions."""
        if self.replaced is not None:
            self.replaced.__exit__()
        try:
            return [t for t in dict.fromkeys(Walk(roots).tensors) if id(t) in self.given or self.owns(t)]
        finally:
            if self.replaced is not None:
                self.replaced.again()

    def refuse(self, reason: str) -> None:
        """Raises NotCompilable."""
        raise NotCompilable(reason, user_location())

    def random_key(self, generator: Generator = default_generator) -> Tensor:
        """A fresh key of the generator, which can be given back."""
        self._drawn_from.note(generator)
        return super().random_key(generator)

    def give_back(self) -> None:
        """Let the generators draw the same keys again."""
        self._drawn_from.rewind()

    def draws(self) -> list[Generator]:
        """The generators of the random numbers, in the order of the draws."""
        return [generator for _, generator in self.random_keys]
