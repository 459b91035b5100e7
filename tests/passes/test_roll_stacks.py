"""Rolled loops read what other loops gave as it lies in their stacks, not position by position."""

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.passes import roll


@pytest.fixture(autouse=True)
def rolls_early(monkeypatch):
    monkeypatch.setattr(roll, "LEAST_NODES_ELSEWHERE", 64)


def chain(x):
    for _ in range(60):
        x = (x.sin() * 1.01 + 0.1).tanh()
        x = x * x * 0.5
    return x


def operators(graph):
    return [node.op.name for node in graph.nodes]


def test_the_reverse_of_a_loop_takes_what_the_loop_kept_as_a_whole():
    fast = tg.compile(tg.func.grad(lambda x: chain(x).sum()))
    fast(tg.linspace(0.1, 0.9, 5))
    names = operators(fast.graphs[0])
    assert names.count("scan") == 2
    assert names.count("select") <= 2


@pytest.mark.parametrize("order", [1, 2])
def test_its_derivatives_are_those_of_eager_code(order):
    def total(x):
        return chain(x).sum() + (x[1:] * x[:-1]).sum()

    derivative = total
    for _ in range(order):
        derivative = (lambda f: lambda x: tg.func.grad(lambda y: f(y).sum())(x))(derivative)
    x = tg.linspace(0.1, 0.9, 5, dtype=tg.float64)
    np.testing.assert_allclose(tg.compile(derivative)(x).numpy(), derivative(x).numpy(), rtol=1e-9, atol=1e-12)
