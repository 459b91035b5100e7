"""Averages of parameters, and the schedule that goes with them."""

from __future__ import annotations

import math

import pytest

import tracegrad as tg

swa = tg.optim.swa_utils


def model():
    """A layer behind a batch norm."""
    tg.manual_seed(0)
    return tg.nn.Sequential(tg.nn.BatchNorm1d(2), tg.nn.Linear(2, 1)).double()


def weights(number):
    """A layer whose parameters are one number."""
    made = tg.nn.Linear(2, 1)
    with tg.no_grad():
        for p in made.parameters():
            p.fill_(number)
    return made


WAYS = {
    "equal": ({}, 3.0),
    "equal, in place": ({"multi_avg_fn": swa.get_swa_multi_avg_fn()}, 3.0),
    "equal, one by one": ({"avg_fn": swa.get_swa_avg_fn()}, 3.0),
    "exponential": ({"multi_avg_fn": swa.get_ema_multi_avg_fn(0.5)}, 0.25 * 1 + 0.25 * 3 + 0.5 * 5),
    "exponential, one by one": ({"avg_fn": swa.get_ema_avg_fn(0.5)}, 0.25 * 1 + 0.25 * 3 + 0.5 * 5),
    "own": ({"avg_fn": lambda kept, value, count: kept + value * count}, 1.0 + 3 * 1 + 5 * 2),
}


@pytest.mark.parametrize("way", WAYS)
def test_parameters_are_averaged(way):
    options, expected = WAYS[way]
    averaged = swa.AveragedModel(weights(0.0), **options)
    for number in (1.0, 3.0, 5.0):
        averaged.update_parameters(weights(number))
    assert averaged.module.weight.tolist() == [[pytest.approx(expected)] * 2]
    assert averaged.n_averaged.item() == 3
    assert averaged.module.weight.requires_grad
    assert list(averaged.state_dict()) == ["n_averaged", "module.weight", "module.bias"]


@pytest.mark.parametrize("use_buffers", [False, True])
def test_buffers_are_copied_or_averaged(use_buffers):
    source = model()
    averaged = swa.AveragedModel(source, avg_fn=swa.get_ema_avg_fn(0.5), use_buffers=use_buffers)
    for number in (1.0, 3.0):
        source[0].running_mean.fill_(number)
        averaged.update_parameters(source)
    assert averaged.module[0].running_mean.tolist() == [2.0 if use_buffers else 3.0] * 2


def test_statistics_are_computed_anew():
    averaged, batches = swa.AveragedModel(model()).eval(), [tg.randn(6, 2, dtype=tg.float64) for _ in range(3)]
    swa.update_bn([(x, 0) for x in batches], averaged)
    mean = sum(x.mean(0) for x in batches) / 3
    assert tg.allclose(averaged.module[0].running_mean, mean)
    assert not averaged.training
    assert averaged.module[0].momentum == 0.1


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_rates_go_to_the_given_one(strategy):
    opt = tg.optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.1)
    schedule = swa.SWALR(opt, 0.5, anneal_epochs=4, anneal_strategy=strategy)
    found = []
    for _ in range(6):
        opt.step()
        schedule.step()
        found += schedule.get_last_lr()
    parts = [min(1, k / 4) for k in range(1, 7)]
    parts = [(1 - math.cos(math.pi * t)) / 2 for t in parts] if strategy == "cos" else parts
    assert found == pytest.approx([0.1 + 0.4 * t for t in parts])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda opt: swa.SWALR(opt, 0.1, anneal_strategy="x"), ValueError),
        (lambda opt: swa.SWALR(opt, 0.1, anneal_epochs=-1), ValueError),
        (lambda opt: swa.SWALR(opt, [0.1, 0.2]), ValueError),
        (lambda opt: swa.get_ema_multi_avg_fn(1.5), ValueError),
        (lambda opt: swa.AveragedModel(weights(0.0), avg_fn=max, multi_avg_fn=max), AssertionError),
    ],
)
def test_wrong_settings_have_the_class_of_torch(wrong, error):
    with pytest.raises(error):
        wrong(tg.optim.SGD([tg.zeros(1, requires_grad=True)], lr=0.1))


def test_an_average_inside_a_compiled_step():
    found = []
    for compile in (lambda f: f, tg.compile):
        source = model()
        averaged = swa.AveragedModel(source, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9))
        opt = tg.optim.SGD(source.parameters(), lr=0.1)

        def step(x, source=source, averaged=averaged, opt=opt):
            opt.zero_grad()
            source(x).pow(2).mean().backward()
            opt.step()
            averaged.update_parameters(source)

        fast = compile(step)
        for k in range(5):
            fast(tg.arange(6.0, dtype=tg.float64).reshape(3, 2) + k)
        found.append([v.double().flatten().tolist() for v in averaged.state_dict().values()])
    assert all(a == pytest.approx(b) for a, b in zip(*found, strict=True))
    assert fast.compilations <= 3
