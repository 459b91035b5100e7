"""as_strided on tensors that show a part of their memory, against torch 2.13."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import tracegrad as tg  # noqa: E402
from tests.ops.oracle import BUILTIN, same_class  # noqa: E402

VIEWS = ["x.reshape(4, 5)", "x.reshape(4, 5).t()", "x.reshape(4, 5)[1:, 1:4]", "x.reshape(4, 5)[::2, ::2]", "x[3:]", "x[5:6]", "x[7]",
         "x.reshape(2, 2, 5).permute(2, 0, 1)"]  # fmt: skip
ARGUMENTS = ["(2, 2), (1, 2)", "(2, 2), (1, 2), 0", "(2, 2), (2, 1), 1", "(3,), (0,), 2", "(2, 3), (1, 1), 0", "(), ()", "(), (), 3", "(3, 3), (5, 1), 0",
             "(2, 2), (10, 10), 0", "(2, 2), (1, 2), 19", "(2,), (1,), 18", "(5, 4), (1, 5), 0", "(20,), (1,), 0"]  # fmt: skip


def compare(run):
    found = []
    for t in (torch, tg):
        try:
            found.append(run(t))
        except BUILTIN as error:
            found.append(error)
    wanted, got = found
    if isinstance(wanted, BaseException):
        assert isinstance(got, BaseException), f"torch raises {wanted}; this gave {got}"
        assert same_class(got, wanted)
    else:
        assert got == wanted


@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("view", VIEWS)
def test_a_leaf_gets_the_derivatives_of_the_elements_that_it_shows(view, arguments):
    def run(t):
        y = eval(view, {"x": t.arange(20.0, dtype=t.float64)}).detach().requires_grad_()
        out = eval(f"t.as_strided(y, {arguments})", {"t": t, "y": y})
        weights = t.arange(1.0, out.numel() + 1, dtype=t.float64).reshape(out.shape)
        (slope,) = t.autograd.grad((out**3 * weights).sum(), y, create_graph=True)
        (second,) = t.autograd.grad(slope.sum(), y)
        return out.tolist(), out.stride(), out.storage_offset(), slope.tolist(), second.tolist()

    compare(run)


@pytest.mark.parametrize("arguments", [a for a in ARGUMENTS if "(1, 1)" not in a])
@pytest.mark.parametrize("view", ["x.reshape(4, 5)", "x[3:]", "x[5:6]", "x[7]"])
def test_as_strided_scatter_counts_from_the_beginning_of_the_memory(view, arguments):
    def run(t):
        y = eval(view, {"x": t.arange(20.0, dtype=t.float64)})
        shape = eval(arguments)[0]
        part = -t.ones(shape, dtype=t.float64)
        return eval(f"t.as_strided_scatter(y, part, {arguments})", {"t": t, "y": y, "part": part}).tolist()

    compare(run)


def test_as_strided_scatter_of_strides_in_any_order_has_derivatives():
    x = tg.arange(6.0, dtype=tg.float64, requires_grad=True)
    part = tg.arange(1.0, 3.0, dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradgradcheck(
        lambda x, part: tg.as_strided_scatter(x.reshape(2, 3).t(), part, (2,), (4,), 1) ** 2, (x, part)
    )
