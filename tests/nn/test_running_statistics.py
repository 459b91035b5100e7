"""Running statistics of normalisations inside jvp, vmap and the Jacobians: each example's own, or those of the one run."""

from __future__ import annotations

import pytest

import tracegrad as tg
import tracegrad.nn.functional as F

X = tg.sin(tg.arange(24.0, dtype=tg.float64) ** 2).reshape(2, 3, 4)


def fresh(*lead):
    return tg.zeros(*lead, 4, dtype=tg.float64), tg.ones(*lead, 4, dtype=tg.float64)


def updated(x):
    mean, var = fresh()
    F.batch_norm(x, mean, var, training=True)
    return mean.tolist(), var.tolist()


@pytest.mark.parametrize(
    "transformed",
    [
        lambda f: tg.func.jvp(f, (X[0],), (X[1],)),
        lambda f: tg.func.jacfwd(f)(X[0]),
        lambda f: tg.func.hessian(lambda x: (f(x) ** 3).sum())(X[0]),
        lambda f: tg.func.grad(lambda x: (f(x) ** 3).sum())(X[0]),
    ],
)
def test_one_run_updates_them_once(transformed):
    mean, var = fresh()
    transformed(lambda x: F.batch_norm(x, mean, var, training=True))
    tg.testing.assert_close([mean.tolist(), var.tolist()], list(updated(X[0])))


def test_two_updates_of_one_run_follow_each_other():
    def program(x, mean, var):
        return F.batch_norm(F.batch_norm(x, mean, var, training=True) ** 2, mean, var, training=True)

    plain, inside = fresh(), fresh()
    program(X[0], *plain)
    tg.func.jvp(lambda x: program(x, *inside), (X[0],), (X[1],))
    tg.testing.assert_close(inside, plain)


@pytest.mark.parametrize("dims", [(0, 0, 0), (0, 1, 1)])
@pytest.mark.parametrize("chunk", [None, 1])
def test_each_example_has_its_own(dims, chunk):
    mean, var = (t.T.contiguous() if dims[1] else t for t in fresh(2))
    program = lambda x, m, v: F.batch_norm(x, m, v, training=True)  # noqa: E731
    made = tg.func.vmap(program, in_dims=dims, chunk_size=chunk)(X, mean, var)
    tg.testing.assert_close(made, tg.stack([program(x, *fresh()) for x in X]))
    expected = [updated(x) for x in X]
    tg.testing.assert_close((mean.T if dims[1] else mean).tolist(), [m for m, _ in expected])
    tg.testing.assert_close((var.T if dims[1] else var).tolist(), [v for _, v in expected])


def test_an_ensemble_of_modules_is_trained_under_vmap():
    models = [tg.nn.Sequential(tg.nn.Linear(4, 4), tg.nn.BatchNorm1d(4)).double() for _ in range(2)]
    parameters, buffers = tg.func.stack_module_state(models)

    def loss(p, b, x):
        return (tg.func.functional_call(models[0], (p, b), (x,)) ** 3).sum()

    slopes = tg.func.vmap(tg.func.grad(loss), in_dims=(0, 0, None))(parameters, buffers, X[0])
    for i, model in enumerate(models):
        (model(X[0]) ** 3).sum().backward()
        tg.testing.assert_close(slopes["0.weight"][i], model[0].weight.grad)
        tg.testing.assert_close(buffers["1.running_mean"][i], model[1].running_mean)
    assert buffers["1.num_batches_tracked"].tolist() == [1, 1]


def test_examples_do_not_share_them():
    mean, var = fresh()
    with pytest.raises(RuntimeError, match="were not batched"):
        tg.func.vmap(lambda x: F.batch_norm(x, mean, var, training=True))(X)
    assert mean.tolist() == [0.0] * 4


def test_a_compiled_function_changes_them_at_every_call():
    (mean, var), (wanted, width) = fresh(), fresh()
    compiled = tg.compile(lambda x: F.batch_norm(x, mean, var, training=True))
    for _ in range(3):
        made, eager = compiled(X[0]), F.batch_norm(X[0], wanted, width, training=True)
        assert tg.allclose(made, eager) and tg.allclose(mean, wanted) and tg.allclose(var, width)
