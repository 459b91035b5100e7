"""Functions with poles at every negative integer, far below 0: JAX's own keep few digits there."""

from __future__ import annotations

import pytest

import tracegrad as tg

pytest.importorskip("jax")

FAR = [-8.066214361137416, -0.5, -57.3, -1234.56, 0.3, 3.0]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_polygamma_keeps_its_digits(n):
    x = tg.tensor(FAR, dtype=tg.float64)
    made = tg.compile(lambda x: tg.polygamma(n, x), backend="jax")(x)
    assert tg.allclose(made, tg.polygamma(n, x), rtol=1e-11, atol=0.0)


def test_polygamma_is_that_of_mpmath():
    made = tg.compile(lambda x: tg.polygamma(1, x), backend="jax")(tg.tensor(FAR[:1], dtype=tg.float64))
    assert abs(made.item() / 231.286347223364947385 - 1) < 1e-13


def test_zeta_keeps_its_digits():
    s, q = tg.tensor([2.0, 3.0, 4.0], dtype=tg.float64), tg.tensor([-8.07, -20.3, 1.2], dtype=tg.float64)
    made = tg.compile(tg.special.zeta, backend="jax")(s, q)
    assert tg.allclose(made, tg.special.zeta(s, q), rtol=1e-11, atol=0.0)
