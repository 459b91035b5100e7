"""Dual tensors: tangents through every operator, in-place writes and views, together with the tape."""

import threading

import numpy as np
import pytest

import tracegrad as tg
import tracegrad.autograd.forward_ad as fw
from tests.ops.cases import Case, smooth_cases
from tests.ops.test_every_operator import CLOSE, jvp_by_graph
from tracegrad.eager.tensor import handle

X, T = tg.tensor([1.0, 2.0, 3.0]), tg.tensor([1.0, 0.5, -1.0])


@pytest.fixture
def dual():
    with fw.dual_level():
        yield fw.make_dual(X.clone(), T)


def tangent(t):
    return fw.unpack_dual(t).tangent


@smooth_cases
def test_the_tangent_of_an_operator_is_that_of_the_jvp_pass(op, number):
    case = Case(op, number)
    directions = case.directions()
    expected = jvp_by_graph(case, directions)
    with fw.dual_level():
        tensors = [handle(np.array(a), None) for a in case.arrays]
        for i, d in zip(case.followed(), directions, strict=True):
            tensors[i] = fw.make_dual(tensors[i], handle(np.array(d), None))
        made = case.eager(tensors)
        found = [tangent(made[i]) for i in case.differentiable()]
    for have, want in zip(found, expected, strict=True):
        have = np.zeros_like(want) if have is None else have.numpy()
        np.testing.assert_allclose(have, want, **CLOSE)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda z: z.mul_(3), [3.0, 1.5, -3.0]),
        (lambda z: z.add_(1), [1.0, 0.5, -1.0]),
        (lambda z: z.zero_(), [0.0, 0.0, 0.0]),
        (lambda z: z.copy_(tg.ones(3)), [0.0, 0.0, 0.0]),
        (lambda z: z.__setitem__(0, 7.0), [0.0, 0.5, -1.0]),
        (lambda z: z[:2].mul_(5), [5.0, 2.5, -1.0]),
        (lambda z: z.view(3, 1)[1:].mul_(2), [1.0, 1.0, -2.0]),
        (lambda z: z.square_(), [2.0, 2.0, -6.0]),
    ],
)
def test_a_write_changes_the_tangent(dual, write, expected):
    z = dual.clone()
    write(z)
    assert tangent(z).tolist() == expected


def test_a_write_to_a_view_reaches_the_base_and_the_other_views(dual):
    base = tg.zeros(2, 3)
    row, column = base[0], base[:, 1]
    row.add_(dual)
    assert tangent(base).tolist() == [T.tolist(), [0.0, 0.0, 0.0]]
    assert tangent(column).tolist() == [0.5, 0.0]


def test_a_write_to_a_transposed_base_keeps_the_places(dual):
    base = tg.zeros(3, 2).t()
    base[0].add_(dual)
    assert tangent(base).tolist() == [T.tolist(), [0.0, 0.0, 0.0]]


def test_a_write_to_the_dual_tensor_leaves_the_primal_without_tangent():
    x = X.clone()
    with fw.dual_level():
        d = fw.make_dual(x, T)
        d.mul_(2)
        assert tangent(x) is None
        assert (x.tolist(), tangent(d).tolist()) == ([2.0, 4.0, 6.0], [2.0, 1.0, -2.0])


def test_a_number_written_in_place_under_no_grad_still_moves(dual):
    with tg.no_grad():
        assert tangent(dual * 2).tolist() == [2.0, 1.0, -2.0]


@pytest.mark.parametrize("cut", [lambda d: d.detach(), lambda d: d.data, lambda d: d > 1, lambda d: d.long()])
def test_what_has_no_derivative_has_no_tangent(dual, cut):
    assert tangent(cut(dual)) is None


def test_a_tangent_has_a_history_of_its_own():
    x = X.clone().requires_grad_()
    with fw.dual_level():
        along = tangent((fw.make_dual(x, T) ** 3).sum())
    assert tg.autograd.grad(along, x)[0].tolist() == [6.0, 6.0, -18.0]


