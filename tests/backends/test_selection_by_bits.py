"""Selections against 0 of large arrays go by bits: the same result, bit for bit, as np.where."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.ir.raw import N
from tracegrad.kernels import numpy_kernels as K

SHAPES = [
    ((80, 80), (80, 80)),
    ((80, 80), (80, 1)),
    ((80, 80), ()),
    ((1, 5000), (3, 1)),
    ((80, 80), (2, 80, 80)),
    ((3,), (3,)),
    ((0, 4), (0, 4)),
]


@pytest.mark.parametrize(("shape", "mask_shape"), SHAPES)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c16", "i4"])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_keep_and_drop_are_where_with_a_zero(shape, mask_shape, dtype, layout):
    generator = np.random.default_rng(3)
    x = (generator.standard_normal(shape) * 5).astype(dtype)
    if dtype[0] == "f" and x.size > 3:
        x.flat[:4] = [np.nan, np.inf, -np.inf, -0.0]
    x, mask, zero = layout(x), np.asarray(generator.random(mask_shape) < 0.5), np.zeros((), dtype)
    for got, want in ((K.keep(mask, x), np.where(mask, x, zero)), (K.drop(mask, x), np.where(mask, zero, x))):
        assert (got.dtype, got.shape, got.tobytes()) == (want.dtype, want.shape, want.tobytes())


def test_rules_read_where_with_a_zero_as_these_kernels():
    x, mask = np.arange(5000.0), np.arange(5000) % 3 == 0
    np.testing.assert_array_equal(N.where(mask, x, 0.0), np.where(mask, x, 0))
    np.testing.assert_array_equal(N.where(mask, 0.0, x), np.where(mask, 0, x))
    np.testing.assert_array_equal(N.where(mask, x, 1.0), np.where(mask, x, 1))
    np.testing.assert_array_equal(N.where(mask, x, -x), np.where(mask, x, -x))


@pytest.mark.parametrize("size", [8, 8192])
def test_a_compiled_selection_is_the_eager_one(size):
    x = tg.linspace(-1.0, 1.0, size)
    x[0] = float("nan")

    def both(x: tg.Tensor) -> tg.Tensor:
        return tg.where(x > 0.2, x, 0.0) + tg.where(x < -0.3, 0.0, x)

    compiled = tg.compile(both)
    np.testing.assert_array_equal(compiled(x).numpy(), both(x).numpy())
    assert ("K.keep" in compiled.source) == (size > 4096)
