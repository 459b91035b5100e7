"""Hooks on tensors: order, removal, replacement, retained gradients."""

import pytest

import tracegrad as tg


def leaf(*values):
    return tg.tensor(list(values), requires_grad=True)


def test_hooks_run_in_the_order_of_registration_and_replace_the_gradient():
    x = leaf(1.0, 2.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: seen.append(g.tolist()))
    x.sum().backward()
    assert seen == [[1.0, 1.0], [2.0, 2.0]]
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_hook_on_a_non_leaf_changes_what_flows_on():
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    (y * 3).sum().backward()
    assert x.grad.item() == 60.0


def test_a_hook_sees_the_complete_gradient_once():
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    (y + y * 3).sum().backward()
    assert seen == [4.0]


def test_removing_a_hook_twice_is_harmless():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 0)
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert x.grad.item() == 1.0


def test_a_handle_removes_its_hook_at_the_end_of_a_block():
    x = leaf(1.0)
    with x.register_hook(lambda g: g * 0):
        pass
    x.sum().backward()
    assert x.grad.item() == 1.0


def test_retain_grad_keeps_the_gradient_after_the_hooks():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g * 5)
    y.sum().backward()
    assert y.grad.item() == 5.0


def test_a_retained_gradient_accumulates():
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert y.grad.item() == 2.0


def test_retain_grad_on_a_leaf_changes_nothing():
    x = leaf(1.0)
    x.retain_grad()
    x.sum().backward()
    assert x.grad.item() == 1.0


def test_hooks_act_when_the_derivative_is_recorded():
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert g.item() == 18.0
    assert tg.autograd.grad(g, x)[0].item() == 12.0


def test_post_accumulate_hooks_run_after_grad_is_there():
    x = leaf(1.0)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.item()))
    (x * 3).sum().backward()
    (x * 3).sum().backward()
    assert seen == [3.0, 6.0]


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: tg.ones(2).register_hook(print), RuntimeError),
        (lambda: tg.ones(2).retain_grad(), RuntimeError),
        (lambda: tg.ones(2).register_post_accumulate_grad_hook(print), RuntimeError),
        (lambda: (leaf(1.0) * 2).register_post_accumulate_grad_hook(print), RuntimeError),
    ],
)
def test_tensors_without_gradient_take_no_hooks(act, error):
    with pytest.raises(error):
        act()


@pytest.mark.parametrize(
    ("answer", "error"), [(3, TypeError), (tg.ones(3), RuntimeError), (tg.ones(2, dtype=tg.float64), RuntimeError)]
)
def test_an_answer_of_the_wrong_kind_is_refused(answer, error):
    y = leaf(1.0, 2.0) * 2
    y.register_hook(lambda g: answer)
    with pytest.raises(error):
        y.sum().backward()


def test_an_exception_in_a_hook_leaves_the_engine_usable():
    x = leaf(1.0)
    handle = x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * 2).sum().backward()
    handle.remove()
    with pytest.raises(ZeroDivisionError):
        y = x * 2
        y.register_hook(lambda g: 1 / 0)
        tg.autograd.grad(y.sum(), x, create_graph=True)
    assert tg.is_grad_enabled()
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.item() == 2.0


def test_backward_inside_a_hook_works():
    x = leaf(2.0)

    def hook(g):
        inner = leaf(5.0)
        with tg.enable_grad():
            (inner * inner).sum().backward()
        return g * inner.grad

    x.register_hook(hook)
    (x * 3).sum().backward()
    assert x.grad.item() == 30.0


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_prehook_that_takes_the_gradient_away_leaves_none_behind(create_graph):
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    y.grad_fn.register_prehook(lambda given: (None,))
    y.sum().backward(create_graph=create_graph)
    assert x.grad is None or x.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_a_captured_value_that_others_are_made_of_is_what_its_hooks_were_given(create_graph):
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 3)
    y.grad_fn.register_prehook(lambda given: (given[0] * 5,))
    inner, outer = tg.autograd.grad(y.sum(), [y, x], create_graph=create_graph)
    assert inner.tolist() == [1.0, 1.0]
    assert outer.tolist() == [30.0, 30.0]
    last = x * 2
    last.register_hook(lambda g: g * 3)
    assert tg.autograd.grad(last.sum(), last, create_graph=create_graph)[0].tolist() == [3.0, 3.0]


@pytest.mark.parametrize("answer", [lambda g: g, lambda g: [g], lambda g: 3])
def test_a_step_s_hook_must_give_a_tuple(answer):
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    y.grad_fn.register_hook(lambda made, given: answer(made[0]))
    with pytest.raises(TypeError, match="expected tuple"):
        y.sum().backward()


def test_a_post_accumulate_hook_must_give_none():
    x = tg.ones(2, requires_grad=True)
    x.register_post_accumulate_grad_hook(lambda t: t.grad)
    with pytest.raises(RuntimeError, match="hooks should return None"):
        x.sum().backward()


def test_retain_grad_sees_tensor_hooks_and_no_prehooks():
    x = tg.ones(2, requires_grad=True)
    y = x * 1
    y.retain_grad()
    y.register_hook(lambda g: g * 3)
    y.grad_fn.register_prehook(lambda given: (given[0] * 2,))
    y.sum().backward()
    assert y.grad.tolist() == [3.0, 3.0]
    assert x.grad.tolist() == [6.0, 6.0]
