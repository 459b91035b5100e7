"""The warning about a change of a Python object names the line that makes it."""

from __future__ import annotations

import warnings
from collections import deque

import pytest

import tracegrad as tg

kept, table, line, number = [], {"calls": 0}, deque(), 0


class Holder:
    calls = 0


holder = Holder()


def appends(x):
    y = x + 1
    kept.insert(0, 1)  # here
    return y


def counts(x):
    y = x + 1
    table["calls"] = object()  # here
    return y


def sets_an_attribute(x):
    y = x + 1
    holder.calls = object()  # here
    return y


def sets_a_global(x):
    global number
    y = x + 1
    number = object()  # here
    return y


def extends_a_deque(x):
    y = x + 1
    line.appendleft(1)  # here
    return y


def calls_what_changes(x):
    sets_an_attribute(x)
    return x * 2


def changes_an_argument(x, d):
    y = x + 1
    d["new"] = 1.0  # here
    return y


class Counting(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        y = x + 1
        self.calls = object()  # here
        return y


def closure():
    calls = 0

    def f(x):
        nonlocal calls
        y = x + 1
        calls = object()  # here
        return y

    return f


with open(__file__) as text:
    HERE = [number for number, line_of_text in enumerate(text, 1) if line_of_text.rstrip().endswith("# here")]

CASES = [
    (appends, 0), (counts, 1), (sets_an_attribute, 2), (sets_a_global, 3), (extends_a_deque, 4), (calls_what_changes, 2), (Counting(), 6), (closure(), 7),
]  # fmt: skip


def warning_of(fast, *args):
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        for _ in range(3):
            fast(*args)
    (found,) = given
    return str(found.message)


@pytest.mark.parametrize(("function", "which"), CASES, ids=lambda c: getattr(c, "__name__", None))
def test_the_line_that_changes_an_object_is_named(function, which):
    assert f"test_lines_of_changes.py:{HERE[which]};" in warning_of(tg.compile(function), tg.ones(2))


def test_the_line_that_changes_an_argument_is_named():
    fast = tg.compile(changes_an_argument)
    with pytest.warns(RuntimeWarning, match=rf"test_lines_of_changes\.py:{HERE[5]};"):
        fast(tg.ones(2), {})
