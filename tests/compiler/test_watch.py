"""What a function reads besides its arguments: every kind of change is seen, and watching stays cheap."""

from __future__ import annotations

import functools
import gc
import time
import warnings

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.compiler.watch import watch

X = tg.tensor([1.0, 2.0])
RATE = 2.0
TABLE = {"a": {"b": [1.0, 2.0]}, "c": (3.0,)}
HUGE = {i: float(i) for i in range(100_000)}
ARRAY = np.array([1.0, 2.0])


class Model:
    shift = 0.0

    def __init__(self):
        self.rate, self.steps, self.inner = 2.0, [1.0], {"k": 1.0}

    def __call__(self, x):
        return x * self.rate + self.steps[-1] + self.inner["k"]

    def method(self, x):
        return x * self.rate


def change_by(name):
    """(function, what changes) for one way of reading outside values."""
    model, box, names, chosen = Model(), [1.0, [2.0]], {"k": 1.0}, {1.0}
    held = tg.ones(2)
    module = tg.nn.Linear(2, 2)
    array = np.ones(2)
    weight = tg.ones(2, requires_grad=True)
    weight.grad = tg.ones(2)

    def default(x, scale=names):
        return x * scale["k"]

    cases = {
        "attribute": (model, lambda: setattr(model, "rate", 5.0)),
        "list in an attribute": (model, lambda: model.steps.append(7.0)),
        "item of a dict in an attribute": (model, lambda: model.inner.update(k=4.0)),
        "object behind a method": (model.method, lambda: setattr(model, "rate", 5.0)),
        "object in a closure": (lambda x: model(x), lambda: setattr(model, "rate", 5.0)),
        "item of a list": (lambda x: x * box[0], lambda: box.__setitem__(0, 9.0)),
        "item of a nested list": (lambda x: x * box[1][0], lambda: box[1].__setitem__(0, 9.0)),
        "item of a dict": (lambda x: x * names["k"], lambda: names.update(k=3.0)),
        "new key": (lambda x: x * len(names), lambda: names.update(z=1.0)),
        "set": (lambda x: x * sum(chosen), lambda: chosen.add(5.0)),
        "default": (default, lambda: names.update(k=8.0)),
        "partial": (functools.partial(lambda p, x: x * p[0], box), lambda: box.__setitem__(0, 6.0)),
        "tensor in a list": (lambda x: x * held, lambda: held.fill_(3.0)),
        "module mode": (lambda x: module(x) * (2 if module.training else 3), lambda: module.eval()),
        "module parameter bound anew": (
            lambda x: module(x),
            lambda: setattr(module, "weight", tg.nn.Parameter(tg.zeros(2, 2))),
        ),
        "elements of an array": (lambda x: x * float(array.sum()), lambda: array.__setitem__(0, 5.0)),
        "array as an operand": (lambda x: x * array, lambda: array.__setitem__(0, 5.0)),
        "gradient that is bound anew": (lambda x: x * weight.grad, lambda: setattr(weight, "grad", tg.ones(2) * 4)),
    }
    return cases[name]


CASES = (
    "attribute", "list in an attribute", "item of a dict in an attribute", "object behind a method", "object in a closure", "item of a list", "item of a nested list",
    "item of a dict", "new key", "set", "default", "partial", "tensor in a list", "module mode", "module parameter bound anew", "elements of an array",
    "array as an operand", "gradient that is bound anew",
)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_seen_by_the_next_call(name):
    function, change = change_by(name)
    fast = tg.compile(function)
    for _ in range(3):
        np.testing.assert_allclose(fast(X).detach().numpy(), function(X).detach().numpy(), rtol=1e-6)
    before = fast(X).detach().numpy().copy()
    change()
    want = function(X).detach().numpy()
    assert not np.array_equal(want, before)
    np.testing.assert_allclose(fast(X).detach().numpy(), want, rtol=1e-6)


@pytest.mark.parametrize("value", [1, 1.0, True, -0.0, 0.0])
def test_equal_numbers_of_another_kind_are_told_apart(value):
    box = [0]
    fast = tg.compile(lambda x: (x * 0 + 1) / (box[0] if box[0] else 1.0) if isinstance(box[0], float) else x * box[0])
    fast(X)
    box[0] = value
    want = (lambda x: (x * 0 + 1) / (box[0] if box[0] else 1.0) if isinstance(box[0], float) else x * box[0])(X)
    np.testing.assert_array_equal(fast(X).numpy(), want.numpy())


def test_a_global_that_changes_is_seen(monkeypatch):
    fast = tg.compile(lambda x: x * RATE + TABLE["a"]["b"][1])
    np.testing.assert_array_equal(fast(X).numpy(), [4.0, 6.0])
    monkeypatch.setitem(globals(), "RATE", 10.0)
    np.testing.assert_array_equal(fast(X).numpy(), [12.0, 22.0])
    monkeypatch.setitem(TABLE["a"], "b", [0.0, 0.0])
    np.testing.assert_array_equal(fast(X).numpy(), [10.0, 20.0])


def test_values_that_were_there_before_use_their_old_program():
    box = [1.0]
    fast = tg.compile(lambda x: x * box[0])
    for value in (1.0, 2.0, 1.0, 2.0):
        box[0] = value
        np.testing.assert_array_equal(fast(X).numpy(), X.numpy() * value)
    assert fast.compilations == 2


def test_a_very_large_container_is_warned_of_and_costs_nothing():
    with pytest.warns(RuntimeWarning, match="100000 entries"):
        fast = tg.compile(lambda x: x * HUGE[3])
        fast(X)
    assert call_time(fast) < 1e-3


def test_containers_at_the_limit_are_cheap_to_compare():
    table = {i: float(i) for i in range(1900)}
    nested = [[float(i)] * 10 for i in range(150)]
    fast = tg.compile(lambda x: x * table[3] + nested[2][1])
    fast(X)
    assert call_time(fast) < 2e-3


def call_time(f):
    """The best time of one call, in seconds."""
    best = np.inf
    for _ in range(20):
        started = time.perf_counter()
        f(X)
        best = min(best, time.perf_counter() - started)
    return best


def test_what_the_function_does_not_name_is_not_watched():
    assert watch(lambda x: x * RATE).values() == [2.0]


def test_calls_of_another_compiled_function_do_not_invalidate_its_callers():
    inner = tg.compile(lambda x: x * 2)
    outer = tg.compile(lambda x: inner(x) + 1)
    for size in range(1, 5):
        inner(tg.ones(size))
        outer(X)
    assert outer.compilations == 1


def test_a_function_that_counts_in_its_object_stays_right():
    class Counter:
        def __init__(self):
            self.calls = 0

        def __call__(self, x):
            self.calls += 1
            return x * self.calls

    counter = Counter()
    fast = tg.compile(counter)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [fast(X).tolist() for _ in range(3)]
    assert found == [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]
    assert not caught and counter.calls == 3


def test_many_signatures_do_not_grow_without_bound():
    fast = tg.compile(tg.func.grad(lambda x: (x.sin() * x).sum()))
    for _ in range(2):
        for i in range(500):
            fast(tg.ones(i % 50 + 1))
        assert fast.compilations <= 5  # one text serves all sizes


def test_programs_for_changing_surroundings_are_dropped():
    box = [0.0]
    fast = tg.compile(lambda x: x * box[0])
    for i in range(80):
        box[0] = float(i)
        fast(X)
    gc.collect()
    assert len(fast._programs.values()) <= 64
