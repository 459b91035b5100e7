"""Python numbers beside tensors of other ranges, and what operators refuse with a class of this package."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.errors import DataError, DTypeError, TracegradError


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda u: u + 300, [45, 244]),
        (lambda u: u - 300, [213, 156]),
        (lambda u: u * -1, [255, 56]),
        (lambda u: 1 - u, [0, 57]),
        (lambda u: tg.where(u > 3, u, -1), [255, 200]),
    ],
)
def test_arithmetic_with_a_number_out_of_range_is_modulo_the_range(function, expected):
    u = tg.tensor([1, 200], dtype=tg.uint8)
    assert (function(u).dtype, function(u).tolist()) == (tg.uint8, expected)
    assert tg.compile(function)(u).tolist() == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda u: u < 300, [True, True]),
        (lambda u: u == -1, [False, False]),
        (lambda u: u > -1, [True, True]),
        (lambda u: u.ne(256), [True, True]),
    ],
)
def test_comparing_with_a_number_out_of_range_compares_the_values(function, expected):
    u = tg.tensor([1, 200], dtype=tg.uint8)
    assert function(u).tolist() == expected
    assert tg.compile(function)(u).tolist() == expected


@pytest.mark.parametrize("function", [lambda u: u**300, lambda u: tg.where(u > 3, u, 300)])
def test_a_number_that_must_fit_but_does_not_is_refused(function):
    with pytest.raises(DTypeError, match="without overflow"):
        function(tg.tensor([1, 200], dtype=tg.uint8))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("u.clamp(-1)", [255, 255]),
        ("u.clamp(max=-255)", [0, 1]),
        ("tg.addcmul(u, u, u, value=-1)", [0, 250]),
        ("tg.nn.functional.threshold(u, 3, -1)", [255, 255]),
        ("tg.tensor([-1, -255], dtype=tg.uint8)", [255, 1]),
        ("tg.nn.functional.pad(u, (1, 0), value=7)", [7, 0, 3]),
    ],
)
def test_whole_negative_numbers_wrap_round_in_uint8(call, expected):
    assert eval(call, {"tg": tg, "u": tg.tensor([0, 3], dtype=tg.uint8)}).tolist() == expected


@pytest.mark.parametrize(
    "call",
    [
        "u.clamp(-300)", "tg.tensor([1, 2], dtype=tg.int8).clamp(max=200)", "tg.addcmul(u, u, u, value=300)", "u.fill_(-1.5)", "u.masked_fill(u == 0, 255.5)",
        "tg.tensor(-0.5, dtype=tg.uint8)", "tg.tensor([255.5], dtype=tg.uint8)", "tg.full((2,), -1.0, dtype=tg.uint8)", "tg.tensor(127.5, dtype=tg.int8)",
        "tg.nn.functional.pad(u, (1, 1), value=-1)", "tg.nn.functional.threshold(u, 3, 256)", "u.__setitem__(0, -0.5)",
    ],
)  # fmt: skip
def test_a_number_that_an_integer_dtype_cannot_hold_is_refused(call):
    with pytest.raises(DTypeError, match="without overflow"):
        eval(call, {"tg": tg, "u": tg.tensor([0, 3], dtype=tg.uint8)})


@pytest.mark.parametrize("exponent", [-1, -2])
@pytest.mark.parametrize("dtype", [tg.int64, tg.int32, tg.uint8])
def test_whole_numbers_to_a_negative_power_are_refused_in_our_class(dtype, exponent):
    with pytest.raises(DataError, match="pow: Integers to negative integer powers"):
        tg.tensor([1, 2], dtype=dtype) ** exponent


def test_whole_numbers_divided_by_zero_are_refused_in_our_class():
    with pytest.raises(TracegradError, match="ZeroDivisionError"):
        tg.tensor([1, 2]) // 0


@pytest.mark.parametrize("name", ["eq", "lt", "maximum", "minimum", "fmod"])
def test_a_number_is_no_first_operand(name):
    with pytest.raises(TypeError, match="must be Tensor"):
        getattr(tg, name)(2.0, tg.ones(2))


@pytest.mark.parametrize("call", [
    "tg.fmax(x, 2)", "x.maximum(2.0)", "x.minimum('a')", "tg.positive(2)", "x.diff(append=1)", "tg.bucketize(x, 1)", "x.lerp(1, 0.5)",
    "x.index_add(0, 0, x)", "x.gather(0, 1)", "tg.rsub(2, x)",
])  # fmt: skip
def test_a_number_is_refused_where_a_definition_says_tensors(call):
    with pytest.raises(TypeError, match="must be Tensor, not"):
        eval(call, {"tg": tg, "x": tg.ones(2)})


@pytest.mark.parametrize(("call", "expected"), [
    ("tg.add(2, x)", [3.0, 3.0]), ("tg.copysign(x, -1)", [-1.0, -1.0]), ("tg.xlogy(2, x)", [0.0, 0.0]), ("tg.bucketize(3, x)", 2),
    ("tg.scatter(x, 0, x.long() - 1, 5.0)", [5.0, 1.0]), ("tg.special.hermite_polynomial_h(2.0, x)", [4.0, 4.0]),
])  # fmt: skip
def test_a_number_is_taken_where_a_definition_says_numbers(call, expected):
    assert eval(call, {"tg": tg, "x": tg.ones(2)}).tolist() == expected


@pytest.mark.parametrize(("power", "expected"), [(True, [3.0, 4.0]), (False, [1.0, 1.0])])
def test_a_bool_is_an_exponent(power, expected):
    assert (tg.tensor([3.0, 4.0]) ** power).tolist() == expected
    assert (tg.tensor([True, False]) ** power).tolist() == ([True, False] if power else [True, True])


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32])
def test_the_derivative_of_a_remainder_by_a_bool_is_one(dtype):
    x = tg.tensor([1.5, 2.5], dtype=dtype, requires_grad=True)
    tg.remainder(x, True).sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "pieces", [lambda x: x.split(2), lambda x: x.split([1, 3, 1]), lambda x: x.chunk(3), lambda x: x.unbind()]
)
def test_a_piece_knows_which_result_it_is(pieces):
    made = pieces(tg.ones(5, requires_grad=True))
    assert [p.output_nr for p in made] == list(range(len(made)))
    assert (made[1] * 2).grad_fn.next_functions[0][1] == 1


def overwritten_all(x):
    y = x.clone()
    y.fill_(3)
    return y * x


def overwritten_row(x):
    y = x.clone()
    y[0] = 5
    return y * x


def selected(x):
    return x[x > 0] * tg.ones(3, dtype=tg.float64)


@pytest.mark.parametrize("function", [overwritten_all, overwritten_row, selected])
def test_forward_mode_passes_writes_and_masks(function):
    x, v = np.arange(6.0).reshape(2, 3) - 2.5, np.linspace(0.3, 1.0, 6).reshape(2, 3)
    step = 1e-6
    forward, back = function(tg.tensor(x + step * v)).numpy(), function(tg.tensor(x - step * v)).numpy()
    tangent = tg.func.jvp(function, (tg.tensor(x),), (tg.tensor(v),))[1]
    np.testing.assert_allclose(tangent.numpy(), (forward - back) / (2 * step), rtol=1e-6)


def test_overwriting_with_a_number_works_in_a_batch():
    assert tg.func.vmap(lambda x: x.clone().fill_(3) + x)(tg.ones(2, 3)).tolist() == [[4.0] * 3] * 2


def test_forward_mode_of_the_deviation_is_zero_where_it_is_zero():
    tangent = tg.func.jvp(lambda x: x.std(), (tg.ones(3),), (tg.tensor([1.0, 2.0, 3.0]),))[1]
    assert tangent.item() == 0.0


def test_a_norm_of_negative_order_that_is_zero_has_derivative_zero():
    x = tg.tensor([0.0, 1.0, 2.0], requires_grad=True)
    x.norm(-1).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
