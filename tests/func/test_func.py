"""grad, value_and_grad, vjp, jvp, vmap and the Jacobians: values, nesting, containers, errors."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

X = np.linspace(0.2, 1.0, 4)


def close(a, b, tolerance=1e-10):
    np.testing.assert_allclose(np.asarray(a.detach().numpy()), np.asarray(b), rtol=tolerance, atol=tolerance)


def test_grad_gives_the_form_of_the_argument():
    g = tg.func.grad(lambda p: (p["a"] ** 2).sum() + p["b"][0].sin())(
        {"a": tg.tensor(X), "b": (tg.tensor(0.5, dtype=tg.float64),)}
    )
    close(g["a"], 2 * X)
    close(g["b"][0], np.cos(0.5))


def test_argnums_may_be_a_tuple_and_negative():
    f = tg.func.grad(lambda x, y: (x * y * y).sum(), argnums=(0, -1))
    gx, gy = f(tg.tensor(X), tg.tensor(X))
    close(gx, X**2)
    close(gy, 2 * X**2)


def test_aux_is_passed_through():
    g, aux = tg.func.grad(lambda x: ((x**2).sum(), {"double": x * 2}), has_aux=True)(tg.tensor(X))
    close(g, 2 * X)
    close(aux["double"], 2 * X)
    assert not aux["double"].requires_grad


def test_unused_arguments_get_zeros():
    close(tg.func.grad(lambda x, y: y.sum())(tg.tensor(X), tg.tensor(X)), np.zeros(4))


def test_results_at_the_top_level_have_no_history():
    value, g = tg.func.value_and_grad(lambda x: (x**2).sum())(tg.tensor(X))
    assert not value.requires_grad and not g.requires_grad


def test_an_outer_backward_sees_through_func_grad():
    x = tg.tensor(X, requires_grad=True)
    tg.func.grad(lambda v: (v**3).sum())(x).sum().backward()
    close(x.grad, 6 * X)


def test_an_outer_backward_reaches_what_the_function_captures():
    w = tg.tensor(X, requires_grad=True)
    tg.func.grad(lambda v: (w * v**2).sum())(tg.tensor(X)).sum().backward()
    close(w.grad, 2 * X)


def test_levels_are_not_confused():
    f = lambda x: x * tg.func.grad(lambda y: x * y)(x)  # noqa: E731  d/dx (x * x) = 2x
    close(tg.func.grad(f)(tg.tensor(3.0)), 6.0, 1e-6)


def test_grad_of_a_non_scalar_is_refused():
    with pytest.raises(RuntimeError, match="scalar"):
        tg.func.grad(lambda x: x * 2)(tg.tensor(X))


def test_grad_of_an_integer_is_refused():
    with pytest.raises(RuntimeError, match="floating"):
        tg.func.grad(lambda x: x.sum())(tg.tensor([1, 2]))


def test_vjp_of_one_primal_gives_a_tuple_of_one():
    _, pull = tg.func.vjp(lambda x: x.sin(), tg.tensor(X))
    gradients = pull(tg.ones(4, dtype=tg.float64))
    assert isinstance(gradients, tuple) and len(gradients) == 1
    close(gradients[0], np.cos(X))


def test_vjp_may_be_called_again():
    out, pull = tg.func.vjp(lambda x, y: (x * y, x.sin()), tg.tensor(X), tg.tensor(X))
    for factor in (1.0, 2.0):
        ones = tg.ones(4, dtype=tg.float64) * factor
        gx, gy = pull((ones, ones))
        close(gx, factor * (X + np.cos(X)))
        close(gy, factor * X)
    close(out[0], X * X)


def test_a_tangent_of_another_shape_is_refused_with_torchs_class():
    with pytest.raises(RuntimeError, match="another shape than its primal"):
        tg.func.jvp(lambda x: x, (tg.ones(3),), (tg.ones(4),))


def test_jvp_equals_the_directional_derivative():
    out, tangent = tg.func.jvp(lambda x: (x.sin() * x).exp(), (tg.tensor(X),), (tg.tensor(X),))
    close(out, np.exp(np.sin(X) * X))
    close(tangent, np.exp(np.sin(X) * X) * (np.cos(X) * X + np.sin(X)) * X)


def test_jvp_follows_the_branch_of_the_primals():
    f = lambda x: x**2 if x.sum() > 0 else x**3  # noqa: E731
    close(tg.func.jvp(f, (tg.tensor(X),), (tg.ones(4, dtype=tg.float64),))[1], 2 * X)
    close(tg.func.jvp(f, (tg.tensor(-X),), (tg.ones(4, dtype=tg.float64),))[1], 3 * X**2)


def test_jvp_of_grad_is_the_hessian_vector_product():
    g = tg.func.grad(lambda x: (x**3).sum())
    close(tg.func.jvp(g, (tg.tensor(X),), (tg.tensor(X),))[1], 6 * X * X)


def test_vmap_equals_the_loop():
    a, b = tg.tensor(np.arange(12.0).reshape(3, 4)), tg.tensor(X)
    f = lambda r, s: (r * s).tanh().sum(0, keepdim=True)  # noqa: E731
    want = np.stack([f(a[i], b).numpy() for i in range(3)])
    close(tg.func.vmap(f, in_dims=(0, None))(a, b), want)


def test_vmap_over_another_axis_in_and_out():
    a = tg.tensor(np.arange(12.0).reshape(3, 4))
    close(tg.func.vmap(lambda c: c * 2, in_dims=1, out_dims=1)(a), np.arange(12.0).reshape(3, 4) * 2)


def test_vmap_of_grad_gives_gradients_per_example():
    w, xs = tg.tensor(X), tg.tensor(np.arange(12.0).reshape(3, 4) / 10)
    per = tg.func.vmap(tg.func.grad(lambda w, x: ((w * x).sum()) ** 2), in_dims=(None, 0))(w, xs)
    want = np.stack([2 * (X @ row) * row for row in xs.numpy()])
    close(per, want)


def test_grad_of_vmap():
    xs = tg.tensor(np.arange(12.0).reshape(3, 4) / 10)
    g = tg.func.grad(lambda x: tg.func.vmap(lambda r: (r**2).sum())(x).sum())(xs)
    close(g, 2 * xs.numpy())


def test_vmap_nests():
    a = tg.tensor(np.arange(6.0).reshape(2, 3))
    outer = tg.func.vmap(lambda r: tg.func.vmap(lambda s: s * 2 + 1)(r))
    close(outer(a), np.arange(6.0).reshape(2, 3) * 2 + 1)


def test_vmap_refuses_reading_values():
    with pytest.raises(RuntimeError, match="vmap"):
        tg.func.vmap(lambda x: x if x.sum() > 0 else -x)(tg.ones(3, 2))


def test_vmap_refuses_unequal_sizes():
    with pytest.raises(ValueError, match="sizes"):
        tg.func.vmap(lambda x, y: x + y)(tg.ones(3), tg.ones(4))


@pytest.mark.parametrize("jacobian", [tg.func.jacrev, tg.func.jacfwd])
def test_jacobians_agree_with_the_formula(jacobian):
    a = np.arange(8.0).reshape(2, 4)
    close(jacobian(lambda x: (tg.tensor(a) @ x).sin())(tg.tensor(X)), np.cos(a @ X)[:, None] * a)


def test_hessian_of_a_quadratic_form():
    a = np.arange(16.0).reshape(4, 4)
    close(tg.func.hessian(lambda x: x @ tg.tensor(a) @ x)(tg.tensor(X)), a + a.T)


@pytest.mark.parametrize("transform", ["jvp", "vmap", "vjp"])
def test_transforms_may_be_compiled(transform):
    f = lambda x: (x.sin() * x).sum()  # noqa: E731
    build = {
        "jvp": lambda x: tg.func.jvp(f, (x,), (x * 2,))[1],
        "vmap": lambda x: tg.func.vmap(lambda s: s.exp() * 2)(x),
        "vjp": lambda x: tg.func.vjp(f, x)[1](tg.ones((), dtype=tg.float64))[0],
    }[transform]
    x = tg.tensor(X)
    close(tg.compile(build)(x), build(x).numpy())
