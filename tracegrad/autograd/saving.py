"""What happens to the values that the tape keeps: saved-tensor hooks, and the watch through which a thread sees its new nodes."""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tracegrad import config
from tracegrad.autograd.hooks import extra_of, refuse_recorded
from tracegrad.config import UserCode, local
from tracegrad.eager.clock import owner, version, written_since
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DifferentiationError, OverwrittenError, explain
from tracegrad.ir.node import Node, tick
from tracegrad.ir.types import Type

PARENT = "parent_"  # and under this one the node whose backward made it
TRACEBACK = "traceback_"  # under this name a node's metadata hold where it was made


class Hooks(NamedTuple):
    """A pair of saved-tensor hooks, and the pair that is in force again behind it."""

    pack: Callable[[Tensor], Any]
    unpack: Callable[[Any], Tensor]
    outer: Any = None


class Watch:
    """What one thread does with every node that it puts on the tape.

    hooks     the saved-tensor hooks in force, or None
    disabled  the message of disable_saved_tensors_hooks, or None
    located   whether nodes remember where they were made (anomaly mode)
    duals     the forward-mode level (autograd/duals) that pushes tangents through every operator, or None
    inference whether the thread is in inference mode, where all operators take the general path
    """

    __slots__ = ("disabled", "duals", "hooks", "inference", "located")

    def __init__(
        self,
        hooks: Hooks | None = None,
        disabled: str | None = None,
        located: bool = False,
        inference: bool = False,
        duals: Any = None,
    ) -> None:
        self.hooks, self.disabled, self.located = hooks, disabled, located
        self.inference, self.duals = inference, duals

    def made(self, node: Node, operands: list[Any], results: tuple[Tensor, ...]) -> None:
        """A node is complete: its saved values are packed, its place in the user's program is noted."""
        if self.hooks is not None and isinstance(node.saved, tuple):
            node.saved = Packed(self.hooks, node, operands, results)
        if self.located:
            self.locate(node)

    def locate(self, node: Node) -> None:
        """Note where the program stands, in the metadata of the node."""
        extra = extra_of(node)
        extra.metadata = {**(extra.metadata or {}), TRACEBACK: _stack_of_user()}
        if local.inducing is not None:
            extra.metadata[PARENT] = local.inducing


_PACKAGE = __file__.rpartition("autograd")[0]


def user_frame() -> Any:
    """The innermost frame outside this package."""
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<generated ")):
        frame = frame.f_back
    return frame


def change_watch(**fields: Any) -> Any:
    """Change fields of this thread's watch; returns the watch that was in force, for `config.set_watch`."""
    now = local.watch
    known = {name: getattr(now, name) for name in Watch.__slots__} if now is not None else {}
    made = Watch(**{**known, **fields})
    needed = made.hooks or made.disabled is not None or made.located or made.inference or made.duals is not None
    return config.set_watch(made if needed else None)


class Entry:
    """One packed value: what pack made of it, and what is needed to see that unpack gives it back."""

    __slots__ = ("is_result", "memory", "packed", "seq", "source", "type", "unpack")

    def __init__(self, hooks: Hooks, tensor: Tensor, is_result: bool) -> None:
        before, count = config.set_grad_enabled(False), version(tensor)
        try:
            packed = hooks.pack(tensor)
        finally:
            config.set_grad_enabled(before)
        if version(tensor) != count:
            raise DifferentiationError(
                explain(
                    "saved_tensors_hooks",
                    "A saved tensor pack hook is modifying its input in place. "
                    "Tensors provided as input to pack hook can not be modified by in-place operations",
                    "Return a new tensor",
                )
            )
        self.unpack, self.type, self.seq = hooks.unpack, Type(tensor._data.shape, tensor._data.dtype), tick()
        self.memory = weakref.ref(owner(tensor._data))
        # a result is not kept by its own node: that would be a cycle
        self.is_result = is_result and packed is tensor
        self.source = weakref.ref(tensor._node) if self.is_result and tensor._node is not None else None
        self.packed = tensor._data if self.is_result else packed

    def read(self) -> Any:
        """The array that unpack gives.  Raises TypeError for anything but a Tensor, RuntimeError for another shape or dtype or an overwritten value."""
        packed = (
            handle(self.packed, self.source() if self.source is not None else None) if self.is_result else self.packed
        )
        answer = self.unpack(packed)
        if not isinstance(answer, Tensor):
            problem = f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(answer).__name__}"
            raise ArgumentError(explain("saved_tensors_hooks", problem))
        data = answer._data
        if data.shape != self.type.shape or data.dtype.kind != self.type.dtype.kind:
            problem = "unpack gave a tensor of another type than the one that was packed"
            raise DifferentiationError(
                explain("saved_tensors_hooks", problem, packed=self.type, unpacked=Type(data.shape, data.dtype))
            )
        memory = owner(data)
        if memory is self.memory() and written_since(memory, self.seq):
            raise OverwrittenError(
                explain(
                    "saved_tensors_hooks",
                    "one of the variables needed for gradient computation has been modified by an inplace operation",
                    "Let the pack hook clone() what it keeps, or write the update out of place",
                    value=self.type,
                )
            )
        return data if data.dtype == self.type.dtype else data.astype(self.type.dtype)


