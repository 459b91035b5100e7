"""Values made from numbers are rounded as PyTorch's."""

from fractions import Fraction

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.kernels import numpy_kernels


def test_the_middle_of_linspace_is_rounded_once():
    assert tg.linspace(-1, 1, 21)[10].item() == -1.4901161193847656e-08


def test_what_cancels_in_arange_is_rounded_once():
    assert tg.arange(-1, 1, 0.2)[5].item() == 5.551115123125783e-17


def test_a_fused_product_and_sum_in_double_precision_has_the_digits_of_exact_arithmetic():
    step = np.float64(2) / 6
    exact = Fraction(-1) + Fraction(float(step)) * 2
    assert tg.linspace(-1, 1, 7, dtype=tg.float64)[2].item() == float(exact)


@pytest.mark.parametrize("bounds", [(0.0, 1e308), (-1e308, 5e307)])
def test_numbers_near_the_largest_stay_finite(bounds):
    assert tg.linspace(*bounds, 5, dtype=tg.float64).isfinite().all()


def test_whole_steps_are_exact():
    np.testing.assert_array_equal(numpy_kernels.arange(3, 7, 1000, np.float32), np.arange(3, 7003, 7, np.float32))
