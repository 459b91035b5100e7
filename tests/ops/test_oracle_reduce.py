"""Folds over axes, softmax and cumsum against torch 2.13: values, dtypes, derivatives, grad_fn names and error classes."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import assert_same, draw

torch = pytest.importorskip("torch")


inf, nan = float("inf"), float("nan")
WHOLE = {
    name: (lambda t, x, name=name: getattr(t, name)(x)) for name in ("sum", "mean", "prod", "max", "min", "var", "std", "norm", "any", "all", "argmax", "argmin", "amax", "amin")
} | {
    "sum method": lambda t, x: x.sum(), "var biased": lambda t, x: x.var(unbiased=False), "std biased": lambda t, x: t.std(x, False), "std correction": lambda t, x: x.std(correction=0),
    "norm 1": lambda t, x: x.norm(p=1), "norm inf": lambda t, x: x.norm(inf), "norm -inf": lambda t, x: t.norm(x, p=-inf), "norm 3": lambda t, x: x.norm(3),
    "norm 1.5": lambda t, x: x.norm(1.5), "norm 0": lambda t, x: x.norm(p=0).detach(), "norm fro": lambda t, x: t.norm(x, "fro"),
    "sum in double": lambda t, x: x.sum(dtype=t.float64), "sum in int32": lambda t, x: x.detach().sum(dtype=t.int32), "mean in double": lambda t, x: x.mean(dtype=t.float64),
    "prod in double": lambda t, x: t.prod(x, dtype=t.float64), "sum keepdim": lambda t, x: x.sum(dim=None, keepdim=True), "argmax keepdim": lambda t, x: x.argmax(keepdim=True),
}  # fmt: skip
ALONG = {
    name: (lambda t, x, d, k, name=name: getattr(t, name)(x, d, k))
    for name in ("sum", "mean", "prod", "any", "all", "amax", "amin", "max", "min", "argmax", "argmin", "logsumexp")
} | {
    "var": lambda t, x, d, k: x.var(d, keepdim=k), "var biased": lambda t, x, d, k: t.var(x, d, False, k), "std": lambda t, x, d, k: t.std(x, dim=d, keepdim=k),
    "std correction": lambda t, x, d, k: x.std(d, correction=0, keepdim=k), "norm": lambda t, x, d, k: x.norm(2, d, k), "norm 1": lambda t, x, d, k: t.norm(x, p=1, dim=d, keepdim=k),
    "norm inf": lambda t, x, d, k: x.norm(p=inf, dim=d, keepdim=k), "max keywords": lambda t, x, d, k: t.max(x, dim=d, keepdim=k), "sum method": lambda t, x, d, k: x.sum(dim=d, keepdim=k),
    "cumsum": lambda t, x, d, k: t.cumsum(x, d), "cumsum method": lambda t, x, d, k: x.cumsum(dim=d), "softmax": lambda t, x, d, k: t.softmax(x, d),
    "softmax method": lambda t, x, d, k: x.softmax(-1 if k else d), "log_softmax": lambda t, x, d, k: t.log_softmax(x, dim=d), "softmax in double": lambda t, x, d, k: x.softmax(d, dtype=t.float64),
    "functional": lambda t, x, d, k: t.nn.functional.log_softmax(x, d) + t.nn.functional.softmax(x, dim=d),
}  # fmt: skip
TUPLES = ("sum", "mean", "amax", "amin", "logsumexp", "var", "std", "norm", "norm 1", "norm inf", "any", "all")


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("name", WHOLE)
def test_over_all_axes(name, dtype):
    orders = 2 if dtype == "float64" else 1 if dtype == "float32" else 0
    for seed, shape in enumerate([(), (1,), (5,), (2, 3), (2, 3, 4)]):
        if name in ("var", "std", "std correction", "var biased", "std biased") and seed < 2:
            continue  # no degrees of freedom: torch warns; see below
        assert_same(torch, WHOLE[name], draw(seed, shape, dtype), orders=orders)


@pytest.mark.parametrize("name", [n for n in WHOLE if not n.startswith(("var", "std"))])
def test_over_nothing(name):
    for shape in [(0,), (2, 0)]:
        assert_same(torch, WHOLE[name], np.empty(shape), orders=1)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1, -3])
@pytest.mark.parametrize("name", ALONG)
def test_along_one_axis(name, dim, keepdim):
    assert_same(torch, lambda t, x: ALONG[name](t, x, dim, keepdim), draw(dim + 5, (2, 3, 4)))


@pytest.mark.parametrize("name", [n for n in ALONG if not n.startswith(("var", "std"))])
def test_along_the_axis_of_a_0d_tensor(name):
    for dim in (0, -1):
        # torch shows the name of the form with axes for sum(0) of a number; here that is the same as sum()
        assert_same(
            torch,
            lambda t, x, dim=dim: ALONG[name](t, x, dim, False),
            draw(1, ()),
            orders=1,
            names=name not in ("sum", "sum method", "mean", "prod"),
        )


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [(0,), (0, 2), (-1, 0), [1, 2], (0, 1, 2), ()], ids=str)
@pytest.mark.parametrize("name", TUPLES)
def test_along_several_axes(name, dim, keepdim):
    if not dim and name in ("any", "all", "logsumexp"):
        return  # torch reduces nothing for any and all, and fails for logsumexp
    orders = (
        0 if not dim and name in ("var", "std") else 2
    )  # torch's derivative for dim=() counts no elements and is infinite
    assert_same(torch, lambda t, x: ALONG[name](t, x, dim, keepdim), draw(2, (2, 3, 2)), names=bool(dim), orders=orders)


@pytest.mark.parametrize("name", [n for n in ALONG if not n.startswith(("var", "std"))])
def test_along_axes_next_to_or_of_size_zero(name):
    for shape, dim in [((2, 0, 3), 0), ((2, 0, 3), 1), ((0,), 0), ((0, 3), -1)]:
        assert_same(torch, lambda t, x, dim=dim: ALONG[name](t, x, dim, False), np.empty(shape), orders=1)


@pytest.mark.parametrize("dtype", ["float32", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("name", ALONG)
def test_dtypes_along_an_axis(name, dtype):
    assert_same(
        torch,
        lambda t, x: ALONG[name](t, x, 1, False),
        draw(1, (2, 3, 4), dtype),
        orders=1 if dtype == "float32" else 0,
    )


@pytest.mark.parametrize("name", ALONG)
def test_along_an_axis_of_a_strided_operand(name):
    assert_same(torch, lambda t, x: ALONG[name](t, x.t()[::2], 1, False), draw(1, (4, 6)))


@pytest.mark.parametrize("dim", [3, -4, (0, 0), (0, -3), (0, 5), 1.5, "a"], ids=str)
@pytest.mark.parametrize("name", ALONG)
def test_axes_that_are_not_there_raise_torchs_class(name, dim):
    if name in ("softmax method", "functional"):
        return
    assert_same(torch, lambda t, x: ALONG[name](t, x, dim, False), draw(1, (2, 3, 4)), orders=0)


TIES = [
    np.array([1.0, 2.0, 2.0]),
    np.array([0.0, 0.0]),
    np.array([-3.0, 3.0, 1.0]),
    np.array([nan, 1.0, nan]),
    np.array([inf, -inf, 1.0]),
    np.array([[1.0, 1.0], [1.0, 0.0]]),
]


@pytest.mark.parametrize(
    "name",
    [
        "amax",
        "amin",
        "max",
        "min",
        "norm",
        "norm 1",
        "norm inf",
        "norm -inf",
        "norm 3",
        "norm 1.5",
        "std",
        "var",
        "prod",
    ],
)
def test_derivatives_at_ties_zeros_and_nan(name):
    for x in TIES[: 3 if name == "prod" else None]:  # torch's prod divides, so that an infinity or nan spreads further
        assert_same(torch, WHOLE[name], x, orders=1)


@pytest.mark.parametrize(
    "name", ["amax", "amin", "max", "min", "norm", "std", "prod", "logsumexp", "softmax", "log_softmax", "cumsum"]
)
def test_derivatives_at_ties_along_an_axis(name):
    for x in TIES[: 3 if name == "prod" else None]:
        assert_same(torch, lambda t, x: ALONG[name](t, x, 0, False), x, orders=1)


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 2, 4), (0, 1, 2, 3, 4)], ids=str)
@pytest.mark.parametrize("form", ["whole", "axis 0", "axis 1"])
def test_prod_with_zeros_to_second_order(form, zeros):
    x = draw(1, (5, 2), low=0.5)
    for place in zeros:
        x[place, place % 2] = 0.0
    function = {
        "whole": lambda t, x: x.prod(),
        "axis 0": lambda t, x: x.prod(0),
        "axis 1": lambda t, x: t.prod(x, 1, keepdim=True),
    }[form]
    assert_same(torch, function, x)


def test_prod_to_third_order_with_a_zero():
    x = np.array([0.0, 2.0, 3.0, 0.0, 5.0, -1.0, 0.5])
    assert_same(torch, lambda t, x: x.prod(), x, orders=3)


EXTREME = [np.array([[-inf, 0.0, 1.0]]), np.array([[-inf, -inf]]), np.array([[inf, 1.0]]), np.array([[1000.0, 1001.0]]), np.array([[-1000.0, -1001.0]]), np.array([[nan, 1.0]]),
           np.array([[1e300, -1e300]]), np.array([[inf, -inf, inf]])]  # fmt: skip


@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_softmax_and_logsumexp_of_extreme_values(name):
    for x in EXTREME:
        alone = name == "logsumexp" and np.isneginf(x).all()  # its derivative is 0 here, nan in torch
        assert_same(torch, lambda t, x: ALONG[name](t, x, 1, False), x, orders=0 if alone else 1)


def test_logsumexp_of_minus_infinity_alone_has_derivative_zero():
    x = tg.tensor([[-inf, -inf], [0.0, 0.0]], requires_grad=True)
    x.logsumexp(1).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0], [0.5, 0.5]]


@pytest.mark.filterwarnings("ignore:.*degrees of freedom.*:UserWarning")
@pytest.mark.parametrize("name", ["var", "std", "std correction", "var biased"])
def test_no_degrees_of_freedom_give_nan(name):
    for x in (np.empty(0), np.array([3.0]), np.array(3.0)):
        assert_same(torch, WHOLE[name], x, orders=1)


@pytest.mark.parametrize("name", ["max", "min"])
def test_the_result_of_max_along_an_axis_prints_as_torchs(name):
    ours, theirs = (getattr(t.tensor([[1.0, 3.0], [4.0, 2.0]]), name)(1) for t in (tg, torch))
    assert repr(ours) == repr(theirs)
    assert isinstance(ours, tuple)
    assert ours.values.tolist() == theirs.values.tolist()
    assert ours.indices.tolist() == theirs.indices.tolist()


MISTAKES = {
    "mean of ints": lambda t, x: x.long().mean(), "var of ints": lambda t, x: x.long().var(), "norm of ints": lambda t, x: x.long().norm(),
    "softmax of ints": lambda t, x: x.long().softmax(0), "argmax of bools": lambda t, x: (x > 0).argmax(), "prod over two axes": lambda t, x: x.prod((0, 1)),
    "max over a float": lambda t, x: x.max(1.5), "max over a tuple": lambda t, x: t.max(x, (0,)), "unknown norm": lambda t, x: x.norm(p="foo"),
    "softmax without dim": lambda t, x: t.softmax(x), "cumsum without dim": lambda t, x: t.cumsum(x), "sum of a number": lambda t, x: t.sum(5),
    "maximum with a number": lambda t, x: t.maximum(x, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_raise_torchs_class(name):
    assert_same(torch, MISTAKES[name], draw(1, (2, 3)), orders=0)
