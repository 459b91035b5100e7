"""Hooks of all modules, and the places of parameters that are replaced."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tracegrad import nn
from tracegrad.nn.modules import module as where


@pytest.fixture
def network():
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU())


def test_a_global_forward_hook_sees_every_call_until_it_is_removed(network):
    seen = []
    with where.register_module_forward_hook(lambda m, i, o: seen.append((type(m).__name__, tuple(o.shape)))):
        network(tg.ones(1, 2))
    network(tg.ones(1, 2))
    assert seen == [("Linear", (1, 3)), ("ReLU", (1, 3)), ("Sequential", (1, 3))]


def test_a_global_forward_pre_hook_runs_before_a_modules_own_and_replaces_inputs():
    order, layer = [], nn.ReLU()
    layer.register_forward_pre_hook(lambda m, i: order.append(("own", i[0].tolist())))
    with where.register_module_forward_pre_hook(lambda m, i: (i[0] * 2,)):
        assert layer(tg.ones(2)).tolist() == [2, 2]
    assert order == [("own", [2, 2])]


def test_what_a_global_forward_hook_returns_is_the_result():
    with where.register_module_forward_hook(lambda m, i, o: o + 1):
        assert nn.ReLU()(tg.ones(2)).tolist() == [2, 2]


def test_a_global_forward_hook_with_kwargs_gets_them():
    class Named(nn.Module):
        def forward(self, x, scale=1):
            return x * scale

    seen = []
    with where.register_module_forward_hook(lambda m, i, k, o: seen.append(k), with_kwargs=True):
        Named()(tg.ones(2), scale=3)
    assert seen == [{"scale": 3}]


def test_a_global_hook_that_is_always_called_sees_a_forward_that_raises():
    class Bad(nn.Module):
        def forward(self, x):
            raise ValueError("bad")

    seen = []
    with (
        where.register_module_forward_hook(lambda m, i, o: seen.append(o), always_call=True),
        pytest.raises(ValueError, match="bad"),
    ):
        Bad()(tg.ones(1))
    assert seen == [None]


def test_global_backward_hooks_see_every_module_from_the_last_to_the_first(network):
    seen = []
    with (
        where.register_module_full_backward_pre_hook(lambda m, o: seen.append(f"before {type(m).__name__}")),
        where.register_module_full_backward_hook(lambda m, i, o: seen.append(f"after {type(m).__name__}")),
    ):
        network(tg.ones(1, 2, requires_grad=True)).sum().backward()
    assert seen == [
        "before Sequential",
        "before ReLU",
        "after ReLU",
        "before Linear",
        "after Linear",
        "after Sequential",
    ]


def test_registration_hooks_see_modules_parameters_and_buffers():
    seen = []

    def note(module, name, value):
        seen.append((type(module).__name__, name))

    with where.register_module_module_registration_hook(note):
        nn.Sequential(nn.ReLU())
    with where.register_module_parameter_registration_hook(note):
        nn.Linear(2, 3)
    with where.register_module_buffer_registration_hook(note):
        nn.Module().register_buffer("kept", tg.ones(1))
    assert seen == [("Sequential", "0"), ("Linear", "weight"), ("Linear", "bias"), ("Module", "kept")]


def test_what_a_registration_hook_returns_is_registered():
    module = nn.Module()
    with where.register_module_parameter_registration_hook(lambda m, n, p: nn.Parameter(p.detach() * 0)):
        module.weight = nn.Parameter(tg.ones(2))
    assert module.weight.tolist() == [0, 0]


def test_a_replaced_parameter_keeps_its_place():
    layer = nn.Linear(2, 3)
    layer.weight = nn.Parameter(tg.ones(3, 2))
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    layer.weight = None
    layer.weight = nn.Parameter(tg.ones(3, 2))
    assert list(layer.state_dict()) == ["weight", "bias"]
    del layer.weight
    layer.weight = nn.Parameter(tg.ones(3, 2))
    assert list(layer.state_dict()) == ["bias", "weight"]


def test_a_replaced_buffer_keeps_its_place():
    module = nn.Module()
    module.first, module.second = nn.Buffer(tg.ones(1)), nn.Buffer(tg.ones(1))
    module.first = nn.Buffer(tg.zeros(1))
    assert list(module.state_dict()) == ["first", "second"]
