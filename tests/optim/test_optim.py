"""Optimizers: what they refuse, keep and load."""

import pytest

import tracegrad as tg
from tracegrad import nn, optim


def leaf(value=1.0):
    return tg.tensor([value], requires_grad=True)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: optim.SGD([]), ValueError),
        (lambda: optim.SGD([leaf()], lr=-1), ValueError),
        (lambda: optim.SGD(leaf()), TypeError),
        (lambda: optim.SGD([3]), TypeError),
        (lambda: optim.SGD([leaf() * 2]), ValueError),
        (lambda: optim.SGD([leaf()], nesterov=True), ValueError),
        (lambda: optim.Adam([leaf()], betas=(1.0, 0.9)), ValueError),
    ],
)
def test_mistakes_raise_torch_s_class(act, error):
    with pytest.raises(error):
        act()


def test_a_parameter_without_gradient_stays():
    x = leaf()
    optim.SGD([x], lr=1.0).step()
    assert x.item() == 1.0


def test_a_closure_computes_the_gradients_and_its_loss_is_returned():
    x = leaf(3.0)
    optimizer = optim.SGD([x], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9.0
    assert x.item() == pytest.approx(2.4)


def test_a_loaded_state_continues_the_path():
    def steps(x, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            (x * x).sum().backward()
            optimizer.step()

    x = leaf(3.0)
    first = optim.Adam([x], lr=0.1)
    steps(x, first, 3)
    y = x.detach().clone().requires_grad_()
    second = optim.Adam([y], lr=0.5)
    second.load_state_dict(first.state_dict())
    steps(x, first, 3)
    steps(y, second, 3)
    assert y.item() == x.item()


def test_a_model_learns():
    tg.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    data = tg.randn(20, 2)
    target = data @ tg.tensor([[1.0], [-2.0]]) + 0.5
    for _ in range(200):
        optimizer.zero_grad()
        loss = nn.MSELoss()(model(data), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-3
