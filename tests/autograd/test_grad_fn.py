"""The view of the tape that programs written for torch expect."""

import gc
import re

import numpy as np
import pytest

import tracegrad as tg


def leaf(*values):
    return tg.tensor(list(values), requires_grad=True)


def test_a_step_prints_its_name_and_address():
    assert re.fullmatch(r"<AddBackward0 object at 0x[0-9a-f]+>", repr((leaf(1.0) + 2).grad_fn))


def test_name_is_the_class_name():
    fn = (leaf(1.0) * 2).grad_fn
    assert fn.name() == type(fn).__name__ == "MulBackward0"


def test_a_leaf_and_a_plain_tensor_have_none():
    assert leaf(1.0).grad_fn is None
    assert (tg.ones(2) + 1).grad_fn is None


def test_the_same_step_is_the_same_object():
    y = leaf(1.0) * 2
    z = y + y
    assert y.grad_fn is y.grad_fn
    assert z.grad_fn.next_functions[0][0] is y.grad_fn is z.grad_fn.next_functions[1][0]


def test_a_leaf_appears_as_accumulate_grad():
    x = leaf(1.0)
    ((fn, number),) = tg.sin(x).grad_fn.next_functions
    assert number == 0
    assert fn.name() == "torch::autograd::AccumulateGrad"
    assert fn.variable is x
    assert fn.next_functions == ()


def test_an_operand_without_history_is_none():
    functions = (leaf(1.0) + tg.ones(1)).grad_fn.next_functions
    assert functions[1] == (None, 0)
    assert (leaf(1.0) + 2).grad_fn.next_functions[1] == (None, 0)


def test_conversions_by_promotion_do_not_show():
    x = tg.ones(2, dtype=tg.float32, requires_grad=True)
    fn = (x + tg.ones(2, dtype=tg.float64)).grad_fn
    assert fn.next_functions[0][0].name() == "torch::autograd::AccumulateGrad"


def test_results_of_one_step_share_it_and_have_numbers():
    values, indices = tg.max(tg.tensor([[1.0, 2.0]], requires_grad=True), 1)
    assert values.grad_fn.name() == "MaxBackward0"
    assert values.output_nr == 0
    assert indices.grad_fn is None


def test_metadata_is_kept_with_the_step():
    y = leaf(1.0) * 2
    y.grad_fn.metadata["note"] = 3
    gc.collect()
    assert y.grad_fn.metadata == {"note": 3}


def test_a_view_of_the_graph_keeps_nothing_alive_in_cycles():
    y = leaf(1.0) * 2
    fn = y.grad_fn
    _ = fn.next_functions
    gc.collect()
    gc.disable()
    try:
        del y, fn, _
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_hooks_on_a_step_see_and_replace():
    x = leaf(1.0, 2.0)
    y = x * 3
    seen = []

    def before(grad_outputs):
        seen.append(("before", grad_outputs[0].tolist()))
        return (grad_outputs[0] * 2,)

    def after(grad_inputs, grad_outputs):
        seen.append(("after", grad_inputs[0].tolist(), grad_inputs[1], grad_outputs[0].tolist()))
        return (grad_inputs[0] + 1, None)

    y.grad_fn.register_prehook(before)
    y.grad_fn.register_hook(after)
    y.sum().backward()
    assert seen == [("before", [1.0, 1.0]), ("after", [6.0, 6.0], None, [2.0, 2.0])]
    assert x.grad.tolist() == [7.0, 7.0]


def test_hooks_on_a_step_act_when_the_derivative_is_recorded():
    x = leaf(1.0, 2.0)
    y = x * x
    y.grad_fn.register_hook(lambda given, _: (given[0] * 10, given[1]))
    (g,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [11.0, 22.0]
    (gg,) = tg.autograd.grad(g.sum(), x)
    assert gg.tolist() == [11.0, 11.0]


def test_a_removed_hook_does_nothing():
    x = leaf(1.0)
    y = x * 3
    y.grad_fn.register_hook(lambda given, _: tuple(g if g is None else g * 0 for g in given)).remove()
    y.sum().backward()
    assert x.grad.item() == 3.0


def test_a_hook_with_the_wrong_number_of_values_is_refused():
    y = leaf(1.0) * 3
    y.grad_fn.register_hook(lambda given, _: (given[0],) * 5)
    with pytest.raises(RuntimeError, match="incorrect number"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda x: x + x, "AddBackward0"),
        (lambda x: x**2, "PowBackward0"),
        (lambda x: x.sum(), "SumBackward0"),
        (lambda x: x.sum(0), "SumBackward1"),
        (lambda x: x.mean(), "MeanBackward0"),
        (lambda x: x.exp(), "ExpBackward0"),
        (lambda x: x @ x.t(), "MmBackward0"),
        (lambda x: x.t(), "TBackward0"),
        (lambda x: x.view(-1), "ViewBackward0"),
        (lambda x: x.relu(), "ReluBackward0"),
        (lambda x: x.double(), "ToCopyBackward0"),
    ],
)
def test_names_are_torch_s(make, name):
    assert make(tg.tensor(np.ones((2, 2)).tolist(), requires_grad=True)).grad_fn.name() == name


def test_hooks_on_the_step_of_a_leaf_run():
    x = leaf(1.0, 2.0)
    fn = (x * 1).grad_fn.next_functions[0][0]
    seen = []
    fn.register_prehook(lambda given: (given[0] * 2,))
    fn.register_hook(lambda made, given: seen.append((made, given[0].tolist(), x.grad.tolist())))
    (x * 3).sum().backward()
    assert seen == [((), [6.0, 6.0], [6.0, 6.0])]
