"""What the tests of the passes share: leaves, graphs from functions over F, and their values on arrays."""

from __future__ import annotations

import numpy as np

from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph, evaluate
from tracegrad.ir.node import make_leaf
from tracegrad.ir.raw import compute
from tracegrad.ir.samples import Sample
from tracegrad.ir.types import Type


def leaf(shape, dtype="float64"):
    return make_leaf(Type(tuple(shape), np.dtype(dtype)), needs=True)


def leaf_for(sample, dtype="float64"):
    """A leaf of the type that the sample draws."""
    kinds = {"array": dtype, "symmetric": dtype, "complex": "complex128", "hermitian": "complex128"}
    return leaf(sample.shape, {**kinds, "index": "int64", "mask": "bool"}[sample.kind])


def graph_of(function, samples, dtype="float64"):
    """The graph of function(B, *leaves); anything in samples that is not a Sample is passed as it is."""
    values = [leaf_for(s, dtype) if isinstance(s, Sample) else s for s in samples]
    result = function(B, *values)
    inputs = [v for v, s in zip(values, samples, strict=True) if isinstance(s, Sample)]
    return Graph(inputs, result if isinstance(result, tuple) else (result,))


def draw(graph, seed=0):
    """Random arrays for the leaves of a graph."""
    generator = np.random.default_rng(seed)
    arrays = []
    for node in graph.leaves:
        x = generator.uniform(-2, 2, node.shape)
        if node.dtype.kind == "c":
            x = x + 1j * generator.uniform(-2, 2, node.shape)
        arrays.append(
            np.asarray(x > 0 if node.dtype.kind == "b" else x * 3 if node.dtype.kind in "iu" else x).astype(node.dtype)
        )
    return arrays


def run(graph, arrays):
    """The outputs of the graph, by the operators' own kernels."""
    values = dict(zip(graph.leaves, arrays, strict=True))
    return [np.asarray(v) for v in evaluate(graph, values, lambda op, inputs, attrs, node: compute(op, inputs, attrs))]


def assert_same(found, expected, rtol=1e-9, atol=1e-12):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def counts(graph):
    """How often each operator occurs."""
    names = [node.op.name for node in graph.nodes]
    return {name: names.count(name) for name in names}
