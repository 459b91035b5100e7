"""The form of a program of the corpus, and what one call of it does: result, derivatives, effects.

A program is a function `build(torch, compile)` marked with `@program`: it makes its state anew and returns a `Case`.  `torch` is tracegrad or torch; `compile` is the
identity (eager), or the compile() of a backend.  Nothing here imports either library.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import io
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

PROGRAMS: dict[str, Program] = {}  # by "category.name", in the order of the text


class Program:
    """A named builder.

    random: draws numbers, which torch draws otherwise.  only_tracegrad: uses what torch lacks.
    """

    def __init__(self, build: Callable[..., Case], random: bool, only_tracegrad: bool, only_numpy: bool) -> None:
        self.build, self.random, self.only_tracegrad, self.only_numpy = build, random, only_tracegrad, only_numpy
        self.category = build.__module__.rpartition(".")[2]
        self.name = f"{self.category}.{build.__name__}"


def program(build: Any = None, *, random: bool = False, only_tracegrad: bool = False, only_numpy: bool = False) -> Any:
    """Mark a builder as a program of the corpus."""
    if build is None:
        return lambda function: program(function, random=random, only_tracegrad=only_tracegrad, only_numpy=only_numpy)
    made = Program(build, random, only_tracegrad, only_numpy)
    assert made.name not in PROGRAMS, made.name
    PROGRAMS[made.name] = made
    return build


class Call:
    """Arguments of one call, and what the user does before it."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], before: Callable[[], Any] | None) -> None:
        self.args, self.kwargs, self.before = args, kwargs, before


def call(*args: Any, before: Callable[[], Any] | None = None, **kwargs: Any) -> Call:
    """One call with these arguments."""
    return Call(args, kwargs, before)


class Case:
    """A built program.

    function   what is called (compiled already where the program compiles)
    calls      one Call, or a tuple of arguments, for each call; the first two are repeated at the end
    order      derivatives of the result to this order are part of the outcome, for all leaves that require grad among the arguments and in `wrt`
    state      gives what the calls may write: tensors (value and .grad), modules, state dicts, Python objects
    at_most    bound for the number of compilations of all compiled functions together, where that is counted
    may_warn   running a signature eagerly, with one warning, is a right answer
    may_refuse an error that says why (TraceError) is a right answer
    may_succeed where eager code raises, compiled code (without writes to memory) may give the result
    joint      whether result and derivatives may be computed inside one compiled function too
    """

    def __init__(
        self,
        function: Callable[..., Any],
        calls: Sequence[Any],
        *,
        order: int = 1,
        wrt: Sequence[Any] = (),
        state: Callable[[], Any] | None = None,
        at_most: int | None = None,
        may_warn: bool = False,
        may_refuse: bool = False,
        may_succeed: bool = False,
        joint: bool = True,
    ) -> None:
        self.function, self.order, self.wrt, self.state = function, order, list(wrt), state
        made = [c if isinstance(c, Call) else call(*c) for c in calls]
        self.calls = made + made[:2]
        self.at_most, self.may_warn, self.may_refuse, self.joint = at_most, may_warn, may_refuse, joint
        self.may_succeed = may_succeed


def f64(torch: Any, values: Any, grad: bool = False) -> Any:
    """A float64 tensor of these values."""
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def is_tensor(value: Any) -> bool:
    """Whether a value is a Tensor of either library; a number that recorded code keeps as a Tensor is a number."""
    if isinstance(value, (int, float)) or type(value).__name__.startswith("Traced"):
        return False
    return hasattr(value, "requires_grad") and hasattr(value, "detach") and hasattr(value, "dtype")


def is_module(value: Any) -> bool:
    """Whether a value is a Module of either library."""
    return hasattr(value, "named_parameters") and hasattr(value, "named_buffers")


