"""float16 and bfloat16 beside torch: what programs print, error classes, and values and gradients to about a unit in the last place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tracegrad as tg
from tests.eager.snippets import printed

torch = pytest.importorskip("torch")

PROGRAMS = Path(__file__).with_name("half_snippets.txt").read_text().split("---\n")
NAMES = pytest.mark.parametrize("name", ["bfloat16", "float16"])
EPS = {"bfloat16": 2.0**-7, "float16": 2.0**-10}
UNARY = (
    "exp log sin cos tan tanh sigmoid sqrt rsqrt reciprocal abs neg erf erfc expm1 log1p square atan asinh lgamma digamma floor ceil round trunc sign "
    "relu nn.functional.gelu nn.functional.silu nn.functional.softplus nn.functional.elu nn.functional.mish nn.functional.hardswish log2 exp2 logit "
    "nn.functional.logsigmoid special.i0 frac"
).split()
FOLDS = {
    "sum": lambda t, x: x.sum(0),
    "mean": lambda t, x: x.mean(1),
    "var": lambda t, x: x.var(1),
    "std": lambda t, x: x.std(0),
    "norm": lambda t, x: x.norm(dim=1),
    "softmax": lambda t, x: x.softmax(1),
    "cumsum": lambda t, x: x.cumsum(1),
    "amax": lambda t, x: x.amax(1),
    "logsumexp": lambda t, x: x.logsumexp(1),
    "matmul": lambda t, x: x @ x.t(),
    "layer_norm": lambda t, x: t.nn.functional.layer_norm(x, (40,)),
    "conv1d": lambda t, x: t.nn.functional.conv1d(x.reshape(5, 20, 10), x.reshape(10, 20, 5)),
    "avg_pool1d": lambda t, x: t.nn.functional.avg_pool1d(x, 4),
    "mse": lambda t, x: t.nn.functional.mse_loss(x, x * 0.5),
    "add_alpha": lambda t, x: t.add(x, x.flip(0), alpha=0.3),
    "hypot": lambda t, x: t.hypot(x, x.flip(0)),
    "pow": lambda t, x: x ** x.flip(0),
    "attention": lambda t, x: t.nn.functional.scaled_dot_product_attention(*[x.reshape(5, 5, 40)] * 3),
}


@pytest.fixture(autouse=True)
def default_dtypes():
    yield
    for library in (tg, torch):
        library.set_default_dtype(library.float32)


@NAMES
@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_in_half_precision_prints_what_torch_prints(program, name):
    text = program.replace("DT", f"torch.{name}")
    assert printed(text, tg) == printed(text, torch)


def pair(name, low=0.1, high=1.9):
    """The same values in both libraries."""
    values = np.random.default_rng(0).uniform(low, high, (25, 40)).astype(np.float32)
    theirs = torch.tensor(values).to(getattr(torch, name)).requires_grad_()
    return theirs, tg.tensor(values).to(getattr(tg, name)).requires_grad_()


def assert_near(found, wanted, name, units, exact=None):
    """Within `units` of torch's value, or as near as that one to the exact value."""
    assert str(found.dtype) == str(wanted.dtype)
    got, want = found.detach().double().numpy(), wanted.detach().double().numpy()
    assert got.shape == want.shape
    tolerance = units * EPS[name] * np.maximum(np.abs(want), np.abs(want).max() * 2.0**-6) + 1e-30
    best = want if exact is None else exact.detach().numpy()
    ours, theirs = np.abs(got - best) / tolerance, np.abs(want - best) / tolerance
    assert (np.abs(got - want) <= tolerance).all() or ours.max() <= 1.05 * theirs.max()


def check(function, name, units):
    """Value and gradient."""
    theirs, ours = pair(name)
    double = theirs.detach().double().requires_grad_()
    wanted, found, exact = function(torch, theirs), function(tg, ours), function(torch, double)
    assert_near(found, wanted, name, units, exact)
    g = np.random.default_rng(1).uniform(0.5, 1.0, tuple(wanted.shape)).astype(np.float32)
    wanted.backward(torch.tensor(g).to(wanted.dtype))
    found.backward(tg.tensor(g).to(found.dtype))
    exact.backward(torch.tensor(g).to(wanted.dtype).double())
    assert_near(ours.grad, theirs.grad, name, 2 * units, double.grad)


@NAMES
@pytest.mark.parametrize("function", UNARY)
def test_a_function_of_one_value_is_within_a_unit(function, name):
    def call(t, x):
        for part in function.split("."):
            t = getattr(t, part)
        return t(x * 0.5) if function in ("logit", "tan") else t(x)

    check(call, name, 1)


@NAMES
@pytest.mark.parametrize("function", FOLDS)
def test_folds_and_products_are_within_a_unit(function, name):
    check(FOLDS[function], name, 1.5)


@NAMES
@pytest.mark.parametrize("number", [0.3, 3, 1.1, -2.7])
@pytest.mark.parametrize(
    "sign", ["x + n", "x - n", "n - x", "x * n", "x / n", "x // n", "x % n", "x > n", "x == n", "x.fmod(n)"]
)
def test_arithmetic_with_numbers_has_torchs_bits(sign, number, name):
    theirs, ours = pair(name)
    wanted, found = (eval(sign, {"x": x.detach(), "n": number}) for x in (theirs, ours))
    assert found.tolist() == wanted.tolist()


@NAMES
@pytest.mark.parametrize("sign", ["x + y", "x - y", "x * y", "x / y", "x < y", "x.maximum(y)", "x @ y.t()"])
def test_arithmetic_of_two_values_has_torchs_bits(sign, name):
    found, wanted = (eval(sign, {"x": x.detach(), "y": x.detach().flip(0)}) for x in reversed(pair(name)))
    if "@" in sign:
        assert_near(found, wanted, name, 1)
    else:
        assert found.tolist() == wanted.tolist()


@NAMES
def test_second_derivatives_are_near_torchs(name):
    def second(t, x):
        (g,) = t.autograd.grad((x.tanh() * x).sum(), x, create_graph=True)
        return t.autograd.grad(g.sum(), x)[0]

    theirs, ours = pair(name)
    assert_near(second(tg, ours), second(torch, theirs), name, 6)
