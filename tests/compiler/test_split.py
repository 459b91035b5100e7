"""Gradients through a compiled function whose forward saves what its backward reads."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import tracegrad as tg
from tests.compiler.random_programs import Program, tolerance
from tests.compiler.test_fuzz import check_same


def layer(x, w):
    return (x @ w).tanh().sum(1), (x @ w).exp()


def leaves(*shapes):
    tg.manual_seed(0)
    return [tg.randn(*shape, dtype=tg.float64, requires_grad=True) for shape in shapes]


def prepared(function=layer, shapes=((4, 3), (3, 5))):
    """A compiled function after its first backward, and its arguments."""
    compiled = tg.compile(function)
    arguments = leaves(*shapes)
    tg.autograd.grad(loss_of(compiled(*arguments)), arguments)
    return compiled, arguments


def loss_of(outputs):
    return sum((i + 1) * (o * o).sum() for i, o in enumerate(tg.pytree.leaves(outputs)))


def saved_bytes(y):
    """What the compiled step behind y keeps beside its leaves."""
    node = y._node
    while node.op.name != "compiled_call":
        node = node.inputs[0]
    return sum(a.nbytes for a in node.saved[1] or ())


def check_gradients(backend):
    compiled = tg.compile(layer, backend=backend)
    for scale in (1.0, 0.5, 2.0):
        arguments = [(t.detach() * scale).requires_grad_() for t in leaves((4, 3), (3, 5))]
        expected = tg.autograd.grad(loss_of(layer(*arguments)), arguments)
        found = tg.autograd.grad(loss_of(compiled(*arguments)), arguments)
        check_same(list(found), list(expected), 1e-12)
    assert compiled.compilations == 1


def test_every_call_has_the_eager_gradients():
    check_gradients("numpy")


@pytest.mark.parametrize("seed", range(200, 240))
def test_a_random_program_has_the_eager_gradients_at_each_call(seed):
    program = Program(seed)
    compiled = tg.compile(program.function())
    for scale in (1.0, 0.8, 0.9):
        found = []
        for f in (program.function(), compiled):
            arguments = program.arguments(scale)
            inputs = [t.requires_grad_() for t in (*arguments[:3], arguments[3]["w"], arguments[3]["t"][0])]
            made = [o.tanh().sum() for o in tg.pytree.leaves(f(*arguments)) if o.requires_grad]
            if made:
                found.append(list(tg.autograd.grad(sum(made), inputs, allow_unused=True, materialize_grads=True)))
        if found:
            check_same(found[1], found[0], tolerance(program, "gradient"))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_derivatives_of_any_order_go_through_saved_values(order):
    compiled, arguments = prepared()

    def total(f):
        value = loss_of(f(*arguments))
        for _ in range(order):
            parts = tg.autograd.grad(value, arguments, create_graph=True)
            value = sum((p * p).sum() for p in parts) / 100
        return value.detach()

    assert total(compiled).item() == pytest.approx(total(layer).item(), rel=1e-10)


def test_only_a_call_after_the_first_backward_saves_values():
    compiled = tg.compile(layer)
    arguments = leaves((4, 3), (3, 5))
    first = compiled(*arguments)[0].sum()
    assert saved_bytes(first) == 0
    first.backward()
    assert saved_bytes(compiled(*arguments)[0].sum()) == 4 * 5 * 8


def test_saved_values_go_with_the_backward():
    compiled, arguments = prepared()
    y = compiled(*arguments)[0].sum()
    node = y._node
    while node.op.name != "compiled_call":
        node = node.inputs[0]
    saved = weakref.ref(node.saved[1][0])
    y.backward(retain_graph=True)
    assert saved() is not None
    y.backward()
    gc.collect()
    assert saved() is None
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_retained_graph_gives_the_same_again():
    compiled, arguments = prepared()
    loss = loss_of(compiled(*arguments))
    first = tg.autograd.grad(loss, arguments, retain_graph=True)
    check_same(list(tg.autograd.grad(loss, arguments)), list(first), 0)


def test_hooks_see_and_change_gradients():
    found = []
    for f in (layer, prepared()[0]):
        arguments = leaves((4, 3), (3, 5))
        rows, powers = f(*arguments)
        seen = []
        rows.register_hook(lambda g, seen=seen: seen.append(g.clone()))
        powers.register_hook(lambda g: g * 2)
        arguments[0].register_hook(lambda g: g + 1)
        loss_of((rows, powers)).backward()
        found.append([*seen, arguments[0].grad, arguments[1].grad])
    check_same(found[1], found[0], 1e-12)


def test_a_hook_on_the_compiled_step_runs():
    compiled, arguments = prepared()
    rows, _ = compiled(*arguments)
    seen = []
    rows.grad_fn.register_hook(lambda inputs, outputs: seen.append(len(inputs)))
    rows.sum().backward()
    assert len(seen) == 1
    assert arguments[0].grad is not None


def test_one_result_alone_may_be_followed():
    compiled, arguments = prepared()
    check_same(
        list(tg.autograd.grad(compiled(*arguments)[1].sum(), arguments)),
        list(tg.autograd.grad(layer(*arguments)[1].sum(), arguments)),
        1e-12,
    )


def test_a_write_to_a_result_that_the_backward_reads_is_noticed():
    compiled, arguments = prepared(lambda x, w: (x @ w).exp())
    y = compiled(*arguments)
    y.detach().mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_write_to_an_argument_is_noticed():
    compiled, arguments = prepared()
    y = compiled(*arguments)[0].sum()
    with tg.no_grad():
        arguments[1].mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_what_is_followed_may_differ_from_call_to_call():
    compiled, (x, w) = prepared()
    plain = x.detach()
    (found,) = tg.autograd.grad(loss_of(compiled(plain, w)), w)
    (expected,) = tg.autograd.grad(loss_of(layer(plain, w)), w)
    check_same(found, expected, 1e-12)
    check_same(compiled(plain, w.detach())[0], layer(plain, w.detach())[0], 1e-12)


def test_random_numbers_are_those_of_the_forward():
    def dropped(x, w):
        h = x @ w
        return (h * (tg.rand(*h.shape, dtype=tg.float64) > 0.5)).exp()

    compiled, arguments = prepared(dropped)
    found = []
    for f in (dropped, compiled):
        tg.manual_seed(3)
        found.append(list(tg.autograd.grad(f(*arguments).sum(), arguments)))
    check_same(found[1], found[0], 1e-12)


def test_a_training_loop_takes_the_eager_path():
    def losses(f):
        tg.manual_seed(1)
        w, v = (tg.randn(3, 3, dtype=tg.float64, requires_grad=True) for _ in range(2))
        x, optimizer = tg.randn(5, 3, dtype=tg.float64), tg.optim.SGD([w, v], lr=0.05, momentum=0.9)
        values = []
        for _ in range(6):
            optimizer.zero_grad()
            loss = f(x, w, v)
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        return values

    def model(x, w, v):
        return ((((x @ w).relu() @ v).log_softmax(1)) ** 2).mean()

    np.testing.assert_allclose(losses(tg.compile(model)), losses(model), rtol=1e-12)


def test_the_bytes_between_forward_and_backward_are_told():
    compiled, _ = prepared()
    (program,) = compiled._programs.values()
    (parts,) = program.partitions
    assert (parts.saved_bytes, parts.naive_bytes) == (4 * 5 * 8, 2 * 4 * 5 * 8)


def test_where_nothing_is_saved_there_is_no_second_forward():
    compiled, _ = prepared(lambda x: (x.sin() * x).exp(), ((4, 3),))
    (program,) = compiled._programs.values()
    (backward,) = program._backward.values()
    assert backward.split.forward is program.executable
