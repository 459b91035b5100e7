"""The nested programs of test_nesting.py, compiled by XLA."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tests.compiler.test_nesting import PROGRAMS, X, same

pytest.importorskip("jax")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_nested_program_gives_the_eager_result(name):
    program = PROGRAMS[name]
    fast = tg.compile(program, backend="jax")
    fast(tg.tensor(X[::-1].copy()))
    same(fast(tg.tensor(X)), program(tg.tensor(X)))
    assert fast.compilations == 1


def test_arguments_may_be_arrays_and_numbers():
    fast = tg.compile(lambda a, s, n: {"r": a * s + n}, backend="jax")
    same(fast(X, 0.5, 3), {"r": tg.tensor(X * 0.5 + 3)})
    same(fast(X, 0.25, 3), {"r": tg.tensor(X * 0.25 + 3)})
    assert fast.compilations == 1
