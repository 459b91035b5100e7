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


MASK = tg.tensor([[True, False, True], [False, True, True]])
SELECTIONS = {
    "index": lambda x: x[MASK] ** 3,
    "row": lambda x: x[MASK[:, 0]] ** 3,
    "masked_select": lambda x: x.masked_select(MASK) ** 3,
    "masked_select broadcast": lambda x: x.masked_select(MASK[0]) ** 3,
    "masked_select of a number": lambda x: x[0, 0].masked_select(tg.tensor(True)) ** 3,
    "own values": lambda x: x[x > 1.0] ** 3,
    "nonzero": lambda x: x[tg.nonzero(MASK, as_tuple=True)] ** 3,
    "repeat_interleave": lambda x: x.repeat_interleave(tg.tensor([2, 1]), 0) ** 3,
    "unique": lambda x: x[tg.unique(tg.tensor([1, 1, 0]))] ** 3,
    "bincount": lambda x: x[0] * tg.bincount(tg.tensor([1, 1, 2])),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_what_values_choose_has_every_derivative(name):
    f = SELECTIONS[name]
    x = tg.arange(6.0, dtype=tg.float64).reshape(2, 3)
    by_rows = tg.stack([tg.autograd.grad(f(y := x.clone().requires_grad_())[i], y)[0] for i in range(len(f(x)))]) if f(x).ndim == 1 else None  # fmt: skip
    for jacobian in (tg.func.jacrev(f)(x), tg.func.jacfwd(f)(x)):
        assert by_rows is None or jacobian.tolist() == by_rows.tolist()
    loss = lambda v: (f(v) ** 2).sum()  # noqa: E731
    assert tg.func.hessian(loss)(x).tolist() == tg.func.jacrev(tg.func.jacrev(loss))(x).tolist()


@pytest.mark.parametrize("name", sorted(set(SELECTIONS) - {"own values"}))
def test_what_is_the_same_for_all_examples_may_be_read_under_vmap(name):
    f = SELECTIONS[name]
    xs = tg.arange(12.0).reshape(2, 2, 3)
    assert tg.func.vmap(f)(xs).tolist() == [f(x).tolist() for x in xs]
    nested = tg.func.vmap(lambda x: tg.func.vmap(lambda _: f(x))(tg.zeros(2)))(xs)
    assert nested.tolist() == [[f(x).tolist()] * 2 for x in xs]


def test_a_value_that_differs_between_examples_is_not_read():
    xs, mask = tg.arange(6.0).reshape(2, 3), tg.tensor([True, False, True])
    for f, dims in ((lambda x, m: x[x > 1], (0, None)), (lambda x, m: x[m & (x > 1)], (0, None)), (lambda x, m: x * 1 if x[0] > 0 else x, (0, None))):  # fmt: skip
        with pytest.raises(RuntimeError, match="reads a value"):
            tg.func.vmap(f, in_dims=dims)(xs, mask)
    with pytest.raises(RuntimeError, match="reads a value"):  # the same inside, another for every example outside
        tg.func.vmap(lambda x: tg.func.vmap(lambda y: y[x > 1])(xs))(xs)
    assert tg.func.vmap(lambda x, m: x[m], in_dims=(0, None))(xs, mask).tolist() == xs[:, mask].tolist()
    assert tg.func.vmap(lambda x, n: x * n.item(), in_dims=(0, None))(xs, tg.tensor(2.0)).tolist() == (xs * 2).tolist()


@pytest.mark.parametrize("name", ["unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"])
def test_pieces_on_their_own_keep_their_tangents(name):
    x, v = tg.arange(4.0), tg.arange(4.0, 8.0)
    with tg.autograd.forward_ad.dual_level():
        pieces = getattr(tg, name)(tg.autograd.forward_ad.make_dual(x, v), [2, 2] if name.endswith("sizes") else 2)
        assert tg.autograd.forward_ad.unpack_dual(pieces[1] * 3).tangent.tolist() == [18.0, 21.0]


@pytest.mark.parametrize("outer", [tg.func.grad, tg.func.jacrev])
@pytest.mark.parametrize("inner", [tg.func.grad, tg.func.jacrev])
def test_a_gradient_of_a_gradient_by_another_argument_requires_no_grad(outer, inner):
    def function(x, b):
        return (x.sin() * b).sum()

    x, b = tg.ones(2), tg.tensor([1.0, 2.0])
    found = outer(lambda b: inner(function)(x, b).sum())(b)
    assert not found.requires_grad
    assert tg.allclose(found, x.cos())


def test_a_gradient_of_a_gradient_keeps_the_history_of_what_requires_grad_outside():
    w = tg.ones(2, requires_grad=True)
    found = tg.func.grad(lambda b: tg.func.grad(lambda x: (x.sin() * b * w).sum())(tg.ones(2)).sum())(tg.ones(2))
    assert found.requires_grad
    assert tg.allclose(tg.autograd.grad(found.sum(), w)[0], tg.ones(2).cos())
