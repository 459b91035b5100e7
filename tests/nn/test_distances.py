"""Distances between all pairs of rows: values, gradients to second order, edge cases."""

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.autograd import gradcheck, gradgradcheck
from tracegrad.nn.functional import pdist


def rows(n, k):
    return np.random.default_rng(0).standard_normal((n, k))


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("n", [2, 5, 40])
def test_pdist_has_the_norm_of_the_difference_of_each_pair(n, p):
    x = rows(n, 3)
    wanted = [np.linalg.norm(x[i] - x[j], p) for i in range(n) for j in range(i + 1, n)]
    np.testing.assert_allclose(pdist(tg.tensor(x), p).numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize(("n", "count"), [(0, 0), (1, 0), (2, 1)])
def test_pdist_of_few_rows_has_few_pairs(n, count):
    assert pdist(tg.zeros(n, 3)).shape == (count,)


def test_pdist_reads_rows_that_are_not_contiguous():
    x = tg.tensor(rows(4, 6))
    assert pdist(x.t()).tolist() == pdist(x.t().contiguous()).tolist()


def test_the_derivatives_of_pdist_are_right_to_second_order():
    x = tg.tensor(rows(5, 3), requires_grad=True)
    assert gradcheck(pdist, (x,))
    assert gradgradcheck(pdist, (x,))


def test_the_derivative_of_pdist_at_equal_rows_is_zero():
    x = tg.ones(3, 2, requires_grad=True)
    (slope,) = tg.autograd.grad(pdist(x).sum(), x)
    assert slope.tolist() == [[0.0, 0.0]] * 3
