"""Schedules: what they refuse, and what their state is."""

import warnings

import pytest

import tracegrad as tg
from tracegrad.optim import SGD, lr_scheduler


def method(count=1):
    return SGD([{"params": [tg.ones(1, requires_grad=True)]} for _ in range(count)], lr=0.5)


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: lr_scheduler.StepLR(3, 1), TypeError),
        (lambda: lr_scheduler.StepLR(method(), 1, last_epoch=3), KeyError),
        (lambda: lr_scheduler.LambdaLR(method(), [float, float]), ValueError),
        (lambda: lr_scheduler.ReduceLROnPlateau(method(), factor=2.0), ValueError),
        (lambda: lr_scheduler.ReduceLROnPlateau(method(), mode="up"), ValueError),
        (lambda: lr_scheduler.ConstantLR(method(), factor=2.0), ValueError),
        (lambda: lr_scheduler.LinearLR(method(), start_factor=0.0), ValueError),
    ],
)
def test_mistakes_raise_torch_s_class(act, error):
    with pytest.raises(error):
        act()


def test_every_group_has_its_own_rate():
    optimizer = method(2)
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda epoch: 1.0, lambda epoch: 0.5**epoch])
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 0.25]


def test_a_schedule_goes_on_from_its_state():
    first, second = method(), method()
    one = lr_scheduler.StepLR(first, 2)
    first.step()
    one.step()
    other = lr_scheduler.StepLR(second, 2)
    other.load_state_dict(one.state_dict())
    second.step()
    other.step()
    assert other.last_epoch == 2
    assert second.param_groups[0]["lr"] == pytest.approx(0.05)


def test_a_step_before_the_optimizer_s_warns():
    schedule = lr_scheduler.ExponentialLR(method(), 0.9)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        schedule.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()


def test_a_plateau_waits_during_its_cooldown_and_keeps_the_least_rate():
    optimizer = method()
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, cooldown=1, min_lr=0.1, factor=0.5, mode="max")
    rates = []
    for value in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        schedule.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.5, 0.25, 0.25, 0.125, 0.125, 0.1, 0.1]
