"""The random numbers of the NumPy and the JAX kernels."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from tracegrad.kernels import jax_kernels, numpy_kernels  # noqa: E402

KEYS = [(0, 0), (3, 1), (-7, 2**40), (2**62, -1)]


def both(name, key, *arguments):
    with jax.enable_x64(True):
        theirs = np.asarray(jax.jit(lambda k: getattr(jax_kernels, name)(k, *arguments))(np.array(key, np.int64)))
    ours = getattr(numpy_kernels, name)(np.array(key, np.int64), *arguments)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    return ours, theirs


@pytest.mark.parametrize("shape", [(), (3,), (0,), (41, 5)], ids=str)
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_bits_are_equal(key, shape):
    for name, arguments in (("random_uniform", (shape, np.float32)), ("random_uniform", (shape, np.float64)), ("random_integers", (-9, 2**40, shape, np.int64)),
                            ("random_integers", (0, 7, shape, np.float32)), ("random_permutation", (33, np.int64))):  # fmt: skip
        np.testing.assert_array_equal(*both(name, key, *arguments))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_normal_numbers_agree_to_four_units_in_the_last_place(key, dtype):
    ours, theirs = both("random_normal", key, (4001,), dtype)
    np.testing.assert_array_max_ulp(ours, theirs, 4)
