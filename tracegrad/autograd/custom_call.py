"""custom_call: the operator that stands in tapes and graphs for one application of an autograd.Function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracegrad import config
from tracegrad.autograd.body import shown, substituted
from tracegrad.config import local
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import DifferentiationError, ShapeError, explain
from tracegrad.ir.node import Node
from tracegrad.ir.op import Op
from tracegrad.ir.prelude import Ops
from tracegrad.ir.raw import N
from tracegrad.ir.types import Type


class Late:
    """What files that this one cannot import put here: autograd.Function itself, and what only recordings and transforms need.

    function    autograd/function.py
    templates   autograd/templates.py, loaded with the compiler
    transforms  autograd/function_transforms.py, loaded with func
    """

    function: type[Any]
    templates: Any = None
    transforms: Any = None


def step_name(function: type[Any]) -> str:
    """The name of a Function's backward step."""
    return getattr(function, "step_name", None) or f"{function.__name__}Backward"


class Call:
    """One application: the user's class, its ctx, and what the arguments and results are.

    arguments  per argument of forward: whether it is a Tensor
    kinds      per argument of forward: the type of a floating Tensor
    results    per result of forward: whether it is a Tensor
    template   in a recording: the nodes of the gradients of the Tensor arguments, over `cotangents`, `outputs` (leaves that stand for the
               cotangents and the results) and `boundary` (other nodes of the recording); or the error that backward raised
    late       in a recording: how backward is run where it decides by the values of cotangents (autograd/late_rules.py), so that there is no template
    forward    in a recording for a forward mode: the nodes of the tangents of the results, over `tangents`, `outputs` and `boundary`; or an error
    """

    __slots__ = (
        "arguments",
        "body",
        "boundary",
        "cotangents",
        "ctx",
        "dead",
        "forward",
        "function",
        "guard",
        "kinds",
        "late",
        "outputs",
        "results",
        "start",
        "tangents",
        "template",
    )

    def __init__(self, function: type[Any], ctx: Any, arguments: tuple[bool, ...], start: int = 0) -> None:
        self.start = start  # in a recording: when forward began
        self.function, self.ctx, self.arguments = function, ctx, arguments
        self.results: tuple[bool, ...] = ()
        self.dead: tuple[bool, ...] = ()  # per result that is a Tensor: whether it has no derivative
        self.kinds: tuple[Type | None, ...] = ()
        self.template: Any = None
        self.late: Any = None
        self.forward: Any = None
        self.tangents: tuple[Node | None, ...] = ()
        self.body: Any = None  # how to run forward again, where it left Tensors of its own on ctx
        self.guard: Any = None
        self.cotangents: tuple[Node, ...] = ()
        self.outputs: tuple[Node, ...] = ()
        self.boundary: tuple[Node, ...] = ()

    @property
    def name(self) -> str:
        """The name of the backward step."""
        return step_name(self.function)

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
            *spread[:count],
            *xs[count:first],
            *spread[first:],
            call=Late.templates.batched(call, size, mask[count:first]),
        )

    @staticmethod
    def jvp(F: Ops, xs: tuple[Any, ...], t_xs: tuple[Any, ...], call: Call, results: tuple[Any, ...]) -> Any:
        """The tangents of the results by the user's jvp, as it was recorded; NotImplemented where it was not."""
        if call.forward is None:
            return NotImplemented
        if isinstance(call.forward, Exception):
            raise call.forward
        count, first = call.count, call.count + len(call.boundary)
        values = {n: t for n, t in zip(call.tangents, t_xs[first:], strict=True) if n is not None}
        values.update(zip(call.outputs, results, strict=True))
        values.update(zip(call.boundary, xs[count:first], strict=True))
        return tuple(Late.templates.evaluate(F, call.forward, values))

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
        if call.late is not None:
            parts = call.late.gradients(F, node, given, read)
        elif call.template is not None or (F is not T and F is not N):
            parts = Late.templates.apply_template(F, node, call, given, read)
        elif F is N:
            before = config.set_grad_enabled(False)
            try:
                parts = run_backward(
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
    duals = local.watch is not None and local.watch.duals is not None
    if call.body is None or is_final(call.function) or not (local.grad_enabled or duals):
        return run_backward(call, node.types, types, given)
    replaced, broken = call.body.recompute()
    with substituted(call.ctx, replaced):
        parts = run_backward(call, node.types, types, given)
    if not broken:
        return parts
    sources = [a for a in call.body.args if isinstance(a, Tensor) and a.requires_grad]
    guarded: list[Any] = call.guard(parts, ", ".join(map(shown, broken)), sources, call.name)
    return guarded


def _types(inputs: tuple[Any, ...]) -> list[Type]:
    return [i.type if isinstance(i, Node) else i for i in inputs]


def run_backward(call: Call, results: Sequence[Type], arguments: Sequence[Type], given: list[Any]) -> list[Any]:
    """The gradients of the Tensor arguments (None for zero), by the user's backward."""
    if call.ctx.materialize_grads:
        given = [T.zeros(t) if g is None else g for g, t in zip(given, results, strict=True)]
    left = iter(given)
    passed = [next(left) if is_tensor else None for is_tensor in call.results]
    boxed = getattr(call.function, "boxed_grads_call", False)  # torch's way to let backward drop a gradient early
    answer = _user_backward(call.function)(call.ctx, *((passed,) if boxed else passed))
    listed = list(answer) if isinstance(answer, tuple) else [answer]
    expected = len(call.arguments)
    if len(listed) > expected and all(g is None for g in listed[expected:]):
        listed = listed[:expected]
    if len(listed) != expected:
        raise DifferentiationError(
            explain(
                call.name,
                f"function {call.name} returned an incorrect number of gradients (expected {expected}, got {len(listed)})",
                "Return one value per argument of forward; None for those without gradient",
            )
        )
    types = iter(arguments)
    return [
        _checked(call, i, g, next(types)) if is_tensor else _no_gradient(call, i, g)
        for i, (g, is_tensor) in enumerate(zip(listed, call.arguments, strict=True))
        if is_tensor or g is not None
    ]


def is_final(function: type[Any]) -> bool:
    """Whether a Function's backward is marked as once_differentiable."""
    return getattr(_user_backward(function), "once_differentiable", False)


def _user_backward(function: type[Any]) -> Callable[..., Any]:
    base = Late.function
    backward, vjp = function.backward is not base.backward, function.vjp is not base.vjp
    if backward and vjp:
        raise DifferentiationError(
            explain(function.__name__, "Implementing both 'backward' and 'vjp' for a custom Function is not allowed")
        )
    chosen: Callable[..., Any] = function.vjp if vjp else function.backward
    return chosen


def _no_gradient(call: Call, position: int, g: Any) -> None:
    problem = f"function {call.name} returned a gradient different than None at position {position + 1}, but the corresponding forward input was not a Variable"
    raise DifferentiationError(explain(call.name, problem))


def _checked(call: Call, position: int, g: Any, want: Type) -> Tensor | None:
    """A gradient that the user returned, of the argument's shape (summed over axes along which it was broadcast) and dtype."""
    if g is None:
        return None
    if not isinstance(g, Tensor):
        kind = "numpy.ndarray" if isinstance(g, np.ndarray) else type(g).__name__
        raise DifferentiationError(explain(call.name, f"expected Variable or None (got {kind})"))
    have = g._data.shape
    if have != want.shape:
        lead = len(have) - len(want.shape)
        if lead < 0 or any(size not in (1, have[lead + i]) for i, size in enumerate(want.shape)):
            problem = f"function {call.name} returned an invalid gradient at index {position} - got {list(have)} but expected shape compatible with {list(want.shape)}"
            raise ShapeError(explain(call.name, problem))
        g = T.sum_to(g, shape=want.shape)
    if g._data.dtype.kind == "c" and want.dtype.kind != "c":
        problem = f"returned a complex gradient at index {position} for a real argument"
        raise DifferentiationError(explain(call.name, problem, "Return its real part"))
    converted: Tensor = T.as_dtype(g, want.dtype)
    return converted


def run_forward_rule(call: Call, tangents: Sequence[Tensor | None], results: Sequence[Tensor]) -> list[Tensor | None]:
    """The tangents of the results that are Tensors, by the user's jvp, from those of the arguments that are Tensors."""
    left = iter(tangents)
    answer = call.function.jvp(call.ctx, *(next(left) if is_tensor else None for is_tensor in call.arguments))
    listed = list(answer) if isinstance(answer, tuple) else [answer]
    if len(listed) != len(call.results):
        raise DifferentiationError(
            explain(
                f"{call.function.__name__}.jvp",
                f"returned an incorrect number of values (expected {len(call.results)}, got {len(listed)})",
            )
        )
    found = [t for t, is_tensor in zip(listed, call.results, strict=True) if is_tensor]
    for i, (t, result) in enumerate(zip(found, results, strict=True)):
        if t is None and call.dead[i]:
            continue
        if not isinstance(t, Tensor):
            problem = f"Expected both tensor and its forward grad to be floating point or complex, got {type(t).__name__} at position {i}"
            raise DifferentiationError(explain(f"{call.function.__name__}.jvp", problem))
        if t._data.shape != result._data.shape:
            problem = f"returned a tangent of shape {list(t._data.shape)} at position {i} for a result of shape {list(result._data.shape)}"
            raise ShapeError(explain(f"{call.function.__name__}.jvp", problem))
    return found


__all__ = ["Call", "CustomCall", "Late", "is_final", "run_backward", "run_forward_rule", "step_name"]
