"""Operators with bodies: what the generated checks cannot draw, and what their type rules refuse."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad  # noqa: F401  (fills the registry)
from tracegrad.errors import TracegradError
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.node import make_leaf
from tracegrad.ir.parse import parse
from tracegrad.ir.types import Type
from tracegrad.ir.verify import verify
from tracegrad.passes.batch import batch_graph
from tracegrad.passes.differentiate import vjp_graph
from tracegrad.passes.jvp import jvp_graph

F64, BOOL, I64 = np.dtype(np.float64), np.dtype(bool), np.dtype(np.int64)
RNG = np.random.default_rng(2)


def graph(function, *types):
    leaves = [make_leaf(t, needs=True) for t in types]
    return Graph(leaves, function(*leaves))


VECTOR, NUMBER = Type((2,), F64), Type((), F64)
TEST = graph(lambda h, w: (B.lt(B.sum(B.mul(h, h), dim=None, keepdim=False), 30.0),), VECTOR, VECTOR)
STEP = graph(lambda h, w: (B.add(B.mul(h, w), B.exp(B.neg(h))),), VECTOR, VECTOR)


def loop():
    """(h, w, g) -> the cotangents of h and w: a graph whose only operator with bodies is while_backward."""
    forward = graph(lambda h, w: B.while_loop(h, w, cond=TEST, body=STEP, carries=1), VECTOR, VECTOR)
    reverse = vjp_graph(forward)
    assert [n.op.name for n in reverse.nodes if n.op.several()] == ["while_backward"]
    return reverse


ARRAYS = [np.array([0.3, -0.4]), np.array([1.2, 1.3]), np.array([0.7, -1.1])]


def test_the_reverse_of_a_loop_is_the_difference_quotient():
    forward = graph(lambda h, w: B.while_loop(h, w, cond=TEST, body=STEP, carries=1), VECTOR, VECTOR)
    found = loop()(*ARRAYS)
    for i, part in enumerate(found):
        v = RNG.normal(size=2)
        ahead, behind = ([a + s * v if k == i else a for k, a in enumerate(ARRAYS[:2])] for s in (1e-6, -1e-6))
        slope = ((forward(*ahead)[0] - forward(*behind)[0]) @ ARRAYS[2]) / 2e-6
        np.testing.assert_allclose(part @ v, slope, rtol=1e-7)


def test_its_forward_mode_is_the_difference_quotient():
    reverse = loop()
    pushed = jvp_graph(reverse)
    v = [RNG.normal(size=2) for _ in ARRAYS]
    tangents = pushed(*ARRAYS, *v)[2:]
    ahead, behind = (reverse(*(a + s * d for a, d in zip(ARRAYS, v, strict=True))) for s in (1e-6, -1e-6))
    for t, a, b in zip(tangents, ahead, behind, strict=True):
        np.testing.assert_allclose(t, (a - b) / 2e-6, rtol=1e-7)


def test_its_forward_and_reverse_modes_are_transposes():
    reverse = loop()
    v, w = [RNG.normal(size=2) for _ in ARRAYS], [RNG.normal(size=2) for _ in range(2)]
    tangents = jvp_graph(reverse)(*ARRAYS, *v)[2:]
    cotangents = vjp_graph(reverse)(*ARRAYS, *w)
    np.testing.assert_allclose(sum(a @ b for a, b in zip(tangents, w, strict=True)), sum(a @ b for a, b in zip(cotangents, v, strict=True)))  # fmt: skip


@pytest.mark.parametrize(
    "batched", [(True, False, False), (False, True, True), (True, True, True), (False, False, True)]
)
def test_its_batch_is_a_loop_over_examples(batched):
    reverse = loop()
    arrays = [a * np.array([[1.0], [0.95], [1.1]]) if has else a for a, has in zip(ARRAYS, batched, strict=True)]
    found = batch_graph(reverse, batched, 3)(*arrays)
    each = [reverse(*(a[i] if has else a for a, has in zip(arrays, batched, strict=True))) for i in range(3)]
    for together, rows in zip(found, zip(*each, strict=True), strict=True):
        np.testing.assert_allclose(together, np.stack(rows))


def test_its_text_is_read_back():
    reverse = loop()
    verify(reverse)
    assert parse(reverse.to_text()) == reverse


SAME = graph(lambda x: (x,), VECTOR)
REFUSED = {
    "a predicate of numbers": lambda x, p, n: B.cond(n, x, true=SAME, false=SAME),
    "branches of other types": lambda x, p, n: B.cond(p, x, true=SAME, false=graph(lambda x: (B.sum(x, dim=None, keepdim=False),), VECTOR)),
    "a body of another operand": lambda x, p, n: B.cond(p, n, true=SAME, false=SAME),
    "a carry that changes": lambda x, p, n: B.scan(x, body=graph(lambda x: (B.sum(x, dim=None, keepdim=False),), VECTOR), carries=1, slices=0, length=2, reverse=False),
    "no steps": lambda x, p, n: B.scan(x, body=SAME, carries=1, slices=0, length=0, reverse=False),
    "another number of slices": lambda x, p, n: B.scan(x, body=graph(lambda x: (x,), NUMBER), carries=0, slices=1, length=3, reverse=False),
    "a condition of numbers": lambda x, p, n: B.while_loop(x, cond=SAME, body=SAME, carries=1),
    "no graph": lambda x, p, n: B.cond(p, x, true=3, false=SAME),
}  # fmt: skip


@pytest.mark.parametrize("build", REFUSED.values(), ids=REFUSED)
def test_the_type_rules_refuse(build):
    with pytest.raises(TracegradError):
        build(make_leaf(VECTOR), make_leaf(Type((), BOOL)), make_leaf(NUMBER))


def test_equal_bodies_have_one_hash():
    one, two = (graph(lambda x: (B.sin(x),), VECTOR) for _ in range(2))
    assert one == two and hash(one) == hash(two) and one != SAME
