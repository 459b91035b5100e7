"""Loops over a size: a few programs serve all lengths, forward and with derivatives."""

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.compiler.program import Backward

LENGTHS = (5, 8, 9, 20, 30, 33, 6, 12, 17)


def rows(n, *rest):
    tg.manual_seed(n)
    return tg.rand(n, *rest, dtype=tg.float64)


W, U = rows(3, 4), rows(4, 4) * 0.3
cell = tg.nn.GRUCell(3, 4).double()


def recurrent(x):
    h = tg.zeros(4, dtype=tg.float64)
    for t in range(x.shape[0]):
        h = (x[t] @ W + h @ U).tanh()
    return h


def states(x):
    h, made = x.new_zeros(4), []
    for row in x:
        h = (row @ W + h @ U).tanh()
        made.append(h)
    return tg.stack(made)


def gated(x):
    h = tg.zeros(1, 4, dtype=tg.float64)
    for row in x.unbind(0):
        h = cell(row[None], h)
    return h


def filled(x):
    made = tg.zeros_like(x)
    for i in range(len(x)):
        made[i] = x[i] * 2 + 1
    return made


def filled_from_before(x):
    made = tg.zeros_like(x)
    made[0] = x[0]
    for i in range(1, len(x)):
        made[i] = made[i - 1] * 0.5 + x[i]
    return made


def columns(x):
    made = tg.empty(3, len(x), dtype=tg.float64)
    for i in range(len(x)):
        made[:, i] = x[i].sin()
    return made


def joined(x):
    return tg.cat([x[i : i + 1] * 2 for i in range(len(x))])


def split(x):
    total = tg.zeros(1, 3, dtype=tg.float64)
    for part in x.split(1):
        total = total * 0.9 + part.sin()
    return total


def backwards(x):
    y = tg.zeros((), dtype=tg.float64)
    for i in reversed(range(len(x))):
        y = y * 0.5 + x[i].sum()
    return y


def weighted(x):
    total = 0
    for i in range(len(x)):
        total = total + x[i] * (i + 1)
    return total / len(x)


def timed(x):
    y = x[0]
    for i in range(len(x)):
        y = y + 0.1 * (x[i] - y) * (i * 0.1)
    return y


def euler(x):
    y, dt = x[0], 1.0 / len(x)
    for i in range(len(x)):
        y = y + dt * (x[i] - y)
    return y


def differences(x):
    total = tg.zeros((), dtype=tg.float64)
    for i in range(len(x) - 1):
        total = total + (x[i + 1] - x[i]).pow(2).sum()
    return total / len(x)


PROGRAMS = [recurrent, states, gated, filled, filled_from_before, columns, joined, split, backwards, weighted, timed, euler, differences]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("options", [{}, {"dynamic": True}], ids=["default", "dynamic"])
def test_two_programs_serve_all_lengths(f, options):
    fast = tg.compile(f, **options)
    for n in LENGTHS:
        np.testing.assert_allclose(fast(rows(n, 3)).detach(), f(rows(n, 3)).detach(), rtol=1e-12, atol=1e-14)
    assert fast.compilations <= 2


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_the_backward_is_one_program_for_all_lengths(f, monkeypatch):
    made = []
    compiled = Backward._compile
    monkeypatch.setattr(Backward, "_compile", lambda self: (made.append(1), compiled(self))[1])
    fast = tg.compile(f)

    def derivatives(function, n):
        x = rows(n, 3).requires_grad_()
        (g,) = tg.autograd.grad(function(x).square().sum(), x, create_graph=True)
        return g, *tg.autograd.grad(g.square().sum(), x)

    for n in LENGTHS:
        for got, want in zip(derivatives(fast, n), derivatives(f, n), strict=True):
            np.testing.assert_allclose(got.detach(), want.detach(), rtol=1e-9, atol=1e-11)
    assert fast.compilations <= 2
    assert len(made) <= 2


def test_a_training_step_over_texts_of_any_length_takes_a_few_programs():
    def train(compiled):
        tg.manual_seed(0)
        model = tg.nn.ModuleDict({"cell": tg.nn.RNNCell(3, 5), "out": tg.nn.Linear(5, 1)})
        opt = tg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x):
            opt.zero_grad()
            h = tg.zeros(x.shape[0], 5)
            for t in range(x.shape[1]):
                h = model["cell"](x[:, t], h)
            loss = model["out"](h).square().mean() / x.shape[1]
            loss.backward()
            opt.step()
            return loss.item()

        step = tg.compile(step) if compiled else step
        return [step(rows(4, n, 3).float()) for n in LENGTHS for _ in range(2)], step

    want, _ = train(False)
    got, step = train(True)
    np.testing.assert_allclose(got, want, rtol=1e-4)
    assert step.compilations <= 4


def test_short_and_long_loops_meet():
    fast = tg.compile(states)
    for n in (10, 600, 20, 900, 7, 300):
        np.testing.assert_allclose(fast(rows(n, 3)), states(rows(n, 3)), rtol=1e-11)
    assert fast.compilations <= 4


def test_an_int_that_counts_steps_is_like_a_size():
    def f(x, steps):
        for _ in range(steps):
            x = x * 0.9 + x.sin()
        return x

    fast = tg.compile(f)
    for steps in LENGTHS:
        np.testing.assert_allclose(fast(rows(3), steps), f(rows(3), steps), rtol=1e-12)
    assert fast.compilations == 2


def test_layers_that_happen_to_be_alike_stay_unrolled():
    def f(x):
        for _ in range(6):
            x = (x @ U).tanh()
        return x

    fast = tg.compile(f)
    for n in (5, 6, 9):
        fast(rows(n, 4))
    assert "scan" not in str(fast.graph)
    assert fast.compilations == 2
