"""Arguments whose value torch refuses, or rounds, where they look acceptable."""

from __future__ import annotations

import pytest

import tracegrad as tg

COUNTS = (tg.tensor([2, 3]), 2, tg.tensor([2]))


@pytest.mark.parametrize("repeats", COUNTS, ids=["one for each", "a number", "one for all"])
@pytest.mark.parametrize("dim", [0, None])
def test_repeat_interleave_refuses_an_output_size_that_is_not_the_results(repeats, dim):
    x = tg.tensor([1.0, 2.0])
    size = len(tg.repeat_interleave(x, repeats, dim))
    assert len(tg.repeat_interleave(x, repeats, dim, output_size=size)) == size
    for wrong in (size - 1, size + 1):
        with pytest.raises(RuntimeError, match="size"):
            tg.repeat_interleave(x, repeats, dim, output_size=wrong)


def test_positions_of_repeat_interleave_refuse_a_wrong_output_size():
    assert tg.repeat_interleave(tg.tensor([1, 2]), output_size=3).tolist() == [0, 1, 1]
    with pytest.raises(RuntimeError, match="does not match required size"):
        tg.repeat_interleave(tg.tensor([1, 2]), output_size=4)


@pytest.mark.parametrize(("value", "wanted"), [(0.5, [1, 2]), (1.0, [16, 26]), (2.5, [31, 50]), (-1.5, [-14, -22])])
def test_addcmul_of_integers_takes_values_fraction_away(value, wanted):
    operands = tg.tensor([1, 2]), tg.tensor([3, 4]), tg.tensor([5, 6])
    assert tg.addcmul(*operands, value=value).tolist() == wanted
    assert tg.compile(lambda *xs: tg.addcmul(*xs, value=value))(*operands).tolist() == wanted
    assert operands[0].clone().addcmul_(*operands[1:], value=value).tolist() == wanted


def test_addcmul_between_integers_and_floats_keeps_values_fraction():
    assert tg.addcmul(tg.tensor([1, 2]), tg.tensor([3.0, 4.0]), tg.tensor([5, 6]), value=0.5).tolist() == [8.5, 14]


@pytest.mark.parametrize("operation", [tg.add, tg.sub, tg.rsub])
@pytest.mark.parametrize("alpha", [True, 1.0, 2.0, 0.5])
def test_alpha_between_integers_is_an_integer(operation, alpha):
    with pytest.raises(RuntimeError, match="alpha"):
        operation(tg.tensor([1, 2]), tg.tensor([3, 4]), alpha=alpha)


def test_alpha_between_floats_is_no_bool():
    with pytest.raises(RuntimeError, match="Boolean alpha only supported for Boolean results"):
        tg.add(tg.ones(2), tg.ones(2), alpha=True)
    assert tg.add(tg.tensor([True, False]), tg.tensor([False, False]), alpha=True).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [tg.int32, tg.int64, tg.uint8, tg.float32])
@pytest.mark.parametrize("data", [3j, [3j], [[1, 2j]]], ids=repr)
def test_complex_data_is_no_integer_and_no_float(data, dtype):
    with pytest.raises(TypeError):
        tg.tensor(data, dtype=dtype)
    assert tg.tensor(data, dtype=tg.bool).any()


@pytest.mark.parametrize("constructor", [tg.FloatTensor, tg.LongTensor, tg.HalfTensor])
def test_old_constructors_refuse_complex_data(constructor):
    with pytest.raises(TypeError, match="not complex"):
        constructor([3j])


def test_embedding_bag_refuses_rows_that_do_not_exist_as_torch_does():
    for function in (tg.nn.functional.embedding_bag, tg.compile(tg.nn.functional.embedding_bag)):
        for bad in (5, -1):
            with pytest.raises(RuntimeError) as caught:
                function(tg.tensor([[0, bad]]), tg.ones(3, 2))
            assert not isinstance(caught.value, IndexError)


def test_fold_returns_memory_of_its_own_in_row_major_order():
    made = tg.nn.functional.fold(tg.ones(1, 9, 16), (4, 4), 3, padding=1)
    assert made.is_contiguous() and made.stride() == (16, 16, 4, 1)


@pytest.mark.parametrize("function", [tg.addcmul, tg.addcdiv])
def test_complex_factors_need_complex_operands(function):
    with pytest.raises(RuntimeError, match="cannot be converted"):
        function(tg.ones(2), tg.ones(2), tg.ones(2), value=1j)
    assert function(tg.ones(2, dtype=tg.complex64), tg.ones(2), tg.ones(2), value=1j).tolist() == [1 + 1j] * 2


@pytest.mark.parametrize("function", [tg.add, tg.sub, tg.rsub])
def test_complex_alphas_need_complex_operands(function):
    with pytest.raises(RuntimeError, match="alpha must not be a complex number"):
        function(tg.ones(2), tg.ones(2), alpha=1j)


@pytest.mark.parametrize("wide", [tg.float64, tg.float16])
def test_a_fraction_of_integers_takes_the_floating_operands_dtype(wide):
    made = tg.add(tg.tensor(2.0, dtype=wide), tg.tensor([1, 3], dtype=tg.uint8), alpha=0.5)
    assert made.dtype == wide and made.tolist() == [2.5, 3.5]


def test_the_slope_of_acosh_at_its_ends_is_plus_infinity():
    x = tg.tensor([1.0, -1.0], requires_grad=True)
    x.acosh().sum().backward()
    assert x.grad.tolist() == [float("inf")] * 2


def test_no_quotients_by_zero_are_no_error():
    zeros = tg.zeros(4, 1, dtype=tg.int64)
    assert (tg.ones(4, 0, dtype=tg.int64) // zeros).shape == (4, 0)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        tg.ones(4, 1, dtype=tg.int64) // zeros


def test_adding_at_no_positions_looks_at_no_source():
    assert tg.ones(3, 2).scatter_add(0, tg.zeros(0, 2, dtype=tg.int64), tg.zeros(4)).tolist() == [[1, 1]] * 3


def test_the_adjoint_of_a_number_is_its_conjugate():
    assert tg.tensor(3.0 + 1j).mH.item() == 3 - 1j


@pytest.mark.parametrize(
    ("function", "size", "dtype"),
    [
        (tg.nn.functional.max_pool1d, (1, 4), tg.int64),
        (tg.nn.functional.max_pool1d, (1, 4), tg.bool),
        (tg.nn.functional.max_pool2d, (1, 4, 4), tg.bool),
        (tg.nn.functional.max_pool3d, (1, 4, 4, 4), tg.bool),
        (tg.nn.functional.avg_pool2d, (1, 4, 4), tg.complex64),
    ],
)
def test_pools_are_not_for_every_dtype(function, size, dtype):
    with pytest.raises(NotImplementedError):
        function(tg.ones(size, dtype=dtype), 2)


def test_isin_takes_no_bools_as_numbers():
    with pytest.raises(RuntimeError, match="Unsupported input type"):
        tg.isin(tg.tensor([1, 2]), True)


def test_cosine_similarity_of_numbers_has_no_second_axis():
    with pytest.raises(IndexError):
        tg.nn.functional.cosine_similarity(tg.tensor(1.0), tg.tensor(2.0))
    assert tg.nn.functional.cosine_similarity(tg.tensor(1.0), tg.tensor(2.0), dim=0).item() == 1
