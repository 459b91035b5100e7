"""Kernels of special functions keep their digits in both tails."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.kernels.tails import gelu, gelu_slope

special = pytest.importorskip("scipy.special")


def _points() -> np.ndarray:
    rng = np.random.default_rng(0)
    near = 10.0 ** rng.uniform(-30, 0.5, 2000) * rng.choice([-1, 1], 2000)
    return np.concatenate([rng.uniform(-12.5, 12.5, 90_000), near]).astype(np.float32)


def _area_and_density(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The area under the normal density above |x|, and the density, in float64."""
    t = np.abs(x.astype(np.float64))
    scaled = np.exp(-t * t / 2)
    return special.erfcx(t / np.sqrt(2)) / 2 * scaled, scaled / np.sqrt(2 * np.pi)


def _ulps(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.max(np.abs(found - wanted) / np.spacing(np.abs(wanted).astype(np.float32))))


def test_large_gelu_has_its_digits_in_both_tails() -> None:
    x = _points()
    area, _ = _area_and_density(x)
    assert _ulps(gelu(x, "none"), x.astype(np.float64) * np.where(x < 0, area, 1 - area)) < 5


def test_the_slope_of_large_gelu_has_its_digits_in_both_tails() -> None:
    x = _points()
    area, density = _area_and_density(x)
    below = area - np.abs(x.astype(np.float64)) * density
    wanted = np.where(x < 0, below, 1 - below)
    apart = np.abs(x + 0.7518) > 0.3  # around its zero an error is small against 1, not against the slope
    found = gelu_slope(x)
    assert _ulps(found[apart], wanted[apart]) < 8
    assert np.abs(found - wanted).max() < 2e-7


@pytest.mark.parametrize("size", [9, 2000])
def test_gelu_at_the_ends_of_the_line_is_the_same_for_all_sizes(size: int) -> None:
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 100, -100], np.float32)
    with np.errstate(all="ignore"):
        found = gelu(np.resize(ends, size), "none")[:9]
        slope = gelu_slope(np.resize(ends, size))[:9]
    wanted = np.array([0.0, -0.0, np.inf, np.nan, np.nan, 3e38, -0.0, 100, -0.0], np.float32)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.signbit(found) & (found == found), np.signbit(wanted))
    np.testing.assert_array_equal(slope, np.array([0.5, 0.5, np.nan, np.nan, np.nan, 1, 0, 1, 0], np.float32))


def test_large_gelu_takes_views_and_keeps_the_dtype() -> None:
    x = np.random.default_rng(0).standard_normal((60, 80)).astype(np.float32)
    np.testing.assert_array_equal(gelu(x.T, "none"), gelu(x, "none").T)
    assert gelu_slope(x.astype(np.float64)).dtype == np.float64
