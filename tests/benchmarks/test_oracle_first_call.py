"""benchmarks/first_call.py measures what it says, and the first call of a compiled function takes a fraction of jax.jit's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

jnp = pytest.importorskip("jax.numpy")

import tracegrad as tg  # noqa: E402

_spec = importlib.util.spec_from_file_location("first_call", Path(__file__).parents[2] / "benchmarks" / "first_call.py")
first_call = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(first_call)
PROGRAMS = [first_call.chain, first_call.mixed, first_call.graph, first_call.layers]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_both_libraries_compute_the_same(program):
    ours, theirs = program(60, tg)(tg.ones(8)), program(60, jnp)(jnp.ones(8))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-4)


def test_a_first_call_takes_a_fraction_of_that_of_jax(monkeypatch):
    monkeypatch.setattr(tg.config.settings, "verify", False)  # as users run it
    ours, theirs = first_call.ratio(first_call.mixed, 300, False, "numpy", 3)
    assert 0 < ours < 0.3 * theirs
