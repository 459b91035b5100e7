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
