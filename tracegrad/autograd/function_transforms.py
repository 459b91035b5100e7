"""Functions under the function transforms of func: what torch asks of them there, and the user's own vmap rule."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from tracegrad import config, pytree
from tracegrad.autograd.custom_call import Late
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DifferentiationError, NotSupportedError, PassError, explain
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import N
from tracegrad.ir.types import Type

MAPPING = frozenset({"vmap", "jacfwd"})
FORWARD = frozenset({"jvp", "jacfwd", "linearize", "forward_ad"})


class VmapInfo(NamedTuple):
    """What a Function's vmap is told about the batch."""

    batch_size: int
    randomness: str


def check_transforms(function: type[Any], separate: bool) -> None:
    """Raise torch's errors for a Function that lacks what the transforms that run ask for: setup_context, a rule for vmap, jvp."""
    names = {name for name, _ in local.transforms}
    if not separate and names != {"forward_ad"}:
        raise DifferentiationError(
            explain(
                function.__name__,
                "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), "
                "it must override the setup_context staticmethod",
            )
        )
    if names & MAPPING:
        own = function.vmap is not Late.function.vmap
        if own and function.generate_vmap_rule:
            raise DifferentiationError(
                explain(
                    function.__name__,
                    "it has both generate_vmap_rule=True and an overridden vmap staticmethod",
                    "Set generate_vmap_rule=False or delete the vmap staticmethod",
                )
            )
        if not own and not function.generate_vmap_rule:
            raise DifferentiationError(
                explain(
                    function.__name__,
                    "it does not have vmap support",
                    "Override the vmap staticmethod or set generate_vmap_rule=True",
                )
            )


def check_forward_rule(function: type[Any], args: Sequence[Any]) -> None:
    """Raise NotImplementedError for a Function without jvp where a forward mode may send tangents through it."""
    if local.trace is None or function.jvp is not Late.function.jvp or not forward_mode_runs():
        return
    start = local.trace.start
    if any(isinstance(a, Tensor) and a._node is not None and a._node.seq > start for a in args):
        function.jvp(None)


def forward_mode_runs() -> bool:
    """Whether a recording is made for a forward mode."""
    return any(name in FORWARD for name, _ in local.transforms)


def run_forward(function: type[Any], args: tuple[Any, ...]) -> Any:
    """forward's results; where the call is recorded for a vmap that will use the user's rule, as values of a node that stands for the call."""
    return _deferred(function, args) if _maps_by_hand(function) else function.forward(*args)


def _maps_by_hand(function: type[Any]) -> bool:
    return (
        local.trace is not None
        and function.vmap is not Late.function.vmap
        and any(name in MAPPING for name, _ in local.transforms)
    )


def _deferred(function: type[Any], args: tuple[Any, ...]) -> Any:
    trace, local.trace = local.trace, None
    try:
        results = function.forward(*(handle(a._data, None) if isinstance(a, Tensor) else a for a in args))
    finally:
        local.trace = trace
    items = results if isinstance(results, tuple) else (results,)
    arrays = tuple(r._data for r in items if isinstance(r, Tensor))
    operands = [a for a in args if isinstance(a, Tensor)]
    if not arrays or not operands:
        return results
    randomness = next(r for name, r in reversed(local.transforms) if name in MAPPING)
    given = dict(
        zip(trace.inputs, trace.axes, strict=False)
    )  # where the caller's in_dims have the batch of an argument
    call = Deferred(function, args, arrays, randomness, tuple(given.get(a._node) or 0 for a in operands))
    made = trace.record(FunctionCall, operands, (call,), arrays)
    left = iter(made)
    replaced = tuple(next(left) if isinstance(r, Tensor) else r for r in items)
    return replaced if isinstance(results, tuple) else replaced[0]


