"""gradcheck's options: forward mode, batched gradients, results without gradient."""

import pytest

import tracegrad as tg
from tracegrad.autograd import Function, gradcheck


def double(*values):
    return tg.tensor(values, dtype=tg.float64, requires_grad=True)


FUNCTIONS = [
    tg.sin,
    lambda a: a * a.sum(),
    lambda a: (a.exp(), a.sum() ** 2, a.argmax()),
    lambda a: tg.softmax(a, 0)[:2],
    lambda a: tg.outer(a, a).sum(0) if hasattr(tg, "outer") else a**3,
]


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_forward_mode_and_batched_gradients_are_checked(function, fast_mode):
    x = double(0.3, 0.5, 0.9)
    assert gradcheck(function, x, check_forward_ad=True, check_batched_grad=True, fast_mode=fast_mode)


def test_forward_mode_is_checked_for_every_input():
    x, w = double(0.3, 0.5), double(1.5, 2.5)
    assert gradcheck(lambda a, k, b: (a * b).sin() * k, (x, 3, w), check_forward_ad=True)


class Wrong(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return x * x

    @staticmethod
    def jvp(ctx, t):
        return 3 * t * ctx.saved_tensors[0]

    @staticmethod
    def backward(ctx, g):
        return 3 * g * ctx.saved_tensors[0]


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_forward_derivative_is_found(fast_mode):
    options = {"check_forward_ad": True, "check_backward_ad": False, "fast_mode": fast_mode}
    with pytest.raises(RuntimeError, match="forward mode mismatch for output 0 with respect to input 0"):
        gradcheck(Wrong.apply, double(0.3, 0.5), **options)
    assert not gradcheck(Wrong.apply, double(0.3, 0.5), raise_exception=False, **options)


class NeedsBoth(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    @staticmethod
    def backward(ctx, g, h):
        return 2 * g + 3 * h


class BearsNone(NeedsBoth):
    @staticmethod
    def backward(ctx, g, h):
        if g is None or h is None:
            return 2 * g if h is None else 3 * h
        return 2 * g + 3 * h


def test_a_backward_that_does_not_bear_none_is_found():
    with pytest.raises((RuntimeError, TypeError)):
        gradcheck(NeedsBoth.apply, double(0.3, 0.5))
    assert gradcheck(BearsNone.apply, double(0.3, 0.5))
