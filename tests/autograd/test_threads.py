"""Threads, forks, and backwards that do not finish."""

import os
import signal
import sys
import threading

import numpy as np
import pytest

import tracegrad as tg

COUNT = 8


@pytest.fixture(autouse=True)
def often_switched():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(work):
    """Run work(k) in COUNT threads; an error in one is raised here."""
    errors = []

    def guarded(k):
        try:
            work(k)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(k,)) for k in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_independent_backwards_in_threads_give_what_one_thread_gives():
    found = {}

    def work(k):
        x = tg.arange(1.0, 6.0).add(k).requires_grad_()
        for _ in range(10):
            x.grad, y = None, x
            for _ in range(20):
                y = (y * 1.01).sin() + x.max() * 0.5 + y.abs().sqrt()
            y.sum().backward()
        found[k] = x.grad.tolist()

    in_threads(work)
    together = dict(found)
    for k in range(COUNT):
        work(k)
    assert together == found


@pytest.mark.parametrize("create_graph", [False, True])
def test_no_update_of_a_shared_leaf_is_lost(create_graph):
    x = tg.zeros(3, requires_grad=True)

    def work(k):
        for _ in range(50):
            (x * float(k % 3 + 1)).sum().backward(create_graph=create_graph)

    in_threads(work)
    assert x.grad.tolist() == [50 * sum(k % 3 + 1 for k in range(COUNT))] * 3


def test_one_graph_can_be_swept_by_several_threads():
    x = tg.ones(3, requires_grad=True)
    y = (x * 2).square().sum()
    in_threads(lambda _: [y.backward(retain_graph=True) for _ in range(20)])
    assert x.grad.tolist() == [8.0 * 20 * COUNT] * 3


def test_grad_modes_belong_to_threads():
    seen = []

    def work(_):
        seen.append(tg.is_grad_enabled())
        with tg.no_grad():
            seen.append(not tg.is_grad_enabled() and not (tg.ones(1, requires_grad=True) * 2).requires_grad)
        seen.append((tg.ones(1, requires_grad=True) * 2).requires_grad)

    with tg.no_grad():
        in_threads(work)
    assert all(seen) and len(seen) == 3 * COUNT


def test_a_hook_runs_once_for_every_backward_of_every_thread():
    x, seen = tg.ones(3, requires_grad=True), []
    x.register_hook(lambda g: seen.append(threading.get_ident()))
    in_threads(lambda _: [(x * 2).sum().backward() for _ in range(20)])
    assert len(seen) == 20 * COUNT and len(set(seen)) > 1


def test_writes_of_several_threads_are_all_counted():
    x = tg.zeros(1)
    in_threads(lambda _: [x.add_(1) for _ in range(200)])
    assert x._version == 200 * COUNT


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_error_in_a_hook_leaves_grad_untouched_and_the_engine_usable(error):
    def hook(_):
        raise error

    x = tg.ones(3, requires_grad=True)
    y = x * 2
    removable = y.register_hook(hook)
    with pytest.raises(error):
        y.sum().backward()
    removable.remove()
    assert x.grad is None and tg.is_grad_enabled()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0] * 3


def test_a_leaf_whose_gradient_was_complete_before_the_error_keeps_it():
    x, w = tg.ones(3, requires_grad=True), tg.ones(3, requires_grad=True)
    w.register_post_accumulate_grad_hook(lambda t: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ((x * x) + w).sum().backward()
    assert w.grad.tolist() == [1.0] * 3 and x.grad is None


def test_an_error_in_the_user_s_backward_leaves_the_graph_usable_with_retain_graph():
    class Sometimes(tg.autograd.Function):
        fail = True

        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            if Sometimes.fail:
                raise OSError("not now")
            return g

    x = tg.ones(2, requires_grad=True)
    y = Sometimes.apply(x * x).sum()
    with pytest.raises(OSError):
        y.backward(retain_graph=True)
    Sometimes.fail = False
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_an_interrupt_inside_a_long_backward_leaves_the_leaf_untouched():
    x = tg.ones(10, requires_grad=True)
    y = x
    for _ in range(30_000):
        y = y.sin()
    y = y.sum()

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        with pytest.raises(KeyboardInterrupt):
            while True:
                y.backward(retain_graph=True, inputs=[x]) if x.grad is None else None
                x.grad = None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0] * 10 and tg.is_grad_enabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning", "ignore:os.fork.. was called:RuntimeWarning")
def test_a_forked_process_goes_on_differentiating():
    x = tg.ones(2, requires_grad=True)
    (x * x).sum().backward()
    child = os.fork()
    if child == 0:
        try:
            with tg.no_grad():
                tg.rand(2)
            (x * x * x).sum().backward()
            os._exit(0 if np.array_equal(x.grad.numpy(), [5.0, 5.0]) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
