"""Every operator over torch's own sample inputs: values, dtypes, first and second derivatives, forward mode, batching, compiled for NumPy, error classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tests.oracle.samples_of_torch import Call, NotHere, call_of, calls, chosen, full_name, our_function
from tests.oracle.samples_on_purpose import EAGER_ONLY, ERRORS_LEFT_OUT, LEFT_OUT, RANDOM, TIES

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="torch's database of operators cannot be imported without it")

from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's samples use what torch deprecates

BY_NAME = {full_name(info): info for info in op_db if chosen(info)}
DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool, torch.complex128, torch.int32, torch.uint8)
TOLERANCE = {torch.float64: 1e-9, torch.complex128: 1e-9, torch.float32: 2e-4, torch.complex64: 2e-4}
LIMIT = 3
Results = list[Any]


def flat(value: Any) -> Results:
    """All results of a call."""
    return [v for part in value for v in flat(part)] if isinstance(value, (tuple, list)) else [value]


def numbers(value: Any) -> np.ndarray:
    """Any result as an array."""
    if isinstance(value, torch.Tensor):
        return value.detach().resolve_conj().resolve_neg().numpy(force=True)
    return value.detach().resolve_conj().numpy() if isinstance(value, tg.Tensor) else np.asarray(value)


def difference(wanted: Any, got: Any, tolerance: float, what: str) -> str:
    """The first difference; the empty string for none.  Absent derivatives equal zeros."""
    wanted, got = flat(wanted), flat(got)
    if len(wanted) != len(got):
        return f"{what}: {len(got)} results instead of {len(wanted)}"
    for w, g in zip(wanted, got, strict=True):
        if w is None or g is None:
            if w is not g and np.any(numbers(w if g is None else g)):
                return f"{what}: {g} instead of {w}"
            continue
        if isinstance(w, (torch.Tensor, tg.Tensor)) and str(w.dtype) != str(getattr(g, "dtype", None)):
            return f"{what}: {getattr(g, 'dtype', type(g))} instead of {w.dtype}"
        a, b = numbers(w), numbers(g)
        if a.shape != b.shape:
            return f"{what}: shape {b.shape} instead of {a.shape}"
        if a.dtype.kind in "fc":
            size = max(1.0, float(np.abs(a[np.isfinite(a)]).max(initial=0.0)))
            equal = np.isclose(b, a, tolerance, tolerance * size / 10, equal_nan=True)
        else:
            equal = np.asarray(a == b)
        if not equal.all():
            return f"{what}: {b[~equal][:3]} instead of {a[~equal][:3]}"
    return ""


class Program:
    """A call as a function of its differentiable tensors."""

    def __init__(self, t: Any, function: Callable[..., Any], arguments: Any, keywords: Any) -> None:
        self.t, self.function = t, function
        self.leaves, self.rebuild = _leaves((arguments, keywords), t.Tensor)
        self.inputs = [x.detach() for x in self.leaves]

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        arguments, keywords = self.rebuild(iter(inputs))
        out = flat(self.function(*arguments, **keywords))
        return tuple(o for o in out if isinstance(o, self.t.Tensor) and (o.is_floating_point() or o.is_complex()))

    def slopes(self) -> tuple[Results | None, Results | None]:
        """First gradients of weighted results, and those of the weighted first gradients; None where there are none."""
        inputs = [x.detach().clone().requires_grad_() for x in self.inputs]
        outputs = [o for o in self(*inputs) if o.requires_grad]
        if not outputs:
            return None, None
        grad, weights = self.t.autograd.grad, [self.weight(o, i) for i, o in enumerate(outputs)]
        first = grad(outputs, inputs, weights, create_graph=True, allow_unused=True)
        again = [g for g in first if g is not None and g.requires_grad]
        second = None
        if again:
            try:
                second = grad(again, inputs, [self.weight(g, 50 + i) for i, g in enumerate(again)], allow_unused=True)
            except RuntimeError:
                if self.t is tg:
                    raise
        return [g if g is None else g.detach() for g in first], second

    def weight(self, like: Any, seed: int) -> Any:
        """Fixed numbers of a tensor's shape and dtype."""
        generator = np.random.default_rng(seed)
        values = generator.uniform(0.3, 1.2, tuple(like.shape))
        if like.is_complex():
            values = values + 1j * generator.uniform(-1, 1, tuple(like.shape))
        return self.t.tensor(np.asarray(values), dtype=like.dtype)

    def tangent(self) -> Any:
        """The derivative in a fixed direction."""
        directions = tuple(self.weight(x, 90 + i) for i, x in enumerate(self.inputs))
        return self.t.func.jvp(self, tuple(self.inputs), directions)[1]


def _leaves(value: Any, tensor: type) -> tuple[list[Any], Callable[[Iterator[Any]], Any]]:
    """The tensors of nested arguments that require gradients, and the function that puts others in their places."""
    if isinstance(value, tensor):
        return ([value], next) if value.requires_grad else ([], lambda _: value)
    if isinstance(value, dict):
        found, rebuild = _leaves(list(value.values()), tensor)
        return found, lambda new: dict(zip(value, rebuild(new), strict=True))
    if isinstance(value, (tuple, list)):
        pairs = [_leaves(v, tensor) for v in value]
        return [x for f, _ in pairs for x in f], lambda new: type(value)(r(new) for _, r in pairs)
    return [], lambda _: value


