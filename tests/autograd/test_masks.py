"""Derivatives through selections: a branch that was not taken never turns a gradient into nan, in any kind of sweep and to second order."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.errors import GraphFreedError
from tracegrad.ir.masking import where_masks_matter
from tracegrad.ir.sweep import reachable

_spec = importlib.util.spec_from_file_location("trap_list", Path(__file__).parents[2] / "benchmarks" / "trap_list.py")
assert _spec is not None and _spec.loader is not None
traps = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(traps)

ALL = [pytest.param(t, id=t.text.replace("`", "")) for t in traps.TRAPS]
RECORDABLE = [p for p in ALL if "[mask]" not in p.id]  # a boolean index has a shape that a recording cannot know
FIRST = [
    p
    for p in RECORDABLE
    if p.id.startswith(("where(x > 0, s", "where(x < 10", "sqrt(x)[1:]", "Coulomb", "attention", "amax"))
]


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    before = tg.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    yield
    tg.set_default_dtype(before)


def leaf(values: Any) -> tg.Tensor:
    return tg.tensor(values, dtype=tg.float64, requires_grad=True)


def total(trap: Any) -> Any:
    return lambda x: trap.function(tg, x).sum()


def close(got: Any, exact: Any) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(exact, float), rtol=1e-9, atol=1e-12)


# --- the traps, in every kind of sweep


@pytest.mark.parametrize("trap", ALL)
def test_backward_gives_the_derivative_of_the_branch_that_was_taken(trap):
    x = leaf(trap.point)
    total(trap)(x).backward()
    close(x.grad, trap.first)


@pytest.mark.parametrize("trap", ALL)
def test_the_recorded_derivative_and_its_derivative_are_right(trap):
    x = leaf(trap.point)
    (g,) = tg.autograd.grad(total(trap)(x), x, create_graph=True)
    close(g.detach(), trap.first)
    if g.requires_grad:
        (h,) = tg.autograd.grad(g.sum(), x, allow_unused=True, materialize_grads=True)
        close(h, trap.second)
    else:
        close(np.zeros(x.shape), trap.second)


@pytest.mark.parametrize("trap", ALL)
def test_third_derivatives_are_finite(trap):
    x = leaf(trap.point)
    value = total(trap)(x)
    for _ in range(3):
        if value.requires_grad:
            (g,) = tg.autograd.grad(value, x, create_graph=True, allow_unused=True, materialize_grads=True)
            assert tg.isfinite(g).all()
            value = g.sum()


@pytest.mark.parametrize("trap", RECORDABLE)
def test_compiled_gradients_and_hessians_are_right(trap):
    x = leaf(trap.point).detach()
    close(tg.compile(tg.func.grad(total(trap)))(x), trap.first)
    close(tg.compile(tg.func.grad(lambda x: tg.func.grad(total(trap))(x).sum()))(x), trap.second)


@pytest.mark.parametrize("trap", RECORDABLE)
def test_the_hessian_is_right(trap):
    x = leaf(trap.point).detach()
    found = tg.func.hessian(total(trap))(x)
    axes = tuple(range(x.dim(), 2 * x.dim()))
    close(found.sum(axes), trap.second)


@pytest.mark.parametrize("trap", RECORDABLE)
def test_backward_through_a_compiled_function_is_right_to_second_order(trap):
    x = leaf(trap.point)
    compiled = tg.compile(total(trap))
    compiled(x).backward()
    close(x.grad, trap.first)
    (g,) = tg.autograd.grad(compiled(x), x, create_graph=True)
    if g.requires_grad:
        (h,) = tg.autograd.grad(g.sum(), x, allow_unused=True, materialize_grads=True)
        close(h, trap.second)


@pytest.mark.parametrize("trap", FIRST)
@pytest.mark.parametrize("mode", [tg.func.jacrev, tg.func.jacfwd])
def test_jacobians_are_right_in_both_modes(trap, mode):
    x = leaf(trap.point).detach()
    found = mode(lambda x: trap.function(tg, x))(x)
    close(found.reshape(-1, *x.shape).sum(0), trap.first)


@pytest.mark.parametrize("trap", FIRST)
def test_per_example_gradients_are_right(trap):
    x = leaf(trap.point).detach()
    close(tg.func.vmap(tg.func.grad(total(trap)))(tg.stack([x, x])), [trap.first, trap.first])


@pytest.mark.parametrize("trap", FIRST)
def test_hooks_see_and_keep_the_masked_gradients(trap):
    x = leaf(trap.point)
    seen = []
    x.register_hook(lambda g: seen.append(g.numpy().copy()))
    total(trap)(x).backward()
    close(x.grad, trap.first)
    close(seen, [trap.first])


@pytest.mark.parametrize("trap", FIRST)
def test_anomaly_mode_finds_nothing_to_complain_about(trap):
    x = leaf(trap.point)
    with pytest.warns(UserWarning, match="Anomaly"), tg.autograd.detect_anomaly():
        total(trap)(x).backward()
    close(x.grad, trap.first)


@pytest.mark.parametrize("trap", FIRST)
def test_chosen_inputs_get_the_masked_gradients(trap):
    x, other = leaf(trap.point), leaf(trap.point)
    value = total(trap)(x) + total(trap)(other)
    value.backward(inputs=[x], retain_graph=True)
    close(x.grad, trap.first)
    assert other.grad is None
    close(tg.autograd.grad(value, other)[0], trap.first)


@pytest.mark.parametrize("trap", FIRST)
def test_saved_tensor_hooks_do_not_change_the_result(trap):
    x = leaf(trap.point)
    with tg.autograd.graph.saved_tensors_hooks(lambda t: t.numpy().copy(), tg.from_numpy):
        value = total(trap)(x)
    value.backward()
    close(x.grad, trap.first)


# --- the rules of masks


def test_a_second_backward_adds_once_more():
    x = leaf([0.0, 4.0])
    for count in (1, 2, 3):
        tg.where(x > 0, x.sqrt(), 0.0).sum().backward()
        close(x.grad, [0, count / 4])


@pytest.mark.parametrize("point", [[0.0, 4.0], [1.0, 4.0]])
def test_the_graph_is_freed_as_ever(point):
    x = leaf(point)
    value = tg.where(x > 0, x.sqrt(), 0.0).sum()
    value.backward(retain_graph=True)
    value.backward()
    with pytest.raises(GraphFreedError):
        value.backward()


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_a_use_without_selection_ends_the_mask(create_graph, order):
    x = leaf([0.0, 4.0])
    root = x.sqrt()
    terms = [tg.where(x > 0, root, 0.0), root * 0.0][::order]
    (g,) = tg.autograd.grad((terms[0] + terms[1]).sum(), x, create_graph=create_graph)
    assert tg.isnan(g[0])
    close(g[1].detach(), 0.25)


@pytest.mark.parametrize("create_graph", [False, True])
def test_two_selections_keep_what_one_of_them_chose(create_graph):
    x = leaf([0.0, 1.0, 4.0])
    root = x.sqrt()
    first, second = tg.tensor([False, True, False]), tg.tensor([False, False, True])
    (g,) = tg.autograd.grad(
        (tg.where(first, root, 0.0) + tg.where(second, root, 0.0)).sum(), x, create_graph=create_graph
    )
    close(g.detach(), [0, 0.5, 0.25])


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_element_that_one_selection_chose_counts(create_graph):
    x = leaf([0.0, 4.0])
    root = x.sqrt()
    (g,) = tg.autograd.grad(
        (tg.where(x > 0, root, 0.0) + tg.where(x < 1, root, 0.0)).sum(), x, create_graph=create_graph
    )
    close(g.detach(), [np.inf, 0.25])


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_that_happens_to_be_zero_is_multiplied_as_usual(create_graph):
    x = leaf([0.0, 4.0])
    (g,) = tg.autograd.grad((x.sqrt() * tg.tensor([0.0, 1.0])).sum(), x, create_graph=create_graph)
    assert tg.isnan(g[0])


def test_masks_do_not_cross_a_matrix_product():
    x = leaf([0.0, 4.0])
    z = tg.mv(tg.eye(2), x.sqrt())
    tg.where(tg.tensor([False, True]), z, 0.0).sum().backward()
    assert tg.isnan(x.grad[0])


def test_a_hook_that_scales_keeps_the_mask_and_one_that_adds_ends_it_there():
    for change, expected in ((lambda g: g * 2, [0, 0.5]), (lambda g: g + 1, [np.inf, 0.5])):
        x = leaf([0.0, 4.0])
        root = x.sqrt()
        root.register_hook(change)
        tg.where(x > 0, root, 0.0).sum().backward()
        close(x.grad, expected)


def test_a_retained_gradient_holds_the_zeros_of_the_selection():
    x = leaf([0.0, 4.0])
    root = x.sqrt()
    root.retain_grad()
    tg.where(x > 0, root, 0.0).sum().backward()
    close(root.grad, [0, 1])
    close(x.grad, [0, 0.25])


def test_an_expanded_operand_gets_the_sum_over_what_was_chosen():
    x = leaf([0.0])
    y = tg.tensor([1.0, 2.0, np.inf])
    tg.where(tg.isfinite(y), x * y, 0.0).sum().backward()
    close(x.grad, [3])


def test_several_results_of_one_operator_keep_their_masks_apart():
    x = leaf([[0.0, 4.0], [1.0, 0.0]])
    values, _ = x.sqrt().max(1)
    values.sum().backward()
    close(x.grad, [[0, 0.25], [0.5, 0]])


def test_assignment_through_a_mask_is_a_selection():
    x = leaf([0.0, 4.0])
    y = x.log()
    y[x <= 0] = 0.0
    y.sum().backward()
    close(x.grad, [0, 0.25])


def test_ignored_classes_of_a_likelihood_do_not_count():
    p = leaf([[0.5, 0.0], [0.0, 1.0]])
    tg.nn.functional.nll_loss(p.log(), tg.tensor([0, 1]), reduction="sum").backward()
    close(p.grad, [[-2, 0], [0, -1]])


# --- ordinary programs are left alone


def order_of(value: tg.Tensor) -> Any:
    return reachable([value._node])


def test_masks_matter_only_behind_a_product_with_values():
    x, w, b = leaf([[1.0, 2.0]]), leaf([[1.0], [2.0]]), leaf([0.5])
    assert not where_masks_matter(order_of(tg.relu(x @ w + b).sum()))
    assert not where_masks_matter(order_of((x * 2 - 1)[:, 0].sum()))
    assert not where_masks_matter(order_of((x.sin() * x).sum()))
    assert where_masks_matter(order_of(tg.relu(x * w.t()).sum()))


def test_a_loss_that_picks_from_every_row_needs_no_mask_of_rows():
    x, target = leaf([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([0, 1])
    assert not where_masks_matter(order_of(tg.nn.functional.cross_entropy(x, target)))
    assert where_masks_matter(order_of(tg.nn.functional.nll_loss(tg.log(x), target)))


def test_a_masked_sweep_captures_what_a_step_is_given_before_its_tensors_hooks():
    x = tg.tensor([1.0, 4.0], requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    at_y, at_x = tg.autograd.grad(tg.relu(y * y).sum(), [y, x])
    assert at_y.tolist() == [4.0, 16.0]
    assert at_x.tolist() == [80.0, 320.0]


def test_a_masked_sweep_runs_the_step_hooks_of_an_inner_input():
    x = tg.tensor([1.0, 4.0], requires_grad=True)
    y = x * 2
    calls = []
    y.grad_fn.register_prehook(lambda grads: calls.append("before"))
    y.grad_fn.register_hook(lambda inputs, outputs: calls.append("after"))
    tg.where(y > 5, tg.sqrt(y), 0.0).sum().backward(inputs=[y])
    assert calls == ["before", "after"]
    assert y.grad.tolist() == pytest.approx([0.0, 0.5 / 8**0.5])
