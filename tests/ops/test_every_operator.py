"""What must hold for every operator, whoever wrote it: generated over the samples of the definitions."""

from __future__ import annotations

import ast
import string
import warnings

import numpy as np
import pytest

from tests.ops.cases import EXCUSED, NO_BACKWARD, OPERATORS, Case, dot, every_case, run, shifted, smooth_cases
from tracegrad.autograd.engine import grad
from tracegrad.backends.base import backend
from tracegrad.eager.tensor import handle
from tracegrad.errors import DataError, DifferentiationError, LinAlgError
from tracegrad.ir.op import REGISTRY
from tracegrad.ir.parse import parse
from tracegrad.ir.text import graph_text
from tracegrad.ir.verify import verify
from tracegrad.passes.batch import batch_graph
from tracegrad.passes.decompose import decompose
from tracegrad.passes.differentiate import vjp_graph
from tracegrad.passes.jvp import jvp_graph

STEP = 1e-6
# summation order is all that may differ between two ways of computing the same expression
CLOSE = {"rtol": 1e-11, "atol": 1e-12}


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.name)
def test_an_operator_has_samples(op):
    assert len(op.samples) > 0, f"{op.name} has no samples and is not excused in tests/ops/cases.py"


def test_excuses_are_for_operators_that_exist():
    assert set(EXCUSED) <= set(REGISTRY)


@pytest.mark.parametrize("op", [o for o in REGISTRY.values() if not o.composite], ids=lambda op: op.name)
def test_templates_are_python_expressions(op):
    for field in ("numpy", "jax"):
        template = getattr(op, field)
        if template:
            names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
            ast.parse(template.format(**{n: n for n in names}), mode="eval")


@every_case
def test_the_type_rule_says_what_the_kernel_gives(op, number):
    case = Case(op, number)
    if op.value_dependent:
        pytest.skip("the shape depends on values")
    found = case.raw(case.arrays)
    assert [(r.shape, r.dtype) for r in found] == [(t.shape, t.dtype) for t in case.results()]


@every_case
def test_float32_stays_float32(op, number):
    case = Case(op, number)
    if op.value_dependent or "dtype" in op.attrs:
        pytest.skip("the result's type does not follow from the operands' types")
    case.values = tuple(
        v.astype({"f": np.float32, "c": np.complex64}.get(v.dtype.kind, v.dtype)) if isinstance(v, np.ndarray) else v
        for v in case.values
    )
    case.take_bodies(np.float32)
    found = case.raw(case.arrays)
    assert [(r.shape, r.dtype) for r in found] == [(t.shape, t.dtype) for t in case.results()]
    assert not any(t.dtype in (np.float64, np.complex128) for t in case.results())


@every_case
def test_eager_equals_the_kernel(op, number):
    case = Case(op, number)
    made = case.eager([handle(a, None) for a in case.arrays])
    for got, want in zip(made, case.raw(case.arrays), strict=True):
        np.testing.assert_array_equal(got._data, want)


HARSH = np.array([0.0, -0.0, -1.0, 1.0, np.inf, -np.inf, np.nan, 1e308, -1e308, 5e-324])


@every_case
def test_no_numpy_warning_reaches_the_user(op, number):
    case = Case(op, number)
    arrays = [case.generator.choice(HARSH, a.shape).astype(a.dtype) if a.dtype.kind == "f" else a for a in case.arrays]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            case.eager([handle(np.asarray(a), None) for a in arrays])
        except DataError as error:  # of a matrix that is singular, not positive definite or not finite
            assert (
                isinstance(error, LinAlgError)
                or "infs or NaNs" in str(error)
                or "is zero" in str(error)
                or "phase" in str(error)
            )  # noqa: PT017
            return
        if op.name not in NO_BACKWARD and case.followed() and case.differentiable():
            case.vjp(arrays, case.cotangents())
            case.vjp(arrays, case.cotangents(), create_graph=True)
    assert [str(w.message) for w in seen] == []


@smooth_cases
def test_the_raw_backward_equals_the_traced_one(op, number):
    case = Case(op, number)
    g = case.cotangents()
    raw, traced = case.vjp(case.arrays, g), case.vjp(case.arrays, g, create_graph=True)
    for a, b, place in zip(raw, traced, case.followed(), strict=True):
        assert a.dtype == b.dtype == case.arrays[place].dtype
        assert a.shape == b.shape == case.arrays[place].shape
        np.testing.assert_allclose(a, b, **CLOSE)


