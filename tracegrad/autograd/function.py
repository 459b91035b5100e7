"""autograd.Function: an operator whose forward and backward the user writes in Python."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

from tracegrad import config
from tracegrad.autograd.body import Body, tensors_on
from tracegrad.autograd.custom_call import Call, CustomCall, Late, step_name
from tracegrad.autograd.function_context import BackwardCFunction, FunctionCtx, context_class
from tracegrad.autograd.saved_tensors import SavedTensors
from tracegrad.config import local
from tracegrad.eager.clock import touch
from tracegrad.eager.generator import default_generator
from tracegrad.eager.inplace import check_leaf, repoint
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.eager.views import MADE_IN_FUNCTION, base_of, is_view, link
from tracegrad.errors import (
    ArgumentError,
    DifferentiationError,
    InplaceError,
    NotSupportedError,
    NotTwiceError,
    explain,
)
from tracegrad.ir.builder import projections
from tracegrad.ir.node import Node, make_node, tick
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type


class Function(FunctionCtx):
    """Base of the user's operators: static methods `forward(ctx, *args)` and `backward(ctx, *grads)`, run by `apply(*args)`.

    Alternatively `forward(*args)` with `setup_context(ctx, inputs, output)`.  backward returns one gradient (or None) per argument of forward.
    """

    generate_vmap_rule = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the results.  To be written by the user."""
        raise NotImplementedError(
            explain("autograd.Function", "You must implement the forward function for custom autograd.Function")
        )

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> Any:
        """Fill ctx from the arguments and the results, for a forward that takes no ctx."""
        raise NotImplementedError(explain("autograd.Function", "setup_context is not implemented"))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """From the gradients of the results to those of the arguments.  To be written by the user."""
        raise NotImplementedError(
            explain(
                "autograd.Function",
                "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD",
            )
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """From the tangents of the arguments to those of the results, for forward mode.  To be written by the user."""
        raise NotSupportedError(
            explain(
                "autograd.Function",
                "You must implement the jvp function for custom autograd.Function to use it with forward mode AD",
            )
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[Any, Any]:
        """(output, out_dims) for arguments of which those with an int in in_dims are batches along that axis, for vmap.  To be written by the user.

        info.batch_size and info.randomness describe the batch.  Instead of it generate_vmap_rule = True derives the rule from forward and backward.
        """
        raise NotSupportedError(
            explain(
                "autograd.Function",
                "To use autograd.Function with vmap, you must either override the vmap static method or set generate_vmap_rule=True",
            )
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: Functions are applied through the class."""
        raise DifferentiationError(
            explain(
                type(self).__name__,
                "Legacy autograd function with non-static forward method is deprecated",
                "Call the class's apply(...)",
            )
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward on the arguments, unrecorded, and let autograd use backward for its derivative."""
        config.UserCode.possible = True
        separate = cls.setup_context is not Function.setup_context
        if separate and (kwargs or cls.forward.__defaults__):
            args, kwargs = _positional(cls.forward, args, kwargs), {}
        elif kwargs:
            args, kwargs = _positional(cls.forward, (None, *args), kwargs)[1:], {}
        if local.transforms:
            Late.transforms.check_transforms(cls, separate)
            Late.transforms.check_forward_rule(cls, args)
        needs = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        ctx = context_class(cls, step_name(cls))(needs)
        state = default_generator.state() if local.grad_enabled and any(needs) else None
        tensors = [(a, a._data, a._node) for a in args if isinstance(a, Tensor)]
        duals = None if local.watch is None else local.watch.duals
        tangents = None if duals is None else [duals.tangent(a) if isinstance(a, Tensor) else None for a in args]
        start = tick() if local.trace is not None else 0
        before = config.set_grad_enabled(False)
        watch = None if duals is None else duals.suspend()
        try:
            if separate:
                results = Late.transforms.run_forward(cls, args) if local.transforms else cls.forward(*args)
                cls.setup_context(ctx, args, results)
            else:
                results = cls.forward(ctx, *args, **kwargs)
        finally:
            if duals is not None:
                config.set_watch(watch)
            config.set_grad_enabled(before)
        call = Call(cls, ctx, tuple(isinstance(a, Tensor) for a in args), start)
        if state is not None:
            _keep_body(call, args, kwargs, results, state, separate)
        finished = _finish(call, ctx, tensors, results)
        if duals is not None and any(t is not None for t in tangents):
            call.kinds = tuple(
                Type(a._data.shape, a._data.dtype) if isinstance(a, Tensor) and a._data.dtype.kind in "fcV" else None
                for a in args
            )
            duals.through_function(call, tangents, finished)
        if local.trace is None:
            ctx._to_save_forward = ()
        return finished


def _keep_body(
    call: Call, args: tuple[Any, ...], kwargs: dict[str, Any], results: Any, state: Any, separate: bool
) -> None:
    """Where forward left Tensors of its own on ctx: keep how to run it again with their history."""
    cls, ctx = call.function, call.ctx
    call.guard = _guarded
    found = {} if local.trace is not None else dict(tensors_on(ctx, args, results))
    if not found:
        return

    def run(fresh: Any, values: tuple[Any, ...]) -> Any:
        if not separate:
            return cls.forward(fresh, *values, **kwargs)
        results = cls.forward(*values)
        cls.setup_context(fresh, values, results)
        return results

    call.body = Body(run, lambda: type(ctx)(ctx.needs_input_grad), args, found, state, not ctx._dirty)


def _guarded(parts: list[Any], listed: str, sources: list[Tensor], name: str) -> list[Any]:
    """Gradients whose own derivative is refused: it would take the values listed for constants."""
    problem = f"the derivative of its backward needs the history of {listed}, which forward computed and which cannot be followed back to the arguments"
    text = explain(name, problem, "Compute it from saved inputs in backward, or mark backward once_differentiable")
    return [_Error.apply(p, text, *sources) if isinstance(p, Tensor) else p for p in parts]


class InplaceFunction(Function):
    """A Function under the name that torch keeps for those that may write to their argument."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a backward that is not differentiable itself: differentiating its results raises RuntimeError."""

    def run(ctx: Any, *grads: Any) -> Any:
        recorded = local.grad_enabled
        before = config.set_grad_enabled(False)
        try:
            results = backward(ctx, *grads)
        finally:
            config.set_grad_enabled(before)
        followed = [g for g in grads if isinstance(g, Tensor) and g.requires_grad]
        if not (recorded and followed):
            return results
        listed = results if isinstance(results, tuple) else (results,)
        guarded = tuple(_Error.apply(r, ONCE, *followed) if isinstance(r, Tensor) else r for r in listed)
        return guarded if isinstance(results, tuple) else guarded[0]

    run.once_differentiable = True  # type: ignore[attr-defined]
    return update_wrapper(run, backward)


ONCE = explain(
    "once_differentiable", "trying to differentiate twice a function that was marked with @once_differentiable"
)


class _Error(Function):
    """The first argument, as a value whose derivative is refused."""

    step_name = "Error"
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, _text: str, *_sources: Tensor) -> Any:
        return value.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.text = inputs[1]

    @staticmethod
    def backward(ctx: Any, *_grads: Any) -> Any:
        raise NotTwiceError(ctx.text)

    jvp = backward


def _positional(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments in forward's order, with its defaults."""
    code, defaults = forward.__code__, forward.__defaults__ or ()
    names = code.co_varnames[hasattr(forward, "__self__") : code.co_argcount]
    known = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    unknown = [k for k in kwargs if k not in names[len(args) :]]
    missing = [n for n in names[len(args) :] if n not in kwargs and n not in known]
    if unknown or missing:
        twice = unknown and unknown[0] in names
        wrong = "multiple values for argument" if twice else "an unexpected keyword argument"
        problem = f"got {wrong} {unknown[0]!r}" if unknown else f"missing a required argument: {missing[0]!r}"
        raise ArgumentError(explain("forward()", problem))
    return (*args, *(kwargs.get(n, known.get(n)) for n in names[len(args) :]))


def _finish(call: Call, ctx: FunctionCtx, arguments: list[tuple[Tensor, Any, Node | None]], results: Any) -> Any:
    """The results as the caller gets them: followed by autograd where the call is."""
    items = results if isinstance(results, tuple) else (results,)
    marks = _Marks(ctx, arguments)
    tensors = [r for r in items if isinstance(r, Tensor)]
    if not tensors:
        return results
    if not marks.dirty <= set(map(id, items)):
        raise DifferentiationError(
            explain(
                f"{call.function.__name__}",
                "Some elements marked as dirty during the forward method were not returned as output. "
                "The inputs that are modified inplace must all be outputs of the Function",
            )
        )
    if local.trace is None:
        for r in tensors:
            if id(r) in marks.dirty:
                _check_dirty(call, r, marks)
                touch(r)
    call.results, call.dead = tuple(isinstance(r, Tensor) for r in items), tuple(map(marks.is_dead, tensors))
    followed = any(n is not None and n.needs for _, _, n in arguments)
    if local.trace is not None:
        node, pieces = _record(call, ctx, arguments, tensors)
    elif followed and local.grad_enabled:
        _check_views(call, marks, tensors)
        node, pieces = _track(call, ctx, arguments, tensors)
    else:
        made = [_shown_again(r) if marks.shown_again(r) else r for r in tensors]
        ctx._to_save = ctx._dirty = ctx._non_differentiable = ()
        return _in_place_of(items, made, isinstance(results, tuple))
    _keep(ctx, [None if marks.shown_again(r) or marks.is_dead(r) else r for r in tensors], node, pieces)
    last = {id(r): p for r, p in zip(tensors, pieces, strict=True)}  # a Tensor returned twice is its last result
    known = {key: _result(ctx, r, last[key], marks, node) for key, r in {id(r): r for r in tensors}.items()}
    ctx._to_save = ctx._dirty = ctx._non_differentiable = ()
    return _in_place_of(items, [known[id(r)] for r in tensors], isinstance(results, tuple))


class _Marks:
    """The Tensors of a call by identity: which are arguments, which were marked as dirty or as without derivative."""

    __slots__ = ("dead", "dirty", "own")

    def __init__(self, ctx: FunctionCtx, arguments: list[tuple[Tensor, Any, Node | None]]) -> None:
        self.own = {id(a) for a, _, _ in arguments}
        self.dirty, self.dead = frozenset(map(id, ctx._dirty)), frozenset(map(id, ctx._non_differentiable))

    def shown_again(self, result: Tensor) -> bool:
        """Whether forward returned an argument that it did not write to: the result is another Tensor then."""
        return id(result) in self.own and id(result) not in self.dirty

    def is_dead(self, result: Tensor) -> bool:
        """Whether a result has no derivative."""
        return id(result) in self.dead or result._data.dtype.kind not in "fcV"


def _check_dirty(call: Call, result: Tensor, marks: _Marks) -> None:
    """Warn of a mark on what is no argument; refuse one on a view, of which forward has changed more than it returns."""
    if id(result) in marks.own:
        return
    problem = "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated should be passed to ctx.mark_dirty()"
    if is_view(result):
        raise DifferentiationError(explain(call.function.__name__, problem))
    warnings.warn(f"{call.function.__name__}: {problem}", UserWarning, stacklevel=5)


def _shown_again(argument: Tensor) -> Tensor:
    """A new name for an argument that forward returned."""
    made = handle(argument._data, None)
    link(argument, made, REGISTRY["alias"], ())
    return made


def _check_views(call: Call, marks: _Marks, tensors: list[Tensor]) -> None:
    """Refuse a write to a view in a call with other results: their history could not be told apart in the base."""
    if len(tensors) > 1 and any(id(r) in marks.dirty and is_view(r) for r in tensors):
        raise InplaceError(
            explain(
                call.function.__name__,
                "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return more than one Tensor",
                "Apply it to a clone()",
            )
        )


def _keep(ctx: FunctionCtx, tensors: list[Tensor | None], node: Node, pieces: tuple[Node, ...]) -> None:
    """Put the saved tensors into the tape's node, which a backward frees; a recording keeps them with ctx.  tensors: the results, None for an argument and for what has no derivative."""
    saved = SavedTensors(ctx._to_save, tensors, node, pieces)
    if local.trace is not None:
        ctx._unpack = saved.unpack
        return
    if any(t is not None for t in ctx._to_save):
        node.saved = saved
    reference = weakref.ref(node)

    def unpack(raw: bool = False) -> tuple[Any, ...]:
        alive = reference()
        return SavedTensors.of(alive, raw) if alive is not None else ()

    ctx._unpack = unpack


def _track(call: Call, ctx: FunctionCtx, arguments: list[Any], tensors: list[Tensor]) -> tuple[Node, tuple[Node, ...]]:
    """The tape's node of an eager call."""
    results = tuple(Type(t._data.shape, t._data.dtype) for t in tensors)
    sources = tuple(n if n is not None and n.needs else Type(d.shape, d.dtype) for _, d, n in arguments)
    node = make_node(CustomCall, (*results, *sources), (call,), results)
    if local.watch is not None and local.watch.located:
        local.watch.locate(node)
    return node, projections(node)


def _record(call: Call, ctx: FunctionCtx, arguments: list[Any], tensors: list[Tensor]) -> tuple[Node, tuple[Node, ...]]:
    """The recording's node of a call: the operators of forward are recorded as well, and so is backward, for a later differentiation of the graph."""
    trace = local.trace
    sources = [a if a._node is n and a._data is d else handle(d, n) for a, d, n in arguments]
    forward = bool(local.transforms) and Late.transforms.forward_mode_runs() and call.function.jvp is not Function.jvp
    boundary = Late.templates.record_rules(call, ctx, sources, tensors, forward)
    made = trace.record(CustomCall, (*tensors, *boundary, *sources), (call,), tuple(t._data for t in tensors))
    pieces = tuple(t._node for t in made)
    return pieces[0].inputs[0], pieces


def _result(ctx: FunctionCtx, result: Tensor, piece: Node, marks: _Marks, node: Node) -> Tensor:
    """One result on its node: the Tensor that forward returned, or a new one where that has a history of its own."""
    own = marks.own
    dead = marks.is_dead(result)
    if dead:
        piece.needs = False
    followed = None if dead and local.trace is None else piece
    if id(result) in marks.dirty:
        if local.trace is None:
            check_leaf(result, base_of(result), type(ctx).__name__)
        repoint(result, base_of(result), handle(result._data, followed), in_memory=True)
        return result
    foreign = result._node is not None and (local.trace is None or id(result) in own or not local.trace.owns(result))
    if id(result) in own or foreign:
        made = handle(result._data, followed)
        link(result, made, REGISTRY["alias"], ())
    else:
        made, result._node = result, followed
    if is_view(made):
        made.__dict__[MADE_IN_FUNCTION] = True
    return made


def _in_place_of(items: tuple[Any, ...], made: Sequence[Tensor], several: bool) -> Any:
    """The results with their Tensors replaced by `made`, in order."""
    left = iter(made)
    replaced = tuple(next(left) if isinstance(r, Tensor) else r for r in items)
    return replaced if several else replaced[0]


Late.function = Function
__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]
