"""Recording in a hurry: elementwise operators on Tensors of one floating dtype, which are most of what programs do, without what the general path asks for all others."""

from __future__ import annotations

import contextvars
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tracegrad.config import local
from tracegrad.dtypes import F32, F64
from tracegrad.eager.dispatch import has_rules
from tracegrad.eager.tensor import Parameter, Tensor, handle
from tracegrad.errors import TracegradError
from tracegrad.ir.node import Node, tick
from tracegrad.ir.op import Op
from tracegrad.ir.raw import raw
from tracegrad.ir.types import Type

_SILENT = contextvars.copy_context()
_SILENT.run(np.seterr, all="ignore")
_silently = _SILENT.run
_PLAIN = (float, int)
_new = object.__new__
_kernels: dict[type[Op], Any] = {}


def kernel(op: type[Op]) -> Any:
    """(function on arrays, whether the result is bool, whether it has rules, whether a number may come first) for an operator that `record_plain` takes; None for all others."""
    promoted = op.elementwise and op.promotion in ("arithmetic", "float", "compare") and not op.promoted
    known = not (op.value_dependent or op.view or op.variadic) and op.pure and bool(op.numpy)
    found = None
    if op.attrs or op.several() or any(i.endswith("?") for i in op.inputs):
        known = False
    if promoted and known and takes_floats(op):
        found = raw(op), op.promotion == "compare", has_rules(op), not op.tensor_first
    _kernels[op] = found
    return found


def takes_floats(op: type[Op]) -> bool:
    """Whether the operator has nothing against operands of the dtypes that are recorded here."""
    try:
        for d in (F32, F64) if op.check_operands is not None else ():
            op.check_operands(*[Type((), d)] * len(op.inputs))
    except TracegradError:
        return False
    return True


def record_plain(trace: Any, op: type[Op], args: tuple[Any, ...], location: Callable[[], Any]) -> Tensor | None:
    """The Tensor that an operator makes, recorded; None where the general path is to look at it: other dtypes, shapes that broadcast, numbers that are arguments."""
    found = _kernels.get(op, op)
    if found is op:
        found = kernel(op)
    if found is None:
        return None
    function, is_bool, has_rules, number_first = found
    dtype: Any = None
    shape: Any = None
    nodes: list[Any] = []
    values: list[Any] = []
    start, needs = trace.start, False
    for a in args:
        if type(a) is Tensor or type(a) is Parameter:
            array = a._data
            if dtype is None:
                dtype, shape = array.dtype, array.shape
                if dtype is not F64 and dtype is not F32:
                    return None
            elif array.dtype is not dtype or array.shape != shape:
                return None
            if "_is_number" in a.__dict__:
                return None
            node = a._node
            if node is None or node.seq <= start:
                node = trace.node_of(a)
            needs = needs or node.needs
            nodes.append(node)
            values.append(array)
        elif type(a) in _PLAIN and (nodes or number_first):
            nodes.append(a)
            values.append(a)
        else:
            return None
    if dtype is None:
        return None
    try:
        array = _silently(function, *values)
    except RuntimeError:  # another thread is inside the context, or the kernel refuses
        return None
    if type(array) is not np.ndarray:
        array = np.asarray(array)
    if array.shape != shape or (array.dtype is not dtype if not is_bool else array.dtype.kind != "b"):
        return None
    if not local.grad_enabled:
        if needs:
            nodes, needs = [trace.constant(n) for n in nodes], False
    elif is_bool or not has_rules:
        needs = False
    node = _new(Node)
    node.op, node.inputs, node.attrs, node.shape, node.dtype = op, tuple(nodes), (), shape, array.dtype
    saved = (*values, array) if needs and op.reads_values else None
    node.saved, node.seq, node.needs, node.extra = saved, tick(), needs, location()
    trace.recorded.add(node)
    made = handle(array, node)
    trace._made.append(weakref.ref(made))
    if local.host is not None:
        sys.setprofile(local.host)
    return made
