"""autograd.functional: Jacobians, Hessians and products with them."""

import pytest

import tracegrad as tg
from tracegrad.autograd import functional


def value(*values):
    return tg.tensor(list(values), dtype=tg.float64)


def test_a_jacobian_has_the_shapes_of_output_and_input():
    assert functional.jacobian(lambda a: a**2, value(1.0, 2.0)).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert functional.jacobian(lambda a: a.reshape(2, 1) * 2, value(1.0, 2.0)).shape == (2, 1, 2)


def test_several_inputs_and_outputs_nest():
    (ab, bb), (sa, sb) = functional.jacobian(lambda a, b: (a * b, a.sum()), (value(1.0, 2.0), value(3.0, 4.0)))
    assert ab.tolist() == [[3.0, 0.0], [0.0, 4.0]]
    assert bb.tolist() == [[1.0, 0.0], [0.0, 2.0]]
    assert sa.tolist() == [1.0, 1.0]
    assert sb.tolist() == [0.0, 0.0]


def test_a_hessian_is_the_jacobian_of_the_gradient():
    assert functional.hessian(lambda a: (a**3).sum(), value(1.0, 2.0)).tolist() == [[6.0, 0.0], [0.0, 12.0]]
    ((aa, ab), (ba, bb)) = functional.hessian(lambda a, b: (a * b).sum(), (value(1.0), value(2.0)))
    assert (aa.item(), ab.item(), ba.item(), bb.item()) == (0.0, 1.0, 1.0, 0.0)


@pytest.mark.parametrize(("product", "expected"), [("vjp", [2.0, 40.0]), ("jvp", [2.0, 40.0])])
def test_products_with_the_jacobian(product, expected):
    out, g = getattr(functional, product)(lambda a: a**2, value(1.0, 2.0), value(1.0, 10.0))
    assert out.tolist() == [1.0, 4.0]
    assert g.tolist() == expected


@pytest.mark.parametrize("product", ["hvp", "vhp"])
def test_products_with_the_hessian(product):
    out, g = getattr(functional, product)(lambda a: (a**3).sum(), value(1.0, 2.0), value(1.0, 1.0))
    assert out.item() == 9.0
    assert g.tolist() == [6.0, 12.0]


def test_create_graph_keeps_the_caller_s_history():
    x = value(2.0).requires_grad_()
    j = functional.jacobian(lambda a: a**3, x, create_graph=True)
    assert tg.autograd.grad(j.sum(), x)[0].item() == 12.0
    assert not functional.jacobian(lambda a: a**3, x).requires_grad


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: functional.vjp(lambda a: a, value(1.0, 2.0)), RuntimeError),
        (lambda: functional.vjp(lambda a: a, value(1.0, 2.0), value(1.0)), RuntimeError),
        (lambda: functional.hessian(lambda a: a, value(1.0, 2.0)), RuntimeError),
        (lambda: functional.jacobian(lambda a: 3, value(1.0)), TypeError),
        (lambda: functional.jacobian(lambda a: a, 3), TypeError),
        (lambda: functional.jacobian(lambda a: tg.ones(2), value(1.0), strict=True), RuntimeError),
    ],
)
def test_bad_calls_raise_torch_s_class(act, error):
    with pytest.raises(error):
        act()


def test_an_independent_output_has_zeros():
    assert functional.jacobian(lambda a: tg.ones(2), value(1.0, 2.0)).tolist() == [[0.0, 0.0]] * 2
