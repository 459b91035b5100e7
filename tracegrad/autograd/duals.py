"""Forward mode on the eager tape: a level of dual tensors, whose tangents are pushed through every operator as it runs.

While a level is open the thread's watch sends all operators through the general path (eager/dispatch), which calls `push`.  The tangent of an operator comes from
its graph as passes/jvp derives it, kept for the next call with equal types, and runs on Tensors: tangents have a history of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracegrad import config
from tracegrad.autograd.body import SAVED, SAVED_FORWARD, shown, substituted
from tracegrad.autograd.custom_call import Call, run_forward_rule
from tracegrad.autograd.saving import change_watch
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.repoint import along, put_back_along
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import base_of, path_of, place_in, views_of
from tracegrad.errors import ShapeError, explain
from tracegrad.ir.builder import Builder
from tracegrad.ir.node import BY_SEQUENCE, Node, make_leaf, make_node
from tracegrad.ir.op import Op
from tracegrad.ir.types import Type
from tracegrad.passes.jvp import tangent

ROOT = "_dual_root"  # marks what make_dual returned: a view of the primal that has a tangent of its own
KEPT = 2000  # rules that are kept


class Rule:
    """The tangents of one operator's results, as nodes over its operands, its node and the operands' tangents.

    steps are the nodes to compute, in order; found has one node (or None for zero) per result.
    """

    __slots__ = ("found", "leaves", "moving", "node", "steps")

    def __init__(self, op: type[Op], inputs: Sequence[Any], attrs: Any, results: Any, moving: Sequence[bool]) -> None:
        self.leaves = [make_leaf(i) if isinstance(i, Type) else i for i in inputs]
        self.node = make_node(op, tuple(self.leaves), attrs, results, needs=False)
        self.moving = [make_leaf(i) if moves else None for i, moves in zip(inputs, moving, strict=True)]
        answer = tangent(Builder(), self.node, tuple(self.moving))
        listed = list(answer) if op.several() and answer is not None else [answer]
        self.found: list[Any] = [None] * len(self.node.types) if answer is None else listed
        self.steps = _between(self.found, {self.node, *(n for n in (*self.leaves, *self.moving) if type(n) is Node)})

    def apply(self, operands: Sequence[Any], made: Sequence[Tensor], tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the results `made` of the operator on these operands."""
        values: dict[Node, Any] = {self.node: tuple(made) if self.node.op.several() else made[0]}  # type: ignore[union-attr]
        values.update((n, v) for n, v in zip(self.leaves, operands, strict=True) if type(n) is Node)
        values.update((n, t) for n, t in zip(self.moving, tangents, strict=True) if n is not None)
        for step in self.steps:
            op = step.op
            assert op is not None
            given = [values[i] if type(i) is Node else i for i in step.inputs]
            if op.name == "project":
                values[step] = given[0][step.attrs[0]]
            else:
                values[step] = getattr(T, op.name)(*given, **dict(zip(op.attrs, step.attrs, strict=True)))
        return [values[n] if type(n) is Node else n for n in self.found]


def _between(wanted: Sequence[Any], known: set[Node]) -> list[Node]:
    """The nodes that the wanted ones are made of, besides the known ones, in program order."""
    seen: set[Node] = set()
    stack = [n for n in wanted if type(n) is Node]
    while stack:
        node = stack.pop()
        if node in known or node in seen:
            continue
        seen.add(node)
        stack.extend(i for i in node.inputs if type(i) is Node)
    return sorted(seen, key=BY_SEQUENCE)


_rules: dict[Any, Rule] = {}


def _rule(op: type[Op], operands: Sequence[Any], attrs: Any, made: Sequence[Tensor], moving: Sequence[bool]) -> Rule:
    inputs = [Type(a._data.shape, a._data.dtype) if isinstance(a, Tensor) else a for a in operands]
    results = tuple(Type(t._data.shape, t._data.dtype) for t in made)
    key = (op, tuple((type(i), i) for i in inputs), attrs, tuple(moving), results)
    found = _rules.get(key)
    if found is None:
        if len(_rules) >= KEPT:
            _rules.clear()
        found = _rules[key] = Rule(op, inputs, attrs, results if op.several() else results[0], moving)
    return found