def test_a_gradient_has_a_tangent_the_product_with_the_hessian():
    x = X.clone().requires_grad_()
    with fw.dual_level():
        d = fw.make_dual(x, T)
        (g,) = tg.autograd.grad((d**3).sum(), d)
        assert tangent(g).tolist() == [6.0, 6.0, -18.0]


def test_a_gradient_through_a_custom_function_has_a_tangent():
    class Cube(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

        @staticmethod
        def jvp(ctx, t):
            return 3 * ctx.saved_tensors[0] ** 2 * t

    x = X.clone().requires_grad_()
    with fw.dual_level():
        d = fw.make_dual(x, T)
        y = Cube.apply(d)
        assert tangent(y).tolist() == [3.0, 6.0, -27.0]
        (g,) = tg.autograd.grad(y.sum(), d)
        assert tangent(g).tolist() == [6.0, 6.0, -18.0]


def test_saved_tensor_hooks_and_a_level_work_together():
    seen = []
    x = X.clone().requires_grad_()
    with fw.dual_level(), tg.autograd.graph.saved_tensors_hooks(lambda t: seen.append(1) or t, lambda t: t):
        y = fw.make_dual(x, T).exp()
        assert tangent(y) is not None
    assert seen


def test_tangents_end_with_their_level():
    with fw.dual_level():
        d = fw.make_dual(X, T)
    assert fw.unpack_dual(d).tangent is None
    with fw.dual_level():
        assert tangent(d) is None
        assert tangent(d * 2) is None


def test_a_level_is_closed_by_an_exception():
    with pytest.raises(KeyError), fw.dual_level():
        raise KeyError
    with fw.dual_level() as number:
        assert number == 0


def test_levels_belong_to_their_thread():
    found = []

    def other():
        with fw.dual_level():
            found.append(tangent(fw.make_dual(X, T) * 2).tolist())

    with fw.dual_level():
        worker = threading.Thread(target=other)
        worker.start()
        worker.join()
    assert found == [[2.0, 1.0, -2.0]]


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda: fw.make_dual(X, tg.ones(2)), RuntimeError),
        (lambda: fw.make_dual(tg.arange(3), T), ValueError),
        (lambda: fw.make_dual(X, tg.arange(3)), ValueError),
        (lambda: fw.make_dual(X, 1.0), AttributeError),
        (lambda: fw.make_dual(fw.make_dual(X, T), T), RuntimeError),
        (fw.enter_dual_level, RuntimeError),
        (lambda: fw.exit_dual_level(level=1), RuntimeError),
    ],
)
def test_a_mistake_raises_torch_s_class(dual, mistake, error):
    with pytest.raises(error):
        mistake()


def test_a_dual_tensor_wants_a_level():
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(X, T)
    with pytest.raises(RuntimeError):
        fw.exit_dual_level()
    assert fw.unpack_dual(X).tangent is None


def test_a_level_prints_tangents(dual):
    assert repr(dual) == "tensor([1., 2., 3.], tangent=tensor([ 1.0000,  0.5000, -1.0000]))"
    assert repr(dual.sum()) == "tensor(6., tangent=0.5)"


def test_a_batched_gradient_is_the_stack_of_single_ones():
    x = tg.linspace(0.1, 1.0, 6, dtype=tg.float64).requires_grad_()
    rows = tg.eye(40, 6, dtype=tg.float64) + 0.5
    y = x.sin() * x.cumsum(0)
    (at_once,) = tg.autograd.grad(y, x, rows, is_grads_batched=True, retain_graph=True)
    single = [tg.autograd.grad(y, x, row, retain_graph=True)[0] for row in rows]
    np.testing.assert_allclose(at_once.numpy(), tg.stack(single).numpy(), rtol=1e-14)


def test_a_tangent_may_not_have_a_tangent_of_the_same_level(dual):
    with pytest.raises(RuntimeError, match="at the same level"):
        fw.make_dual(tg.zeros(3), dual)


def test_an_out_argument_is_refused_where_a_tangent_would_be_lost(dual):
    with pytest.raises(NotImplementedError, match="out= function"):
        tg.add(dual, tg.ones(3), out=tg.zeros(3))
    assert tg.add(tg.ones(3), 1, out=tg.zeros(3)).tolist() == [2.0, 2.0, 2.0]
