"""autograd.Function: the user's own operators."""

import gc
import weakref

import pytest

import tracegrad as tg
from tracegrad.autograd import Function, gradcheck, gradgradcheck
from tracegrad.autograd.function import once_differentiable


def leaf(*values, dtype=tg.float64):
    return tg.tensor(list(values), dtype=dtype, requires_grad=True)


class Cube(Function):
    """x^3 with a differentiable backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * (x * x) * g


class Exponential(Function):
    """exp, whose backward reads its own result."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class SumAndProduct(Function):
    """Two results."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x + y, x * y

    @staticmethod
    def backward(ctx, g_sum, g_product):
        x, y = ctx.saved_tensors
        return g_sum + g_product * y, g_sum + g_product * x


def made(forward, backward):
    """A Function class of two plain functions."""
    return type("Made", (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


def test_forward_and_backward_give_value_and_gradient():
    x = leaf(1.0, 2.0)
    y = Cube.apply(x)
    assert y.tolist() == [1.0, 8.0]
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_a_differentiable_backward_can_be_differentiated_again():
    assert gradcheck(Cube.apply, (leaf(0.5, -1.5),))
    assert gradgradcheck(Cube.apply, (leaf(0.5, -1.5),))


def test_third_derivatives_come_out():
    x = leaf(2.0)
    (g1,) = tg.autograd.grad(Cube.apply(x).sum(), x, create_graph=True)
    (g2,) = tg.autograd.grad(g1.sum(), x, create_graph=True)
    (g3,) = tg.autograd.grad(g2.sum(), x)
    assert (g1.item(), g2.item(), g3.item()) == (12.0, 12.0, 6.0)


def test_a_saved_result_has_its_history_in_backward():
    assert gradgradcheck(Exponential.apply, (leaf(0.3, -0.7),))
    x = leaf(0.5)
    y = Exponential.apply(x)
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert tg.autograd.grad(g.sum(), x)[0].item() == pytest.approx(y.item())


def test_saving_a_result_makes_no_reference_cycle():
    x = leaf(1.0)
    gc.collect()
    gc.disable()
    try:
        y = Exponential.apply(x)
        a, b = SumAndProduct.apply(x, y)
        gone = [weakref.ref(t._node) for t in (y, a, b)]
        del y, a, b
        assert [r() for r in gone] == [None, None, None]
    finally:
        gc.enable()


def test_several_results_share_one_backward():
    x, y = leaf(2.0), leaf(5.0)
    total, product = SumAndProduct.apply(x, y)
    assert total.grad_fn is product.grad_fn
    assert (total.output_nr, product.output_nr) == (0, 1)
    (total + product).sum().backward()
    assert (x.grad.item(), y.grad.item()) == (6.0, 3.0)
    assert gradgradcheck(SumAndProduct.apply, (leaf(0.5), leaf(1.5)))


def test_an_unused_result_arrives_as_zeros():
    x, y = leaf(2.0), leaf(5.0)
    total, _ = SumAndProduct.apply(x, y)
    total.sum().backward()
    assert (x.grad.item(), y.grad.item()) == (1.0, 1.0)


def test_an_unused_result_arrives_as_none_if_asked():
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 1, x * 2

    f = made(forward, lambda ctx, a, b: seen.append(a) or b * 2)
    f.apply(leaf(1.0))[1].sum().backward()
    assert seen == [None]


def test_non_tensor_arguments_pass_through_and_get_none():
    f = made(lambda ctx, x, k, flag=None: (setattr(ctx, "k", k), x * k)[1], lambda ctx, g: (g * ctx.k, None))
    x = leaf(1.0)
    f.apply(x, 4.0).sum().backward()
    assert x.grad.item() == 4.0


def test_trailing_nones_are_ignored():
    x = leaf(1.0)
    made(lambda ctx, x: x * 1, lambda ctx, g: (g, None, None)).apply(x).sum().backward()
    assert x.grad.item() == 1.0


def test_none_is_a_gradient_of_nothing():
    x = leaf(1.0)
    y = made(lambda ctx, x: x * 1, lambda ctx, g: None).apply(x)
    assert tg.autograd.grad(y.sum(), x, allow_unused=True) == (None,)


def test_a_broadcast_gradient_is_summed_to_the_argument():
    x = leaf(1.0, 2.0)
    made(lambda ctx, x: x * 1, lambda ctx, g: tg.ones(3, 2, dtype=tg.float64)).apply(x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_gradient_takes_the_argument_s_dtype():
    x = leaf(1.0, dtype=tg.float32)
    made(lambda ctx, x: x * 1, lambda ctx, g: g.double()).apply(x).sum().backward()
    assert x.grad.dtype == tg.float32


def test_needs_input_grad_and_grad_mode_are_as_torch_s():
    seen = []

    def forward(ctx, x, y, k):
        seen.append((ctx.needs_input_grad, x.requires_grad, tg.is_grad_enabled()))
        return x * y

    f = made(forward, lambda ctx, g: (seen.append(tg.is_grad_enabled()), g, None, None)[1:])
    f.apply(leaf(1.0), tg.ones(1), 2).sum().backward()
    assert seen == [((True, False, False), True, False), False]
    assert tg.is_grad_enabled()


def test_a_call_without_gradient_is_a_plain_call():
    assert Cube.apply(tg.ones(2)).grad_fn is None
    with tg.no_grad():
        assert not Cube.apply(leaf(1.0)).requires_grad


def test_the_step_is_named_after_the_class_and_shows_ctx():
    x = leaf(1.0)
    y = made(lambda ctx, x: (setattr(ctx, "note", 7), ctx.save_for_backward(x), x * 1)[2], lambda ctx, g: g).apply(x)
    assert y.grad_fn.name() == "MadeBackward"
    assert repr(y.grad_fn).startswith("<torch.autograd.function.MadeBackward object at 0x")
    assert y.grad_fn.note == 7
    assert y.grad_fn.saved_tensors[0] is x
    assert "grad_fn=<MadeBackward>" in repr(y)


def test_an_argument_returned_as_it_is_becomes_a_new_tensor():
    x = leaf(1.0, 2.0)
    y = made(lambda ctx, x: x, lambda ctx, g: g * 3).apply(x)
    assert y is not x
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_an_in_place_update_inside_forward_is_allowed():
    def forward(ctx, x, bias):
        out = x * 2
        out += bias.unsqueeze(0).expand_as(out)
        return out

    x, bias = tg.ones(2, 3, requires_grad=True), tg.ones(3, requires_grad=True)
    y = made(forward, lambda ctx, g: (g * 2, g.sum(0))).apply(x, bias)
    assert y.tolist() == [[3.0] * 3] * 2
    y.sum().backward()
    assert bias.grad.tolist() == [2.0] * 3


def _doubled_in_place(ctx, x):
    ctx.mark_dirty(x)
    x.mul_(2)
    return x


def test_a_dirty_argument_stays_the_same_object():
    x = leaf(1.0)
    a = x * 1
    b = made(_doubled_in_place, lambda ctx, g: g * 2).apply(a)
    assert b is a
    (a * 3).sum().backward()
    assert x.grad.item() == 6.0


def test_a_dirty_leaf_is_refused():
    with pytest.raises(RuntimeError, match="leaf"):
        made(_doubled_in_place, lambda ctx, g: g * 2).apply(leaf(1.0))


def test_marked_and_integer_results_have_no_history():
    def forward(ctx, x):
        marked = x * 3
        ctx.mark_non_differentiable(marked)
        return x * 2, marked, x.long()

    seen = []
    f = made(forward, lambda ctx, g, h, i: (seen.append((h.tolist(), i.tolist())), g * 2)[1])
    y, marked, whole = f.apply(leaf(1.0))
    assert (y.requires_grad, marked.requires_grad, whole.requires_grad) == (True, False, False)
    y.sum().backward()
    assert seen == [([0.0], [0])]


def test_results_that_are_no_tensors_pass_through():
    y, n, nothing = made(lambda ctx, x: (x * 2, 3, None), lambda ctx, *g: g[0] * 2).apply(leaf(1.0))
    assert (n, nothing) == (3, None)
    assert y.requires_grad


class Scaled(Function):
    """forward without ctx."""

    @staticmethod
    def forward(x, factor=3.0):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.factor = inputs

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


def test_setup_context_gets_the_arguments_with_their_defaults():
    x = leaf(1.0)
    Scaled.apply(x).sum().backward()
    assert x.grad.item() == 3.0
    Scaled.apply(x, factor=2.0).sum().backward()
    assert x.grad.item() == 5.0
    with pytest.raises(TypeError):
        Scaled.apply(x, size=2.0)


def test_vjp_is_another_name_for_backward():
    f = type(
        "Named", (Function,), {"forward": staticmethod(lambda ctx, x: x * 2), "vjp": staticmethod(lambda ctx, g: g * 2)}
    )
    x = leaf(1.0)
    f.apply(x).sum().backward()
    assert x.grad.item() == 2.0


def test_saved_tensors_are_freed_by_backward():
    y = Cube.apply(leaf(1.0))
    fn = y.grad_fn
    y.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        _ = fn.saved_tensors
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


def test_retain_graph_keeps_saved_tensors():
    x = leaf(1.0)
    y = Cube.apply(x)
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert x.grad.item() == 6.0


def test_a_function_that_saved_nothing_can_run_twice():
    x = leaf(1.0)
    y = made(lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x)
    y.sum().backward()
    tg.autograd.backward(y, tg.ones(1, dtype=tg.float64))
    assert x.grad.item() == 4.0


def test_a_saved_tensor_that_was_overwritten_is_refused():
    x = leaf(1.0)
    a = x * 1
    y = Cube.apply(a)
    a.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        y.sum().backward()


def test_once_differentiable_refuses_the_second_derivative():
    f = type(
        "Once",
        (Function,),
        {"forward": staticmethod(Cube.forward), "backward": staticmethod(once_differentiable(Cube.backward))},
    )
    x, v = leaf(2.0), leaf(1.0)
    (g,) = tg.autograd.grad(f.apply(x), x, v, create_graph=True)
    assert g.item() == 12.0
    with pytest.raises(RuntimeError):
        g.sum().backward()


@pytest.mark.parametrize(
    ("forward", "backward", "arguments", "error"),
    [
        (lambda ctx, x, k: x * 1, lambda ctx, g: g, (leaf(1.0), 2), RuntimeError),
        (lambda ctx, x: x * 1, lambda ctx, g: (g, g), (leaf(1.0),), RuntimeError),
        (lambda ctx, x, k: x * 1, lambda ctx, g: (g, g), (leaf(1.0), 2), RuntimeError),
        (lambda ctx, x: x * 1, lambda ctx, g: 3.0, (leaf(1.0),), RuntimeError),
        (lambda ctx, x: x * 1, lambda ctx, g: tg.ones(3), (leaf(1.0, 2.0),), RuntimeError),
        (lambda ctx, x: x * 1, lambda ctx, g: tg.ones(()), (leaf(1.0, 2.0),), RuntimeError),
        (lambda ctx, x: (ctx.save_for_backward(3), x * 1)[1], lambda ctx, g: g, (leaf(1.0),), TypeError),
    ],
)
def test_a_wrong_backward_is_refused(forward, backward, arguments, error):
    with pytest.raises(error):
        made(forward, backward).apply(*arguments).sum().backward()


def test_a_missing_method_is_named():
    with pytest.raises(NotImplementedError, match="forward"):
        type("Empty", (Function,), {}).apply(leaf(1.0))
    with pytest.raises(NotImplementedError, match="backward"):
        type("Half", (Function,), {"forward": staticmethod(lambda ctx, x: x * 1)}).apply(leaf(1.0)).sum().backward()


def test_a_function_is_not_called_as_an_object():
    with pytest.raises(RuntimeError, match="apply"):
        Cube()(leaf(1.0))


def test_backward_is_not_run_for_a_target_above_it():
    calls = []
    f = made(lambda ctx, x: x * 2, lambda ctx, g: calls.append(1) or g * 2)
    y = f.apply(leaf(1.0))
    assert tg.autograd.grad((y * 3).sum(), y)[0].item() == 3.0
    assert calls == []


def test_reentrant_backward_inside_backward():
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        with tg.enable_grad():
            inner = x.detach().requires_grad_()
            (d,) = tg.autograd.grad((inner**3).sum(), inner)
        return g * d

    f = made(lambda ctx, x: (ctx.save_for_backward(x), x**3)[1], backward)
    assert gradcheck(f.apply, (leaf(0.5, 2.0),))


@pytest.mark.parametrize("forward", [lambda ctx, x: x.view(-1), lambda ctx, x: x])
@pytest.mark.parametrize("write_to_base", [False, True])
def test_writing_to_a_view_that_a_function_returned_is_refused(forward, write_to_base):
    a = tg.ones(2, 2, requires_grad=True) * 1
    y = made(forward, lambda ctx, g: g.view(2, 2) * 10).apply(a)
    (g,) = tg.autograd.grad(y.sum(), a, retain_graph=True)
    assert g.tolist() == [[10.0, 10.0]] * 2
    if write_to_base:
        a.mul_(2)  # allowed, but the view is of no use from then on
    with pytest.raises(RuntimeError, match="custom Function"):
        y.mul_(2)
    assert not write_to_base or repr(y).endswith("grad_fn=<Invalid>)")


def test_a_cloned_result_can_be_written():
    x = tg.ones(2, 2, requires_grad=True)
    y = made(lambda ctx, x: x.view(-1), lambda ctx, g: g.view(2, 2) * 10).apply(x).clone()
    y.mul_(2)
    assert tg.autograd.grad(y.sum(), x)[0].tolist() == [[20.0, 20.0]] * 2
