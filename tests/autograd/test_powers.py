"""Derivatives of powers by create_graph, until nothing is left: every one but the last has a history, as in torch."""

import pytest

import tracegrad as tg


def _derivatives(f, count):
    x = tg.tensor(2.0, dtype=tg.float64, requires_grad=True)
    found = [f(x)]
    for _ in range(count):
        found += tg.autograd.grad(found[-1], x, create_graph=True)
    return found[1:]


@pytest.mark.parametrize(
    ("f", "values"),
    [
        (lambda x: x**1, [1, 0]),
        (lambda x: x**2, [4, 2, 0]),
        (tg.square, [4, 2, 0]),
        (lambda x: x**3, [12, 12, 6, 0]),
        (lambda x: x**2.0 + x**3, [16, 14, 6, 0]),
    ],
)
def test_a_power_can_be_differentiated_until_zero(f, values):
    found = _derivatives(f, len(values))
    assert [d.item() for d in found] == values
    assert [d.requires_grad for d in found] == [True] * (len(values) - 1) + [False]


def test_the_second_derivative_of_a_square_is_a_product():
    assert _derivatives(lambda x: x**2, 2)[1].grad_fn.name() == "MulBackward0"


def test_a_recorded_power_is_differentiated_without_powers():
    second = tg.func.grad(tg.func.grad(lambda x: x**2))
    fast = tg.compile(second)
    assert fast(tg.tensor(3.0)).item() == 2.0
    assert "pow(" not in fast.graph.to_text()
