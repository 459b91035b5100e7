"""Indexing while recording, and the memory that it touches."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg


def compiled_equals_eager(f, *arrays):
    tensors = [tg.tensor(a) for a in arrays]
    want = f(*tensors)
    got = tg.compile(f, backend="numpy")(*[tg.tensor(a) for a in arrays])
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-12)


X = np.random.default_rng(0).normal(size=(3, 4))


@pytest.mark.parametrize(
    "read",
    [
        "x[1]",
        "x[:, 1:3]",
        "x[1:, 0]",
        "x[None, :, -1]",
        "x[tg.tensor([0, 2])]",
        "x[:, tg.tensor([0, 0, 3])]",
        "x[0, tg.tensor([1, 2])]",
        "x[i]",
        "x[1:, i]",
        "x[[0, 1], [2, 3]]",
    ],
)
def test_a_recording_reads_through_every_index_of_known_shape(read):
    compiled_equals_eager(eval(f"lambda x, i: {read} * 2", {"tg": tg}), X, np.array(1))


@pytest.mark.parametrize("write", ["y[0] = 1.0", "y[:, 1] = x[:, 2]", "y[x > 0] = 0.0", "y[x < 0] = x[0, 0]", "y[tg.tensor([0, 2])] = x[:2]", "y[0][1:] = 3.0", "y[...] = x[1]",
                                   "y[x[0, 0] > 100] = 7.0", "y[1, x[0] > 0] = 2.0", "y[:, tg.tensor([True, False, True, False])] = 5.0 * x[:, :1].sum()"])  # fmt: skip
def test_a_recording_keeps_assignments(write):
    scope = {"tg": tg}
    exec(f"def f(x):\n    y = x * 1\n    {write}\n    return y * x", scope)
    compiled_equals_eager(scope["f"], X)


def test_a_recorded_masked_assignment_follows_the_values_of_the_call():
    def f(x):
        y = x * 2
        y[x < 0] = 0
        return y

    compiled = tg.compile(f, backend="numpy")
    assert compiled(tg.tensor([1.0, -1.0])).tolist() == [2.0, 0.0]
    assert compiled(tg.tensor([-3.0, 4.0])).tolist() == [0.0, 8.0]


@pytest.mark.parametrize(
    "read", ["x[x > 0]", "x.masked_select(x > 0)", "x[x[:, 0] > 0]", "x[:, x[0] > 0]", "x[x[:, 0] > 0, tg.tensor([0])]"]
)
def test_a_selection_by_mask_in_a_compiled_function_follows_the_values(read):
    f = eval(f"lambda x: {read}", {"tg": tg})
    fast = tg.compile(f, backend="numpy")
    for values in (X, -np.asarray(X), X):
        x = tg.tensor(values)
        assert fast(x).tolist() == f(x).tolist()


def test_a_plain_write_counts_as_a_write():
    x = tg.zeros(3)
    before = x._version
    x[0] = 1.0
    x[1:] = tg.ones(2)
    x[x > 0] = 3.0
    assert x._version == before + 3
    assert x.tolist() == [3.0, 3.0, 3.0]


def test_a_value_that_overlaps_the_written_elements_is_refused():
    x = tg.arange(5)
    with pytest.raises(RuntimeError, match="single memory location"):
        x[1:] = x[:-1]
    x[1:] = x[:-1].clone()
    assert x.tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize("value", [np.ones(3, np.float32), np.float32(3), [1.0, 2.0, 3.0], None, "a"])
def test_only_numbers_and_tensors_are_assigned(value):
    x = tg.zeros(2, 3)
    with pytest.raises(TypeError, match="can't assign a"):
        x[0] = value
    assert x.tolist() == [[0.0] * 3] * 2


def test_a_refused_write_changes_nothing():
    x = tg.zeros(2, 3)
    with pytest.raises(RuntimeError):
        x[0] = tg.ones(2)
    with pytest.raises(IndexError):
        x[5] = 1.0
    with pytest.raises(ValueError):
        x[::-1] = 1.0
    assert x.tolist() == [[0.0] * 3] * 2
    assert x._version == 0


@pytest.mark.parametrize(("index", "error", "text"), [(9, IndexError, "out of bounds"), ((0, 0, 0), IndexError, "too many indices"), (1.5, IndexError, "only integers"),
                                                      (slice(None, None, -1), ValueError, "greater than zero")])  # fmt: skip
def test_messages_say_what_is_wrong(index, error, text):
    with pytest.raises(error, match=text):
        tg.zeros(2, 3)[index]


def test_the_gradient_of_a_mask_index_puts_zeros_elsewhere():
    x = tg.tensor([1.0, -2.0, 3.0], requires_grad=True)
    (x[x > 0] ** 3).sum().backward()
    assert x.grad.tolist() == [3.0, 0.0, 27.0]
    g = tg.autograd.grad((x[x > 0] ** 3).sum(), x, create_graph=True)[0]
    assert tg.autograd.grad(g.sum(), x)[0].tolist() == [6.0, 0.0, 18.0]
