"""The sweep by the operators' rules as they stand: on Tensors, where it is recorded in turn, and on arrays in anomaly mode."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.accumulation import reach_leaf
from tracegrad.autograd.anomaly import Anomaly, check_parts, warn_about
from tracegrad.autograd.grad_fn import HIDDEN, GradFn, differentiable_positions
from tracegrad.autograd.hooks import Extra, run_after_step, run_before_step, run_hooks, run_last_step
from tracegrad.autograd.saving import reading_once
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, GraphFreedError, explain
from tracegrad.ir.builder import projection
from tracegrad.ir.node import FREED, Node
from tracegrad.ir.prelude import Ops
from tracegrad.ir.sweep import cotangents_of_inputs, sweep


def generic_sweep(
    F: Ops,
    order: list[Node],
    roots: list[Node],
    given: list[Any],
    targets: set[Node] | None,
    keep: bool,
    create_graph: bool,
    into_leaves: bool,
) -> dict[Node, Any]:
    """The same sweep by the generic rules: on Tensors (F = T) the derivative is recorded like any other code; on arrays (F = N) in anomaly mode."""
    cotangents = _at_roots(F, roots, given)
    at: Node | None = None
    captured: dict[Node, Any] = {}  # of targets with hooks: what is there before these make something of it
    inside = set(order)

    def arrived(node: Node, g: Any) -> Any:
        nonlocal at
        at = node
        if Anomaly.enabled and create_graph and node.op is not None and node.op.name != "project":
            local.inducing = node
        if type(node.extra) is not Extra:
            return g
        target = targets is not None and node in targets
        ends = target and not goes_on(node, inside)
        before, g = g, run_hooks(node, g)
        if target:
            captured[node] = g if ends or into_leaves else before
        if node.op is None or not node.extra.before_step or ends:
            return g
        answer = run_before_step(node, g)
        return _zeros(F, g) if answer is None else answer

    def left(node: Node, parts: list[Any], g: Any) -> list[Any]:
        if Anomaly.enabled and Anomaly.check_nan:
            check_parts(node, parts, g)
        return run_after_step(node, parts, g) if type(node.extra) is Extra and node.extra.after_step else parts

    read = reading_once(_reader() if F is T else read_raw)
    previous, induced_by = config.set_grad_enabled(create_graph), local.inducing
    try:
        with np.errstate(all="ignore"):
            done = sweep(F, order, cotangents, read, arrived=arrived, left=left)
    except Exception:
        if Anomaly.enabled:
            warn_about(at)
        raise
    finally:
        config.set_grad_enabled(previous)
        local.inducing = induced_by
    if into_leaves:
        reach_leaves(order, done, targets, create_graph)
    if not keep:
        release(order, targets)
    done |= captured
    return {n: g for n, g in done.items() if targets is None or n in targets}


def _at_roots(F: Ops, roots: list[Node], given: list[Any]) -> dict[Node, Any]:
    """The cotangents that a sweep begins with: their sum for a root that is named twice."""
    cotangents: dict[Node, Any] = {}
    for node, g in zip(roots, given, strict=True):
        before = cotangents.get(node)
        cotangents[node] = g if before is None else F.add(before, g)
    return cotangents


def arrive(
    node: Node, g: Any, found: dict[Node, Any], targets: set[Node] | None, inside: set[Node], into_leaves: bool
) -> tuple[Any, bool]:
    """What a complete cotangent meets in a first-order sweep before the step of its node: capture, hooks, the leaf's `.grad`.

    Returns it as the hooks left it, and whether the sweep goes on behind the node.
    """
    wanted = targets is None or node in targets
    ends = targets is not None and wanted and not goes_on(node, inside)
    hooked = type(node.extra) is Extra
    if targets is not None and wanted:
        found[node] = g
    if hooked:
        g = run_hooks(node, g)
        if ends or into_leaves:  # torch captures what a step is given that goes on before its tensor's hooks
            found[node] = g
    if node.op is None:
        if into_leaves and wanted:
            reach_leaf(node, g, False)
    elif ends and into_leaves and hooked:
        run_last_step(node, g)
    return g, not (ends or node.op is None)


def _zeros(F: Ops, g: Any) -> Any:
    if isinstance(g, list):
        return [None if part is None else F.zeros(F.type(part)) for part in g]
    return F.zeros(F.type(g))


def reach_leaves(order: list[Node], done: dict[Node, Any], targets: set[Node] | None, create_graph: bool) -> None:
    """Add the cotangents that a sweep found for leaves to their `.grad`."""
    for node in order:
        if node.op is None and node in done and (targets is None or node in targets):
            reach_leaf(node, done[node], create_graph)


def _reader() -> Any:
    """read_saved; inside a level of forward mode the values come with the tangents that they had."""
    duals = None if local.watch is None else local.watch.duals
    return read_saved if duals is None else lambda *place: duals.restore(read_saved(*place))


def release(order: list[Node], targets: set[Node] | None) -> None:
    """Free what the nodes of a sweep saved."""
    inside = set(order)
    for node in order:
        if (
            node.saved is not None
            and node.op is not None
            and (targets is None or node not in targets or goes_on(node, inside))
        ):
            node.saved = FREED


def read_saved(node: Node, position: int, opened: Any = None) -> Any:
    """The value that `node` saved for an input (position >= 0) or a result (-1 - index), as a Tensor with its history.

    `opened`: the saved values if they are unpacked already.
    """
    op, saved = node.op, node.saved if opened is None else opened
    assert op is not None
    last = len(op.operands) - 1
    if position < 0:
        value = saved[len(op.operands) - 1 - position]
        source = projection(node, -1 - position) if op.several() else node
        return handle(value, source)
    value = saved[last][position - last] if op.variadic and position >= last else saved[position]
    source = node.inputs[position]
    return handle(value, source if isinstance(source, Node) else None) if isinstance(value, np.ndarray) else value


def goes_on(node: Node, inside: set[Node]) -> bool:
    """Whether the sweep has to go through this target to reach another one."""
    return any(type(i) is Node and i in inside for i in node.inputs)


def read_raw(node: Node, position: int, opened: Any = None) -> Any:
    """The value that `node` saved for an input or a result (as read_saved), as an array."""
    op, saved = node.op, node.saved if opened is None else opened
    assert op is not None
    last = len(op.operands) - 1
    if position < 0:
        return saved[len(op.operands) - 1 - position]
    return saved[last][position - last] if op.variadic and position >= last else saved[position]


def apply_step(view: GradFn, *gradients: Any) -> Any:
    """`grad_fn(*gradients)`: the gradients that this step gives for those of its results, recorded if grad mode is on; a tuple where it has several edges.

    AccumulateGrad adds to `.grad` and returns ().  Raises TypeError for another number of gradients than the step has results, or for what is no Tensor.
    """
    node = view._node
    if len(gradients) != len(node.types):
        raise ArgumentError(explain(view.name(), f"expected {len(node.types)} arguments, got {len(gradients)} instead"))
    for i, g in enumerate(gradients):
        if g is not None and not isinstance(g, Tensor):
            raise ArgumentError(explain(view.name(), f"argument {i} is not a Variable"))
    if node.op is None:
        if gradients[0] is not None:
            reach_leaf(node, gradients[0], local.grad_enabled)
        return ()
    if node.saved is FREED:
        raise GraphFreedError(explain(view.name(), "Trying to backward through the graph a second time", "Pass retain_graph=True to the first call to keep it"))  # fmt: skip
    positions = differentiable_positions(node)
    if all(g is None for g in gradients):
        answers: tuple[Any, ...] = (None,) * len(positions)
    else:
        with np.errstate(all="ignore"):
            parts = cotangents_of_inputs(T, node, gradients, reading_once(read_saved), _is_node)
            answers = tuple(_through_hidden(node.inputs[i], parts[i]) for i in positions)
    return answers[0] if len(answers) == 1 else answers


def _through_hidden(source: Any, g: Any) -> Any:
    """The gradient as it arrives behind the steps that torch's graph does not have."""
    while g is not None and _is_node(source) and source.op is not None and source.op.name in HIDDEN:
        g, source = cotangents_of_inputs(T, source, (g,), read_saved, _is_node)[0], source.inputs[0]
    return g


def _is_node(value: Any) -> bool:
    return type(value) is Node


GradFn.__call__ = apply_step  # type: ignore[method-assign]
__all__ = ["arrive", "generic_sweep", "goes_on", "reach_leaves", "read_raw", "read_saved", "release"]
