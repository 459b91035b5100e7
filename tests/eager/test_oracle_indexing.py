"""Every form of index, read and written, against torch 2.13: values, derivatives, grad_fn names, memory and error classes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.ops.oracle import assert_same, draw  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own deprecations
SHAPES = [(), (3,), (0,), (2, 3), (3, 3), (2, 3, 4)]
INDICES = """
0
-1
1
5
-7
...
None
:
::
1:
:-1
1:9
2:1
-2:
::2
1::2
::-1
::0
0:1.5
1.5
'a'
0, 0
0, -1
0, 0, 0
0, 0, 0, 0
1:, 0
0, 1:
:, 0
:, :
:, 1:, 0
..., 0
0, ...
..., 0, :
..., 1:
..., ...
None, :
:, None
..., None
None, 0, None
0, None, 1
None, None
t.tensor([0, 1])
t.tensor([0, -1, 0])
t.tensor([0, 9])
t.tensor([0.0, 1.0])
t.tensor([], dtype=t.int64)
t.tensor([[0, 1], [1, 0]])
t.tensor([0, 1], dtype=t.int32)
t.tensor([1, 0, 1], dtype=t.uint8)
t.tensor(1)
t.tensor(-1)
t.tensor(7)
t.tensor(0), t.tensor(1)
[0, 1]
[1]
[]
[True, False, True]
[[0, 1], [1, 0]]
[[0, 1]]
range(2)
(1,)
np.array([1, 0])
np.int64(1)
np.array([True, False, True])
True
False
t.tensor(True)
t.tensor(False)
True, 0
t.tensor([True, False, True])
t.tensor([True, False])
x > 0
x < -100
:, t.tensor([0, 1])
:, t.tensor([True, False, True])
t.tensor([0, 1]), 1
1, t.tensor([0, 1])
0, :, t.tensor([0, 1])
t.tensor([0, 1]), :, 1
t.tensor([0, 1]), :, t.tensor([1, 2])
:, t.tensor([0, 1]), t.tensor([1, 2])
t.tensor([0, 1]), t.tensor([1, 2])
t.tensor([0, 1]), t.tensor([0, 1, 2])
t.tensor([[0], [1]]), t.tensor([0, 1, 2])
t.tensor([0, 1]), None
t.tensor([0, 1]), None, t.tensor([0, 1])
..., t.tensor([0, 1])
t.tensor([0, 1]), ...
1:, t.tensor([0, 1])
t.tensor([True, False]), 1:
t.tensor([True, False]), t.tensor([0])
t.tensor([True, True]), :, t.tensor([0, 1])
t.tensor([[True, False, True], [False, True, False]])
t.tensor([[True, False, True], [False, True, False]]), 1
[0, 1], [1, 2]
[0, 1], slice(1, None)
t.tensor(1), t.tensor([0, 2])
slice(t.tensor(0), t.tensor(2))
""".strip().splitlines()
VALUES = [
    "1.5",
    "2",
    "True",
    "v",
    "v[:1]",
    "v.double()[:1] * 2",
    "t.tensor(2.0, dtype=t.float64)",
    "t.tensor(3)",
    "v[None]",
    "[1, 2]",
    "'a'",
    "float('inf')",
]


# a 0-d mask converts one value to the dtype of the tensor, as every other mask does; torch refuses there
SCALAR_MASKS = ("t.tensor(True)", "t.tensor(False)", "True, 0", "x > 0", "x < -100")


def casts_under_a_scalar_mask(index, value, dtype, shape):
    scalar = index in SCALAR_MASKS[:3] or (index in SCALAR_MASKS and shape == ())
    return scalar and (value == "t.tensor(3)" if dtype == "float64" else value.startswith(("v", "t.tensor")))


def reader(index):
    return eval(f"lambda t, x: x[{index}]", {"np": np})


def writer(index, value):
    scope = {"np": np}
    exec(f"def write(t, x, v):\n    y = x * 1\n    y[{index}] = {value}\n    return y", scope)
    return scope["write"]


@pytest.mark.parametrize("index", INDICES)
def test_reading(index):
    for seed, shape in enumerate(SHAPES):
        if shape or index not in ("::-1", "::0", "0:1.5", "'a'"):  # of two mistakes torch names the other
            assert_same(torch, reader(index), draw(seed, shape))


@pytest.mark.parametrize("index", INDICES)
def test_reading_a_strided_tensor(index):
    function = reader(index)
    assert_same(torch, lambda t, x: function(t, x.t()[::2]), draw(1, (3, 4)), names=False)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("index", INDICES)
def test_writing_where_autograd_follows(index, value):
    if "uint8" in index or index == "'a'":
        pytest.skip("deprecated masks are taken as masks here; of two mistakes torch names the other")
    for seed, shape in enumerate(SHAPES):
        if not casts_under_a_scalar_mask(index, value, "float64", shape):
            assert_same(torch, writer(index, value), draw(seed, shape), draw(9, (3,)))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
def test_writing_plain_memory(index, value, dtype):
    if (dtype != "float64" and "inf" in value) or "uint8" in index or index == "'a'":
        pytest.skip("tested by itself")
    for seed, shape in enumerate(SHAPES):
        if not casts_under_a_scalar_mask(index, value, dtype, shape):
            assert_same(torch, writer(index, value), draw(seed, shape, dtype), draw(9, (3,)), orders=0)


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "2**70", "1 + 2j"])
@pytest.mark.parametrize("index", ["0", "t.tensor([0])", "x > 0"])
def test_numbers_that_an_integer_tensor_cannot_hold(index, value):
    assert_same(torch, writer(index, value), draw(0, (3,), "int64"), draw(9, (3,)), orders=0)


@pytest.mark.parametrize("index", ["0", "t.tensor([0])", "x > 0", ":", "..."])
def test_a_leaf_refuses_writes(index):
    scope = {}
    exec(f"def write(t, x):\n    x[{index}] = 1.0\n    return x", scope)
    assert_same(torch, scope["write"], draw(0, (3,)))


@pytest.mark.parametrize("index", ["0", "t.tensor([0])", "x > 0", ":", "1:"])
def test_a_leaf_may_be_written_without_grad(index):
    scope = {}
    exec(f"def write(t, x):\n    with t.no_grad():\n        x[{index}] = 7.0\n    return x * 2", scope)
    assert_same(torch, scope["write"], draw(0, (3,)))


def test_a_write_into_a_view_reaches_its_base_with_gradients():
    def write(t, x, v):
        y = x * 1
        row = y[1]
        row[t.tensor([0, 2])] = v[:2]
        row[1:] = 3.0
        return y * y + row

    assert_same(torch, write, draw(0, (2, 3)), draw(1, (3,)), names=False)


def test_augmented_assignment_through_an_index():
    def write(t, x, v):
        y = x * 1
        y[0] += v
        y[:, 1] *= 2.0
        y[y > 1] -= 0.5
        return y * y

    assert_same(torch, write, draw(0, (2, 3)), draw(1, (3,)), names=False)


def test_a_repeated_position_adds_its_gradients():
    assert_same(torch, lambda t, x: x[t.tensor([0, 0, 0, 1])] ** 2, draw(0, (3, 2)))


def test_a_write_after_use_is_noticed():
    def write(t, x):
        y = x * 1
        z = y * y
        y[0] = 0.0
        return z

    ours = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="inplace"):
        write(tg, ours).sum().backward()


def test_the_relu_of_the_tutorials():
    def relu_backward(t, x):
        grad_input = x.clone()
        grad_input[x < 0] = 0
        return grad_input

    assert_same(torch, relu_backward, draw(0, (2, 3)), orders=1)
