"""The optimised graphs of the gradients of realistic programs, as files beside this one; `pytest --bless` rewrites them.

A change of a file is a change of what compiled code does: fewer or more operators, another order, another form.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tracegrad as tg
from tests.golden.programs import PROGRAMS, arguments
from tracegrad.ir.graph import Graph

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_gradient_has_the_expected_graph_and_the_eager_values(name, request):
    given = arguments(name)
    derivative = tg.func.value_and_grad(PROGRAMS[name][0], argnums=tuple(range(len(given))))
    fast = tg.compile(derivative)
    got, want = fast(*given), derivative(*given)
    for a, b in zip(tg.pytree.leaves(got), tg.pytree.leaves(want), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)
    text = "".join(
        f"{line.split('  #')[0]}\n" for line in fast.graph.to_text().splitlines()
    )  # without the users' lines
    path = HERE / f"{name}.tg"
    if request.config.getoption("--bless"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
    assert Graph.from_text(text) == fast.graph
