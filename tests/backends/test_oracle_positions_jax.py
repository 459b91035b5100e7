"""Positions outside of their axis in programs of XLA, which would take others in their place: the error of eager code, at every call."""

import numpy as np
import pytest

import tracegrad as tg
from tracegrad.nn import functional as F

pytest.importorskip("jax")

X = tg.arange(12.0).reshape(4, 3)


def at(*values):
    return tg.tensor(values)


def column(*values):
    return tg.tensor(values)[:, None]


def written(x, i):
    y = x.clone()
    y[i] = 1.0
    return y


FUNCTIONS = {  # the function, good positions, bad ones, and what torch raises for these
    "index_select": (lambda x, i: tg.index_select(x, 0, i), at(0, 3), at(0, 4), IndexError),
    "index_select before the first": (lambda x, i: tg.index_select(x, 0, i), at(0, 3), at(0, -1), IndexError),
    "index_select of one axis of two": (lambda x, i: tg.index_select(x, 1, i), at(0, 2), at(0, 3), RuntimeError),
    "x[i]": (lambda x, i: x[i], at(0, -4), at(0, 4), IndexError),
    "x[i] before the first": (lambda x, i: x[i], at(3, -4), at(0, -5), IndexError),
    "x[:, i]": (lambda x, i: x[:, i], at(0, -3), at(0, 3), IndexError),
    "x[i, j]": (lambda x, i: x[i, i], at(0, 2), at(0, 3), IndexError),
    "x[i] of one number": (lambda x, i: x[i], tg.tensor(3), tg.tensor(4), IndexError),
    "gather": (lambda x, i: tg.gather(x, 1, i), column(0, 2), column(0, 3), RuntimeError),
    "gather before the first": (lambda x, i: tg.gather(x, 1, i), column(0, 2), column(0, -1), RuntimeError),
    "take": (lambda x, i: tg.take(x, i), at(-12, 11), at(0, 12), IndexError),
    "scatter_add": (lambda x, i: x.scatter_add(1, i, x), column(0, 2), column(0, 3), RuntimeError),
    "scatter_reduce": (lambda x, i: x.scatter_reduce(1, i, x, "amax"), column(0, 2), column(0, 3), RuntimeError),
    "index_add": (lambda x, i: x.index_add(0, i, x[:2]), at(0, 3), at(0, 4), RuntimeError),
    "index_copy": (lambda x, i: x.index_copy(0, i, x[:2]), at(0, 3), at(0, 4), IndexError),
    "index_fill": (lambda x, i: x.index_fill(0, i, 1.0), at(0, 3), at(0, 4), IndexError),
    "index_put": (lambda x, i: x.index_put((i,), x[:2]), at(0, 3), at(0, 4), IndexError),
    "x[i] = 1": (written, at(0, 3), at(0, 4), IndexError),
    "put": (lambda x, i: x.put(i, x[0, :2]), at(0, 11), at(0, 12), IndexError),
    "embedding": (lambda x, i: F.embedding(i, x), at(0, 3), at(0, 4), IndexError),
    "one_hot": (lambda x, i: F.one_hot(i, 3) * x, at(0, 2, 1, 1), at(0, 3, 1, 1), RuntimeError),
    "derivative": (tg.func.grad(lambda x, i: (x[i] ** 2).sum()), at(0, 3), at(0, 4), IndexError),
    "vmap": (tg.func.vmap(lambda x, i: x[i]), at(0, 1, 2, 0), at(0, 1, 3, 0), IndexError),
    "scan": (lambda x, i: tg.scan(lambda c, k: (c + x[k], c[k[None]]), x[0], i)[1], at(0, 2), at(3, 2), IndexError),
    "cond": (lambda x, i: tg.cond(x.sum() > 0, lambda v: v[i], lambda v: v[:2], (x,)), at(0, 3), at(0, 4), IndexError),
    "while_loop": (lambda x, i: tg.while_loop(lambda k, v: k[0] < 2, lambda k, v: (k + 1, v + x[i + k]), (tg.zeros(1, dtype=tg.int64), x[:2]))[1],
                   at(0, 2), at(0, 3), IndexError),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_position_outside_is_refused_at_every_call_as_eager_code_refuses_it(name):
    function, good, bad, kind = FUNCTIONS[name]
    compiled = tg.compile(function, backend="jax")
    wanted = function(X, good).tolist()
    assert compiled(X, good).tolist() == wanted
    for _ in range(2):
        with pytest.raises(kind, match=r"out of bounds|smaller than num_classes"):
            compiled(X, bad)
        assert compiled(X, good).tolist() == wanted
    with pytest.raises(kind):
        function(X, bad)


@pytest.mark.parametrize("loss", [F.nll_loss, F.cross_entropy, F.multi_margin_loss])
@pytest.mark.parametrize("bad", [-1, 3])
def test_a_class_outside_is_refused(loss, bad):
    compiled = tg.compile(loss, backend="jax")
    assert compiled(X, at(0, 2, 1, 1)).isfinite()
    with pytest.raises(RuntimeError if loss is F.multi_margin_loss else IndexError, match=f"index {bad}"):
        compiled(X, at(0, bad, 1, 1))


def test_classes_that_count_for_nothing_may_be_any():
    compiled = tg.compile(lambda x, t: F.cross_entropy(x, t, ignore_index=-100), backend="jax")
    target = at(0, -100, 1, 2)
    np.testing.assert_allclose(compiled(X, target).item(), F.cross_entropy(X, target).item(), rtol=1e-6)


def test_a_position_of_a_branch_that_is_not_taken_may_be_any():
    compiled = tg.compile(lambda x, i: tg.cond(x.sum() < 0, lambda v: v[i], lambda v: v[:2], (x,)), backend="jax")
    for i in (at(0, 1), at(0, 9)):  # what is recorded first looks at both branches
        assert compiled(X, i).tolist() == X[:2].tolist()


def test_a_loop_without_steps_looks_at_no_position():
    loop = lambda x, i, n: tg.while_loop(lambda k, v: k < n, lambda k, v: (k + 1, x[i]), (tg.tensor(0), x[:2]))[1]  # noqa: E731
    compiled = tg.compile(loop, backend="jax")
    for i in (at(0, 1), at(0, 9)):
        assert compiled(X, i, tg.tensor(0)).tolist() == X[:2].tolist()
    with pytest.raises(IndexError):
        compiled(X, at(0, 9), tg.tensor(1))


MATRICES = {  # functions of a matrix that eager code refuses for some values
    "inv": (tg.linalg.inv, tg.zeros(2, 2)),
    "inv of a stack": (lambda x: tg.linalg.inv(tg.stack([x + tg.eye(2) * 3, x])), tg.zeros(2, 2)),
    "solve": (lambda x: tg.linalg.solve(x, tg.ones(2)), tg.zeros(2, 2)),
    "solve from the right": (lambda x: tg.linalg.solve(x, tg.ones(1, 2), left=False), tg.zeros(2, 2)),
    "cholesky": (tg.linalg.cholesky, -tg.eye(2)),
    "lu_factor": (lambda x: tg.linalg.lu_factor(x)[0], tg.zeros(2, 2)),
    "ldl_factor": (lambda x: tg.linalg.ldl_factor(x)[0], tg.zeros(2, 2)),
    "eigvals": (lambda x: tg.linalg.eigvals(x).abs(), tg.full((2, 2), float("nan"))),
    "svd": (lambda x: tg.linalg.svd(x)[1], tg.full((2, 2), float("inf"))),
    "svdvals": (tg.linalg.svdvals, tg.full((2, 2), float("nan"))),
    "derivative": (tg.func.grad(lambda x: tg.linalg.inv(x).sum()), tg.zeros(2, 2)),
    "scan": (lambda x: tg.scan(lambda c, r: (c + tg.linalg.inv(r), ()), x, x[None])[0], tg.zeros(2, 2)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_that_eager_code_refuses_is_refused_at_every_call(name):
    function, bad = MATRICES[name]
    good = tg.tensor([[2.0, 0.5], [0.5, 3.0]])
    fast = tg.compile(function, backend="jax")
    for _ in range(2):
        assert tg.allclose(fast(good), function(good), rtol=1e-5)
        with pytest.raises(RuntimeError) as want:
            function(bad)
        with pytest.raises(RuntimeError) as got:
            fast(bad)
        assert type(got.value) is type(want.value)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("shapes", [((4, 4), (4, 3)), ((2, 4, 4), (4, 3)), ((3, 1, 4, 4), (2, 4, 1)), ((0, 0), (0, 2))])
def test_solutions_are_those_of_eager_code(shapes, left):
    generator = np.random.default_rng(0)
    a, b = (tg.tensor(generator.standard_normal(shape)) for shape in shapes)
    b = b if left else b.mT
    fast = tg.compile(lambda a, b: tg.linalg.solve(a, b, left=left), backend="jax")
    assert tg.allclose(fast(a, b), tg.linalg.solve(a, b, left=left), rtol=1e-9)
