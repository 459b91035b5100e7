"""Reparametrized weights (old hooks and parametrize), fusions: printed texts and error classes are torch's."""

import contextlib
import io
import re
import warnings

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

BEGIN = """
U = nn.utils; P = U.parametrize; Q = U.parametrizations
def ld(m):
    m.load_state_dict({k: t.tensor(np.random.default_rng(i).normal(size=tuple(w.shape)).astype('float32')) for i, (k, w) in enumerate(m.state_dict().items())})
    return m
x = t.ones(2, 3, requires_grad=True)
class S(nn.Module):
    def forward(self, X): return X.triu() + X.triu(1).T
    def right_inverse(self, A): return A.triu()
class D(nn.Module):
    def forward(self, X): return X * 2
class T(nn.Module):
    def forward(self, X): return X[:1]
def grads(m):
    for n, p in m.named_parameters(): print(n, p.grad)
"""
SCRIPTS = """
m = ld(U.weight_norm(nn.Linear(3,4))); print(m, list(m.state_dict()), m(x)); m(x).sin().sum().backward(); grads(m); U.remove_weight_norm(m); print(list(m.state_dict()), m.weight)
m = ld(U.weight_norm(nn.Conv1d(3,2,2), dim=1)); print(m(t.ones(1,3,4)))
m = ld(U.weight_norm(nn.Linear(3,4), dim=None)); print(m(x), m.weight_g)
m = U.weight_norm(nn.Linear(3,4)); U.weight_norm(m)
U.remove_weight_norm(nn.Linear(3,4))
m = ld(U.spectral_norm(nn.Linear(3,4))); print(m, list(m.state_dict()), m(x)); m(x).sin().sum().backward(); grads(m); m.eval(); print(m(x)); U.remove_spectral_norm(m); print(list(m.state_dict()))
m = ld(U.spectral_norm(nn.ConvTranspose2d(2,3,2), n_power_iterations=3)); print(m(t.ones(1,2,2,2)), m.weight_u.shape)
m = U.spectral_norm(nn.Linear(3,4)); U.spectral_norm(m)
m = ld(Q.weight_norm(nn.Linear(3,4))); print(m, list(m.state_dict()), m(x), m.weight); m(x).sin().sum().backward(); grads(m)
m = ld(Q.spectral_norm(nn.Linear(3,4))); print(m, list(m.state_dict()), m(x)); m.eval(); print(m(x), m.weight)
m = Q.orthogonal(nn.Linear(3,3)); print(m, list(m.state_dict()), (m.weight@m.weight.T).round(decimals=4).abs()); m.weight = t.eye(3); print(m.weight.round(decimals=4).abs())
m = Q.orthogonal(nn.Linear(3,4), orthogonal_map='cayley'); print((m.weight.T@m.weight).round(decimals=3).abs())
m = Q.orthogonal(nn.Linear(4,3)); print((m.weight@m.weight.T).round(decimals=3).abs())
m = ld(Q.orthogonal(nn.Linear(3,4), orthogonal_map='cayley', use_trivialization=False)); print(m.weight)
m = ld(nn.Linear(3,4)); Q.orthogonal(m, orthogonal_map='householder', use_trivialization=False); print(m.weight)
Q.orthogonal(nn.Linear(3,3), orthogonal_map='foo')
Q.orthogonal(nn.Linear(3,3), 'bias')
Q.orthogonal(nn.Linear(3,3), 'foo')
m = ld(nn.Linear(3,3)); P.register_parametrization(m,'weight',S()); print(m, list(m.state_dict()), P.is_parametrized(m), P.is_parametrized(m,'bias'), m.weight); m(x).sin().sum().backward(); grads(m)
m = ld(nn.Linear(3,3)); P.register_parametrization(m,'weight',S()); P.remove_parametrizations(m,'weight'); print(m, type(m.weight).__name__, list(m.state_dict()), m.weight)
m = ld(nn.Linear(3,3)); P.register_parametrization(m,'weight',S()); P.remove_parametrizations(m,'weight',leave_parametrized=False); print(m.weight)
m = ld(nn.Linear(3,3)); P.register_parametrization(m,'weight',S()); P.register_parametrization(m,'weight',D()); print(m, m.weight, len(m.parametrizations.weight))
m = ld(nn.Linear(3,3)); P.register_parametrization(m,'weight',S()); m.weight = t.ones(3,3); print(m.parametrizations.weight.original, m.weight)
m = ld(nn.Linear(3,3)); P.register_parametrization(m,'weight',D()); m.weight = t.ones(3,3)
P.register_parametrization(nn.Linear(3,3), 'foo', D())
P.register_parametrization(nn.Linear(3,3), 'weight', T())
P.remove_parametrizations(nn.Linear(3,3), 'weight')
c, b = ld(nn.Conv2d(2,3,2)).eval(), nn.BatchNorm2d(3).eval(); b.running_mean += .5; b.running_var += 1; f = U.fuse_conv_bn_eval(c,b); y = t.ones(1,2,3,3); print(f, t.allclose(f(y), b(c(y)), atol=1e-6))
c, b = ld(nn.Linear(3,2)).eval(), nn.BatchNorm1d(2).eval(); f = U.fuse_linear_bn_eval(c,b); print(t.allclose(f(x), b(c(x)), atol=1e-6))
U.fuse_conv_bn_eval(nn.Conv2d(2,3,2), nn.BatchNorm2d(3))
m = nn.Linear(3,3); m(x).sum().backward(); print(U.clip_grad_norm(m.parameters(),1.), U.clip_grad.clip_grad_norm_(m.parameters(),.5))
import copy; m = ld(Q.weight_norm(nn.Linear(3,4))); c = copy.deepcopy(m); print(c, t.equal(c(x), m(x)), type(c).__name__)
""".strip().split("\n")


def printed(t, script):
    out = io.StringIO()
    scope = {"t": t, "nn": t.nn, "np": np}
    with contextlib.redirect_stdout(out), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(BEGIN, scope)
        try:
            exec(script, scope)
        except (RuntimeError, ValueError, KeyError, AssertionError) as error:
            kinds = (NotImplementedError, RuntimeError, ValueError, KeyError, AssertionError)
            out.write(next(k.__name__ for k in kinds if isinstance(error, k)))
    return re.sub(r"0x[0-9a-f]+", "0x", out.getvalue())


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_prints_what_torch_prints(script):
    assert printed(tg, script) == printed(torch, script)


def test_a_cached_attribute_is_computed_once():
    layer = tg.nn.utils.parametrizations.weight_norm(tg.nn.Linear(3, 4))
    with tg.nn.utils.parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight


def test_parametrizations_move_to_another_module():
    given, other = tg.nn.utils.parametrizations.weight_norm(tg.nn.Linear(3, 4)), tg.nn.Linear(3, 4)
    tg.nn.utils.parametrize.transfer_parametrizations_and_params(given, other)
    assert tg.equal(given.weight, other.weight)
