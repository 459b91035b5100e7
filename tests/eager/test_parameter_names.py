"""dim and keepdim may be given under NumPy's names, as in torch; arguments that are no tensors are refused by name."""

import pytest

import tracegrad as tg

X = tg.tensor([[1.0, 2.0, 3.0], [4.0, -5.0, 6.0]])


@pytest.mark.parametrize(
    "name",
    ["sum", "mean", "prod", "var", "std", "amax", "argmin", "softmax", "logsumexp", "cumsum", "unsqueeze", "all"],
)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axis_is_dim(name, axis):
    by_method, by_function = getattr(X, name)(axis=axis), getattr(tg, name)(X, axis=axis)
    wanted = getattr(X, name)(axis)
    assert tg.equal(by_method, wanted) and tg.equal(by_function, wanted)


def test_keepdims_is_keepdim():
    assert X.sum(axis=1, keepdims=True).tolist() == [[6.0], [5.0]]
    assert X.max(axis=1, keepdims=True).values.tolist() == [[3.0], [6.0]]


def test_axis_joins_and_reads():
    assert tg.cat([X, X], axis=1).shape == (2, 6)
    assert tg.stack([X, X], axis=2).shape == (2, 3, 2)
    assert tg.gather(X, axis=1, index=tg.tensor([[2], [0]])).tolist() == [[3.0], [4.0]]


def test_dim_and_axis_together_are_refused():
    with pytest.raises(TypeError, match="sum: the arguments 'dim' and 'axis' are one and the same"):
        X.sum(dim=0, axis=1)


@pytest.mark.parametrize("name", ["softmax", "cumsum", "logsumexp", "unsqueeze"])
def test_a_missing_axis_is_refused_as_by_python(name):
    with pytest.raises(TypeError, match=rf"{name}\(\) missing 1 required positional argument: 'dim'"):
        getattr(X, name)()


@pytest.mark.parametrize("value", ["a", [1.0, 2.0], None])
def test_what_is_no_tensor_is_named(value):
    with pytest.raises(TypeError, match=f"sum: argument 'input' must be Tensor, not {type(value).__name__}"):
        tg.sum(value)


def test_requires_grad_takes_a_bool_only():
    x = tg.ones(2)
    with pytest.raises(RuntimeError, match="requires_grad: must be a bool, got int"):
        x.requires_grad = 5
    assert not x.requires_grad


def test_an_index_out_of_range_names_the_operator():
    with pytest.raises(IndexError, match="index_select: index 9 is out of bounds"):
        tg.index_select(X, 0, tg.tensor([9]))
    with pytest.raises(IndexError, match=r"^\w+: index 9 is out of bounds"):
        tg.nn.functional.cross_entropy(X, tg.tensor([0, 9]))