class Level:
    """One forward-mode level: which Tensors have tangents in it."""

    def __init__(self) -> None:
        self.saved: dict[int, tuple[Any, Tensor]] = {}  # tangents of what the tape saved: by the array's identity

    def tangent(self, t: Tensor) -> Tensor | None:
        """The tangent of t at this level."""
        found = t.__dict__.get("_dual")
        return found[1] if found is not None and found[0] is self else None

    def give(self, t: Tensor, tangent: Tensor | None) -> None:
        """Make this t's tangent."""
        if tangent is None:
            t.__dict__.pop("_dual", None)
            return
        t.__dict__["_dual"] = (self, tangent)
        self.saved[id(t._data)] = (t._data, tangent)

    def restore(self, t: Any) -> Any:
        """A Tensor made anew from what the tape saved, with the tangent that the value had."""
        if isinstance(t, Tensor):
            found = self.saved.get(id(t._data))
            if found is not None:
                t.__dict__["_dual"] = (self, found[1])
        return t

    def suspend(self) -> Any:
        """Push nothing until `config.set_watch` is given what this returns."""
        return change_watch(duals=None)

    def push(self, op: type[Op], operands: Sequence[Any], attrs: Any, made: Sequence[Tensor]) -> None:
        """Give the results of an operator their tangents."""
        tangents = [self.tangent(a) if isinstance(a, Tensor) else None for a in operands]
        if all(t is None for t in tangents):
            return
        if not (any(op.rules) or op.jvp is not None or hasattr(op, "push")):
            return
        watch = self.suspend()
        try:
            rule = _rule(op, operands, attrs, made, [t is not None for t in tangents])
            found = rule.apply([_primal(a) for a in operands], [_primal(t) for t in made], tangents)
        finally:
            config.set_watch(watch)
        for t, found_tangent in zip(made, found, strict=True):
            if found_tangent is not None and t._data.dtype.kind in "fcV":
                self.give(t, found_tangent)

    def copied(self, t: Tensor, to: Tensor) -> Tensor:
        """`to`, which holds t's value, with t's tangent."""
        found = self.tangent(t)
        if found is not None:
            self.give(to, found)
        return to

    def written(self, t: Tensor, new: Tensor) -> None:
        """After t was given the value of `new` in place: its tangent, and those of what shares its memory."""
        root = _root(t)
        found, whole = self.tangent(new), self.tangent(root)
        if found is None and whole is None:
            return
        watch = self.suspend()
        try:
            found = _like(found, t)
            if root is not t:
                found = _with_part(root, _like(whole, root), t, found)
            self.give(root, found)
            for view in views_of(base_of(t)):
                if view is not root and _root(view) is root:
                    self.give(view, _part(root, found, view))
        finally:
            config.set_watch(watch)

    def through_function(self, call: Call, tangents: Sequence[Any], finished: Any) -> None:
        """Give the results of an autograd.Function their tangents, by its jvp."""
        ctx = call.ctx
        listed = finished if isinstance(finished, tuple) else (finished,)
        results = [r for r in listed if isinstance(r, Tensor)]
        call.results = tuple(isinstance(r, Tensor) for r in listed)
        given = [
            t if t is not None or not ctx.materialize_grads or kind is None else T.zeros(kind)
            for t, kind in zip(tangents, call.kinds, strict=True)
        ]
        kept, saved = ctx._unpack, ctx._to_save_forward
        watch = self.suspend()
        try:
            follows = call.body is not None and local.grad_enabled
            replaced, broken = call.body.recompute() if follows else ({}, [])
            forward = {key[0][1]: t for key, t in replaced.items() if key[0][0] == SAVED_FORWARD}
            with substituted(ctx, {key: t for key, t in replaced.items() if key[0][0] not in (SAVED, SAVED_FORWARD)}):
                ctx._unpack = lambda: tuple(forward.get(i, t) for i, t in enumerate(saved))
                found = run_forward_rule(call, [t for t, k in zip(given, call.arguments, strict=True) if k], results)
            if broken:
                sources = [a for a in call.body.args if isinstance(a, Tensor) and a.requires_grad]
                found = call.guard(found, ", ".join(map(shown, broken)), sources, call.name)
        finally:
            config.set_watch(watch)
            ctx._unpack = kept
        for r, found_tangent in zip(results, found, strict=True):
            if found_tangent is not None:
                self.give(r, found_tangent)


def _primal(operand: Any) -> Any:
    """The value alone: what the tape saves of it has no tangent, so that the derivative of a tangent has none either."""
    return handle(operand._data.view(), operand._node) if isinstance(operand, Tensor) else operand


def _root(t: Tensor) -> Tensor:
    """The Tensor whose tangent those of its views are parts of: the base, or the dual tensor on the way to it."""
    while ROOT not in t.__dict__ and hasattr(t, "_view"):
        t = t._view[0]
    return t


def _path(root: Tensor, t: Tensor) -> list[Any]:
    return path_of(t)[len(path_of(root)) :]


def _with_part(root: Tensor, whole: Tensor, t: Tensor, part: Tensor) -> Tensor:
    """The root's tangent with the elements that t shows replaced."""
    place = place_in(root._data, t._data)
    if place is None:
        return put_back_along(whole, _path(root, t), part)
    return T.copy_slices(whole, part, strides=place.strides, offset=place.offset)  # type: ignore[no-any-return]


def _part(root: Tensor, whole: Tensor, view: Tensor) -> Tensor:
    """The elements of the root's tangent that a view shows."""
    place = place_in(root._data, view._data)
    if place is None:
        return along(whole, _path(root, view))
    return T.strided_view(whole, shape=view._data.shape, strides=place.strides, offset=place.offset)  # type: ignore[no-any-return]


def _like(tangent: Tensor | None, t: Tensor) -> Tensor:
    """The tangent in t's dtype; zeros where there is none."""
    if tangent is None:
        return T.zeros(Type(t._data.shape, t._data.dtype))  # type: ignore[no-any-return]
    return T.as_dtype(tangent, t._data.dtype)  # type: ignore[no-any-return]


def current() -> Level | None:
    """The level of this thread."""
    return None if local.watch is None else local.watch.duals


def make_dual(level: Level, t: Tensor, tangent: Tensor) -> Tensor:
    """A view of t with this tangent.  Raises RuntimeError for another shape."""
    if t._data.shape != tangent._data.shape:
        raise ShapeError(
            explain(
                "make_dual",
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
                f"Tensor is of size {list(t._data.shape)} while the given forward gradient is of size {list(tangent._data.shape)}",
            )
        )
    watch = level.suspend()
    try:
        made: Tensor = T.reshape(t, shape=t._data.shape)
    finally:
        config.set_watch(watch)
    if made._data is t._data:
        made._data = t._data.view()
    made.__dict__[ROOT] = True
    level.give(made, tangent)
    return made


__all__ = ["Level", "current", "make_dual"]
