"""Random programs: compiled for NumPy they give the eager values, dtypes, shapes, flags, and first and second derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.compiler.random_programs import Program, gradient_of, second_of, tolerance, wreck

SEEDS = range(60)
WAYS = {"value": lambda f: f, "gradient": gradient_of, "second derivative": second_of}


def check_same(got, want, rtol):
    leaves, form = tg.pytree.flatten(got)
    expected, expected_form = tg.pytree.flatten(want)
    assert form == expected_form
    for a, b in zip(leaves, expected, strict=True):
        assert (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("way", WAYS)
def test_a_random_program_gives_the_eager_result(way, seed):
    program = Program(seed)
    eager = WAYS[way](program.function())
    compiled = tg.compile(WAYS[way](program.function()))
    for scale in (1.0, 0.8):
        arguments = program.arguments(scale)
        want, got = eager(*program.arguments(scale)), compiled(*arguments)
        returned = set(map(id, tg.pytree.leaves(got)))
        others = [t for t in tg.pytree.leaves(arguments) if id(t) not in returned]
        wreck(others)  # no result may share memory with an argument, but for one that is returned itself
        check_same(got, want, tolerance(program, way))
        wreck(got)  # nor with the program's constants, which the next call reads
    assert compiled.compilations == 1


@pytest.mark.parametrize("seed", range(100, 140))
def test_gradients_through_a_compiled_random_program_are_the_eager_ones(seed):
    program = Program(seed)
    compiled = tg.compile(program.function())
    results = []
    for f in (program.function(), compiled):
        arguments = program.arguments()
        inputs = [t.requires_grad_() for t in (*arguments[:3], arguments[3]["w"], arguments[3]["t"][0])]
        outputs = f(*arguments)
        loss = sum((leaf.tanh().sum() for leaf in tg.pytree.leaves(outputs)), tg.zeros((), dtype=tg.float64))
        flags = [leaf.requires_grad for leaf in tg.pytree.leaves(outputs)]
        if not any(flags):  # nothing to differentiate
            results.append((flags, None, None))
            continue
        first = tg.autograd.grad(loss, inputs, create_graph=True, allow_unused=True, materialize_grads=True)
        total = sum(((g * g).sum() for g in first if g.requires_grad), loss * 0)
        second = tg.autograd.grad(total, inputs, allow_unused=True, materialize_grads=True)
        results.append((flags, [g.detach() for g in first], list(second)))
    rtol = tolerance(program, "second derivative")
    (flags, first, second), (got_flags, got_first, got_second) = results
    assert got_flags == flags
    check_same(got_first, first, rtol)
    check_same(got_second, second, rtol)
