"""Each pass on the cases in its folder: a graph, `===>`, and the graph that the pass makes of it.  `pytest --bless` rewrites the second half."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.passes.helpers import assert_same, draw, run
from tracegrad.ir.parse import parse
from tracegrad.ir.text import graph_text
from tracegrad.ir.verify import verify
from tracegrad.passes import (
    batch_graph,
    canonicalise,
    cse,
    dce,
    decompose,
    fold,
    grad_graph,
    jvp_graph,
    optimise,
    simplify,
    stabilise,
    vjp_graph,
)
from tracegrad.passes.canonicalise import finish
from tracegrad.passes.schedule import schedule

HERE = Path(__file__).parent
PASSES = {
    "canonicalise": canonicalise,
    "finish": finish,
    "stabilise": lambda graph: stabilise(canonicalise(graph)),
    "simplify": lambda graph: simplify(canonicalise(graph)),
    "fold": fold,
    "cse": cse,
    "dce": dce,
    "decompose": lambda graph: decompose(graph, every=True),
    "schedule": schedule,
    "vjp": vjp_graph,
    "grad": grad_graph,
    "jvp": jvp_graph,
    "batch": lambda graph: batch_graph(graph, (True,), 5),
    "optimise": optimise,
}
TRANSFORMS = {"vjp", "grad", "jvp", "batch"}
FILES = sorted(HERE.glob("*/*.tg"))


def split(path):
    """The comment, the graph before and the text after."""
    before, after = path.read_text(encoding="utf-8").split("===>\n")
    lines = before.splitlines(keepends=True)
    comment = "".join(line for line in lines if line.startswith("#"))
    return comment, parse("".join(line for line in lines if not line.startswith("#"))), after


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_pass_gives_the_expected_graph(path, request):
    comment, before, expected = split(path)
    found = graph_text(verify(PASSES[path.parent.name](before)))
    if request.config.getoption("--bless"):
        path.write_text(f"{comment}{graph_text(before)}\n===>\n{found}\n", encoding="utf-8")
        return
    assert found.strip() == expected.strip()


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.parent.name not in TRANSFORMS], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_pass_keeps_the_values(path):
    _, before, _ = split(path)
    after = PASSES[path.parent.name](before)
    arrays = draw(before)
    assert_same(run(after, arrays), run(before, arrays), rtol=1e-5)


@pytest.mark.parametrize("name", sorted(PASSES))
def test_every_pass_has_three_cases_and_one_where_it_does_nothing(name):
    cases = sorted((HERE / name).glob("*.tg"))
    assert len(cases) >= 3
    assert name in TRANSFORMS or any("nothing" in path.stem for path in cases)
