"""Programs put together from the examples of rules: whichever rules meet, the optimised program gives the same values and gradients, and the rules come to an end."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.helpers import leaf_for, run
from tests.passes.test_rules import RULES
from tests.passes.variations import example_values
from tracegrad.ir.builder import B
from tracegrad.ir.graph import Graph, evaluate
from tracegrad.ir.raw import compute
from tracegrad.ir.samples import Sample
from tracegrad.ir.verify import verify
from tracegrad.passes import grad_graph, optimise, prepare
from tracegrad.passes.canonicalise import FINISHING


def is_ordinary(sample):
    """Whether a sample draws real numbers of ordinary size, masks or positions."""
    return sample.kind in ("mask", "index") or (sample.kind == "array" and abs(sample.low) <= 2 and sample.high <= 2)


# the operators of gradients trust the shapes that they are given, and complex values have no order
EXAMPLES = [
    (rule, index)
    for rule in RULES
    for index in range(len(rule.examples))
    if rule not in FINISHING
    and "gradient" not in rule.name
    and all(is_ordinary(v) for v in example_values(rule, index)[1] if isinstance(v, Sample))
]
STEPS = 7
HUGE = 1e4  # beyond it, rounding of what is inside exp or tan is no longer rounding of the result


class Program:
    """A growing program: leaves, and the values that further examples may take as operands, by type."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)
        self.leaves, self.arrays, self.values, self.last = [], [], {}, []

    def operand(self, sample):
        """A value of the sample's type: one that the program has computed, or a new leaf."""
        found = self.values.get(sample.shape, []) if sample.kind == "array" and sample.low == -2 else []
        if found and self.generator.random() < 0.8:
            return found[self.generator.integers(len(found))]
        node = leaf_for(sample)
        node.needs = sample.kind == "array"
        self.leaves.append(node)
        self.arrays.append(sample.draw(self.generator))
        return node

    def grow(self):
        """One more example on top of what there is."""
        rule, index = EXAMPLES[self.generator.integers(len(EXAMPLES))]
        function, values = example_values(rule, index)
        node = function(B, *[self.operand(v) if isinstance(v, Sample) else v for v in values])
        if node.dtype.kind == "c":
            node = B.real(node)
        if node.dtype != np.float64:
            node = B.cast(node, dtype=np.dtype("float64"))
        small = B.tanh(node) if self.generator.random() < 0.7 else node
        self.values.setdefault(small.shape, []).append(small)
        self.last.append(small)

    def graph(self):
        """One number made of the last values."""
        total = B.sum(self.last[-1], dim=None, keepdim=False)
        for value in self.last[-4:-1]:
            total = B.add(total, B.sum(B.sin(value), dim=None, keepdim=False))
        return Graph(self.leaves, [total])


def program(seed):
    """The graph and the arrays of its leaves."""
    made = Program(seed)
    for _ in range(STEPS):
        made.grow()
    return made.graph(), made.arrays


def is_tame(graph, arrays):
    """Whether no value on the way is nan or so large that its rounding becomes more than rounding."""
    seen = []

    def apply(op, inputs, attrs, node):
        value = compute(op, inputs, attrs)
        seen.append(not op.several() and np.asarray(value).dtype.kind == "f" and not (np.abs(value) < HUGE).all())
        return value

    evaluate(graph, dict(zip(graph.leaves, arrays, strict=True)), apply)
    return not any(seen)


def assert_close(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        scale = max(1.0, np.abs(b).max(initial=0))
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize("block", range(5))
def test_values_and_gradients_are_kept_when_rules_meet(block):
    tame = 0
    for seed in range(block * 25, block * 25 + 25):
        graph, arrays = program(seed)
        after = verify(optimise(graph))
        if not is_tame(graph, arrays):
            continue
        assert_close(run(after, arrays), run(graph, arrays))
        wrt = tuple(i for i, x in enumerate(graph.inputs) if x.dtype.kind == "f")
        gradient = grad_graph(graph, wrt)
        if not is_tame(gradient, arrays):
            continue
        tame += 1
        expected = run(gradient, arrays)
        assert_close(run(verify(optimise(gradient)), arrays), expected)
        assert_close(run(optimise(grad_graph(prepare(graph), wrt)), arrays), expected)
    assert tame >= 8
