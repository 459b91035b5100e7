"""The tape of every operator, on every sample: the graph is verified, whichever operands autograd follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.eager.dispatch import T
from tracegrad.ir.graph import Graph
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.samples import Sample
from tracegrad.ir.verify import verify

CASES = [
    pytest.param(op, sample, id=f"{op.name}-{i}")
    for op in REGISTRY.values()
    if not op.composite and any(op.rules)
    for i, sample in enumerate(op.samples)
]


def operands(sample: Any, count: int, dtype: type) -> list[Any]:
    """Tensors and numbers of a sample."""
    generator = np.random.default_rng(1)
    drawn = [recipe.draw(generator, dtype) if isinstance(recipe, Sample) else recipe for recipe in sample[:count]]
    return [tg.tensor(v) if isinstance(v, np.ndarray) else v for v in drawn]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_the_tape_of_an_operator_is_a_good_graph(op, sample, dtype):
    count = len(sample) - len(op.attrs)
    attrs = {name: np.dtype(v) if name == "dtype" else v for name, v in zip(op.attrs, sample[count:], strict=True)}
    floating = [
        i for i, v in enumerate(operands(sample, count, dtype)) if isinstance(v, tg.Tensor) and v.is_floating_point()
    ]
    for followed in [floating, *([i] for i in floating)]:
        values = operands(sample, count, dtype)
        for i in followed:
            values[i].requires_grad_()
        result = getattr(T, op.name)(*values, **attrs)
        for made in result if isinstance(result, tuple) else (result,):
            graph = verify(made.graph())
            assert Graph.from_text(str(graph)) == graph
            if made.requires_grad:
                assert len(graph.inputs) <= len(followed) and graph.nodes
                shapes = [tuple(v.shape) for v in values if isinstance(v, tg.Tensor)]
                assert {leaf.shape for leaf in graph.leaves} <= set(shapes)
