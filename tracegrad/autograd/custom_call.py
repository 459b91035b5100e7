"""custom_call: the operator that stands in tapes and graphs for one application of an autograd.Function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.body import substituted
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DifferentiationError, ShapeError, TracegradError, explain
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import Node, make_leaf, tick
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import N
from tracegrad.ir.types import Type
from tracegrad.kernels.numpy_kernels import broadcast_to
from tracegrad.slots import slots


class Call:
    """One application: the user's class, its ctx, and what the arguments and results are.

    arguments  per argument of forward: whether it is a Tensor
    results    per result of forward: whether it is a Tensor
    template   in a recording: the nodes of the gradients of the Tensor arguments, over `cotangents`, `outputs` (leaves that stand for the
               cotangents and the results) and `boundary` (other nodes of the recording); or the error that backward raised
    """

    __slots__ = (
        "arguments",
        "body",
        "boundary",
        "cotangents",
        "ctx",
        "function",
        "guard",
        "outputs",
        "results",
        "template",
    )

    def __init__(self, function: type[Any], ctx: Any, arguments: tuple[bool, ...]) -> None:
        self.function, self.ctx, self.arguments = function, ctx, arguments
        self.results: tuple[bool, ...] = ()
        self.template: Any = None
        self.body: Any = None  # how to run forward again, where it left Tensors of its own on ctx
        self.guard: Any = None
        self.cotangents: tuple[Node, ...] = ()
        self.outputs: tuple[Node, ...] = ()
        self.boundary: tuple[Node, ...] = ()

    @property
    def name(self) -> str:
        """The name of the backward step."""
        return f"{self.function.__name__}Backward"

    @property
    def count(self) -> int:
        """Number of Tensors among the results."""
        return sum(self.results)

    def __repr__(self) -> str:
        return self.function.__name__


class CustomCall(Op):
    """The results of a user's Function.  Shapes: xs are the results, then what backward reads in a recording, then the Tensor arguments.

    Only its derivative is of interest: it is the user's backward.  Everything else is the results that forward computed.
    """

    inputs, attrs, nondiff = ("*xs",), ("call",), ("xs",)
    function, method = False, False
    samples = ()

    @classmethod
    def several(cls) -> bool:
        """Always: the number of results is the call's."""
        return True

    @staticmethod
    def torch_name(call: Call) -> str:
        return call.name

    @staticmethod
    def infer(xs: tuple[Type, ...], call: Call) -> tuple[Type, ...]:
        """The types of the results."""
        return tuple(xs[: call.count])

    @staticmethod
    def decompose(F: Ops, xs: tuple[Any, ...], call: Call) -> tuple[Any, ...]:
        """The results."""
        return tuple(xs[: call.count])

    @staticmethod
    def batch(F: Ops, size: int, mask: tuple[bool, ...], xs: tuple[Any, ...], call: Call) -> Any:
        """Many calls in one: the results are there already, and the recorded backward is batched."""
        first, count = call.count + len(call.boundary), call.count
        spread = [x if has else F.broadcast_to(x, shape=(size, *F.shape(x))) for x, has in zip(xs, mask, strict=True)]
        return F.custom_call(
            *spread[:count], *xs[count:first], *spread[first:], call=_batched(call, size, mask[count:first])
        )

    @staticmethod
    def edges(node: Node) -> range:
        """The positions of the Tensor arguments."""
        call: Call = node.attrs[0]
        return range(call.count + len(call.boundary), len(node.inputs))

    @staticmethod
    def vjp(
        F: Ops, node: Node, given: tuple[Any, ...], read: Callable[[Node, int], Any], wanted: Callable[[Any], bool]
    ) -> list[Any]:
        """The cotangents of the arguments, by the user's backward: run on Tensors, or as it was recorded."""
        call: Call = node.attrs[0]
        first = call.count + len(call.boundary)
        found: list[Any] = [None] * len(node.inputs)
        if not any(wanted(i) for i in node.inputs[first:]):
            return found
        if call.template is not None or (F is not T and F is not N):
            parts = _apply_template(F, node, call, given, read)
        elif F is N:
            before = config.set_grad_enabled(False)
            try:
                parts = _run_backward(
                    call,
                    node.types,
                    _types(node.inputs[first:]),
                    [None if g is None else handle(np.asarray(g), None) for g in given],
                )
            finally:
                config.set_grad_enabled(before)
            parts = [None if p is None else p._data for p in parts]
        else:
            parts = _recorded_backward(call, node, first, list(given))
        for i, part in enumerate(parts):
            found[first + i] = part if wanted(node.inputs[first + i]) else None
        return found


