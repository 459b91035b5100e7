"""Saved-tensor hooks, anomaly mode and checkpoints leave the gradients of every operator as they are."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.cases import NO_BACKWARD
from tracegrad.autograd.graph import allow_mutation_on_saved_tensors, saved_tensors_hooks
from tracegrad.eager.dispatch import T
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.samples import Sample
from tracegrad.utils.checkpoint import checkpoint

CASES = [
    pytest.param(op, sample, id=f"{op.name}-{i}")
    for op in REGISTRY.values()
    if not op.composite and any(op.rules) and op.name not in NO_BACKWARD
    for i, sample in enumerate(op.samples)
]


def through_disk(pack: list[Any]) -> saved_tensors_hooks:
    """Hooks that keep nothing but bytes."""

    def packed(t: tg.Tensor) -> Any:
        pack.append(t.shape)
        array = t.detach().numpy()
        return array.tobytes(), array.shape, array.dtype

    return saved_tensors_hooks(
        packed, lambda kept: tg.from_numpy(np.frombuffer(kept[0], kept[2]).reshape(kept[1]).copy())
    )


def gradients(op: Any, sample: Any, around: Any, create_graph: bool, checkpointed: bool = False) -> list[Any]:
    """The gradients of all floating operands, with `around` in force while the tape is made."""
    count = len(sample) - len(op.attrs)
    attrs = {name: np.dtype(v) if name == "dtype" else v for name, v in zip(op.attrs, sample[count:], strict=True)}
    generator = np.random.default_rng(1)
    drawn = [recipe.draw(generator, np.float64) if isinstance(recipe, Sample) else recipe for recipe in sample[:count]]
    values = [tg.tensor(v) if isinstance(v, np.ndarray) else v for v in drawn]
    rules = [op.rules[min(i, len(op.rules) - 1)] for i in range(count)]
    followed = [
        v.requires_grad_()
        for v, rule in zip(values, rules, strict=True)
        if rule is not None and isinstance(v, tg.Tensor) and v.is_floating_point()
    ]

    def run(*operands: Any) -> Any:
        return getattr(T, op.name)(*operands, **attrs)

    with around:
        result = checkpoint(run, *values, use_reentrant=False) if checkpointed else run(*values)
    outputs = [r for r in (result if isinstance(result, tuple) else (result,)) if r.requires_grad]
    if not outputs:
        return []
    weights = [tg.tensor(generator.standard_normal(o.shape), dtype=o.dtype) for o in outputs]
    found = tg.autograd.grad(outputs, followed, weights, create_graph=create_graph, allow_unused=True)
    return [None if g is None else g.tolist() for g in found]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_values_that_went_through_bytes_give_the_same_gradients(op, sample, create_graph):
    expected = gradients(op, sample, nullcontext(), create_graph)
    assert np.array_equal(repr(gradients(op, sample, through_disk([]), create_graph)), repr(expected))


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_anomaly_mode_copies_and_checkpoints_give_the_same_gradients(op, sample):
    expected = repr(gradients(op, sample, nullcontext(), False))
    with allow_mutation_on_saved_tensors():
        assert repr(gradients(op, sample, nullcontext(), False)) == expected
    assert repr(gradients(op, sample, nullcontext(), False, checkpointed=True)) == expected
    with tg.autograd.set_detect_anomaly(True, check_nan=False):
        assert repr(gradients(op, sample, nullcontext(), False)) == expected