def parts(value: Any) -> Iterator[Any]:
    """The parts of a container, a dataclass or a module's parameters; nothing for anything else."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from (getattr(value, field.name) for field in dataclasses.fields(value))
    elif is_module(value):
        yield from (p for _, p in value.named_parameters())


def placed_tensors(value: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """All tensors in a nested value, in order, each with the way to it."""
    if is_tensor(value):
        yield path, value
        return
    for i, part in enumerate(parts(value)):
        yield from placed_tensors(part, (*path, i))


def tensors_in(value: Any) -> list[Any]:
    """All tensors in a nested value, in order."""
    return [tensor for _, tensor in placed_tensors(value)]


def weighted(torch: Any, values: Sequence[Any], turn: int) -> Any:
    """A number that depends on every element of the values that require grad, each with a weight of its own."""
    total: Any = 0.0
    for k, value in enumerate(values):
        if value is None or not value.requires_grad:
            continue
        numbers = (value.real, value.imag) if value.is_complex() else (value,)
        for number in numbers:
            weights = torch.arange(number.numel()).mul(7).add(3 * k + 5 * turn).remainder(11).to(number.dtype)
            total = total + (number * ((weights - 4.5) / 8).reshape(number.shape)).sum()
    return total


def derivatives(torch: Any, result: Any, inputs: Sequence[Any], order: int) -> list[Any]:
    """Derivatives of the result's tensors (summed with weights) for the inputs, order after order."""
    current: Sequence[Any] = tensors_in(result)
    found = []
    for turn in range(order):
        if not inputs or not any(t is not None and t.requires_grad for t in current):
            break
        last = turn + 1 == order
        grads = torch.autograd.grad(
            weighted(torch, current, turn), inputs, create_graph=not last, retain_graph=True, allow_unused=True
        )
        found.append(list(grads))
        current = grads
    return found


def places_of_inputs(case: Case, made: Call) -> list[tuple[int, ...]]:
    """The ways to the leaves for which a call is differentiated, in (args, kwargs, case.wrt)."""
    found: dict[int, tuple[int, ...]] = {}
    for path, t in placed_tensors([made.args, made.kwargs, case.wrt]):
        if t.requires_grad and t.is_leaf:
            found.setdefault(id(t), path)
    return list(found.values())


def at_places(case: Case, args: Any, kwargs: Any, places: Sequence[tuple[int, ...]]) -> list[Any]:
    """The tensors at the end of these ways."""
    found = []
    for path in places:
        value: Any = (args, kwargs, case.wrt)
        for i in path:
            value = list(parts(value))[i]
        found.append(value)
    return found


def array_of(tensor: Any) -> np.ndarray:
    """The values of a tensor; of short floats as float32."""
    tensor = tensor.detach()
    if "bfloat16" in str(tensor.dtype):
        tensor = tensor.float()
    return np.array(tensor.numpy(force=True))


def plain(value: Any, gradients: bool = False) -> Any:
    """A value without its library: nested tuples that begin with a word; with gradients, tensors show their .grad."""
    if is_tensor(value):
        shown = ("tensor", str(value.dtype), tuple(value.shape), bool(value.requires_grad), array_of(value))
        return (*shown, plain(value.grad)) if gradients and (value.is_leaf or value.retains_grad) else shown
    if is_module(value):
        named = [*value.named_parameters(), *value.named_buffers()]
        return ("module", value.training, {name: plain(t, gradients) for name, t in named})
    if isinstance(value, (np.ndarray, np.generic)):
        return ("array", str(value.dtype), value.shape, np.array(value))
    if isinstance(value, enum.Enum):
        return ("enum", str(value))
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return (type(value).__name__, value)
    if isinstance(value, dict):
        return (type(value).__name__, {str(k): plain(v, gradients) for k, v in value.items()})
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, sorted(map(repr, value)))
    if isinstance(value, (list, tuple)) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return (type(value).__name__, [plain(part, gradients) for part in parts(value)])
    if callable(value):
        return ("callable",)
    return ("object", str(value) if str(value).startswith("torch.") else type(value).__name__)


def raised_class(error: BaseException) -> str:
    """The class of an exception that both libraries share: Python's, NumPy's, or the program's own."""
    shared = ("builtins", "numpy", "tests")
    return next(c.__name__ for c in type(error).__mro__ if c.__module__.partition(".")[0] in shared)


@dataclasses.dataclass
class Outcome:
    """What one call did."""

    result: Any = None
    derivatives: Any = None
    effects: Any = None
    printed: str = ""
    raised: str | None = None
    error: BaseException | None = None
    warned: tuple[str, ...] = ()


def outcome(torch: Any, case: Case, made: Call, function: Callable[..., Any] | None = None) -> Outcome:
    """Make one call and tell what it did.  `function` (result and derivatives at once) takes the place of the case's own."""
    done, printed = Outcome(), io.StringIO()
    places = places_of_inputs(case, made)
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            if made.before is not None:
                made.before()
            if function is not None:
                result, found = function(made.args, made.kwargs, places)
            else:
                inputs = at_places(case, made.args, made.kwargs, places)
                result = case.function(*made.args, **made.kwargs)
                found = derivatives(torch, result, inputs, case.order)
            done.result, done.derivatives = plain(result), plain(found)
        except Exception as error:
            done.raised, done.error = raised_class(error), error
    done.warned = tuple(f"{w.category.__name__}: {w.message}" for w in caught)
    done.printed = printed.getvalue()
    state = case.state() if case.state is not None else None
    done.effects = plain([list(made.args), made.kwargs, case.wrt, state], gradients=True)
    return done


