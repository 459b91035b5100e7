"""Algorithms over stacks of small matrices against LAPACK, matrix by matrix."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from tracegrad.kernels import matrices, stacks_of_matrices

SHAPES = [(64, 3, 3), (4, 16, 4, 2), (64, 2, 4), (8, 1, 1)]
DTYPES = ["float32", "float64", "complex64", "complex128"]


def draw(shape, dtype, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=shape)
    return (x + 1j * generator.normal(size=shape) if dtype.startswith("c") else x).astype(dtype)


def close(found, expected, dtype):
    assert found.dtype == np.dtype(dtype)
    tolerance = 2e-3 if np.finfo(dtype).eps > 1e-10 else 1e-9
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_stack_is_factored_as_lapack_factors_each_matrix(shape, dtype):
    x = draw(shape, dtype)
    assert stacks_of_matrices.many(x)
    packed, pivots = stacks_of_matrices.factored(x)
    for place in np.ndindex(shape[:-2]):
        expected, exchanged = scipy.linalg.lu_factor(x[place])
        close(packed[place], expected, dtype)
        assert (pivots[place] == exchanged + 1).all()


def test_a_zero_pivot_stays_where_it_is():
    x = np.zeros((16, 3, 3))
    x[:, 0, 1] = x[:, 1, 2] = 1
    packed, pivots = stacks_of_matrices.factored(x)
    assert (packed == x).all()
    assert (pivots == [1, 2, 3]).all()
    assert (matrices.lu_info(x) == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_a_stack_of_triangular_systems_is_solved(dtype, upper, left, unit):
    a, b = draw((64, 3, 3), dtype) + 2 * np.eye(3).astype(dtype), draw((64, 3, 2) if left else (64, 2, 3), dtype, 1)
    found = matrices.solve_triangular(a, b, upper, left, unit)
    whole = np.triu(a) if upper else np.tril(a)
    if unit:
        whole[:, range(3), range(3)] = 1
    close(np.matmul(whole, found) if left else np.matmul(found, whole), b, dtype)
    one = np.stack([matrices.solve_triangular(m, v, upper, left, unit) for m, v in zip(a, b, strict=True)])
    close(found, one, dtype)


def test_one_matrix_serves_a_stack_of_right_sides():
    a, b = draw((3, 3), "float64") + 2 * np.eye(3), draw((64, 3, 2), "float64")
    close(np.matmul(np.tril(a), matrices.solve_triangular(a, b, False, True, False)), b, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0.0, 1e-3, 0.1, 0.4, 1.0, 8.0])
def test_exponentials_of_a_stack_equal_scipys(size, dtype):
    x = size * draw((5, 4, 4), dtype)
    x[0] *= 0.01  # scaled less than the others
    expected = scipy.linalg.expm(x.astype(np.complex128 if dtype.startswith("c") else np.float64))
    found = matrices.matrix_exp(x)
    largest = np.abs(expected).max((-2, -1), keepdims=True)
    close(found / largest.astype(x.real.dtype), expected / largest, dtype)


def test_the_exponential_of_a_nilpotent_matrix_is_its_series():
    np.testing.assert_allclose(matrices.matrix_exp(np.array([[0.0, 1000.0], [0.0, 0.0]])), [[1, 1000], [0, 1]], 1e-13)
    np.testing.assert_array_equal(matrices.matrix_exp(np.zeros((2, 3, 3))), np.stack([np.eye(3)] * 2))


def test_matrices_that_are_not_finite_do_not_spoil_their_neighbours():
    found = matrices.matrix_exp(np.stack([np.full((2, 2), np.nan), np.zeros((2, 2)), np.full((2, 2), np.inf)]))
    np.testing.assert_array_equal(found[1], np.eye(2))
    assert np.isnan(found[[0, 2]]).all()


@pytest.mark.parametrize("count", [1, 3, 20])
def test_exchanges_give_the_order_of_the_rows(count):
    pivots = np.stack([np.random.default_rng(i).integers(np.arange(4), 5) + 1 for i in range(count)])
    for row, found in zip(pivots, stacks_of_matrices.row_order(pivots, 5), strict=True):
        expected = list(range(5))
        for i, j in enumerate(row - 1):
            expected[i], expected[j] = expected[j], expected[i]
        assert found.tolist() == expected


@pytest.mark.parametrize("shape", [(20, 4, 2), (20, 2, 4), (40, 35), (35, 40)])
@pytest.mark.parametrize("values", [False, True])
def test_least_squares_of_any_rank_are_the_shortest(shape, values):
    a, b = draw(shape, "float64"), draw((*shape[:-1], 2), "float64", 1)
    a[..., :, 1] = a[..., :, 0]
    solution, rank, _ = matrices.least_squares(a, b, 1e-12, values)
    np.testing.assert_allclose(solution, np.linalg.pinv(a) @ b, atol=1e-9)
    assert (rank == np.linalg.matrix_rank(a)).all()


@pytest.mark.parametrize("upper", [False, True])
def test_info_names_the_first_minor_that_is_not_positive(upper):
    x = np.stack([np.eye(3), np.diag([1.0, -1.0, 1.0]), np.diag([1.0, 1.0, 0.0])])
    assert matrices.cholesky_info(x, upper).tolist() == [0, 2, 3]
    assert matrices.lu_info(x).tolist() == [0, 0, 3]
