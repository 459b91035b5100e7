"""Views that may not be written in grad mode, and that are of no use for gradients after a write to what they show."""

import copy
import pickle

import pytest

import tracegrad as tg


def made_without_grad(y):
    with tg.no_grad():
        return y[:2]


class Identity(tg.autograd.Function):
    @staticmethod
    def forward(ctx, y):
        return y.view(-1)

    @staticmethod
    def backward(ctx, g):
        return g


PROTECTED = {
    "a piece of unbind": lambda y: y.unbind()[0],
    "a piece of split": lambda y: y.split(2)[0],
    "a piece of chunk": lambda y: y.chunk(2)[1],
    "made under no_grad": made_without_grad,
    "what a Function returned": Identity.apply,
    "a view of a piece": lambda y: y.split(2)[0][1:],
}
protected = pytest.mark.parametrize("make", PROTECTED.values(), ids=PROTECTED)


def value():
    return tg.ones(4, requires_grad=True) * 1


@protected
def test_a_write_to_a_protected_view_is_refused_in_grad_mode(make):
    y = value()
    v = make(y)
    with pytest.raises(RuntimeError, match="is being modified inplace"):
        v.mul_(2)
    assert y.tolist() == [1.0] * 4


@protected
def test_a_protected_view_cannot_be_differentiated_after_a_write_to_its_base(make):
    y = value()
    v = make(y)
    y.mul_(3)
    assert repr(v).endswith("grad_fn=<Invalid>)") and type(v).__name__ == "Tensor" and isinstance(v, tg.Tensor)
    with pytest.raises(RuntimeError, match="its base or another view of its base has been modified inplace"):
        v * 2
    assert v.detach().view(-1).tolist() == [3.0] * v.numel()


@protected
def test_under_no_grad_a_protected_view_is_written_and_read_as_any_other(make):
    y = value()
    v = make(y)
    with tg.no_grad():
        v.mul_(2)
        v += 1
        assert (v * 2).view(-1).tolist() == [6.0] * v.numel()
    assert y.sum().item() == 3 * v.numel() + (4 - v.numel())


def test_a_value_that_does_not_require_grad_has_no_protected_views():
    x = tg.zeros(4)
    a, b = x.split(2)
    with tg.no_grad():
        c = x[1:]
    for v in (a, b, c):
        v.add_(1)
    assert x.tolist() == [1.0, 2.0, 2.0, 2.0] and a.grad_fn is None


def test_a_view_made_under_no_grad_requires_grad_and_leads_nowhere():
    x = tg.ones(3, requires_grad=True)
    v = made_without_grad(x)
    assert v.requires_grad and v.is_leaf and v.grad_fn is None
    (v * 2).sum().backward()
    assert x.grad is None and v.grad is None


def test_views_read_their_base_after_a_write_under_no_grad():
    x = tg.ones(3, requires_grad=True)
    y = x * 2
    v = y[1:]
    v.retain_grad()
    with tg.no_grad():
        y.mul_(5)
    assert v.grad_fn.name() == "AsStridedBackward0"
    v.pow(2).sum().backward()
    assert v.grad.tolist() == [20.0, 20.0] and x.grad.tolist() == [0.0, 40.0, 40.0]


def test_an_invalid_view_is_copied_as_a_plain_tensor():
    w = tg.ones(3, requires_grad=True)
    with tg.no_grad():
        v = w[:2]
        w.mul_(2)
        for made in (copy.copy(v), pickle.loads(pickle.dumps(v)), v.clone()):
            assert type(made) is tg.Tensor and made.tolist() == [2.0, 2.0]


def test_detaching_the_base_frees_its_views():
    y = value()
    v = made_without_grad(y)
    y.detach_()
    v.add_(1)
    assert not v.requires_grad and y.tolist() == [2.0, 2.0, 1.0, 1.0]
