"""Complex values in eager code: operators, views, conversions, backward."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

Z = np.array([1 + 2j, 3 - 1j])


def leaf():
    return tg.tensor(Z, requires_grad=True)


@pytest.mark.parametrize("name", ["exp", "sin", "sqrt", "square", "sum", "prod", "mean", "abs", "angle", "conj"])
def test_an_operator_with_a_meaning_gives_numpys_value(name):
    np.testing.assert_allclose(getattr(tg.tensor(Z), name)().numpy(force=True), getattr(np, name)(Z), rtol=1e-12)


@pytest.mark.parametrize("name", ["sign", "floor", "round", "relu", "max", "amax"])
def test_an_operator_for_real_values_refuses_complex_ones(name):
    with pytest.raises(NotImplementedError, match="complex"):
        getattr(tg.tensor(Z), name)()


@pytest.mark.parametrize("function", [tg.argmax, tg.argmin, lambda z: tg.maximum(z, z)])
def test_some_refusals_are_torch_s_runtime_errors(function):
    with pytest.raises(RuntimeError, match="complex") as caught:
        function(tg.tensor(Z))
    assert not isinstance(caught.value, NotImplementedError)


def test_an_order_of_complex_values_is_refused():
    with pytest.raises(NotImplementedError, match="complex"):
        tg.lt(tg.tensor(Z), tg.tensor(Z))


def test_the_gradient_is_the_slope_along_both_axes():
    z = leaf()
    (z * z).real.sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), np.conj(2 * Z))


def test_a_real_value_gets_the_real_part():
    x = tg.ones(2, dtype=tg.float64, requires_grad=True)
    (x * tg.tensor(Z)).real.sum().backward()
    assert x.grad.tolist() == [1.0, 3.0]
    assert x.grad.dtype is tg.float64


def test_a_complex_scalar_has_no_gradient_of_its_own():
    with pytest.raises(RuntimeError, match=r"only for real scalar outputs but got torch\.complex128"):
        leaf().sum().backward()


@pytest.mark.parametrize("real_one", ["value", "gradient"])
def test_value_and_gradient_are_both_complex_or_none_is(real_one):
    y = leaf() * 2 if real_one == "gradient" else leaf().abs()
    g = tg.ones(2, dtype=tg.float64 if real_one == "gradient" else tg.complex128)
    with pytest.raises(RuntimeError, match="For complex Tensors, both grad_output and output"):
        y.backward(g)


@pytest.mark.parametrize("create_graph", [False, True])
def test_hooks_and_retained_gradients_see_complex_ones(create_graph):
    z, seen = leaf(), []
    y = z.exp()
    y.retain_grad()
    y.register_hook(lambda g: seen.append(g.detach()))
    w = y * y
    w.grad_fn.register_hook(lambda inputs, outputs: None)
    tg.autograd.backward(w.real.sum(), create_graph=create_graph)
    np.testing.assert_allclose(seen[0].numpy(), np.conj(2 * np.exp(Z)))
    np.testing.assert_allclose(y.grad.detach().numpy(), np.conj(2 * np.exp(Z)))
    np.testing.assert_allclose(z.grad.detach().numpy(), np.conj(2 * np.exp(Z) ** 2))


def test_a_hook_on_a_step_reads_the_conjugates_as_well():
    z = leaf()
    y = z.prod()
    y.register_hook(lambda g: g * 1)
    y.real.backward()
    np.testing.assert_allclose(z.grad.numpy(), np.conj(Z[::-1]))


def test_writes_through_the_parts_reach_the_value():
    z = tg.tensor(Z)
    z.real[0] = 7.0
    z.imag.mul_(2)
    assert z.tolist() == [7 + 4j, 3 - 2j]
    z.imag = tg.zeros(2, dtype=tg.float64)
    assert z.tolist() == [7, 3]
    assert z.real._base is z
    assert z.real.data_ptr() == z.data_ptr()


def test_writes_through_the_parts_reach_the_gradient():
    z, t = leaf(), tg.tensor(2.0, dtype=tg.float64, requires_grad=True)
    y = z * 1
    y.imag[1] = t
    (y * y).real.sum().backward()
    assert z.grad.tolist() == [2 - 4j, 6]
    assert t.grad.item() == -4.0
    assert repr(y).endswith("grad_fn=<CopySlices>)")


def test_other_views_see_a_write_to_the_value():
    y = leaf() * 1
    r, pairs = y.real, tg.view_as_real(y)
    y.mul_(1j)
    assert r.tolist() == [-2.0, 1.0]
    assert pairs.tolist() == [[-2.0, 1.0], [1.0, 3.0]]
    assert r.requires_grad


def test_view_as_complex_needs_the_parts_side_by_side():
    with pytest.raises(RuntimeError, match="last dimension with stride 1"):
        tg.view_as_complex(tg.ones(2, 3).T)
    v = tg.zeros(2, 2)
    tg.view_as_complex(v)[0] = 3 + 4j
    assert v.tolist() == [[3.0, 4.0], [0.0, 0.0]]


def test_a_conversion_to_real_numbers_warns_and_takes_the_real_part():
    z = leaf()
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        x = z.to(tg.float64)
    x.sum().backward()
    assert x.tolist() == [1.0, 3.0]
    assert z.grad.tolist() == [1, 1]
    assert tg.tensor([0j, 1j]).bool().tolist() == [False, True]


def test_conj_says_that_it_was_called():
    z = tg.tensor(Z)
    assert z.conj().is_conj()
    assert not z.conj().conj().is_conj()
    assert not z.conj().resolve_conj().is_conj()
    x = tg.ones(2)
    assert x.conj() is x


def test_the_adjoint_is_the_conjugate_transpose():
    m = tg.tensor([[1 + 2j, 3.0], [1j, 2.0]])
    np.testing.assert_array_equal(m.mH.numpy(force=True), m.numpy().conj().T)
    np.testing.assert_array_equal(m.H.numpy(force=True), tg.adjoint(m).numpy(force=True))
    with pytest.raises(RuntimeError, match="2-D"):
        tg.ones(3).H


def test_random_complex_numbers_have_unit_variance():
    z = tg.randn(4000, dtype=tg.complex128, generator=tg.Generator().manual_seed(3))
    np.testing.assert_allclose([z.real.std().item(), z.imag.std().item()], [0.5**0.5] * 2, rtol=0.05)
    assert tg.rand(2, dtype=tg.complex64).dtype is tg.complex64


def test_a_complex_number_does_not_fit_a_real_tensor():
    with pytest.raises(RuntimeError, match="overflow"):
        tg.ones(2).fill_(1j)
    with pytest.raises(RuntimeError, match="can't be cast"):
        tg.ones(2).mul_(1j)
    with pytest.raises(RuntimeError, match="In-place abs"):
        tg.tensor(Z).abs_()


def test_logsumexp_stays_on_the_principal_branch():
    z = np.array([1 + 3j, 1.5 + 3j, 0.2 - 3j])
    np.testing.assert_allclose(tg.tensor(z).logsumexp(0).item(), np.log(np.exp(z).sum()))


def test_a_function_may_not_return_a_complex_gradient_for_a_real_argument():
    class Turned(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2j

    with pytest.raises(RuntimeError, match="complex gradient"):
        Turned.apply(tg.ones(2, requires_grad=True)).sum().backward()
