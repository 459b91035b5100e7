"""The namespace of nodes, and graphs run and made anew."""

from __future__ import annotations

import numpy as np
import pytest

from tracegrad.errors import ShapeError, VerifyError
from tracegrad.ir.builder import B, build
from tracegrad.ir.graph import Graph, copy_node, evaluate, program_order, rebuild
from tracegrad.ir.node import Node, input_type, make_leaf
from tracegrad.ir.raw import N, compute
from tracegrad.ir.types import Type

F32 = np.dtype(np.float32)


def test_a_node_is_made_by_type_rule_alone(leaf):
    x = leaf(10**6, 10**6)  # no array of this size exists
    y = B.add(x, 2.0)
    assert isinstance(y, Node) and y.type == Type((10**6, 10**6), F32) and y.inputs == (x, 2.0) and y.saved is None


def test_the_users_mistake_is_raised_when_the_node_is_made(leaf):
    with pytest.raises(ShapeError, match="add: shapes"):
        B.add(leaf(2), leaf(3))


def test_an_unknown_operator_is_an_attribute_error():
    with pytest.raises(AttributeError, match="B: there is no operator 'nothing'"):
        B.nothing  # noqa: B018
    with pytest.raises(AttributeError, match="N: there is no operator 'nothing'"):
        N.nothing  # noqa: B018


def test_several_results_are_projections_of_one_node(leaf, pair):
    fraction, whole = build(pair, (leaf(3),), ())
    assert fraction.inputs == whole.inputs and [fraction.attrs, whole.attrs] == [(0,), (1,)]
    assert fraction.inputs[0].types == (fraction.type, whole.type)


def test_a_node_needs_a_derivative_if_an_operand_does(leaf):
    constant = make_leaf(Type((3,), F32))
    assert B.neg(leaf(3)).needs and not B.neg(constant).needs and B.add(constant, leaf(3)).needs


def test_locations_nest(leaf):
    x = leaf(3)
    with B.at(("a.py", 1)):
        one = B.neg(x)
        with B.at(("b.py", 2)):
            two = B.neg(x)
        three = B.neg(x)
    assert [n.extra for n in (one, two, three, B.neg(x))] == [("a.py", 1), ("b.py", 2), ("a.py", 1), None]


def test_a_graph_is_run_by_a_transfer_function(graph):
    x, b = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.ones(3, np.float32)
    outputs = evaluate(
        graph, dict(zip(graph.leaves, (x, b), strict=True)), lambda op, inputs, attrs, node: compute(op, inputs, attrs)
    )
    np.testing.assert_array_equal(outputs[0], (x - 2).sum(1))
    assert outputs[1] == 2.0


def test_a_rebuilt_graph_is_equal_and_shares_no_node(graph):
    again = rebuild(graph, copy_node)
    assert again == graph and str(again) == str(graph)
    assert not {*again.leaves, *again.nodes} & {*graph.leaves, *graph.nodes}


def test_a_rebuilt_graph_keeps_nodes_of_several_results_whole(leaf, pair):
    x = leaf(3)
    fraction, whole = build(pair, (x,), ())
    graph = Graph([x], [B.add(fraction, 1.0), whole], (), [(x, fraction)])
    assert rebuild(graph, copy_node) == graph


def test_program_order_is_that_of_making(leaf):
    x = leaf(3)
    first = B.neg(x)
    second = B.exp(x)
    assert program_order([B.add(second, first), first], {x})[:2] == (first, second)


def test_program_order_refuses_a_leaf_from_outside(leaf):
    x = leaf(3)
    with pytest.raises(VerifyError, match=r"graph: a leaf of type f32\[3\] is neither an input nor a capture"):
        Graph([], [B.neg(x)]).nodes  # noqa: B018


def test_users_lists_each_reader_once(leaf):
    x = leaf(3)
    y = B.mul(x, x)
    graph = Graph([x], [B.neg(y)])
    assert graph.users() == {x: [y], y: [graph.outputs[0]], graph.outputs[0]: []}


def test_with_outputs_keeps_the_rest(graph):
    other = graph.with_outputs([1.0])
    assert (
        other.inputs == graph.inputs
        and other.captures == graph.captures
        and other.names == graph.names
        and other.outputs == (1.0,)
    )


def test_the_type_of_an_operand_is_known_whatever_stands_for_it(leaf):
    node = B.add(leaf(3), 2.0)
    node.inputs = (node.inputs[0], (1,))
    assert [input_type(node, 0), input_type(node, 1)] == [Type((3,), F32), Type((1,), F32)]
    node.inputs = (Type((3,), F32), 2)
    assert [input_type(node, 0), input_type(node, 1)] == [Type((3,), F32), Type((), np.dtype(np.int64), True)]
