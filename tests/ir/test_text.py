"""The printed form of graphs."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tracegrad.ir.builder import B, build
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import literal_text
from tracegrad.ir.node import make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.parse import parse
from tracegrad.ir.text import graph_text
from tracegrad.ir.types import Type

EXAMPLE = """\
graph(%x: f32[2,3]; capture %b: f32[3]) {
  %1: f32[2,3] = sub(%x, 2.0)
  %2: f32[2,3] = mul(%1, %b)  # train.py:17
  %3: f32[2] = sum(%2, dim=(1,), keepdim=False)
  return %3, 2.0
}"""

LITERALS = [0, -3, 2**70, 0.5, 1e-300, 1e22, -0.0, math.inf, -math.inf, math.nan, True, False, None, "a", 'q"\\\n\t\u00e9\u2028\ud800', (), (1,), (1, (2.0, None)), ...,
            1j, complex(-0.0, math.inf), complex(math.nan, -0.0), slice(None, 2, -1), (slice(1, None, None), ..., None), np.dtype(np.float32), np.dtype(bool),
            (np.dtype(np.complex128), True, 1, 1.0)]  # fmt: skip


def same(a: object, b: object) -> bool:
    """Equal in type and value, down to the sign of zero."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, slice) and isinstance(b, slice):
        return same((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    return type(a) is type(b) and repr(a) == repr(b)


def with_value(value: object) -> Graph:
    """A graph with one node that has `value` as an attribute."""
    full = make_node(REGISTRY["full"], (), ((), value, np.dtype(np.float32)), Type((), np.dtype(np.float32)))
    return Graph([], [full])


def test_a_graph_prints_one_line_per_node(graph):
    assert str(graph) == EXAMPLE == graph.to_text()


def test_a_graph_without_nodes_prints(leaf):
    x = leaf()
    assert graph_text(Graph([x], [])) == "graph(%a0: f32[]) {\n  return\n}"
    assert graph_text(Graph([], [1], [x])) == "graph(; capture %c0: f32[]) {\n  return 1\n}"


def test_repr_counts_the_parts(graph):
    assert repr(graph) == "<Graph: 1 inputs, 1 captures, 3 nodes, 2 outputs>"


def test_names_are_made_safe_and_unique(leaf):
    x, y, z = leaf(), leaf(), leaf()
    text = graph_text(Graph([x, y, z], [x], names=["a b", "a-b", "7é"]))
    assert text.splitlines()[0] == "graph(%a_b: f32[], %a_b_1: f32[], %_7_: f32[]) {"


def test_effects_stand_before_the_return(leaf):
    x = leaf(3)
    text = graph_text(Graph([], [], [x], [(x, B.mul(x, 2))], ["w"]))
    assert text.splitlines()[2:4] == ["  effect %w <- %1", "  return"]


def test_several_results_print_as_a_tuple_with_projections(leaf, pair):
    x = leaf(3)
    fraction, whole = build(pair, (x,), ())
    lines = graph_text(Graph([x], [whole, fraction])).splitlines()
    assert lines[1] == "  %1: (f32[3], f64[3]) = pair_for_tests(%a0)"
    assert lines[2:4] == ["  %2: f32[3] = project(%1, index=0)", "  %3: f64[3] = project(%1, index=1)"]


def test_an_operand_that_is_not_followed_prints_as_opaque(leaf):
    x = leaf(3)
    by_type = make_node(REGISTRY["add"], (x, Type((3,), np.dtype(np.float32))), (), Type((3,), np.dtype(np.float32)))
    by_shape = make_node(REGISTRY["mul"], (by_type, ()), (), Type((3,), np.dtype(np.float32)))
    lines = graph_text(Graph([x], [by_shape])).splitlines()
    assert lines[1].endswith("add(%a0, opaque: f32[3])") and lines[2].endswith("mul(%1, opaque: f32[])")


@pytest.mark.parametrize("extra", [("f.py",), ("f.py", "7"), ["f.py", 7], ("f.py", -1), object()])
def test_other_uses_of_extra_are_not_locations(leaf, extra):
    x = leaf(3)
    y = B.neg(x)
    y.extra = extra
    assert "#" not in graph_text(Graph([x], [y]))


def test_a_location_shows_the_last_part_of_the_path_on_one_line(leaf):
    x = leaf(3)
    with B.at(("/home/user/a\nb.py", 3)):
        y = B.neg(x)
    assert graph_text(Graph([x], [y])).splitlines()[1].endswith("  # a?b.py:3")


def test_an_object_prints_as_its_name(leaf):
    class Square:
        pass

    assert "value=<Square>" in graph_text(with_value(Square))
    assert "value=<Square>" in graph_text(with_value(Square()))


@pytest.mark.parametrize("value", LITERALS, ids=literal_text)
def test_every_kind_of_literal_makes_the_round_trip(value):
    graph = with_value(value)
    again = parse(graph_text(graph))
    assert graph_text(again) == graph_text(graph)
    assert same(again.nodes[0].attrs[1], value)


def test_the_round_trip_keeps_every_part(graph, leaf, pair):
    x, w = leaf(2, 3), leaf(3, dtype="float64")
    fraction, whole = build(pair, (x,), ())
    with B.at(("a b.py", 9)):
        y = B.mul(fraction, -2)
    big = Graph([x], [y, whole, True, 1, 1.0, -0.0, 2j], [w], [(w, B.neg(w))], ["x", "w"])
    for g in (graph, big):
        again = parse(graph_text(g))
        assert graph_text(again) == graph_text(g)
        assert again == g and hash(again) == hash(g)
        assert [n.op for n in again.nodes] == [n.op for n in g.nodes]


def test_opaque_operands_make_the_round_trip(leaf):
    x = leaf(3)
    node = make_node(REGISTRY["add"], (x, Type((1,), np.dtype(np.float32))), (), Type((3,), np.dtype(np.float32)))
    g = Graph([x], [node])
    assert graph_text(parse(graph_text(g))) == graph_text(g) and parse(graph_text(g)) == g


@pytest.mark.parametrize("text", ["", "abc", 'q"\\', "\n\t\x00\x7f", "é\u2028", "\ud800", "😀 x \U0010ffff"])
def test_strings_are_written_as_json(text):
    written = literal_text(text)
    assert json.loads(written) == text and written.isascii() and written.isprintable()
