"""Random programs compiled by XLA: the eager values, dtypes, shapes and flags, first and second derivatives, and nothing shared with the arguments."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.compiler.random_programs import Program, gradient_of, second_of, tolerance, wreck

pytest.importorskip("jax")

CASES = [("value", lambda f: f, seed) for seed in range(300, 310)]
CASES += [("gradient", gradient_of, seed) for seed in range(310, 322)]
CASES += [("second derivative", second_of, seed) for seed in range(322, 328)]


@pytest.mark.parametrize(("way", "make", "seed"), CASES, ids=lambda v: str(v) if isinstance(v, (str, int)) else "")
def test_a_random_program_gives_the_eager_result(way, make, seed):
    program = Program(seed)
    eager = make(program.function())
    compiled = tg.compile(make(program.function()), backend="jax")
    rtol = tolerance(program, way)
    for scale in (1.0, 0.8):
        arguments = program.arguments(scale)
        want, got = eager(*program.arguments(scale)), compiled(*arguments)
        wreck(arguments)
        leaves, form = tg.pytree.flatten(got)
        expected, expected_form = tg.pytree.flatten(want)
        assert form == expected_form
        for a, b in zip(leaves, expected, strict=True):
            assert (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad)
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=rtol)
        wreck(got)
    assert compiled.compilations == 1


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_compiled_gradients_nest_to_third_order(backend):
    x = tg.tensor(np.linspace(0.2, 1.0, 4))

    def f(x):
        return (x.sin() * x * x).sum()

    first = tg.compile(tg.func.grad(f), backend=backend)
    second = tg.compile(tg.func.grad(lambda x: (first(x) * x).sum()), backend=backend)
    third = tg.compile(tg.func.grad(lambda x: (second(x) * x).sum()), backend=backend)
    eager = tg.func.grad(lambda x: (tg.func.grad(lambda x: (tg.func.grad(f)(x) * x).sum())(x) * x).sum())
    np.testing.assert_allclose(third(x).numpy(), eager(x).numpy(), rtol=1e-10)
    y = tg.tensor(x.numpy().copy(), requires_grad=True)
    second(y).sum().backward()  # through the compiled second derivative
    np.testing.assert_allclose(
        y.grad.numpy(),
        tg.func.grad(lambda x: tg.func.grad(lambda x: (tg.func.grad(f)(x) * x).sum())(x).sum())(x).numpy(),
        rtol=1e-10,
    )
