"""svd_lowrank, pca_lowrank and lobpcg against torch, on matrices for which torch's random directions give exact results."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.ops.differential import check
from tests.ops.matrices import draw

torch = pytest.importorskip("torch")


def of_rank(shape, rank, kind="r"):
    """A stack of matrices of this rank."""
    return draw((*shape[:-1], rank), kind) @ draw((*shape[:-2], rank, shape[-1]), kind)


def rebuilt(found):
    u, s, v = found
    return (u * s.to(u.dtype).unsqueeze(-2)) @ v.mH, s


@pytest.mark.parametrize("kind", ["r", "c"])
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 5, 5)])
def test_matrices_of_low_rank_are_rebuilt_with_torchs_first_derivative(shape, kind):
    check(torch, lambda t, x: t.svd_lowrank(x, q=2)[1], of_rank(shape, 2, kind), orders=1, names=False)
    check(torch, lambda t, x: rebuilt(t.svd_lowrank(x, q=2, niter=3)), of_rank(shape, 2, kind), orders=0)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("shape", [(6, 4), (2, 7, 5)])
def test_principal_directions_equal_torchs_up_to_their_sign(shape, center):
    x = of_rank(shape, 2) + (1 if center else 0)
    check(torch, lambda t, x: rebuilt(t.pca_lowrank(x, q=2, center=center)), x, orders=0)
    check(torch, lambda t, x: t.pca_lowrank(x, q=2, center=center)[1], x, orders=1, names=False)


@pytest.mark.parametrize("shape", [(5, 4), (5, 8), (2, 7, 5)])
def test_shapes_are_torchs(shape):
    check(
        torch,
        lambda t, x: [
            t.zeros(v.shape) for v in (*t.svd_lowrank(x), *t.svd_lowrank(x, q=2, M=x[..., :1, :]), *t.pca_lowrank(x))
        ],
        draw(shape, "r"),
        orders=0,
    )


WRONG = {
    "q": lambda t, x: t.pca_lowrank(x, q=9), "niter": lambda t, x: t.pca_lowrank(x, niter=-1), "vector": lambda t, x: t.svd_lowrank(x[0]), "integers": lambda t, x: t.pca_lowrank(x.long()),
    "few rows": lambda t, x: t.lobpcg(t.eye(3), k=2),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_torch_refuses_is_refused_with_its_class(name):
    check(torch, WRONG[name], draw((9, 9), "r")[:, :6], orders=0)


@pytest.mark.parametrize("t", [torch, tg])
def test_lobpcg_of_a_matrix_that_is_not_square_is_an_assertion(t):
    with pytest.raises(AssertionError, match="square"):
        t.lobpcg(t.ones(3, 6))


@pytest.mark.parametrize("largest", [None, True, False])
@pytest.mark.parametrize("general", [False, True])
def test_extreme_eigenpairs_equal_torchs(largest, general):
    a, b = draw((9, 9), "pr"), draw((9, 9), "pr") + np.diag(np.arange(9.0))
    torch.manual_seed(0)

    def program(t, a, b):
        values, vectors = t.lobpcg(a, k=2, B=b if general else None, largest=largest, tol=1e-12, niter=500)
        return values, vectors.abs()

    check(torch, program, a, b, orders=0, names=False)


def test_extreme_eigenvalues_have_torchs_derivative():
    check(torch, lambda t, x: t.lobpcg(x @ x.T, k=2, tol=1e-12, niter=500)[0], draw((9, 9), "r"), orders=1, names=False)
