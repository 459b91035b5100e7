"""Clipping, parameters as one vector, backward hooks of modules, functional_call: what they refuse and leave alone."""

import math

import pytest

import tracegrad as tg
from tracegrad import nn
from tracegrad.func import functional_call
from tracegrad.nn.utils import clip_grad_norm_, clip_grad_value_, parameters_to_vector, vector_to_parameters


def with_gradient(values):
    p = tg.zeros(len(values), requires_grad=True)
    p.grad = tg.tensor(values)
    return p


def test_clipping_by_norm_gives_the_norm_before_and_scales_in_place():
    p = with_gradient([3.0, 4.0])
    before = p.grad
    assert clip_grad_norm_([p], 1.0).item() == 5.0
    assert p.grad is before
    assert math.isclose(p.grad.norm().item(), 1.0, rel_tol=1e-5)


def test_a_small_gradient_is_not_scaled():
    p = with_gradient([0.25, 0.5])
    clip_grad_norm_(p, 1.0)
    assert p.grad.tolist() == [0.25, 0.5]


def test_a_norm_that_is_not_finite_is_refused_on_request():
    p = with_gradient([math.inf, 1.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    assert p.grad.tolist() == [math.inf, 1.0]


def test_clipping_by_value_bounds_every_element():
    p = with_gradient([-3.0, 0.5, 7.0])
    clip_grad_value_([p, tg.ones(2, requires_grad=True)], 1.0)
    assert p.grad.tolist() == [-1.0, 0.5, 1.0]


def test_parameters_come_back_from_their_vector():
    a, b = nn.Parameter(tg.ones(2, 2)), nn.Parameter(tg.zeros(3))
    vector_to_parameters(parameters_to_vector([a, b]).detach() + 1, [a, b])
    assert (a.tolist(), b.tolist()) == ([[2.0, 2.0], [2.0, 2.0]], [1.0, 1.0, 1.0])
    with pytest.raises(TypeError):
        vector_to_parameters([1.0], [a])


def test_a_backward_hook_with_a_wrong_count_is_refused():
    layer = nn.Linear(2, 1)
    layer.register_full_backward_hook(lambda module, before, after: (before[0], before[0]))
    with pytest.raises(RuntimeError, match="invalid number of grad"):
        layer(tg.ones(2, requires_grad=True)).sum().backward()


def test_functional_call_leaves_the_module_as_it_was_also_after_an_error():
    layer = nn.Linear(2, 1)
    weight = layer.weight
    with pytest.raises(RuntimeError):
        functional_call(layer, {"weight": tg.ones(1, 3)}, tg.ones(2))
    assert layer.weight is weight
