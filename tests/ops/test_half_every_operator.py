"""Every operator in half precision, generated over its samples: computed in float32 and rounded once, in all modes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.cases import CASES, NO_BACKWARD, Case, dot, run
from tracegrad import dtypes
from tracegrad.autograd.engine import grad
from tracegrad.backends.base import backend
from tracegrad.eager.tensor import handle
from tracegrad.errors import DifferentiationError
from tracegrad.ir.half import widens
from tracegrad.passes.batch import batch_graph
from tracegrad.passes.differentiate import vjp_graph
from tracegrad.passes.jvp import jvp_graph
from tracegrad.passes.pipeline import optimise
from tracegrad.passes.widen import widen

EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
REAL = [
    (op, n)
    for op, n in CASES
    if isinstance(n, int) and any(getattr(v, "kind", "") in ("array", "symmetric") for v in op.samples[n])
]
# the sample's values are too large or too close for a tolerance in units of the last place
STEEP = {"nextafter", "check_phase"}


def each(function):
    """Parametrise a test by operator and sample."""
    return pytest.mark.parametrize(("op", "number"), REAL, ids=[f"{op.name}-{n}" for op, n in REAL])(function)


def half_case(op, number, name="bfloat16"):
    """The case with operands of half precision; skipped where the operator refuses them."""
    case = Case(op, number)
    if op.value_dependent or "dtype" in op.attrs:
        pytest.skip("the result's type does not follow from the operands' types")
    d = dtypes.BY_NAME[name].numpy
    with np.errstate(all="ignore"):
        case.values = tuple(
            v.astype(d) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v for v in case.values
        )
    try:
        case.results()
    except (RuntimeError, TypeError):
        pytest.skip("the operator refuses half precision, as torch does")
    return case


def single(case):
    """The same values in float32."""
    wide = Case(case.op, case.number)
    wide.values = tuple(
        v.astype(np.float32) if isinstance(v, np.ndarray) and dtypes.is_half(v.dtype) else v for v in case.values
    )
    return wide


def as_float64(arrays):
    return [np.asarray(a).astype(np.float64) for a in arrays]


def assert_near(found, wanted, name, units):
    """Equal up to `units` in the last place of the largest value; where the exact value is not finite nothing is said."""
    for got, want in zip(as_float64(found), as_float64(wanted), strict=True):
        assert got.shape == want.shape
        finite = np.isfinite(want) & (np.abs(want) < float(dtypes.finfo(dtypes.BY_NAME[name]).max))
        size = np.abs(want[finite]).max(initial=0.0)
        np.testing.assert_allclose(got[finite], want[finite], rtol=0, atol=units * EPS[name] * size + 1e-30)


@pytest.mark.parametrize("name", EPS)
@each
def test_the_value_is_that_of_float32_rounded_once(op, number, name):
    case = half_case(op, number, name)
    if op.name in STEEP:
        pytest.skip("the operator looks at the representation")
    with np.errstate(all="ignore"):
        found, wide = case.raw(case.arrays), single(case).raw(single(case).arrays)
        for got, want, t in zip(found, wide, case.results(), strict=True):
            assert (got.shape, got.dtype) == (t.shape, t.dtype)
            np.testing.assert_array_equal(got.astype(np.float64), want.astype(t.dtype).astype(np.float64))


@each
def test_eager_equals_the_kernel_in_half_precision(op, number):
    case = half_case(op, number)
    if any(isinstance(v, float) for v in case.values):
        pytest.skip("eagerly a number is rounded first, as in torch")
    made = case.eager([handle(a, None) for a in case.arrays])
    for got, want in zip(made, case.raw(case.arrays), strict=True):
        np.testing.assert_array_equal(got._data.astype(np.float64), want.astype(np.float64))


def derived(op, number):
    """A case with a derivative in half precision, with cotangents."""
    case = half_case(op, number)
    if op.name in NO_BACKWARD or op.name in STEEP or not widens(op):
        pytest.skip("no derivative to compare")
    places = [i for i, a in enumerate(case.arrays) if a.dtype.kind in "fV"]
    rules = set(single(case).followed()) & set(places)
    chosen = [
        i for i, t in enumerate(case.results()) if t.dtype.kind in "fV" and op.outputs[i] not in op.nondiff_outputs
    ]
    if not rules or not chosen:
        pytest.skip("no derivative")
    generator = np.random.default_rng(3)
    given = [np.asarray(generator.normal(size=case.results()[i].shape)).astype(case.results()[i].dtype) for i in chosen]
    return case, sorted(rules), chosen, given


def gradients(case, wanted, chosen, given, create_graph=False):
    tensors = [handle(np.array(a), None) for a in case.arrays]
    sources = [tensors[i].requires_grad_() for i in wanted]
    made = case.eager(tensors)
    found = grad([made[i] for i in chosen], sources, [handle(np.array(g), None) for g in given],
                 create_graph=create_graph, materialize_grads=True)  # fmt: skip
    return [g._data for g in found]


@each
def test_gradients_are_those_of_float32_rounded(op, number):
    case, wanted, chosen, given = derived(op, number)
    found = gradients(case, wanted, chosen, given)
    assert [g.dtype for g in found] == [case.arrays[i].dtype for i in wanted]
    reference = gradients(single(case), wanted, chosen, [g.astype(np.float32) for g in given])
    # rules that read the result read it rounded
    assert_near(found, reference, "bfloat16", 8)
    assert_near(gradients(case, wanted, chosen, given, True), found, "bfloat16", 1)


@each
def test_compiled_derivatives_have_the_bits_of_eager_ones(op, number):
    case, wanted, chosen, given = derived(op, number)
    graph = case.graph()
    try:
        graph = vjp_graph(graph, wanted, chosen)
    except DifferentiationError:
        pytest.skip("the operator refuses to be differentiated")
    assert_near(
        run(graph, [*case.arrays, *given])[-len(wanted) :], gradients(case, wanted, chosen, given), "bfloat16", 1
    )
    compiled = backend("numpy")(optimise(graph, level="O1"))
    assert_near(compiled(*case.arrays, *given), run(graph, [*case.arrays, *given]), "bfloat16", 0)
    again = widen(widen(graph))
    assert len(again.nodes) == len(widen(graph).nodes)


@each
def test_forward_and_reverse_mode_agree_in_half_precision(op, number):
    case, wanted, chosen, given = derived(op, number)
    generator = np.random.default_rng(5)
    tangents = [np.asarray(generator.normal(size=case.arrays[i].shape)).astype(case.arrays[i].dtype) for i in wanted]
    moved = run(jvp_graph(case.graph(), wanted), [*case.arrays, *tangents])
    floating = [i for i, t in enumerate(case.results()) if t.dtype.kind in "fV"]
    pushed = [moved[len(case.results()) + floating.index(i)] for i in chosen]
    assert [p.dtype for p in pushed] == [case.results()[i].dtype for i in chosen]
    back = gradients(case, wanted, chosen, given)
    left, right = dot(as_float64(pushed), as_float64(given)), dot(as_float64(back), as_float64(tangents))
    size = sum(float(np.abs(p.astype(float) * g.astype(float)).sum()) for p, g in zip(pushed, given, strict=True))
    size += sum(float(np.abs(b.astype(float) * t.astype(float)).sum()) for b, t in zip(back, tangents, strict=True))
    if not np.isfinite(size):
        pytest.skip("a pole")
    assert abs(left - right) <= 8 * EPS["bfloat16"] * size + 1e-30


@each
def test_batching_keeps_half_precision(op, number):
    case = half_case(op, number)
    graph = case.graph()
    arrays = [np.stack([a, a]) for a in case.arrays]
    found = run(batch_graph(graph, [True] * len(arrays), 2), arrays)
    assert [f.dtype for f in found] == [t.dtype for t in case.results()]
    for row in (0, 1):
        assert_near([f[row] for f in found], run(graph, case.arrays), "bfloat16", 1)
