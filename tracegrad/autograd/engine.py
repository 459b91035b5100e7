"""The backward engine: `backward` and `grad` over the tape.

First order runs the generated rules on raw arrays; `create_graph` runs the same rules on Tensors, which are recorded in turn.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tracegrad.autograd.accumulation import accumulate, own, reach_leaf
from tracegrad.autograd.anomaly import Anomaly
from tracegrad.autograd.arguments import root_gradients, root_node, target_nodes, targets_of, tensors_of
from tracegrad.autograd.generic import arrive, generic_sweep, read_raw
from tracegrad.autograd.hooks import (
    Extra,
    hooked_leaves,
    leaves_when_complete,
    retain_grad,
    run_after_step,
    run_before_step,
    sweeps_with_hooks,
)
from tracegrad.autograd.intact import intact
from tracegrad.autograd.masked import walk_twice
from tracegrad.autograd.nested import Sweep, run_with_user_code, silent_context, silently
from tracegrad.autograd.saving import Packed, reading_once
from tracegrad.config import GENERATED, UserCode, local
from tracegrad.dtypes import F32, F64
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import backward_function
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentValueError, DifferentiationError, IndexingError, explain
from tracegrad.ir.masking import masks_matter
from tracegrad.ir.node import BY_RULES, FREED, Node
from tracegrad.ir.op import REGISTRY, SELECTIONS, Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import N
from tracegrad.ir.sweep import cotangents_of_inputs, reachable
from tracegrad.ir.types import Type
from tracegrad.slots import slots

_ONE = {d: np.ones((), d) for d in (F32, F64)}  # the cotangent of a loss


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of `tensors`, weighted by `grad_tensors`, to `.grad` of the leaves (of `inputs`, if given).

    Raises RuntimeError for a root without history, for a non-scalar root without gradient, and for a graph that was freed.
    """
    if (
        grad_tensors is None
        and inputs is None
        and grad_variables is None
        and not create_graph
        and type(tensors) is Tensor
        and not GENERATED["MODE"]
    ):
        # one loss, the ordinary training step: nothing to check but the loss itself
        node, one = tensors._node, _ONE.get(tensors._data.dtype)
        if (
            node is not None
            and one is not None
            and not tensors._data.shape
            and not sweeps_with_hooks
            and not hooked_leaves
            and not Anomaly.enabled
        ):
            _raw(intact(reachable((node,))), [node], [one.copy()], None, bool(retain_graph), True)
            return
    if grad_variables is not None:
        warnings.warn("backward: grad_variables is deprecated; use grad_tensors", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            problem = "'grad_tensors' and 'grad_variables' (deprecated) arguments both passed to backward()"
            raise DifferentiationError(explain("backward", problem))
        grad_tensors = grad_variables
    targets = None if inputs is None else targets_of("backward", inputs)
    if targets == []:
        raise DifferentiationError(explain("backward", "`inputs` argument to `backward()` cannot be empty"))
    roots = tensors_of("backward", tensors)
    given = root_gradients("backward", roots, grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    wanted = None if targets is None else target_nodes("backward", targets)
    for t in targets or ():
        if not t.is_leaf and "_is_edge" not in t.__dict__:  # from now on it keeps its gradient, as in torch
            retain_grad(t)
    run([root_node("backward", r) for r in roots], given, wanted, keep, create_graph, accumulate=True)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs`, weighted by `grad_outputs`, with respect to `inputs`; `.grad` is not touched.

    Returns one Tensor per input; None for an unused one if allow_unused, zeros if materialize_grads.  Raises RuntimeError for an unused input otherwise.
    """
    if not only_inputs:
        warnings.warn(
            "grad: only_inputs is deprecated and ignored; for other leaves' gradients use backward",
            FutureWarning,
            stacklevel=2,
        )
    roots, wanted_tensors = tensors_of("grad", outputs), targets_of("grad", inputs)
    if is_grads_batched:
        return _batched(
            roots, wanted_tensors, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads
        )
    if materialize_grads and allow_unused is False:
        raise ArgumentValueError(explain("grad", "materialize_grads=True needs allow_unused to be True or not given"))
    if not wanted_tensors:
        raise DifferentiationError(explain("grad", "inputs argument to grad cannot be empty"))
    given = root_gradients("grad", roots, grad_outputs, create_graph)
    targets = target_nodes("grad", wanted_tensors)
    keep = create_graph if retain_graph is None else retain_graph
    found = run([root_node("grad", r) for r in roots], given, targets, keep, create_graph, accumulate=False)
    results: list[Tensor | None] = []
    for i, t in enumerate(wanted_tensors):
        g = found.get(t._node)  # type: ignore[arg-type]
        if g is not None:
            results.append(g if isinstance(g, Tensor) else handle(own(g, t._data.dtype), None))
        elif materialize_grads:
            if "_is_edge" in t.__dict__:
                problem = "materialize_grads cannot be used when the given input is a GradientEdge"
                raise DifferentiationError(explain("grad", problem))
            zero = T.zeros(Type(t._data.shape, t._data.dtype))
            results.append(zero.requires_grad_() if create_graph and local.trace is None else zero)
        elif allow_unused:
            results.append(None)
        else:
            raise DifferentiationError(
                explain(
                    "grad",
                    f"One of the differentiated Tensors appears to not have been used in the graph: inputs[{i}]",
                    "Pass allow_unused=True to get None for it",
                )
            )
    return tuple(results)


def _batched(
    roots: list[Tensor], wanted: list[Tensor], grad_outputs: Any, retain: Any, create: bool, unused: Any, zeros: bool
) -> tuple[Any, ...]:
    """The gradients for every row of cotangents, stacked: in one program where func/rows can make it, else by one sweep per row."""
    if grad_outputs is None:
        scalar = all(not r._data.shape for r in roots)
        raise (ArgumentValueError if scalar else DifferentiationError)(
            explain("grad", "is_grads_batched=True needs grad_outputs")
        )
    rows = tensors_of("grad", grad_outputs)
    sizes = {g._data.shape[:1] for g in rows}
    if () in sizes or sizes == {(0,)}:
        problem = "with is_grads_batched=True the first axis of each of grad_outputs counts the gradients, of which there must be one at least"
        raise (ArgumentValueError if () in sizes else IndexingError)(explain("grad", problem))
    if len(sizes) > 1:
        problem = "Expected all tensors in grad_outputs to have the same size in the first axis"
        raise ArgumentValueError(explain("grad", problem, sizes=sorted(sizes)))
    ((size,),) = sizes
    keep = create if retain is None else bool(retain)
    at_once = slots.batched_rows(roots, wanted, rows, size, keep, create, bool(unused or zeros))
    swept = (
        []
        if at_once is not None
        else [
            grad(
                roots,
                wanted,
                [T.select(g, dim=0, index=i) for g in rows],
                i + 1 < size or keep,
                create,
                allow_unused=unused or zeros,
            )
            for i in range(size)
        ]
    )
    stacked = at_once or [None if p[0] is None else T.stack(*p, dim=0) for p in zip(*swept, strict=True)]
    if zeros:  # without the first axis, as torch gives them
        return tuple(
            T.zeros(Type(t.shape, t._data.dtype)) if s is None else s for s, t in zip(stacked, wanted, strict=True)
        )
    return tuple(stacked)


def run(
    roots: list[Node], given: list[Any], targets: set[Node] | None, keep: bool, create_graph: bool, accumulate: bool
) -> dict[Node, Any]:
    """Sweep from the roots and return the cotangents of the targets; without targets the leaves get their `.grad`."""
    order = intact(reachable(roots, targets))
    if hooked_leaves:
        order = leaves_when_complete(order)
    if sweeps_with_hooks:
        return _named(order, roots, given, targets, keep, create_graph, accumulate)
    return _swept(order, roots, given, targets, keep, create_graph, accumulate)


def _named(
    order: list[Node], roots: list[Node], given: list[Any], targets: set[Node] | None, *rest: Any
) -> dict[Node, Any]:
    """A sweep that its hooks can ask about."""
    outer, local.sweep = local.sweep, Sweep(order, targets is None)
    try:
        return _swept(order, roots, given, targets, *rest)
    finally:
        local.sweep = outer


def _swept(
    order: list[Node],
    roots: list[Node],
    given: list[Any],
    targets: set[Node] | None,
    keep: bool,
    create_graph: bool,
    accumulate: bool,
) -> dict[Node, Any]:
    recorded = create_graph or local.trace is not None or (local.watch is not None and local.watch.duals is not None)
    if local.trace is not None:
        local.trace.check_intact(order)
    if recorded or Anomaly.enabled:
        cotangents = given if recorded else [g._data for g in given]
        space, again = (T, create_graph) if recorded else (N, False)
        work = partial(generic_sweep, space, order, roots, cotangents, targets, keep, again, accumulate)
        return run_with_user_code(work) if UserCode.possible else work()  # type: ignore[no-any-return]
    return _raw(order, roots, [g._data for g in given], targets, keep, accumulate)


def _raw(
    order: list[Node], roots: list[Node], given: list[Any], targets: set[Node] | None, keep: bool, into_leaves: bool
) -> dict[Node, Any]:
    """First order, on arrays."""
    grads: dict[Node, Any] = {}
    found: dict[Node, Any] = {}
    for node, g in zip(roots, given, strict=True):
        before = grads.get(node)
        grads[node] = g if before is None else before + g
    inside = set(order) if targets is not None else set()
    walk: Any = _walk
    for node in order:
        if node.op in SELECTIONS:
            walk = partial(walk_twice, _plain_back) if masks_matter(order) else _walk
            break
    work = (order, grads, found, targets, inside, keep, into_leaves)
    if UserCode.possible:  # it must run in the caller's context
        run_with_user_code(partial(silently, walk, *work))
        return found
    quiet, local.quiet = (
        local.quiet or silent_context(),
        None,
    )  # None for a backward inside this one, which then makes a context of its own
    try:
        quiet(walk, *work)
    finally:
        local.quiet = quiet
    return found


def _walk(
    order: list[Node],
    grads: dict[Node, Any],
    found: dict[Node, Any],
    targets: set[Node] | None,
    inside: set[Node],
    keep: bool,
    into_leaves: bool,
) -> None:
    """The loop of the first-order sweep."""
    pop = grads.pop
    for n in order:
        g = pop(n, None)
        if g is None:
            continue
        op = n.op
        if n.extra is None and targets is None and op is not None:  # nearly every node
            op.back(n, g, grads)
        elif targets is None and type(n.extra) is not Extra and op is None:  # a leaf without hooks
            reach_leaf(n, g, False)
        else:
            g, on = arrive(n, g, found, targets, inside, into_leaves)
            if not on:
                continue
            (op.back if n.extra is None else _unusual_step)(n, g, grads)
        if not keep and n.saved is not None:
            n.saved = FREED


def _first_back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    """The backward of an operator on its first use: generate it (or choose the generic one), then run it."""
    op = node.op
    assert op is not None
    generated = None if hasattr(op, "vjp") else backward_function(op)
    chosen = _project_back if op.name == "project" else generated if generated is not None else _generic_back
    op.back = staticmethod(chosen)  # type: ignore[attr-defined]
    chosen(node, g, grads)


def _project_back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    parent, index = node.inputs[0], node.attrs[0]
    parts = grads.setdefault(parent, [None] * len(parent.types))
    parts[index] = g if parts[index] is None else parts[index] + g


def _generic_back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    _add_up(node, _parts(node, g), grads)


def _plain_back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    """The backward of any node."""
    (node.op.back if node.extra is None else _unusual_back)(node, g, grads)  # type: ignore[union-attr]


def _unusual_step(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    """The same behind the hooks that run before it, which may take the cotangent away."""
    if type(node.extra) is Extra and node.extra.before_step:
        g = run_before_step(node, g)
    if g is not None:
        _unusual_back(node, g, grads)


def _unusual_back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    """The backward of a node that is complex, or whose value or step has hooks."""
    extra, op = node.extra, node.op
    assert op is not None
    if type(extra) is Extra and extra.after_step:
        _hooked_back(node, g, grads)
    elif op.name != "project" and (extra is BY_RULES or (type(extra) is Extra and extra.by_rules)):
        _generic_back(node, g, grads)
    else:
        op.back(node, g, grads)


def _hooked_back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    """The backward of a node whose step has hooks."""
    if node.op is not None and node.op.name == "project":
        _project_back(node, g, grads)
    else:
        _add_up(node, run_after_step(node, _parts(node, g), g), grads)


def _parts(node: Node, g: Any) -> list[Any]:
    op: type[Op] = node.op  # type: ignore[assignment]
    return cotangents_of_inputs(
        N,
        node,
        tuple(g) if op.several() else (g,),
        reading_once(read_raw) if type(node.saved) is Packed else read_raw,
        _is_node,
    )


def _add_up(node: Node, parts: list[Any], grads: dict[Node, Any]) -> None:
    for source, part in zip(node.inputs, parts, strict=True):
        if part is not None:
            before = grads.get(source)
            grads[source] = part if before is None else before + part


def _is_node(value: Any) -> bool:
    return type(value) is Node


for _op in (
    Op,
    *REGISTRY.present(),
):  # each its own: a definition that extends another one must not inherit the backward generated for it
    _op.back = staticmethod(_first_back)
slots.backward = backward
__all__ = ["Ops", "accumulate", "backward", "grad", "run"]
