"""The JAX backend: values, dtypes, no races with the caller's arrays, the user's configuration left alone."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

jax = pytest.importorskip("jax")


def test_float64_without_touching_the_configuration():
    before = jax.config.jax_enable_x64
    x = tg.tensor(np.linspace(0, 1, 7))
    out = tg.compile(lambda x: x.sin() * 2, backend="jax")(x)
    assert out.dtype is tg.float64
    np.testing.assert_allclose(out.numpy(), np.sin(x.numpy()) * 2, rtol=1e-14)
    assert jax.config.jax_enable_x64 == before


def test_float32_stays_float32():
    out = tg.compile(lambda x: x.sin() * 2 + 1, backend="jax")(tg.ones(3))
    assert out.dtype is tg.float32


@pytest.mark.parametrize("count", [1 << 20, 1_000_003])
def test_changing_every_argument_right_after_the_call_changes_no_result(count):
    f = tg.compile(lambda x, y: x * 2 + y, backend="jax")
    x, y = tg.ones(count), tg.ones(count)
    f(x, y)
    for _ in range(5):
        out = f(x, y)
        x.numpy()[:] = 7
        y.numpy()[:] = 7
        np.testing.assert_array_equal(out.numpy(), np.full(count, 3.0, np.float32))
        x.fill_(1)
        y.fill_(1)


def test_results_are_writable_and_private():
    f = tg.compile(lambda x: (x, x * 1), backend="jax")
    x = tg.ones(1024)
    same, product = f(x)
    product.mul_(4)
    np.testing.assert_array_equal(x.numpy(), np.ones(1024))
    assert same is x


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_equal_those_of_the_numpy_backend(order):
    def f(x):
        return (x.sin() * x.exp()).sum()

    g = f
    for _ in range(order):
        g = (lambda inner: lambda x: tg.func.grad(inner)(x).sum())(g)
    x = tg.tensor(np.linspace(0.1, 1, 5))
    np.testing.assert_allclose(tg.compile(g, backend="jax")(x).numpy(), tg.compile(g)(x).numpy(), rtol=1e-11)


def test_random_numbers_equal_the_eager_ones():
    f = lambda x: x + tg.rand(5)  # noqa: E731
    tg.manual_seed(3)
    want = f(tg.zeros(5)).numpy()
    tg.manual_seed(3)
    np.testing.assert_array_equal(tg.compile(f, backend="jax")(tg.zeros(5)).numpy(), want)


def test_bool_parts_are_put_in_place():
    x = tg.tensor([[True, False], [True, True]])
    padded = tg.compile(lambda v: tg.constant_pad_nd(v, (1, 1)), backend="jax")(x)
    assert tg.equal(padded, tg.constant_pad_nd(x, (1, 1)))
