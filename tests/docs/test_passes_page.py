"""docs/passes.md lists every rewrite rule with an example: written from the rules by `pytest tests/docs/test_passes_page.py --bless`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.passes.helpers import graph_of
from tests.passes.test_rules import STAGES
from tracegrad.ir.literals import literal_text
from tracegrad.ir.node import Node
from tracegrad.ir.op import parameters
from tracegrad.ir.samples import Sample
from tracegrad.passes.canonicalise import FINISHING
from tracegrad.passes.pipeline import LEVELS
from tracegrad.passes.rewrite import rewrite
from tracegrad.passes.rules import AnyRule, Rule

PAGE = Path(__file__).parents[2] / "docs" / "passes.md"
MODULES = {
    "canonicalise": ("canonicalise", "signs", "powers"),
    "stabilise": ("stabilise", "exponents"),
    "simplify": ("simplify", "placing", "selecting", "chains", "matrices", "folds", "rearranging", "comparing", "conversions"),
}  # fmt: skip
HEAD = """# The passes and their rules

Written from `tracegrad/passes` by `pytest tests/docs/test_passes_page.py --bless`; the tests compare it with the rules.

A compiled program goes through this list of passes (level `O2`; `tracegrad/passes/pipeline.py`):
{order}.

A pass that left a graph as it was is not run on it again.

*Exactness*: **exact** rules keep the bits, **rounding** rules may change the last ones, **domain** rules are also finite where the original overflows, or where it
multiplies with a zero that is there by structure ([decisions/rewrites.md](decisions/rewrites.md)). Every rule is tested for equal values in every dtype, shape
and number in which it matches, with infinities, nan and both zeros; for equal first and second derivatives; for being reached after the earlier passes; and for
coming to an end (`tests/passes/test_rules.py`, `tests/passes/test_rule_variations.py`). [add_a_pass.md](add_a_pass.md) shows how a rule is written.

There are {count} rules. The example of each is its own first test, before and after this rule alone.
"""


def expression(value: Any, names: dict[Node, str]) -> str:
    """A node as one nested expression."""
    if not isinstance(value, Node):
        return literal_text(value)
    if value in names:
        return names[value]
    assert value.op is not None
    inputs = [expression(i, names) for i in value.inputs]
    attrs = [f"{name}={literal_text(v)}" for name, v in zip(value.op.attrs, value.attrs, strict=True)]
    return f"{value.op.name}({', '.join([*inputs, *attrs])})"


def example_of(rule: AnyRule) -> tuple[str, str]:
    """The rule's first example, before and after."""
    example = rule.examples[0]
    if isinstance(rule, Rule):
        function, values = rule.before, [example[name] for name in rule.wildcards]
    else:
        function, values = example
    graph = graph_of(function, values)
    after = rewrite(graph, [rule], rule.stage)
    leaves = [name for name, v in zip(parameters(function)[1:], values, strict=True) if isinstance(v, Sample)]
    names = dict(zip(graph.inputs, leaves, strict=True))
    return expression(graph.outputs[0], names), expression(after.outputs[0], names)


def shown_name(rule: AnyRule) -> str:
    """The rule's name, in which no sign has a meaning for Markdown."""
    return rule.name.replace("|", "\\|").replace("*", "\\*")


def row(rule: AnyRule) -> str:
    """One line of the table."""
    before, after = example_of(rule)
    return f"| {shown_name(rule)} | {rule.exactness} | `{before}` → `{after}` |"


def table(rules: Any) -> str:
    """The table of some rules."""
    return "\n".join(["| Rule | Exactness | Example |", "|---|---|---|", *map(row, rules)])


def expected() -> str:
    """The text that the page must have."""
    count = sum(map(len, STAGES.values()))
    order = ", ".join(step.name for step in LEVELS["O2"])
    parts = [HEAD.format(order=order, count=count)]
    for stage, modules in MODULES.items():
        parts.append(f"\n## {stage}\n")
        for name in modules:
            module = importlib.import_module(f"tracegrad.passes.{name}")
            others = {
                r
                for other in modules
                if other != name
                for r in importlib.import_module(f"tracegrad.passes.{other}").RULES
            }
            rules = [r for r in module.RULES if name not in (stage,) or r not in others]
            parts.append(f"### {name}.py\n\n{table(rules)}\n")
    parts.append(f"\n## finish\n\n{table(FINISHING)}\n")
    return "\n".join(parts)


def test_the_page_lists_the_rules_there_are(request: pytest.FixtureRequest) -> None:
    text = expected()
    if request.config.getoption("--bless"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text, "run: pytest tests/docs/test_passes_page.py --bless"


def test_every_rule_stands_on_the_page_once() -> None:
    lines = expected().splitlines()
    for rules in STAGES.values():
        for rule in rules:
            assert sum(line.startswith(f"| {shown_name(rule)} | ") for line in lines) == 1, rule.name
