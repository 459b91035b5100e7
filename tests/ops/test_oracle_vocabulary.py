"""Expressions of vocabulary.txt and small programs under torch and under tracegrad: printed results, error classes, derivatives of first and second order.

In vocabulary.txt T is torch.tensor, D(*shape) fixed numbers and P(*shape) such numbers that require grad.
"""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import BUILTIN, assert_same

torch = pytest.importorskip("torch")
LINES = Path(__file__).with_name("vocabulary.txt").read_text(encoding="utf-8").splitlines()


def numbers(*shape: int, seed: int = 0, lo: float = -2, hi: float = 2) -> np.ndarray:
    """Fixed numbers of a shape."""
    return np.asarray(np.random.default_rng(seed + len(shape)).uniform(lo, hi, shape))


class Names(dict):
    """The names that an expression may use: torch's functions, Python's, and the short ones."""

    def __init__(self, t: Any) -> None:
        super().__init__(torch=t, T=t.tensor, nan=float("nan"), inf=float("inf"))
        self["D"] = lambda *shape, **given: t.tensor(numbers(*shape, **given))
        self["P"] = lambda *shape, **given: t.tensor(numbers(*shape, **given), requires_grad=True)
        self.t = t

    def __missing__(self, name: str) -> Any:
        return getattr(self.t, name) if hasattr(self.t, name) else getattr(builtins, name)


def printed(t: Any, line: str) -> Any:
    """What the expression prints, or the built-in class of its error."""
    try:
        return repr(eval(line, {}, Names(t)))
    except Exception as error:
        return next((c for c in BUILTIN if isinstance(error, c)), type(error))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("line", LINES)
def test_an_expression_prints_what_torch_prints(line):
    assert printed(tg, line) == printed(torch, line)


SHAPES = [(5,), (3, 4), (2, 3, 2), (), (0, 3), (1,)]
ALONG = [(shape, dim) for shape in SHAPES for dim in (range(-len(shape), len(shape)) if shape else (0, -1))]
TIES = np.array([[1.0, 1, 2, 2], [3, 3, 3, 3]])
MISSING = np.array([[1.0, np.nan, 3, 2], [4, 4.5, np.nan, np.nan]])


@pytest.mark.parametrize("name", ["sort", "cummax", "cummin", "cumprod", "logcumsumexp"])
@pytest.mark.parametrize(("shape", "dim"), ALONG)
def test_functions_along_an_axis_and_their_derivatives(name, shape, dim):
    assert_same(torch, lambda t, x: getattr(t, name)(x, dim), numbers(*shape))


@pytest.mark.parametrize("name", ["median", "nanmedian", "mode"])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("shape", "dim"), [case for case in ALONG if 0 not in case[0]])
def test_choices_along_an_axis_and_their_derivatives(name, keepdim, shape, dim):
    assert_same(torch, lambda t, x: getattr(t, name)(x, dim, keepdim), numbers(*shape))


@pytest.mark.parametrize("name", ["sort", "cummax", "cummin", "median", "mode"])
def test_equal_elements_are_chosen_as_torch_chooses(name):
    assert_same(torch, lambda t, x: getattr(t, name)(x, 1), TIES)


@pytest.mark.parametrize("name", ["sort", "cummax", "cummin", "median", "nanmedian"])
def test_nan_stand_where_torch_has_them(name):
    assert_same(torch, lambda t, x: getattr(t, name)(x, 1), MISSING)


@pytest.mark.parametrize("values", [[2.0, 0, 3, 0, 5], [2.0, 0, 3, 1, 5], [0.0, 0, 0, 0]])
def test_cumprod_has_right_derivatives_at_zeros(values):
    assert_same(torch, lambda t, x: t.cumprod(x, 0), np.array(values))


def test_logcumsumexp_has_a_finite_derivative_after_minus_infinity():
    x = tg.tensor([-np.inf, -np.inf, 1.0, 2.0], requires_grad=True)
    (slope,) = tg.autograd.grad(tg.logcumsumexp(x, 0)[2:].sum(), x)
    np.testing.assert_allclose(slope.numpy(), [0, 0, 1 + 1 / (1 + np.e), 1 / (1 + np.exp(-1))], rtol=1e-6)


@pytest.mark.parametrize("dim", [None, 0, 1])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("q", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles_and_their_derivatives(name, q, keepdim, dim):
    assert_same(torch, lambda t, x: getattr(t, name)(x, q, dim, keepdim), numbers(3, 4))
    assert_same(torch, lambda t, x: getattr(t, name)(x, q, dim, keepdim), MISSING)


@pytest.mark.parametrize("way", ["lower", "higher", "midpoint", "nearest"])
def test_quantiles_between_elements(way):
    assert_same(torch, lambda t, x: t.quantile(x, 0.4, 1, interpolation=way), numbers(3, 4))


FOLDS = [(fold, own) for fold in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)]


@pytest.mark.parametrize(("fold", "own"), FOLDS)
def test_scatters_that_fold_and_their_derivatives(fold, own):
    def program(t, x, y):
        return t.scatter_reduce(x, 0, t.tensor([[0, 1, 2], [3, 0, 1], [0, 0, 0]]), y, fold, include_self=own)

    assert_same(torch, program, numbers(4, 3), numbers(3, 3, seed=9))


@pytest.mark.parametrize("own", [True, False])
def test_products_in_a_scatter_have_right_derivatives_at_zeros(own):
    def program(t, x, y):
        return t.scatter_reduce(x, 0, t.tensor([0, 0, 1, 1, 1]), y, "prod", include_self=own)

    assert_same(torch, program, np.array([0.0, 2, 2, 1]), np.array([1.0, 0, 0, 2, 0.5]), orders=1)


