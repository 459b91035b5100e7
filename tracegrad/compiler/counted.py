"""Results that are as large as values say, in a recording inside of one that counts them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.ir.node import make_leaf
from tracegrad.ir.op import Op
from tracegrad.ir.types import Type

if TYPE_CHECKING:
    from tracegrad.compiler.recorder import Trace


def counted_outside(trace: Trace, op: type[Op], operands: Sequence[Any], attrs: tuple[Any, ...]) -> Any:
    """What the operator makes in the recording around this one, which compares how large it is; a capture here."""
    given = [trace.outer(o) if isinstance(o, Tensor) else o for o in operands]
    before, local.trace = local.trace, trace.parent
    try:
        made = getattr(T, op.name)(*given, **dict(zip(op.attrs, attrs, strict=True)))
    finally:
        local.trace = before
    found = []
    for t in made if isinstance(made, tuple) else (made,):
        leaf = make_leaf(Type(t._data.shape, t._data.dtype))
        trace.captured[id(t)] = t, leaf
        trace._captured_nodes[leaf] = t._data
        found.append(handle(t._data, leaf))
        trace._made.append(weakref.ref(found[-1]))
    return tuple(found) if isinstance(made, tuple) else found[0]
