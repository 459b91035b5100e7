"""Kernels for large arrays say what NumPy's ufuncs say for small ones, at zeros, infinities and nan as well."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.kernels import elementwise
from tracegrad.kernels import numpy_kernels as K

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 2, -2, 0.5, 1e30, -1e30, 1e-30])


def _pair(dtype: type, scale: float, special: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(5000) * scale, rng.standard_normal(5000)
    x[::7], y[::7] = np.round(x[::7]), np.sign(y[::7]) * 2
    if special:
        a, b = np.meshgrid(SPECIAL, SPECIAL)
        x, y = np.concatenate([x, a.ravel()]), np.concatenate([y, b.ravel()])
    return x.astype(dtype), y.astype(dtype)


def _by_few(function, x: np.ndarray, *others) -> np.ndarray:
    """The function on pieces that are too small for the other way."""
    parts = [
        function(x[i : i + 500], *(o[i : i + 500] if isinstance(o, np.ndarray) else o for o in others))
        for i in range(0, x.size, 500)
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["fmod", "remainder", "floor_divide", "trunc_divide", "sign"])
def test_large_arrays_are_exact_as_small_ones(name: str, dtype: type, scale: float, special: bool) -> None:
    x, y = _pair(dtype, scale, special)
    function, operands = getattr(K, name), (x,) if name == "sign" else (x, y)
    with np.errstate(all="ignore"):
        found, wanted = function(*operands), _by_few(function, *operands)
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == dtype
    kept = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(found[kept]), np.signbit(wanted[kept]))


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["logaddexp", "hypot", "relu", "sigmoid"])
def test_large_arrays_agree_with_small_ones(name: str, dtype: type, special: bool) -> None:
    x, y = _pair(dtype, 10, special)
    function, operands = getattr(K, name), (x,) if name in ("relu", "sigmoid") else (x, y)
    with np.errstate(all="ignore"):
        found, wanted = function(*operands), _by_few(function, *operands)
    np.testing.assert_allclose(found, wanted, rtol=8 * np.finfo(dtype).eps, atol=2 * np.finfo(dtype).eps)
    assert found.dtype == dtype


@pytest.mark.parametrize(
    "bounds", [(-1.0, 1.0), (None, 0.5), (0, None), (1.0, -1.0), (float("nan"), 1.0), (-np.inf, 0.0)]
)
def test_large_arrays_are_clamped_as_small_ones(bounds: tuple) -> None:
    x, _ = _pair(np.float32, 3, True)
    np.testing.assert_array_equal(K.clamp(x, *bounds), _by_few(K.clamp, x, *bounds))


@pytest.mark.parametrize("slope", [0.01, 0.0, 1.0, 1.5, -0.5])
def test_leaky_relu_takes_every_slope(slope: float) -> None:
    x, _ = _pair(np.float32, 3, True)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(elementwise.leaky_relu(x, slope), np.where(x > 0, x, x * np.float32(slope)))


@pytest.mark.parametrize(
    "shapes",
    [
        ((90, 60), (90, 60), (90, 60)),
        ((90, 60), (90, 60), ()),
        ((90, 60), (60,), (90, 60)),
        ((60,), (90, 60), (90, 60)),
    ],
)
def test_choose_is_where(shapes: tuple) -> None:
    rng = np.random.default_rng(0)
    c = rng.random(shapes[0]) < 0.5
    x, y = (rng.choice(SPECIAL, s).astype(np.float32) for s in shapes[1:])
    for mask, a, b in ((c, x, y), (c, y, x), (np.asfortranarray(c), x, 0.5), (c, 0.5, x.T.copy().T)):
        wanted = np.where(mask, a, b)
        found = elementwise.choose(mask, a, b)
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == wanted.dtype


def test_keep_and_drop_broadcast_the_mask() -> None:
    x, mask = np.ones((90, 60), np.float32), np.arange(60) % 2 == 0
    assert K.keep(mask, x).sum() == K.drop(mask, x).sum() == 90 * 30


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.7, 1.0, 2.0])
def test_lerp_by_a_number_is_lerp_by_an_array_of_it(weight: float) -> None:
    x, y = _pair(np.float64, 1, False)
    np.testing.assert_allclose(K.lerp(x, y, weight), K.lerp(x, y, np.full(x.shape, weight)), rtol=1e-12, atol=1e-14)
    if weight in (0.0, 1.0):
        np.testing.assert_array_equal(K.lerp(x, y, weight), (x, y)[int(weight)])


def test_nan_to_num_replaces_what_there_is() -> None:
    x, y = _pair(np.float32, 1, True)
    np.testing.assert_array_equal(K.nan_to_num(x, 7.0, None, -1.0), np.nan_to_num(x, nan=7.0, neginf=-1.0))
    plain = y[:5000]
    assert K.nan_to_num(plain, 0.0, None, None) is not plain
