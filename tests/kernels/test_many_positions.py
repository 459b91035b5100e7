"""Gathering and scattering of many elements, where kernels take other ways than for few: the same values and refusals."""

import numpy as np
import pytest

from tracegrad.kernels import positions as K


def numbers(*shape, dtype=np.float32):
    return np.random.default_rng(0).integers(-9, 9, shape).astype(dtype)


def places(*shape, below):
    return np.random.default_rng(1).integers(0, below, shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int64, np.int8])
@pytest.mark.parametrize(("shape", "dim"), [((50, 1000), 0), ((3, 50, 400), 1), ((400, 200), 1), ((6, 5, 40, 80), 2)])
def test_slices_are_added_as_often_as_their_position_occurs(shape, dim, dtype):
    count = 2 * shape[dim]
    i, x = places(count, below=shape[dim]), numbers(*shape, dtype=dtype)
    source = numbers(*shape[:dim], count, *shape[dim + 1 :], dtype=dtype)
    wanted = x.copy()
    np.add.at(wanted, (slice(None),) * dim + (i,), source)
    assert (K.index_add(x, i, source, dim) == wanted).all()
    negative = np.where(i % 2, i, i - shape[dim])
    assert (K.index_put(x, source, (negative,), (dim,), True) == wanted).all()


def test_values_that_broadcast_are_added_to_every_slice():
    x, i = numbers(30, 2000), places(4, 20, below=30)
    wanted = x.copy()
    np.add.at(wanted, i, np.float32(2))
    assert (K.index_put(x, np.float32(2), (i,), (0,), True) == wanted).all()


def test_an_added_slice_that_is_not_finite_stays_in_its_row():
    x, source = numbers(30, 2000), numbers(40, 2000)
    source[3] = np.inf
    i = np.where(np.arange(40) == 3, 7, np.arange(40) % 7)
    assert np.isfinite(K.index_add(x, i, source, 0)).all(1).tolist() == [row != 7 for row in range(30)]


@pytest.mark.parametrize("accumulate", [False, True])
def test_elements_named_along_all_axes_are_read_and_written_where_numpy_has_them(accumulate):
    x, rows = numbers(60, 70), np.arange(60)[:, None]
    i = np.argsort(np.random.default_rng(2).random((60, 70)))[:, :40]
    assert (K.index(x, (rows, i), (0, 1)) == x[rows, i]).all()
    assert (K.index(x, (rows - 60, i - 70), (0, 1)) == x[rows, i]).all()
    values, wanted = numbers(60, 40), x.copy()
    wanted[rows, i] = values + accumulate * wanted[rows, i]
    assert (K.index_put(x, values, (rows, i), (0, 1), accumulate) == wanted).all()


@pytest.mark.parametrize("bad", [-71, 70, 2**40])
def test_elements_outside_are_refused(bad):
    x, rows = numbers(60, 70), np.arange(60)[:, None]
    i = places(60, 40, below=70)
    i[5, 5] = bad
    with pytest.raises(IndexError, match="out of bounds"):
        K.index(x, (rows, i), (0, 1))
    with pytest.raises(IndexError, match="out of bounds"):
        K.index_put(x, np.float32(1), (rows, i), (0, 1), False)


@pytest.mark.parametrize("bad", [-1, 70])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_positions_of_an_axis_are_refused_before_the_first_and_behind_the_last(bad, dtype):
    i = places(60, below=70).astype(dtype)
    i[7] = bad
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds for an axis with size 70"):
        K.check_positions(i, 70, IndexError)
    K.check_positions(places(60, below=70).astype(dtype), 70, IndexError)
