"""Backwards inside backwards, callbacks for their end, and what threads and blocks leave behind."""

import gc
import threading

import pytest

import tracegrad as tg
from tracegrad.autograd.graph import saved_tensors_hooks
from tracegrad.config import GENERATED, local


class Again(tg.autograd.Function):
    """Its backward runs a backward through itself, `left` times."""

    left = 0

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        if Again.left < 0:
            raise ValueError("deep inside")
        if Again.left:
            Again.left = -1 if Again.left == 1000 else Again.left - 1
            with tg.enable_grad():
                z = tg.ones(2, requires_grad=True)
                Again.apply(z).sum().backward()
        return g * 2


@pytest.mark.parametrize("depth", [5, 19, 20, 21, 900])
def test_a_backward_inside_a_backward_goes_to_any_depth(depth):
    Again.left = depth
    x = tg.ones(3, requires_grad=True)
    Again.apply(x).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    assert Again.left == 0
    assert (local.depth, local.callbacks) == (0, None)


def test_an_error_deep_inside_reaches_the_caller():
    Again.left = 1000
    with pytest.raises(ValueError, match="deep inside"):
        Again.apply(tg.ones(3, requires_grad=True)).sum().backward()
    assert (local.depth, GENERATED["MODE"], tg.is_grad_enabled()) == (0, 0, True)


def test_callbacks_run_in_order_when_all_gradients_are_there():
    seen = []
    x, y = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    queue = tg.autograd.Variable._execution_engine.queue_callback

    def later():
        seen.append("later")

    def first():
        seen.append((x.grad is not None, y.grad is not None))
        queue(later)

    product = x * y
    product.register_hook(lambda g: queue(first))
    product.sum().backward()
    assert seen == [(True, True), "later"]


def test_a_callback_outside_of_a_backward_is_refused():
    with pytest.raises(RuntimeError, match="Final callbacks can only be installed during backward pass"):
        tg.autograd.Variable._execution_engine.queue_callback(print)


def test_a_thread_that_ends_inside_a_mode_does_not_slow_the_others():
    def work():
        tg.set_grad_enabled(False)
        saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    del thread
    assert GENERATED["MODE"] == 0


def test_blocks_of_hooks_that_end_in_another_order_leave_nothing_in_force():
    first, second = (saved_tensors_hooks(lambda t: t, lambda t: t) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert (GENERATED["MODE"], local.watch) == (0, None)


def test_anomaly_mode_that_is_switched_on_inside_a_block_outlives_it():
    with saved_tensors_hooks(lambda t: t, lambda t: t):
        tg.autograd.set_detect_anomaly(True)
    try:
        assert "traceback_" in (tg.ones(1, requires_grad=True) * 2).grad_fn.metadata
    finally:
        tg.autograd.set_detect_anomaly(False)
    assert GENERATED["MODE"] == 0


def test_copies_are_for_backwards_inside_their_block():
    x = tg.ones(2, requires_grad=True)
    with tg.autograd.graph.allow_mutation_on_saved_tensors():
        y = x * 1
        z = y.sin()
        y.zero_()
    with pytest.raises(AssertionError, match="outside of the 'allow_mutation_on_saved_tensors'"):
        z.sum().backward()


def test_relu_twice_is_zeros():
    x = tg.tensor([1.0, -2.0], requires_grad=True)
    (first,) = tg.autograd.grad(x.relu().sum(), x, create_graph=True)
    assert first.grad_fn.name() == "ThresholdBackwardBackward0"
    assert tg.autograd.grad(first.sum(), x)[0].tolist() == [0.0, 0.0]


def test_what_is_differentiated_twice_in_rows_leaves_no_cycles():
    def work():
        tg.func.hessian(lambda v: (v**3).sum())(tg.ones(3))
        tg.func.vmap(lambda v: v * v)(tg.ones(3, 3))

    work()
    gc.collect()
    gc.disable()
    try:
        work()
        assert gc.collect() == 0
    finally:
        gc.enable()
