"""Every operator, on every one of its samples: the text and JSON round trips are exact, and the exported Python gives the operator's own numbers."""

from __future__ import annotations

import ast
import json
from typing import Any

import numpy as np
import pytest

import tracegrad  # noqa: F401  (all operators)
from tests.ops.cases import attribute_of
from tracegrad.errors import TracegradError
from tracegrad.ir.builder import build
from tracegrad.ir.graph import Graph
from tracegrad.ir.literals import is_literal
from tracegrad.ir.node import make_leaf
from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ir.raw import compute
from tracegrad.ir.samples import Sample
from tracegrad.ir.types import Type
from tracegrad.ir.verify import verify

CASES = [
    pytest.param(op, sample, id=f"{op.name}-{i}")
    for op in REGISTRY.values()
    if not op.composite and not op.value_dependent
    for i, sample in enumerate(op.samples)
]


def made(op: type[Op], sample: Any) -> tuple[Graph, list[Any], tuple[Any, ...], tuple[Any, ...]]:
    """A graph with the operator alone, the arrays for its leaves, and the operands and attributes for the kernel."""
    generator = np.random.default_rng(0)
    split = len(sample) - len(op.attrs)
    attrs = tuple(attribute_of(name, v) for name, v in zip(op.attrs, sample[split:], strict=True))
    values = tuple(recipe.draw(generator) if isinstance(recipe, Sample) else recipe for recipe in sample[:split])
    operands = tuple(make_leaf(Type(v.shape, v.dtype)) if isinstance(v, np.ndarray) else v for v in values)
    leaves = [o for o, v in zip(operands, values, strict=True) if isinstance(v, np.ndarray)]
    result = build(op, operands, attrs)
    graph = Graph(leaves, result if op.several() else [result])
    return graph, [v for v in values if isinstance(v, np.ndarray)], values, attrs


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_round_trips_are_exact(op, sample):
    graph, _, _, attrs = made(op, sample)
    verify(graph)
    assert all(is_literal(a) or isinstance(a, Graph) for a in attrs)
    text = graph.to_text()
    for again in (Graph.from_text(text), Graph.from_json(graph.to_json())):
        assert again.to_text() == text and again == graph


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_the_exported_module_gives_the_numbers_of_the_operator(op, sample):
    graph, arrays, values, attrs = made(op, sample)
    scope: dict[str, Any] = {}
    source = graph.to_python()
    assert "tracegrad" not in source.split('"""', 2)[2]
    exec(compile(source, "<exported>", "exec"), scope)
    found = scope["compiled"](*arrays)
    want = compute(op, values, attrs)
    for a, b in zip(found if len(graph.outputs) > 1 else [found], want if op.several() else [want], strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
        assert np.asarray(a).dtype == np.asarray(b).dtype


HOSTILE = [{"str": "x); import os  #"}, {"tuple": [{"str": "x]; import os  #"}]}, {"str": "__import__('os')"}, None, -1, 10**30, {"tuple": [10**18, 10**18]}, {"float": "nan"}, {"slice": [None, 1, 0]}]  # fmt: skip


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if case.id.endswith("-0") and case.values[0].attrs])
def test_a_wrong_attribute_in_a_file_is_refused_or_stays_a_value(op, sample):
    document = json.loads(made(op, sample)[0].to_json())
    given = document["nodes"][0]["attrs"]
    for name, value in list(given.items()):
        for hostile in HOSTILE:
            given[name] = hostile
            try:
                source = Graph.from_json(document).to_python()
            except (
                TracegradError,
                AttributeError,
            ):  # AttributeError: opening a composite whose type rule reads no such attribute
                continue
            words = list(ast.walk(ast.parse(source).body[-1]))
            assert not any(isinstance(word, (ast.Import, ast.ImportFrom)) for word in words)
            assert not any(isinstance(word, ast.Name) and word.id == "__import__" for word in words)
        given[name] = value
