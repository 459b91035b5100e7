"""Layers and losses: values, gradients to second order, batching, errors."""

import numpy as np
import pytest

import tracegrad as tg
import tracegrad.nn.functional as F
from tracegrad import nn
from tracegrad.autograd import gradcheck, gradgradcheck


def draw(*shape, seed=0, low=-2.0, high=2.0, grad=True):
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return (
        tg.tensor(values.tolist(), dtype=tg.float64, requires_grad=grad).reshape(shape)
        if 0 in shape
        else tg.tensor(values.tolist(), dtype=tg.float64, requires_grad=grad)
    )


@pytest.mark.parametrize("shape", [(2, 3), (3,), (2, 2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_derivatives(shape, bias):
    arguments = (draw(*shape), draw(4, 3, seed=1), *([draw(4, seed=2)] if bias else []))
    assert gradcheck(F.linear, arguments)
    assert gradgradcheck(F.linear, arguments)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_mse_loss_derivatives(reduction):
    arguments = (draw(2, 3), draw(2, 3, seed=1))
    assert gradcheck(lambda x, y: F.mse_loss(x, y, reduction=reduction), arguments)
    assert gradgradcheck(lambda x, y: F.mse_loss(x, y, reduction=reduction), arguments)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy_derivatives(reduction, weighted):
    weights = (
        {"weight": draw(3, low=0.5, grad=False), "pos_weight": draw(3, seed=3, low=0.5, grad=False)} if weighted else {}
    )

    def loss(x, y):
        return F.binary_cross_entropy_with_logits(x, y, reduction=reduction, **weights)

    arguments = (draw(2, 3), draw(2, 3, seed=1, low=0.1, high=0.9))
    assert gradcheck(loss, arguments)
    assert gradgradcheck(loss, arguments)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("shape", [(4, 3), (3,), (2, 3, 2)])
def test_cross_entropy_derivatives(reduction, shape):
    target = tg.tensor(
        np.random.default_rng(0).integers(0, 3, (*shape[:1], *shape[2:]) if len(shape) > 1 else ()).tolist()
    )
    for weight in (None, draw(3, low=0.5, grad=False)):
        for smoothing in (0.0, 0.1):

            def loss(x, weight=weight, smoothing=smoothing):
                return F.cross_entropy(x, target, weight, reduction=reduction, label_smoothing=smoothing)

            assert gradcheck(loss, draw(*shape))
    assert gradgradcheck(lambda x: F.cross_entropy(x, target, reduction=reduction), draw(*shape))


def test_extreme_logits_give_finite_losses_and_gradients():
    x = tg.tensor([-1e4, -100.0, 0.0, 100.0, 1e4], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, tg.tensor([1.0, 0.0, 0.5, 1.0, 0.0]), reduction="none")
    assert loss.tolist() == pytest.approx([1e4, 0.0, 0.6931472, 0.0, 1e4])
    loss.sum().backward()
    assert x.grad.tolist() == pytest.approx([-1.0, 0.0, 0.0, 0.0, 1.0])


def test_ignored_positions_count_for_nothing():
    x = draw(3, 4)
    target = tg.tensor([1, -100, 2])
    loss = F.cross_entropy(x, target)
    assert loss.item() == pytest.approx(F.cross_entropy(x[[0, 2]], tg.tensor([1, 2])).item())
    loss.backward()
    assert x.grad[1].tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda x: F.linear(x, draw(4, 3), draw(4)), "AddmmBackward0"),
        (lambda x: F.linear(x, draw(4, 3)), "MmBackward0"),
        (lambda x: F.mse_loss(x, x), "MseLossBackward0"),
        (lambda x: F.binary_cross_entropy_with_logits(x, x), "BinaryCrossEntropyWithLogitsBackward0"),
        (lambda x: F.cross_entropy(x, tg.tensor([0, 1])), "NllLossBackward0"),
        (lambda x: F.softmax(x, 1), "SoftmaxBackward0"),
        (lambda x: F.log_softmax(x, dim=1), "LogSoftmaxBackward0"),
        (F.relu, "ReluBackward0"),
        (F.softplus, "SoftplusBackward0"),
    ],
)
def test_steps_have_torch_s_names(make, name):
    assert make(draw(2, 3)).grad_fn.name() == name


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: F.mse_loss(draw(2), draw(2), reduction="other"), ValueError),
        (lambda: F.mse_loss(tg.tensor([1, 2]), tg.tensor([1, 2])), NotImplementedError),
        (lambda: F.binary_cross_entropy_with_logits(draw(2, 3), draw(3, 2)), ValueError),
        (lambda: F.linear(draw(2, 5), draw(4, 3)), RuntimeError),
        (lambda: F.linear(draw(2, 3), draw(4, 3).float()), RuntimeError),
        (lambda: F.cross_entropy(draw(2, 3), tg.tensor([0, 5])), IndexError),
        (lambda: F.cross_entropy(draw(2, 3), tg.tensor([0, 1, 1])), ValueError),
    ],
)
def test_mistakes_raise_torch_s_class(act, error):
    with pytest.raises(error):
        act()