def _recorded_backward(call: Call, node: Node, first: int, given: list[Any]) -> list[Any]:
    """The gradients as Tensors with their history, also that of what forward left on ctx."""
    types = _types(node.inputs[first:])
    once = getattr(_user_backward(call.function), "once_differentiable", False)
    if call.body is None or once or not local.grad_enabled:
        return _run_backward(call, node.types, types, given)
    replaced, broken = call.body.recompute()
    with substituted(call.ctx, replaced):
        parts = _run_backward(call, node.types, types, given)
    if not broken:
        return parts
    sources = [a for a in call.body.args if isinstance(a, Tensor) and a.requires_grad]
    guarded: list[Any] = call.guard(parts, broken, sources, call.name)
    return guarded


def _types(inputs: tuple[Any, ...]) -> list[Type]:
    return [i.type if isinstance(i, Node) else i for i in inputs]


def _run_backward(call: Call, results: Sequence[Type], arguments: Sequence[Type], given: list[Any]) -> list[Any]:
    """The gradients of the Tensor arguments (None for zero), by the user's backward."""
    if call.ctx.materialize_grads:
        given = [T.zeros(t) if g is None else g for g, t in zip(given, results, strict=True)]
    left = iter(given)
    answer = _user_backward(call.function)(call.ctx, *(next(left) if is_tensor else None for is_tensor in call.results))
    listed = list(answer) if isinstance(answer, tuple) else [answer]
    expected = len(call.arguments)
    if len(listed) > expected and all(g is None for g in listed[expected:]):
        listed = listed[:expected]
    if len(listed) != expected:
        raise DifferentiationError(
            explain(
                f"function {call.name}",
                f"returned an incorrect number of gradients (expected {expected}, got {len(listed)})",
                "Return one value per argument of forward; None for those without gradient",
            )
        )
    types = iter(arguments)
    return [
        _checked(call, i, g, next(types)) if is_tensor else _no_gradient(call, i, g)
        for i, (g, is_tensor) in enumerate(zip(listed, call.arguments, strict=True))
        if is_tensor or g is not None
    ]


def _user_backward(function: type[Any]) -> Callable[..., Any]:
    base = function.__mro__[-2]  # autograd.Function itself, which this file cannot import
    backward, vjp = function.backward is not base.backward, function.vjp is not base.vjp
    if backward and vjp:
        raise DifferentiationError(
            explain(function.__name__, "Implementing both 'backward' and 'vjp' for a custom Function is not allowed")
        )
    chosen: Callable[..., Any] = function.vjp if vjp else function.backward
    return chosen


def _no_gradient(call: Call, position: int, g: Any) -> None:
    problem = f"returned a gradient different than None at position {position + 1}, but the corresponding forward input was not a Variable"
    raise DifferentiationError(explain(f"function {call.name}", problem))


def _checked(call: Call, position: int, g: Any, want: Type) -> Tensor | None:
    """A gradient that the user returned, of the argument's shape (summed over axes along which it was broadcast) and dtype."""
    if g is None:
        return None
    if not isinstance(g, Tensor):
        raise DifferentiationError(
            explain(f"function {call.name}", f"expected Variable or None (got {type(g).__name__})")
        )
    have = g._data.shape
    if have != want.shape:
        lead = len(have) - len(want.shape)
        if lead < 0 or any(size not in (1, have[lead + i]) for i, size in enumerate(want.shape)):
            problem = f"returned an invalid gradient at index {position} - got {list(have)} but expected shape compatible with {list(want.shape)}"
            raise ShapeError(explain(f"function {call.name}", problem))
        g = T.sum_to(g, shape=want.shape)
    converted: Tensor = T.as_dtype(g, want.dtype)
    return converted


