"""Derivative rules in recordings that decide by the values of cotangents: no template can say what they do, so they run whenever a backward does.

What such a rule can read of the recording (saved tensors, what is on ctx, what it closes over) are operands of its step: wherever the step is built anew, the
names that the user's code has stand for the values there.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.custom_call import Call, Late, run_backward
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DifferentiationError, explain
from tracegrad.ir.node import Node
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import N


class LateRules:
    """How to run the user's backward of one recorded call.

    names   Tensors of the recording that it can read, with their nodes in `call.boundary`
    roots   functions and objects from which all is reached that it reads
    saved   for each saved tensor its place in (results, names, arguments), or the Tensor of the outside world itself
    """

    def __init__(self, call: Call, names: list[Tensor], saved: list[Any], roots: list[Any]) -> None:
        self.call, self.names, self.saved, self.roots = call, names, saved, roots
        self.recording = weakref.ref(local.trace)
        self._lock = threading.RLock()

    def gradients(self, F: Ops, node: Node, given: tuple[Any, ...], read: Callable[[Node, int], Any]) -> list[Any]:
        """The gradients of the arguments.  Raises DifferentiationError for what is no backward of values."""
        call = self.call
        first = call.count + len(call.boundary)
        types = [i.type if isinstance(i, Node) else i for i in node.inputs[first:]]
        if F is T and local.trace is not None and local.trace is self.recording():
            return run_backward(call, node.types, types, list(given))
        if F is not T and F is not N:
            problem = "its backward decides by the value of a gradient, which no graph can"
            raise DifferentiationError(explain(call.name, problem))
        values = [read(node, i) for i in range(-1, -1 - call.count, -1)]
        values += [read(node, i) for i in range(call.count, len(node.inputs))]
        if F is T:
            with self._standing_for(values):
                return run_backward(call, node.types, types, list(given))
        before = config.set_grad_enabled(False)
        try:
            with self._standing_for([handle(v, None) for v in values]):
                cotangents = [None if g is None else handle(np.asarray(g), None) for g in given]
                parts = run_backward(call, node.types, types, cotangents)
        finally:
            config.set_grad_enabled(before)
        return [None if p is None else p._data for p in parts]

    @contextmanager
    def _standing_for(self, values: Sequence[Tensor]) -> Iterator[None]:
        """Let the names stand for the values of one run: the results, what can be read, the arguments."""
        call, ctx = self.call, self.call.ctx
        inner = values[call.count : call.count + len(self.names)]
        with self._lock:
            before = [(t, t._data, t._node) for t in self.names]
            unpack = ctx._unpack
            for t, value in zip(self.names, inner, strict=True):
                t._data, t._node = value._data, value._node
            ctx._unpack = lambda raw=False: tuple([values[s] if isinstance(s, int) else s for s in self.saved])
            try:
                yield
            finally:
                ctx._unpack = unpack
                for t, data, node in before:
                    t._data, t._node = data, node


def late_rules(call: Call, ctx: Any, sources: list[Tensor], results: list[Tensor]) -> list[Tensor]:
    """Let the call's backward run late; returns the Tensors of the recording that it can read (the call's boundary)."""
    trace = local.trace
    user = call.function.vjp if call.function.vjp is not Late.function.vjp else call.function.backward
    roots = [user, {k: v for k, v in ctx.__dict__.items() if not k.startswith("_")}]
    own = {id(t) for t in (*results, *sources)}
    kept = [t for t in ctx._to_save if t is not None and id(t) not in own]
    names = list(dict.fromkeys([*trace.readable(roots), *trace.readable([kept])]))
    places = {id(t): i for i, t in enumerate((*results, *names, *sources))}
    listed = [places.get(id(t), t) if t is not None else None for t in ctx._to_save]
    call.boundary = tuple([trace.node_of(t) for t in names])
    call.late = LateRules(call, names, listed, roots)
    return names


__all__ = ["LateRules", "late_rules"]
