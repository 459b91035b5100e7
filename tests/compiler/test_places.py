"""Floats outside the arguments that change between calls are read at every call instead of being recorded again."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import tracegrad as tg

X = tg.tensor([1.0, 2.0])
RATE = 1.0


class Model:
    shift = 0.5

    def __init__(self):
        self.rate, self.table = 1.0, {"a": [1.0, 2.0]}

    def __call__(self, x):
        return x * self.rate + self.table["a"][0]


def ways():
    model, box, table = Model(), [1.0], {"lr": 1.0}
    rate = 1.0

    def closed(x):
        return x * rate

    def rebind(v):
        nonlocal rate
        rate = v

    def partial(x, group=table):
        return x - group["lr"] * x.sin()

    return {
        "list": (lambda x: x * box[0], lambda v: box.__setitem__(0, v)),
        "dict": (lambda x: x * table["lr"], lambda v: table.update(lr=v)),
        "dict of a default": (partial, lambda v: table.update(lr=v)),
        "attribute": (model, lambda v: setattr(model, "rate", v)),
        "nested list": (model, lambda v: model.table["a"].__setitem__(0, v)),
        "closure": (closed, rebind),
        "global": (lambda x: x * RATE, lambda v: setattr(sys.modules[__name__], "RATE", v)),
        "square root": (lambda x: x * box[0] ** 0.5 + math.pi, lambda v: box.__setitem__(0, v)),
    }


@pytest.mark.parametrize("name", ways())
def test_a_schedule_needs_a_handful_of_programs(name):
    function, put = ways()[name]
    fast = tg.compile(function)
    for i in range(12):
        put(0.1 * (i + 1))
        np.testing.assert_allclose(fast(X).numpy(), function(X).numpy(), rtol=1e-6)
    assert fast.compilations <= 3  # a root asks whether the float is positive
    put(1.0)


def test_the_float_is_put_back_after_recording_and_after_an_error():
    box = [0.1]

    def f(x):
        if box[0] > 0.25:
            raise ValueError("too large")
        return x * box[0]

    fast = tg.compile(f)
    for value in (0.1, 0.2):
        box[0] = value
        fast(X)
        assert type(box[0]) is float
    box[0] = 0.3
    with pytest.raises(ValueError, match="too large"):
        fast(X)
    assert box == [0.3] and type(box[0]) is float
    box[0] = 0.15
    assert fast(X).tolist() == pytest.approx([0.15, 0.3])


def test_decisions_by_the_float_are_taken_at_every_call():
    box = [0.0]
    fast = tg.compile(lambda x: x * box[0] if box[0] > 0.5 else x - box[0])
    for value in (0.1, 0.2, 0.7, 0.3, 0.9, 0.95, 0.4):
        box[0] = value
        want = X * value if value > 0.5 else X - value
        np.testing.assert_allclose(fast(X).numpy(), want.numpy(), rtol=1e-6)
    assert fast.compilations <= 4


def test_a_float_whose_exact_value_is_needed_is_compared_instead():
    box = [0.0]
    fast = tg.compile(lambda x: x * math.exp(box[0]))
    for i in range(80):
        box[0] = 0.01 * i
        np.testing.assert_allclose(fast(X).numpy(), (X * math.exp(box[0])).numpy(), rtol=1e-6)


def test_a_float_that_becomes_an_int_or_a_tensor_is_seen():
    box = [0.5]
    fast = tg.compile(lambda x: x.long() * box[0])
    for value, kind in ((0.5, tg.float32), (0.25, tg.float32), (0.75, tg.float32), (2, tg.int64), (0.5, tg.float32)):
        box[0] = value
        assert fast(X).dtype is kind
    box[0] = tg.tensor(3.0)
    assert fast(X).tolist() == [3.0, 6.0]


def test_a_float_that_the_function_changes_itself_stays_right():
    box = [1.0]

    def f(x):
        box[0] = box[0] * 0.5
        return x * box[0]

    fast = tg.compile(f)
    found = [fast(X).tolist()[0] for _ in range(5)]
    assert found == [0.5, 0.25, 0.125, 0.0625, 0.03125]
    assert type(box[0]) is float and fast.compilations == 1


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adamax", "Adadelta"])
def test_optimizers_follow_a_schedule_with_three_programs(name):
    def losses(compiled):
        tg.manual_seed(0)
        model = tg.nn.Linear(3, 1)
        opt = getattr(tg.optim, name)(model.parameters(), lr=0.1)
        schedule = tg.optim.lr_scheduler.CosineAnnealingLR(opt, 10)
        x, y = tg.randn(8, 3), tg.randn(8, 1)

        def step(x, y):
            opt.zero_grad()
            loss = tg.nn.functional.mse_loss(model(x), y)
            loss.backward()
            opt.step()
            return loss

        f, found = tg.compile(step) if compiled else step, []
        for _ in range(10):
            found.append(f(x, y).item())
            schedule.step()
        if compiled:
            assert f.compilations <= 3
        assert type(opt.param_groups[0]["lr"]) is float
        return found

    np.testing.assert_allclose(losses(True), losses(False), rtol=1e-5)


def test_what_the_caller_counts_and_the_function_does_not_read_costs_nothing():
    class Trainer:
        def __init__(self):
            self.epoch, self.scale = 0, 2.0

        def step(self, x):
            return x * self.scale

    trainer = Trainer()
    fast = tg.compile(trainer.step)
    for i in range(10):
        trainer.epoch = i
        trainer.note = str(i)
        assert fast(X).tolist() == [2.0, 4.0]
    assert fast.compilations == 1


def test_attributes_asked_for_by_name_are_compared():
    class Settings:
        alpha = 1.0

    settings = Settings()
    fast = tg.compile(lambda x: x * getattr(settings, "al" + "pha"))
    assert fast(X).tolist() == [1.0, 2.0]
    settings.alpha = 3.0
    assert fast(X).tolist() == [3.0, 6.0]


def test_an_attribute_that_appears_later_is_seen():
    class Settings:
        pass

    settings = Settings()
    fast = tg.compile(lambda x: x * settings.alpha if hasattr(settings, "alpha") else x)
    assert fast(X).tolist() == [1.0, 2.0]
    settings.alpha = 3.0
    assert fast(X).tolist() == [3.0, 6.0]
    del settings.alpha
    assert fast(X).tolist() == [1.0, 2.0]


def test_programs_for_jax_read_changing_floats_too():
    pytest.importorskip("jax")
    box = [0.0]
    fast = tg.compile(lambda x: (x * box[0]).sin(), backend="jax")
    for i in range(6):
        box[0] = 0.3 * i
        np.testing.assert_allclose(fast(X).numpy(), (X * box[0]).sin().numpy(), rtol=1e-5, atol=1e-6)
    assert fast.compilations == 2
