"""Positions and masks given as values, against torch 2.13."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.ops.oracle import assert_same, draw  # noqa: E402

SHAPES = [(), (3,), (0,), (2, 3), (3, 3), (2, 3, 4)]
EXPRESSIONS = """
x.index_select(0, t.tensor([1, 0, 1]))
t.index_select(x, -1, t.tensor([0]))
x.index_select(0, t.tensor(1))
x.index_select(0, t.tensor([], dtype=t.int64))
x.index_select(0, t.tensor([9]))
x.index_select(0, t.tensor([-1]))
x.index_select(0, t.tensor([[0]]))
x.index_select(0, t.tensor([0.5]))
x.index_select(0, t.tensor([0], dtype=t.int32))
x.index_select(7, t.tensor([0]))
x.gather(0, t.tensor([[0, 1, 1]]))
x.gather(1, t.tensor([[0], [2]]))
t.gather(x, -1, t.tensor([[0, 0], [1, 2]]))
x.gather(0, t.tensor([0, 2, 2, 1]))
x.gather(0, t.tensor(0))
x.gather(0, t.tensor([0]))
x.gather(0, t.tensor([[9]]))
x.gather(0, t.tensor([[-1]]))
x.gather(0, t.tensor([[0.0]]))
x.gather(1, t.tensor([[0], [0], [0], [0]]))
x.gather(0, t.tensor([[0]], dtype=t.int32))
x.gather(2, t.tensor([[[3, 0], [1, 1]]]))
x.scatter_add(0, t.tensor([[0, 1, 1]]), x[:1] * 2)
x.scatter_add(1, t.tensor([[0, 0, 1], [2, 1, 0]]), x[:2])
t.scatter_add(x, 0, t.tensor([0, 0, 1]), x)
x.scatter_add(0, t.tensor([[0, 9, 0]]), x)
x.scatter_add(0, t.tensor([[0, 1, 1]]), x[:1].float())
x.scatter_add(0, t.tensor([[0, 1]]), x[:, :1])
x.index_add(0, t.tensor([0, 0]), x[:2])
t.index_add(x, 1, t.tensor([2, 0, 2]), x, alpha=2)
x.index_add(0, t.tensor([0, 0]), x[:1])
x.index_put((t.tensor([0, 1]),), x[:1].clone())
x.index_put((t.tensor([0, 0]),), x[:1], accumulate=True)
t.index_put(x, (t.tensor([0, 1]), t.tensor([1, 0])), t.tensor([5.0, 6.0], dtype=t.float64))
x.index_put((t.tensor([True, False]),), t.tensor(7.0, dtype=t.float64))
x.index_put((t.tensor([0]),), t.tensor(1))
x.index_put([t.tensor([0])], t.tensor([1.0, 2.0], dtype=t.float64))
x.index_put((t.tensor([0]), t.tensor([0]), t.tensor([0]), t.tensor([0])), t.tensor(1.0, dtype=t.float64))
x.masked_select(x > 0)
t.masked_select(x, t.tensor([True, False, True]))
x.masked_select(t.tensor([1, 0, 1]))
x.masked_select(t.tensor(True))
x.masked_select(t.tensor([True, False]))
x.masked_fill(x > 0, 0)
x.masked_fill(x > 0, -1.5)
t.masked_fill(x, t.tensor([True, False, True]), float("-inf"))
x.masked_fill(t.tensor([1, 0, 1]), 0)
x.masked_fill(x > 0, t.ones(2, dtype=t.float64))
x.masked_fill(t.ones(2, 1, 3, dtype=t.bool), 0)
x.take_along_dim(t.tensor([[0], [1]]), 1)
t.take_along_dim(x, t.tensor([[0, 2, 2]]), dim=0)
x.take_along_dim(t.tensor([[0, 2], [1, 1]]))
x.take_along_dim(t.tensor([0]), 0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_names_and_derivatives(expression):
    function = eval(f"lambda t, x: {expression}")
    for seed, shape in enumerate(SHAPES):
        assert_same(torch, function, draw(seed, shape))


@pytest.mark.parametrize("expression", [e for e in EXPRESSIONS if "[[0, 2], [1, 1]]" not in e])
def test_of_a_strided_operand(expression):
    function = eval(f"lambda t, x: {expression}")
    assert_same(torch, lambda t, x: function(t, x.t()[::2]), draw(1, (3, 4)), names=False)


@pytest.mark.parametrize("expression", ["x.masked_fill(x > 0, 1.7)", "x.masked_fill(x > 0, True)", "x.index_select(0, t.tensor([1]))", "x.gather(0, t.tensor([[1, 0, 1]]))",
                                        "x.masked_select(x > 0)", "x.masked_fill(x > 0, t.tensor(2.5))", "x.masked_fill(x > 0, float('nan'))"])  # fmt: skip
@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_other_dtypes(expression, dtype):
    assert_same(torch, eval(f"lambda t, x: {expression}"), draw(1, (2, 3), dtype), orders=0)


def test_the_value_of_masked_fill_gets_the_sum_of_the_masked_gradients():
    assert_same(
        torch,
        lambda t, x, v: x.masked_fill(t.tensor([True, False, True]), v),
        draw(1, (2, 3)),
        draw(2, ()),
        names=False,
    )


@pytest.mark.parametrize("write", ["y.index_add_(0, t.tensor([0, 0]), x[:2])", "y.scatter_add_(0, t.tensor([[0, 1, 1]]), x[:1])", "y.masked_fill_(x > 0, 3.0)",
                                   "y.index_put_((t.tensor([1]),), x[:1])"])  # fmt: skip
def test_in_place(write):
    scope = {}
    exec(f"def run(t, x):\n    y = x * 1\n    {write}\n    return y", scope)
    assert_same(torch, scope["run"], draw(1, (2, 3)))


def test_index_add_outside_the_axis():
    assert_same(torch, lambda t, x: x.index_add(0, t.tensor([9, 0]), x[:2]), draw(1, (2, 3)))
