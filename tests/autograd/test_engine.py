"""backward and grad: roots, targets, accumulation, freed graphs, depth."""

import gc
import weakref

import pytest

import tracegrad as tg

DEEP = 200_000


def leaf(*values):
    return tg.tensor(list(values), requires_grad=True)


def test_the_gradient_of_a_scalar_is_implicit():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


def test_one_element_of_any_shape_is_a_scalar():
    x = leaf(3.0)
    (x * x).reshape(1, 1).backward()
    assert x.grad.item() == 6.0


def test_a_gradient_weights_the_roots():
    x = leaf(1.0, 2.0)
    (x * x).backward(tg.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]


def test_several_roots_add_up():
    x = leaf(1.0)
    y = x * 2
    tg.autograd.backward([y, y, x * 3], [tg.ones(1), None, tg.ones(1)])
    assert x.grad.item() == 7.0


def test_backward_accumulates_into_the_same_tensor():
    x = leaf(1.0)
    (x * 2).backward()
    first = x.grad
    (x * 3).backward()
    assert x.grad is first
    assert first.item() == 5.0


def test_the_caller_s_gradient_is_not_taken_over():
    x = leaf(1.0, 2.0)
    v = tg.ones(2)
    x.backward(v)
    x.backward(v)
    assert v.tolist() == [1.0, 1.0]
    assert x.grad.tolist() == [2.0, 2.0]


def test_two_leaves_never_share_a_gradient():
    x, y = leaf(1.0), leaf(1.0)
    (x + y).backward()
    x.grad.zero_()
    assert y.grad.item() == 1.0


def test_a_gradient_that_is_a_view_is_copied():
    x = leaf(1.0, 2.0)
    x.sum().backward()
    x.grad[0] = 5.0
    assert x.grad.tolist() == [5.0, 1.0]


def test_inputs_limit_what_is_accumulated():
    x, y = leaf(1.0), leaf(2.0)
    z = x * y
    (z * 3).backward(inputs=[x, z])
    assert x.grad.item() == 6.0
    assert z._grad.item() == 3.0
    assert y.grad is None


def test_grad_leaves_dot_grad_alone():
    x = leaf(1.0)
    assert tg.autograd.grad(x * 2, x)[0].item() == 2.0
    assert x.grad is None


def test_an_unused_input_is_refused_allowed_or_zero():
    x, y = leaf(1.0), leaf(2.0, 3.0)
    with pytest.raises(RuntimeError, match="not have been used"):
        tg.autograd.grad(x * 2, y)
    assert tg.autograd.grad(x * 2, y, allow_unused=True) == (None,)
    assert tg.autograd.grad(x * 2, y, materialize_grads=True)[0].tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="materialize"):
        tg.autograd.grad(x * 2, y, materialize_grads=True, allow_unused=False)


def test_the_gradient_of_a_root_is_its_weight():
    x = leaf(1.0)
    y = x * 2
    assert tg.autograd.grad(y, [y, x])[0].item() == 1.0


def test_a_freed_graph_is_refused():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_graph_that_saved_nothing_runs_again():
    x = leaf(1.0)
    y = x + x
    y.backward()
    y.backward()
    assert x.grad.item() == 4.0


def test_retain_graph_allows_a_second_backward():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0


def test_create_graph_gives_gradients_with_history():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    assert tg.autograd.grad(x.grad.sum(), x)[0].item() == 12.0


def test_is_grads_batched_gives_one_row_per_weight():
    x = leaf(1.0, 2.0)
    (g,) = tg.autograd.grad(x * x, x, tg.eye(2), is_grads_batched=True)
    assert g.tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_empty_and_zero_dimensional_values_work():
    x = tg.zeros(0, 3, requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad.shape == (0, 3)
    s = tg.tensor(2.0, requires_grad=True)
    (s * s).backward()
    assert s.grad.shape == ()


def test_a_non_scalar_root_leaves_the_state_unchanged():
    x = leaf(1.0, 2.0)
    y = x * x
    with pytest.raises(RuntimeError, match="scalar"):
        y.backward()
    assert x.grad is None
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda: tg.ones(()).backward(), RuntimeError),
        (lambda: (leaf(1.0, 2.0) * 2).backward(tg.ones(3)), RuntimeError),
        (lambda: (leaf(1.0, 2.0) * 2).backward(3.0), TypeError),
        (lambda: tg.autograd.grad(3.0, leaf(1.0)), TypeError),
        (lambda: tg.autograd.grad(leaf(1.0).sum(), 3), TypeError),
        (lambda: tg.autograd.grad(leaf(1.0).sum(), tg.ones(1)), RuntimeError),
        (lambda: tg.autograd.grad(leaf(1.0).sum(), []), RuntimeError),
        (lambda: leaf(1.0).sum().backward(inputs=[]), RuntimeError),
    ],
)
def test_bad_calls_raise_torch_s_class(act, error):
    with pytest.raises(error):
        act()


def test_grad_of_a_non_leaf_warns():
    y = leaf(1.0) * 2
    with pytest.warns(UserWarning, match="not a leaf"):
        assert y.grad is None


def test_a_long_chain_is_recorded_swept_and_released_without_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(DEEP):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    last = weakref.ref(y._node)
    del y
    assert last() is None


def test_a_long_chain_is_differentiated_with_create_graph():
    x = leaf(1.0)
    y = x
    for _ in range(2000):
        y = y * 1.0
    (g,) = tg.autograd.grad(y, x, create_graph=True)
    assert g.item() == 1.0


def test_a_graph_makes_no_reference_cycles():
    x = leaf(1.0, 2.0)
    gc.collect()
    gc.disable()
    try:
        y = (x.sin() * x).sum()
        y.backward(retain_graph=True)
        (g,) = tg.autograd.grad(y, x, create_graph=True)
        h = g.sum()
        gone = [weakref.ref(t._node) for t in (y, g, h)]
        del y, g, h
        assert [r() for r in gone] == [None] * 3
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_first_gradient_is_adopted_without_a_copy_but_never_the_caller_s_array():
    from tracegrad.autograd import accumulation as engine

    x = tg.ones(3, requires_grad=True)
    kept = []
    before, engine.own = engine.own, lambda g, dtype: kept.append(1) or before(g, dtype)
    try:
        (x * 2).backward(tg.ones(3))
        assert kept == []
        x.grad = None
        x.backward(tg.ones(3))
        assert kept == [1]
    finally:
        engine.own = before
