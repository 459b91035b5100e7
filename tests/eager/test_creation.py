"""Creation and the random generator: what does not need torch to be known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.kernels import random as kernels

KEY = np.array([7, 3], np.int64)


def test_philox_gives_the_published_numbers():
    # the known answers of Salmon et al.'s Random123: counter and key all zero, and all ones
    assert [hex(w) for w in kernels._block((0, 0), 0)] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    ones = 2**64 - 1
    assert [hex(w) for w in kernels._block((ones, ones), ones)] == [
        "0x408f276d",
        "0x41c83b0e",
        "0xa20bc7c6",
        "0x6d5451fd",
    ]


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (-1, -5), (2**40 + 3, 2**35)])
def test_small_draws_are_the_beginning_of_large_ones(key):
    key = np.array(key, np.int64)
    large = kernels.words(np, key, 1000)
    for count in (0, 1, 3, 4, 5, kernels.SMALL, kernels.SMALL + 1):
        np.testing.assert_array_equal(kernels.words(np, key, count), large[:count])


@pytest.mark.parametrize("key", [(0, 0), (-1, -5), (2**40 + 3, 2**35)])
@pytest.mark.parametrize("count", [0, 5, 17, 19, 4 * kernels._PART - 1, 4 * kernels._PART + 7])
def test_what_is_drawn_in_parts_equals_the_plain_text(key, count):
    key, plain = np.array(key, np.int64), SimpleNamespace(**vars(np))
    for dtype in (np.float16, np.float32, np.float64):
        drawn = kernels.random_uniform(key, (count,), dtype)
        assert drawn.dtype == dtype
        np.testing.assert_array_equal(drawn, kernels.uniform(plain, key, (count,), dtype))
    for low, high in ((0, 10), (-5, 4), (0, 1), (0, 2**32), (-(2**63), 2**63 - 1)):
        drawn = kernels.random_integers(key, low, high, (count,), np.int64)
        np.testing.assert_array_equal(drawn, kernels.integers(plain, key, low, high, (count,), np.int64))
    order = kernels.random_permutation(key, count, np.int64)
    np.testing.assert_array_equal(order, kernels.permutation(plain, key, count, np.int64))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_normal_numbers_in_parts_equal_the_plain_text_to_a_unit(dtype):
    plain, count = SimpleNamespace(**vars(np)), 2 * kernels._PART + 3
    drawn = kernels.random_normal(KEY, (count,), dtype)
    wanted = kernels.normal(plain, KEY, (count,), dtype)
    assert drawn.dtype == dtype
    np.testing.assert_array_max_ulp(drawn, wanted, 1)


def test_equal_numbers_of_a_permutation_keep_their_order(monkeypatch):
    monkeypatch.setattr(kernels, "_wide", lambda key, n: np.arange(n, dtype=np.uint64) % 3)
    order = kernels.random_permutation(KEY, 300, np.int64)
    np.testing.assert_array_equal(order, np.argsort(np.arange(300) % 3, kind="stable"))


def test_a_seed_gives_the_same_numbers_again():
    tg.manual_seed(3)
    first = [tg.rand(4), tg.randn(3), tg.randint(9, (5,)), tg.randperm(6)]
    tg.manual_seed(3)
    again = [tg.rand(4), tg.randn(3), tg.randint(9, (5,)), tg.randperm(6)]
    for a, b in zip(first, again, strict=True):
        assert a.tolist() == b.tolist()


def test_two_draws_differ_and_another_seed_differs():
    tg.manual_seed(0)
    a, b = tg.rand(5), tg.rand(5)
    tg.manual_seed(1)
    c = tg.rand(5)
    assert a.tolist() != b.tolist()
    assert a.tolist() != c.tolist()


def test_the_state_can_be_kept_and_restored():
    tg.manual_seed(5)
    tg.rand(2)
    state = tg.get_rng_state()
    a = tg.rand(3).tolist()
    tg.set_rng_state(state)
    assert tg.rand(3).tolist() == a
    assert tg.initial_seed() == 5


def test_a_generator_of_its_own_leaves_the_global_one_alone():
    tg.manual_seed(0)
    expected = tg.rand(3).tolist()
    tg.manual_seed(0)
    own = tg.Generator().manual_seed(9)
    tg.rand(3, generator=own)
    assert tg.rand(3).tolist() == expected


@pytest.mark.parametrize("dtype", [tg.float16, tg.float32, tg.float64])
def test_uniform_numbers_lie_below_one_and_fill_the_range(dtype):
    values = tg.rand(20000, dtype=dtype).numpy().astype(np.float64)
    assert values.min() >= 0 and values.max() < 1
    assert abs(values.mean() - 0.5) < 0.01 and abs(values.var() - 1 / 12) < 0.005


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_normal_numbers_have_the_normal_distribution(dtype):
    tg.manual_seed(11)
    values = tg.randn(40000, dtype=dtype).numpy()
    inside = [(np.abs(values) < k).mean() for k in (1, 2, 3)]
    np.testing.assert_allclose(inside, [0.6827, 0.9545, 0.9973], atol=0.008)
    assert abs(values.mean()) < 0.02


def test_integers_take_every_value_of_the_range():
    tg.manual_seed(2)
    values = tg.randint(-2, 3, (1000,)).numpy()
    assert set(values.tolist()) == {-2, -1, 0, 1, 2}
    assert sorted(tg.randperm(50).tolist()) == list(range(50))


def test_random_numbers_of_a_compiled_function_are_drawn_anew_and_in_the_eager_order():
    def noisy(x):
        return x + tg.rand(3) * tg.randn(3)

    compiled, x = tg.compile(noisy, backend="numpy"), tg.ones(3)
    compiled(x)
    tg.manual_seed(4)
    got = [compiled(x).tolist(), compiled(x).tolist()]
    tg.manual_seed(4)
    want = [noisy(x).tolist(), noisy(x).tolist()]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert got[0] != got[1]


def test_lists_and_tensors_inside_a_recorded_function_are_part_of_the_program():
    def f(x):
        return x * tg.tensor([1.0, 2.0, 3.0]) + tg.tensor([x.sum().detach(), x[0], 1.0]) + tg.zeros(3) + tg.arange(3)

    x = tg.tensor([1.0, -2.0, 0.5])
    np.testing.assert_allclose(tg.compile(f, backend="numpy")(x).tolist(), f(x).tolist(), rtol=1e-6)


def test_a_copy_does_not_share_memory_and_a_view_of_an_array_does():
    a = np.zeros(3)
    copy, shared = tg.tensor(a), tg.from_numpy(a)
    a[0] = 5.0
    assert copy.tolist() == [0.0, 0.0, 0.0]
    assert shared.tolist() == [5.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "make",
    [lambda: tg.zeros(2, device="cuda"), lambda: tg.tensor(1.0, device="cuda:1"), lambda: tg.rand(2, device="cuda")],
)
def test_a_device_that_is_not_there_is_refused(make):
    with pytest.raises(AssertionError, match="CUDA"):
        make()


@pytest.mark.parametrize("name", ["tensor", "zeros", "arange", "randint", "linspace"])
def test_messages_name_the_function(name):
    wrong = {"tensor": ("a",), "zeros": ("a",), "arange": ("a",), "randint": (3,), "linspace": (0, 1)}[name]
    with pytest.raises(TypeError, match=f"^{name}: "):
        getattr(tg, name)(*wrong)


def test_arange_needs_an_end():
    with pytest.raises(TypeError, match="arange: missing argument"):
        tg.arange()
