"""Errors that operators raise for some values, and that the function catches: a program has no such course, so Python decides."""

from __future__ import annotations

import contextlib
import warnings

import pytest

import tracegrad as tg

REGULAR, SINGULAR = tg.eye(2) * 2, tg.zeros(2, 2)


def inverse_or_zeros(x):
    try:
        return tg.linalg.inv(x)
    except RuntimeError:
        return tg.zeros_like(x)


def is_positive_definite(x):
    try:
        tg.linalg.cholesky(x)  # nobody reads the result
    except tg.linalg.LinAlgError:
        return False
    return True


def with_suppress(x):
    found = -x
    with contextlib.suppress(RuntimeError):
        found = tg.linalg.solve(x, tg.ones(2, 1))
    return found


def drawing(x):
    first = tg.rand(2)
    try:
        return tg.linalg.solve(x, first) + tg.rand(2)
    except RuntimeError:
        return tg.rand(2)


def row_or_first(x):
    place = x.sum().to(tg.int64)
    try:
        return x[place]
    except IndexError:
        return x[0]


FUNCTIONS = [inverse_or_zeros, is_positive_definite, with_suppress, drawing, row_or_first]


@pytest.mark.parametrize("order", [(REGULAR, SINGULAR, REGULAR), (SINGULAR, REGULAR, SINGULAR)], ids=["good", "bad"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_what_the_function_catches_at_one_call_decides_nothing_for_others(function, order):
    tg.manual_seed(3)
    want = [function(x) for x in order]
    tg.manual_seed(3)
    fast = tg.compile(function)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        got = [fast(x) for x in order]
    assert [str(w) for w in want] == [str(g) for g in got]
    assert len(given) == 1
    assert "catches an error" in str(given[0].message)
    assert "test_caught_errors.py:" in str(given[0].message)


def test_what_nobody_catches_is_raised_and_the_program_stays():
    def inverse(x):
        try:
            return tg.linalg.inv(x)
        except KeyError:
            return x

    fast = tg.compile(inverse)
    fast(REGULAR)
    with pytest.raises(tg.linalg.LinAlgError):
        fast(SINGULAR)
    assert tg.equal(fast(REGULAR * 2), tg.eye(2) / 4)
    assert fast.compilations == 1


def test_a_with_statement_cuts_no_program():
    @tg.compile
    def factor(x):
        with tg.no_grad():
            y = tg.linalg.cholesky(x)
        return y * 2

    factor(REGULAR)
    assert len(factor.graphs) == 1
