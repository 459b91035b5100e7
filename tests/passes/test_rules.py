"""The four tests that every rewrite rule gets without being written."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.helpers import assert_same, graph_of, run
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.samples import Sample
from tracegrad.passes.canonicalise import FINISHING
from tracegrad.passes.canonicalise import RULES as CANONICAL
from tracegrad.passes.placing import RULES as PLACING
from tracegrad.passes.powers import RULES as POWERS
from tracegrad.passes.rewrite import Rewriter, rewrite
from tracegrad.passes.rules import Rule
from tracegrad.passes.signs import RULES as SIGNS
from tracegrad.passes.simplify import RULES as SIMPLE
from tracegrad.passes.stabilise import RULES as STABLE

STAGES = {"finish": FINISHING, "canonicalise": (*CANONICAL, *SIGNS, *POWERS), "stabilise": STABLE, "simplify": SIMPLE}
ORDER = ("finish", "canonicalise", "stabilise", "canonicalise", "simplify")
RULES = [rule for rules in STAGES.values() for rule in rules]
CASES = [pytest.param(rule, i, id=f"{rule.name} [{i}]") for rule in RULES for i in range(len(rule.examples))]
SHOWN = {"exact", "rounding", "domain", "fast"}


def before_graph(rule, index, dtype="float64"):
    example = rule.examples[index]
    if isinstance(rule, Rule):
        return graph_of(rule.before, [example[name] for name in rule.wildcards], dtype)
    function, samples = example
    return graph_of(function, samples, dtype)


def samples_of(rule, index):
    example = rule.examples[index]
    values = [example[name] for name in rule.wildcards] if isinstance(rule, Rule) else example[1]
    return [v for v in values if isinstance(v, Sample)]


def applied(rule, graph):
    """The graph after this one rule, which must fire."""
    log = {}
    after = rewrite(graph, [rule], rule.stage, log)
    assert log.get(rule.name), f"rule {rule.name!r} does not fire on its own example"
    return after


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_names_operators_that_exist_and_has_an_example(rule):
    assert rule.roots != ()
    assert rule.examples
    assert rule.exactness in SHOWN


@pytest.mark.parametrize(("rule", "index"), CASES)
def test_values_are_equal_and_finite_where_the_rule_promises_it(rule, index):
    graph = before_graph(rule, index)
    after = applied(rule, graph)
    generator = np.random.default_rng(0)
    for _ in range(3):
        arrays = [s.draw(generator) for s in samples_of(rule, index)]
        (old,), (new,) = run(graph, arrays), run(after, arrays)
        if rule.exactness == "exact":
            assert np.array_equal(old, new, equal_nan=True)
            assert old.dtype.kind != "f" or np.array_equal(np.signbit(old), np.signbit(new))
        elif rule.exactness == "domain":
            assert np.isfinite(new).all()
            good = np.isfinite(old) & (np.abs(old) > 1e-290)
            np.testing.assert_allclose(new[good], old[good], rtol=1e-9, atol=1e-300)
        else:
            np.testing.assert_allclose(new, old, rtol=1e-11)


@pytest.mark.parametrize(("rule", "index"), CASES)
def test_a_nan_in_an_operand_is_not_lost(rule, index):
    graph = before_graph(rule, index)
    after = applied(rule, graph)
    arrays = [s.draw(np.random.default_rng(0)) for s in samples_of(rule, index)]
    for x in arrays:
        if x.dtype.kind == "f":
            x[...] = np.nan
    (old,), (new,) = run(graph, arrays), run(after, arrays)
    np.testing.assert_array_equal(np.isnan(new), np.isnan(old))


@pytest.mark.parametrize(
    ("rule", "index"), [case for case in CASES if case.values[0].exactness in ("exact", "rounding")]
)
def test_infinities_and_zeros_are_treated_as_before(rule, index):
    graph = before_graph(rule, index)
    after = applied(rule, graph)
    generator = np.random.default_rng(0)
    infinities = [-np.inf] if "softmax" in rule.name else [np.inf, -np.inf]  # +inf makes a whole row of softmax nan
    for _ in range(20):
        arrays = [s.draw(generator) for s in samples_of(rule, index)]
        for x in arrays:
            if x.dtype.kind == "f":
                x[...] = generator.choice([0.0, -0.0, 1.0, -1.5, *infinities, np.nan], x.shape)
        (old,), (new,) = run(graph, arrays), run(after, arrays)
        np.testing.assert_allclose(new, old, rtol=1e-12)
        if rule.exactness == "exact" and old.dtype.kind == "f":
            number = ~np.isnan(old)
            np.testing.assert_array_equal(np.signbit(new)[number], np.signbit(old)[number])


@pytest.mark.parametrize(("rule", "index"), CASES)
def test_shape_and_dtype_are_kept(rule, index):
    for dtype in ("float64", "float32"):
        graph = before_graph(rule, index, dtype)
        log = {}
        after = rewrite(graph, [rule], rule.stage, log)
        assert log or "cast" in rule.name
        assert after.outputs[0].type == graph.outputs[0].type


@pytest.mark.parametrize(("rule", "index"), CASES)
def test_rule_is_reachable_after_the_earlier_stages(rule, index):
    graph = before_graph(rule, index)
    for stage in ORDER[: ORDER.index(rule.stage)]:
        graph = rewrite(graph, STAGES[stage], stage)
    log = {}
    rewrite(graph, [rule], rule.stage, log)
    assert log, f"rule {rule.name!r} never fires after the earlier stages"


@pytest.mark.parametrize(("rule", "index"), CASES)
def test_rules_of_a_stage_come_to_an_end_on_the_result(rule, index):
    after = applied(rule, before_graph(rule, index))
    rewriter = Rewriter(STAGES[rule.stage], rule.stage)
    settled = rewriter.run(after)
    assert rewriter.log.get(rule.name, 0) <= 2
    assert rewrite(settled, STAGES[rule.stage], rule.stage) is settled


def test_no_two_rules_have_one_name():
    names = [rule.name for rule in RULES]
    assert len(names) == len(set(names))


def test_placing_is_part_of_simplify():
    assert set(PLACING) <= set(SIMPLE)


def test_a_rule_that_changes_the_type_is_an_error_that_names_it():
    wrong = Rule(
        "wrong",
        lambda F, x: F.exp(x),
        lambda F, x: F.sum(x, dim=None, keepdim=False),
        stage="simplify",
        exactness="exact",
        examples=(),
    )
    x = graph_of(lambda F, x: F.exp(x), [Sample("array", (3,), 0, 1)])
    with pytest.raises(RuntimeError, match=r"rule 'wrong' left f64\[\] where exp: f64\[3\] stood"):
        rewrite(x, [wrong], "simplify")


def test_a_rule_that_undoes_itself_is_an_error():
    swap = Rule(
        "swap",
        lambda F, x, y: F.sub(x, y),
        lambda F, x, y: F.sub(y, x),
        stage="simplify",
        exactness="exact",
        examples=(),
    )
    x, y = (graph_of(lambda F, x: x, [Sample("array", (3,), 0, 1)]).inputs[0] for _ in range(2))
    with pytest.raises(RuntimeError, match="do not come to an end"):
        rewrite(Graph([x, y], [B.sub(x, y)]), [swap], "simplify")


def test_same_wildcard_matches_the_same_value_only():
    rule = Rule(
        "x * x", lambda F, x: F.mul(x, x), lambda F, x: F.square(x), stage="simplify", exactness="exact", examples=()
    )
    same, other = (
        graph_of(f, [Sample("array", (3,), 0, 1)] * 2)
        for f in (lambda F, x, y: F.mul(x, x), lambda F, x, y: F.mul(x, y))
    )
    assert rewrite(same, [rule], "simplify") is not same
    assert rewrite(other, [rule], "simplify") is other


def test_assertion_helper_sees_differences():
    with pytest.raises(AssertionError):
        assert_same([np.ones(2)], [np.zeros(2)])


def test_fast_rules_are_off_unless_asked_for():
    rule = Rule("fast", lambda F, x: F.exp(x), lambda F, x: F.sin(x), stage="simplify", exactness="fast", examples=())
    graph = graph_of(lambda F, x: F.exp(x), [Sample("array", (3,), 0, 1)])
    assert rewrite(graph, [rule], "simplify") is graph
    assert rewrite(graph, [rule], "simplify", fast=True).outputs[0].op.name == "sin"


def test_an_exactness_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="'nearly' is not one of"):
        Rule("odd", lambda F, x: F.exp(x), lambda F, x: x, stage="simplify", exactness="nearly", examples=())
