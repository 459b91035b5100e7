"""dtype promotion against torch: every pair of dtypes, with and without axes, and Python numbers."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "complex64", "complex128"]
NUMBERS = [True, 3, 2.5, 1 + 2j]
SHAPES = [(), (2,)]


def both(name, shape):
    array = np.ones(shape, name)
    return tg.from_numpy(array.copy()), torch.from_numpy(array.copy())


def shown(d):
    return repr(d).replace("complex32", "complex64")  # NumPy has no complex32: the smallest complex dtype stands for it


@pytest.mark.parametrize(("a", "b"), list(itertools.product(NAMES, NAMES)))
def test_promote_types_is_torchs_table(a, b):
    assert shown(tg.promote_types(getattr(tg, a), getattr(tg, b))) == shown(
        torch.promote_types(getattr(torch, a), getattr(torch, b))
    )
    assert tg.can_cast(getattr(tg, a), getattr(tg, b)) == torch.can_cast(getattr(torch, a), getattr(torch, b))


@pytest.mark.parametrize(("a", "b"), list(itertools.product(NAMES, NAMES)))
@pytest.mark.parametrize(("p", "q"), list(itertools.product(SHAPES, SHAPES)))
def test_result_of_two_tensors_has_torchs_dtype(a, b, p, q):
    (x, u), (y, v) = both(a, p), both(b, q)
    assert shown(tg.result_type(x, y)) == shown(torch.result_type(u, v))
    if torch.result_type(u, v) == torch.complex32:
        return
    for name in ("add", "mul", "div", "eq"):
        ours, theirs = getattr(tg, name)(x, y), getattr(torch, name)(u, v)
        assert shown(ours.dtype) == shown(theirs.dtype), name
        assert ours.numpy().tolist() == theirs.numpy().tolist(), name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("number", NUMBERS)
def test_result_of_tensor_and_number_has_torchs_dtype(name, shape, number):
    x, u = both(name, shape)
    assert shown(tg.result_type(x, number)) == shown(torch.result_type(u, number))
    if torch.result_type(u, number) == torch.complex32:
        return
    for operation in ("add", "mul", "div", "eq"):
        ours, theirs = getattr(tg, operation)(x, number), getattr(torch, operation)(u, number)
        assert shown(ours.dtype) == shown(theirs.dtype), operation
        assert np.allclose(ours.numpy(), theirs.numpy()), operation
    if not isinstance(number, complex):
        assert shown((number + x).dtype) == shown((number + u).dtype)
        assert shown((number / x).dtype) == shown((number / u).dtype)


@pytest.mark.parametrize("default", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_default_dtype_decides_what_floats_give(default, name):
    x, u = both(name, (2,))
    try:
        tg.set_default_dtype(getattr(tg, default))
        torch.set_default_dtype(getattr(torch, default))
        for number in NUMBERS[: 3 if "float16" in (default, name) else 4]:
            assert shown((x + number).dtype) == shown((u + number).dtype)
        assert shown((x / 2).dtype) == shown((u / 2).dtype)
        assert repr(x) == repr(u)
    finally:
        tg.set_default_dtype(tg.float32)
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", NAMES)
def test_limits_print_as_torchs(name):
    kind = "finfo" if np.dtype(name).kind in "fc" else "iinfo"
    try:
        theirs = repr(getattr(torch, kind)(getattr(torch, name)))
    except TypeError:
        with pytest.raises(TypeError):
            getattr(tg, kind)(getattr(tg, name))
        return
    assert repr(getattr(tg, kind)(getattr(tg, name))) == theirs


@pytest.mark.parametrize("name", NAMES)
def test_dtype_facts_are_torchs(name):
    ours, theirs = getattr(tg, name), getattr(torch, name)
    assert repr(ours) == repr(theirs)
    for fact in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
        assert getattr(ours, fact) == getattr(theirs, fact)
    assert repr(ours.to_real()) == repr(theirs.to_real())
    if ours.is_complex or name in ("float32", "float64"):
        assert repr(ours.to_complex()) == repr(theirs.to_complex())
