"""The determinant is a polynomial: its derivatives at singular matrices equal those of Leibniz' formula."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

import tracegrad as tg

CASES = [(n, rank, kind) for n in (1, 2, 3, 4) for rank in range(n + 1) for kind in ("real", "complex")]


def matrix(n, rank, kind, stack=()):
    """A matrix of this rank."""
    generator = np.random.default_rng(10 * n + rank)
    halves = [generator.normal(size=(*stack, *shape)) for shape in ((n, rank), (rank, n))]
    if kind == "complex":
        halves = [h + 1j * generator.normal(size=h.shape) for h in halves]
    return halves[0] @ halves[1]


def leibniz(x):
    """The sum over all permutations."""
    n, total = x.shape[-1], 0
    for order in permutations(range(n)):
        sign = (-1) ** sum(order[j] > order[i] for i in range(n) for j in range(i))
        term = tg.full_like(x[..., 0, 0], sign)
        for i in range(n):
            term = term * x[..., i, order[i]]
        total = total + term
    return total


def derivatives(function, x, *directions):
    """The first derivative, then the change of each along a direction."""
    x = tg.tensor(x, requires_grad=True)
    value = function(x)
    found = [tg.autograd.grad(value, x, tg.ones_like(value), create_graph=True)[0]]
    for direction in directions:
        found += (
            tg.autograd.grad(found[-1], x, tg.tensor(direction), create_graph=True, materialize_grads=True)
            if found[-1].requires_grad
            else [tg.zeros_like(x)]
        )
    return [v.detach().numpy() for v in found]


@pytest.mark.parametrize(("n", "rank", "kind"), CASES)
def test_first_and_second_derivative_are_right_for_every_rank(n, rank, kind):
    direction = matrix(n, n, kind)
    for ours, theirs in zip(
        *(derivatives(f, matrix(n, rank, kind), direction) for f in (tg.linalg.det, leibniz)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_the_third_derivative_is_right_for_regular_matrices(kind):
    directions = [matrix(3, 3, kind), matrix(3, 3, kind).T]
    for ours, theirs in zip(
        *(derivatives(f, matrix(3, 3, kind) + np.eye(3), *directions) for f in (tg.linalg.det, leibniz)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_programs_and_stacks_have_the_same_second_derivative(backend, rank):
    if backend == "jax":
        pytest.importorskip("jax")
    x = tg.tensor(matrix(3, rank, "real", (2,)))
    second = tg.func.vmap(tg.func.hessian(tg.linalg.det))
    expected = tg.func.vmap(tg.func.hessian(leibniz))(x)
    tg.testing.assert_close(second(x), expected)
    tg.testing.assert_close(tg.compile(second, backend=backend)(x), expected)
