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


def _rows(n, k, kind):
    x = np.random.default_rng(7).standard_normal((n, k)).astype(np.float32)
    return {"far": x + 1000, "near": x * 1e-3 + np.arange(n)[:, None] % 2, "equal": x * 0 + 1}.get(kind, x)


@pytest.mark.parametrize("kind", ["plain", "far", "near", "equal"])
@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("k", [2, 9])
def test_distances_of_many_rows_are_right_to_the_last_digits_wherever_the_rows_lie(kind, p, k):
    x = _rows(90, k, kind)
    apart = x[:, None].astype(np.float64) - x[:70].astype(np.float64)
    wanted = np.abs(apart).sum(-1) if p == 1 else np.sqrt((apart**2).sum(-1))
    np.testing.assert_allclose(tg.cdist(tg.tensor(x), tg.tensor(x[:70]), p).numpy(), wanted, rtol=2e-6)
    first, second = np.triu_indices(70, 1)
    np.testing.assert_allclose(pdist(tg.tensor(x[:70]), p).numpy(), wanted[first, second], rtol=2e-6)


@pytest.mark.parametrize("kind", ["plain", "far", "near", "equal"])
@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("k", [2, 9])
def test_the_derivatives_of_many_distances_are_those_of_the_differences(kind, p, k):
    x = tg.tensor(_rows(90, k, kind), requires_grad=True)
    g = tg.tensor(np.random.default_rng(8).standard_normal((90, 90)).astype(np.float32))
    upper = np.triu_indices(90, 1)
    (slope,) = tg.autograd.grad(tg.cdist(x, x, p), x, g)
    (condensed,) = tg.autograd.grad(pdist(x, p), x, g[upper])
    wide = x.detach().double().requires_grad_()
    lengths = tg.linalg.vector_norm(wide[:, None] - wide, p, -1)
    (wanted,) = tg.autograd.grad(lengths, wide, g.double(), retain_graph=True)
    np.testing.assert_allclose(slope.numpy(), wanted.numpy(), atol=1e-4)
    (wanted,) = tg.autograd.grad(lengths[upper], wide, g[upper].double())
    np.testing.assert_allclose(condensed.numpy(), wanted.numpy(), atol=1e-4)


@pytest.mark.parametrize("n", [3, 60])
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_distances_of_a_missing_row_that_are_not_selected_have_no_derivative(n, p):
    x = np.random.default_rng(9).standard_normal((n, 5))
    x[1] = np.nan
    others = np.arange(n) != 1
    rows, known = tg.tensor(x, requires_grad=True), tg.tensor(x[others], requires_grad=True)
    for distances in (tg.cdist(rows, rows, p), pdist(rows, p)):
        tg.where(tg.isnan(distances), 0, distances).sum().backward()
    (tg.cdist(known, known, p).sum() + pdist(known, p).sum()).backward()
    np.testing.assert_allclose(rows.grad.numpy()[others], known.grad.numpy(), atol=1e-12)
    assert not rows.grad[1].any()


def test_the_derivatives_of_many_distances_are_right_to_second_order():
    x = tg.tensor(np.random.default_rng(3).standard_normal((27, 5)), requires_grad=True)
    y = tg.tensor(np.random.default_rng(4).standard_normal((40, 5)), requires_grad=True)
    assert gradcheck(tg.cdist, (x, y))
    weights = tg.tensor(np.random.default_rng(5).standard_normal((27, 40)))
    assert gradgradcheck(lambda a, b: (tg.cdist(a, b) * weights).sum(), (x, y))


def test_pdist_refuses_complex_rows():
    with pytest.raises(RuntimeError, match="floating-point dtypes"):
        pdist(tg.ones(3, 2, dtype=tg.complex64))