class Packed:
    """The saved values of a node, packed; reading one unpacks it.  Stands for the tuple that Node.saved is otherwise.

    Packed and unpacked in torch's order, which is that of its names: `other` before `self`, results last.
    """

    __slots__ = ("entries", "order")

    def __init__(self, hooks: Hooks, node: Node, operands: list[Any], results: tuple[Tensor, ...]) -> None:
        UserCode.possible = True
        op, saved = node.op, node.saved
        assert op is not None
        groups = [*op.group(tuple(operands)), *results]
        count = len(groups) - len(results)
        self.order = _order(op, len(saved))
        packed = {i: _packed(hooks, saved[i], groups[i], i >= count) for i in self.order}
        self.entries = tuple(packed[i] for i in range(len(saved)))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.opened())

    def opened(self) -> tuple[Any, ...]:
        """All values, unpacked in order."""
        found = {i: _read(self.entries[i]) for i in self.order}
        return tuple(found[i] for i in range(len(self.entries)))

    def __getitem__(self, position: int) -> Any:
        return _read(self.entries[position])


NATURAL = frozenset({"dot", "mse_loss", "mv"})  # torch's name of their second operand comes behind `self`
_orders: dict[Any, list[int]] = {}


def _order(op: Any, count: int) -> list[int]:
    """The positions of a node's saved values in the order of torch's names for them."""
    found = _orders.get((op, count))
    if found is None:
        operands = ["other" if i == 1 and name in ("y", "b") else name for i, name in enumerate(op.operands)]
        operands[:1] = ["self" if name in ("x", "a") else name for name in operands[:1]]
        inputs = sorted(range(len(operands)), key=None if op.name in NATURAL else operands.__getitem__)
        found = _orders[op, count] = [*inputs, *range(len(operands), count)]
    return found


def _packed(hooks: Hooks, value: Any, tensor: Any, is_result: bool) -> Any:
    if isinstance(value, tuple):
        return tuple(_packed(hooks, v, t, is_result) for v, t in zip(value, tensor, strict=True))
    if type(value) is not np.ndarray:
        return value
    return Entry(hooks, tensor if isinstance(tensor, Tensor) else handle(value, None), is_result)


def _read(entry: Any) -> Any:
    """The value of an entry; what unpack computes is not recorded."""
    if type(entry) is not Entry:
        return tuple(_read(e) for e in entry) if type(entry) is tuple else entry
    before = config.set_grad_enabled(False)
    try:
        return entry.read()
    finally:
        config.set_grad_enabled(before)


def reading_once(read: Callable[..., Any]) -> Callable[[Node, int], Any]:
    """A reader of saved values that unpacks each of a node's values once, however many rules read it, and all of them at the first."""
    known: dict[int, Any] = {}
    last: list[Any] = [None, ()]

    def reader(node: Node, position: int) -> Any:
        saved = node.saved
        if type(saved) is not Packed:
            return read(node, position)
        if last[0] is not node:
            known.clear()
            last[:] = node, saved.opened()
        if position not in known:
            known[position] = read(node, position, last[1])
        return known[position]

    return reader


def current_hooks() -> Hooks | None:
    """The saved-tensor hooks of this thread."""
    return None if local.watch is None else local.watch.hooks


class saved_tensors_hooks:  # noqa: N801
    """Pass every value that the tape saves inside the block through `pack_hook`, and what that returned through `unpack_hook` when a derivative needs it.

    pack_hook(tensor) may return anything; unpack_hook must return a Tensor of the same shape and kind.  The innermost pair is in force.
    Raises RuntimeError while `disable_saved_tensors_hooks` is in force, TypeError for hooks that cannot be called.
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if not (callable(self.pack_hook) and callable(self.unpack_hook)):
            raise ArgumentError(explain("saved_tensors_hooks", "pack_hook and unpack_hook must be functions"))
        if local.watch is not None and local.watch.disabled is not None:
            raise DifferentiationError(local.watch.disabled)
        if type(self) is saved_tensors_hooks:
            refuse_recorded("passes saved values through functions")
        change_watch(hooks=Hooks(self.pack_hook, self.unpack_hook, current_hooks()))

    def __exit__(self, *_exception: object) -> None:
        """The innermost pair goes, whichever block ends: blocks that end in another order leave nothing in force."""
        hooks = current_hooks()
        change_watch(hooks=None if hooks is None else hooks.outer)


class save_on_cpu(saved_tensors_hooks):  # noqa: N801
    """Keep saved values on the CPU, where every tensor is here: values are kept as they are.  pin_memory and device_type have no effect."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: (t.device, t.cpu()), lambda packed: packed[1].to(packed[0]))


class disable_saved_tensors_hooks:  # noqa: N801
    """Inside the block, entering `saved_tensors_hooks` raises RuntimeError with this message.  Raises it at once if hooks are in force."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message
        self._before: list[Any] = []

    def __enter__(self) -> None:
        if current_hooks() is not None:
            raise DifferentiationError(self.error_message)
        self._before.append(None if local.watch is None else local.watch.disabled)
        change_watch(disabled=self.error_message)

    def __exit__(self, *_exception: object) -> None:
        change_watch(disabled=self._before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, run with the hooks disabled."""

        def run(*args: Any, **kwargs: Any) -> Any:
            with disable_saved_tensors_hooks(self.error_message):
                return function(*args, **kwargs)

        return run


__all__ = [
    "Entry",
    "Hooks",
    "Packed",
    "Watch",
    "change_watch",
    "current_hooks",
    "disable_saved_tensors_hooks",
    "reading_once",
    "save_on_cpu",
    "saved_tensors_hooks",
    "user_frame",
]


def _stack_of_user() -> list[str]:
    """The lines of the user's call stack.  The module that formats them takes a thirtieth of this package's import and serves anomaly mode alone."""
    lines: list[str] = importlib.import_module("traceback").format_stack(user_frame())
    return lines