def backward_template(call: Call, ctx: Any, sources: list[Tensor], results: list[Tensor]) -> list[Tensor]:
    """Record the user's backward for leaves as cotangents, so that the graph can be differentiated later without the user's code.

    Returns Tensors for the nodes outside it that it reads (the call's boundary).
    """
    trace, start = local.trace, tick()
    cotangents = [
        handle(np.ones(t._data.shape, t._data.dtype), make_leaf(Type(t._data.shape, t._data.dtype))) for t in results
    ]
    stand_ins = {id(t): handle(t._data, make_leaf(Type(t._data.shape, t._data.dtype))) for t in results}
    own = {id(s) for s in sources}
    ctx._unpack = lambda: tuple(stand_ins.get(id(t), t) if id(t) not in own else t for t in ctx._to_save)
    before, reads = (
        config.set_grad_enabled(True),
        trace.reads,
    )  # what is recorded without gradients has none later either
    trace.reads = False  # the stand-ins for cotangents have no values worth reading
    try:
        parts = _run_backward(
            call, [c._node.type for c in cotangents], [Type(s._data.shape, s._data.dtype) for s in sources], cotangents
        )
    except (TracegradError, NotImplementedError) as error:
        call.template = error
        return []
    finally:
        trace.reads = reads
        config.set_grad_enabled(before)
        ctx._unpack = None
    call.template = tuple(None if p is None else trace.node_of(p) for p in parts)
    call.cotangents = tuple(c._node for c in cotangents)
    call.outputs = tuple(stand_ins[id(t)]._node for t in results)
    call.boundary = _boundary(call, start)
    captured = {n: t for t, n in trace.captured.values()}
    return [
        captured[n] if n in captured else handle(broadcast_to(np.zeros((), n.dtype), n.shape), n) for n in call.boundary
    ]


def _batched(call: Call, size: int, boundary: Sequence[bool]) -> Call:
    """The call whose template works on values with a leading axis; a boundary node has one where `boundary` says so."""
    made = Call(call.function, call.ctx, call.arguments)
    made.results, made.template = call.results, call.template
    if not isinstance(call.template, tuple):
        return made
    known = [n for n in call.template if n is not None]
    flags = (*(True,) * 2 * call.count, *boundary)
    graph = slots.batch_graph(Graph((*call.cotangents, *call.outputs, *call.boundary), known), flags, size)
    left = iter(graph.outputs)
    made.template = tuple(None if n is None else next(left) for n in call.template)
    made.cotangents, made.outputs = graph.inputs[: call.count], graph.inputs[call.count : 2 * call.count]
    made.boundary = graph.inputs[2 * call.count :]
    return made


def _boundary(call: Call, start: int) -> tuple[Node, ...]:
    """The nodes made before `start`, and captured leaves, that the template reads."""
    inside = {*call.cotangents, *call.outputs}
    found: dict[Node, None] = {}
    seen = set(inside)
    stack = [n for n in call.template if n is not None]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op is None or node.seq < start:
            found[node] = None
        else:
            stack.extend(i for i in node.inputs if isinstance(i, Node))
    return tuple(found)


def _apply_template(
    F: Ops, node: Node, call: Call, given: tuple[Any, ...], read: Callable[[Node, int], Any]
) -> list[Any]:
    """The recorded backward, built anew over the cotangents and the node's own inputs."""
    if call.template is None:
        raise DifferentiationError(
            explain(call.name, "this call was not recorded in a way that its graph can be differentiated")
        )
    if isinstance(call.template, Exception):
        raise call.template
    count = call.count
    values: dict[Node, Any] = {
        leaf: F.zeros(leaf.type) if g is None else g for leaf, g in zip(call.cotangents, given, strict=True)
    }
    values.update({leaf: read(node, -1 - k) for k, leaf in enumerate(call.outputs)})
    values.update({source: read(node, count + k) for k, source in enumerate(call.boundary)})
    for step in _steps(call, values):
        assert step.op is not None
        inputs = [values[i] if isinstance(i, Node) else i for i in step.inputs]
        if step.op.name == "project":
            values[step] = inputs[0][step.attrs[0]]
        else:
            values[step] = getattr(F, step.op.name)(*inputs, **dict(zip(step.op.attrs, step.attrs, strict=True)))
    return [None if n is None else values[n] for n in call.template]


def _steps(call: Call, known: dict[Node, Any]) -> list[Node]:
    """The template's own nodes in program order."""
    seen: set[Node] = set()
    stack = [n for n in call.template if n is not None]
    while stack:
        node = stack.pop()
        if node in known or node in seen:
            continue
        seen.add(node)
        stack.extend(i for i in node.inputs if isinstance(i, Node))
    return sorted(seen, key=lambda n: n.seq)


__all__ = ["Call", "CustomCall", "backward_template"]
