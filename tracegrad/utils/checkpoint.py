"""torch.utils.checkpoint: compute the inner values of a function again in backward instead of keeping them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from tracegrad.autograd.engine import backward as run_backward
from tracegrad.autograd.function import Function
from tracegrad.autograd.hooks import sweeps_with_hooks
from tracegrad.autograd.modes import enable_grad, no_grad
from tracegrad.autograd.saving import Entry, current_hooks, saved_tensors_hooks, user_frame
from tracegrad.config import local
from tracegrad.eager.generator import default_generator
from tracegrad.eager.tensor import Tensor, handle
from tracegrad.errors import ArgumentValueError, CheckpointError, DifferentiationError, explain

NOT_CHOSEN = (
    "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an exception. "
    "use_reentrant=False is recommended, but if you need to preserve the current default behavior, you can pass use_reentrant=True."
)
_REENTRANT = -1  # stands among the hooks that ask which backward runs them


def noop_context_fn() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Two contexts that do nothing: the default of context_fn."""
    return nullcontext(), nullcontext()


class _Settings:
    early_stop = True
    debug: bool | None = None  # of set_checkpoint_debug_enabled; None: each call says


class set_checkpoint_debug_enabled:  # noqa: N801
    """Inside the block, `debug` of all checkpoints is `enabled`, whatever their calls say; None lets the calls say it."""

    def __init__(self, enabled: bool | None) -> None:
        self.enabled, self.before = enabled, _Settings.debug

    def __enter__(self) -> None:
        self.before, _Settings.debug = _Settings.debug, self.enabled

    def __exit__(self, *_exception: object) -> None:
        _Settings.debug = self.before


class set_checkpoint_early_stop:  # noqa: N801
    """Inside the block, checkpoints are made that stop (True, the default) or do not stop computing again when the last saved value is there."""

    def __init__(self, enable: bool) -> None:
        self.enable, self.before = enable, _Settings.early_stop

    def __enter__(self) -> None:
        self.before, _Settings.early_stop = _Settings.early_stop, self.enable

    def __exit__(self, *_exception: object) -> None:
        _Settings.early_stop = self.before


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, whose inner values are not kept: backward runs the function again.

    use_reentrant=False works with every way to differentiate, nested, and to any order.  True is torch's older form: only `.backward()` into all leaves, only
    Tensor arguments count as inputs, first order; None means True, with a warning.  Random numbers are the same both times unless
    preserve_rng_state=False.  `context_fn` gives contexts for the first and for the second run.  With debug, a message that the two runs differ
    shows at which lines each saved its values.  Raises CheckpointError (a RuntimeError) when the second run
    saves fewer values, or values of other shapes or dtypes (unless determinism_check="none"); ValueError for options that the older form lacks.
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant is None:
        warnings.warn(NOT_CHOSEN, UserWarning, stacklevel=2)
        use_reentrant = True
    if use_reentrant:
        if kwargs:
            problem = f"Unexpected keyword arguments: {','.join(kwargs)}"
            raise ArgumentValueError(explain("checkpoint", problem, "Pass use_reentrant=False"))
        if context_fn is not noop_context_fn or debug:
            problem = "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            raise ArgumentValueError(explain("checkpoint", problem))
        if not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", UserWarning, stacklevel=2)  # fmt: skip
        return function(*args) if local.trace is not None else CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in ("default", "none"):
        raise ArgumentValueError(
            explain(
                "checkpoint", f"determinism_check should be one of ['default', 'none'], but got {determinism_check!r}"
            )
        )
    first, second = context_fn()
    if local.trace is not None or not local.grad_enabled:
        with first:
            return function(*args, **kwargs)
    frame = _Frame(function, args, kwargs, second, preserve, determinism_check == "default", early_stop and _Settings.early_stop)  # fmt: skip
    if debug if _Settings.debug is None else _Settings.debug:
        frame.lines = [], []
    with saved_tensors_hooks(frame.pack, frame.unpack), first:
        results = function(*args, **kwargs)
    frame.completed = True
    return results


class _Stop(Exception):  # noqa: N818
    """Ends the second run of a function when all that was saved is there."""


class _Argument:
    """A Tensor argument that the hooks around the checkpoint have packed."""

    __slots__ = ("entry", "node")

    def __init__(self, entry: Entry, t: Tensor) -> None:
        self.entry, self.node = entry, t._node

    def read(self) -> Tensor:
        return handle(self.entry.read(), self.node)


