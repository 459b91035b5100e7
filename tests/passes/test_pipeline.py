"""The list of passes, its static checks, and what the runner records, verifies, dumps and reports."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.passes.helpers import assert_same, counts, draw, graph_of, leaf, run
from tracegrad import config
from tracegrad.errors import DefinitionError, PassError
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.samples import A
from tracegrad.passes import grad_graph, optimise, pipeline, prepare
from tracegrad.passes.pipeline import CANONICALISE, LEVELS, SIMPLIFY, Pass, check_order, run_pass
from tracegrad.passes.rewrite import RuleSet
from tracegrad.passes.rules import Rewrite


def loss(F, x):
    shifted = F.sub(x, F.amax(x, dim=(1,), keepdim=True))
    return F.sum(F.log(F.sum(F.exp(shifted), dim=(1,), keepdim=False)), dim=None, keepdim=False)


def broken(function):
    return Pass("broken", lambda graph, backend: function(graph), frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_every_level_keeps_value_and_gradient(level):
    graph = grad_graph(graph_of(loss, [A(4, 3)]))
    arrays = draw(graph)
    after = optimise(graph, level=level)
    assert_same(run(after, arrays), run(graph, arrays), rtol=1e-12)


def test_higher_levels_leave_fewer_nodes():
    graph = grad_graph(graph_of(loss, [A(4, 3)]))
    sizes = [len(optimise(graph, level=level).nodes) for level in ("O0", "O1", "O2")]
    assert sizes == sorted(sizes, reverse=True)


def test_a_pass_that_comes_too_early_is_refused():
    with pytest.raises(DefinitionError, match=r"simplify at position 0 needs \['canonical'\]"):
        check_order((SIMPLIFY, CANONICALISE))


def test_facts_that_a_pass_does_not_preserve_are_lost():
    with pytest.raises(DefinitionError, match="simplify at position 2"):
        check_order((CANONICALISE, SIMPLIFY, SIMPLIFY))


def test_unknown_facts_are_refused():
    with pytest.raises(DefinitionError, match="facts that do not exist"):
        check_order((Pass("odd", lambda graph, backend: graph, frozenset(), frozenset({"blue"}), frozenset()),))


def test_every_level_ends_with_a_graph_that_the_backend_can_run():
    for passes in LEVELS.values():
        assert {"plain", "supported"} <= check_order(passes)


def test_unknown_level_is_refused():
    with pytest.raises(PassError, match="level='O9' is not one of"):
        optimise(graph_of(loss, [A(4, 3)]), level="O9")


def test_the_record_has_node_counts_of_every_pass():
    graph, record = grad_graph(graph_of(loss, [A(4, 3)])), []
    after = optimise(graph, record=record)
    assert [step.name for step in record] == [step.name for step in LEVELS["O2"]]
    assert record[0].before == len(graph.nodes)
    assert record[-1].after == len(after.nodes)
    assert all(a.after == b.before for a, b in itertools.pairwise(record))


def test_an_optimised_graph_is_left_as_it_is():
    once = optimise(grad_graph(graph_of(loss, [A(4, 3)])))
    assert optimise(once).nodes == once.nodes


def test_passes_leave_the_given_graph_unchanged():
    graph = grad_graph(graph_of(loss, [A(4, 3)]))
    before = [(node, node.op, node.inputs, node.attrs) for node in graph.nodes]
    optimise(graph)
    assert [(node, node.op, node.inputs, node.attrs) for node in graph.nodes] == before


def test_a_fault_names_pass_and_shows_the_graph_before():
    graph = graph_of(loss, [A(4, 3)])

    def fail(graph):
        raise ValueError("no reason")

    with pytest.raises(PassError, match="broken: no reason") as caught:
        run_pass(graph, broken(fail), "numpy")
    assert "logsumexp" not in caught.value.before
    assert "amax" in caught.value.before


def test_a_pass_that_changes_the_outputs_is_a_fault():
    graph = graph_of(lambda F, x: F.exp(x), [A(3)])
    with pytest.raises(PassError, match="the outputs changed"):
        run_pass(
            graph, broken(lambda graph: graph.with_outputs([B.sum(graph.outputs[0], dim=None, keepdim=False)])), "numpy"
        )


def test_a_pass_that_breaks_an_invariant_is_a_fault():
    x, stranger = leaf((3,)), leaf((3,))
    graph = Graph([x], [B.exp(x)])
    with pytest.raises(PassError, match="broken"):
        run_pass(graph, broken(lambda graph: Graph([x], [B.add(x, stranger)])), "numpy")


def test_a_wrong_rule_is_named_with_the_users_line(monkeypatch):
    x = leaf((3,))
    with B.at(("train.py", 41)):
        y = B.exp(x)
    graph = Graph([x], [y])
    wrong = Rewrite("wrong", lambda F, node, uses: F.sum(node, dim=None, keepdim=False), stage="canonicalise",
                    exactness="exact", examples=(), roots=("exp",))  # fmt: skip
    monkeypatch.setitem(pipeline.canonicalise.__globals__, "RULE_SET", RuleSet((wrong,), "canonicalise"))
    with pytest.raises(
        PassError, match=r"canonicalise: rule 'wrong' left f64\[\] where exp: f64\[3\] \(train.py:41\) stood"
    ) as caught:
        optimise(graph)
    assert "exp(%a0)" in caught.value.before


def test_dumps_are_written_when_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(config.settings, "dump", str(tmp_path))
    optimise(grad_graph(graph_of(loss, [A(4, 3)])))
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names[0] == "0000-start.txt"
    assert any("canonicalise" in name for name in names)
    assert "graph(" in (tmp_path / names[0]).read_text()


def test_a_fault_writes_both_graphs_when_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(config.settings, "dump", str(tmp_path))
    graph = graph_of(loss, [A(4, 3)])
    with pytest.raises(PassError, match=r"IR before and after: .*fault-broken.txt"):
        run_pass(graph, broken(lambda graph: graph.with_outputs([])), "numpy")
    assert "===>" in next(tmp_path.iterdir()).read_text()


def test_rosenbrock_costs_what_a_careful_hand_would_write():
    def rosenbrock(F, x):
        def piece(start, stop):
            return F.slice(x, dim=0, start=start, stop=stop, step=1)

        bend = F.pow(F.sub(piece(1, 10), F.pow(piece(0, 9), 2)), 2)
        return F.sum(F.add(F.mul(bend, 100), F.pow(F.rsub(piece(0, 9), 1), 2)), dim=None, keepdim=False)

    graph = grad_graph(graph_of(rosenbrock, [A(10)]))
    after = optimise(graph)
    assert counts(after) == {"slice": 2, "square": 1, "sub": 2, "mul": 5, "add": 2, "dot": 2, "place": 1}
    arrays = draw(graph)
    assert_same(run(after, arrays), run(graph, arrays))


def logistic(F, x):
    return F.sum(F.log(F.add(F.exp(F.neg(x)), 1.0)), dim=None, keepdim=False)


def log_of_sum(F, x):
    return F.log(F.sum(F.exp(x), dim=None, keepdim=False))


def cross_entropy(F, x):
    e = F.exp(x)
    return F.sum(F.log(F.div(e, F.sum(e, dim=None, keepdim=False))), dim=None, keepdim=False)


EXTREME = np.array([-2000.0, 0.5, 2000.0])


@pytest.mark.parametrize("function", [logistic, log_of_sum])
def test_naive_losses_and_their_recorded_gradients_stay_finite(function):
    value, gradient = run(optimise(grad_graph(graph_of(function, [A(3)]))), [EXTREME])
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("function", [logistic, log_of_sum, cross_entropy])
def test_graphs_prepared_before_differentiation_have_finite_gradients(function):
    value, gradient = run(optimise(grad_graph(prepare(graph_of(function, [A(3)])))), [EXTREME])
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_preparing_keeps_detach():
    graph = prepare(graph_of(lambda F, x: F.mul(F.detach(x), x), [A()]))
    assert run(grad_graph(graph), [np.array(3.0)])[1] == 3.0


def test_effects_survive_and_unneeded_ones_go():
    x, w = leaf((3,)), leaf((3,))
    graph = Graph([x], [B.exp(x)], [w], [(w, B.add(w, B.mul(x, 1)))])
    after = optimise(graph)
    assert [(old, new.op.name) for old, new in after.effects] == [(w, "add")]
    assert counts(after) == {"exp": 1, "add": 1}
