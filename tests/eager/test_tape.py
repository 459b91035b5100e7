"""Tensor.graph(): the program that backward will walk, as a Graph."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.errors import FormatError, NotSupportedError
from tracegrad.ir.graph import Graph
from tracegrad.ir.verify import verify


def tensor(*shape: int, requires_grad: bool = True):
    """float32 numbers, always the same."""
    t = tg.tensor(np.random.default_rng(3).uniform(0.5, 2, shape), dtype=tg.float32)
    return t.requires_grad_() if requires_grad else t


def test_the_graph_shows_the_program():
    x, w = tensor(2, 3), tensor(3)
    data = tensor(2, 3, requires_grad=False)
    loss = ((x * w - data) * 0.5).sum()
    assert (
        str(loss.graph())
        == """\
graph(%a0: f32[2,3], %a1: f32[3]; capture %c0: f32[2,3]) {
  %1: f32[2,3] = mul(%a0, %a1)
  %2: f32[2,3] = sub(%1, %c0)
  %3: f32[2,3] = mul(%2, 0.5)
  %4: f32[] = sum(%3, dim=None, keepdim=False)
  return %4
}"""
    )


def test_inputs_stand_in_the_order_of_their_creation():
    first, second = tensor(2), tensor(3)
    graph = (second.sum() * first.sum()).graph()
    assert [leaf.shape for leaf in graph.inputs] == [(2,), (3,)]


def test_an_operand_of_another_dtype_has_its_own_type():
    x, y = tensor(3), tensor(3, requires_grad=False)
    graph = tg.where(y > 1, x, 0.0).graph()
    assert str(graph).splitlines()[:2] == [
        "graph(%a0: f32[3]; capture %c0: bool[3]) {",
        "  %1: f32[3] = where(%c0, %a0, 0.0)",
    ]
    picked = tg.index_select(x, 0, tg.tensor([0, 2])).graph()
    assert [str(c.type) for c in picked.captures] == ["i64[2]"]


def test_the_types_hold_on_the_general_path_too():
    x, y = tensor(3), tg.tensor([1, 2, 3])
    with tg.enable_grad():
        graph = (x * y.to(tg.float64)).graph()
    verify(graph)
    assert str(graph).splitlines()[1:3] == ["  %1: f64[3] = promote(%a0, dtype=f64)", "  %2: f64[3] = mul(%1, %c0)"]


def test_a_tensor_without_history_is_a_graph_of_one_capture():
    assert str(tensor(3, requires_grad=False).graph()) == "graph(; capture %c0: f32[3]) {\n  return %c0\n}"


def test_a_leaf_is_a_graph_of_one_input():
    assert str(tensor(3).graph()) == "graph(%a0: f32[3]) {\n  return %a0\n}"


def test_a_value_used_twice_is_one_node():
    x = tensor(3)
    y = x.exp()
    assert len((y * y).graph().nodes) == 2
    assert [n.inputs[0] is n.inputs[1] for n in (y * y).graph().nodes if n.op.name == "mul"] == [True]


def test_several_results_are_shown_with_their_projection():
    values, _ = tensor(2, 3).max(dim=1)
    graph = values.sum().graph()
    assert [n.op.name for n in graph.nodes] == ["max_dim", "project", "sum"]
    verify(graph)


def test_the_graph_stays_after_backward_and_leaves_the_tape_alone():
    x = tensor(3)
    loss = (x * x).sum()
    before = loss.graph()
    text = str(before)
    loss.backward()
    assert str(before) == text and loss.graph() == before
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy())


def test_hooks_and_retained_gradients_do_not_show():
    x = tensor(3)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g)
    assert "#" not in str(y.sum().graph())


def test_equal_programs_have_equal_graphs():
    def loss():
        return (tensor(3) * tensor(3)).exp().sum()

    assert loss().graph() == loss().graph() and hash(loss().graph()) == hash(loss().graph())
    assert loss().graph() != (loss() * 2).graph()


@pytest.fixture
def graph() -> Graph:
    """A loss with a reduction, a selection, a movement and a number."""
    x, w = tensor(2, 3), tensor(3, 4)
    return tg.where(x @ w > 4.0, (x @ w).log(), 0.0).reshape(8).mean().graph()


def test_it_is_verified_and_converts_like_any_graph(graph):
    verify(graph)
    assert Graph.from_text(graph.to_text()) == graph
    assert Graph.from_json(graph.to_json()) == graph
    assert graph.to_dot().startswith("digraph")
    assert set(graph.to_networkx()) >= {"a0", "a1", "1"}


def test_the_exported_python_gives_the_loss():
    x, w = tensor(2, 3), tensor(3, 4)
    data = tensor(2, 4, requires_grad=False)
    loss = ((x @ w - data) ** 2).mean()
    scope: dict = {}
    exec(loss.graph().to_python("loss"), scope)
    found = scope["loss"](*(t.detach().numpy() for t in (x, w, data)))
    np.testing.assert_array_equal(found, loss.detach().numpy())


class Square(tg.autograd.Function):
    """x * x with its own backward."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x


def test_a_custom_function_is_shown_by_its_name_and_refused_by_the_readers():
    graph = Square.apply(tensor(3)).sum().graph()
    text = str(graph)
    assert text.splitlines()[1] == "  %1: (f32[3],) = custom_call(%c0, %a0, call=<Square>)"
    verify(graph)
    assert "call=<Square>" in graph.to_dot() and graph.to_networkx().nodes["1"]["op"] == "custom_call"
    with pytest.raises(
        FormatError, match=re.escape("line 2, column 46: <Square> stands for an object that the text form cannot hold")
    ):
        Graph.from_text(text)
    with pytest.raises(NotSupportedError, match="<Square> is no literal"):
        graph.to_json()
    with pytest.raises(NotSupportedError, match="the custom Function <Square> has no source"):
        graph.to_python()


def test_a_very_deep_tape_is_no_problem():
    x = tensor(1)
    y = x
    for _ in range(5000):
        y = y + 1
    assert len(y.graph().nodes) == 5000
    assert Graph.from_json(y.graph().to_json()) == y.graph()