@pytest.mark.parametrize(("fold", "own"), FOLDS[2:])
def test_index_reduce_and_its_derivatives(fold, own):
    def program(t, x, y):
        return t.index_reduce(x, 1, t.tensor([0, 2, 0]), y, fold, include_self=own)

    assert_same(torch, program, numbers(4, 3), numbers(4, 3, seed=9))


ONE = {
    "roll": (lambda t, x: x.roll((1, 2), (0, 1)), (2, 3)),
    "roll flat": (lambda t, x: x.roll(1), (2, 3)),
    "rot90": (lambda t, x: t.rot90(x, 3), (2, 3)),
    "diff": (lambda t, x: t.diff(x, 2), (2, 4)),
    "diag of a vector": (lambda t, x: t.diag(x, 1), (3,)),
    "diag of a matrix": (lambda t, x: t.diag(x, 1), (3, 3)),
    "diag_embed": (lambda t, x: t.diag_embed(x, -1, 0, 2), (2, 2)),
    "repeat_interleave": (lambda t, x: t.repeat_interleave(x, t.tensor([1, 0, 2]), 1), (2, 3)),
    "take": (lambda t, x: t.take(x, t.tensor([[0, -1], [2, 2]])), (2, 3)),
    "renorm": (lambda t, x: t.renorm(x, 1.5, 1, 0.5), (2, 3)),
    "cov": (lambda t, x: t.cov(x, fweights=t.tensor([1, 2, 1, 1, 3])), (3, 5)),
    "corrcoef": (lambda t, x: t.corrcoef(x), (3, 5)),
    "aminmax": (lambda t, x: t.aminmax(x, dim=1), (3, 4)),
    "var_mean": (lambda t, x: t.var_mean(x, 1), (3, 4)),
    "std_mean": (lambda t, x: t.std_mean(x), (3, 4)),
    "nansum": (lambda t, x: t.nansum(x, 1), (3, 4)),
    "nanmean": (lambda t, x: t.nanmean(x, 0), (3, 4)),
    "trapezoid": (lambda t, x: t.trapezoid(x, dx=2.5, dim=0), (3, 4)),
    "cumulative_trapezoid": (lambda t, x: t.cumulative_trapezoid(x, x[0]), (3, 4)),
    "gradient": (lambda t, x: t.gradient(x, spacing=0.5, edge_order=2), (4, 5)),
    "combinations": (lambda t, x: t.combinations(x, 2), (4,)),
    "topk": (lambda t, x: t.topk(x, 2, 0, largest=False), (4, 3)),
    "kthvalue": (lambda t, x: t.kthvalue(x, 2, 0, True), (4, 3)),
    "frexp": (lambda t, x: t.frexp(x), (2, 3)),
    "erfc": (lambda t, x: t.erfc(x), (2, 3)),
    "i0": (lambda t, x: t.i0(x) + t.special.i0e(x) + t.special.i1(x) + t.special.i1e(x), (2, 3)),
    "log_ndtr": (lambda t, x: t.special.log_ndtr(x) + t.special.ndtr(x), (2, 3)),
    "erfcx": (lambda t, x: t.special.erfcx(x), (2, 3)),
    "sinc": (lambda t, x: t.sinc(x), (2, 3)),
}


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one_value_and_their_derivatives(name):
    function, shape = ONE[name]
    assert_same(torch, function, numbers(*shape))


TWO = np.array([1.0, 2, 3, -1]), np.array([2.0, 2, -1, -1])


@pytest.mark.parametrize("name", ["fmax", "fmin", "logaddexp", "logaddexp2", "copysign", "ldexp"])
def test_functions_of_two_values_and_their_derivatives(name):
    assert_same(torch, lambda t, x, y: getattr(t, name)(x, y), *TWO)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, np.inf])
def test_distances_and_their_derivatives(p):
    assert_same(torch, lambda t, x, y: t.dist(x, y, p), numbers(3, 4), numbers(4))
    assert_same(torch, lambda t, x, y: t.cdist(x, y, p), numbers(3, 4), numbers(2, 4), orders=1)


def test_xlogy_has_torchs_derivative_at_zero():
    assert_same(torch, lambda t, x, y: t.xlogy(x, y), np.array([0.0, 0, 1, 2]), np.array([1.0, 2, 3, 0.5]))


@pytest.mark.parametrize("order", [0, 1, 2])
def test_polygamma_is_the_derivative_of_the_order_before(order):
    """torch computes the first one to nine digits only, so that SciPy is the reference."""
    special = pytest.importorskip("scipy.special")
    x = tg.tensor([0.3, 1.0, 2.5], dtype=tg.float64, requires_grad=True)
    (slope,) = tg.autograd.grad(tg.polygamma(order, x).sum(), x)
    np.testing.assert_allclose(slope.numpy(), special.polygamma(order + 1, x.detach().numpy()), rtol=1e-13)


def test_every_derivative_of_sinc_is_right_at_zero():
    x = tg.tensor([0.0, 1e-4], dtype=tg.float64, requires_grad=True)
    (first,) = tg.autograd.grad(tg.sinc(x).sum(), x, create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), x)
    np.testing.assert_allclose(second.numpy(), -(np.pi**2) / 3, rtol=1e-6)


def test_draws_follow_their_weights():
    tg.manual_seed(0)
    weights = tg.tensor([0.1, 0.2, 0.7])
    drawn = tg.multinomial(weights, 20000, replacement=True)
    np.testing.assert_allclose(tg.bincount(drawn, minlength=3).numpy() / 20000, weights.numpy(), atol=0.02)
    both = tg.multinomial(tg.tensor([1.0, 0, 3.0]), 2)
    assert sorted(both.tolist()) == [0, 2]
