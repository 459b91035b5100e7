"""The backward engine: `backward` and `grad` over the tape.

First order runs the generated rules on raw arrays; `create_graph` runs the same rules on Tensors, which are recorded in turn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.hooks import Extra, run_after_step, run_hooks
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.generate import backward_function
from tracegrad.eager.inplace import check_not_overwritten, touch
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentError, ArgumentValueError, DifferentiationError, DTypeError, GraphFreedError, ShapeError, explain
from tracegrad.ir.builder import projections
from tracegrad.ir.node import FREED, Node
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import N
from tracegrad.ir.sweep import cotangents_of_inputs, reachable, sweep
from tracegrad.ir.types import Type
from tracegrad.slots import slots

_accumulation = threading.Lock()


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of `tensors`, weighted by `grad_tensors`, to `.grad` of the leaves (of `inputs`, if given).

    Raises RuntimeError for a root without history, for a non-scalar root without gradient, and for a graph that was freed.
    """
    roots = _tensors("backward", tensors)
    given = _gradients("backward", roots, grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is not None and not isinstance(inputs, Tensor) and not len(inputs):
        raise DifferentiationError(explain("backward", "inputs argument to backward cannot be empty"))
    wanted = None if inputs is None else _targets("backward", _tensors("backward", inputs))
    found = run([_root_node("backward", r) for r in roots], given, wanted, keep, create_graph, accumulate=True)
    if wanted is not None and inputs is not None:
        for t in _tensors("backward", inputs):
            node = t._node
            if node is not None and node.op is not None and node in found:
                accumulate(t, found[node], create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs`, weighted by `grad_outputs`, with respect to `inputs`; `.grad` is not touched.

    Returns one Tensor per input; None for an unused one if allow_unused, zeros if materialize_grads.  Raises RuntimeError for an unused input otherwise.
    """
    roots, wanted_tensors = _tensors("grad", outputs), _tensors("grad", inputs)
    if is_grads_batched:
        return _batched(roots, wanted_tensors, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads)
    if materialize_grads and allow_unused is False:
        raise ArgumentValueError(explain("grad", "materialize_grads=True needs allow_unused to be True or not given"))
    if not wanted_tensors:
        raise DifferentiationError(explain("grad", "inputs argument to grad cannot be empty"))
    given = _gradients("grad", roots, grad_outputs, create_graph)
    targets = _targets("grad", wanted_tensors)
    keep = create_graph if retain_graph is None else retain_graph
    found = run([_root_node("grad", r) for r in roots], given, targets, keep, create_graph, accumulate=False)
    results: list[Tensor | None] = []
    for i, t in enumerate(wanted_tensors):
        g = found.get(t._node)  # type: ignore[arg-type]
        if g is not None:
            results.append(g if isinstance(g, Tensor) else handle(own(g, t._data.dtype), None))
        elif materialize_grads:
            results.append(T.zeros(Type(t._data.shape, t._data.dtype)))
        elif allow_unused:
            results.append(None)
        else:
            raise DifferentiationError(
                explain("grad", f"One of the differentiated Tensors appears to not have been used in the graph: inputs[{i}]", "Pass allow_unused=True to get None for it")
            )
    return tuple(results)


def _batched(roots: list[Tensor], wanted: list[Tensor], grad_outputs: Any, retain: Any, create: bool, unused: Any, zeros: bool) -> tuple[Any, ...]:
    """One sweep per row of the gradients, stacked."""
    rows = _tensors("grad", grad_outputs)
    size = rows[0].shape[0]
    swept = [
        grad(roots, wanted, [T.select(g, dim=0, index=i) for g in rows], i + 1 < size or bool(retain), create, unused, False, zeros)
        for i in range(size)
    ]
    return tuple(None if parts[0] is None else T.stack(*parts, dim=0) for parts in zip(*swept, strict=True))


def run(
    roots: list[Node],
    given: list[Any],
    targets: set[Node] | None,
    keep: bool,
    create_graph: bool,
    accumulate: bool,
) -> dict[Node, Any]:
    """Sweep from the roots and return the cotangents of the targets; without targets the leaves get their `.grad`."""
    order = reachable(roots, targets)
    for node in order:
        if node.saved is FREED:
            raise GraphFreedError(
                explain("backward", f"the graph of this value was freed by an earlier backward (at {node.op.name if node.op else 'a leaf'}). "
                        "Trying to backward through the graph a second time", "Pass retain_graph=True to the first call to keep it")  # fmt: skip
            )
    check_not_overwritten(order)
    traced = create_graph or local.trace is not None
    if traced:
        return _traced(order, roots, given, targets, keep, create_graph, accumulate)
    return _raw(order, roots, given, targets, keep, accumulate)


def _raw(order: list[Node], roots: list[Node], given: list[Any], targets: set[Node] | None, keep: bool, into_leaves: bool) -> dict[Node, Any]:
    """First order, on arrays."""
    grads: dict[Node, Any] = {}
    found: dict[Node, Any] = {}
    for node, g in zip(roots, given, strict=True):
        before = grads.get(node)
        grads[node] = g._data if before is None else before + g._data
    pop = grads.pop
    inside = set(order) if targets is not None else set()
    with np.errstate(all="ignore"):
        for n in order:
            g = pop(n, None)
            if g is None:
                continue
            if n.extra is not None and type(n.extra) is Extra:
                g = run_hooks(n, g)
            if targets is not None and n in targets:
                found[n] = g
            op = n.op
            if op is None:
                if into_leaves and (targets is None or n in targets):
                    tensor = n.extra.tensor() if type(n.extra) is Extra else n.extra() if callable(n.extra) else None
                    if tensor is not None:
                        accumulate(tensor, g, False)
                        if type(n.extra) is Extra:
                            n.extra.accumulated(tensor)
                continue
            if targets is not None and n in targets and not _goes_on(n, inside):
                continue
            if n.extra is not None and type(n.extra) is Extra and n.extra.after_step:
                _hooked_back(n, g, grads)
            else:
                op.back(n, g, grads)
            if not keep and n.saved is not None:
                n.saved = FREED
    return found


def _goes_on(node: Node, inside: set[Node]) -> bool:
    """Whether the sweep has to go through this target to reach another one."""
    return any(type(i) is Node and i in inside for i in node.inputs)


def _traced(
    order: list[Node], roots: list[Node], given: list[Any], targets: set[Node] | None, keep: bool, create_graph: bool, into_leaves: bool
) -> dict[Node, Any]:
    """The same sweep on Tensors: the derivative is recorded like any other code."""
    cotangents: dict[Node, Any] = {}
    for node, g in zip(roots, given, strict=True):
        before = cotangents.get(node)
        cotangents[node] = g if before is None else T.add(before, g)

    def arrived(node: Node, g: Any) -> Any:
        return run_hooks(node, g) if type(node.extra) is Extra else g

    def left(node: Node, parts: list[Any], g: Any) -> list[Any]:
        return run_after_step(node, parts, g) if type(node.extra) is Extra and node.extra.after_step else parts

    previous = config.set_grad_enabled(create_graph)
    try:
        done = sweep(T, order, cotangents, read_saved, arrived=arrived, left=left)
    finally:
        config.set_grad_enabled(previous)
    if into_leaves:
        for node in order:
            if node.op is None and node in done and (targets is None or node in targets) and node.extra is not None:
                extra = node.extra
                tensor = extra.tensor() if type(extra) is Extra else extra() if callable(extra) else None
                if tensor is not None:
                    accumulate(tensor, done[node], create_graph)
                    if type(extra) is Extra:
                        extra.accumulated(tensor)
    if not keep:
        inside = set(order)
        for node in order:
            if node.saved is not None and node.op is not None and (targets is None or node not in targets or _goes_on(node, inside)):
                node.saved = FREED
    return {n: g for n, g in done.items() if targets is None or n in targets}


def read_saved(node: Node, position: int) -> Any:
    """The value that `node` saved for an input (position >= 0) or a result (-1 - index), as a Tensor with its history."""
    op, saved = node.op, node.saved
    assert op is not None
    last = len(op.operands) - 1
    if position < 0:
        value = saved[len(op.operands) - 1 - position]
        source = projections(node)[-1 - position] if op.several() else node
        return handle(value, source)
    value = saved[last][position - last] if op.variadic and position >= last else saved[position]
    source = node.inputs[position]
    return handle(value, source if isinstance(source, Node) else None) if isinstance(value, np.ndarray) else value


def accumulate(tensor: Tensor, g: Any, create_graph: bool) -> None:
    """Add a cotangent to `.grad`: in place where that is first-order (references to .grad see it), as a new Tensor otherwise."""
    if local.trace is not None and not local.trace.owns(tensor):
        local.trace.check_accumulate(tensor)
    with _accumulation:
        before = getattr(tensor, "_grad", None)
        if isinstance(g, Tensor):
            if before is None:
                tensor._grad = g if g._node is not None else handle(own(g._data, tensor._data.dtype), None)
            else:
                tensor._grad = T.add(before, g)
        elif before is None:
            # a private array may be kept as it is: the count is the caller's local, this parameter and getrefcount's
            owned = type(g) is np.ndarray and g.base is None and getrefcount(g) <= 3 and g.dtype == tensor._data.dtype
            tensor._grad = handle(g if owned else own(g, tensor._data.dtype), None)
        elif before._node is not None or create_graph or not before._data.flags.writeable:
            tensor._grad = T.add(before, handle(np.asarray(g), None))
        else:
            np.add(before._data, g, out=before._data)
            touch(before)


def own(g: Any, dtype: Any) -> Any:
    """A private, contiguous, writable copy of a cotangent."""
    return np.array(g, dtype, order="C")


def _tensors(operation: str, value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    items = list(value) if isinstance(value, Iterable) else [value]
    for item in items:
        if not isinstance(item, Tensor):
            raise ArgumentError(explain(operation, f"expected Tensors, got {type(item).__name__}"))
    return items


def _root_node(operation: str, root: Tensor) -> Node:
    node = root._node
    if node is None or not node.needs:
        raise DifferentiationError(
            explain(operation, "element 0 of tensors does not require grad and does not have a grad_fn",
                    "Make an input with requires_grad=True, and do not compute under no_grad()")  # fmt: skip
        )
    return node


def _targets(operation: str, inputs: list[Tensor]) -> set[Node]:
    nodes = set()
    for i, t in enumerate(inputs):
        if t._node is None or not t._node.needs:
            raise DifferentiationError(explain(operation, f"One of the differentiated Tensors does not require grad: inputs[{i}]"))
        nodes.add(t._node)
    return nodes


def _gradients(operation: str, roots: list[Tensor], given: Any, create_graph: bool) -> list[Tensor]:
    """The cotangents of the roots: ones for scalars, else what the caller gave, checked."""
    listed = [given] if given is None or isinstance(given, Tensor) else list(given)
    if given is None:
        listed = [None] * len(roots)
    if len(listed) != len(roots):
        raise DifferentiationError(explain(operation, f"got {len(roots)} tensors and {len(listed)} gradients"))
    return [_one_gradient(operation, root, g) for root, g in zip(roots, listed, strict=True)]


def _one_gradient(operation: str, root: Tensor, g: Any) -> Tensor:
    if g is None:
        _root_node(operation, root)
        if root._data.size != 1:
            raise DifferentiationError(
                explain(operation, "grad can be implicitly created only for scalar outputs", "Pass gradient=, a Tensor of the same shape, or reduce the value first",
                        value=Type(root._data.shape, root._data.dtype))  # fmt: skip
            )
        if root._data.dtype.kind not in "f":
            raise DTypeError(explain(operation, f"grad can be implicitly created only for real scalar outputs but got {root.dtype}"))
        if local.trace is not None:
            return T.full(shape=root._data.shape, value=1, dtype=root._data.dtype)
        return handle(np.ones(root._data.shape, root._data.dtype), None)
    if not isinstance(g, Tensor):
        raise ArgumentError(explain(operation, f"gradients can be either Tensors or None, but got {type(g).__name__}"))
    if g._data.shape != root._data.shape:
        raise ShapeError(
            explain(operation, "Mismatch in shape: the gradient has another shape than the value", gradient=Type(g._data.shape, g._data.dtype), value=Type(root._data.shape, root._data.dtype))
        )
    return g if g._data.dtype == root._data.dtype else T.cast(g, dtype=root._data.dtype)


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


def _hooked_back(node: Node, g: Any, grads: dict[Node, Any]) -> None:
    """The backward of a node whose step has hooks."""
    if node.op is not None and node.op.name == "project":
        _project_back(node, g, grads)
    else:
        _add_up(node, run_after_step(node, _parts(node, g), g), grads)


def _parts(node: Node, g: Any) -> list[Any]:
    op: type[Op] = node.op  # type: ignore[assignment]
    return cotangents_of_inputs(N, node, tuple(g) if op.several() else (g,), _read_raw, _is_node)


def _add_up(node: Node, parts: list[Any], grads: dict[Node, Any]) -> None:
    for source, part in zip(node.inputs, parts, strict=True):
        if part is not None:
            before = grads.get(source)
            grads[source] = part if before is None else before + part


def _read_raw(node: Node, position: int) -> Any:
    op, saved = node.op, node.saved
    assert op is not None
    last = len(op.operands) - 1
    if position < 0:
        return saved[len(op.operands) - 1 - position]
    return saved[last][position - last] if op.variadic and position >= last else saved[position]


def _is_node(value: Any) -> bool:
    return type(value) is Node


for _op in (Op, *REGISTRY.values()):  # each its own: a definition that extends another one must not inherit the backward generated for it
    _op.back = staticmethod(_first_back)
slots.backward = backward
__all__ = ["Ops", "accumulate", "backward", "grad", "run"]