@smooth_cases
def test_the_vjp_is_the_finite_difference(op, number):
    case = Case(op, number)
    g, v = case.cotangents(), case.directions()
    chosen = case.differentiable()

    def value(step):
        results = case.raw(shifted(case.arrays, case.followed(), v, step))
        return dot([results[i] for i in chosen], g)

    check_slope(dot(case.vjp(case.arrays, g), v), value, case, sizes(case, g))


@smooth_cases
def test_the_second_derivative_is_the_finite_difference_of_the_first(op, number):
    case = Case(op, number)
    g, v = case.cotangents(), case.directions()
    w = case.directions()

    def value(step):
        return dot(case.vjp(shifted(case.arrays, case.followed(), v, step), g), w)

    tensors = [handle(np.array(a), None) for a in case.arrays]
    wanted = [tensors[i].requires_grad_() for i in case.followed()]
    made = case.eager(tensors)
    first = grad(
        [made[i] for i in case.differentiable()],
        wanted,
        [handle(c, None) for c in g],
        create_graph=True,
        materialize_grads=True,
    )
    weighted = [(f, handle(u, None)) for f, u in zip(first, w, strict=True) if f.requires_grad]
    if not weighted:
        check_slope(0.0, value, case, sizes(case, g))
        return
    second = grad([f for f, _ in weighted], wanted, [u for _, u in weighted], materialize_grads=True)
    check_slope(dot([s._data for s in second], v), value, case, sizes(case, g))


@smooth_cases
def test_the_backward_is_linear_in_its_cotangent_and_its_derivative_by_it_is_the_jvp(op, number):
    case = Case(op, number)
    g, w = case.cotangents(), case.directions()
    tensors = [handle(np.array(a), None) for a in case.arrays]
    wanted = [tensors[i].requires_grad_() for i in case.followed()]
    given = [handle(c, None).requires_grad_() for c in g]
    made = case.eager(tensors)
    first = grad([made[i] for i in case.differentiable()], wanted, given, create_graph=True, materialize_grads=True)
    pairs = [(f, handle(u, None)) for f, u in zip(first, w, strict=True) if f.requires_grad]
    tangents = grad([f for f, _ in pairs], given, [u for _, u in pairs], materialize_grads=True) if pairs else []
    expected = jvp_by_graph(case, w)
    if tangents:
        agree(case, dot([t._data for t in tangents], g), dot(expected, g))


@smooth_cases
def test_the_jvp_is_the_transpose_of_the_vjp(op, number):
    case = Case(op, number)
    g, v = case.cotangents(), case.directions()
    tangents = jvp_by_graph(case, v)
    backward = run(vjp_graph(case.graph(), case.followed(), case.differentiable()), [*case.arrays, *g])
    assert [t.shape for t in tangents] == [c.shape for c in g]
    agree(case, dot(tangents, g), dot(backward, v))
    for a, b in zip(backward, case.vjp(case.arrays, g), strict=True):
        np.testing.assert_allclose(a, b, **CLOSE)


@every_case
def test_a_graph_of_it_verifies_and_survives_its_text(op, number):
    graph = Case(op, number).graph()
    verify(graph)
    text = graph_text(graph)
    assert graph_text(parse(text)) == text


@smooth_cases
def test_the_graph_of_its_gradient_verifies_and_survives_its_text(op, number):
    case = Case(op, number)
    graph = vjp_graph(case.graph(), case.followed(), case.differentiable())
    verify(graph)
    text = graph_text(graph)
    assert graph_text(parse(text)) == text


@every_case
def test_the_batched_operator_equals_the_loop(op, number):
    case = Case(op, number)
    if op.value_dependent:
        pytest.skip("results of different shapes cannot be stacked")
    check_batched(case.graph(), list(case.arrays), case.generator)


@smooth_cases
def test_the_batched_gradient_equals_the_loop(op, number):
    case = Case(op, number)
    if op.value_dependent:
        pytest.skip("results of different shapes cannot be stacked")
    graph = vjp_graph(case.graph(), case.followed(), case.differentiable())
    check_batched(graph, [*case.arrays, *case.cotangents()], case.generator)


