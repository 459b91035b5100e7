"""Linear algebra against torch: values, names, both derivatives and error classes, over shapes and dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.differential import check
from tests.ops.matrices import draw

torch = pytest.importorskip("torch")


SQUARE = {
    "inv": lambda t, x: t.linalg.inv(x), "inverse": lambda t, x: x.inverse(), "det": lambda t, x: x.det(), "slogdet": lambda t, x: t.linalg.slogdet(x),
    "logdet": lambda t, x: t.logdet(x @ x.mH), "matrix_exp": lambda t, x: t.matrix_exp(x), "power 0": lambda t, x: x.matrix_power(0),
    "power 3": lambda t, x: x.matrix_power(3), "power -2": lambda t, x: t.linalg.matrix_power(x, -2),
    "eig": lambda t, x: (lambda r: (r[1] * r[0].exp().unsqueeze(-2)) @ t.linalg.inv(r[1]))(t.linalg.eig(x)),
    "solve": lambda t, x: t.linalg.solve(x, x[..., :1]), "solve right": lambda t, x: t.linalg.solve(x, x[..., :1, :], left=False),
    "solve_triangular": lambda t, x: t.linalg.solve_triangular(x, x, upper=True), "lu_solve": lambda t, x: t.linalg.lu_solve(*t.linalg.lu_factor(x), x, adjoint=True),
    "unitriangular": lambda t, x: t.linalg.solve_triangular(x, x, upper=False, left=False, unitriangular=True),
}  # fmt: skip
DEFINITE = {
    "cholesky": lambda t, x: t.linalg.cholesky(x), "upper": lambda t, x: x.cholesky(upper=True), "cholesky_ex": lambda t, x: t.linalg.cholesky_ex(x),
    "cholesky_inverse": lambda t, x: t.cholesky_inverse(t.linalg.cholesky(x)), "cholesky_solve": lambda t, x: t.cholesky_solve(x[..., :1], t.linalg.cholesky(x)),
    "eigvalsh": lambda t, x: t.linalg.eigvalsh(x), "eigh": lambda t, x: t.linalg.eigh(x)[1].abs(),
    "eigh U": lambda t, x: (lambda r: (r[1] * r[0].exp().to(x.dtype).unsqueeze(-2)) @ r[1].mH)(t.linalg.eigh(x, UPLO="U")),
}  # fmt: skip
ANY = {
    "svdvals": lambda t, x: t.linalg.svdvals(x), "svd": lambda t, x: [v.abs() for v in t.linalg.svd(x, full_matrices=False)],
    "torch.svd": lambda t, x: [v.abs() for v in t.svd(x)], "pinv": lambda t, x: t.linalg.pinv(x), "qr": lambda t, x: t.linalg.qr(x),
    "lu": lambda t, x: t.linalg.lu(x), "lu_factor_ex": lambda t, x: t.linalg.lu_factor_ex(x), "lu_unpack": lambda t, x: t.lu_unpack(*t.linalg.lu_factor_ex(x)[:2]),
    "rank": lambda t, x: t.linalg.matrix_rank(x), "nuclear": lambda t, x: t.linalg.matrix_norm(x, "nuc"), "norm 1": lambda t, x: t.linalg.matrix_norm(x, 1),
    "norm 2": lambda t, x: t.linalg.matrix_norm(x, 2), "cond": lambda t, x: t.linalg.cond(x), "complete": lambda t, x: t.linalg.qr(x, mode="complete"),
}  # fmt: skip
CASES = [
    *((SQUARE[n], s, k) for n in SQUARE for s in ((3, 3), (2, 2, 2), (1, 1), (0, 0)) for k in ("r", "c")),
    *((DEFINITE[n], s, k) for n in DEFINITE for s in ((3, 3), (2, 2, 2), (0, 0)) for k in ("pr", "pc")),
    *((ANY[n], s, k) for n in ANY for s in ((3, 3), (4, 2), (2, 4), (2, 3, 2)) for k in ("r", "c")),
]
NAMES = [
    *(f"{n} {s} {k}" for n in SQUARE for s in ((3, 3), (2, 2, 2), (1, 1), (0, 0)) for k in ("r", "c")),
    *(f"{n} {s} {k}" for n in DEFINITE for s in ((3, 3), (2, 2, 2), (0, 0)) for k in ("pr", "pc")),
    *(f"{n} {s} {k}" for n in ANY for s in ((3, 3), (4, 2), (2, 4), (2, 3, 2)) for k in ("r", "c")),
]


@pytest.mark.parametrize(("program", "shape", "kind"), CASES, ids=NAMES)
def test_value_name_and_both_derivatives_equal_torch(program, shape, kind):
    check(torch, program, draw(shape, kind))


@pytest.mark.parametrize("name", [n for n in (*SQUARE, *DEFINITE, *ANY) if n != "cholesky_ex"])
def test_what_torch_refuses_is_refused_with_its_class(name):
    program = {**SQUARE, **DEFINITE, **ANY}[name]
    for bad in (np.zeros((2, 2)), -np.eye(2), draw((2, 3), "r"), draw((3,), "r"), np.full((2, 2), np.nan)):
        if name.startswith(
            (
                "power",
                "eig",
                "logdet",
                "slogdet",
                "solve",
                "lu",
                "unit",
                "torch.svd",
                "svd",
                "pinv",
                "nuc",
                "norm",
                "cond",
                "rank",
            )
        ):
            bad = bad if bad.shape in ((2, 3), (3,)) else np.eye(2)
        check(torch, program, bad, orders=0)


EQUATIONS = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij->ji", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("i,j->ji", (3,), (2,)), ("bij,bjk->bki", (2, 2, 3), (2, 3, 4)),
    ("...ij,...jk", (2, 2, 3), (3, 4)), ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)), ("i,ij,j->", (2,), (2, 3), (3,)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ("iij->j", (2, 2, 3)), ("ij,jk->ik", (2, 0), (0, 4)), ("bi,ij->bj", (1, 3), (3, 2)), (" i j , j k -> i k ", (2, 3), (3, 4)), ("ij,jk->ik", (2, 3), (2, 3)),
    ("ij->k", (2, 3)), ("ijk", (2, 3)), ("i1", (2, 3)), ("ij->ii", (2, 3)), ("ij..", (2, 3)), ("ii", (2, 3)), ("Ab,bA", (2, 3), (3, 2)), ("ij,j,i->", (2, 3), (3,), (2,)),
]  # fmt: skip


@pytest.mark.parametrize(("equation", "shapes"), [(e, s) for e, *s in EQUATIONS])
def test_einsum_equals_torch(equation, shapes):
    check(torch, lambda t, *xs: t.einsum(equation, *xs), *(draw(s, "r") for s in shapes))


def test_einsum_takes_lists_of_labels():
    check(
        torch, lambda t, a, b: t.einsum(a, [..., 0, 1], b, [1, 2], [..., 0, 2]), draw((2, 2, 3), "r"), draw((3, 4), "r")
    )


@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd"])
@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (2, 3, 2)])
def test_least_squares_equal_torch(shape, driver):
    b = draw((*shape[:-1], 2), "r")
    check(torch, lambda t, x, y: t.linalg.lstsq(x, y, driver=driver)[0], draw(shape, "r"), b)


@pytest.mark.parametrize("name", ["eigh", "svd", "eig"])
def test_a_loss_that_depends_on_a_free_phase_is_refused(name):
    x = draw((3, 3), "pc")
    place = 0 if name == "svd" else 1
    check(torch, lambda t, v: getattr(t.linalg, name)(v)[place].real, x, orders=1)
