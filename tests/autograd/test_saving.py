"""Saved-tensor hooks where tracegrad promises more than torch, and what they cost."""

import gc
import threading
import weakref

import pytest

import tracegrad as tg
from tracegrad import config
from tracegrad.autograd.graph import disable_saved_tensors_hooks, saved_tensors_hooks


def leaf(*values):
    return tg.tensor(values, requires_grad=True)


def same(value):
    return value


def test_a_value_overwritten_after_an_identity_hook_kept_it_is_reported():
    x = leaf(1.0, 2.0)
    y = x * 1
    with saved_tensors_hooks(same, same):
        z = y.exp() * y
    y.mul_(0)
    with pytest.raises(tg.errors.OverwrittenError, match="clone"):
        z.sum().backward()


def test_a_hook_that_copies_allows_the_original_to_be_overwritten():
    x = leaf(1.0, 2.0)
    y = x * 1
    with saved_tensors_hooks(tg.clone, same):
        z = y * y
    y.mul_(0)
    z.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("wrong", [tg.ones(3), tg.ones(2).long()])
def test_an_unpacked_tensor_of_another_type_is_refused(wrong):
    x = leaf(1.0, 2.0)
    with saved_tensors_hooks(same, lambda _: wrong):
        y = x * x
    with pytest.raises(RuntimeError, match="another type"):
        y.sum().backward()


def test_hooks_belong_to_one_thread():
    seen = []

    def work():
        x = leaf(1.0)
        (x * x).backward()

    with saved_tensors_hooks(lambda t: seen.append(1) or t, same):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert not seen


def test_the_fast_path_returns_after_the_block_also_after_an_error():
    before = config.GENERATED["MODE"]
    with pytest.raises(ZeroDivisionError), saved_tensors_hooks(lambda t: 1 / 0, same):
        leaf(1.0).exp()
    assert config.GENERATED["MODE"] == before and config.local.watch is None
    with disable_saved_tensors_hooks("no"):
        assert config.GENERATED["MODE"] > before
    assert config.GENERATED["MODE"] == before


@pytest.mark.parametrize("operation", [tg.exp, lambda x: x * x, lambda x: tg.cat([x, x * 2]), lambda x: x.max(0)[0]])
def test_a_graph_with_packed_values_is_freed_without_the_collector(operation):
    x = leaf(1.0, 2.0)
    gc.disable()
    try:
        with saved_tensors_hooks(same, same):
            y = operation(x)
        node = weakref.ref(y._node)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_each_value_is_unpacked_once_in_a_backward():
    count = []
    x = leaf(1.0, 2.0)
    with saved_tensors_hooks(same, lambda t: count.append(1) or t):
        y = tg.softmax(x, 0) * x
    tg.autograd.grad(y.sum(), x, create_graph=True)
    assert len(count) == 3


def test_views_and_writes_under_hooks_give_the_same_gradients():
    def program(x):
        y = x * 2
        y[0] = x[1] * 3
        y.mul_(y)
        v = y.view(2, 1)
        v.mul_(x.view(2, 1))
        return (y.exp() * v.view(2)).sum()

    x = leaf(0.1, 0.2)
    (plain,) = tg.autograd.grad(program(x), x)
    with saved_tensors_hooks(tg.clone, same):
        y = program(x)
    assert tg.autograd.grad(y, x)[0].tolist() == plain.tolist()
