"""The reverse sweep over nodes: the derivative is built by type rule, and shared values are added once."""

from __future__ import annotations

import numpy as np

from tracegrad.ir.builder import B, projections
from tracegrad.ir.graph import Graph, evaluate
from tracegrad.ir.node import Node, make_leaf
from tracegrad.ir.raw import compute
from tracegrad.ir.sweep import reachable, sweep
from tracegrad.ir.types import Type

F64 = np.dtype(np.float64)


def read(node: Node, position: int):
    """Values of the graph itself: nothing was saved."""
    if position >= 0:
        return node.inputs[position]
    return projections(node)[-1 - position] if node.op.several() else node


def gradient(out: Node, x: Node) -> Graph:
    """The graph of d out / d x for a scalar out."""
    found = sweep(B, reachable([out], {x}), {out: B.ones(out.type)}, read)
    return Graph([x], [found[x]])


def value(graph: Graph, x: np.ndarray) -> np.ndarray:
    """The first output of a graph of one input."""
    return evaluate(graph, {graph.inputs[0]: x}, lambda op, inputs, attrs, node: compute(op, inputs, attrs))[0]


def leaf(*shape: int) -> Node:
    """f64 leaf that needs a derivative."""
    return make_leaf(Type(shape, F64), needs=True)


def test_a_value_used_several_times_gets_the_sum():
    x = leaf(3)
    out = B.sum(B.add(B.mul(x, x), B.mul(B.mul(x, x), x)), dim=None, keepdim=False)
    given = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(value(gradient(out, x), given), 2 * given + 3 * given**2, rtol=1e-15)


def test_the_sweep_can_be_applied_to_its_own_result():
    x = leaf()
    y = B.mul(B.mul(x, x), x)
    first = gradient(y, x).outputs[0]
    second = gradient(first, x).outputs[0]
    third = gradient(second, x)
    assert value(third, np.array(5.0)) == 6.0


def test_broadcast_operands_get_a_cotangent_of_their_shape():
    x = leaf(3, 1)
    y = make_leaf(Type((4,), F64))
    found = sweep(B, reachable([out := B.mul(x, y)], {x}), {out: B.ones(out.type)}, read)
    assert found[x].type == x.type


def test_nodes_that_lead_to_no_target_are_left_out():
    x, y = leaf(3), leaf(3)
    left, right = B.exp(x), B.exp(y)
    out = B.add(left, right)
    assert reachable([out], {x}) == [out, left, x]
    assert set(reachable([out])) == {out, left, right, x, y}


def test_values_without_derivative_are_not_walked():
    x = leaf(3)
    constant = make_leaf(Type((3,), F64))
    out = B.mul(x, B.exp(constant))
    assert set(reachable([out])) == {out, x}


def test_an_arriving_cotangent_can_be_seen_and_replaced():
    x = leaf(3)
    y = B.mul(x, 2.0)
    out = B.sum(y, dim=None, keepdim=False)
    seen = []

    def arrived(node: Node, g: Node) -> Node:
        seen.append(node)
        return B.mul(g, 10.0) if node is y else g

    found = sweep(B, reachable([out], {x}), {out: B.ones(out.type)}, read, arrived=arrived)
    assert seen == [out, y, x]
    assert value(Graph([x], [found[x]]), np.zeros(3)).tolist() == [20.0, 20.0, 20.0]


def test_only_the_used_result_of_several_gets_a_cotangent():
    x = leaf(2, 3)
    values, _ = B.max_dim(x, dim=1, keepdim=False)
    out = B.sum(values, dim=None, keepdim=False)
    given = np.array([[1.0, 5.0, 2.0], [7.0, 0.0, 3.0]])
    np.testing.assert_array_equal(value(gradient(out, x), given), [[0, 1, 0], [1, 0, 0]])
