"""The reverse mode as a pass: values, orders, pruning, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.helpers import counts, graph_of, leaf, run
from tracegrad.errors import DifferentiationError
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.samples import A, I
from tracegrad.ir.verify import verify
from tracegrad.passes import grad_graph, optimise, vjp_graph

X = np.array([0.3, -1.1, 0.7])


def total(value):
    return B.sum(value, dim=None, keepdim=False)


def gradient_as_scalar(graph):
    """The graph of the sum of the gradient, so that it can be differentiated again."""
    found = grad_graph(graph)
    return Graph(found.inputs, (total(found.outputs[-1]),))


def test_gradient_of_a_sum_of_sines():
    graph = grad_graph(graph_of(lambda F, x: total(F.sin(x)), [A(3)]))
    value, gradient = run(verify(graph), [X])
    np.testing.assert_allclose(value, np.sin(X).sum())
    np.testing.assert_allclose(gradient, np.cos(X))


@pytest.mark.parametrize(("order", "expected"), [(1, np.cos(X)), (2, -np.sin(X)), (3, -np.cos(X)), (4, np.sin(X))])
def test_the_pass_applies_to_its_own_output(order, expected):
    graph = graph_of(lambda F, x: total(F.sin(x)), [A(3)])
    for _ in range(order - 1):
        graph = gradient_as_scalar(graph)
    found = verify(grad_graph(graph))
    np.testing.assert_allclose(run(found, [X])[-1], expected, atol=1e-12)


@pytest.mark.parametrize("optimised", [False, True])
def test_third_derivative_of_a_product_with_powers(optimised):
    graph = graph_of(lambda F, x: total(F.mul(F.pow(x, 3), F.exp(F.mul(x, 2.0)))), [A(3)])
    for _ in range(2):
        graph = gradient_as_scalar(optimise(graph) if optimised else graph)
    found = grad_graph(graph)
    found = optimise(found) if optimised else found
    expected = np.exp(2 * X) * (6 + 36 * X + 36 * X**2 + 8 * X**3)
    np.testing.assert_allclose(run(found, [X])[-1], expected, rtol=1e-12)


def test_a_value_used_twice_gets_the_sum():
    graph = vjp_graph(graph_of(lambda F, x: F.mul(F.exp(x), F.sin(x)), [A(3)]))
    (found,) = run(graph, [X, np.ones(3)])
    np.testing.assert_allclose(found, np.exp(X) * (np.sin(X) + np.cos(X)))


def test_one_node_as_two_outputs_adds_both_cotangents():
    def function(F, x):
        y = F.sin(x)
        return y, y

    graph = vjp_graph(graph_of(function, [A(3)]))
    (found,) = run(graph, [X, np.ones(3), 2 * np.ones(3)])
    np.testing.assert_allclose(found, 3 * np.cos(X))


def test_an_input_that_is_an_output_gets_its_cotangent():
    graph = vjp_graph(graph_of(lambda F, x: x, [A(3)]))
    (found,) = run(graph, [X, X])
    np.testing.assert_array_equal(found, X)


def test_only_what_leads_to_the_chosen_inputs_is_built():
    graph = graph_of(lambda F, x, y: total(F.mul(F.exp(F.sin(x)), y)), [A(3), A(3)])
    assert "cos" not in counts(grad_graph(graph, (1,)))
    assert "cos" in counts(grad_graph(graph, (0,)))


def test_captures_are_counted_after_the_inputs():
    x, w = leaf((3,)), leaf((3,))
    graph = Graph([x], [total(B.mul(x, w))], [w], names=("x", "w"))
    found = grad_graph(graph, (1,))
    np.testing.assert_allclose(run(found, [X, 2 * X])[-1], X)
    assert found.names == ("x", "w")


def test_the_original_outputs_come_first_on_request():
    graph = vjp_graph(graph_of(lambda F, x: F.sin(x), [A(3)]), keep_outputs=True)
    value, pulled = run(graph, [X, np.ones(3)])
    np.testing.assert_allclose(value, np.sin(X))
    np.testing.assert_allclose(pulled, np.cos(X))


def test_derivative_nodes_carry_the_line_of_their_node():
    x = leaf((3,))
    with B.at(("train.py", 7)):
        y = B.sin(x)
    found = vjp_graph(Graph([x], [y]))
    assert {node.extra for node in found.nodes} == {("train.py", 7)}


def test_a_constant_output_has_zero_gradient():
    graph = grad_graph(graph_of(lambda F, x: F.full(shape=(), value=2.0, dtype=np.dtype("float64")), [A(3)]))
    np.testing.assert_array_equal(run(graph, [X])[-1], np.zeros(3))


def test_methods_of_graph_are_the_passes():
    graph = graph_of(lambda F, x: total(F.sin(x)), [A(3)])
    assert str(graph.grad().outputs) == str(grad_graph(graph).outputs)
    assert len(graph.vjp().inputs) == len(graph.jvp().inputs) == 2
    assert graph.batch((True,), 4).inputs[0].shape == (4, 3)
    assert len(graph.optimise().nodes) == 2


def test_gradient_of_a_vector_is_refused():
    with pytest.raises(
        DifferentiationError,
        match=r"grad: can be computed for one real floating-point output only \(first_output: f64\[3\]\)",
    ):
        grad_graph(graph_of(lambda F, x: F.sin(x), [A(3)]))


def test_gradient_for_integers_is_refused():
    with pytest.raises(RuntimeError, match=r"only floating-point leaves have a derivative, not %a0: i64\[3\]"):
        grad_graph(graph_of(lambda F, i, x: total(x), [I(3, below=2), A(3)]), (0,))


def test_a_leaf_that_does_not_exist_is_refused():
    with pytest.raises(RuntimeError, match="names a leaf outside"):
        grad_graph(graph_of(lambda F, x: total(x), [A(3)]), (1,))


def test_cotangent_for_an_integer_output_is_refused():
    with pytest.raises(RuntimeError, match="output 0 has no derivative"):
        vjp_graph(graph_of(lambda F, x: F.gt(x, 0.0), [A(3)]), (0,), (0,))