@every_case
def test_emitted_numpy_equals_the_kernel(op, number):
    case = Case(op, number)
    if op.value_dependent:
        pytest.skip("not compiled")
    for got, want in zip(backend("numpy")(decompose(case.graph()))(*case.arrays), case.raw(case.arrays), strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        np.testing.assert_allclose(got, want, **CLOSE)


@smooth_cases
def test_emitted_numpy_gradient_equals_the_kernels(op, number):
    case = Case(op, number)
    if op.value_dependent:
        pytest.skip("not compiled")
    graph = vjp_graph(case.graph(), case.followed(), case.differentiable())
    arrays = [*case.arrays, *case.cotangents()]
    for got, want in zip(backend("numpy")(decompose(graph))(*arrays), run(graph, arrays), strict=True):
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        np.testing.assert_allclose(got, want, **CLOSE)


def test_floor_divide_refuses_its_backward():
    x = handle(np.array([3.5]), None).requires_grad_()
    with pytest.raises(DifferentiationError, match="floor_divide"):
        grad(x // 2, x, handle(np.ones(1), None))


def jvp_by_graph(case, directions):
    """The tangents of the differentiable results by the jvp pass."""
    graph = jvp_graph(case.graph(), case.followed())
    floating = [i for i, t in enumerate(case.results()) if t.dtype.kind in "fc"]
    found = run(graph, [*case.arrays, *directions])[len(case.results()) :]
    return [found[floating.index(i)] for i in case.differentiable()]


def sizes(case, cotangents):
    """The scale of the numbers whose rounding the finite difference sees."""
    results = case.raw(case.arrays)
    finite = [np.abs(results[i][np.isfinite(results[i])]) for i in case.differentiable()]
    return 1.0 + sum(float(np.sum(a)) for a in finite) * max(
        [1.0, *(float(np.max(np.abs(g), initial=0)) for g in cotangents)]
    )


def check_slope(slope, value, case, scale):
    """slope is value'(0): within rounding and curvature; at a kink it lies between the slopes on both sides.

    Where the value itself jumps (the first derivative at a tie) or is not finite (a mean of nothing) there is no slope to compare with.
    """
    largest = max([1.0, *(float(np.max(np.abs(a), initial=0)) for a in case.arrays)])
    low_precision = any(t.dtype in (np.float32, np.complex64) for t in case.results())
    step, slack = (1e-2, 1e-3) if low_precision else (STEP * largest**0.5, 2e-7)
    here, ahead, behind = value(0.0), value(step), value(-step)
    if not np.isfinite([here, ahead, behind]).all():
        assert not slope or np.isnan(slope)
        return
    forward, backward = (ahead - here) / step, (here - behind) / step
    if abs(forward + backward) > 1e4 * scale + 1e2 * abs(slope):
        return
    tolerance = slack * (scale + abs(slope)) + 0.02 * abs(forward - backward)
    if abs(slope - (forward + backward) / 2) <= tolerance:
        return
    assert min(forward, backward) - tolerance <= slope <= max(forward, backward) + tolerance, (
        slope,
        forward,
        backward,
        tolerance,
    )


def agree(case, left, right, rtol=1e-9):
    """Two ways to the same number: equal up to rounding; only a derivative that does not exist may be nan on one side."""
    if not (np.isfinite(left) and np.isfinite(right)):
        assert case.op.pole or not all(a.size for a in case.arrays)
        return
    low_precision = any(t.dtype in (np.float32, np.complex64) for t in case.results())
    np.testing.assert_allclose(left, right, rtol=1e-5 if low_precision else rtol, atol=1e-6 if low_precision else 1e-11)


def check_batched(graph, arrays, generator):
    """Batching all leaves, and each alone, equals running the graph once for each row."""
    count = len(arrays)
    masks = {tuple([True] * count), *(tuple(i == j for j in range(count)) for i in range(count))} if count else set()
    for mask in sorted(masks):
        rows = [np.stack([a, moved(a, generator)]) if m else a for a, m in zip(arrays, mask, strict=True)]
        together = run(batch_graph(graph, mask, 2), rows)
        for row in range(2):
            alone = run(graph, [r[row] if m else r for r, m in zip(rows, mask, strict=True)])
            for got, want in zip(together, alone, strict=True):
                assert got.shape == (2, *want.shape)
                np.testing.assert_allclose(got[row], want, rtol=1e-10, atol=1e-11)


def moved(a, generator):
    """Other values of the same kind, in the same range."""
    if (
        a.ndim > 1
        and a.dtype.kind in "fc"
        and a.shape[-1] == a.shape[-2]
        and np.array_equal(a, a.conj().swapaxes(-1, -2))
    ):
        return a * 0.75  # still positive definite
    return a[::-1].copy() if a.ndim and a.shape[0] > 1 else a * 0.75 if a.dtype.kind == "f" else a.copy()
