"""Types and the shape arithmetic of type rules."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.errors import AxisError, ShapeError
from tracegrad.ir.types import Type, broadcast, literal_type, many_axes, one_axis, reduced, size_of, type_of

F32 = np.dtype(np.float32)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (Type((), F32), "f32[]"),
        (Type((2, 3), np.dtype(bool)), "bool[2,3]"),
        (Type((0,), np.dtype(np.complex128)), "c128[0]"),
    ],
)
def test_a_type_prints_short(made, text):
    assert str(made) == repr(made) == text


@pytest.mark.parametrize(("value", "dtype"), [(True, "bool"), (1, "int64"), (1.0, "float64"), (1j, "complex128")])
def test_numbers_are_weak(value, dtype):
    assert literal_type(value) == Type((), np.dtype(dtype), weak=True) == type_of(value)


def test_numpy_scalars_are_strong():
    assert type_of(np.float64(1.0)) == Type((), np.dtype(np.float64))


@pytest.mark.parametrize(
    ("shapes", "result"),
    [
        ([], ()),
        ([(2, 3)], (2, 3)),
        ([(2, 1), (3,)], (2, 3)),
        ([(), (4,)], (4,)),
        ([(0, 3), (3,)], (0, 3)),
        ([(1,), (0,)], (0,)),
        ([(5, 1, 1), (4, 1), (3,)], (5, 4, 3)),
    ],
)
def test_broadcasting_is_numpys(shapes, result):
    assert broadcast("add", *shapes) == result == np.broadcast_shapes(*shapes)


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(
        ShapeError, match=r"^add: shapes \[2, 3\] and \[2\] do not broadcast: sizes 3 and 2 meet at axis 1"
    ):
        broadcast("add", (2, 3), (2,))


@pytest.mark.parametrize(
    ("dim", "keepdim", "result"),
    [
        (None, False, ()),
        (None, True, (1, 1, 1)),
        ((1,), False, (2, 4)),
        ((0, 2), True, (1, 3, 1)),
        ((), False, (2, 3, 4)),
    ],
)
def test_reduced_shapes(dim, keepdim, result):
    assert reduced((2, 3, 4), dim, keepdim) == result


@pytest.mark.parametrize(("ndim", "dim", "result"), [(3, 0, 0), (3, -1, 2), (0, 0, 0), (0, -1, 0), (2, np.int64(1), 1)])
def test_one_axis_is_made_non_negative(ndim, dim, result):
    found = one_axis("sum", ndim, dim)
    assert found == result and type(found) is int


@pytest.mark.parametrize(("ndim", "dim"), [(2, 2), (2, -3), (0, 1), (0, -2)])
def test_an_axis_outside_is_an_index_error(ndim, dim):
    with pytest.raises(AxisError, match=f"^sum: Dimension out of range: dim={dim}") as caught:
        one_axis("sum", ndim, dim)
    assert isinstance(caught.value, IndexError)


@pytest.mark.parametrize(
    ("dim", "result"), [(None, None), ((), None), (-1, (2,)), ([2, 0], (0, 2)), ((-1, -3), (0, 2))]
)
def test_several_axes_are_sorted(dim, result):
    assert many_axes("sum", 3, dim) == result


def test_an_axis_given_twice_is_refused():
    with pytest.raises(ShapeError, match=r"^sum: an axis appears twice"):
        many_axes("sum", 3, (0, -3))


@pytest.mark.parametrize(("shape", "size"), [((), 1), ((2, 3), 6), ((2, 0), 0)])
def test_size(shape, size):
    assert size_of(shape) == size
