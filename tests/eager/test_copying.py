"""copy, deepcopy and pickle of Tensors and what holds them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import tracegrad as tg

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def pickled(value: Any, protocol: int = pickle.DEFAULT_PROTOCOL) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_leaf_is_pickled_with_every_protocol(protocol: int):
    found = pickled(tg.arange(6.0).reshape(2, 3).requires_grad_(), protocol)
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]] and found.requires_grad and found.is_leaf and found.grad is None


@pytest.mark.parametrize(
    "x",
    [tg.tensor(2.5), tg.zeros(1, 3).expand(2, 3), tg.arange(6).reshape(2, 3).t(), tg.empty(0, 3)],
    ids=["0-d", "expanded", "turned", "empty"],
)
def test_shape_and_strides_survive_pickles_and_copies(x: Any):
    for found in (pickled(x), copy.deepcopy(x), copy.copy(x)):
        assert tg.equal(found, x) and found.stride() == x.stride()


def test_an_expanded_tensor_makes_a_small_pickle():
    assert len(pickle.dumps(tg.zeros(1).expand(1_000_000))) < 1_000


@pytest.mark.parametrize(
    "value", [tg.float32, tg.Size([2, 3]), tg.device("cpu"), tg.strided, tg.contiguous_format], ids=str
)
def test_constants_survive(value: Any):
    for found in (pickled(value), copy.copy(value), copy.deepcopy(value)):
        assert found == value and repr(found) == repr(value)


def test_a_generator_goes_on_where_it_was():
    g = tg.Generator().manual_seed(5)
    tg.rand(2, generator=g)
    others = [pickled(g), copy.deepcopy(g), g.clone_state()]
    expected = tg.rand(3, generator=g)
    assert all(tg.equal(tg.rand(3, generator=other), expected) for other in others)


def test_what_shares_memory_shares_it_in_the_deep_copy():
    x = tg.zeros(4)
    a, b, c = copy.deepcopy((x, x[1:3], x.view(2, 2).t()))
    b.fill_(5)
    assert a.tolist() == [0, 5, 5, 0] and c.tolist() == [[0, 5], [5, 0]] and x.tolist() == [0, 0, 0, 0]


def test_the_deep_copy_of_a_view_is_no_view():
    x = tg.zeros(4)
    assert not copy.deepcopy(x[1:3])._is_view()


def test_writes_to_shared_copies_are_seen_by_backward():
    a, b = copy.deepcopy((x := tg.ones(3), x[:2]))
    w = tg.ones(3, requires_grad=True)
    y = (w * a).sum()
    b.fill_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.backward()


def test_one_object_twice_is_one_object_in_the_copy():
    x = tg.ones(2)
    a, b = copy.deepcopy([x, x])
    assert a is b


def test_a_deep_copy_has_a_gradient_of_its_own():
    x = tg.ones(2, requires_grad=True)
    x.sum().backward()
    found = copy.deepcopy(x)
    found.grad[0] = 5
    assert x.grad.tolist() == [1, 1] and found.grad.tolist() == [5, 1]


def test_a_shallow_copy_shares_memory_and_has_no_gradient():
    x = tg.ones(2, requires_grad=True)
    x.sum().backward()
    found = copy.copy(x)
    found.data[0] = 9
    assert x.tolist() == [9, 1] and found.grad is None


def test_hooks_stay_with_the_original():
    x = tg.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 10)
    for found in (copy.deepcopy(x), copy.copy(x), pickled(x)):
        found.sum().backward()
        assert found.grad.tolist() == [1, 1]


@pytest.mark.parametrize("make", [lambda x: x * 2, lambda x: x[:1]], ids=["result", "view"])
def test_what_an_operation_made_is_not_deep_copied(make: Any):
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy({"a": [make(tg.ones(2, requires_grad=True))]})


def test_attributes_of_the_user_are_copied_deeply():
    x = tg.ones(2)
    x.notes = ["a", x]
    deep, shallow, other = copy.deepcopy(x), copy.copy(x), pickled(tg.ones(2))
    assert deep.notes is not x.notes and deep.notes[1] is deep
    assert shallow.notes is x.notes and not hasattr(other, "notes")


def test_a_parameter_is_copied_as_torch_copies_it():
    p = tg.nn.Parameter(tg.ones(2))
    p.tag = 1
    (p * 2).sum().backward()
    found = copy.deepcopy(p)
    assert type(found) is tg.nn.Parameter and found.grad is None and not hasattr(found, "tag")
    assert type(pickled(p)) is type(copy.copy(p)) is tg.nn.Parameter and pickled(p).tag == 1


def test_a_module_and_its_optimizer_copied_together_stay_together():
    model = tg.nn.Linear(2, 1)
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
    for other, its in (copy.deepcopy((model, optimizer)), pickled((model, optimizer))):
        assert its.param_groups[0]["params"][0] is other.weight is not model.weight


def test_copies_under_inference_mode_are_inference_tensors():
    x = tg.ones(2)
    with tg.inference_mode():
        assert copy.deepcopy(x).is_inference() and pickled(x).is_inference()


def test_a_subclass_survives():
    x = tg.ones(2).as_subclass(Marked)
    assert all(type(found) is Marked for found in (copy.copy(x), copy.deepcopy(x), pickled(x)))


class Marked(tg.Tensor):
    """A subclass of a user."""
