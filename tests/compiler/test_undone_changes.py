"""A function that changes Python objects, and then does what no program can, runs once as eager code: the changes of the recording are undone."""

from __future__ import annotations

import warnings
from collections import deque
from types import SimpleNamespace

import tracegrad as tg

number = 0


def memory(x):
    """What no program can give."""
    return x.data_ptr() * 0


def make():
    log, table, box, line, kinds, calls = [1], {"a": 1}, SimpleNamespace(n=0), deque([1], maxlen=3), {1}, 0

    def f(x):
        nonlocal calls
        log.append(2)
        log[0] = 7
        table["a"] += 1
        table["b"] = 3
        box.n += 1
        box.new = 5
        line.append(4)
        kinds.add(9)
        calls += 1
        return x.sum() + memory(x)

    return f, lambda: (log, table, vars(box), line, kinds, calls)


def called(function, *args, times=3):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return [function(*args) for _ in range(times)]


def test_containers_attributes_and_variables_change_once_a_call():
    states = []
    for compiled in (False, True):
        f, state = make()
        called(tg.compile(f) if compiled else f, tg.ones(2))
        states.append(state())
    assert states[0] == states[1]


def test_a_global_changes_once_a_call():
    def f(x):
        global number
        number += 1
        return x + memory(x)

    called(tg.compile(f), tg.ones(2))
    assert number == 3


def test_an_optimizer_makes_its_state_once():
    model = tg.nn.Linear(2, 1)
    optimizer = tg.optim.Adam(model.parameters())

    def step(x):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
        return loss.item() + memory(x)

    called(tg.compile(step), tg.ones(1, 2))
    assert optimizer.state[model.weight]["step"].item() == 3


def test_attributes_set_on_a_tensor_argument_stay():
    @tg.compile
    def f(x):
        x.tag = "seen"
        return x * 2

    for _ in range(2):
        x = tg.ones(2)
        called(f, x, times=1)
        assert x.tag == "seen"
