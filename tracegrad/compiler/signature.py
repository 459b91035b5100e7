"""The signature of a call: what two calls must have in common to run the same program."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tracegrad import dtypes, pytree
from tracegrad.compiler.replay import as_tensor_leaf
from tracegrad.compiler.results import STATIC
from tracegrad.config import local
from tracegrad.eager.tensor import Tensor, handle


class Call(NamedTuple):
    """The arguments of one call.

    leaves   of (args, kwargs), in order        dynamic  for each of them whether it is an input rather than part of the signature
    tensors  the dynamic leaves                 key      the signature: form, leaves, which are the same, grad mode, default dtype
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    leaves: list[Any]
    treedef: pytree.TreeDef
    dynamic: list[bool]
    tensors: list[Tensor]
    key: tuple[Any, ...]


def call_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The call with these arguments, in the modes that hold now.  Raises TypeError for an argument that no signature can hold."""
    leaves, treedef = pytree.flatten((args, kwargs))
    dynamic = [not isinstance(leaf, STATIC) for leaf in leaves]
    tensors = [as_argument(leaf) for leaf, d in zip(leaves, dynamic, strict=True) if d]
    key = (
        treedef,
        tuple([signature_of(leaf, d) for leaf, d in zip(leaves, dynamic, strict=True)]),
        same_ones(tensors),
        local.grad_enabled,
        dtypes.default.float,
    )
    return Call(args, kwargs, leaves, treedef, dynamic, tensors, key)


def same_ones(tensors: list[Tensor]) -> tuple[int, ...]:
    """Which arguments are the same Tensor as an earlier one; () where all differ."""
    if len(tensors) < 2 or len(set(map(id, tensors))) == len(tensors):
        return ()
    first: dict[int, int] = {}
    return tuple([first.setdefault(id(t), i) for i, t in enumerate(tensors)])


def as_argument(leaf: Any) -> Tensor:
    """A dynamic leaf as a Tensor; a Python float becomes a 0-d float64 value that follows the dtypes that it meets."""
    if type(leaf) is Tensor:
        return leaf
    if isinstance(leaf, float) and not isinstance(leaf, np.generic):
        return handle(np.array(leaf, np.float64), None)
    return as_tensor_leaf("compile", leaf)


def signature_of(leaf: Any, dynamic: bool) -> Any:
    """What of a leaf belongs to the signature: its value where it is static, else its class, shape, dtype and whether it requires grad."""
    if not dynamic:
        return (type(leaf), (leaf.start, leaf.stop, leaf.step) if isinstance(leaf, slice) else leaf)
    if isinstance(leaf, float) and not isinstance(leaf, np.generic):
        return float
    data = leaf._data if isinstance(leaf, Tensor) else np.asarray(leaf)
    return (type(leaf), data.shape, data.dtype, isinstance(leaf, Tensor) and leaf.requires_grad)