def test_a_loss_that_broadcasts_warns():
    with pytest.warns(UserWarning, match="target size"):
        F.mse_loss(draw(2, 3), draw(3))


def test_softmax_without_dim_warns():
    with pytest.warns(UserWarning, match="Implicit dimension"):
        F.softmax(draw(2, 3))


def test_the_deprecated_arguments_still_choose_the_reduction():
    with pytest.warns(UserWarning, match="deprecated"):
        loss = F.mse_loss(draw(2), draw(2, seed=1), size_average=False)
    assert loss.item() == pytest.approx(F.mse_loss(draw(2), draw(2, seed=1), reduction="sum").item())


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (nn.MSELoss(), (draw(2, 3), draw(2, 3, seed=1))),
        (nn.L1Loss(reduction="sum"), (draw(2, 3), draw(2, 3, seed=1))),
        (nn.BCEWithLogitsLoss(pos_weight=draw(3, low=0.5, grad=False)), (draw(2, 3), draw(2, 3, low=0.0, high=1.0))),
        (nn.CrossEntropyLoss(label_smoothing=0.1), (draw(2, 3), tg.tensor([0, 2]))),
        (nn.NLLLoss(reduction="none"), (draw(2, 3), tg.tensor([0, 2]))),
    ],
)
def test_losses_exist_as_modules(module, arguments):
    assert module(*arguments).requires_grad


def test_a_small_network_learns_xor():
    tg.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = tg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=tg.float64)
    y = tg.tensor([[0.0], [1.0], [1.0], [0.0]], dtype=tg.float64)
    for _ in range(400):
        loss = nn.BCEWithLogitsLoss()(model(x), y)
        model.zero_grad()
        loss.backward()
        with tg.no_grad():
            for p in model.parameters():
                p -= 1.0 * p.grad
    assert loss.item() < 0.05


@pytest.mark.parametrize("n", [7, 3000])
@pytest.mark.parametrize("delta", [0.5, 1.0, 2.0])
def test_huber_is_squared_near_zero_and_linear_from_delta_on(n, delta):
    x = np.linspace(-4, 4, n)
    x[:4] = [np.nan, np.inf, delta, -delta]
    found = tg.nn.functional.huber_loss(tg.tensor(x), tg.zeros(n, dtype=tg.float64), "none", delta).numpy()
    far = delta * (np.abs(x) - 0.5 * delta)
    np.testing.assert_allclose(found, np.where(np.abs(x) > delta, far, 0.5 * x * x), rtol=1e-14)


@pytest.mark.parametrize(("name", "at_delta"), [("huber_loss", 1.0), ("smooth_l1_loss", 0.0)])
def test_the_second_derivative_at_delta_is_that_of_one_side(name, at_delta):
    x = tg.tensor([0.5, 1.0, -1.0, 2.0], requires_grad=True)
    loss = getattr(tg.nn.functional, name)(x, tg.zeros(4), reduction="sum")
    (slope,) = tg.autograd.grad(loss, x, create_graph=True)
    (second,) = tg.autograd.grad(slope.sum(), x)
    assert slope.tolist() == [0.5, 1.0, -1.0, 1.0]
    assert second.tolist() == [1.0, at_delta, at_delta, 0.0]


@pytest.mark.parametrize("n", [8, 4096])
def test_softshrink_keeps_the_sign_of_what_becomes_zero(n):
    x = np.resize(np.array([0.2, -0.2, 0.0, -0.0, 0.7, -0.7, np.inf, np.nan], np.float32), n)
    found = tg.nn.functional.softshrink(tg.tensor(x), 0.5).numpy()
    wanted = np.resize(np.array([0.0, -0.0, 0.0, -0.0, 0.2, -0.2, np.inf, np.nan], np.float32), n)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_array_equal(np.signbit(found[:6]), np.signbit(wanted[:6]))
