"""What torch's backward steps show of the values they saved: `grad_fn._saved_self`, `grad_fn._raw_saved_self.register_hooks(...)`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tracegrad.autograd.saving import Entry, Hooks, Packed
from tracegrad.dtypes import NUMBERS
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, DifferentiationError, GraphFreedError, MissingAttributeError, explain
from tracegrad.ir.builder import projections
from tracegrad.ir.node import FREED, Node, input_type

PREFIX, RAW_PREFIX = "_saved_", "_raw_saved_"
SECOND = frozenset({"other", "mat2", "exponent", "vec", "tensor", "target"})  # torch's names of second operands


UNKNOWN = object()
LINEAR = frozenset({"add", "sub", "rsub"})
OURS = {"condition": "c", "end": "stop", "negative_slope": "slope"}  # names of torch's that differ from ours
DEFAULTS = {"start": 0, "end": 2**63 - 1}
FACTS: dict[str, Callable[[tuple[int, ...]], Any]] = {
    "self_sym_sizes": tuple,
    "self_sizes": tuple,
    "self_sym_numel": prod,
}
NAMES = {
    **dict.fromkeys(("AddBackward0", "SubBackward0", "RsubBackward1"), "alpha"),
    **dict.fromkeys(
        ("MulBackward0", "DivBackward0", "MaximumBackward0", "MinimumBackward0", "Atan2Backward0"), "other self"
    ),
    **dict.fromkeys(("SumBackward0", "ViewBackward0", "UnsafeViewBackward0", "ExpandBackward0"), "self_sym_sizes"),
    **dict.fromkeys(("NegBackward0", "TBackward0", "CloneBackward0", "ToCopyBackward0"), ""),
    **dict.fromkeys(("LogSoftmaxBackward0", "SoftmaxBackward0"), "dim result"),
    **dict.fromkeys(("MaxBackward0", "MinBackward0", "MedianBackward1"), "dim indices keepdim self_sym_sizes"),
    **dict.fromkeys(("MaxBackward1", "MinBackward1", "ProdBackward0"), "result self"),
    **dict.fromkeys(("AmaxBackward0", "AminBackward0", "LogsumexpBackward0"), "dim keepdim result self"),
    **dict.fromkeys(("CatBackward0", "StackBackward0", "UnsqueezeBackward0", "CumsumBackward0"), "dim"),
    **dict.fromkeys(("SortBackward0", "TopkBackward0"), "dim indices self_sym_sizes"),
    "SqueezeBackward1": "dim self_sym_sizes",
    "DiagonalBackward0": "dim1 dim2 offset self_sym_sizes",
    "SumBackward1": "dim keepdim self_sym_sizes",
    "MeanBackward0": "self_sym_numel self_sym_sizes",
    "MeanBackward1": "dim keepdim self_sym_numel self_sym_sizes",
    "SliceBackward0": "dim end self_sym_sizes start step",
    "SelectBackward0": "dim index self_sym_sizes",
    "IndexBackward0": "indices self_sym_sizes",
    "WhereBackward0": "condition",
    "GatherBackward0": "dim index",
    "DotBackward0": "self tensor",
    "MvBackward0": "self vec",
    **dict.fromkeys(("MmBackward0", "BmmBackward0"), "mat2 self"),
    "TransposeBackward0": "dim0 dim1",
    "PermuteBackward0": "dims",
    "MseLossBackward0": "reduction self target",
    "MaskedFillBackward0": "mask",
    "IndexSelectBackward0": "dim index self_sym_sizes",
    "PowBackward0": "exponent self",
    **dict.fromkeys(("PowBackward1", "PowBackward2"), "exponent result self"),
    "LeakyReluBackward0": "negative_slope self",
}


class SavedTensor:
    """One saved value of a step."""

    __slots__ = ("_node", "_position")

    def __init__(self, node: Node, position: int) -> None:
        self._node, self._position = node, position

    def register_hooks(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        """Keep what pack_hook makes of the value from now on, and give unpack_hook's answer to the derivative.  Raises RuntimeError the second time."""
        if not (callable(pack_hook) and callable(unpack_hook)):
            raise ArgumentError(
                explain("register_hooks", "incompatible function arguments: the hooks must be callable")
            )
        node, at = self._node, self._position
        value = _tensor(node, at)
        if isinstance(node.saved, Packed) or value is None:
            problem = "Calling register_hooks on a saved tensor whose hooks have already been set, or on one that is not saved, is not allowed"
            raise DifferentiationError(explain("register_hooks", problem))
        kept = Packed.__new__(Packed)
        kept.order = list(range(len(node.saved)))
        kept.entries = tuple(
            Entry(Hooks(pack_hook, unpack_hook), value, at >= len(_op(node).operands)) if i == at else v
            for i, v in enumerate(node.saved)
        )
        node.saved = kept


