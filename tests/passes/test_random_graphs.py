"""Random programs over many operators: the passes keep their values and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.helpers import assert_same, draw, leaf, run
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.verify import verify
from tracegrad.passes import grad_graph, optimise

UNARY = ("sin", "cos", "tanh", "neg", "square", "sigmoid", "abs", "relu", "detach")
BINARY = ("add", "sub", "mul", "maximum", "rsub")
LITERALS = (0.0, -0.0, 1, 1.0, -1, 2, 2.0, -0.5, 4.0, 3.7, 0)


def grow(generator, values, dtype):
    """One more node over the values."""
    x = values[generator.integers(len(values))]
    kind = generator.integers(10)
    if kind < 2:
        return getattr(B, UNARY[generator.integers(len(UNARY))])(x)
    if kind < 4:
        y = values[generator.integers(len(values))]
        fitting = y if broadcasts(x.shape, y.shape) else x
        return getattr(B, BINARY[generator.integers(len(BINARY))])(x, fitting)
    if kind < 6:
        c = LITERALS[generator.integers(len(LITERALS))]
        name = ("add", "mul", "sub", "rsub")[generator.integers(4)]
        pair = (x, c) if generator.integers(2) or name == "rsub" else (c, x)
        return getattr(B, name)(*pair)
    if kind == 6:
        return movement(generator, x)
    if kind == 7:
        return fold(generator, x)
    if kind == 8:
        return B.where(B.gt(x, 0.1), x, LITERALS[generator.integers(len(LITERALS))])
    constant = B.full(shape=x.shape, value=float(generator.integers(-2, 3)), dtype=np.dtype(dtype))
    return B.mul(x, constant) if generator.integers(2) else B.add(constant, x)


def broadcasts(a, b):
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


def movement(generator, x):
    choice = generator.integers(5)
    if choice == 0:
        return B.reshape(x, shape=(*x.shape, 1) if generator.integers(2) else (1, *x.shape))
    if choice == 1:
        return B.permute(x, dims=tuple(int(d) for d in generator.permutation(len(x.shape))))
    if choice == 2:
        return B.broadcast_to(x, shape=(2, *x.shape)) if len(x.shape) < 4 else x
    if not x.shape or x.shape[0] < 2:
        return B.neg(x)
    if choice == 3:
        first = int(generator.integers(2))
        part = B.slice(x, dim=0, start=first, stop=first + x.shape[0] - 1, step=1)
        return B.slice_backward(part, shape=x.shape, dim=0, start=1 - first, stop=x.shape[0] - first, step=1)
    return B.select(x, dim=0, index=int(generator.integers(x.shape[0])))


def fold(generator, x):
    dims = tuple(d for d in range(len(x.shape)) if generator.integers(2))
    name = ("sum", "mean", "logsumexp", "amax")[generator.integers(4)]
    return getattr(B, name)(x, dim=dims or None, keepdim=bool(generator.integers(2)))


def program(seed, dtype="float64"):
    """A random graph of about 25 nodes with one scalar output."""
    generator = np.random.default_rng(seed)
    inputs = [leaf((2, 3), dtype), leaf((3,), dtype), leaf((), dtype)]
    values = list(inputs)
    for _ in range(25):
        value = grow(generator, values, dtype)
        values.append(value)
    roots = [B.sum(v, dim=None, keepdim=False) for v in values[-4:]]
    total = roots[0]
    for root in roots[1:]:
        total = B.add(total, B.tanh(root))
    return Graph(inputs, [total])


@pytest.mark.parametrize("seed", range(150))
def test_value_and_gradient_of_a_random_program_are_kept(seed):
    graph = grad_graph(program(seed), (0, 1, 2))
    arrays = draw(graph, seed)
    expected = run(graph, arrays)
    after = verify(optimise(graph))
    assert len(after.nodes) <= len(graph.nodes)
    scale = max(1.0, *(np.abs(e).max(initial=0) for e in expected))
    assert_same(run(after, arrays), expected, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("seed", range(150, 170))
def test_second_order_of_a_random_program_is_kept(seed):
    first = grad_graph(program(seed), (0,))
    scalar = Graph(first.inputs, [B.sum(B.sin(first.outputs[-1]), dim=None, keepdim=False)])
    graph = grad_graph(scalar, (0, 1, 2))
    arrays = draw(graph, seed)
    expected = run(graph, arrays)
    scale = max(1.0, *(np.abs(e).max(initial=0) for e in expected))
    assert_same(run(optimise(graph), arrays), expected, rtol=1e-8, atol=1e-8 * scale)


@pytest.mark.parametrize("level", ["O0", "O1"])
@pytest.mark.parametrize("seed", range(170, 190))
def test_lower_levels_give_the_same_bits(seed, level):
    graph = grad_graph(program(seed, "float32"), (0, 1, 2))
    arrays = draw(graph, seed)
    for a, b in zip(run(optimise(graph, level=level), arrays), run(graph, arrays), strict=True):
        np.testing.assert_array_equal(a, b)
