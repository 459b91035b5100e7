"""Views and writes through them while a function is recorded: the compiled program, its gradient and its batched form are those of eager code."""

import numpy as np
import pytest

import tracegrad as tg


def windows(x):
    return x.unfold(0, 3, 2) * 2


def overlapping_strides(x):
    return tg.as_strided(x * 1, (4, 3), (1, 1))


def strides_of_a_transposed_value(x):
    return (x * 1).view(2, 4).t().as_strided((2, 2), (1, 2), 1)


def write_through_strides(x):
    y = x * 1
    y.as_strided((2, 2), (3, 1), 1).mul_(5)
    return y


def write_through_windows(x):
    y = x * 1
    y.unfold(0, 2, 2)[:, 0].add_(x.sum())
    return y


def write_through_a_diagonal(x):
    y = (x * 1)[:4].view(2, 2)
    y.diagonal().zero_()
    y.t()[0].mul_(3)
    return y


def strides_after_a_write_to_a_value_in_another_order(x):
    z = (x * 1).view(2, 4).t() * 1
    z[1:, 0].mul_(4)
    z.as_strided((2,), (2,), 1).add_(1)
    return z


def views_of_a_value_in_another_order(x):
    z = (x * 1).view(2, 4).t() * 1
    u = z[1:].t()
    z[1:, 0].mul_(4)
    u[0].add_(x[0])
    u.as_strided((2, 2), (1, 2), 1).mul_(3)
    return z


def writes_to_a_permuted_value(x):
    z = (x * 1).view(2, 2, 2).permute(2, 0, 1) * 1
    v = z.select(1, 0)
    z.mul_(2)
    v[0].add_(3)
    z.unfold(0, 2, 1)[0].mul_(2)
    return z


def scatters(x):
    y = x.view(2, 4).select_scatter(x[:2], 1, 1).slice_scatter(x[:4].view(2, 2), 1, 2)
    return y.diagonal_scatter(x[6:]).as_strided_scatter(x[:3], (3,), (2,), 1)


def pieces(x):
    a, b, c = (x * 1).tensor_split(3)
    a.mul_(2)
    return tg.cat([a, b * 3, c])


FUNCTIONS = (
    windows,
    overlapping_strides,
    strides_of_a_transposed_value,
    write_through_strides,
    write_through_windows,
    write_through_a_diagonal,
    strides_after_a_write_to_a_value_in_another_order,
    views_of_a_value_in_another_order,
    writes_to_a_permuted_value,
    scatters,
    pieces,
)
X = tg.arange(8.0, dtype=tg.float64) + 1


def gradient(f, x):
    leaf = x.clone().requires_grad_()
    (f(leaf) ** 2).sum().backward()
    return leaf.grad.numpy()


@pytest.mark.parametrize("f", FUNCTIONS)
def test_the_compiled_function_gives_the_eager_values(f):
    np.testing.assert_array_equal(tg.compile(f)(X).numpy(), f(X).numpy())


@pytest.mark.parametrize("f", FUNCTIONS)
def test_the_compiled_gradient_is_the_eager_one(f):
    compiled = tg.compile(tg.func.grad(lambda x: (f(x) ** 2).sum()))
    np.testing.assert_allclose(compiled(X).numpy(), gradient(f, X), rtol=1e-13)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_the_batched_function_gives_each_row_s_values(f):
    rows = tg.stack([X, X * 2])
    np.testing.assert_allclose(tg.func.vmap(f)(rows).numpy(), np.stack([f(rows[0]).numpy(), f(rows[1]).numpy()]))


@pytest.mark.parametrize("f", FUNCTIONS)
def test_derivatives_agree_with_differences_to_second_order(f):
    x = X.clone().requires_grad_()
    assert tg.autograd.gradcheck(f, (x,))
    assert tg.autograd.gradgradcheck(lambda x: f(x) ** 2, (x,))
