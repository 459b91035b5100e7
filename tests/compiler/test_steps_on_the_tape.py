"""A call of a compiled function as one step of the tape: its edges, anomaly mode, dual numbers, results that depend on some arguments."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tracegrad.autograd import forward_ad


def two_heads(x, y):
    return x * y, x + 1


def leaves():
    return tg.tensor(2.0, requires_grad=True), tg.tensor(3.0, requires_grad=True)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_result_gives_no_gradient_to_what_it_does_not_depend_on(create_graph):
    x, y = leaves()
    product, following = tg.compile(two_heads)(x, y)
    found = tg.autograd.grad(following, (x, y), allow_unused=True, create_graph=create_graph, retain_graph=True)
    assert found[0].item() == 1
    assert found[1] is None
    with pytest.raises(RuntimeError, match="not have been used"):
        tg.autograd.grad(following, y, create_graph=create_graph, retain_graph=True)
    assert [g.item() for g in tg.autograd.grad(product, (x, y), create_graph=create_graph)] == [3.0, 2.0]


def test_a_parameter_of_another_head_keeps_no_gradient():
    x, y = leaves()
    tg.compile(two_heads)(x, y)[1].backward()
    assert x.grad.item() == 1
    assert y.grad is None


def test_anomaly_mode_finds_the_step_that_makes_nan():
    fast = tg.compile(lambda x: (x.sqrt() * 0).sum())
    with tg.autograd.set_detect_anomaly(True):
        good = tg.ones(2, requires_grad=True)
        fast(good).backward()
        assert good.grad.tolist() == [0.0, 0.0]
        bad = fast(tg.zeros(2, requires_grad=True))
        with (
            pytest.warns(UserWarning, match="SqrtBackward0"),  # in that mode functions run as they are
            pytest.raises(RuntimeError, match="nan values"),
        ):
            bad.backward()


def test_dual_numbers_go_through_compiled_functions():
    fast = tg.compile(lambda x: (x**3).sum())
    fast(tg.ones(2))
    with forward_ad.dual_level():
        made = fast(forward_ad.make_dual(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 0.0])))
        assert forward_ad.unpack_dual(made).tangent.item() == 3
