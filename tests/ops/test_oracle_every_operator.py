"""Every operator and its gradient, emitted for JAX, equal the NumPy kernels: generated over the samples of the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.cases import NO_BACKWARD, Case, every_case, run
from tracegrad.backends.base import backend
from tracegrad.passes.decompose import decompose
from tracegrad.passes.differentiate import vjp_graph

pytest.importorskip("jax")


@every_case
def test_emitted_jax_equals_the_kernels_with_the_gradient(op, number):
    case = Case(op, number)
    if op.value_dependent:
        pytest.skip("not compiled")
    graph, arrays = case.graph(), list(case.arrays)
    if op.name not in {*NO_BACKWARD, "while_loop"} and case.followed() and case.differentiable():
        graph = vjp_graph(graph, case.followed(), case.differentiable(), keep_outputs=True)
        arrays += case.cotangents()
    found = backend("jax")(decompose(graph, "jax"))(*arrays)
    for got, want in zip(found, run(graph, arrays), strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        low_precision = want.dtype == np.float32
        np.testing.assert_allclose(
            got, want, rtol=1e-5 if low_precision else 1e-10, atol=1e-6 if low_precision else 1e-11
        )
