"""The forward mode and batching as passes, on whole graphs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.helpers import assert_same, graph_of, leaf, run
from tracegrad.errors import PassError
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.samples import A, I
from tracegrad.ir.verify import verify
from tracegrad.passes import batch_graph, batched_outputs, grad_graph, jvp_graph, vjp_graph

GENERATOR = np.random.default_rng(0)


def network(F, x, w, v):
    hidden = F.tanh(F.mm(x, w))
    return F.sum(F.log_softmax(F.mm(hidden, v), dim=1), dim=None, keepdim=False)


SHAPES = [A(2, 3), A(3, 4), A(4, 5)]


def arrays(*shapes):
    return [GENERATOR.normal(size=s) for s in shapes]


def test_tangent_of_a_network_is_its_gradient_times_the_direction():
    graph = graph_of(network, SHAPES)
    at, along = arrays((2, 3), (3, 4), (4, 5)), arrays((2, 3), (3, 4), (4, 5))
    gradients = run(grad_graph(graph, (0, 1, 2)), at)[1:]
    tangent = run(verify(jvp_graph(graph)), [*at, *along])[-1]
    np.testing.assert_allclose(tangent, sum((g * t).sum() for g, t in zip(gradients, along, strict=True)))


def test_forward_over_reverse_is_reverse_over_forward():
    graph = graph_of(network, SHAPES)
    at, along = arrays((2, 3), (3, 4), (4, 5)), arrays((3, 4))
    forward_over_reverse = jvp_graph(Graph(*[(g := grad_graph(graph, (1,))).inputs, g.outputs[1:]]), (1,))
    pushed = jvp_graph(graph, (1,))
    reverse_over_forward = grad_graph(Graph(pushed.inputs, pushed.outputs[1:]), (1,))
    assert_same(run(forward_over_reverse, [*at, *along])[1:], run(reverse_over_forward, [*at, *along])[1:])


def test_forward_of_forward():
    graph = graph_of(lambda F, x: F.sin(x), [A(3)])
    twice = jvp_graph(jvp_graph(graph), (0,))
    x, ones = np.array([0.1, 0.2, 0.3]), np.ones(3)
    np.testing.assert_allclose(run(twice, [x, ones, ones])[-1], -np.sin(x))


def test_operator_with_several_results_and_integers():
    def function(F, x):
        return F.max_dim(x, dim=1, keepdim=False)

    graph = graph_of(function, [A(2, 3)])
    x, t = arrays((2, 3), (2, 3))
    values, positions, tangent = run(verify(jvp_graph(graph)), [x, t])
    assert positions.dtype == np.int64
    np.testing.assert_array_equal(tangent, t[np.arange(2), x.argmax(1)])
    np.testing.assert_array_equal(values, x.max(1))


def test_output_without_dependence_has_zero_tangent():
    graph = graph_of(lambda F, x, y: (F.sin(x), F.sin(y)), [A(3), A(2)])
    found = run(jvp_graph(graph, (0,)), [np.ones(3), np.ones(2), np.ones(3)])
    np.testing.assert_array_equal(found[-1], np.zeros(2))


def test_tangents_do_not_flow_through_detach():
    graph = graph_of(lambda F, x: F.mul(x, F.detach(x)), [A(3)])
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(run(jvp_graph(graph), [x, np.ones(3)])[-1], x)


@pytest.mark.parametrize("mask", [(True, False, False), (False, True, True), (True, True, True)])
def test_batched_gradient_is_a_loop_over_gradients(mask):
    graph = grad_graph(graph_of(network, SHAPES), (0, 1, 2))
    at = list(arrays(*((2, *s.shape) if m else s.shape for s, m in zip(SHAPES, mask, strict=True))))
    found = run(verify(batch_graph(graph, mask, 2)), at)
    for row in range(2):
        expected = run(graph, [a[row] if m else a for a, m in zip(at, mask, strict=True)])
        assert_same([f[row] for f in found], expected)


def test_batch_of_batch():
    graph = graph_of(lambda F, x, y: F.mul(x, F.sum(y, dim=None, keepdim=False)), [A(3), A(2)])
    twice = batch_graph(batch_graph(graph, (True, False), 4), (False, True), 5)
    x, y = arrays((4, 3), (5, 2))
    (found,) = run(verify(twice), [x, y])
    np.testing.assert_allclose(found, x[None] * y.sum(1)[:, None, None])


def test_unbatched_outputs_are_told_and_left_on_request():
    graph = graph_of(lambda F, x, y: (F.sin(x), F.sin(y)), [A(3), A(2)])
    assert batched_outputs(graph, (True, False), 4) == (True, False)
    assert [o.shape for o in batch_graph(graph, (True, False), 4, spread=False).outputs] == [(4, 3), (2,)]
    assert [o.shape for o in batch_graph(graph, (True, False), 4).outputs] == [(4, 3), (4, 2)]


def test_batched_gather_by_unbatched_positions():
    graph = graph_of(lambda F, x, i: F.gather(x, i, dim=0), [A(4, 3), I(2, 3, below=4)])
    x, i = GENERATOR.normal(size=(5, 4, 3)), GENERATOR.integers(0, 4, (2, 3))
    (found,) = run(batch_graph(graph, (True, False), 5), [x, i])
    np.testing.assert_array_equal(found, np.stack([np.take_along_axis(row, i, 0) for row in x]))


def test_operator_without_batching_rule_is_named_with_its_line(monkeypatch):
    x = leaf((3,))
    with B.at(("train.py", 41)):
        y = B.cumsum(x, dim=0)
    monkeypatch.setattr(y.op, "batch", None)
    with pytest.raises(
        PassError, match=r"batch: the operator of cumsum: f64\[3\] \(train.py:41\) has no batching rule"
    ):
        batch_graph(Graph([x], [y]), (True,), 2)


def test_writing_a_batched_value_to_an_unbatched_one_is_refused():
    x, w = leaf((3,)), leaf((3,))
    graph = Graph([x], [], [w], [(w, B.add(w, x))])
    with pytest.raises(PassError, match="cannot be written"):
        batch_graph(graph, (True, False), 2)


def test_reverse_of_a_batched_graph():
    graph = graph_of(lambda F, x, w: F.sum(F.mul(x, w), dim=None, keepdim=False), [A(3), A(3)])
    batched = batch_graph(graph, (True, False), 2)
    x, w = arrays((2, 3), (3,))
    gx, gw = run(vjp_graph(batched), [x, w, np.array([1.0, 2.0])])
    np.testing.assert_allclose(gx, np.array([[1.0], [2.0]]) * w)
    np.testing.assert_allclose(gw, x[0] + 2 * x[1])


def test_an_operators_own_forward_rule_is_used(monkeypatch):
    def own(F, t_x, x, out, x_type, dim, keepdim):
        assert x_type.shape == (2, 3)
        share = F.exp(F.sub(x, F.unreduce(out, shape=x_type.shape, dim=dim)))
        return F.sum(F.mul(t_x, share), dim=dim, keepdim=keepdim)

    graph = graph_of(lambda F, x: F.logsumexp(x, dim=(1,), keepdim=False), [A(2, 3)])
    x, t = arrays((2, 3), (2, 3))
    derived = run(jvp_graph(graph), [x, t])[-1]
    monkeypatch.setattr(graph.nodes[0].op, "jvp", staticmethod(own))
    np.testing.assert_allclose(run(jvp_graph(graph), [x, t])[-1], derived)


def test_an_own_forward_rule_gets_zeros_for_operands_that_do_not_move(monkeypatch):
    graph = graph_of(lambda F, x, y: F.stack(x, y, dim=0), [A(3), A(3)])
    monkeypatch.setattr(graph.nodes[0].op, "jvp", staticmethod(lambda F, t_xs, dim: F.stack(*t_xs, dim=dim)))
    x, y, t = arrays((3,), (3,), (3,))
    np.testing.assert_array_equal(run(jvp_graph(graph, (1,)), [x, y, t])[-1], np.stack([np.zeros(3), t]))
