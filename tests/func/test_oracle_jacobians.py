"""jacrev, jacfwd, hessian, jvp, vmap and grad, nested in each other: torch.func's results and forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

X = np.linspace(0.2, 1.1, 6).reshape(2, 3)


def stop(t, x):
    with t.no_grad():
        w = x * 2
    return x * w


CASES = {
    "jacrev": lambda t, x: t.func.jacrev(lambda x: x.sin() @ x.T)(x),
    "jacfwd": lambda t, x: t.func.jacfwd(lambda x: x.sin() @ x.T)(x),
    "hessian": lambda t, x: t.func.hessian(lambda x: (x.sin() * x**2).sum())(x),
    "jacrev of a scalar": lambda t, x: t.func.jacrev(lambda x: x.prod())(x),
    "jacfwd of a scalar at a scalar": lambda t, x: t.func.jacfwd(lambda x: x.exp())(x[0, 0]),
    "jacrev with a tuple of argnums": lambda t, x: t.func.jacrev(lambda a, b: a * b.sum(), argnums=(0, 1))(x, x[0]),
    "jacfwd with a tuple of argnums": lambda t, x: t.func.jacfwd(lambda a, b: a * b.sum(), argnums=(0, 1))(x, x[0]),
    "jacrev with a tuple of one": lambda t, x: t.func.jacrev(lambda a: a * 2, argnums=(0,))(x),
    "jacfwd with a tuple of one": lambda t, x: t.func.jacfwd(lambda a: a * 2, argnums=(0,))(x),
    "jacrev of nested containers": lambda t, x: t.func.jacrev(
        lambda p: {"u": p["w"] @ p["b"][0], "v": (p["w"].sum(),)}
    )({"w": x, "b": (x[0],)}),
    "jacfwd of nested containers": lambda t, x: t.func.jacfwd(
        lambda p: {"u": p["w"] @ p["b"][0], "v": (p["w"].sum(),)}
    )({"w": x, "b": (x[0],)}),
    "jacrev with aux": lambda t, x: t.func.jacrev(lambda x: (x.sin(), {"n": x.cos()}), has_aux=True)(x),
    "jacfwd with aux": lambda t, x: t.func.jacfwd(lambda x: (x.sin(), {"n": x.cos()}), has_aux=True)(x),
    "jacrev of something constant": lambda t, x: t.func.jacrev(lambda x: x.sin() * 0 + 1)(x),
    "jacfwd of something constant": lambda t, x: t.func.jacfwd(lambda x: x * 0 + 1)(x),
    "jacrev of jacfwd": lambda t, x: t.func.jacrev(t.func.jacfwd(lambda x: (x**3).sum(1)))(x),
    "jacfwd of jacfwd": lambda t, x: t.func.jacfwd(t.func.jacfwd(lambda x: (x**3).sum(1)))(x),
    "vmap of jacrev": lambda t, x: t.func.vmap(t.func.jacrev(lambda r: r.sin() * r.sum()))(x),
    "vmap of hessian": lambda t, x: t.func.vmap(t.func.hessian(lambda r: r.prod()))(x),
    "jacrev of vmap": lambda t, x: t.func.jacrev(t.func.vmap(lambda r: r.cumsum(0) * r))(x),
    "grad of jacrev": lambda t, x: t.func.grad(lambda x: (t.func.jacrev(lambda u: u.tanh().sum(0))(x) ** 2).sum())(x),
    "vmap of grad": lambda t, x: t.func.vmap(t.func.grad(lambda r: (r.sin() * r).sum()))(x),
    "grad of vmap": lambda t, x: t.func.grad(lambda x: t.func.vmap(lambda r: r.softmax(0)[0])(x).sum())(x),
    "jvp of grad": lambda t, x: t.func.jvp(t.func.grad(lambda x: (x**3).sum()), (x,), (x,)),
    "grad of jvp": lambda t, x: t.func.grad(lambda x: t.func.jvp(lambda u: u**3, (x,), (x,))[1].sum())(x),
    "jvp of jvp": lambda t, x: t.func.jvp(lambda x: t.func.jvp(lambda u: u**3, (x,), (x,))[1], (x,), (x * 2,)),
    "vmap of vmap": lambda t, x: t.func.vmap(t.func.vmap(lambda a: a.sin() * 2))(x),
    "grad under no_grad inside": lambda t, x: t.func.grad(lambda x: stop(t, x).sum())(x),
    "vmap of grad, no_grad inside": lambda t, x: t.func.vmap(t.func.grad(lambda r: stop(t, r).sum()))(x),
    "grad of vmap, no_grad inside": lambda t, x: t.func.grad(lambda x: t.func.vmap(lambda r: stop(t, r))(x).sum())(x),
    "jvp, no_grad inside": lambda t, x: t.func.jvp(lambda x: stop(t, x), (x,), (x,)),
    "grad of jvp, no_grad inside": lambda t, x: t.func.grad(
        lambda x: t.func.jvp(lambda u: stop(t, u), (x,), (x,))[0].sum()
    )(x),
    "hessian, no_grad inside": lambda t, x: t.func.hessian(lambda x: stop(t, x).sum())(x),
    "jacfwd, no_grad inside": lambda t, x: t.func.jacfwd(lambda x: stop(t, x))(x),
}


def flat(tree):
    if isinstance(tree, (tuple, list)):
        return [type(tree).__name__, *(flat(v) for v in tree)]
    if isinstance(tree, dict):
        return {k: flat(v) for k, v in tree.items()}
    return tree.detach().numpy()


def check(got, want):
    if isinstance(want, (list, dict)):
        assert type(got) is type(want)
        assert len(got) == len(want)
        for key in want if isinstance(want, dict) else range(len(want)):
            check(got[key], want[key])
    elif isinstance(want, str):
        assert got == want
    else:
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("how", ["eager", "compiled", "requiring grad"])
def test_a_nested_derivative_equals_that_of_torch(name, how):
    case = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own, about torch.jit
        want = flat(case(torch, torch.tensor(X)))
    if how == "compiled":
        fast = tg.compile(lambda x: case(tg, x))
        fast(tg.tensor(X[::-1].copy()))
        got = fast(tg.tensor(X))
    else:
        got = case(tg, tg.tensor(X, requires_grad=how != "eager"))
    check(flat(got), want)
