"""The engine of the rules: which nodes are looked at, who counts as a reader, and what is remembered."""

from __future__ import annotations

import pytest

from tests.passes.helpers import leaf
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.passes import optimise, simplify
from tracegrad.passes.rewrite import FARTHEST, Rewriter, RuleSet, by_signature, rewrite, settled_nodes
from tracegrad.passes.rules import Rewrite, Rule

SINES = Rule("sin(neg x) -> neg(sin x)", lambda F, x: F.sin(F.neg(x)), lambda F, x: F.neg(F.sin(x)),
             alone=True, stage="simplify", exactness="exact", examples=())  # fmt: skip
COSINES = Rule(
    "cos x -> sin x", lambda F, x: F.cos(x), lambda F, x: F.sin(x), stage="simplify", exactness="exact", examples=()
)


def chain(length):
    """A graph of so many nodes in which some rules of every stage look, and few fire."""
    x = leaf((3,))
    value = x
    for _ in range(length // 3):
        value = B.add(B.mul(B.sin(value), 0.5), value)
    return Graph([x], [value])


def test_a_rebuilt_node_has_the_readers_of_the_node_for_which_it_stands():
    x = leaf((3,))
    negative = B.neg(B.cos(x))  # is rebuilt when its cosine is replaced, in the same round
    graph = Graph([x], [B.sin(negative), B.exp(negative)])
    after = rewrite(graph, [COSINES, SINES], "simplify")
    assert [n.op.name for n in after.nodes] == ["sin", "neg", "sin", "exp"]


def test_a_value_that_one_node_reads_twice_is_not_alone():
    x = leaf((3,))
    negative = B.neg(x)
    graph = Graph([x], [B.sin(negative), negative])
    assert rewrite(graph, [SINES], "simplify") is graph


def test_rules_are_asked_about_the_nodes_that_they_could_describe_only():
    asked = []

    def look(F, node, uses):
        asked.append(node)

    rule = Rewrite(
        "look",
        look,
        stage="simplify",
        exactness="exact",
        examples=(),
        roots=("add",),
        when=lambda op, kinds: kinds[1] is None,
    )
    graph = chain(30)
    rewrite(graph, [rule], "simplify")
    assert [n.inputs[1] for n in asked] == [graph.inputs[0]]


def test_a_node_about_which_no_rule_had_anything_to_say_is_not_asked_again():
    asked = []

    def look(F, node, uses):
        asked.append(node)

    rules = RuleSet(
        (Rewrite("look", look, stage="simplify", exactness="exact", examples=(), roots=("add",)),), "simplify"
    )
    graph = chain(30)
    for _ in range(3):
        Rewriter(rules, "simplify").run(graph)
    assert len(asked) == len(set(asked)) == 10


def test_a_node_whose_readers_mattered_is_asked_again():
    asked = []

    def look(F, node, uses):
        asked.append(uses(node))

    rules = RuleSet(
        (Rewrite("look", look, stage="simplify", exactness="exact", examples=(), roots=("add",)),), "simplify"
    )
    graph = chain(3)
    for _ in range(3):
        Rewriter(rules, "simplify").run(graph)
    assert asked == [1, 1, 1]


def test_nothing_is_kept_beside_a_graph_after_its_passes():
    graph = chain(30)
    after = optimise(graph)
    for kept in (graph, after):
        assert not {"_settled", "_by_signature"} & set(kept.__dict__)


def test_a_long_program_has_as_many_signatures_as_a_short_one():
    assert len(by_signature(chain(3000))) == len(by_signature(chain(30)))


@pytest.mark.parametrize("length", [300, 3000])
def test_the_number_of_matches_tried_grows_with_the_length_only(length, monkeypatch):
    tried = []
    apply = Rule.apply
    monkeypatch.setattr(Rule, "apply", lambda rule, F, node, uses: tried.append(rule) or apply(rule, F, node, uses))
    optimise(chain(length))
    assert len(tried) <= 6 * length


@pytest.mark.parametrize(("count", "fires"), [(2000, True), (100_000, False)])
def test_a_count_that_half_precision_cannot_hold_is_no_factor(count, fires):
    x = leaf((1,), "float16")
    graph = Graph([x], [B.sum(B.broadcast_to(x, shape=(count,)), dim=None, keepdim=False)])
    assert (simplify(graph) is not graph) == fires


def test_what_a_rule_makes_is_settled_in_the_same_round():
    rounds = []
    x = leaf((3,))
    graph = Graph([x], [B.exp(B.cos(B.neg(B.neg(x))))])
    twice = Rule("neg(neg x) -> cos(cos x)", lambda F, x: F.neg(F.neg(x)), lambda F, x: F.cos(F.cos(x)),
                 stage="simplify", exactness="exact", examples=())  # fmt: skip
    look = Rewrite("look", lambda F, node, uses: rounds.append(node), roots=("exp",), stage="simplify",
                   exactness="exact", examples=())  # fmt: skip
    after = rewrite(graph, [COSINES, twice, look], "simplify")
    assert [n.op.name for n in after.nodes] == ["sin", "sin", "sin", "exp"]
    assert rounds == [after.nodes[-1]]


def test_a_settled_node_is_asked_again_near_to_a_change_only():
    asked = []
    x = leaf((3,))
    value = B.cos(x)
    for _ in range(20):
        value = B.exp(value)
    graph = Graph([x], [value])
    look = Rewrite("look", lambda F, node, uses: asked.append(node), roots=("exp",), stage="simplify",
                   exactness="exact", examples=())  # fmt: skip
    rules = RuleSet((look, COSINES), "simplify")
    settled_nodes(graph, rules).update(n for n in graph.nodes if n.op.name == "exp")
    after = Rewriter(rules, "simplify").run(graph)
    assert after.nodes[0].op.name == "sin"
    assert asked == list(after.nodes[1 : FARTHEST + 1])
