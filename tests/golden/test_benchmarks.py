"""The optimised graphs of the programs of benchmarks/, as files in benchmarks/ beside this one; `pytest --bless` rewrites them.

A figure of docs/speed.md that changes is explained by the change of such a file, or by none.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.ir.graph import Graph

FOLDER = Path(__file__).parents[2] / "benchmarks"
HERE = Path(__file__).parent / "benchmarks"


def script(name):
    """A script of benchmarks/ as a module."""
    sys.path.insert(0, str(FOLDER))  # the scripts import one another
    try:
        spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


PROGRAMS = script("programs").PROGRAMS


def graph_text(graph):
    """The text of a graph without the users' names and lines."""
    plain = Graph(graph.inputs, graph.outputs, graph.captures, graph.effects)
    return "".join(f"{line.split('  #')[0]}\n" for line in plain.to_text().splitlines())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmarked_program_has_the_expected_graph_and_the_values_written_by_hand(name, request):
    function, by_hand, count, arrays = PROGRAMS[name]
    fast = tg.compile(tg.func.value_and_grad(function, argnums=tuple(range(count))))
    found = fast(*map(tg.tensor, arrays))
    for a, b in zip(tg.pytree.leaves(found), by_hand(*arrays), strict=True):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-9, atol=1e-12)
    path = HERE / f"{name.lower().replace(' ', '_').replace('-', '_')}.tg"
    text = graph_text(fast.graph)
    if request.config.getoption("--bless"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert Graph.from_text(text) == fast.graph


def test_no_graph_is_kept_of_a_program_that_is_gone():
    names = {name.lower().replace(" ", "_").replace("-", "_") for name in PROGRAMS}
    assert {path.stem for path in HERE.glob("*.tg")} == names
