"""One `where` is enough: formulas with one guard have the derivatives of the same formulas with two, as scientists and model builders write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracegrad as tg

Function = Callable[[Any], Any]

# name -> point, condition, formula where it holds, formula elsewhere, a harmless argument for the first
GUARDS: dict[str, tuple[list[float], Function, Function, Function, float]] = {
    "rsqrt": ([0.0, 1.0, 4.0], lambda x: x > 0, tg.rsqrt, tg.zeros_like, 1.0),
    "logarithm and a parabola": ([-1.0, 0.0, 4.0], lambda x: x > 0, tg.log, lambda x: x**2, 1.0),
    "relative entropy": ([0.0, 0.3, 0.7], lambda x: x > 0, lambda x: x * tg.log(x / tg.tensor([0.2, 0.3, 0.5])), tg.zeros_like, 1.0),
    "sinc and its series": ([0.0, 1.0, 2.0], lambda x: x != 0, lambda x: tg.sin(x) / x, lambda x: 1 - x**2 / 6, 1.0),
    "(1 - cos x) / x**2": ([0.0, 1.0, 2.0], lambda x: x != 0, lambda x: (1 - tg.cos(x)) / x**2, lambda x: 0.5 - x**2 / 24, 1.0),
    "Langevin": ([0.0, 1.0, 2.0], lambda x: x.abs() > 1e-3, lambda x: 1 / tg.tanh(x) - 1 / x, lambda x: x / 3, 1.0),
    "Bernoulli's rate": ([0.0, 1.0, -2.0], lambda x: x != 0, lambda x: x / tg.expm1(x), lambda x: 1 - x / 2, 1.0),
    "log-sigmoid": ([-800.0, 1.0, 2.0], lambda x: x > -20, lambda x: -tg.log(1 + tg.exp(-x)), lambda x: x, 1.0),
    "selu": ([900.0, 1.0, -2.0], lambda x: x <= 0, lambda x: 1.76 * tg.expm1(x), lambda x: 1.05 * x, -1.0),
    "semicircle": ([-1.0, 1.0, 0.5], lambda x: x.abs() < 1, lambda x: tg.sqrt(1 - x * x), tg.zeros_like, 0.0),
    "inverse cosh": ([1.0, 0.5, 2.0], lambda x: x > 1, lambda x: tg.log(x + tg.sqrt(x * x - 1)), tg.zeros_like, 2.0),
    "bump": ([1.0, -1.0, 0.5], lambda x: x.abs() < 1, lambda x: tg.exp(-1 / (1 - x**2)), tg.zeros_like, 0.0),
    "Lennard-Jones with a cut": ([0.0, 1.0, 3.0], lambda x: (x > 0) & (x < 2.5), lambda x: 4 * (x**-12 - x**-6), tg.zeros_like, 1.0),
    "Yukawa": ([0.0, 1.0, 3.0], lambda x: x > 0, lambda x: tg.exp(-x) / x, tg.zeros_like, 1.0),
    "sRGB": ([0.0, 0.001, 0.5], lambda x: x > 0.0031308, lambda x: 1.055 * x ** (1 / 2.4) - 0.055, lambda x: 12.92 * x, 1.0),
    "CIE Lab": ([0.0, 0.001, 0.5], lambda x: x > 0.008856, lambda x: x ** (1 / 3), lambda x: 7.787 * x + 16 / 116, 1.0),
    "Box-Cox": ([0.0, 0.5, 2.0], lambda x: x != 0, lambda x: (2.5**x - 1) / x, lambda x: 0.9 + x, 1.0),
    "Hill": ([0.0, 1.0, 2.0], lambda x: x > 0, lambda x: 1 / (1 + x**-2.5), tg.zeros_like, 1.0),
    "logit": ([0.0, 1.0, 0.3], lambda x: (x > 0) & (x < 1), lambda x: tg.log(x / (1 - x)), tg.zeros_like, 0.5),
    "entropy of a coin": ([0.0, 1.0, 0.3], lambda x: (x > 0) & (x < 1), lambda x: x * tg.log(x) + (1 - x) * tg.log(1 - x), tg.zeros_like, 0.5),
    "Planck": ([0.0, 1.0, 800.0], lambda x: (x > 0) & (x < 500), lambda x: x**3 / (tg.exp(x) - 1), tg.zeros_like, 1.0),
    "Fermi": ([-900.0, 1.0, 900.0], lambda x: x < 100, lambda x: 1 / (tg.exp(x) + 1), tg.zeros_like, 1.0),
    "sign by a root": ([0.0, 1.0, -2.0], lambda x: x != 0, lambda x: x / tg.sqrt(x * x), tg.zeros_like, 1.0),
}  # fmt: skip

MISSING: dict[str, Callable[[Any, Any], Any]] = {
    "squares": lambda x, y: (x - y) ** 2,
    "magnitudes": lambda x, y: (x - y).abs(),
    "smooth Huber": lambda x, y: tg.sqrt(1 + (x - y) ** 2) - 1,
    "normal": lambda x, y: -0.5 * ((y - x[:1]) / tg.exp(x[1:2])) ** 2 - x[1:2],
    "logistic": lambda x, y: y * tg.log(tg.sigmoid(x)) + (1 - y) * tg.log(1 - tg.sigmoid(x)),
    "Poisson": lambda x, y: y * x - tg.exp(x),
    "Student": lambda x, y: tg.log1p((x - y) ** 2 / 3),
    "ratios": lambda x, y: y / x,
    "powers": lambda x, y: x**y,
}


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    before = tg.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    yield
    tg.set_default_dtype(before)


def derivatives(function: Function, point: Any) -> list[np.ndarray]:
    """The gradient by backward and the compiled one; a Hessian product on the tape and compiled."""
    weights = tg.tensor(np.linspace(1.0, 2.0, len(point)))
    x = tg.tensor(point, requires_grad=True)
    function(x).sum().backward()
    (g,) = tg.autograd.grad(function(x).sum(), x, create_graph=True)
    second = (
        tg.autograd.grad((g * weights).sum(), x, allow_unused=True, materialize_grads=True)[0]
        if g.requires_grad
        else x * 0
    )
    first = tg.func.grad(lambda x: function(x).sum())
    compiled = tg.compile(lambda x: (first(x), tg.func.grad(lambda x: (first(x) * weights).sum())(x)))(x.detach())
    return [v.detach().numpy() for v in (x.grad, compiled[0], second, compiled[1])]


def agree(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for got, want in zip(found, expected, strict=True):
        assert np.isfinite(want).all()
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", GUARDS)
def test_one_guard_is_as_good_as_two(name):
    point, condition, formula, elsewhere, harmless = GUARDS[name]

    def two(x: Any) -> Any:
        return tg.where(condition(x), formula(tg.where(condition(x), x, harmless)), elsewhere(x))

    agree(derivatives(lambda x: tg.where(condition(x), formula(x), elsewhere(x)), point), derivatives(two, point))


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_a_missing_observation_counts_for_nothing(name, hole):
    y = tg.tensor([hole, 1.0, 2.0, hole])
    there = tg.isfinite(y)
    formula, point = MISSING[name], [0.3, 0.7, 1.1, 1.9]
    expected = derivatives(lambda x: tg.where(there, formula(x, tg.where(there, y, 1.0)), 0.0), point)
    agree(derivatives(lambda x: tg.where(there, formula(x, y), 0.0), point), expected)


def test_a_missing_row_of_features_counts_for_nothing():
    table, there = tg.tensor([[1.0, 2.0], [np.nan, 1.0], [3.0, np.inf]]), tg.tensor([True, False, False])
    expected = derivatives(lambda w: ((table[:1] * w).sum(1) - 1) ** 2, [0.5, 0.25])
    agree(derivatives(lambda w: tg.where(there, ((table * w).sum(1) - 1) ** 2, 0.0), [0.5, 0.25]), expected)


@pytest.mark.parametrize(
    "energy", [lambda d: d, lambda d: 1 / d, lambda d: d**-12 - 2 * d**-6, tg.log, lambda d: (d - 1) ** 2 / d]
)
def test_the_diagonal_of_a_distance_matrix_counts_for_nothing(energy):
    point = [0.0, 0.0, 1.0, 0.5, -0.3, 2.0]

    def pairs(x: Any, diagonal: float | None) -> Any:
        p, eye = x.reshape(3, 2), tg.eye(3) > 0
        squares = ((p[:, None] - p[None]) ** 2).sum(-1)
        d = tg.sqrt(squares if diagonal is None else tg.where(eye, diagonal, squares))
        return tg.where(eye, 0.0, energy(d))

    agree(derivatives(lambda x: pairs(x, None), point), derivatives(lambda x: pairs(x, 1.0), point))


def test_a_masked_row_of_attention_counts_for_nothing():
    bias = tg.tensor([[0.0, -np.inf, -np.inf], [0.0, 0.0, -np.inf], [-np.inf] * 3])
    there = tg.tensor([[True], [True], [False]])

    def attend(x: Any, mask: Any) -> Any:
        q = x.reshape(3, 2)
        return tg.where(there, tg.softmax(q @ q.t() + mask, -1), 0.0) @ q

    point = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    expected = derivatives(lambda x: attend(x, tg.where(there, bias, 0.0)), point)
    agree(derivatives(lambda x: attend(x, bias), point), expected)


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 3.0, np.inf])
def test_a_norm_has_the_derivative_0_at_0_to_second_order(order):
    for found in derivatives(lambda x: tg.norm(x, p=order), [0.0, 0.0]):
        np.testing.assert_array_equal(found, [0, 0])


@pytest.mark.parametrize(
    ("exponent", "expected"), [(0.0, [0, 0, 0]), (1.0, [1, 0, 0]), (2.0, [0, 2, 0]), (3.0, [0, 0, 6])]
)
@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_power_at_0_has_all_its_derivatives(exponent, expected, as_tensor):
    x = tg.tensor(0.0, requires_grad=True)
    value = x ** (tg.tensor(exponent) if as_tensor else exponent)
    for want in expected:
        if not value.requires_grad:
            assert want == 0
            continue
        (value,) = tg.autograd.grad(value, x, create_graph=True, allow_unused=True, materialize_grads=True)
        assert value.item() == want
