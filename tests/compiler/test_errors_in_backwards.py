"""Errors in compiled backwards: eager code's class, the user's line, and nothing has changed."""

from __future__ import annotations

import inspect

import pytest

import tracegrad as tg

EYE, ZERO = tg.eye(2, dtype=tg.float64), tg.zeros(2, 2, dtype=tg.float64)


def leaf(values):
    """A leaf of its own with these values."""
    return values.clone().requires_grad_()


def line_of(function, text):
    """The line of a function that contains a text, as error messages name it."""
    lines, first = inspect.getsourcelines(function)
    return f"test_errors_in_backwards.py:{first + next(i for i, line in enumerate(lines) if text in line)}"


class Inverse(tg.autograd.Function):
    """A rule that fails for singular arguments."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return tg.linalg.inv(x) * g


class Picked(tg.autograd.Function):
    """A rule that reads a position."""

    @staticmethod
    def forward(ctx, x, i):
        ctx.save_for_backward(x, i)
        return x * 2

    @staticmethod
    def backward(ctx, g):
        x, i = ctx.saved_tensors
        return g[i] * 2 + x.sum(), None


def outside(x):
    return Inverse.apply(x).sum()


def inside(x):
    y = Inverse.apply(x)
    (g,) = tg.autograd.grad(y.sum(), x)
    return g.sum()


def hooked(x):
    h = x * 2
    h.register_hook(lambda g: tg.linalg.inv(g))
    return (h * h).sum()


def check(function, rule, backend, first_bad):
    """A good and a bad call in turn, with a backward behind each that is not inside."""
    fast = tg.compile(function, backend=backend)
    for k, value in enumerate([ZERO] * first_bad + [EYE, ZERO, EYE, ZERO]):
        x = leaf(value)
        if value is EYE:
            y = fast(x)
            if y.requires_grad:
                y.backward()
                want = leaf(EYE)
                function(want).backward()
                assert x.grad.tolist() == want.grad.tolist()
            continue
        with pytest.raises(tg.linalg.LinAlgError, match="singular") as caught:
            fast(x).backward()
        assert x.grad is None
        if k > first_bad:
            assert line_of(rule, "tg.linalg.inv") in str(caught.value)


@pytest.mark.parametrize("first_bad", [0, 1])
@pytest.mark.parametrize(("function", "rule"), [(outside, Inverse), (inside, Inverse), (hooked, hooked)])
def test_an_error_of_the_users_rule_names_its_line(function, rule, first_bad):
    check(function, rule, "numpy", first_bad)


def test_a_position_out_of_range_in_a_rule_names_its_line():
    fast = tg.compile(lambda x, i: Picked.apply(x, i).sum())
    for good in (True, False, True, False):
        x = leaf(tg.ones(2, dtype=tg.float64))
        y = fast(x, tg.tensor([0, 1 if good else 7]))
        if good:
            y.backward()
            continue
        with pytest.raises(IndexError) as caught:
            y.backward()
        assert line_of(Picked, "g[i]") in str(caught.value)
        assert x.grad is None


def rooted(x):
    h = x * 1
    z = h.sqrt()
    return (z * 0).sum()


@pytest.mark.filterwarnings("ignore:Anomaly Detection", "ignore:Error detected in")
@pytest.mark.parametrize("before", [False, True])
def test_anomaly_mode_names_the_line_of_the_first_nan(before):
    fast = tg.compile(rooted)
    fast(leaf(tg.ones(2))).backward()
    line = line_of(rooted, "h.sqrt()").rpartition(":")[2]
    y = fast(leaf(tg.zeros(2))) if before else None
    with (
        tg.autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match=f'returned nan values .*test_errors_in_backwards.py", line {line}'),
    ):
        (y if before else fast(leaf(tg.zeros(2)))).backward()


def test_an_interrupt_in_a_backward_leaves_all_as_before():
    def interrupting(g):
        if g.norm() > 5:
            raise KeyboardInterrupt
        return g * 2

    def step(x):
        opt.zero_grad()
        h = w * x
        h.register_hook(interrupting)
        loss = (h * h).sum()
        loss.backward()
        opt.step()
        return loss

    w = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
    opt = tg.optim.Adam([w], lr=0.1)
    fast, x = tg.compile(step), tg.ones(2, dtype=tg.float64)

    def state():
        return w.tolist(), None if w.grad is None else w.grad.tolist(), str(opt.state_dict()["state"])

    for scale in (0.1, 5.0, 0.1, 5.0):
        before = state()
        if scale < 1:
            fast(x * scale)
            assert state() != before
        else:
            with pytest.raises(KeyboardInterrupt):
                fast(x * scale)
            assert state() == before
        assert tg.is_grad_enabled()


def test_a_parameter_that_is_an_argument_and_an_optimizers_is_updated():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    opt = tg.optim.SGD([w], lr=0.1)

    def step(w, x):
        opt.zero_grad()
        (w * x).sum().backward()
        opt.step()

    fast = tg.compile(step)
    with pytest.warns(RuntimeWarning, match="reaches the .grad of an argument by another way"):
        for _ in range(3):
            fast(w, tg.ones(2))
    assert w.tolist() == pytest.approx([0.7, 1.7])


class Square(tg.autograd.Function):
    """Saves an argument."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


@pytest.mark.parametrize("scales", [(1.0, 0.1, 1.0), (0.1, 1.0, 0.1)])
def test_a_decision_by_what_a_rule_has_computed_is_by_its_value(scales):
    def f(w, x):
        w = w.detach().requires_grad_()
        Square.apply(w * x).sum().backward()
        return w.grad / w.grad.norm() if w.grad.norm() > 1 else w.grad

    fast, w = tg.compile(f), tg.tensor([1.0, 2.0])
    for scale in scales:
        assert tg.allclose(fast(w, w * scale), f(w, w * scale))
