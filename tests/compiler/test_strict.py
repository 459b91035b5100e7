"""compile(strict=True) compares with the function as it is, without doing its effects twice."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.config import settings

X = tg.tensor([1.0, 2.0])


@pytest.fixture(autouse=True)
def _every_third_call(monkeypatch):
    monkeypatch.setattr(settings, "strict_every", 3)


def test_what_a_program_does_not_see_is_an_error_that_says_what_differs():
    scale = ctypes.c_double(2.0)
    fast = tg.compile(lambda x: (x.sum(), x * scale.value), strict=True)
    for _ in range(7):
        assert fast(X)[1].tolist() == [2.0, 4.0]
    scale.value = 3.0
    fast(X)
    with pytest.raises(tg.errors.StrictError, match=r"value 1 of the result is \[2.0, 4.0\] .* but \[3.0, 6.0\]"):
        fast(X)


def test_an_effect_on_a_tensor_that_differs_is_an_error():
    scale, total = ctypes.c_double(2.0), tg.zeros(2)

    def f(x):
        total.add_(x * scale.value)
        return x * 1

    fast = tg.compile(f, strict=True)
    fast(X)
    fast(X)
    scale.value = 3.0
    with pytest.raises(tg.errors.StrictError, match="written Tensor 0"):
        fast(X)


def test_a_training_step_is_the_same_with_and_without():
    def losses(**options):
        tg.manual_seed(0)
        model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Dropout(0.3), tg.nn.Linear(4, 1))
        opt = tg.optim.Adam(model.parameters(), lr=0.1)
        x = tg.randn(5, 3)

        @tg.compile(**options)
        def step(x):
            opt.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            opt.step()
            return loss

        return [step(x).item() for _ in range(10)], [p.tolist() for p in model.parameters()]

    assert losses(strict=True) == losses()


def test_a_hundredth_call_that_prints_is_an_error():
    calls = ctypes.c_int(0)

    def f(x):
        if calls.value > 2:
            print("progress")
        return x * 2

    fast = tg.compile(f, strict=True)
    for _ in range(5):
        fast(X)
    calls.value = 3
    with pytest.raises(tg.errors.StrictError, match="prints"):
        fast(X)


def test_a_function_that_runs_uncompiled_is_not_compared():
    rng = np.random.default_rng(0)
    with pytest.warns(RuntimeWarning, match="uncompiled"):
        fast = tg.compile(lambda x: x * float(rng.uniform()), strict=True)
        found = [fast(X).tolist() for _ in range(6)]
    again = np.random.default_rng(0)
    np.testing.assert_allclose(found, [[u, 2 * u] for u in (again.uniform() for _ in range(6))], rtol=1e-6)


def test_methods_are_compared_too():
    scale = ctypes.c_double(2.0)

    class Model:
        @tg.compile(strict=True)
        def forward(self, x):
            return x * scale.value

    model = Model()
    model.forward(X)
    model.forward(X)
    scale.value = 1.0
    with pytest.raises(tg.errors.StrictError):
        model.forward(X)
