"""Graphs of random programs and of their gradients: exact round trips through text and JSON, and the exported module's numbers."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.compiler.random_programs import Program, gradient_of
from tracegrad.ir.graph import Graph


def graphs(seed, way):
    """The recorded and the optimised graph of a random program, and arrays for their leaves with what they give."""
    program = Program(seed)
    f = program.function() if way == "value" else gradient_of(program.function())
    fast = tg.compile(f)
    arguments = program.arguments()
    outputs = fast(*arguments)
    given = [
        leaf if isinstance(leaf, tg.Tensor) else tg.tensor(leaf, dtype=tg.float64)
        for leaf in tg.pytree.leaves(arguments)[:-1]
    ]
    compiled, ins, _ = fast.tree.root.piece
    arrays = [fast.tree.values.sources[leaf].read(given)._data for leaf in ins]
    wanted = [leaf.detach().numpy() for leaf in tg.pytree.leaves(outputs)]
    return (compiled.graph, fast.graph), arrays, wanted


@pytest.mark.parametrize("way", ["value", "gradient"])
@pytest.mark.parametrize("seed", range(200, 230))
def test_round_trips_are_exact_and_the_exported_module_gives_the_numbers(seed, way):
    found, arrays, wanted = graphs(seed, way)
    for graph in found:
        text = graph.to_text()
        for again in (Graph.from_text(text), Graph.from_json(graph.to_json())):
            assert again == graph
            assert again.to_text() == text
        scope = {}
        exec(compile(graph.to_python(), "<exported>", "exec"), scope)
        got = scope["compiled"](*arrays)
        for a, b in zip(got if isinstance(got, tuple) else (got,), wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