def joint(torch: Any, case: Case) -> Callable[..., Any]:
    """A function that computes a result of the case's function and its derivatives, to be compiled as a whole."""

    def result_and_derivatives(args: Any, kwargs: Any, places: Any) -> Any:
        inputs = at_places(case, args, kwargs, places)
        result = case.function(*args, **kwargs)
        return result, derivatives(torch, result, inputs, case.order)

    return result_and_derivatives


def difference(expected: Any, got: Any, where: str, slack: float = 1.0) -> str | None:
    """Where two plain values differ, in words; None where they agree."""
    if isinstance(expected, np.ndarray):
        return _difference_of_arrays(expected, got, where, slack)
    if isinstance(expected, (list, tuple)):
        if type(expected) is not type(got) or len(expected) != len(got):
            return f"{where}: {_short(got)} instead of {_short(expected)}"
        names = [where if isinstance(expected, tuple) else f"{where}[{i}]" for i in range(len(expected))]
        return next(filter(None, map(difference, expected, got, names, [slack] * len(names))), None)
    if isinstance(expected, dict):
        if list(expected) != list(got):
            return f"{where}: keys {list(got)} instead of {list(expected)}"
        return next(filter(None, (difference(v, got[k], f"{where}.{k}", slack) for k, v in expected.items())), None)
    if isinstance(expected, (float, complex)) and type(got) is type(expected):
        return _difference_of_arrays(np.array(expected), np.array(got), where, slack)
    return None if expected == got and type(expected) is type(got) else f"{where}: {got!r} instead of {expected!r}"


TOLERANCE = {"f8": 1e-8, "c16": 1e-8, "f4": 3e-5, "c8": 3e-5, "f2": 3e-3}


def _difference_of_arrays(expected: np.ndarray, got: np.ndarray, where: str, slack: float) -> str | None:
    if not isinstance(got, np.ndarray) or got.shape != expected.shape or got.dtype != expected.dtype:
        return f"{where}: {_short(got)} instead of {_short(expected)}"
    tolerance = TOLERANCE.get(expected.dtype.str[1:], 0.0) * slack
    with np.errstate(all="ignore"):
        finite = np.abs(expected[np.isfinite(expected)]) if expected.size else expected
        scale = float(finite.max()) if finite.size else 0.0
        same = np.allclose(got, expected, rtol=tolerance, atol=tolerance * max(min(1.0, scale), 1e-6), equal_nan=True)
    return None if same else f"{where}: {_short(got)} instead of {_short(expected)}"


def _short(value: Any) -> str:
    text = " ".join(repr(value.tolist() if isinstance(value, np.ndarray) else value).split())
    return text if len(text) < 90 else text[:87] + "..."


def _difference_of_derivatives(expected: Any, got: Any, where: str, slack: float) -> str | None:
    """None is a derivative of zero; whether a derivative has derivatives is not compared."""
    arrays = [found[4] if found[0] == "tensor" else None for found in (expected, got)]
    present = [array for array in arrays if array is not None]
    if not present:
        return None
    one, other = (np.zeros_like(present[0]) if array is None else array for array in arrays)
    return difference(one, other, where, slack)


def differences(expected: Outcome, got: Outcome) -> str | None:
    """How two outcomes of one call differ."""
    if expected.raised != got.raised:
        return f"raised {got.raised} instead of {expected.raised}" if got.raised else f"did not raise {expected.raised}"
    found = difference(expected.result, got.result, "result")
    if expected.derivatives is not None:
        orders = itertools.zip_longest(expected.derivatives[1], got.derivatives[1], fillvalue=("list", []))
        for k, ((_, ones), (_, others)) in enumerate(orders, 1):
            for i, (one, other) in enumerate(itertools.zip_longest(ones, others, fillvalue=("NoneType", None))):
                found = found or _difference_of_derivatives(one, other, f"derivative {k}[{i}]", 10.0 ** (k - 1))
    found = found or difference(expected.effects, got.effects, "effects")
    return found or difference(expected.printed, got.printed, "printed")
