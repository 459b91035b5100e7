"""The public surface against torch over generated inputs: values with the signs of zeros, dtypes, shapes, grad_fn names, first and second derivatives, error classes.

And tracegrad against itself: what is compiled, batched or pushed forward equals what runs eagerly.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import name_of, outcome, results, same_class, slopes
from tests.oracle import surface
from tracegrad.errors import TraceError

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")  # torch's, about what it will no longer take

TOLERANCE = {"float32": 5e-6, "float64": 1e-11, "float16": 4e-3}
FAMILIES = {
    "unary": surface.unary_cases, "binary": surface.binary_cases, "special": surface.special_cases, "fold": surface.reduction_cases, "product": surface.product_cases,
    "movement": surface.movement_cases,
}  # fmt: skip
GROUPS = [(family, name) for family, cases in FAMILIES.items() for name in cases()]


def signs_of_zeros(a: np.ndarray) -> np.ndarray:
    return np.signbit(a) & (a == 0)


def difference(ours: Any, theirs: Any, tolerance: float, what: str) -> str:
    """What differs between two tensors; the empty string for nothing."""
    if (str(ours.dtype), tuple(ours.shape)) != (str(theirs.dtype), tuple(theirs.shape)):
        return f"{what}: {ours.dtype} {tuple(ours.shape)}, torch has {theirs.dtype} {tuple(theirs.shape)}"
    a, b = ours.detach().numpy(), theirs.detach().numpy(force=True)
    equal = np.isclose(a, b, tolerance, tolerance, equal_nan=True)
    if "order 2" in what:  # where torch's formula divides zero by zero, or ours does, there is nothing to compare
        equal |= np.isnan(a.astype(float)) | np.isnan(b.astype(float))
    if not equal.all():
        return f"{what}: {a[~equal][:4]}, torch has {b[~equal][:4]}"
    if what == "value" and a.dtype.kind == "f" and (signs_of_zeros(a) != signs_of_zeros(b)).any():
        return f"{what}: the sign of a zero"
    return ""


def judge(text: str, arrays: tuple[np.ndarray, ...]) -> str:
    """The first difference from torch that a user can see; the empty string for none."""
    function = surface.compiled(text)
    theirs, wanted = outcome(torch, function, arrays, True)
    ours, got = outcome(tg, function, arrays, True)
    if isinstance(wanted, BaseException):
        caught = isinstance(got, BaseException) and same_class(got, wanted)
        return "" if caught else f"torch raises {type(wanted).__name__} {wanted}; this gave {got!r}"
    if isinstance(got, BaseException):
        return f"{type(got).__name__} {got}"
    wanted, got = results(wanted), results(got)
    if len(wanted) != len(got):
        return f"{len(got)} results, torch has {len(wanted)}"
    dtypes = [str(v.dtype).removeprefix("torch.") for v in (*theirs, *wanted) if hasattr(v, "requires_grad")]
    tolerance = max(TOLERANCE.get(d, 1e-11) for d in dtypes)
    for a, b in zip(got, wanted, strict=True):
        if not hasattr(b, "requires_grad"):
            if str(a) != str(b):
                return f"{a}, torch has {b}"
            continue
        found = difference(a, b, tolerance, "value")
        if found or name_of(a) != name_of(b):
            return found or f"grad_fn {name_of(a)}, torch has {name_of(b)}"
    return derivatives(theirs, ours, wanted, got, tolerance)


def derivatives(theirs: Any, ours: Any, wanted: Any, got: Any, tolerance: float) -> str:
    """The first difference in the first and second derivatives."""
    theirs, ours = [v for v in theirs if v.requires_grad], [v for v in ours if v.requires_grad]
    wanted, got = [v for v in wanted if hasattr(v, "requires_grad")], [v for v in got if hasattr(v, "requires_grad")]
    for order in (1, 2):
        try:
            wanted = slopes(torch, theirs, wanted, order, 2)
        except RuntimeError:  # torch has no such derivative
            return ""
        got = slopes(tg, ours, got, order, 2)
        for a, b in zip(got, wanted, strict=True):
            found = difference(a, b, tolerance * 10**order, f"derivative of order {order}")
            if found:
                return found
    return ""


def differs_on_purpose(text: str, arrays: tuple[np.ndarray, ...]) -> bool:
    kinds = " ".join(f"{a.dtype}{list(a.shape)}" for a in arrays)
    return any(re.search(where, f"{text} | {kinds}") for where in surface.ON_PURPOSE)


@pytest.mark.parametrize(("family", "name"), GROUPS, ids=[f"{f}-{n}" for f, n in GROUPS])
def test_a_name_gives_what_torch_gives(family, name):
    wrong = []
    for text, arrays in FAMILIES[family]()[name]:
        if not differs_on_purpose(text, arrays):
            found = judge(text, arrays)
            if found:
                wrong.append(f"{text}   with {[f'{a.dtype}{list(a.shape)}' for a in arrays]}: {found}")
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:12])


# --- tracegrad against itself


def flat(value: Any) -> list[Any]:
    return [v for part in value for v in flat(part)] if isinstance(value, (tuple, list)) else [value]


def same(got: Any, want: Any, what: str, tolerance: float = 1e-9) -> str:
    """The first difference between two lists of results."""
    if len(got) != len(want):
        return f"{what}: {len(got)} results instead of {len(want)}"
    for a, b in zip(got, want, strict=True):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            return f"{what}: {a.dtype}{list(a.shape)} instead of {b.dtype}{list(b.shape)}"
        if not np.allclose(a.detach().numpy(), b.detach().numpy(), tolerance, tolerance, equal_nan=True):
            return f"{what}: {a.tolist()} instead of {b.tolist()}"
    return ""


class Program:
    """One expression over float64 tensors, with its eager results, a weighted sum of them, and the gradients of that."""

    def __init__(self, text: str, arrays: tuple[np.ndarray, ...]) -> None:
        function = surface.compiled(text)
        self.arrays, self.tensors = arrays, [tg.tensor(a) for a in arrays]
        self.every = tuple(range(len(arrays)))
        self.run = lambda *xs: tuple(flat(function(tg, *xs)))
        self.results = self.run(*self.tensors)
        self.gradients: list[Any] = []

    def comparable(self) -> bool:
        return bool(self.results) and all(isinstance(r, tg.Tensor) for r in self.results)

    def loss(self, *xs: Any) -> Any:
        found = [r for r in self.run(*xs) if r.is_floating_point()]
        weights = (np.random.default_rng(i).uniform(0.3, 1.7, tuple(r.shape)) for i, r in enumerate(found))
        return sum((r * tg.tensor(w, dtype=r.dtype)).sum() for r, w in zip(found, weights, strict=True))

    def differentiate(self) -> None:
        """Fill in the gradients, if there are any."""
        leaves = [tg.tensor(a, requires_grad=True) for a in self.arrays]
        loss = self.loss(*leaves)
        if isinstance(loss, tg.Tensor) and loss.requires_grad:
            self.gradients = list(tg.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True))


def compiled_differs(p: Program, backend: str) -> str:
    found = same(tg.compile(p.run, backend=backend)(*p.tensors), p.results, f"compiled for {backend}")
    if found or not p.gradients:
        return found
    gradient = tg.compile(tg.func.grad(p.loss, argnums=p.every), backend=backend)
    return same(flat(gradient(*p.tensors)), p.gradients, f"gradient compiled for {backend}", 1e-8)


def batched_differs(p: Program) -> str:
    stacks = [tg.tensor(np.stack([a, np.roll(a, 1), a[..., ::-1] if a.ndim else a])) for a in p.arrays]
    for dims in {(0,) * len(stacks), (0, *(None,) * (len(stacks) - 1))}:
        inputs = [s if d == 0 else t for s, t, d in zip(stacks, p.tensors, dims, strict=True)]
        rows = [p.run(*(v[k] if d == 0 else v for v, d in zip(inputs, dims, strict=True))) for k in range(3)]
        want = [tg.stack(list(column)) for column in zip(*rows, strict=True)]
        found = same(tg.func.vmap(p.run, in_dims=dims)(*inputs), want, f"vmap over {dims}")
        if found:
            return found
    return ""


def forward_differs(p: Program) -> str:
    if not p.gradients or any(a.size == 0 for a in p.arrays):
        return ""
    directions = [tg.tensor(np.random.default_rng(50 + i).uniform(0.3, 1.7, a.shape)) for i, a in enumerate(p.arrays)]
    _, tangent = tg.func.jvp(p.loss, tuple(p.tensors), tuple(directions))
    slope = sum(float((g * v).sum()) for g, v in zip(p.gradients, directions, strict=True))
    equal = np.isclose(float(tangent), slope, 1e-7, 1e-7, equal_nan=True)
    return "" if equal else f"jvp {float(tangent)}, but the gradients give {slope}"


def moved(p: Program, step: float) -> float:
    """The loss at the inputs moved by step times all ones."""
    value = p.loss(*(tg.tensor(a + step) for a in p.arrays))
    return float(value)


def float64_programs() -> list[tuple[str, tuple[np.ndarray, ...]]]:
    """Every expression once with each set of float64 shapes."""
    chosen: dict[Any, Any] = {}
    for family, cases in FAMILIES.items():
        for items in cases().values() if family != "special" else ():
            for text, arrays in items:
                if all(a.dtype == np.float64 for a in arrays) and not re.search(surface.NOT_RECORDED, text):
                    chosen.setdefault((text, tuple(a.shape for a in arrays)), (text, arrays))
    return list(chosen.values())


def valid(items: Any) -> Any:
    """The programs that torch runs and whose results are all tensors."""
    for text, arrays in items:
        if isinstance(outcome(torch, surface.compiled(text), arrays, False)[1], BaseException):
            continue
        p = Program(text, arrays)
        if p.comparable():
            yield text, p


def complaints(items: Any, ways: Any) -> list[str]:
    """What differs between eager execution and each way."""
    wrong = []
    for text, p in valid(items):
        p.differentiate() if "floor_div" not in text and "//" not in text else None
        for way in ways:
            try:
                found = way(p)
            except TraceError as error:
                found = "" if re.search(surface.READS_VALUES, text) else f"TraceError {error}"
            except Exception as error:
                found = f"{type(error).__name__} {error}"
            if found:
                wrong.append(f"{text}   with {[a.shape for a in p.arrays]}: {found}")
    return wrong


PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_compiled_for_numpy_batched_and_forward_equal_eager(part):
    wrong = complaints(
        float64_programs()[part::PARTS], [lambda p: compiled_differs(p, "numpy"), batched_differs, forward_differs]
    )
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:12])


@pytest.mark.parametrize("part", range(4))
def test_compiled_for_jax_equals_eager(part):
    pytest.importorskip("jax")
    wrong = complaints(float64_programs()[part * 11 :: 44], [lambda p: compiled_differs(p, "jax")])
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:12])


SMOOTH = [(f"t.{name}(x)", ((2, 3),)) for name in surface.UNARY if name not in ("detach", "positive")]
SMOOTH += [
    (f"t.{name}(x, y)", ((2, 3), (3,)))
    for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "fmod", "remainder")
]
SMOOTH += [(f"x.{name}(1)", ((2, 3),)) for name in surface.REDUCTIONS if name not in ("any", "all", "argmax", "argmin")]
SMOOTH += [("x @ y", shapes) for shapes in surface.PRODUCT_SHAPES[:14] if shapes not in surface.NO_PRODUCT]


@pytest.mark.parametrize(("text", "shapes"), SMOOTH, ids=[f"{text} {shapes}" for text, shapes in SMOOTH])
def test_forward_mode_equals_finite_differences(text, shapes):
    generator = np.random.default_rng(3)
    p = Program(text, tuple(generator.uniform(0.61, 0.93, s) + 0.37 * i for i, s in enumerate(shapes)))
    if any(r.dtype != tg.float64 for r in p.results if r.is_floating_point()) or not any(
        r.is_floating_point() for r in p.results
    ):
        return
    ones = tuple(tg.ones_like(v) for v in p.tensors)
    tangent = float(tg.func.jvp(p.loss, tuple(p.tensors), ones)[1])
    assert math.isclose(tangent, (moved(p, 1e-6) - moved(p, -1e-6)) / 2e-6, rel_tol=1e-6, abs_tol=1e-7)
