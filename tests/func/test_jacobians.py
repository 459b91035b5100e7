"""jacrev and jacfwd: one run of the function, empty values, Python control flow, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

X = np.linspace(0.2, 1.0, 4)
WAYS = [tg.func.jacrev, tg.func.jacfwd]


@pytest.mark.parametrize("way", WAYS)
def test_the_function_runs_once(way):
    runs = []

    def f(x):
        runs.append(1)
        return x.sin() * x.sum()

    way(f)(tg.tensor(X))
    assert runs == [1]


@pytest.mark.parametrize("way", WAYS)
def test_the_function_may_look_at_the_values_of_its_argument(way):
    found = way(lambda x: x**2 if x.sum() > 0 else x)(tg.tensor(X))
    np.testing.assert_allclose(found.numpy(), np.diag(2 * X))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("out", "arg"), [(0, 3), (2, 0), (0, 0)])
def test_an_empty_value_has_an_empty_jacobian(way, out, arg):
    found = way(lambda x: tg.zeros(out, dtype=tg.float64) + x.sum())(tg.zeros(arg, dtype=tg.float64))
    assert tuple(found.shape) == (out, arg)


@pytest.mark.parametrize("way", WAYS)
def test_something_else_than_tensors_is_refused(way):
    with pytest.raises(RuntimeError, match="must return Tensors"):
        way(lambda x: 1.0)(tg.tensor(X))


@pytest.mark.parametrize("way", WAYS)
def test_a_custom_backward_is_followed(way):
    class Triple(tg.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x * 3

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, g):
            return g * 3

        @staticmethod
        def jvp(ctx, t):
            return t * 3

    np.testing.assert_allclose(way(lambda x: Triple.apply(x) * x)(tg.tensor(X)).numpy(), np.diag(6 * X))


def test_jvp_gives_zeros_for_an_integer_result():
    x = tg.tensor(X)
    _, (tangent, index) = tg.func.jvp(lambda x: (x * 2, x.argmax()), (x,), (x,))
    np.testing.assert_allclose(tangent.numpy(), 2 * X)
    assert index.dtype is tg.int64 and index.item() == 0


def test_a_wide_jacobian_is_one_program():
    fast = tg.compile(tg.func.jacrev(lambda x: (x.sin() * x.sum()).cumsum(0)))
    fast(tg.ones(50))
    assert len(fast.graph.nodes) < 40
