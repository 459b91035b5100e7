"""Sums of large float32 arrays are at least as close as NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.kernels import numpy_kernels as K

CASES = [((30_001,), None), ((30_001,), (0,)), ((40, 1000), (1,)), ((40, 1009), (1,)), ((40, 30, 20), (1, 2)), ((300, 70), (0,)), ((300, 70), None)]  # fmt: skip


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("shape", "dim"), CASES)
@pytest.mark.parametrize("kind", ["normal", "positive"])
def test_large_sums_are_no_farther_from_the_exact_ones(kind: str, shape: tuple[int, ...], dim: tuple[int, ...] | None, keepdim: bool) -> None:  # fmt: skip
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(shape) if kind == "normal" else rng.random(shape)).astype(np.float32)
    exact = np.sum(x, axis=dim, keepdims=keepdim, dtype=np.float64)
    plain = np.add.reduce(x, axis=dim, keepdims=keepdim)
    found = K.total(x, dim, keepdim)
    assert found.shape == exact.shape
    assert found.dtype == np.float32
    size = np.sum(np.abs(x), axis=dim, keepdims=keepdim, dtype=np.float64)
    off, plainly_off = (np.sqrt(np.mean(np.square((v - exact) / size))) for v in (found, plain))
    assert off <= max(plainly_off, 2.0**-25)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_large_sums_with_what_is_not_finite(value: float) -> None:
    x = np.ones((20, 1000), np.float32)
    x[3, 4] = value
    np.testing.assert_array_equal(K.total(x, (1,), False), np.sum(x, axis=1))
    np.testing.assert_array_equal(K.total(x, None, True), np.sum(x, keepdims=True))


@pytest.mark.parametrize("name", ["sum", "mean", "prod"])
def test_compiled_folds_of_large_arrays_are_the_eager_ones(name: str) -> None:
    x = tg.from_numpy(np.random.default_rng(0).uniform(0.99, 1.01, (50, 400)).astype(np.float32))
    fold = getattr(tg, name)
    for given in ((), (0,), (1,)):
        np.testing.assert_allclose(tg.compile(lambda v, given=given: fold(v, *given))(x).numpy(), fold(x, *given).numpy(), rtol=3e-6)  # fmt: skip
