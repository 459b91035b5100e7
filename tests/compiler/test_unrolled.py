"""Unrolled loops in compiled functions: their repetitions are scans before anything else looks at them."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import tracegrad as tg
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
