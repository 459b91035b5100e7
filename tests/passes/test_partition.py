"""The split of a program and its backward: equal values, few bytes between the halves, nothing dear computed twice."""

import networkx
import numpy as np
import pytest

from tests.passes.helpers import assert_same, draw, leaf, run
from tests.passes.test_random_graphs import grow
from tracegrad.errors import PassError
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph
from tracegrad.ir.verify import verify
from tracegrad.passes.differentiate import vjp_graph
from tracegrad.passes.min_cut import Network
from tracegrad.passes.partition import LARGEST, partition
from tracegrad.passes.pipeline import optimise, prepare


def joint_of(graph):
    return optimise(vjp_graph(prepare(graph), keep_outputs=True))


def split(graph, largest=LARGEST):
    """The partition of a graph, checked against the joint graph."""
    joint = joint_of(graph)
    count = len(graph.outputs)
    cotangent_count = len(joint.inputs) - len(graph.inputs)
    parts = partition(joint, count, cotangent_count, largest=largest)
    verify(parts.forward)
    verify(parts.backward)
    arrays = draw(joint)
    expected = run(joint, arrays)
    leaves, cotangents = arrays[: len(graph.inputs)], arrays[len(graph.inputs) :]
    made = run(parts.forward, leaves)
    saved = [made[i] for i in parts.saved]
    found = run(parts.backward, [*(leaves[i] for i in parts.leaves), *saved, *cotangents])
    assert_same([*made[:count], *found], expected)
    assert sum(s.nbytes for s in saved) == parts.saved_bytes
    assert parts.saved_bytes <= parts.naive_bytes
    heavy = ("mm", "sort", "logsumexp", "amax")
    counts = [
        [n.op.name for n in graph.nodes if n.op.name in heavy] for graph in (joint, parts.forward, parts.backward)
    ]
    assert len(counts[0]) == len(counts[1]) + len(counts[2])
    return parts


def program(seed, outputs=3):
    generator = np.random.default_rng(seed)
    values = list(inputs := [leaf((2, 3)), leaf((3,)), leaf(()), leaf((3, 3))])
    for _ in range(20):
        values.append(grow(generator, values, "float64"))
        if generator.integers(4) == 0:
            x = values[generator.integers(len(values))]
            if len(x.shape) == 2 and x.shape[1] == 3:
                values.append(B.matmul(x, inputs[3]))
    return Graph(inputs, values[-outputs:])


@pytest.mark.parametrize("seed", range(80))
def test_a_random_program_and_its_parts_give_the_same(seed):
    split(program(seed))


@pytest.mark.parametrize("seed", range(80))
def test_the_linear_rule_gives_the_same_and_saves_no_less_than_the_cut(seed):
    graph = program(seed)
    assert split(graph, largest=0).naive_bytes == split(graph).naive_bytes


def test_a_chain_of_elementwise_operators_saves_nothing_but_its_input():
    x = leaf((50,))
    parts = split(Graph([x], [B.sin(B.mul(B.exp(B.tanh(x)), x))]))
    assert (parts.saved_bytes, parts.leaves) == (0, (0,))
    assert parts.naive_bytes >= 2 * 400


def test_the_linear_rule_saves_nothing_of_such_a_chain_either():
    x = leaf((50,))
    assert split(Graph([x], [B.sin(B.mul(B.exp(B.tanh(x)), x))]), largest=0).saved_bytes == 0


def test_a_product_of_matrices_is_saved_once_whatever_reads_it():
    x, w = leaf((20, 30)), leaf((30, 40))
    product = B.matmul(x, w)
    parts = split(Graph([x, w], [B.sum(B.mul(B.sin(product), B.exp(product)), dim=None, keepdim=False)]))
    assert parts.saved_bytes == 20 * 40 * 8
    assert [n.op.name for n in parts.backward.nodes].count("mm") == 2
    assert [n.op.name for n in parts.forward.nodes].count("mm") == 1


def test_of_a_layer_only_the_activation_is_saved():
    x, w, v = leaf((20, 30)), leaf((30, 40)), leaf((40, 5))
    hidden = B.relu(B.matmul(x, w))
    parts = split(Graph([x, w, v], [B.matmul(hidden, v)]))
    assert parts.saved_bytes == 20 * 40 * 8


