"""Every public operator: eager, compiled for NumPy and compiled for JAX give torch's values, first and second derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg
from tests.oracle.programs import PROGRAMS, VALUE_DEPENDENT, inputs

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")


def weights(shape, seed):
    return np.random.default_rng(seed + 100).uniform(0.5, 1.5, shape)


def derivatives(t, f, tensors, grad):
    """Value, first and second derivatives (of a weighted sum of the first)."""
    out = f(t, *tensors)
    if not out.requires_grad:
        return [out]
    w = t.tensor(weights(tuple(out.shape), 1), dtype=out.dtype)
    first = grad((out * w).sum(), tensors, create_graph=True, allow_unused=True, materialize_grads=True)
    total = sum((g * t.tensor(weights(tuple(g.shape), 2))).sum() for g in first)
    if not total.requires_grad:
        return [out, *first]
    second = grad(total, tensors, allow_unused=True, materialize_grads=True)
    return [out, *first, *second]


def arrays_of(values):
    # torch's derivatives may be ZeroTensors, which only a forced conversion makes real
    return [v.detach().numpy() if isinstance(v, tg.Tensor) else v.detach().numpy(force=True) for v in values]


def reference(f, arrays):
    return arrays_of(derivatives(torch, f, [torch.tensor(a, requires_grad=True) for a in arrays], torch.autograd.grad))


def compare(got, want, name):
    # a second derivative that is zero may or may not have history
    missing = [np.zeros_like(a) for a in (want if len(want) > len(got) else got)[min(len(got), len(want)) :]]
    got, want = [*got, *missing][: max(len(got), len(want))], [*want, *missing][: max(len(got), len(want))]
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype, f"{name}[{i}]: {a.dtype}{a.shape}, torch {b.dtype}{b.shape}"
        np.testing.assert_allclose(a, b, rtol=2e-6 if "float32" in name else 1e-9, atol=1e-9, err_msg=f"{name}[{i}]")


@pytest.mark.parametrize("name", [*PROGRAMS, *VALUE_DEPENDENT])
def test_eager_equals_torch(name):
    f, spec = (PROGRAMS | VALUE_DEPENDENT)[name]
    arrays = inputs(spec)
    got = arrays_of(derivatives(tg, f, [tg.tensor(a, requires_grad=True) for a in arrays], tg.autograd.grad))
    compare(got, reference(f, arrays), name)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_compiled_equals_torch(name, backend):
    f, spec = PROGRAMS[name]
    arrays = inputs(spec)
    want = reference(f, arrays)
    every = tuple(range(len(arrays)))
    forward = tg.compile(lambda *xs: f(tg, *xs), backend=backend)
    tensors = [tg.tensor(a) for a in arrays]
    results = [forward(*tensors)]
    if len(want) > 1:
        w = tg.tensor(weights(want[0].shape, 1), dtype=tg.float64)

        def loss(*xs):
            return (f(tg, *xs) * w).sum()

        results += tg.compile(tg.func.grad(loss, argnums=every), backend=backend)(*tensors)
    if len(want) > 1 + len(arrays):
        ws = [tg.tensor(weights(a.shape, 2)) for a in arrays]

        def once(*xs):
            return sum((g * v).sum() for g, v in zip(tg.func.grad(loss, argnums=every)(*xs), ws, strict=True))

        results += tg.compile(tg.func.grad(once, argnums=every), backend=backend)(*tensors)
    compare(arrays_of(results), want, name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_through_a_compiled_forward_equal_torch(name):
    f, spec = PROGRAMS[name]
    arrays = inputs(spec)
    fast = tg.compile(lambda *xs: f(tg, *xs))
    got = arrays_of(
        derivatives(tg, lambda t, *xs: fast(*xs), [tg.tensor(a, requires_grad=True) for a in arrays], tg.autograd.grad)
    )
    compare(got, reference(f, arrays), name)
