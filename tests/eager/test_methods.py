"""Tensor's operators and methods: what they are made of, and what they refuse.  Values are compared with torch in test_oracle_methods.py."""

import copy
import pickle

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.eager.generate import operator_function
from tracegrad.ir.op import REGISTRY


@pytest.mark.parametrize(
    ("method", "operator"),
    [
        ("__add__", "add"),
        ("__mul__", "mul"),
        ("__sub__", "sub"),
        ("__truediv__", "div"),
        ("__neg__", "neg"),
        ("__pow__", "pow"),
        ("__rsub__", "rsub"),
    ],
)
def test_arithmetic_operators_are_the_generated_functions(method, operator):
    assert tg.Tensor.__dict__[method] is operator_function(operator)


def test_every_operator_has_its_function_and_methods():
    for op in REGISTRY.values():
        for name in (op.name, *op.aliases):
            assert not op.function or callable(getattr(tg, name)), name
            assert not op.method or callable(getattr(tg.Tensor, name)), name
            assert not op.inplace or callable(getattr(tg.Tensor, f"{name}_")), name


def test_all_of_pythons_operators_are_there():
    names = "add sub mul truediv floordiv mod pow matmul and or xor".split()
    for name in [
        *(f"__{n}__" for n in names),
        *(f"__r{n}__" for n in names),
        *(f"__i{n}__" for n in names if n != "matmul"),
    ]:
        assert name in tg.Tensor.__dict__, name


class Reflecting:
    def __radd__(self, other):
        return "radd"

    def __rand__(self, other):
        return "rand"

    def __rmatmul__(self, other):
        return "rmatmul"

    def __eq__(self, other):
        return "eq"

    __hash__ = None


def test_an_object_with_a_reflected_operator_decides_itself():
    x = tg.tensor([1.0, 2.0])
    assert x + Reflecting() == "radd"
    assert x & Reflecting() == "rand"
    assert x @ Reflecting() == "rmatmul"
    assert (x == Reflecting()) == "eq"


def test_equality_with_foreign_objects_is_false():
    x = tg.tensor([1.0])
    assert (x == None) is False and (x == "a") is False and (x != None) is True  # noqa: E711


@pytest.mark.parametrize("bad", ["a", None, [1.0], object()])
def test_arithmetic_with_foreign_objects_is_a_type_error(bad):
    x = tg.tensor([1.0])
    for compute in (
        lambda: x + bad,
        lambda: bad - x,
        lambda: x / bad,
        lambda: x @ bad,
        lambda: x < bad,
        lambda: x % bad,
    ):
        with pytest.raises(TypeError):
            compute()
    with pytest.raises(TypeError):
        x += bad


def test_a_numpy_array_on_either_side_gives_a_tensor():
    x, a = tg.tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0], np.float32)
    for y in (x + a, a + x, a * x, x - a, a - x, a / x):
        assert type(y) is tg.Tensor and y.requires_grad
    assert (a - x).tolist() == [2.0, 2.0]


def test_numpy_functions_of_a_tensor_give_tensors():
    y = np.sin(tg.tensor([0.0, 1.0]))
    assert type(y) is tg.Tensor and y.dtype is tg.float32


def test_numpy_shares_memory_in_both_directions():
    x = tg.zeros(3)
    x.numpy()[1] = 5
    assert x.tolist() == [0.0, 5.0, 0.0]
    x.add_(1)
    assert x.numpy().tolist() == [1.0, 6.0, 1.0]
    array = np.zeros(2)
    tg.from_numpy(array).fill_(3)
    assert array.tolist() == [3.0, 3.0]


def test_np_asarray_respects_copy():
    x = tg.zeros(2)
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert not np.shares_memory(np.array(x, copy=True), x.numpy())
    with pytest.raises(ValueError, match="a copy is needed, but copy=False"):
        np.array(x, np.float64, copy=False)


def test_deepcopy_keeps_identity_inside_containers_and_copies_grad():
    x = tg.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    a, b = copy.deepcopy([x, x])
    assert a is b and a is not x and a.requires_grad and a.is_leaf
    assert a.grad.tolist() == [3.0, 3.0] and a.grad is not x.grad
    a.detach().zero_()
    assert x.tolist() == [1.0, 1.0]


def test_pickle_keeps_values_attributes_and_requires_grad():
    x = tg.ones(2, requires_grad=True)
    x.tag = "weights"
    y = pickle.loads(pickle.dumps(x))
    assert y.tolist() == [1.0, 1.0] and y.requires_grad and y.is_leaf and y.tag == "weights"


class Marked(tg.Tensor):
    pass


def test_a_subclass_computes_differentiates_and_survives_copies():
    x = Marked([1.0, 2.0]).requires_grad_()
    y = (x * 2 + x.exp()).sum()
    y.backward()
    assert np.allclose(x.grad.numpy(), 2 + np.exp([1.0, 2.0]))
    assert type(copy.deepcopy(x)) is Marked and type(pickle.loads(pickle.dumps(x))) is Marked
    x.detach().mul_(2)
    assert x.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("name", ["foo", "grads"])
def test_an_unknown_attribute_is_an_attribute_error(name):
    with pytest.raises(AttributeError):
        getattr(tg.tensor(1.0), name)
    with pytest.raises(AttributeError):
        getattr(tg, name)


def test_data_shows_the_same_memory_without_history():
    x = tg.ones(2, requires_grad=True)
    d = x.data
    assert not d.requires_grad and np.shares_memory(d.numpy(), x.detach().numpy())
    d.mul_(3)
    assert x.tolist() == [3.0, 3.0] and x.is_leaf


def test_assigned_data_keeps_the_leaf_and_takes_the_new_shape():
    x = tg.ones(2, requires_grad=True)
    x.data = tg.zeros(3)
    (x + 1).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_assigned_data_leaves_older_views_on_the_old_memory():
    x = tg.zeros(4)
    view, inner = x[:2], x[:2][1:]
    x.data = tg.ones(4)
    view.add_(5)
    assert (x.tolist(), view.tolist(), inner.tolist()) == ([1.0] * 4, [5.0, 5.0], [5.0])
    assert view._base is not x
    x.mul_(tg.ones(4, requires_grad=True))
    assert x.requires_grad and not view.requires_grad


def test_contiguous_copies_only_when_needed():
    x = tg.ones(2, 3, requires_grad=True)
    assert x.contiguous() is x
    y = x.T.contiguous()
    assert y.is_contiguous() and y.stride() == (2, 1)
    y.sum().backward()
    assert x.grad.tolist() == [[1.0] * 3] * 2


def test_results_of_a_subclass_are_of_the_subclass():
    x = Marked([1.0, 2.0]).requires_grad_()
    results = [
        x * 2,
        2 * x,
        x.sum(),
        x[0],
        x.detach(),
        x + tg.ones(2),
        tg.ones(2) + x,
        x.double(),
        x.view(2, 1),
        x.clone(),
        x == x,
        x.data,
        tg.stack([x, x]),
        x.max(0)[0],
    ]
    assert [type(r) for r in results] == [Marked] * len(results)
    assert type(tg.ones(2) * 2) is tg.Tensor
