"""NumPy arrays and scalars beside tensors; DLPack; arrays of other libraries."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.errors import ArgumentError, DifferentiationError, InplaceError

A = np.array([1.0, 2.0, 4.0])
ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod)
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)


@pytest.mark.parametrize("function", ARITHMETIC, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
def test_arithmetic_with_an_array_has_numpys_values_and_dtype_on_both_sides(function: Any, dtype: Any):
    a, x = A.astype(dtype), tg.tensor([3.0, 1.0, 2.0])
    for found, expected in ((function(x, a), function(x.numpy(), a)), (function(a, x), function(a, x.numpy()))):
        assert type(found) is tg.Tensor and found.numpy().dtype == expected.dtype
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("function", [*ARITHMETIC[:5], operator.matmul], ids=lambda f: f.__name__)
def test_gradients_flow_through_arithmetic_with_an_array(function: Any):
    for swapped in (False, True):
        x, y = (tg.tensor([3.0, 1.0, 2.0], dtype=tg.float64, requires_grad=True) for _ in range(2))
        a = tg.from_numpy(A)
        (function(A, x) if swapped else function(x, A)).sum().backward()
        (function(a, y) if swapped else function(y, a)).sum().backward()
        assert x.grad.tolist() == y.grad.tolist()


@pytest.mark.parametrize("function", COMPARISONS, ids=lambda f: f.__name__)
def test_comparison_with_an_array_is_a_bool_tensor(function: Any):
    x = tg.tensor([3.0, 2.0, 2.0])
    assert function(x, A).tolist() == function(x.numpy(), A).tolist()
    assert function(A, x).tolist() == function(A, x.numpy()).tolist()


def test_an_array_of_texts_equals_no_tensor():
    assert (np.array(["a", "b"]) == tg.ones(2)) is False


@pytest.mark.parametrize(
    "function", [tg.sin, lambda a: tg.add(a, tg.ones(3)), lambda a: tg.stack([a, a])], ids=["sin", "add", "stack"]
)
def test_functions_take_no_array_for_a_tensor(function: Any):
    with pytest.raises(ArgumentError, match="must be Tensor, not"):
        function(A)


@pytest.mark.parametrize(
    "function", [np.sin, np.cumsum, np.asarray, np.array, lambda x: np.add(x, A), lambda x: np.stack([x, x])]
)
def test_numpy_functions_refuse_what_requires_grad(function: Any):
    with pytest.raises(DifferentiationError, match="Can't call numpy"):
        function(tg.ones(3, requires_grad=True))


def test_numpy_functions_give_tensors_and_truth_values_as_bytes():
    assert type(np.sin(tg.ones(2))) is tg.Tensor
    assert np.isnan(tg.ones(2)).dtype is tg.uint8


def test_a_numpy_scalar_counts_as_a_python_number():
    x = tg.ones(2, requires_grad=True)
    for found in (np.float64(2) * x, x * np.float64(2), np.float64(2) ** x, np.float64(3) - x):
        assert found.dtype is tg.float32 and found.requires_grad


def test_asarray_may_be_forbidden_to_copy():
    x = tg.ones(2)
    assert np.shares_memory(np.asarray(x, copy=False), x.numpy())
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype=np.int32, copy=False)


def test_from_dlpack_shares_memory_in_both_directions():
    a = np.arange(3.0)
    x = tg.from_dlpack(a)
    seen = np.from_dlpack(x)
    x[0] = 7
    assert a[0] == seen[0] == 7


def test_a_read_only_array_is_read_but_not_written():
    a = np.arange(3.0)
    a.flags.writeable = False
    x = tg.from_dlpack(a)
    assert (x * 2).tolist() == [0, 2, 4]
    with pytest.raises(InplaceError, match="read-only"):
        x.add_(1)


def test_from_dlpack_copies_if_asked():
    a = np.arange(3.0)
    tg.from_dlpack(a, copy=True)[0] = 7
    assert a[0] == 0


def test_writes_to_a_tensor_from_a_capsule_reach_the_memory_it_shares():
    x = tg.ones(2)
    tg.from_dlpack(tg.utils.dlpack.to_dlpack(x))[0] = 9
    assert x.tolist() == [9, 1]


def test_a_capsule_is_consumed_once():
    capsule = tg.utils.dlpack.to_dlpack(tg.ones(2))
    assert tg.from_dlpack(capsule).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="capsule"):
        tg.from_dlpack(capsule)


def test_dlpack_refuses_what_requires_grad_a_stream_and_what_is_no_array():
    with pytest.raises(BufferError, match="require gradient"):
        np.from_dlpack(tg.ones(2, requires_grad=True))
    with pytest.raises(AssertionError, match="stream"):
        tg.ones(2).__dlpack__(stream=1)
    with pytest.raises(RuntimeError, match="got list"):
        tg.from_dlpack([1])


class Foreign:
    """An array of another library."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([1, 2], np.int32)


@pytest.mark.parametrize("make", [tg.tensor, tg.as_tensor, tg.asarray])
def test_arrays_of_other_libraries_become_tensors_of_their_dtype(make: Any):
    assert make(Foreign()).dtype is tg.int32
    assert make([Foreign(), Foreign()]).tolist() == [[1, 2], [1, 2]]


def test_asarray_without_copy_refuses_what_it_cannot_share():
    x = tg.ones(2)
    assert tg.asarray(x, copy=False) is x
    with pytest.raises(ValueError, match="alias"):
        tg.asarray([1, 2], copy=False)


def test_a_class_with_torch_function_is_refused():
    with pytest.raises(NotImplementedError, match="never calls"):
        type("Logged", (tg.Tensor,), {"__torch_function__": None})


def test_the_most_derived_subclass_decides():
    first = type("First", (tg.Tensor,), {})
    second = type("Second", (first,), {})
    x, y = tg.ones(2).as_subclass(first), tg.ones(2).as_subclass(second)
    assert type(x + y) is type(y + x) is second


def test_a_parameter_takes_the_fast_path():
    p = tg.nn.Parameter(tg.ones(2))
    assert type(p) is tg.nn.Parameter and type(p * 2) is tg.Tensor and type(tg.stack([p, p])) is tg.Tensor
    assert repr(type(p)) == "<class 'torch.nn.parameter.Parameter'>"


def test_an_augmented_assignment_of_an_array_makes_a_new_tensor_as_in_torch():
    x = before = tg.ones(3)
    x += A
    assert x.tolist() == [2, 3, 5] and before.tolist() == [1, 1, 1] and x.dtype is tg.float64


def test_asarray_keeps_the_history_of_a_tensor_unless_told_otherwise():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x + 2
    assert tg.asarray(y) is y
    assert tg.asarray(y, copy=True).grad_fn.name() == "CloneBackward0"
    assert tg.asarray(y, requires_grad=True).grad_fn is not None
    assert not tg.asarray(y, requires_grad=False).requires_grad
    assert tg.asarray([1.0], requires_grad=True).is_leaf


def test_typename_of_a_class_or_function_is_its_own():
    assert tg.typename(int) == "int"
    assert tg.typename(np.matmul) == "numpy.matmul"
    assert tg.typename(tg.nn.Linear) == tg.typename(tg.nn.Linear(1, 1))
