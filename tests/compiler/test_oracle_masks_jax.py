"""Masks that select, compiled for JAX: NumPy finds the positions between the programs of XLA."""

from __future__ import annotations

import pytest

import tracegrad as tg
from tests.compiler.test_masks import F64, FUNCTIONS, check_alike

pytest.importorskip("jax")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_masks_select_is_right_for_every_count_on_jax(name):
    function, fast = FUNCTIONS[name], tg.compile(FUNCTIONS[name], backend="jax")
    tg.manual_seed(0)
    for k in range(6):
        x = tg.randn(40, dtype=F64).requires_grad_(k % 2 == 1)
        check_alike(fast(x), function(x), x)


def test_after_a_few_counts_texts_serve_all_others():
    fast = tg.compile(FUNCTIONS["mean"], backend="jax")
    for n in range(1, 60):
        x = tg.ones(100, dtype=F64)
        x[n:] = -1.0
        assert fast(x).item() == 1.0
    assert fast.compilations <= 16
