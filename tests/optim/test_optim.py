"""Optimizers: what they refuse, keep and load."""

import copy

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
    second.load_state_dict(copy.deepcopy(first.state_dict()))
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


METHODS = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adam": {"amsgrad": True, "weight_decay": 0.1},
    "AdamW": {},
    "Adagrad": {"lr_decay": 0.1},
    "Adadelta": {"weight_decay": 0.1},
    "Adamax": {},
    "NAdam": {"weight_decay": 0.1},
    "RAdam": {"decoupled_weight_decay": True, "weight_decay": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "Rprop": {},
    "ASGD": {"t0": 3.0, "lambd": 0.1},
}


@pytest.mark.parametrize("name", METHODS)
def test_arrays_and_tensors_take_the_same_steps(name, monkeypatch):
    def path():
        p = tg.tensor([[1.0, -2.0], [0.3, 0.7]], dtype=tg.float64, requires_grad=True)
        method = getattr(optim, name)([p], lr=0.02, **METHODS[name])
        for _ in range(8):
            method.zero_grad()
            (p**4).sum().backward()
            method.step()
        return p.tolist(), method.state_dict()

    by_arrays = path()
    monkeypatch.setattr("tracegrad.optim.method._plain", lambda p, g: False)
    by_tensors = path()
    assert by_tensors[0] == [pytest.approx(row, rel=1e-13) for row in by_arrays[0]]
    assert list(by_tensors[1]["state"][0]) == list(by_arrays[1]["state"][0])


@pytest.mark.parametrize("name", [n for n in METHODS if n not in ("SGD", "Rprop", "RMSprop")])
def test_a_differentiable_method_has_the_slope_of_its_steps(name):
    def after(start):
        q = start.clone()
        method = getattr(optim, name)([q], lr=0.1, differentiable=True, **METHODS[name])
        for i in range(4):
            q.grad = start * start * (i + 1.5) + 0.2
            method.step()
        return (q * q).sum()

    p = tg.tensor([1.0, -2.0], dtype=tg.float64, requires_grad=True)
    (slope,) = tg.autograd.grad(after(p), p)
    step = 1e-6
    for i in range(2):
        move = tg.zeros(2, dtype=tg.float64)
        move[i] = step
        with tg.no_grad():
            start = p.detach()
        expected = (after((start + move).requires_grad_()) - after((start - move).requires_grad_())).item() / (2 * step)
        assert slope[i].item() == pytest.approx(expected, rel=1e-5)


def test_a_state_started_early_changes_no_step():
    def path(early):
        p = leaf(3.0)
        method = optim.Adam([p], lr=0.1)
        if early:
            method.start_state()
        p.grad = tg.ones(1)
        method.step()
        return p.item(), sorted(method.state[p])

    assert path(True) == path(False)


def test_a_state_that_depends_on_the_first_gradient_is_not_started_early():
    p = leaf(3.0)
    method = optim.SGD([p], lr=0.1, momentum=0.9, dampening=0.5)
    method.start_state()
    assert len(method.state) == 0


def test_the_count_of_steps_is_no_attribute_that_a_recording_watches():
    method = optim.SGD([leaf()])
    method.step()
    assert method.step_count == 1
    assert "step_count" not in vars(method)


def test_parameters_of_mixed_dtypes_take_their_steps():
    p, q = leaf(3.0), tg.ones(2, dtype=tg.bfloat16, requires_grad=True)
    p.grad, q.grad = tg.ones(1), tg.ones(2, dtype=tg.bfloat16)
    optim.AdamW([p, q], lr=0.5, weight_decay=0.0).step()
    assert p.item() == 2.5
    assert q.tolist() == pytest.approx([0.5, 0.5], abs=0.004)  # a step of bfloat16


def test_a_parameter_that_shows_each_element_twice_is_refused():
    p = tg.ones(1).expand(3).requires_grad_()
    p.grad = tg.ones(3)
    with pytest.raises(RuntimeError, match="single memory location"):
        optim.SGD([p], lr=0.5).step()


def test_a_step_that_overflows_says_nothing():
    p = leaf(3.0)
    p.grad = tg.tensor([3e38])
    optim.Adam([p], lr=1e30).step()
    assert not tg.isnan(p.grad).any()


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_minimum_of_rosenbrock(search):
    p = tg.tensor([-1.2, 1.0], dtype=tg.float64, requires_grad=True)
    method = optim.LBFGS([p], lr=1.0 if search else 0.1, max_iter=200, line_search_fn=search)

    def closure():
        method.zero_grad()
        loss = 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2
        loss.backward()
        return loss

    for _ in range(1 if search else 5):
        method.step(closure)
    assert p.tolist() == pytest.approx([1.0, 1.0], abs=1e-4)
