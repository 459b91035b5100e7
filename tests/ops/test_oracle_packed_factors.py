"""Factors in LAPACK's packed forms, tolerances given as tensors, and names that torch has removed, against torch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.differential import check
from tests.ops.matrices import draw

torch = pytest.importorskip("torch")


def mirrored(shape, kind, hermitian):
    """A symmetric or Hermitian stack, not definite."""
    x = draw(shape, kind)
    return x + (x.conj() if hermitian else x).swapaxes(-1, -2)


LDL = [(s, k, h) for s in ((4, 4), (2, 3, 3), (1, 1), (0, 0), (2, 0, 0)) for k in ("r", "c") for h in (False, True)]


@pytest.mark.parametrize(("shape", "kind", "hermitian"), LDL)
def test_ldl_factors_equal_torch(shape, kind, hermitian):
    check(
        torch, lambda t, x: t.linalg.ldl_factor_ex(x, hermitian=hermitian), mirrored(shape, kind, hermitian), orders=0
    )


@pytest.mark.parametrize(("shape", "kind", "hermitian"), LDL)
@pytest.mark.parametrize("backend", [None, "numpy", "jax"])
def test_ldl_solve_solves_and_has_the_derivative_by_the_right_side(shape, kind, hermitian, backend):
    if backend == "jax":
        pytest.importorskip("jax")
    x, b = tg.tensor(mirrored(shape, kind, hermitian)), tg.tensor(draw((*shape[:-1], 2), kind))
    w = tg.tensor(draw((2, *b.shape), kind)[0])

    def program(x, b):
        return tg.linalg.ldl_solve(*tg.linalg.ldl_factor(x, hermitian=hermitian), b, hermitian=hermitian)

    run = program if backend is None else tg.compile(program, backend=backend)
    tg.testing.assert_close(x @ run(x, b), b)
    _, back = tg.func.vjp(lambda b: program(x, b), b)
    tg.testing.assert_close(back(w)[0], tg.linalg.solve(x.mH, w))
    stacked = tg.func.vmap(program)(tg.stack([x, x]), tg.stack([b, 2 * b]))
    tg.testing.assert_close(stacked[1], 2 * program(x, b))


def test_a_zero_block_is_refused():
    with pytest.raises(RuntimeError, match="zero"):
        tg.linalg.ldl_factor(tg.zeros(2, 2))


def test_ldl_factors_have_no_derivative():
    x = tg.eye(2).requires_grad_()
    with pytest.raises(RuntimeError, match="not implemented"):
        tg.linalg.ldl_factor(x).LD.sum().backward()


BAD_LDL = [
    ((3, 3), (3,), "int32", (3,)), ((3, 3), (3,), "int32", (2, 1)), ((3, 3), (2,), "int32", (3, 1)), ((3, 3), (3,), "float32", (3, 1)),
    ((3, 2), (3,), "int32", (3, 1)), ((3,), (3,), "int32", (3, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("packed", "pivots", "dtype", "right"), BAD_LDL)
def test_ldl_solve_refuses_what_torch_refuses(packed, pivots, dtype, right):
    check(
        torch,
        lambda t, a, p, b: t.linalg.ldl_solve(a, p, b),
        np.ones(packed),
        np.ones(pivots, dtype),
        np.ones(right),
        orders=0,
    )


@pytest.mark.parametrize("x", [np.ones((3,)), np.ones((2, 3)), np.ones((2, 2), np.int64)], ids=str)
def test_ldl_factor_refuses_what_torch_refuses(x):
    check(torch, lambda t, v: t.linalg.ldl_factor(v), x, orders=0)


@pytest.mark.parametrize("kind", ["r", "c"])
@pytest.mark.parametrize("shape", [(4, 2), (3, 3), (2, 4), (2, 3, 2), (0, 3), (3, 0)])
def test_geqrf_equals_torch(shape, kind):
    check(torch, lambda t, x: t.geqrf(x), draw(shape, kind), orders=0)


@pytest.mark.parametrize("kind", ["r", "c"])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
def test_ormqr_equals_torch_with_both_derivatives(kind, left, transpose):
    shape = (2, 4, 3) if left else (2, 3, 4)
    check(
        torch,
        lambda t, a, tau, b: t.ormqr(a, tau, b, left, transpose),
        draw((2, 4, 2), kind),
        draw((2, 2), kind),
        draw(shape, kind),
    )


@pytest.mark.parametrize("kind", ["r", "c"])
def test_orgqr_equals_torch_with_both_derivatives(kind):
    check(torch, lambda t, a, tau: t.orgqr(a, tau), draw((2, 4, 3), kind), draw((2, 2), kind))


BAD_REFLECTIONS = [
    ((3,), (2,), (3, 2)),
    ((3, 2), (2,), (2, 2)),
    ((3, 2), (2,), (3,)),
    ((3, 2), (3,), (3, 2)),
    ((4, 3, 2), (4, 2), (3, 2)),
    ((2, 3, 2), (2,), (2, 3, 2)),
]


@pytest.mark.parametrize(("a", "tau", "other"), BAD_REFLECTIONS)
def test_ormqr_and_orgqr_refuse_what_torch_refuses(a, tau, other):
    check(torch, lambda t, x, y, z: t.ormqr(x, y, z), np.ones(a), np.ones(tau), np.ones(other), orders=0)
    check(torch, lambda t, x, y: t.orgqr(x, y), np.ones(a), np.ones(tau), orders=0)


REMOVED = {
    "solve": lambda t, x: t.solve(x, x), "lstsq": lambda t, x: x.lstsq(x), "eig": lambda t, x: x.eig(eigenvectors=True), "symeig": lambda t, x: t.symeig(x),
    "matrix_rank": lambda t, x: t.matrix_rank(x),
}  # fmt: skip


@pytest.mark.parametrize("name", REMOVED)
def test_removed_names_raise_torchs_class_and_name_the_successor(name):
    check(torch, REMOVED[name], np.eye(2), orders=0)
    with pytest.raises(RuntimeError, match=r"torch\.linalg\."):
        REMOVED[name](tg, tg.eye(2))


SMALL_NORMS = {
    "frobenius": lambda t, x: t.frobenius_norm(x, (1, 2)), "frobenius of all": lambda t, x: t.frobenius_norm(x, ()), "frobenius kept": lambda t, x: t.frobenius_norm(x, 1, keepdim=True),
    "frobenius of three": lambda t, x: t.frobenius_norm(x, (0, 1, 2)), "nuclear": lambda t, x: t.nuclear_norm(x), "nuclear dim": lambda t, x: t.nuclear_norm(x, (0, 2), keepdim=True),
    "nuclear kept": lambda t, x: t.nuclear_norm(x, True), "except 0": lambda t, x: t.norm_except_dim(x), "except 1": lambda t, x: t.norm_except_dim(x, 2, 1),
    "except 2": lambda t, x: t.norm_except_dim(x, 1, 2), "except none": lambda t, x: t.norm_except_dim(x, 2, -1), "except 5": lambda t, x: t.norm_except_dim(x, 2, 5),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL_NORMS)
def test_norms_under_their_older_names_equal_torch(name):
    check(torch, SMALL_NORMS[name], draw((2, 3, 4), "r"))


TOLERANCES = {
    "rank atol": lambda t, x: t.linalg.matrix_rank(x, atol=t.tensor([0.1, 3.0], dtype=t.float64)), "rank rtol": lambda t, x: t.linalg.matrix_rank(x, rtol=t.tensor(0.5)),
    "rank both": lambda t, x: t.linalg.matrix_rank(x, atol=t.tensor(0.0), rtol=0.5), "rank tol": lambda t, x: t.linalg.matrix_rank(x, tol=t.tensor([[1.0], [4.0]])),
    "rank complex": lambda t, x: t.linalg.matrix_rank(x, atol=t.tensor(1j)), "pinv rtol": lambda t, x: t.linalg.pinv(x, rtol=t.tensor([0.0, 0.9], dtype=t.float64)),
    "pinv atol": lambda t, x: t.linalg.pinv(x, atol=t.tensor(2.0, dtype=t.float64)), "pinv rcond": lambda t, x: t.linalg.pinv(x, t.tensor(0.9, dtype=t.float64)),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLERANCES)
@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 4, 2), (2, 0, 3)])
def test_tolerances_may_be_tensors(name, shape):
    check(torch, TOLERANCES[name], draw(shape, "r"))


def test_tolerances_that_are_tensors_are_followed_by_programs():
    x = tg.tensor(draw((2, 3, 3), "r"))
    run = tg.compile(lambda x, limit: (tg.linalg.pinv(x, rtol=limit), tg.linalg.matrix_rank(x, rtol=limit)))
    for value in (0.0, 0.9):
        found, rank = run(x, tg.tensor(value, dtype=tg.float64))
        tg.testing.assert_close(found, tg.linalg.pinv(x, rtol=value))
        assert rank.tolist() == tg.linalg.matrix_rank(x, rtol=value).tolist()


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("kind", ["r", "c"])
def test_a_factor_that_is_not_triangular_has_torchs_derivative(upper, kind):
    factor = draw((2, 3, 3), kind) + 3 * np.eye(3)
    factor -= 1j * factor.imag * np.eye(3) if kind == "c" else 0  # LAPACK takes the diagonal for real
    check(torch, lambda t, b, x: t.cholesky_solve(b, x, upper=upper), draw((3, 2), kind), factor)
    check(torch, lambda t, x: t.cholesky_inverse(x, upper=upper), factor)


FORWARD = {
    "cholesky": lambda t, x: t.linalg.cholesky(x), "upper": lambda t, x: t.linalg.cholesky(x, upper=True), "eigvalsh": lambda t, x: t.linalg.eigvalsh(x),
    "eigh": lambda t, x: t.linalg.eigh(x)[1].abs(), "svd": lambda t, x: [v.abs() for v in t.linalg.svd(x[..., :2], full_matrices=True)], "svd wide": lambda t, x: [v.abs() for v in t.svd(x[..., :2, :], some=False)],
}  # fmt: skip


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("kind", ["pr", "pc"])
def test_forward_mode_along_a_direction_that_is_not_hermitian_equals_torch(name, kind):
    x, direction = draw((2, 3, 3), kind), draw((2, 3, 3), kind[1:])
    results = []
    for t in (tg, torch):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, about the compiler that its forward mode loads
            found = t.func.jvp(lambda v, t=t: FORWARD[name](t, v), (t.tensor(x),), (t.tensor(direction),))[1]
        results.append([v.numpy() for v in (found if isinstance(found, (list, tuple)) else [found])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("n", [None, 1, 2, 4])
@pytest.mark.parametrize("x", [np.array(3.0), np.array([3.0]), np.array([1, 2, 3]), np.ones((2, 2)) * 1j], ids=str)
def test_linalg_vander_equals_torch(x, n):
    check(torch, lambda t, v: t.linalg.vander(v, N=n), x)
