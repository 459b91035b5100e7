"""Passes on graphs of complex values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.cases import run
from tests.passes.helpers import graph_of
from tracegrad.ir.parse import parse
from tracegrad.ir.samples import C
from tracegrad.ir.text import graph_text
from tracegrad.ir.verify import verify
from tracegrad.passes import jvp_graph, optimise, vjp_graph

FUNCTIONS = {
    "log of exp": lambda F, z: F.log(F.exp(z)),
    "softmax by hand": lambda F, z: F.div(F.exp(z), F.sum(F.exp(z), dim=None, keepdim=False)),
    "square of neg": lambda F, z: F.square(F.neg(z)),
    "conj twice": lambda F, z: F.conj(F.conj(z)),
    "log of a sum": lambda F, z: F.log(F.sum(F.exp(z), dim=None, keepdim=False)),
    "literals": lambda F, z: F.mul(F.mul(F.add(z, 1 - 2j), 3.0), 2j),
    "parts": lambda F, z: F.mul(F.real(z), F.imag(z)),
    "log of square": lambda F, z: F.log(F.square(z)),
    "root of square": lambda F, z: F.sqrt(F.square(z)),
}
Z = np.array([1 + 20j, -3 - 8j, 0.5 + 4j])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_optimising_keeps_the_principal_branch(name):
    graph = graph_of(FUNCTIONS[name], [C(3)])
    for got, want in zip(run(optimise(graph), [Z]), run(graph, [Z]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_survive_optimising_and_text(name):
    graph = graph_of(FUNCTIONS[name], [C(3)])
    g = np.asarray(np.ones(graph.outputs[0].shape)).astype(graph.outputs[0].dtype) * 1.5
    for derived, arrays in ((vjp_graph(graph), [Z, g]), (jvp_graph(graph), [Z, Z * 1j])):
        verify(derived)
        text = graph_text(derived)
        assert graph_text(parse(text)) == text
        for got, want in zip(run(optimise(derived), arrays), run(derived, arrays), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)


def test_the_tangent_of_a_holomorphic_operator_is_its_rule_and_of_others_the_transpose():
    graph = jvp_graph(graph_of(lambda F, z: F.exp(z), [C(3)]))
    assert "conj" not in graph_text(graph)
    graph = jvp_graph(graph_of(lambda F, z: F.abs(z), [C(3)]))
    assert [t.dtype.kind for t in graph.outputs] == ["f", "f"]


def test_the_gradient_reads_the_conjugate():
    assert "conj(" in graph_text(vjp_graph(graph_of(lambda F, z: F.mul(z, z), [C(3)])))
    assert "conj(" not in graph_text(vjp_graph(graph_of(lambda F, z: F.add(z, z), [C(3)])))
