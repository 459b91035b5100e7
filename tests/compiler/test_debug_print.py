"""debug_print() is a part of compiled programs: it prints at every call, in order, with the values of that call."""

from __future__ import annotations

import pytest

import tracegrad as tg

X = tg.tensor([1.0, 2.0])


def printed(capsys, function, *calls):
    """What these calls print."""
    for x in calls:
        function(x)
    return capsys.readouterr().out


def halving(x):
    tg.debug_print("begins with {} of {}", x, tuple(x.shape))
    while x.sum() > 1:
        x = x / 2
        tg.debug_print("sum {s:.2f}, item {i:.1f}", s=x.sum(), i=x[0].item())
    tg.debug_print("ends")
    return x


def test_a_program_prints_what_the_function_prints(capsys):
    calls = (X, X * 2, X, X * 0.1)
    want = printed(capsys, halving, *calls)
    fast = tg.compile(halving)
    assert printed(capsys, fast, *calls) == want
    assert want.count("begins") == want.count("ends") == 4
    compiled = fast.compilations
    assert printed(capsys, fast, *calls) == want
    assert fast.compilations == compiled > 0


def test_jax_programs_print_too(capsys):
    pytest.importorskip("jax")
    want = printed(capsys, halving, X, X * 2, X)
    assert printed(capsys, tg.compile(halving, backend="jax"), X, X * 2, X) == want


def test_values_before_writes_are_shown(capsys):
    total = tg.zeros(2)

    def f(x):
        tg.debug_print("before {}", total)
        total.add_(x)
        tg.debug_print("after {}", [total, {"x": x}])
        return x * 2

    want = printed(capsys, f, X, X, X)
    total.zero_()
    assert printed(capsys, tg.compile(f), X, X, X) == want


def test_derivatives_flow_past_it_and_steps_print_their_loss(capsys):
    w = tg.ones(2, requires_grad=True)

    def step(x):
        w.grad = None
        loss = (x * w).square().sum()
        tg.debug_print("loss {:.4f}", loss)
        loss.backward()
        with tg.no_grad():
            w.sub_(w.grad, alpha=0.1)
        return loss

    want = printed(capsys, step, X, X, X)
    with tg.no_grad():
        w.fill_(1.0)
    fast = tg.compile(step)
    assert printed(capsys, fast, X, X, X) == want
    assert fast.compilations == 1


def test_inside_grad_inside_compile(capsys):
    def f(x):
        y = (x * x).sum()
        tg.debug_print("y {}", y)
        return y

    want = printed(capsys, tg.func.grad(f), X, X * 2, X)
    assert want.count("y") == 3
    assert printed(capsys, tg.compile(tg.func.grad(f)), X, X * 2, X) == want


def test_a_recording_without_order_refuses_it():
    def f(x):
        tg.debug_print("x {}", x)
        return x * 2

    with pytest.raises(tg.errors.TraceError, match="debug_print has no place"):
        tg.capture(f, X)


def test_a_text_without_arguments_is_printed_as_it_is(capsys):
    tg.debug_print("{not a field}")
    assert capsys.readouterr().out == "{not a field}\n"
