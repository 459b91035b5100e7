"""Selections as programs write them: each derivative equals that of a form in which every branch is safe.

mask_traps.txt: a line has the name, the point, the function of x, its safe form, and `values` where shapes depend on values, so that it cannot be recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracegrad as tg

LINES = [line.split("; ") for line in Path(__file__).with_name("mask_traps.txt").read_text().splitlines()]
ALL = [pytest.param(*line[1:4], id=line[0]) for line in LINES]
RECORDABLE = [
    pytest.param(*line[1:4], id=line[0]) for line in LINES if len(line) == 4 and "masked_scatter" not in line[2]
]


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    before = tg.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    yield
    tg.set_default_dtype(before)


def safe(chosen: tg.Tensor, x: tg.Tensor, value: float) -> tg.Tensor:
    """x where it is chosen, and a harmless number elsewhere."""
    return tg.where(chosen, x, tg.full_like(x, value))


def total(text: str) -> Any:
    names = {"torch": tg, "safe": safe, "math": math, "inf": math.inf, "nan": math.nan}
    return lambda x: eval(text, {**names, "x": x}).sum()


def leaf(point: str) -> tg.Tensor:
    return tg.tensor(eval(point, {"inf": math.inf, "nan": math.nan}), requires_grad=True)


def derivatives(function: Any, x: tg.Tensor) -> list[np.ndarray]:
    """The gradient and the row sums of the Hessian."""
    (first,) = tg.autograd.grad(function(x), x, create_graph=True)
    if not first.requires_grad:
        return [first.numpy(), np.zeros(x.shape)]
    (second,) = tg.autograd.grad(first.sum(), x, allow_unused=True, materialize_grads=True)
    return [first.detach().numpy(), second.numpy()]


def close(got: Any, wanted: np.ndarray) -> None:
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("point", "function", "safe_form"), ALL)
def test_backward_gives_the_derivative_of_the_safe_form(point, function, safe_form):
    x = leaf(point)
    total(function)(x).backward()
    close(x.grad, derivatives(total(safe_form), leaf(point))[0])


@pytest.mark.parametrize(("point", "function", "safe_form"), ALL)
def test_the_second_derivative_is_that_of_the_safe_form(point, function, safe_form):
    first, second = derivatives(total(function), leaf(point))
    wanted = derivatives(total(safe_form), leaf(point))
    close(first, wanted[0])
    close(second, wanted[1])


@pytest.mark.parametrize(("point", "function", "safe_form"), RECORDABLE)
def test_the_compiled_gradient_is_that_of_the_safe_form(point, function, safe_form):
    wanted = derivatives(total(safe_form), leaf(point))[0]
    close(tg.compile(tg.func.grad(total(function)))(leaf(point).detach()), wanted)


@pytest.mark.parametrize(
    "text", ["torch.sqrt(x) * torch.tensor([0.0, 1.0])", "(x**2 * torch.tensor([1.0, 0.0])).sum().sqrt()"]
)
def test_a_product_with_zero_is_no_selection(text):
    x = leaf("[0.0, 4.0]")
    total(text)(x).backward()
    assert np.isnan(np.asarray(x.grad)).any()
