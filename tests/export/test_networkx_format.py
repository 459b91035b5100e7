"""The networkx form."""

from __future__ import annotations

import networkx as nx
import numpy as np

from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.types import Type

F32 = np.dtype(np.float32)


def test_vertices_carry_operator_attributes_and_types(graph):
    made = graph.to_networkx()
    assert isinstance(made, nx.MultiDiGraph) and list(made) == ["x", "b", "1", "2", "3", "4"]
    assert made.nodes["x"] == {"kind": "input", "op": None, "attrs": {}, "types": (Type((2, 3), F32),), "literals": {}}
    assert made.nodes["b"]["kind"] == "capture"
    assert made.nodes["4"] == {
        "kind": "node",
        "op": "sum",
        "attrs": {"dim": (1,), "keepdim": False},
        "types": (Type((2,), F32),),
        "literals": {},
    }
    assert made.nodes["1"]["literals"] == {1: 2.0}
    assert made.graph == {"outputs": ("4", 2.0), "effects": ()}


def test_each_operand_is_an_edge_with_its_index(graph, leaf):
    made = graph.to_networkx()
    assert made.number_of_edges("1", "2") == 2
    assert [data for _, _, data in made.edges("1", data=True)] == [
        {"operand": 0, "name": "x"},
        {"operand": 1, "name": "y"},
    ]
    x, y = leaf(), leaf()
    swapped = Graph([x, y], [B.sub(y, x)]).to_networkx()
    assert {source: data["operand"] for source, _, data in swapped.edges(data=True)} == {"a0": 1, "a1": 0}


def test_the_graph_is_acyclic_and_in_program_order(graph):
    made = graph.to_networkx()
    place = {name: i for i, name in enumerate(made)}
    assert nx.is_directed_acyclic_graph(made) and all(place[a] < place[b] for a, b in made.edges())


def test_effects_are_pairs_of_names(leaf):
    x = leaf(3)
    assert Graph([], [], [x], [(x, B.neg(x))]).to_networkx().graph["effects"] == (("c0", "1"),)
