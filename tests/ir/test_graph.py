"""Structural equality and hashing of graphs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type


def test_graphs_of_equal_structure_are_equal_whatever_their_names(leaf):
    def make(name, place):
        x = leaf(3)
        with B.at(place):
            return Graph([x], [B.mul(x, x)], names=[name])

    one, other = make("x", None), make("y", ("f.py", 1))
    assert one == other and hash(one) == hash(other) and one is not other


@pytest.mark.parametrize(("a", "b"), [(1, 1.0), (1, True), (0.0, -0.0), (1.0, 1 + 0j), (0j, -0j), (2, 3)])
def test_literals_of_other_type_or_sign_make_graphs_differ(leaf, a, b):
    def make(value):
        x = leaf(3, dtype="complex128")
        return Graph([x], [B.add(x, value)])

    assert make(a) != make(b) and make(a) == make(a)


def test_attributes_are_compared_by_type_too():
    one, other = (Graph([], [B.full(shape=(), value=v, dtype=B.type(1.0).dtype)]) for v in (1, 1.0))
    assert one != other


def test_nan_equals_itself(leaf):
    def make():
        x = leaf(3)
        return Graph([x], [B.add(x, math.nan), math.nan])

    assert make() == make()


def test_sharing_is_part_of_the_structure(leaf):
    def make(shared):
        x = leaf(3)
        y = B.neg(x)
        return Graph([x], [B.add(y, y if shared else B.neg(x))])

    assert make(True) != make(False)


def test_inputs_and_captures_differ(leaf):
    x, y = leaf(3), leaf(3)
    assert Graph([x], [x]) != Graph([], [y], [y])
    assert Graph([x, y], [x]) != Graph([x, y], [y])
    assert Graph([x], []) != "graph"


def test_effects_are_part_of_the_structure(leaf):
    x, y = leaf(3), leaf(3)
    assert Graph([], [], [x], [(x, B.neg(x))]) != Graph([], [], [y], [])
    assert Graph([], [], [x], [(x, B.neg(x))]) == Graph([], [], [y], [(y, B.neg(y))])


def test_opaque_operands_are_compared_by_type(leaf):
    def make(opaque):
        x = leaf(2, 3, 5)
        return Graph([x], [make_node(REGISTRY["add"], (x, opaque), (), x.type)])

    full = Type((2, 3, 5), np.dtype(np.float32))
    assert make(full) == make((2, 3, 5)) and make((2, 3, 5)) != make((2, 3, 1)) != make((3, 5))
