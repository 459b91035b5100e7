"""The Graphviz form."""

from __future__ import annotations

import re

import numpy as np

from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_node
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.types import Type

_STRING = r'"(?:[^"\\\n]|\\.)*"'
VERTEX = re.compile(rf"  (\w+) \[label=({_STRING}), shape=\w+(?:, style=\w+)?(?:, fillcolor=\w+)?\];")
EDGE = re.compile(rf"  (\w+) -> (\w+)(?: \[(?:style=dashed, )?label=({_STRING})\])?;")


def read(text: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Vertices (identifier -> label) and edges of a Graphviz text; fails on any line of another form."""
    lines = text.split("\n")
    assert lines[:3] == ["digraph graph_ {", "  rankdir=TB;", "  node [fontname=monospace];"] and lines[-1] == "}"
    vertices: dict[str, str] = {}
    edges: list[tuple[str, str, str]] = []
    for line in lines[3:-1]:
        vertex, edge = VERTEX.fullmatch(line), EDGE.fullmatch(line)
        assert vertex or edge, line
        if vertex:
            assert vertex[1] not in vertices
            vertices[vertex[1]] = vertex[2][1:-1]
        elif edge:
            edges.append((edge[1], edge[2], (edge[3] or '""')[1:-1]))
    assert {end for source, target, _ in edges for end in (source, target)} <= set(vertices)
    return vertices, edges


def test_inputs_captures_nodes_numbers_and_outputs_stand_in_it(graph):
    vertices, edges = read(graph.to_dot())
    assert vertices["n0"] == r"%x\nf32[2,3]" and vertices["n1"] == r"capture %b\nf32[3]"
    assert vertices["n3"] == r"%2 = mul\nf32[2,3]\ntrain.py:17"
    assert vertices["n5"] == r"%4 = sum\ndim=(1,)\nkeepdim=False\nf32[2]"
    assert vertices["n2_1"] == "2.0" and vertices["out1"] == r"output 1\n2.0"
    assert edges == [
        ("n0", "n2", "x"),
        ("n2_1", "n2", "y"),
        ("n2", "n3", "x"),
        ("n2", "n3", "y"),
        ("n3", "n4", "x"),
        ("n1", "n4", "y"),
        ("n4", "n5", "x"),
        ("n5", "out0", ""),
    ]


def test_labels_are_escaped():
    full = make_node(
        REGISTRY["full"], (), ((), 'a"]; evil [label="\\', np.dtype(np.float32)), Type((), np.dtype(np.float32))
    )
    full.extra = ('we"ird.py', 3)
    vertices, _ = read(Graph([], [full]).to_dot())
    assert set(vertices) == {"n0", "out0"}


def test_names_of_files_and_users_are_no_identifiers(leaf):
    x = leaf()
    vertices, _ = read(Graph([x], [x], names=['"]; digraph']).to_dot())
    assert vertices["n0"] == r"%____digraph\nf32[]"


def test_effects_and_opaque_operands_are_shown(leaf):
    x = leaf(3)
    y = make_node(REGISTRY["add"], (x, (1,)), (), Type((3,), np.dtype(np.float32)))
    vertices, edges = read(Graph([], [], [x], [(x, y)]).to_dot())
    assert vertices["n1_1"] == "opaque: f32[1]"
    assert edges[-1] == ("n1", "n0", "effect")


def test_variadic_operands_are_numbered(leaf):
    x = leaf(3)
    _, edges = read(Graph([x], [B.cat(x, x, dim=0)]).to_dot())
    assert [label for _, _, label in edges[:2]] == ["xs[0]", "xs[1]"]