def test_a_mask_is_saved_rather_than_the_numbers_that_it_compares():
    x, w = leaf((20, 30)), leaf((30, 40))
    product = B.matmul(x, w)
    chosen = B.where(B.gt(product, 0.0), B.mul(product, 3.0), 0.0)
    parts = split(Graph([x, w], [chosen]))
    assert parts.saved_bytes == 20 * 40


def test_an_output_that_the_backward_reads_is_passed_once():
    x, w = leaf((4, 5)), leaf((5, 6))
    product = B.matmul(x, w)
    parts = split(Graph([x, w], [product, B.sin(product)]))
    assert len(parts.forward.outputs) == 2
    assert parts.saved == (0,)


def test_of_parts_that_fill_the_whole_the_whole_is_saved():
    x, w = leaf((4, 5)), leaf((5, 6))
    product = B.matmul(x, w)
    halves = [B.slice(product, dim=1, start=i, stop=i + 3, step=1) for i in (0, 3)]
    parts = split(Graph([x, w], [B.mul(*halves)]))
    assert [parts.forward.outputs[i].op.name for i in parts.saved] == ["mm"]


def test_only_the_leaves_that_the_backward_reads_are_asked_for():
    x, y, z = leaf((4,)), leaf((4,)), leaf((4,))
    assert split(Graph([x, y, z], [B.add(B.sin(y), B.add(x, z))])).leaves == (1,)


def test_one_result_of_several_can_be_saved():
    x, w = leaf((6, 6)), leaf((6, 6))
    values, _ = B.sort(B.matmul(x, w), dim=1, descending=False, stable=True)
    parts = split(Graph([x, w], [B.sum(B.sin(values), dim=None, keepdim=False)]))
    assert [n.op.name for n in parts.backward.nodes].count("sort") == 0


def test_a_graph_without_cotangents_to_follow_is_split_into_itself_and_nothing():
    x = leaf((3,))
    parts = partition(Graph([x], [B.sin(x)]), 1, 0)
    assert (parts.saved, parts.backward.outputs) == ((), ())


def test_an_output_that_depends_on_a_cotangent_is_refused():
    x, g = leaf((3,)), leaf((3,))
    with pytest.raises(PassError, match="depends on a cotangent"):
        partition(Graph([x, g], [B.mul(x, g), g]), 1, 1)


def test_names_stay_and_saved_values_get_new_ones():
    x, w = leaf((4, 5)), leaf((5, 6))
    graph = Graph([x, w], [B.sin(B.matmul(x, w))], names=("x", "s0"))
    parts = split(graph)
    assert parts.forward.names == ("x", "s0")
    assert parts.backward.names == ("x", "s0", "s1", "g0")


@pytest.mark.parametrize("seed", range(30))
def test_the_smallest_cut_is_networkx_s(seed):
    generator = np.random.default_rng(seed)
    count = 12
    ours, theirs = Network(), networkx.DiGraph()
    theirs.add_nodes_from(range(count))
    for _ in range(count - 2):
        ours.vertex()
    capacities = {}
    for _ in range(40):
        a, b = (int(v) for v in generator.choice(count, 2, replace=False))
        if (a, b) in capacities or b == 0 or a == 1:
            continue
        capacities[a, b] = float(generator.integers(1, 20))
        ours.connect(a, b, capacities[a, b])
        theirs.add_edge(a, b, capacity=capacities[a, b])
    behind = ours.sink_side()
    size = sum(c for (a, b), c in capacities.items() if a not in behind and b in behind)
    assert size == networkx.minimum_cut_value(theirs, 0, 1)
    assert 0 not in behind


def test_a_long_program_is_split_in_linear_time():
    x, w = leaf((4, 4)), leaf((4, 4))
    value = x
    for _ in range(1500):
        value = B.tanh(B.matmul(value, w))
    joint = vjp_graph(Graph([x, w], [value]), keep_outputs=True)
    parts = partition(joint, 1, 1)
    assert parts.saved_bytes == 1500 * 4 * 4 * 8