class Deferred:
    """One call of a Function that runs when its graph does: for single examples by apply, for batches by the user's vmap.

    mask   which Tensor arguments are batched, along their first axis; None: this is a call for single examples
    axes   per Tensor argument: where the user's vmap gets its batch
    """

    __slots__ = ("args", "axes", "function", "mask", "randomness", "size", "types")

    def __init__(
        self, function: type[Any], args: Sequence[Any], arrays: Sequence[Any], randomness: str, axes: tuple[int, ...]
    ) -> None:
        self.function, self.randomness, self.axes = function, randomness, axes
        self.args = tuple(Tensor if isinstance(a, Tensor) else a for a in args)
        self.types = tuple(Type(a.shape, a.dtype) for a in arrays)
        self.mask: tuple[bool, ...] | None = None
        self.size = 0

    def batched(self, size: int, mask: tuple[bool, ...]) -> Deferred:
        """The call for a batch."""
        if self.mask is not None:
            raise PassError(explain(self.function.__name__, "a call that was mapped already cannot be mapped again"))
        made: Deferred = object.__new__(Deferred)
        made.function, made.args, made.randomness, made.axes = self.function, self.args, self.randomness, self.axes
        made.types = tuple(Type((size, *t.shape), t.dtype) for t in self.types)
        made.mask, made.size = mask, size
        return made

    def __repr__(self) -> str:
        return self.function.__name__

    def __call__(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The results that are Tensors; those of a batch with the batch along their first axis."""
        mapped = self.mask or (False,) * len(tensors)
        placed = [_moved(t, 0, a) if has else t for t, has, a in zip(tensors, mapped, self.axes, strict=True)]
        given = iter(placed)
        args = [next(given) if a is Tensor else a for a in self.args]
        if self.mask is None:
            results = self.function.apply(*args)
            return [r for r in pytree.leaves(results) if isinstance(r, Tensor)]
        flags = iter(zip(self.mask, self.axes, strict=True))
        places = [next(flags) if a is Tensor else (False, 0) for a in self.args]
        in_dims = tuple(axis if has else None for has, axis in places)
        answer = self.function.vmap(VmapInfo(self.size, self.randomness), in_dims, *args)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise DifferentiationError(
                explain(
                    self.function.__name__,
                    "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure compatible with the output, "
                    f"got {type(answer).__name__}",
                )
            )
        return self._placed(*answer)

    def _placed(self, output: Any, out_dims: Any) -> list[Tensor]:
        leaves = output if isinstance(output, tuple) else (output,)
        axes = list(out_dims) if isinstance(out_dims, tuple) else [out_dims] * len(leaves)
        if len(axes) != len(leaves):
            raise DifferentiationError(
                explain(self.function.__name__, f"vmap returned {len(leaves)} outputs but out_dims {out_dims!r}")
            )
        found = []
        for leaf, axis in zip(leaves, axes, strict=True):
            if not isinstance(leaf, Tensor):
                continue
            if axis is None:
                found.append(T.broadcast_to(leaf, shape=(self.size, *leaf._data.shape)))
            else:
                found.append(_moved(leaf, axis, 0))
        return found


def _moved(t: Tensor, source: int, target: int) -> Tensor:
    """t with one axis moved, the others in order."""
    source, target = source % t._data.ndim, target % t._data.ndim
    order = [d for d in range(t._data.ndim) if d != source]
    order.insert(target, source)
    moved: Tensor = t if source == target else T.permute(t, dims=tuple(order))
    return moved


class FunctionCall(Op):
    """The results of a call of a user's Function that runs when the graph runs.  Shapes: as the call's forward gives them.

    Only its batching rule is of interest, which is the user's; its derivative is that of the custom_call behind it.
    """

    inputs, attrs, nondiff = ("*xs",), ("call",), ("xs",)
    function, method = False, False
    samples = ()

    @classmethod
    def several(cls) -> bool:
        """Always: the number of results is the call's."""
        return True

    @staticmethod
    def infer(xs: tuple[Type, ...], call: Deferred) -> tuple[Type, ...]:
        """The types of the results."""
        return call.types

    @staticmethod
    def decompose(F: Ops, xs: tuple[Any, ...], call: Deferred) -> tuple[Any, ...]:
        """The results, where the graph runs eagerly."""
        if F is T:
            return tuple(call(xs))
        if F is N:
            before = config.set_grad_enabled(False)
            try:
                return tuple(t._data for t in call([handle(x, None) for x in xs]))
            finally:
                config.set_grad_enabled(before)
        raise NotSupportedError(
            explain(repr(call), "this call of a Function with its own vmap runs eagerly only; it cannot be compiled")
        )

    @staticmethod
    def batch(F: Ops, size: int, mask: tuple[bool, ...], xs: tuple[Any, ...], call: Deferred) -> Any:
        """The call for a batch."""
        return F.function_call(*xs, call=call.batched(size, mask))


def _run(*xs: Tensor, call: Deferred) -> tuple[Tensor, ...]:
    return tuple(call(xs))


T.__dict__["function_call"] = _run
Late.transforms = sys.modules[__name__]
__all__ = [
    "Deferred",
    "FunctionCall",
    "VmapInfo",
    "check_forward_rule",
    "check_transforms",
    "forward_mode_runs",
    "run_forward",
]
