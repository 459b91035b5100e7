"""What every rewrite rule gets without being written: the same values in every dtype and shape in which it matches, and the same derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.helpers import run
from tests.passes.test_rules import CASES, RULES, before_graph, samples_of
from tests.passes.variations import TOLERANCE, after_rule, build, computed, edge_values, example_values, variations
from tracegrad.errors import DifferentiationError
from tracegrad.ir.verify import verify
from tracegrad.passes import vjp_graph
from tracegrad.passes.canonicalise import FINISHING
from tracegrad.passes.rules import Rule

ROUNDS = 4


def same(rule, old, new, dtype):
    """Whether the rule keeps its promise for these results."""
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    kind = old.dtype.kind
    if kind in "biu":
        return np.array_equal(old, new)
    old, new = (np.asarray(v, np.float64 if kind in "fV" else None) for v in (old, new))
    if rule.exactness == "exact" and kind != "c":
        number = ~np.isnan(old)
        return np.array_equal(old, new, equal_nan=True) and np.array_equal(
            np.signbit(old)[number], np.signbit(new)[number]
        )
    if rule.exactness == "domain":
        if np.isnan(new[~np.isnan(old)]).any():
            return False
        kept = np.isfinite(old) & np.isfinite(new)
        old, new = old[kept], new[kept]
    tolerance = TOLERANCE[dtype]
    scale = np.abs(old[np.isfinite(old)]).max(initial=1.0)
    return np.allclose(new, old, rtol=tolerance, atol=tolerance * scale, equal_nan=True)


def left_out(rule):
    """Values that a rule need not treat as before: +inf makes a whole row of softmax nan, and BLAS leaves out products with 0."""
    return (np.inf,) if "softmax" in rule.name else (np.inf, -np.inf, np.nan) if "@" in rule.name else ()


@pytest.mark.parametrize(("rule", "index"), CASES)
def test_values_are_kept_in_every_dtype_shape_and_number_in_which_the_rule_matches(rule, index):
    function, _ = example_values(rule, index)
    generator = np.random.default_rng(0)
    wrong = []
    for what, values, dtype in variations(rule, index):
        graph = build(function, values, dtype)
        for _ in range(ROUNDS if graph is not None else 0):
            arrays = [edge_values(generator, leaf, left_out(rule)) for leaf in graph.leaves]
            old = computed(graph, arrays)
            after = None if old is None else after_rule(rule, graph)
            if after is None:
                break
            (new,) = run(verify(after), arrays)
            result = str(graph.outputs[0].type.dtype) if graph.outputs[0].type.dtype.kind != "V" else "bfloat16"
            if not same(
                rule, old, new, "bfloat16" if dtype == "bfloat16" else "float16" if dtype == "float16" else result
            ):
                wrong.append((what, arrays, old, new))
                break
    assert not wrong, "\n".join(f"{what}: {old} became {new} at {arrays}" for what, arrays, old, new in wrong[:4])


def derivatives(graph, order):
    """The graph of the vector-Jacobian product, taken `order` times."""
    for _ in range(order):
        graph = vjp_graph(graph)
    return graph


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("rule", "index"), CASES)
def test_derivatives_are_kept(rule, index, order):
    graph = before_graph(rule, index)
    drawn = [s.draw(np.random.default_rng(1)) for s in samples_of(rule, index)]
    if rule.exactness == "domain" and not np.isfinite(run(graph, drawn)[0]).all():
        pytest.skip("the original overflows, and so do its derivatives")
    if rule in FINISHING:
        pytest.skip("runs after differentiation")
    if graph.outputs[0].dtype.kind not in "fc" or not any(leaf.dtype.kind in "fc" for leaf in graph.leaves):
        pytest.skip("no floating-point operand or result")
    after = after_rule(rule, graph)
    try:
        graph, after = derivatives(graph, order), derivatives(after, order)
    except DifferentiationError:
        pytest.skip("an operator has no derivative")
    verify(after)
    generator = np.random.default_rng(1)
    arrays = drawn
    for leaf in graph.leaves[len(drawn) :]:
        x = generator.uniform(-1, 1, leaf.shape)
        arrays.append(np.asarray(x + 1j * x[::-1] if leaf.dtype.kind == "c" and x.ndim else x).astype(leaf.dtype))
    for old, new in zip(run(graph, arrays), run(after, arrays), strict=True):
        if rule.exactness == "domain":
            new = np.where(np.isfinite(old), new, old)
        scale = np.abs(old[np.isfinite(old)]).max(initial=1e-3)
        np.testing.assert_allclose(new, old, rtol=1e-8, atol=1e-9 * scale)


@pytest.mark.parametrize(
    "rule", [r for r in RULES if isinstance(r, Rule) and r.given is not None], ids=lambda r: r.name
)
def test_the_condition_of_a_rule_is_needed_by_some_variation(rule):
    for index in range(len(rule.examples)):
        function, _ = example_values(rule, index)
        for _, values, dtype in variations(rule, index):
            graph = build(function, values, dtype)
            if graph is None or graph.outputs[0].op.name != rule.pattern.op:
                continue
            arrays = [edge_values(np.random.default_rng(0), leaf) for leaf in graph.leaves]
            if computed(graph, arrays) is not None and after_rule(rule, graph) is None:
                return
    pytest.fail("the condition holds for every variation of the examples: is it needed?")
