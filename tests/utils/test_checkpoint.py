"""Checkpointing: the same gradients, with inner values computed again."""

import gc
import weakref

import pytest

import tracegrad as tg
from tracegrad.utils.checkpoint import checkpoint, set_checkpoint_debug_enabled, set_checkpoint_early_stop


def layer(a, w):
    return (a * w).sin() * a


def inputs():
    return tg.tensor([0.5, 1.5], requires_grad=True), tg.tensor([2.0, -1.0], requires_grad=True)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_nested_checkpoints_give_equal_derivatives_to_third_order(depth):
    def nested(a, w, level):
        if not level:
            return layer(a, w)
        return checkpoint(nested, layer(a, w), w, level - 1, use_reentrant=False)

    def plain(a, w, level):
        return layer(a, w) if not level else plain(layer(a, w), w, level - 1)

    found = []
    for function in (nested, plain):
        x, w = inputs()
        value = function(x, w, depth).sum()
        derivatives = []
        for _ in range(3):
            (value,) = tg.autograd.grad(value, x, create_graph=True)
            derivatives.append(value.tolist())
            value = value.sum()
        value.backward()
        found.append((derivatives, x.grad.tolist(), w.grad.tolist()))
    assert found[0] == found[1]


def test_inner_values_are_not_kept():
    kept = []

    def function(a):
        inner = a.exp()
        kept.append(weakref.ref(inner._data))
        return inner * inner

    x, _ = inputs()
    gc.disable()
    try:
        y = checkpoint(function, x, use_reentrant=False)
        assert kept[0]() is None
        y.sum().backward()
        assert all(r() is None for r in kept)
    finally:
        gc.enable()
    assert x.grad is not None


def test_an_inner_checkpoint_keeps_no_argument_of_an_outer_one():
    kept = []

    def outer(a):
        middle = a.exp()
        kept.append(weakref.ref(middle._data))
        return checkpoint(tg.sin, middle, use_reentrant=False)

    x, _ = inputs()
    y = checkpoint(outer, x, use_reentrant=False)
    assert kept[0]() is None
    y.sum().backward()
    expected = x.detach().exp().cos() * x.detach().exp()
    assert x.grad.tolist() == pytest.approx(expected.tolist())


@pytest.mark.parametrize("enable, finished", [(True, 1), (False, 2)])
def test_early_stop_ends_the_second_run_at_the_last_saved_value(enable, finished):
    ends = []

    def function(a):
        b = a.exp() * 3
        ends.append(1)
        return b + 1

    x, _ = inputs()
    with set_checkpoint_early_stop(enable):
        y = checkpoint(function, x, use_reentrant=False)
    y.sum().backward()
    assert len(ends) == finished


def test_an_argument_that_was_overwritten_is_reported():
    x, _ = inputs()
    y = x * 1
    z = checkpoint(lambda a: a * a, y, use_reentrant=False)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_the_older_form_refuses_a_backward_that_is_recorded():
    x, _ = inputs()
    y = checkpoint(tg.sin, x, use_reentrant=True)
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        y.sum().backward(create_graph=True)


def test_checkpoints_disappear_in_a_recording():
    x, w = inputs()
    graph = tg.capture(lambda a, b: checkpoint(layer, a, b, use_reentrant=False), x.detach(), w.detach())
    assert "sin" in str(graph)


def test_debug_shows_where_both_runs_saved_their_values():
    runs = []

    def f(x):
        runs.append(1)
        return x.sin().exp().sum() if len(runs) == 1 else x.sin().sum()

    x = tg.ones(2, requires_grad=True)
    with set_checkpoint_debug_enabled(True):
        y = checkpoint(f, x, use_reentrant=False)
    with pytest.raises(
        RuntimeError, match=r"test_checkpoint\.py:.*You are seeing this error because you passed `debug=True`"
    ):
        y.backward()
