"""verify: each broken invariant is caught and named."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tracegrad.errors import VerifyError
from tracegrad.ir.builder import B, build
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_node
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.types import Type
from tracegrad.ir.verify import verify

F32 = np.dtype(np.float32)


def refused(graph: Graph, problem: str, **options: bool) -> str:
    """The message of verify, which must name the problem."""
    with pytest.raises(VerifyError, match=re.escape(problem)) as caught:
        verify(graph, **options)
    return str(caught.value)


def test_a_good_graph_is_given_back(graph, leaf, pair):
    assert verify(graph) is graph
    x = leaf(3)
    _, whole = build(pair, (x,), ())
    verify(Graph([x], [whole, 1, True], (), [(x, B.neg(x))]))


def test_the_message_names_node_and_operator_and_shows_the_lines_around(leaf):
    x = leaf(3)
    nodes = [x]
    for _ in range(10):
        nodes.append(B.neg(nodes[-1]))
    nodes[5].shape = (4,)
    text = refused(Graph([x], [nodes[-1]]), "the recorded type is f32[4], but the operator infers f32[3]")
    lines = text.splitlines()
    assert lines[0].startswith("verify: %5, neg: ")
    assert lines[1:] == ["  %2: f32[3] = neg(%1)", "  %3: f32[3] = neg(%2)", "  %4: f32[3] = neg(%3)", "> %5: f32[4] = neg(%4)",
                         "  %6: f32[3] = neg(%5)", "  %7: f32[3] = neg(%6)", "  %8: f32[3] = neg(%7)"]  # fmt: skip


def test_a_wrong_dtype_is_caught(leaf):
    x = leaf(3)
    y = B.neg(x)
    y.dtype = np.dtype(np.float64)
    refused(Graph([x], [y]), "the recorded type is f64[3], but the operator infers f32[3]")


def test_an_operand_that_the_operator_refuses_is_caught(leaf):
    x, y = leaf(3), leaf(4)
    bad = make_node(REGISTRY["add"], (x, y), (), Type((3,), F32))
    refused(Graph([x, y], [bad]), "add does not take these operands and attributes")


def test_use_before_definition_is_caught(leaf):
    x = leaf(3)
    y = B.neg(x)
    z = B.neg(y)
    y.seq, z.seq = z.seq, y.seq
    assert refused(Graph([x], [z]), "an operand is defined after this node").startswith("verify: %1, neg")


def test_a_circle_is_caught(leaf):
    x = leaf(3)
    y = B.neg(x)
    z = B.neg(y)
    y.inputs = (z,)
    refused(Graph([x], [z]), "an operand is defined after this node")


def test_a_foreign_leaf_is_caught(leaf):
    x, foreign = leaf(3), leaf(3)
    text = refused(Graph([x], [B.add(x, foreign)]), "the leaf is neither an input nor a capture of this graph")
    assert text.startswith("verify: %1, leaf: ")


def test_an_operand_that_is_not_followed_is_caught(leaf):
    x = leaf(3)
    refused(
        Graph([x], [make_node(REGISTRY["add"], (x, Type((3,), F32)), (), Type((3,), F32))]),
        "an operand is opaque: the graph is not closed",
    )


def test_an_input_that_is_no_leaf_is_caught(leaf):
    x = leaf(3)
    y = B.neg(x)
    refused(Graph([y], [y]), "an input or capture must be a leaf")


def test_a_repeated_leaf_is_caught(leaf):
    x = leaf(3)
    refused(Graph([x, x], [x]), "a leaf appears twice")
    refused(Graph([x], [x], [x]), "a leaf appears twice")


def test_a_wrong_number_of_names_is_caught(leaf):
    refused(Graph([leaf(3)], [], names=["a", "b"]), "2 names for 1 inputs and captures")


def test_an_effect_on_something_else_is_caught(leaf):
    x = leaf(3)
    y = B.neg(x)
    refused(Graph([x], [], (), [(y, x)]), "an effect writes what is neither an input nor a capture")
    refused(Graph([x], [], (), [(x, y), (x, y)]), "two effects write the same leaf")
    refused(Graph([x], [], (), [(x, B.sum(x, dim=None, keepdim=False))]), "an effect writes f32[] over f32[3]")
    refused(Graph([x], [], (), [(x, 1.0)]), "an effect writes a float; it must be a node")


def test_several_results_are_read_by_project_only(leaf, pair):
    x = leaf(3)
    fraction, _ = build(pair, (x,), ())
    both = fraction.inputs[0]
    refused(Graph([x], [both]), "output 0 has several results")
    refused(
        Graph([x], [make_node(REGISTRY["neg"], (both,), (), Type((3,), F32))]),
        "has several results; take one with project",
    )
    refused(
        Graph([x], [make_node(REGISTRY["project"], (x,), (0,), Type((3,), F32))]),
        "project needs the value of an operator with several results",
    )


@pytest.mark.parametrize("index", [2, -1, True, 0.0])
def test_a_projection_out_of_range_is_caught(leaf, pair, index):
    x = leaf(3)
    both = build(pair, (x,), ())[0].inputs[0]
    refused(
        Graph([x], [make_node(REGISTRY["project"], (both,), (index,), Type((3,), F32))]), "is not one of the 2 results"
    )


def test_one_type_for_several_results_is_caught(leaf, pair):
    x = leaf(3)
    single = make_node(pair, (x,), (), Type((3,), F32))
    refused(Graph([x], [single]), "the operator has several results")
    tupled = make_node(REGISTRY["neg"], (x,), (), (Type((3,), F32),))
    projection = make_node(REGISTRY["project"], (tupled,), (0,), Type((3,), F32))
    refused(Graph([x], [projection]), "the type is (f32[3],), but the operator has one result")


def test_attributes_must_be_hashable_and_complete(leaf):
    x = leaf(3)
    refused(
        Graph([x], [make_node(REGISTRY["reshape"], (x,), ([3],), Type((3,), F32))]),
        "the attribute 'shape' is a list, which cannot be hashed",
    )
    refused(
        Graph([x], [make_node(REGISTRY["reshape"], (x,), (), Type((3,), F32))]),
        "0 attribute values for the attributes ('shape',)",
    )


def test_the_number_of_operands_is_checked(leaf):
    x = leaf(3)
    refused(Graph([x], [make_node(REGISTRY["add"], (x,), (), Type((3,), F32))]), "add takes 2 operands (x, y), got 1")
    refused(
        Graph([x], [make_node(REGISTRY["add"], (x, None), (), Type((3,), F32))]), "operand 'y' of add cannot be None"
    )


@pytest.mark.parametrize("value", [np.float64(2.0), np.ones(3), "a", [1.0]])
def test_literals_are_python_numbers(leaf, value):
    x = leaf(3)
    node = make_node(REGISTRY["mul"], (x, value), (), Type((3,), F32))
    refused(Graph([x], [node]), f"an operand is a {type(value).__name__}; literals are Python numbers")
    refused(Graph([x], [value]), f"output 0 is a {type(value).__name__}; outputs are nodes and Python numbers")


@pytest.mark.parametrize("shape", [[3], (3.0,), (-1,), (np.int64(3),), (True,)])
def test_a_malformed_shape_is_caught(leaf, shape):
    x = leaf(3)
    y = B.neg(x)
    y.shape = shape
    refused(Graph([x], [y]), "a type must have a tuple of sizes and a NumPy dtype")


def test_composites_can_be_refused(leaf):
    class Twice(Op):
        """x + x.  Shape: (*a) -> (*a)."""

        name = "twice_for_tests"
        samples = ()

        @staticmethod
        def infer(x):
            return x

        @staticmethod
        def decompose(F, x):
            return F.add(x, x)

        @staticmethod
        def grad_x(F, g):
            return F.add(g, g)

    try:
        x = leaf(3)
        graph = Graph([x], [build(Twice, (x,), ())])
        verify(graph)
        refused(graph, "a composite operator is left", composites=False)
    finally:
        del REGISTRY["twice_for_tests"]
