"""A mask never drops anything but a zero: sweeps with and without masks agree wherever the one without is finite."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.cases import CASES, NO_BACKWARD, Case
from tracegrad.eager.dispatch import T
from tracegrad.eager.tensor import handle
from tracegrad.errors import DefinitionError, TracegradError
from tracegrad.ir.op import REGISTRY, Op

PLACES = ("tracegrad.ir.sweep", "tracegrad.autograd.masked")


def without_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PLACES:
        monkeypatch.setattr(sys.modules[name], "where_masks_matter", lambda order: set())
    monkeypatch.setattr(sys.modules["tracegrad.autograd.engine"], "masks_matter", lambda order: False)


def always_with_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["tracegrad.autograd.masked"], "_has_nan", lambda g: True)


def selected(case: Case, outer: bool, create_graph: bool) -> list[np.ndarray]:
    """Gradients of the operator between a product with values, where masks matter, and a selection."""
    generator = np.random.default_rng(7)
    followed = case.followed()
    leaves, tensors = [], []
    for i, a in enumerate(case.arrays):
        t = handle(np.array(a), None)
        if i in followed:
            leaves.append(t.requires_grad_())
            t = T.mul(t, handle(np.ones(a.shape, a.dtype), None))
        tensors.append(t)
    made = case.eager(tensors)
    roots, given = [], []
    for i in case.differentiable():
        mask = handle(np.asarray(generator.random(made[i].shape) < 0.5), None)
        roots.append(T.where(mask, made[i], 0.0) if outer else made[i])
        given.append(handle(np.asarray(generator.normal(size=made[i].shape), made[i]._data.dtype), None))
    found = tg.autograd.grad(roots, leaves, given, create_graph=create_graph, allow_unused=True, materialize_grads=True)
    return [g._data for g in found]


@pytest.mark.parametrize("outer", [True, False], ids=["selected", "alone"])
@pytest.mark.parametrize(("op", "number"), [c for c in CASES if c[0].name not in NO_BACKWARD])
def test_every_operator_passes_masks_that_hold_what_is_not_zero(op, number, outer, monkeypatch):
    case = Case(op, number)
    if not case.followed() or not case.differentiable():
        pytest.skip("no derivative")
    with monkeypatch.context() as patch:
        without_masks(patch)
        try:
            plain = selected(case, outer, False)
        except TracegradError:
            pytest.skip("the operator refuses to be differentiated")
    with monkeypatch.context() as patch:
        always_with_masks(patch)
        masked = selected(case, outer, False)
    recorded = selected(case, outer, True)
    for expected, *found in zip(plain, masked, recorded, strict=True):
        finite = np.isfinite(expected)
        for got in found:
            np.testing.assert_allclose(
                got[finite], expected[finite], rtol=2e-3 if expected.dtype == np.float16 else 1e-6, atol=1e-12
            )


def random_program(seed: int) -> Any:
    """A function of a 4 by 3 array from operators that make, pass and end masks."""
    choices = np.random.default_rng(seed).integers(0, 1000, 40)

    def program(x: Any) -> Any:
        values = [x * tg.tensor(np.linspace(0.5, 1.5, 12).reshape(4, 3))]
        for n, c in enumerate(choices[:14]):
            a, b = values[c % len(values)], values[(c // 7) % len(values)]
            mask = tg.tensor(np.random.default_rng(int(c)).random((4, 3)) < 0.6)
            step = (
                lambda a, b, m: a + b,
                lambda a, b, m: a * b,
                lambda a, b, m: tg.where(m, a, b),
                lambda a, b, m: tg.where(a > b, a, 0.0),
                lambda a, b, m: a.clamp(-0.5, 0.7),
                lambda a, b, m: tg.maximum(a, b),
                lambda a, b, m: tg.tanh(a),
                lambda a, b, m: tg.softmax(a, 1),
                lambda a, b, m: a - b.mean(0, keepdim=True),
                lambda a, b, m: a.amax(1, keepdim=True) - b,
                lambda a, b, m: tg.cat([a[:2], b[2:]]),
                lambda a, b, m: a.flip(0) * 0.5,
                lambda a, b, m: a.cumsum(0) / 3,
                lambda a, b, m: a.masked_fill(m, 0.25),
                lambda a, b, m: (a @ b.t()) @ a / 5,
                lambda a, b, m: tg.gather(a, 0, tg.tensor([[0, 1, 2], [3, 3, 1], [0, 0, 0], [2, 1, 0]])),
                lambda a, b, m: a.t().contiguous().reshape(4, 3).max(1, keepdim=True)[0] * b,
                lambda a, b, m: tg.relu(a) - tg.abs(b),
                lambda a, b, m: tg.logsumexp(a, 1, keepdim=True) * b,
                lambda a, b, m: a[tg.tensor([1, 1, 3, 0])].expand(4, 3),
            )[(c + n) % 20]
            values.append(step(a, b, mask))
        return sum((v * w).sum() for v, w in zip(values[-3:], (1.0, 0.5, -0.7), strict=True))

    return program


def derivatives(program: Any, x: np.ndarray) -> list[np.ndarray]:
    """The gradient by backward, by a recorded sweep, a Hessian product, and the compiled gradient."""
    t = tg.tensor(x, requires_grad=True)
    program(t).backward()
    (g,) = tg.autograd.grad(program(t), t, create_graph=True)
    second = tg.autograd.grad((g * g).sum(), t)[0] if g.requires_grad else tg.zeros(4, 3)
    compiled = tg.compile(tg.func.grad(program))(t.detach())
    return [t.grad.numpy(), g.detach().numpy(), second.numpy(), compiled.numpy()]


@pytest.mark.parametrize("seed", range(60))
def test_random_programs_have_the_same_derivatives_with_and_without_masks(seed, monkeypatch):
    before = tg.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    try:
        program, x = random_program(seed), np.random.default_rng(seed).normal(size=(4, 3))
        with monkeypatch.context() as patch:
            without_masks(patch)
            plain = derivatives(program, x)
        always_with_masks(monkeypatch)
        for expected, got in zip(plain, derivatives(program, x), strict=True):
            assert np.isfinite(expected).all()
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    finally:
        tg.set_default_dtype(before)


def test_an_unknown_way_of_passing_masks_is_refused():
    with pytest.raises(DefinitionError, match="masks='columns' is not one of"):
        type("Bad", (Op,), {
                "__doc__": "Shape: any.", "masks": "columns", "numpy": "{x}", "samples": (), "infer": staticmethod(lambda x: x),
            "grad_x": staticmethod(_identity),
        })  # fmt: skip
    assert "bad" not in REGISTRY


def _identity(F: Any, g: Any) -> Any:
    return g
