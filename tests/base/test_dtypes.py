"""dtype objects, conversions from NumPy, the default dtype; promotion is compared with torch in test_oracle_dtypes.py."""

import pickle

import numpy as np
import pytest

import tracegrad as tg
from tracegrad import dtypes


def test_there_is_one_object_per_dtype():
    assert tg.float is tg.float32 and tg.double is tg.float64 and tg.long is tg.int64
    assert pickle.loads(pickle.dumps(tg.float32)) is tg.float32
    assert dtypes.from_numpy(np.dtype("float64")) is tg.float64
    assert len({tg.float32, tg.float, tg.float64}) == 2


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (tg.int8, "int8"),
        (float, "float32"),
        (int, "int64"),
        (bool, "bool"),
        (complex, "complex64"),
        ("float64", "float64"),
        (np.float16, "float16"),
    ],
)
def test_to_numpy_takes_dtypes_python_classes_and_names(given, name):
    assert dtypes.to_numpy(given) == np.dtype(name)


@pytest.mark.parametrize("bad", ["nothing", "U3", object(), np.dtype("uint64")])
def test_what_is_no_dtype_is_a_type_error(bad):
    with pytest.raises(TypeError):
        dtypes.to_numpy(bad)


def test_promotion_table_is_symmetric_and_idempotent():
    for (a, b), c in dtypes.PROMOTION.items():
        assert dtypes.PROMOTION[b, a] == c
        assert dtypes.PROMOTION[a, a] == a
        assert dtypes.PROMOTION[c, a] == c


def test_default_dtype_decides_the_dtype_of_python_floats():
    try:
        tg.set_default_dtype(tg.float64)
        assert tg.tensor([1.0]).dtype is tg.float64
        assert tg.get_default_dtype() is tg.float64
    finally:
        tg.set_default_dtype(tg.float32)
    assert tg.tensor([1.0]).dtype is tg.float32


@pytest.mark.parametrize("bad", [tg.int64, "float32", None])
def test_only_floating_dtypes_can_be_the_default(bad):
    with pytest.raises(TypeError):
        tg.set_default_dtype(bad)
    assert tg.get_default_dtype() is tg.float32


def test_parts_of_complex_dtypes():
    assert tg.complex64.to_real() is tg.float32 and tg.float64.to_complex() is tg.complex128
    with pytest.raises(RuntimeError):
        tg.float16.to_complex()
