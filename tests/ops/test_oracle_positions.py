"""Positions, joins and differences in the cases at the edge of what torch takes: odd dtypes of positions, no elements, no axes, no tensors."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*(deprecated|is in beta):UserWarning")

import tracegrad as tg  # noqa: E402
from tests.ops.oracle import assert_same, draw  # noqa: E402

POSITIONS = """
t.gather(x, 0, i2)
t.scatter(x, 0, i2, s)
t.scatter(x, 0, i2, 2.5)
t.scatter(x, 0, i2, s, reduce="multiply")
t.scatter(x, 0, i2, s, reduce="add")
t.scatter(x, 0, i2, 2.0, reduce="multiply")
t.scatter_add(x, 0, i2, s)
t.scatter_reduce(x, 0, i2, s, "sum")
t.index_add(x, 0, i1, s)
t.index_copy(x, 0, i1, s)
t.index_fill(x, 0, i1, 2.0)
t.index_select(x, 0, i1)
t.index_reduce(x, 0, i1, s, "mean")
t.take(x, i1)
t.put(x, i1, s[:, 0])
t.take_along_dim(x, i2, 0)
t.index_put(x, (i1,), s[0, 0] if len(i1) else t.tensor(1.0, dtype=t.float64))
x[i1]
x[:2][i2]
t.repeat_interleave(x[: len(i1)], i1, 0)
""".strip().splitlines()


@pytest.mark.parametrize("count", [2, 0])
@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "uint8", "bool", "float32"])
@pytest.mark.parametrize("expression", POSITIONS)
def test_the_dtypes_of_positions(expression, dtype, count):
    if count == 0 and "repeat" in expression:
        pytest.skip("torch's answer has no elements to repeat")
    code = compile(expression, "<expression>", "eval")

    def run(t, x, s):
        d = getattr(t, dtype)
        i2, i1 = t.tensor([[0, 1], [1, 0]]).to(d)[:count], t.tensor([0, 1]).to(d)[:count]
        return eval(code, {"t": t, "x": x, "s": s[:count], "i1": i1, "i2": i2})

    assert_same(torch, run, draw(0, (3, 2)), draw(1, (2, 2)), orders=0)


CASES = """
t.gather(x[0], 0, t.zeros(2, 0, dtype=t.uint8))
t.gather(x, 1, t.zeros(0, 7, dtype=t.int64))
t.scatter(x.sum(), 0, t.tensor(0), 2.5)
t.scatter(x.sum(), 0, t.tensor([0]), x[0, :1])
t.scatter(x.sum(), 0, t.tensor(1), 2.5)
t.scatter(x, 0, t.zeros(0, 3, dtype=t.int64), 2.0)
t.scatter(x, 0, t.tensor([[0]]), x, reduce="sum")
x.index_fill(0, t.tensor([1, 1]), x.sum())
x.index_fill(-1, t.tensor([0, 2, 0]), x[0, 0] * 2)
x.sum().index_fill(0, t.tensor([0]), x[0, 0])
x.index_copy(0, t.tensor([-1]), x[:1])
x.sum().index_add(0, t.tensor([0]), x[0, 0], alpha=2)
x.sum().index_add(0, t.tensor([0]), x[0, :1])
x.sum().index_add(0, t.tensor([0, 0]), x[0, :2])
x.index_add(0, t.tensor([0, 0]), x[:2], alpha=2.5)
t.diff(x, n=0, prepend=x, append=x)
t.gradient(x, spacing=None, dim=None)
t.gradient(x, spacing=0.5, edge_order=1)
t.gradient(x[:, :3], spacing=2, dim=1, edge_order=2)
t.gradient(x, spacing=t.tensor(2.0))
t.gradient(x, spacing=[t.arange(2.0), t.arange(3.0) * 2])
t.gradient(x, spacing=[t.arange(6.0).reshape(2, 3)], dim=1)
t.gradient(x, dim=[1, 1])
t.gradient(x, spacing=[2.0])
t.gradient(x > 0)
t.gradient(t.arange(3, dtype=t.uint8))
t.roll(x.sum(), 0, 0)
t.roll(x.sum(), 1)
t.hstack([])
t.vstack([])
t.dstack([])
t.column_stack([])
t.column_stack([x, x[:, 0].float()])
t.dstack([x, x.float()])
t.row_stack([])
t.unravel_index(t.tensor([3, 4], dtype=t.int32), (3, 3))
t.unravel_index(t.tensor([3, 4], dtype=t.uint8), (3, 3))
t.unravel_index(t.tensor([-1, 10]), (3, 3))
t.unravel_index(t.tensor([2]), (3, -1))
t.unravel_index(t.tensor([], dtype=t.int64), (3, 0))
t.unravel_index(t.tensor([2]), (3.0, 2))
t.searchsorted(t.zeros(0, 0), t.zeros(0, 0), sorter=t.zeros(0, 0, dtype=t.int64))
t.searchsorted(t.zeros(2, 0), t.ones(2, 3))
t.searchsorted(t.zeros(2, 3), t.ones(2, 0), out_int32=True)
t.tensor([1, 2]).masked_fill(t.tensor(True), t.tensor(1j))
t.tensor([1, 2], dtype=t.uint8).masked_fill(t.tensor(True), t.tensor(300))
t.tensor([1, 2]).masked_fill(t.tensor(True), t.tensor(1.5))
t.tensor([1, 2], dtype=t.float32).masked_fill(t.tensor(True), t.tensor(1e60, dtype=t.float64))
""".strip().splitlines()


@pytest.mark.parametrize("expression", CASES)
def test_values_and_derivatives_at_the_edge(expression):
    assert_same(torch, eval(f"lambda t, x: {expression}"), draw(1, (2, 3)), names=False)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32", "complex64"])
@pytest.mark.parametrize("reduce", ["add", "multiply"])
def test_scatter_folds_every_dtype(reduce, dtype):
    def run(t, x, s):
        d = getattr(t, dtype)
        made = t.scatter(x.to(d), 0, t.tensor([0, 2, 0]), s.to(d), reduce=reduce)
        return t.view_as_real(made) if dtype == "complex64" else made

    assert_same(torch, run, np.array([0, 1, 2]), np.array([3, 0, 2]), orders=0)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("fold", ["sum", "prod"])
@pytest.mark.parametrize("include_self", [True, False])
def test_compiled_bools_are_folded(backend, fold, include_self):
    pytest.importorskip("jax")
    x, index = tg.tensor([True, False, True, False]), tg.tensor([0, 1, 1, 2])
    source = tg.tensor([False, True, False, True])

    def program(x, index, source):
        return x.scatter_reduce(0, index, source, fold, include_self=include_self)

    assert tg.compile(program, backend=backend)(x, index, source).tolist() == program(x, index, source).tolist()


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_products_that_hold_zeros_have_second_derivatives(seed, include_self):
    generator = np.random.default_rng(seed)
    x, source = (
        tg.tensor(generator.integers(-1, 2, n).astype(float), requires_grad=True) for n in (3, 7)
    )  # a third are 0
    index = tg.tensor(generator.integers(0, 3, 7))
    assert tg.autograd.gradgradcheck(
        lambda x, s: x.scatter_reduce(0, index, s, "prod", include_self=include_self), (x, source)
    )
