"""roll: repeated text becomes a scan, with the same numbers; compile time does not grow with the number of steps."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.func import grad
from tracegrad.ir.graph import Graph
from tracegrad.ir.verify import verify
from tracegrad.passes.differentiate import vjp_graph
from tracegrad.passes.pipeline import optimise, prepare
from tracegrad.passes.roll import LEAST_NODES, roll

RNG = np.random.default_rng(11)


@pytest.fixture(autouse=True)
def short_programs_are_rolled(monkeypatch):
    monkeypatch.setitem(LEAST_NODES, "jax", 64)


def tensor(*shape, scale=1.0):
    return tg.tensor(RNG.normal(size=shape) * scale)


W, U, B = tensor(3, 3, scale=0.3), tensor(3, 3, scale=0.3), tensor(3)


def cell(h, x):
    return tg.tanh(x @ U + h @ W + B)


def rnn(x):
    h, loss = tg.zeros(2, 3, dtype=tg.float64), 0.0
    for t in range(len(x)):
        h = cell(h, x[t])
        loss = loss + (h * h).mean()
    return loss


def backwards(x):
    h = tg.ones(2, 3, dtype=tg.float64)
    for t in reversed(range(len(x))):
        h = cell(h, x[t])
    return h


def all_states(x):
    h, states = tg.zeros(2, 3, dtype=tg.float64), []
    for t in range(len(x)):
        h = cell(h, x[t])
        states.append(h)
    return tg.stack(states, dim=1) * 2, states[5] + states[-1]


def two_layers(x):
    a = b = tg.zeros(2, 3, dtype=tg.float64)
    for t in range(len(x)):
        a = cell(a, x[t])
        b = tg.sigmoid(b @ U + a)
    return a.sum() + b.sum()


def every_other(x):
    h = x[0]
    for t in range(0, len(x), 2):
        h = cell(h, x[t]) * x[-1]
    return h


def columns(x):
    h = tg.zeros(len(x), 3, dtype=tg.float64)
    for _ in range(30):
        for i in range(2):
            h = cell(h, x[:, i])
    return h


def two_back(x):
    before, h = x[0], x[1]
    for t in range(2, len(x)):
        before, h = h, h * 0.9 - before * 0.1 + x[t]
    return h


def second_loop_reads_the_first(x):
    h, states = tg.zeros(2, 3, dtype=tg.float64), []
    for t in range(len(x)):
        h = cell(h, x[t])
        states.append(h)
    for t in reversed(range(len(x))):
        h = h * 0.5 + tg.sin(states[t])
    return h


def runge_kutta(x):
    y = x[0]
    for _ in range(25):
        k = tg.sin(y)
        m = tg.sin(y + 0.05 * k)
        y = y + 0.1 * (k + 2 * m) / 3
    return y


def small_values(x):
    h = x[0]
    for t in range(40):
        h = h * B[t % 3] + x[t % len(x)]
    return h


def several_results(x):
    h = x[0]
    for t in range(len(x)):
        values, order = tg.sort(h + x[t], dim=1)
        h = values * 0.5 + order
    return h


def nothing_repeats(x):
    return (x * 2).sum() + tg.exp(x[0]).sum()


PROGRAMS = [
    rnn, backwards, all_states, two_layers, every_other, columns, two_back, second_loop_reads_the_first, runge_kutta, small_values, several_results, nothing_repeats,
]  # fmt: skip


def recorded(function, x):
    graph = tg.capture(function, x)
    captured = [n.numpy() for n in _outside(graph)]
    return Graph(graph.leaves, graph.outputs, (), (), graph.names), [x.numpy(), *captured]


def _outside(graph):
    known = [W, U, B]
    return [_match(leaf, known) for leaf in graph.captures]


def _match(leaf, known):
    """The captured Tensor: they come in the order in which the cell reads them."""
    fitting = [t for t in known if tuple(t.shape) == leaf.shape]
    found = fitting[-1] if leaf.shape == (3, 3) and len(fitting) == 2 else fitting[0]
    known[:] = [t for t in known if t is not found]
    return found


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("steps", [4, 20, 41])
def test_the_numbers_stay(function, steps):
    if function in (all_states,) and steps < 6:
        pytest.skip("it reads the sixth state")
    graph, arrays = recorded(function, tensor(steps, 2, 3))
    rolled = roll(graph, "jax")
    verify(rolled)
    for a, b in zip(graph(*arrays), rolled(*arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients_that_were_recorded_stay(function):
    def loss(x):
        found = function(x)
        return sum((v * v).sum() for v in (found if isinstance(found, tuple) else (found,)))

    graph, arrays = recorded(grad(loss), tensor(30, 2, 3))
    rolled = roll(graph, "jax")
    verify(rolled)
    for a, b in zip(graph(*arrays), rolled(*arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", PROGRAMS[:-1], ids=lambda f: f.__name__)
def test_a_loop_becomes_a_scan(function):
    graph, _ = recorded(function, tensor(41, 2, 3))
    rolled = roll(graph, "jax")
    assert any(node.op.name == "scan" for node in rolled.nodes)
    assert len(rolled.nodes) < 40 < len(graph.nodes)


@pytest.mark.parametrize("function", [rnn, two_layers, second_loop_reads_the_first], ids=lambda f: f.__name__)
def test_the_derivative_of_a_rolled_loop(function):
    graph, arrays = recorded(lambda x: function(x).sum(), tensor(60, 2, 3))
    rolled = roll(graph, "jax")
    assert rolled is not graph
    for a, b in zip(vjp_graph(graph)(*arrays, np.ones(())), vjp_graph(rolled)(*arrays, np.ones(())), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_short_program_stays_as_it_is():
    graph, _ = recorded(rnn, tensor(6, 2, 3))
    assert roll(graph, "numpy") is graph


def test_weights_of_their_own_are_not_stacked():
    weights = [tensor(20, 20) for _ in range(12)]

    def deep(x):
        for w in weights:
            x = tg.tanh(x @ w) + tg.sin(x) * tg.cos(x) - tg.exp(-x * x)
        return x

    graph = tg.capture(deep, tensor(2, 20))
    closed = Graph(graph.leaves, graph.outputs, (), (), graph.names)
    assert roll(closed, "jax") is closed


def test_random_numbers_of_a_loop_stay_those_of_eager_code():
    def walk(x):
        for _ in range(200):
            x = x + tg.randn(2) * 0.1 - x * 0.01
        return x

    tg.manual_seed(5)
    want = walk(tg.zeros(2))
    fast = tg.compile(walk)
    tg.manual_seed(5)
    np.testing.assert_allclose(fast(tg.zeros(2)).numpy(), want.numpy(), rtol=1e-5)
    assert "for i in range" in fast.source


def test_two_thousand_steps_compile_as_fast_as_twenty():
    def seconds(steps):
        graph, _ = recorded(rnn, tensor(steps, 2, 3))
        assert graph.nodes  # recording has them in this order already
        start = time.perf_counter()
        optimise(graph)
        optimise(vjp_graph(prepare(graph)))
        return time.perf_counter() - start

    short, long = min(seconds(20) for _ in range(4)), min(seconds(2000) for _ in range(4))
    assert long < 3 * short


def test_numbers_of_equal_value_but_another_type_do_not_repeat():
    def alternating(x):
        for t in range(40):
            x = x * (2 if t % 2 else 2.0) + (0.0 if t % 3 else -0.0)
        return x

    graph, arrays = recorded(alternating, tensor(2, 3))
    np.testing.assert_array_equal(graph(*arrays)[0], roll(graph, "jax")(*arrays)[0])


def test_a_value_that_is_not_selected_gives_no_nan():
    x = tg.tensor(np.concatenate([np.zeros(1), np.linspace(1.0, 2.0, 199)]), dtype=tg.float64)

    def last_log(x):
        found = [tg.log(x[t]) * tg.sin(x[t]) + tg.cos(x[t]) for t in range(200)]
        return found[-1] + found[5]

    def masked(x):
        total = x[1] * 0
        for t in range(200):
            total = total + tg.where(x[t] > 0, tg.sqrt(x[t]) * tg.sin(x[t]), x[t] * 0)
        return total

    for function in (last_log, masked):
        inner = x.clone().requires_grad_()
        tg.compile(function)(inner).backward()
        np.testing.assert_allclose(inner.grad.numpy(), grad(function)(x).numpy())
        np.testing.assert_allclose(tg.compile(grad(function))(x).numpy(), grad(function)(x).numpy())
