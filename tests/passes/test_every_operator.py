"""For every operator and sample: reverse, forward, second order and batching agree with each other and with differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.ops.cases import attribute_of, dot, normal
from tests.passes.helpers import assert_same, leaf_for, run
from tracegrad.errors import DifferentiationError, NotSupportedError
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.samples import Sample
from tracegrad.ir.verify import verify
from tracegrad.passes import batch_graph, jvp_graph, optimise, vjp_graph
from tracegrad.passes.differentiate import differentiable

OPERATORS = [op for op in REGISTRY.values() if not op.composite and not op.value_dependent and op.pure and op.samples]
CASES = [pytest.param(op, i, id=f"{op.name} [{i}]") for op in OPERATORS for i in range(len(op.samples))]
FRESH = [c for c in CASES if any(isinstance(s, Sample) and s.kind == "array" for s in c.values[0].samples[c.values[1]])]


def one_node(op, index):
    """The graph of one operator on its sample, and arrays for it; or skip where the sample has no floating-point operand or result."""
    sample = list(op.samples[index])
    generator = np.random.default_rng(0)
    count = len(sample) - len(op.attrs)
    arrays = [s.draw(generator) for s in sample[:count] if isinstance(s, Sample)]
    inputs = [leaf_for(s) if isinstance(s, Sample) else s for s in sample[:count]]
    attrs = dict(
        zip(op.attrs, (attribute_of(n, a) for n, a in zip(op.attrs, sample[count:], strict=True)), strict=True)
    )
    result = getattr(B, op.name)(*inputs, **attrs)
    leaves = [i for i in inputs if not isinstance(i, (bool, int, float, complex, type(None)))]
    return Graph(leaves, result if isinstance(result, tuple) else (result,)), arrays


def differentiable_case(op, index):
    graph, arrays = one_node(op, index)
    named = not hasattr(op, "vjp")  # such operators have any number of results
    outputs = [p for p in differentiable(graph.outputs) if not (named and op.outputs[p] in op.nondiff_outputs)]
    wrt = [p for p in differentiable(graph.inputs) if moves(op, graph, p)]
    if not wrt or not outputs:
        pytest.skip("no floating-point operand or result with a derivative")
    if any(a.size == 0 for a in arrays) and not all(np.isfinite(v).all() for v in run(graph, arrays)):
        pytest.skip("the value of no elements is not a number")
    try:
        vjp_graph(graph, wrt, outputs)
    except (DifferentiationError, NotSupportedError):
        pytest.skip("the operator refuses to be differentiated")
    return graph, arrays, wrt, outputs


def smooth(arrays):
    """Whether no array repeats a value or has a zero, where extremes and norms have a corner."""
    return all(a.dtype.kind != "f" or (np.unique(a).size == a.size and a.all()) for a in arrays)


def moves(op, graph, position):
    node = next(n for n in graph.nodes if n.op is op)
    at = node.inputs.index(graph.inputs[position])
    return op.operands[min(at, len(op.operands) - 1)] not in op.nondiff


def random_like(values, seed):
    generator = np.random.default_rng(seed)
    return [normal(generator, v.shape, v.dtype) for v in values]


@pytest.mark.parametrize(("op", "index"), FRESH)
def test_forward_and_reverse_mode_are_transposes(op, index):
    graph, arrays, wrt, outputs = differentiable_case(op, index)
    tangents = random_like([arrays[p] for p in wrt], 1)
    cotangents = random_like([np.empty(graph.outputs[p].shape, graph.outputs[p].dtype) for p in outputs], 2)
    forward = run(verify(jvp_graph(graph, wrt)), [*arrays, *tangents])[len(graph.outputs) :]
    floating = differentiable(graph.outputs)
    pushed = [t for p, t in zip(floating, forward, strict=True) if p in outputs]
    pulled = run(verify(vjp_graph(graph, wrt, outputs)), [*arrays, *cotangents])
    left = dot(cotangents, pushed)
    right = dot(pulled, tangents)
    np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("op", "index"), FRESH)
def test_forward_mode_is_the_difference_quotient(op, index):
    graph, arrays, wrt, outputs = differentiable_case(op, index)
    if not smooth(arrays):
        pytest.skip("no derivative at a corner")
    if any(np.abs(a).max(initial=0) > 100 for a in arrays):
        pytest.skip("differences are not accurate for large values")
    if any(n.dtype != np.float64 for n in (*(graph.inputs[p] for p in wrt), *(graph.outputs[p] for p in outputs))):
        pytest.skip("differences need float64")
    tangents = random_like([arrays[p] for p in wrt], 1)
    found = run(jvp_graph(graph, wrt), [*arrays, *tangents])[len(graph.outputs) :]
    moved = []
    for sign in (1, -1):
        at = list(arrays)
        for p, t in zip(wrt, tangents, strict=True):
            at[p] = at[p] + sign * 1e-6 * t
        moved.append([run(graph, at)[p] for p in differentiable(graph.outputs)])
    for position, f, high, low in zip(differentiable(graph.outputs), found, *moved, strict=True):
        if position in outputs:
            np.testing.assert_allclose(f, (high - low) / 2e-6, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("op", "index"), FRESH)
def test_reverse_of_reverse_verifies_and_runs(op, index):
    graph, arrays, wrt, outputs = differentiable_case(op, index)
    first = vjp_graph(graph, wrt, outputs)
    again = [*wrt, *range(len(graph.inputs), len(first.inputs))]
    second = verify(vjp_graph(first, again))
    cotangents = random_like([np.empty(n.shape, n.dtype) for n in second.inputs[len(arrays) :]], 3)
    pulled = run(second, [*arrays, *cotangents])
    assert [p.shape for p in pulled] == [first.inputs[p].shape for p in again]


@pytest.mark.parametrize(("op", "index"), FRESH)
def test_batching_is_a_loop(op, index):
    graph, arrays = one_node(op, index)
    count = len(graph.inputs)
    for mask in itertools.product((False, True), repeat=count):
        if not any(mask) or count > 3:
            continue
        batched = verify(batch_graph(graph, mask, 2))
        generator = np.random.default_rng(4)
        copies = [
            np.stack([a, generator.permutation(a.reshape(-1)).reshape(a.shape)]) if m else a
            for a, m in zip(arrays, mask, strict=True)
        ]
        found = run(batched, copies)
        for row in range(2):
            expected = run(graph, [c[row] if m else c for c, m in zip(copies, mask, strict=True)])
            assert_same([f[row] for f in found], expected)


@pytest.mark.parametrize(("op", "index"), FRESH)
def test_optimising_value_and_derivative_keeps_them(op, index):
    graph, arrays, wrt, outputs = differentiable_case(op, index)
    whole = vjp_graph(graph, wrt, outputs, keep_outputs=True)
    cotangents = random_like([np.empty(n.shape, n.dtype) for n in whole.inputs[len(arrays) :]], 5)
    values = [*arrays, *cotangents]
    assert_same(
        run(optimise(whole), values),
        run(whole, values),
        rtol=1e-6 if any(n.dtype == np.float32 for n in whole.nodes) else 1e-9,
    )


@pytest.mark.parametrize(
    ("op", "index"), [c for c in FRESH if c.values[0].elementwise and len(c.values[0].operands) > 1]
)
def test_constant_and_repeated_operands_keep_the_values(op, index):
    sample = list(op.samples[index])
    count = len(sample) - len(op.attrs)
    attrs = dict(zip(op.attrs, sample[count:], strict=True))
    generator = np.random.default_rng(6)
    for position, chosen in enumerate(sample[:count]):
        if not isinstance(chosen, Sample) or chosen.kind == "index":
            continue
        for make in (constant, repeated):
            inputs = [leaf_for(s) if isinstance(s, Sample) else s for s in sample[:count]]
            leaf = inputs[position]
            inputs[position] = make(leaf)
            leaves = [i for i in (*inputs[:position], leaf, *inputs[position + 1 :]) if hasattr(i, "op")]
            try:
                result = getattr(B, op.name)(*inputs, **attrs)
            except (RuntimeError, ValueError):
                continue  # the shapes of this sample do not allow another axis
            graph = Graph(leaves, (result,))
            arrays = [s.draw(generator) for s in sample[:count] if isinstance(s, Sample)]
            assert_same(run(optimise(graph), arrays), run(graph, arrays))


def constant(leaf):
    value = True if leaf.dtype.kind == "b" else 0.75
    return B.broadcast_to(B.full(shape=(), value=value, dtype=leaf.dtype), shape=leaf.shape)


def repeated(leaf):
    return B.broadcast_to(B.reshape(leaf, shape=(1, *leaf.shape)), shape=(2, *leaf.shape))
