"""What must hold for every public function that is made of operators, over the samples of its definition: the rest of what tests/ops/test_every_operator.py asks."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.eager.generate import public_function
from tracegrad.ir.graph import Graph
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.samples import Sample

SAMPLES = [
    pytest.param(op, number, id=f"{op.name}-{number}")
    for op in sorted(REGISTRY.values(), key=lambda op: op.name)
    if op.composite and not op.value_dependent
    for number in range(len(op.samples))
]
# functions whose vectors have a free phase, or without a derivative
NO_SLOPE = {"linalg_eig", "linalg_ldl_factor", "linalg_ldl_factor_ex", "geqrf", "linalg_lstsq"}
# which argument is a factor of Cholesky: as in torch the derivative takes its other triangle for zeros
TRIANGULAR = {"cholesky_solve": 1, "cholesky_inverse": 0}
every_sample = pytest.mark.parametrize(("op", "number"), SAMPLES)


class Program:
    """A function of the arrays of one sample alone; its results are a tuple of Tensors."""

    def __init__(self, op, number):
        self.op, self.generator = op, np.random.default_rng(zlib.crc32(f"{op.name} {number}".encode()))
        self.function = public_function(op.name)
        self.tensors = []
        self.arguments = [self.draw(v) for v in op.samples[number]]
        self.keywords = self.arguments.pop() if self.arguments and isinstance(self.arguments[-1], dict) else {}

    def draw(self, recipe):
        """The argument with the place of its tensor in place of each recipe."""
        if isinstance(recipe, Sample):
            self.tensors.append(tg.tensor(recipe.draw(self.generator)))
            return Place(len(self.tensors) - 1)
        return [self.draw(r) for r in recipe] if isinstance(recipe, list) else recipe

    def __call__(self, *tensors):
        def filled(v):
            if isinstance(v, Place):
                return tensors[v.number]
            return [filled(x) for x in v] if isinstance(v, list) else v

        given = [filled(v) for v in self.arguments]
        if self.op.name in TRIANGULAR:
            place = TRIANGULAR[self.op.name]
            given[place] = (tg.triu if given[-1] is True else tg.tril)(given[place])
        return tuple(flat(self.function(*given, **self.keywords)))

    @property
    def followed(self):
        """The places of the arguments with derivatives."""
        return tuple(i for i, t in enumerate(self.tensors) if t.is_floating_point() or t.is_complex())

    def loss(self, *tensors):
        """A real number that depends on every differentiable result."""
        parts = [r for r in self(*tensors) if r.is_floating_point() or r.is_complex()]
        return sum((tg.view_as_real(p) if p.is_complex() else p).sin().sum() for p in parts)

    def slope(self, *tensors):
        """The gradients."""
        return tg.func.grad(self.loss, argnums=self.followed)(*tensors)

    def directions(self):
        """Directions of the followed arguments."""
        found = []
        for i in self.followed:
            t = self.tensors[i]
            v = tg.tensor(self.generator.normal(size=tuple(t.shape)))
            v = tg.complex(v, tg.tensor(self.generator.normal(size=tuple(t.shape)))) if t.is_complex() else v
            found.append(v + v.mT if t.ndim > 1 and tg.equal(t, t.mT) else v)
        return tuple(found)


class Place:
    """Where a tensor of a sample belongs."""

    def __init__(self, number):
        self.number = number


def flat(value):
    return [x for v in value for x in flat(v)] if isinstance(value, (tuple, list)) else [value]


def close(made, wanted, tolerance=1e-9):
    assert len(made) == len(wanted)
    for a, b in zip(made, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance)


def dot(xs, ys):
    return float(
        sum((x.conj() * y).sum().real if x.is_complex() else (x * y).sum() for x, y in zip(xs, ys, strict=True))
    )


def smooth(op, number):
    p = Program(op, number)
    some = p.followed and any(r.is_floating_point() or r.is_complex() for r in p(*p.tensors))
    if op.name in NO_SLOPE or not some or not all(p.tensors[i].numel() for i in p.followed):
        pytest.skip("no derivative")
    try:
        p.slope(*p.tensors)
    except RuntimeError as error:
        if "does not depend" in str(error) or "does not require" in str(error):
            pytest.skip("no derivative")
        raise
    return p


@every_sample
def test_the_batched_function_equals_the_loop(op, number):
    p = Program(op, number)
    if not p.tensors:
        pytest.skip("no tensors")
    wanted = p(*p.tensors)
    for alone in (None, *range(len(p.tensors))):
        dims = tuple(0 if alone in (None, i) else None for i in range(len(p.tensors)))
        rows = [t if d is None else tg.stack([t, t]) for t, d in zip(p.tensors, dims, strict=True)]
        made = tg.func.vmap(p, in_dims=dims)(*rows)
        close(made, [tg.stack([w, w]) for w in wanted])


@every_sample
def test_the_compiled_function_equals_the_eager_one(op, number):
    p = Program(op, number)
    if not p.tensors:
        pytest.skip("no tensors")
    compiled = tg.compile(p)
    close(compiled(*p.tensors), p(*p.tensors))
    text = compiled.graph.to_text()
    assert Graph.from_text(text).to_text() == text


@every_sample
def test_the_compiled_gradient_equals_the_eager_one(op, number):
    p = smooth(op, number)
    close(tg.compile(p.slope)(*p.tensors), p.slope(*p.tensors))


@every_sample
def test_forward_mode_is_reverse_mode_and_the_finite_difference(op, number):
    p = smooth(op, number)
    v, step = p.directions(), 1e-6

    def along(*moving):
        tensors = list(p.tensors)
        for i, t in zip(p.followed, moving, strict=True):
            tensors[i] = t
        return p.loss(*tensors)

    here = tuple(p.tensors[i] for i in p.followed)
    tangent = float(tg.func.jvp(along, here, v)[1])
    ahead, behind = (float(along(*(t + s * d for t, d in zip(here, v, strict=True)))) for s in (step, -step))
    assert tangent == pytest.approx(dot(p.slope(*p.tensors), v), rel=1e-9, abs=1e-9)
    assert tangent == pytest.approx((ahead - behind) / (2 * step), rel=2e-4, abs=1e-5)


@every_sample
def test_both_ways_to_a_second_derivative_agree(op, number):
    p = smooth(op, number)
    v = p.directions()
    here = tuple(p.tensors[i] for i in p.followed)

    def slope(*moving):
        tensors = list(p.tensors)
        for i, t in zip(p.followed, moving, strict=True):
            tensors[i] = t
        return p.slope(*tensors)

    def weighted(*moving):
        return sum(
            (tg.view_as_real(s) * tg.view_as_real(d) if s.is_complex() else s * d).sum()
            for s, d in zip(slope(*moving), v, strict=True)
        )

    forward = tg.func.jvp(slope, here, v)[1]
    close(forward, tg.func.grad(weighted, argnums=tuple(range(len(here))))(*here), 1e-7)
