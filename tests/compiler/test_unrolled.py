"""Unrolled loops in compiled functions: their repetitions are scans before anything else looks at them."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.compiler.compile import Compiled
from tracegrad.ir.node import Node

RNG = np.random.default_rng(7)
W, U, B = (tg.tensor(RNG.normal(size=shape) * 0.1) for shape in ((8, 8), (8, 8), (8,)))


def loss(w, u, b, xs):
    h = tg.zeros(8, dtype=tg.float64)
    for t in range(len(xs)):
        h = tg.tanh(w @ h + u @ xs[t] + b)
    return (h * h).sum()


gradient = tg.func.grad(loss, argnums=(0, 1, 2))
arguments = [W, U, B]


def inputs(steps):
    return tg.tensor(RNG.normal(size=(steps, 8)))


def recorded_nodes(fast):
    return len(fast.tree.root.program.graph.nodes)


@pytest.mark.parametrize("function", [loss, gradient], ids=["loss", "gradient"])
def test_a_long_recording_is_short_before_it_is_compiled(function):
    xs = inputs(400)
    fast = tg.compile(function)
    found, want = fast(*arguments, xs), function(*arguments, xs)
    for a, b in zip(
        found if isinstance(found, tuple) else (found,), want if isinstance(want, tuple) else (want,), strict=True
    ):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)
    assert recorded_nodes(fast) < 120


@pytest.mark.parametrize("function", [loss, gradient], ids=["loss", "gradient"])
def test_passes_and_emission_of_two_thousand_steps_take_no_longer_than_those_of_twenty(function):
    def seconds(steps):
        fast = tg.compile(function)
        fast(*arguments, inputs(steps))
        times = fast.explain(*arguments, inputs(steps)).times
        return times["passes"] + times["emit"]

    short, long = min(seconds(20) for _ in range(3)), min(seconds(2000) for _ in range(2))
    assert long < 3 * short


def gru(p, xs):
    h = tg.zeros(8, dtype=tg.float64)
    for t in range(len(xs)):
        z = tg.sigmoid(p[0] @ h + p[1] @ xs[t])
        h = (1 - z) * h + z * tg.tanh(p[1] @ (tg.sigmoid(p[0] @ h) * h) + xs[t])
    return (h * h).sum()


def lstm(p, xs):
    h = c = tg.zeros(8, dtype=tg.float64)
    for t in range(len(xs)):
        g = tg.cat([p[0], p[1]]) @ h + tg.cat([xs[t], xs[t]])
        c = tg.sigmoid(g[:8]) * c + tg.tanh(g[8:])
        h = tg.sigmoid(g[4:12]) * tg.tanh(c)
    return (h * h).sum()


def by_func(cell):
    return lambda p, xs: tg.func.grad(lambda p: cell(p, xs))(p)


def by_autograd(cell):
    def gradient(p, xs):
        p = [t.detach().requires_grad_() for t in p]
        return tg.autograd.grad(cell(p, xs), p)

    return gradient


def by_backward(cell):
    def gradient(p, xs):
        p = [t.detach().requires_grad_() for t in p]
        cell(p, xs).backward()
        return [t.grad for t in p]

    return gradient


@pytest.mark.parametrize("cell", [gru, lstm])
@pytest.mark.parametrize("gradient", [by_func, by_autograd, by_backward])
def test_gradients_of_cells_with_gates_are_short_before_they_are_compiled(cell, gradient):
    fast, xs = tg.compile(gradient(cell)), inputs(150)
    for a, b in zip(fast([W, U], xs), gradient(cell)([W, U], xs), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)
    assert recorded_nodes(fast) < 300


def test_a_second_derivative_is_short_before_it_is_compiled():
    def second(w, xs):
        return tg.func.grad(lambda w: tg.func.grad(loss)(w, U, B, xs).square().sum())(w)

    fast, xs = tg.compile(second), inputs(100)
    np.testing.assert_allclose(fast(W, xs).numpy(), second(W, xs).numpy(), rtol=1e-9, atol=1e-12)
    assert recorded_nodes(fast) < 300


def test_what_a_recording_held_is_gone_before_its_program_is_made(monkeypatch):
    fast, alive, add = tg.compile(gradient), [], Compiled._add

    def counted(self, *args):
        alive.append(live_nodes())
        return add(self, *args)

    monkeypatch.setattr(Compiled, "_add", counted)
    gc.collect()
    gc.disable()
    try:
        before = live_nodes()
        fast(*arguments, inputs(400))
    finally:
        gc.enable()
    assert alive[0] - before < 1000


def test_derivatives_flow_through_a_long_recording():
    w = W.clone().requires_grad_()
    xs = inputs(300)
    tg.compile(loss)(w, U, B, xs).backward()
    np.testing.assert_allclose(w.grad.numpy(), gradient(W, U, B, xs)[0].numpy(), rtol=1e-9, atol=1e-12)


def test_what_has_no_derivative_has_none_after_a_long_recording():
    def two(w, xs):
        h = k = tg.zeros(8, dtype=tg.float64)
        for t in range(len(xs)):
            h = tg.tanh(w @ h + xs[t])
            with tg.no_grad():
                k = tg.tanh(w @ k - xs[t])
        return h.sum(), k.sum()

    w = W.clone().requires_grad_()
    h, k = tg.compile(two)(w, inputs(300))
    assert (h.requires_grad, k.requires_grad) == (True, False)


def live_nodes():
    gc.collect()
    return sum(isinstance(o, Node) for o in gc.get_objects())


def test_a_long_recording_leaves_no_nodes_behind():
    fast, xs, before = tg.compile(gradient), inputs(500), live_nodes()
    fast(*arguments, xs)
    assert live_nodes() - before < 1000
    assert gc.isenabled()


def test_the_collector_stays_off_where_the_user_turned_it_off():
    gc.disable()
    try:
        tg.compile(loss)(*arguments, inputs(5))
        assert not gc.isenabled()
    finally:
        gc.enable()