class _Frame:
    """One checkpointed call: how to run it again, and what the second run has saved."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: AbstractContextManager[Any],
        preserve: bool,
        check: bool,
        early_stop: bool,
    ) -> None:
        hooks = current_hooks()

        def kept(a: Any) -> Any:
            return _Argument(Entry(hooks, a, False), a) if hooks is not None and isinstance(a, Tensor) else a

        self.function, self.context, self.check, self.early_stop = function, context, check, early_stop
        self.args, self.kwargs = tuple(map(kept, args)), {name: kept(a) for name, a in kwargs.items()}
        self.state = default_generator.state() if preserve else None
        self.completed = False
        self.types: list[tuple[Any, Any]] = []
        self.recomputed: dict[int, Tensor] = {}
        self.lines: tuple[list[str], list[str]] | None = None  # with debug: where the first and the second run saved

    def note(self, run: int) -> None:
        """With debug, remember the line of the program that saves a value in the first (0) or second (1) run."""
        if self.lines is not None:
            place = user_frame()
            self.lines[run].append(f"{place.f_code.co_filename}:{place.f_lineno}")

    def shown(self) -> dict[str, Any]:
        """What a message that the runs differ shows beside their difference."""
        if self.lines is None:
            return {}
        first, second = self.lines
        told = "You are seeing this error because you passed `debug=True` to checkpoint"
        return {"lines_of_forward": first, "lines_of_recomputation": second, "note": told}

    def pack(self, t: Tensor) -> int:
        """Note that a value was saved; only its number is kept."""
        self.note(0)
        self.types.append((t._data.shape, t._data.dtype))
        return len(self.types) - 1

    def unpack(self, number: int) -> Tensor:
        """The value with this number, by running the function again if need be."""
        if number not in self.recomputed:
            self.recompute()
        return self.recomputed.pop(number)

    def recompute(self) -> None:
        """Run the function again and keep what it saves."""
        found: list[Tensor] = []

        def pack(t: Tensor) -> Tensor:
            if len(found) == len(self.types) and (self.early_stop or not self.completed):
                if self.early_stop:
                    raise _Stop
                return handle(t._data, None)  # saved after the gradient, taken inside the function, that asks for this
            self.note(1)
            found.append(handle(t._data, None))
            if self.early_stop and len(found) == len(self.types):
                raise _Stop
            return found[-1]

        args = [a.read() if isinstance(a, _Argument) else a for a in self.args]
        kwargs = {name: a.read() if isinstance(a, _Argument) else a for name, a in self.kwargs.items()}
        with (
            _same_numbers(self.state),
            enable_grad(),
            saved_tensors_hooks(pack, lambda t: t),
            self.context,
            suppress(_Stop),
        ):
            self.function(*args, **kwargs)
        self._compare(found)
        self.recomputed = dict(enumerate(found))

    def _compare(self, found: list[Tensor]) -> None:
        if len(found) != len(self.types):
            fewer = "A different number of tensors was saved during the original forward and recomputation"
            more = "trying to save more tensors during recomputation than during the original forward"
            raise CheckpointError(
                explain(
                    "checkpoint",
                    fewer if len(found) < len(self.types) else more,
                    "The function must do the same both times",
                    forward=len(self.types),
                    recomputation=len(found),
                    **self.shown(),
                )
            )
        for i, (t, (shape, dtype)) in enumerate(zip(found, self.types, strict=True)):
            if self.check and (t._data.shape, t._data.dtype) != (shape, dtype):
                raise CheckpointError(
                    explain(
                        "checkpoint",
                        "Recomputed values for the following tensors have different metadata than during the forward pass",
                        "The function must do the same both times",
                        position=i,
                        saved=f"{dtype}{list(shape)}",
                        recomputed=f"{t._data.dtype}{list(t._data.shape)}",
                        **self.shown(),
                    )
                )


class _same_numbers:  # noqa: N801
    """Inside the block the random generator goes on from `state`; afterwards from where it was."""

    def __init__(self, state: Tensor | None) -> None:
        self.state, self.outside = state, state

    def __enter__(self) -> None:
        if self.state is not None:
            self.outside = default_generator.state()
            default_generator.set_state(self.state)

    def __exit__(self, *_exception: object) -> None:
        if self.outside is not None:
            default_generator.set_state(self.outside)


class CheckpointFunction(Function):
    """The older form of checkpoint: a Function whose backward runs the function again and a backward inside backward."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        """The function's results, unrecorded."""
        sweeps_with_hooks.add(_REENTRANT)
        ctx.function, ctx.state = function, default_generator.state() if preserve else None
        ctx.args = [None if isinstance(a, Tensor) else a for a in args]
        ctx.positions = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.positions))
        with no_grad():
            return function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The gradients of the arguments; those of other leaves are accumulated on the way."""
        if local.sweep is not None and not local.sweep.into_all_leaves:
            raise DifferentiationError(
                explain(
                    "checkpoint",
                    "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter to .backward()",
                    "Pass use_reentrant=False",
                )
            )
        if local.grad_enabled:
            raise DifferentiationError(
                explain(
                    "checkpoint",
                    "use_reentrant=True has no second derivatives, and this backward asked for create_graph",
                    "Pass use_reentrant=False",
                )
            )
        args = list(ctx.args)
        for i, t in zip(ctx.positions, ctx.saved_tensors, strict=True):
            args[i] = t.detach().requires_grad_(t.requires_grad)
        with _same_numbers(ctx.state), enable_grad():
            results = ctx.function(*args)
        listed = results if isinstance(results, tuple) else (results,)
        pairs = [(r, g) for r, g in zip(listed, grads, strict=True) if isinstance(r, Tensor) and r.requires_grad]
        if not pairs:
            problem = "none of output has requires_grad=True, this checkpoint() is not necessary"
            raise DifferentiationError(explain("checkpoint", problem))
        run_backward([r for r, _ in pairs], [g for _, g in pairs])
        return (None, None, *(a.grad if isinstance(a, Tensor) else None for a in args))


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Run a Sequential (or a list of functions) on `input`, cut into `segments` checkpoints, of which the last is run plainly."""
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ArgumentValueError(explain("checkpoint_sequential", f"Unexpected keyword arguments: {','.join(kwargs)}"))
    if use_reentrant is None:
        warnings.warn(NOT_CHOSEN, UserWarning, stacklevel=2)
        use_reentrant = True
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def part(start: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for step in steps[start:end]:
                value = step(value)
            return value

        return run

    size, end = len(steps) // segments, 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        input = checkpoint(part(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(end, len(steps))(input)


__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "checkpoint",
    "checkpoint_sequential",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
]
