"""What a compiled function makes for itself (leaves, modules, optimizers) is made anew by every call; flags of the outside world that it changes stay changed."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

X = tg.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=tg.float64)
METHODS = {
    "SGD": {"momentum": 0.9}, "Adam": {"amsgrad": True}, "AdamW": {}, "Adamax": {}, "NAdam": {}, "RAdam": {}, "RMSprop": {"momentum": 0.5}, "Adagrad": {},
    "Adadelta": {}, "ASGD": {}, "Rprop": {},
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_an_optimizer_made_inside_begins_anew_at_every_call(name):
    def attack(x):
        move = tg.zeros_like(x).requires_grad_()
        opt = getattr(tg.optim, name)([move], lr=0.1, **METHODS[name])
        for _ in range(3):
            opt.zero_grad()
            loss = ((x + move) ** 3).sum()
            loss.backward()
            opt.step()
        return move.detach(), loss.detach()

    fast = tg.compile(attack)
    for k in range(4):
        for got, want in zip(fast(X + k), attack(X + k), strict=True):
            assert got.tolist() == pytest.approx(want.tolist()) if not want.ndim else tg.allclose(got, want)
    assert fast.compilations == 1


def test_an_optimizer_made_inside_for_parameters_outside():
    def built():
        tg.manual_seed(0)
        model = tg.nn.Linear(2, 1).double()

        def tune(x):
            opt = tg.optim.Adam(model.parameters(), lr=0.1)
            for _ in range(2):
                opt.zero_grad()
                model(x).pow(2).mean().backward()
                opt.step()

        return model, tune

    (model, tune), (other, same) = built(), built()
    fast = tg.compile(tune)
    for k in range(4):
        fast(X + k)
        same(X + k)
        assert tg.allclose(model.weight, other.weight)


def test_modules_made_inside():
    def f(x):
        layer, norm = tg.nn.Linear(2, 1, dtype=tg.float64), tg.nn.BatchNorm1d(2).double()
        tg.nn.init.ones_(layer.weight)
        tg.nn.init.zeros_(layer.bias)
        opt = tg.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            opt.zero_grad()
            loss = layer(norm(x) + x).pow(2).mean()
            loss.backward()
            opt.step()
        return loss.detach(), norm.running_mean, norm.num_batches_tracked

    fast = tg.compile(f)
    for k in range(3):
        assert all(tg.allclose(a, b) for a, b in zip(fast(X + k), f(X + k), strict=True))
    assert fast.compilations == 1


def test_a_parameter_made_inside_is_one_outside():
    found = tg.compile(lambda x: tg.nn.Parameter(x * 2))(X)
    assert type(found) is tg.nn.Parameter
    assert found.is_leaf
    (found**2).sum().backward()
    assert found.grad.tolist() == (4 * X).tolist()


def test_memory_of_arrays_made_inside_is_not_written_by_a_program():
    def f(x):
        z = tg.from_numpy(np.zeros(2))
        z += x[0]
        return z

    fast = tg.compile(f)
    with pytest.warns(RuntimeWarning, match="that no operator has made at .*test_made_inside"):
        assert [fast(X + k).tolist() for k in range(3)] == [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]


def test_flags_of_arguments_and_parameters_stay_as_the_function_has_set_them():
    def built():
        w, v = (tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True) for _ in range(2))

        def saliency(x):
            w.requires_grad_(False)
            x.requires_grad_()
            y = (w * v * x).pow(2).sum()
            y.backward()
            v.requires_grad = True
            return y

        return saliency, w, v

    (f, *one), (g, *other) = built(), built()
    fast = tg.compile(g)
    for k in range(3):
        a, b = X + k, X + k
        assert f(a).tolist() == fast(b).tolist()
        for s, t in zip((a, *one), (b, *other), strict=True):
            assert (s.requires_grad, s.is_leaf) == (t.requires_grad, t.is_leaf)
            assert (None if s.grad is None else s.grad.tolist()) == (None if t.grad is None else t.grad.tolist())
    assert not other[0].requires_grad
    assert b.requires_grad


def test_two_players_that_freeze_each_other():
    def built():
        tg.manual_seed(0)
        first, second = tg.nn.Linear(2, 2).double(), tg.nn.Linear(2, 1).double()
        optimizers = [tg.optim.Adam(m.parameters(), lr=0.05) for m in (first, second)]

        def step(x):
            losses = []
            for mine, other, opt, sign in zip(
                (second, first), (first, second), reversed(optimizers), (1, -1), strict=True
            ):
                mine.requires_grad_(True)
                other.requires_grad_(False)
                opt.zero_grad()
                loss = sign * second(first(x).tanh()).pow(2).mean()
                loss.backward()
                opt.step()
                losses.append(loss)
            return losses

        return step, [*first.parameters(), *second.parameters()]

    (f, ours), (g, theirs) = built(), built()
    fast = tg.compile(g)
    for k in range(5):
        for a, b in zip(f(X + k), fast(X + k), strict=True):
            assert a.item() == pytest.approx(b.item(), rel=1e-10)
        for a, b in zip(ours, theirs, strict=True):
            assert tg.allclose(a, b)
            assert a.requires_grad == b.requires_grad
    assert fast.compilations <= 2


def test_a_state_that_is_made_late_is_no_change_that_ends_compiling():
    tg.manual_seed(0)
    model = tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.Linear(2, 1)).double()
    model[0].requires_grad_(False)
    opt = tg.optim.Adam(model[1].parameters(), lr=0.1)

    @tg.compile
    def step(x):
        opt.zero_grad()
        model(x).pow(2).mean().backward()
        opt.step()

    for k in range(6):
        if k == 3:
            model[0].requires_grad_(True)
            opt.add_param_group({"params": model[0].parameters()})
        step(X)
    assert step.compilations == 2