def saved_attribute(node: Node, name: str) -> Any:
    """The value of the attribute `_saved_<name>` or `_raw_saved_<name>` of a step.  Raises AttributeError when it has none, RuntimeError when it was freed."""
    raw = name.startswith(RAW_PREFIX)
    shown = name.removeprefix(RAW_PREFIX).removeprefix(PREFIX)
    op = node.op
    if op is None or not (raw or name.startswith(PREFIX)):
        raise MissingAttributeError(explain("grad_fn", f"this step has no attribute {name!r}"))
    if not raw:
        found = _fact(node, op, shown)
        if found is not UNKNOWN:
            return found
    position = _position(node, shown)
    if position is None:
        raise MissingAttributeError(explain("grad_fn", f"this step has no attribute {name!r}"))
    if node.saved is FREED:
        problem = "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed)"
        raise GraphFreedError(
            explain("saved_tensors", problem, "Pass retain_graph=True to the first backward to keep them")
        )
    return SavedTensor(node, position) if raw else _tensor(node, position)


def saved_names(node: Node, step: str) -> list[str]:
    """The names `_saved_...` and `_raw_saved_...` that torch's step of this name has, as far as this node can show them."""
    op = node.op
    if op is None:
        return []
    known = NAMES.get(step)
    shown = (*op.attrs, "self", "other", "result") if known is None else known.split()
    if node.saved is FREED:  # what was saved is named all the same
        return [PREFIX + name for name in shown]
    found = [name for name in shown if _has(node, name)]
    values = [name for name in found if _fact(node, op, name) is UNKNOWN]
    return [*(PREFIX + name for name in found), *(RAW_PREFIX + name for name in values)]


def _has(node: Node, name: str) -> bool:
    try:
        saved_attribute(node, PREFIX + name)
    except AttributeError:
        return False
    return True


def _fact(node: Node, op: Any, shown: str) -> Any:
    """What a step shows besides tensors; UNKNOWN for another name."""
    if shown in FACTS and node.inputs:
        return FACTS[shown](input_type(node, 0).shape)
    if shown == "alpha" and op.name in LINEAR:
        return 1
    name = OURS.get(shown, shown)
    if name in op.attrs:
        value = node.attrs[op.attrs.index(name)]
        return DEFAULTS.get(shown) if value is None else value
    if shown == "other" and op.name in ("mul", "div") and isinstance(node.inputs[1], NUMBERS):
        return tensor_of(node.inputs[1])
    if shown == "self" and op.name in ("mul", "div") and isinstance(node.inputs[1], NUMBERS):
        return None
    if shown == "indices" and op.name in ("index_one", "index_mask", "index"):
        saved = _tensor(node, 1)
        dims = node.attrs[0] if op.name == "index" else (node.attrs[0],)
        at = dict(zip(dims, saved if op.name == "index" else (saved,), strict=True))
        return tuple(at.get(i) for i in range(max(at) + 1))
    return UNKNOWN


def tensor_of(value: Any) -> Tensor:
    """A Python number as torch keeps it: int64, float64 or complex128."""
    return handle(np.asarray(value), None)


def _op(node: Node) -> Any:
    return node.op


def _position(node: Node, name: str) -> int | None:
    """Where the value stands in Node.saved; None when the rules of the operator do not read it."""
    op = _op(node)
    names = [*op.operands, *op.outputs]
    if name == "result":
        at = len(op.operands)
    elif name == "self":
        at = 0
    elif name in SECOND and len(op.operands) > 1:
        at = 1
    elif name in OURS and OURS[name] in op.operands:
        at = op.operands.index(OURS[name])
    elif name in names:
        at = names.index(name)
    else:
        return None
    return at if at < len(op.saves) and op.saves[at] else None


def _tensor(node: Node, position: int) -> Any:
    op, saved = _op(node), node.saved
    value = None if saved is None else saved[position]
    if isinstance(value, tuple):
        return tuple(handle(v, None) if isinstance(v, np.ndarray) else v for v in value)
    if not isinstance(value, np.ndarray):
        return value
    if position >= len(op.operands):
        if op.outputs[position - len(op.operands)] in op.nondiff_outputs:
            return handle(value, None)
        return handle(value, projections(node)[position - len(op.operands)] if op.several() else node)
    source = node.inputs[position]
    if not isinstance(source, Node):
        return handle(value, None)
    leaf = getattr(source.extra, "tensor", source.extra) if source.op is None else None
    kept = leaf() if callable(leaf) else None
    return kept if kept is not None and kept._data is value else handle(value, source)


__all__ = ["SavedTensor", "saved_attribute", "saved_names"]
