"""Elementwise operators against torch 2.13: values, dtypes, derivatives, grad_fn names and error classes."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.oracle import assert_same, draw

torch = pytest.importorskip("torch")


inf, nan = float("inf"), float("nan")
SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 2.5, inf, -inf, nan, 40.0, -40.0, 800.0, -800.0, 1e-12, 1e300]
)
UNARY = {
    name: (lambda t, x, name=name: getattr(t, name)(x))
    for name in ("neg", "square", "reciprocal", "abs", "sign", "exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh", "sigmoid", "sqrt", "rsqrt", "relu", "erf",
                 "floor", "ceil", "trunc", "round", "isfinite", "isnan", "isinf", "logical_not", "absolute", "negative", "fix", "bitwise_not")
} | {
    "softplus": lambda t, x: t.nn.functional.softplus(x),
    "softplus beta": lambda t, x: t.nn.functional.softplus(x, beta=0.5, threshold=3),
    "round decimals": lambda t, x: t.round(x, decimals=1),
    "round tens": lambda t, x: x.round(decimals=-1),
    "clamp": lambda t, x: t.clamp(x, -1, 1),
    "clamp min": lambda t, x: x.clamp(min=0.5),
    "clamp max": lambda t, x: x.clamp(max=0),
    "clamp crossed": lambda t, x: t.clip(x, 1.0, -1.0),
    "clamp_min": lambda t, x: t.clamp_min(x, 0),
    "clamp_max": lambda t, x: x.clamp_max(0.5),
    "pow 0": lambda t, x: x**0, "pow 1": lambda t, x: x**1, "pow 2": lambda t, x: t.pow(x, 2), "pow 3": lambda t, x: x.pow(3), "pow 2.0": lambda t, x: x**2.0,
    "pow 0.5": lambda t, x: x**0.5, "pow -1": lambda t, x: x**-1, "pow -2.0": lambda t, x: x**-2.0, "pow 5": lambda t, x: x**5, "pow 2.5": lambda t, x: x**2.5,
    "number to the power": lambda t, x: 2.0**x, "zero to the power": lambda t, x: t.pow(0.0, x), "negative to the power": lambda t, x: t.pow(-1.0, x),
    "number minus": lambda t, x: 1 - x, "number by": lambda t, x: 2 / x, "plus number": lambda t, x: x + 1.5, "times number": lambda t, x: 3 * x,
    "by number": lambda t, x: x / 3, "rsub": lambda t, x: t.rsub(x, 2, alpha=3), "add alpha": lambda t, x: t.add(x, 2, alpha=3),
    "remainder number": lambda t, x: x % 3, "fmod number": lambda t, x: t.fmod(x, 3), "div floor": lambda t, x: t.div(x, 3, rounding_mode="floor"),
    "div trunc": lambda t, x: t.div(x, 3, rounding_mode="trunc"), "eq number": lambda t, x: x == 1, "lt number": lambda t, x: x < 0.5,
    "where number": lambda t, x: t.where(x > 0, x, 0.0), "where numbers": lambda t, x: t.where(x > 0, 1.5, 0.0), "where ints": lambda t, x: t.where(x > 0, 1, 2),
}  # fmt: skip
BINARY = {
    name: (lambda t, x, y, name=name: getattr(t, name)(x, y))
    for name in ("add", "sub", "mul", "div", "pow", "rsub", "maximum", "minimum", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor",
                 "bitwise_and", "bitwise_or", "bitwise_xor", "remainder", "fmod", "multiply", "subtract", "divide", "true_divide", "not_equal", "less", "less_equal",
                 "greater", "greater_equal", "max", "min", "clamp_min", "clamp_max")
} | {
    "add alpha": lambda t, x, y: t.add(x, y, alpha=2), "sub alpha": lambda t, x, y: x.sub(y, alpha=2), "div floor": lambda t, x, y: t.div(x, y, rounding_mode="floor"),
    "div trunc": lambda t, x, y: x.div(y, rounding_mode="trunc"), "where": lambda t, x, y: t.where(x > y, x, y), "where method": lambda t, x, y: x.where(x > y, y),
    "clamp tensors": lambda t, x, y: t.clamp(x, y, -y), "clamp min tensor": lambda t, x, y: x.clamp(min=y), "clamp max tensor": lambda t, x, y: x.clamp(max=y),
    "operators": lambda t, x, y: x + y * 2 - x / 4,
}  # fmt: skip
SHAPES = [(), (0,), (2, 0), (3,), (2, 3), (2, 1, 3)]
PAIRS = [
    ((), ()),
    ((3,), ()),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((0, 3), (3,)),
    ((2, 3), (2, 3)),
    ((2,), (3,)),
]
# where torch's derivative at one of the special values is a matter of its kernels' branches
TIES = np.array([0.0, 1.0, -1.0, 2.0, nan, inf])


# square refuses bools, which torch turns into int64; torch wraps a bound that uint8 does not hold around
APART = {("square", "bool"), ("clamp", "uint8")}

FIRST_ONLY = {"zero to the power": 1}  # torch's second derivative of 0**y is nan (0 * inf), here it is 0


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("name", UNARY)
def test_unary_values_and_dtypes(name, dtype):
    if (name, dtype) in APART:
        return
    orders = FIRST_ONLY.get(name, 2) if dtype == "float64" else 1 if dtype == "float32" else 0
    for seed, shape in enumerate(SHAPES):
        assert_same(torch, UNARY[name], draw(seed, shape, dtype), orders=orders)


@pytest.mark.parametrize("name", UNARY)
def test_unary_at_special_values(name):
    assert_same(torch, UNARY[name], SPECIAL, orders=1)


@pytest.mark.parametrize("name", UNARY)
def test_unary_of_a_transposed_and_strided_operand(name):
    function = UNARY[name]
    assert_same(torch, lambda t, x: function(t, x.t()[::2]), draw(3, (4, 6)), orders=FIRST_ONLY.get(name, 2))


@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_binary_broadcasts(name, shapes):
    x, y = draw(1, shapes[0]), draw(2, shapes[1], low=0.5, high=2.0)
    if name == "pow":
        x = np.abs(x) + 0.1
    assert_same(torch, BINARY[name], x, y)


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", BINARY)
def test_binary_dtypes(name, dtype):
    x, y = draw(1, (2, 3), dtype), draw(2, (3,), dtype)
    if dtype in ("int64", "uint8") and name.split()[0] in ("div", "remainder", "fmod"):
        y = np.where(y == 0, 2, y).astype(dtype)
    assert_same(torch, BINARY[name], x, y, orders=1 if dtype == "float32" else 0)


@pytest.mark.parametrize("name", BINARY)
def test_binary_at_ties_zeros_and_infinities(name):
    x, y = (a.ravel().copy() for a in np.meshgrid(TIES, TIES))
    assert_same(torch, BINARY[name], x, y, orders=1)


@pytest.mark.parametrize("name", BINARY)
def test_binary_of_one_followed_and_one_plain_operand(name):
    y = draw(2, (3,), low=0.5, high=2.0)
    assert_same(torch, lambda t, x: BINARY[name](t, x, t.tensor(y)), draw(1, (2, 3), low=0.5, high=2.0))
    assert_same(torch, lambda t, x: BINARY[name](t, t.tensor(y), x), draw(1, (2, 3), low=0.5, high=2.0))


WHOLE = {
    "floor_divide": lambda t, x, y: t.floor_divide(x, y),
    "//": lambda t, x, y: x // y,
    "%": lambda t, x, y: x % y,
    "fmod": lambda t, x, y: t.fmod(x, y),
    "div trunc": lambda t, x, y: t.div(x, y, rounding_mode="trunc"),
    "pow": lambda t, x, y: x**y,
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_of_every_sign(name):
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-7, 8), [-3, -2, -1, 1, 2, 3]))
    assert_same(torch, WHOLE[name], x, y, orders=0)


@pytest.mark.parametrize("name", ["floor_divide", "//", "%", "fmod", "div trunc"])
def test_division_of_integers_by_zero_is_an_error(name):
    assert_same(torch, WHOLE[name], np.array([1, 2]), np.array([1, 0]), orders=0)


@pytest.mark.parametrize("name", ["floor_divide", "//", "%", "div trunc"])
def test_whole_division_of_floats_by_zero(name):
    assert_same(torch, WHOLE[name], np.array([1.0, -1.0, 0.0]), np.zeros(3), orders=0)


MISTAKES = {
    "bool minus number": (lambda t, b, f: b - 1),
    "number minus bool": (lambda t, b, f: 1.0 - b),
    "float minus bool": (lambda t, b, f: f - b),
    "float minus True": (lambda t, b, f: f - True),
    "rsub of a bool": (lambda t, b, f: t.rsub(f, b)),
    "bool minus bool": (lambda t, b, f: b - b),
    "neg bool": (lambda t, b, f: -b),
    "abs bool": (lambda t, b, f: b.abs()),
    "relu bool": (lambda t, b, f: t.relu(b)),
    "floor bool": (lambda t, b, f: t.floor(b)),
    "pow bool": (lambda t, b, f: b**b),
    "shapes": (lambda t, b, f: f + t.ones(2)),
    "string": (lambda t, b, f: t.add(f, "a")),
    "none": (lambda t, b, f: t.mul(f, None)),
    "list": (lambda t, b, f: t.sub(f, [1, 2, 3])),
    "fractional alpha": (lambda t, b, f: t.add(b.long(), b.long(), alpha=1.5)),
    "no bounds": (lambda t, b, f: t.clamp(f)),
    "mixed bounds": (lambda t, b, f: t.clamp(f, 0, f)),
    "string bound": (lambda t, b, f: t.clamp(f, "a")),
    "condition of ints": (lambda t, b, f: t.where(b.long(), f, f)),
    "rounding mode": (lambda t, b, f: t.div(f, 2, rounding_mode="up")),
    "negative power of ints": (lambda t, b, f: b.long() ** -1),
    "and of floats": (lambda t, b, f: f & f),
    "not of floats": (lambda t, b, f: ~f),
    "softplus of ints": (lambda t, b, f: t.nn.functional.softplus(b.long())),
    "decimals of ints": (lambda t, b, f: t.round(b.long(), decimals=1)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_raise_torchs_class(name):
    assert_same(torch, MISTAKES[name], np.array([True, False, True]), draw(1, (3,)), orders=0)


def test_pow_of_tensors_at_the_corner():
    x = np.array([0.0, 0.0, 0.0, -1.0, 2.0, -2.0, 0.0, 2.0, inf])
    y = np.array([0.0, 1.0, 2.0, 2.0, 0.0, -1.0, -1.0, 0.5, 0.0])
    assert_same(torch, lambda t, x, y: t.pow(x, y), x, y, orders=1)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "log1p", "expm1", "softplus"])
def test_no_digits_are_lost_far_out_and_near_zero(name):
    for x in (np.linspace(-700, 700, 57), np.linspace(-1e-8, 1e-8, 9)):
        assert_same(torch, UNARY[name], x if name != "log1p" else np.maximum(x, -0.99), orders=1)


@pytest.mark.filterwarnings("ignore:where received a uint8 condition")
def test_where_takes_a_condition_of_bytes():
    for ours, theirs in zip(
        *([t.where(t.tensor([1, 0, 3], dtype=t.uint8), t.ones(3), v) for v in (0.0, 2)] for t in (tg, torch)),
        strict=True,
    ):
        assert ours.tolist() == theirs.tolist()