def value_differs(info: Any, call: Call, dtype: Any) -> str:
    """The results of a call against torch's; in case of an error of torch's, an error."""
    try:
        wanted = call.theirs(*call.their_arguments, **call.their_keywords)
    except Exception as error:
        try:
            call.ours(*call.our_arguments, **call.our_keywords)
        except Exception:
            return ""
        return f"value: no error; torch raises {type(error).__name__}: {str(error)[:90]}"
    got = call.ours(*call.our_arguments, **call.our_keywords)
    if info.name in RANDOM:
        wanted, got = ([tuple(v.shape) for v in flat(x)] for x in (wanted, got))
        return "" if wanted == got else f"value: shapes {got} instead of {wanted}"
    if info.name in TIES and not (dtype.is_floating_point or dtype.is_complex):
        wanted, got = flat(wanted)[:1], flat(got)[:1]
    return difference(wanted, got, TOLERANCE.get(dtype, 1e-5), "value")


def derivatives_differ(info: Any, theirs: Program, ours: Program) -> str:
    """First and second gradients and the forward mode against torch's."""
    try:
        first, second = theirs.slopes()
    except RuntimeError:  # torch has no derivative there
        return ""
    if first is None:
        return ""
    got, got_second = ours.slopes()
    found = difference(first, got, 1e-8, "gradient")
    if not found and second is not None and info.supports_gradgrad:
        found = difference(second, got_second or [None] * len(second), 1e-7, "second derivative")
    if not found and info.supports_forward_ad:
        try:
            tangent = theirs.tangent()
        except (RuntimeError, NotImplementedError):
            return ""
        found = difference(tangent, ours.tangent(), 1e-8, "forward mode")
    return found


def batching_differs(p: Program) -> str:
    """vmap against a loop."""
    scaled = [[x * k for x in p.inputs] for k in (1.0, 0.9)]
    wanted = [tg.stack(list(column)) for column in zip(*(p(*row) for row in scaled), strict=True)]
    got = tg.func.vmap(p)(*(tg.stack(list(column)) for column in zip(*scaled, strict=True)))
    return difference(wanted, list(got), 1e-9, "vmap")


def compiled_differs(p: Program) -> str:
    """The compiled results and gradients against the eager ones."""
    weights = [p.weight(o, i) for i, o in enumerate(p(*p.inputs))]

    def with_gradients(*inputs: Any) -> Any:
        outputs, pull = tg.func.vjp(p, *inputs)
        return outputs, pull(tuple(weights))

    try:
        function, wanted = with_gradients, with_gradients(*p.inputs)
    except RuntimeError:  # no derivative
        function, wanted = p, p(*p.inputs)
    return difference(wanted, tg.compile(function)(*p.inputs), 1e-7, "compiled")


def complaints(info: Any, dtype: Any) -> Iterator[str]:
    """Every difference over the samples of one dtype."""
    differentiable = dtype in (torch.float64, torch.complex128) and info.supports_autograd
    differentiable = differentiable and dtype in info.supported_backward_dtypes("cpu")
    for call in calls(info, dtype, differentiable, LIMIT):
        try:
            found = value_differs(info, call, dtype)
            if not found and differentiable and info.name not in RANDOM:
                theirs = Program(torch, call.theirs, call.their_arguments, call.their_keywords)
                ours = Program(tg, call.ours, call.our_arguments, call.our_keywords)
                if ours.leaves and _runs(theirs):
                    found = derivatives_differ(info, theirs, ours)
                    if info.name not in EAGER_ONLY and ours(*ours.inputs):
                        found = found or batching_differs(ours) or compiled_differs(ours)
        except Exception as error:
            found = f"{type(error).__name__}: {str(error)[:300]}"
        if found:
            yield f"{call.text}: {found}"


def _runs(program: Program) -> bool:
    try:
        program(*program.inputs)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", [n for n, info in BY_NAME.items() if not {n, info.name} & LEFT_OUT.keys()])
def test_samples_give_what_torch_gives(name):
    info, wrong = BY_NAME[name], []
    for dtype in DTYPES:
        if dtype in info.supported_dtypes("cpu"):
            wrong += complaints(info, dtype)
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:8])


@pytest.mark.parametrize("name", [n for n, i in BY_NAME.items() if i.error_inputs_func and n not in ERRORS_LEFT_OUT])
def test_errors_have_the_class_of_torchs(name):
    info, wrong = BY_NAME[name], []
    for case in info.error_inputs("cpu"):
        try:
            call = call_of(info, case.sample_input)
        except (NotHere, ValueError, TypeError):
            continue
        try:
            info.op(*call.their_arguments, **call.their_keywords)
        except Exception as error:
            theirs = error
        else:
            continue
        try:
            our_function(info)(*call.our_arguments, **call.our_keywords)
        except Exception as error:
            builtin = next(c for c in type(theirs).__mro__ if c.__module__ == "builtins")
            builtin = RuntimeError if builtin is NotImplementedError else builtin
            if not isinstance(error, builtin):
                wrong.append(
                    f"{call.text}: {type(error).__name__} {error}; torch: {builtin.__name__} {str(theirs)[:90]}"
                )
        else:
            wrong.append(f"{call.text}: no error; torch: {type(theirs).__name__} {str(theirs)[:120]}")
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:8])
