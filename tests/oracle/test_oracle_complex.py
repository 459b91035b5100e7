"""Functions of complex numbers under torch and here: values, first and second derivatives, tangents."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

VECTORS = {
    "add": lambda t, z, w, x: z + w * 2j,
    "subtract": lambda t, z, w, x: 1j - z + x,
    "product with a real": lambda t, z, w, x: z * x,
    "quotient": lambda t, z, w, x: z / w,
    "number over value": lambda t, z, w, x: (2 + 1j) / z,
    "real over complex": lambda t, z, w, x: x / z,
    "square": lambda t, z, w, x: z.square() + z**2,
    "cube": lambda t, z, w, x: z**3,
    "root": lambda t, z, w, x: z**0.5 + z.sqrt() + z.rsqrt(),
    "inverse powers": lambda t, z, w, x: z**-1 + z**-2.5 + z.reciprocal(),
    "complex exponent": lambda t, z, w, x: z ** (1 + 0.5j),
    "power of a number": lambda t, z, w, x: 2**z + (1 + 1j) ** w,
    "power": lambda t, z, w, x: z**w,
    "power of a real": lambda t, z, w, x: x.abs() ** z,
    "exp": lambda t, z, w, x: z.exp() + z.expm1(),
    "log": lambda t, z, w, x: z.log() + z.log1p(),
    "waves": lambda t, z, w, x: z.sin() * w.cos() + z.tan(),
    "tanh": lambda t, z, w, x: z.tanh(),
    "sigmoid": lambda t, z, w, x: z.sigmoid(),
    "abs": lambda t, z, w, x: z.abs() * x,
    "angle": lambda t, z, w, x: z.angle(),
    "sgn": lambda t, z, w, x: z.sgn(),
    "conj": lambda t, z, w, x: z.conj() * z,
    "conj_physical": lambda t, z, w, x: z.conj_physical() * w,
    "parts": lambda t, z, w, x: z.real * w.imag,
    "view_as_real": lambda t, z, w, x: t.view_as_real(z * w),
    "view_as_complex": lambda t, z, w, x: t.view_as_complex(t.view_as_real(z * w) * 2),
    "complex": lambda t, z, w, x: t.complex(x, z.imag),
    "polar": lambda t, z, w, x: t.polar(z.abs(), x),
    "sum": lambda t, z, w, x: z.sum() * w.mean(),
    "prod": lambda t, z, w, x: z.prod(),
    "cumsum": lambda t, z, w, x: z.cumsum(0) * w,
    "var": lambda t, z, w, x: z.var(),
    "std": lambda t, z, w, x: z.std(unbiased=False),
    "norm": lambda t, z, w, x: z.norm(),
    "norm 1": lambda t, z, w, x: z.norm(1),
    "norm 3": lambda t, z, w, x: z.norm(3),
    "norm inf": lambda t, z, w, x: z.norm(float("inf")),
    "logsumexp": lambda t, z, w, x: z.logsumexp(0),
    "dot": lambda t, z, w, x: t.dot(z, w),
    "vdot": lambda t, z, w, x: t.vdot(z, w),
    "outer": lambda t, z, w, x: t.outer(z, w.conj()),
    "matrix": lambda t, z, w, x: t.outer(z, w) @ z,
    "adjoint": lambda t, z, w, x: t.outer(z, w).mH @ t.outer(w, z),
    "stack": lambda t, z, w, x: t.stack([z, w.conj()])[1],
    "cat": lambda t, z, w, x: t.cat([z, w * 1j])[::2],
    "index": lambda t, z, w, x: z[t.tensor([2, 0, 2])] * w,
    "mask": lambda t, z, w, x: z[t.tensor([True, False, True])] * 1j,
    "where": lambda t, z, w, x: t.where(x > 0, z, w * w),
    "masked_fill": lambda t, z, w, x: z.masked_fill(t.tensor([True, False, False]), 2j) * w,
    "to complex": lambda t, z, w, x: x.to(t.complex128) * z,
    "down and up": lambda t, z, w, x: x.to(t.complex64).to(t.complex128).real * x,
    "written part": lambda t, z, w, x: written_part(z, x),
    "written view": lambda t, z, w, x: written_view(t, z),
    "expand": lambda t, z, w, x: z.expand(2, 3) * w,
    "shapes": lambda t, z, w, x: (z.reshape(3, 1) * w).T.flip(0).tril(),
    "trace": lambda t, z, w, x: t.outer(z, w).trace(),
}


def written_part(z, x):
    y = z * 1
    y.imag.mul_(x)
    y.real[0] = x[1]
    return y * y


def written_view(t, z):
    y = z * 1
    t.view_as_real(y)[1] = 3.0
    return y * y.conj()


def points():
    generator = np.random.default_rng(7)
    z, w = (generator.normal(size=3) + 1j * generator.normal(size=3) for _ in range(2))
    return z, w, generator.normal(size=3)


def derivatives(t, function):
    """Value, first and second derivatives in one list of arrays."""
    generator = np.random.default_rng(11)

    def random_like(v):
        g = generator.normal(size=tuple(v.shape))
        g = g + 1j * generator.normal(size=tuple(v.shape)) if v.is_complex() else g
        return t.tensor(g, dtype=v.dtype)

    inputs = [t.tensor(p, requires_grad=True) for p in points()]
    value = function(t, *inputs)
    found = [value.detach()]
    for order in (1, 2):
        if not value.requires_grad:
            break
        grads = t.autograd.grad(value, inputs, random_like(value), create_graph=order == 1, allow_unused=True)
        grads = [t.zeros_like(i) if g is None else g for g, i in zip(grads, inputs, strict=True)]
        found += [g.detach() for g in grads]
        weights = [random_like(g) for g in grads]
        value = sum(
            (g * h.conj()).real.sum() if g.is_complex() else (g * h).sum() for g, h in zip(grads, weights, strict=True)
        )
    return found


@pytest.mark.parametrize("name", VECTORS)
def test_values_and_derivatives_are_torch_s(name):
    for got, want in zip(derivatives(tg, VECTORS[name]), derivatives(torch, VECTORS[name]), strict=True):
        assert str(got.dtype) == str(want.dtype)
        assert tuple(got.shape) == tuple(want.shape)
        tolerance = 1e-5 if name == "down and up" else 1e-10
        np.testing.assert_allclose(got.numpy(), want.resolve_conj().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", VECTORS)
def test_the_gradient_without_a_graph_is_the_one_with(name):
    gradients = []
    for create_graph in (False, True):
        inputs = [tg.tensor(p, requires_grad=True) for p in points()]
        value = VECTORS[name](tg, *inputs)
        g = tg.full_like(value.detach(), 1 - 2j if value.is_complex() else 0.5)
        gradients.append(tg.autograd.grad(value, inputs, g, create_graph=create_graph, materialize_grads=True))
    for raw, traced in zip(*gradients, strict=True):
        np.testing.assert_allclose(raw.numpy(), traced.detach().numpy(), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", VECTORS)
def test_tangents_and_gradients_are_transposes(name):
    generator = np.random.default_rng(5)
    inputs = [tg.tensor(p) for p in points()]
    directions = [
        tg.tensor(generator.normal(size=3) + (1j * generator.normal(size=3) if p.is_complex() else 0)) for p in inputs
    ]
    function = lambda *a: VECTORS[name](tg, *a)  # noqa: E731
    value, tangent = tg.func.jvp(function, tuple(inputs), tuple(directions))
    g = tg.full_like(value, 0.3 - 1j if value.is_complex() else 1.5)
    _, pull = tg.func.vjp(function, *inputs)
    left = np.sum(np.real(np.conj(g.numpy()) * tangent.numpy()))
    right = sum(np.sum(np.real(np.conj(c.numpy()) * d.numpy())) for c, d in zip(pull(g), directions, strict=True))
    tolerance = 1e-5 if name == "down and up" else 1e-10
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


WRITES = ("written part", "written view", "mask")


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", [n for n in VECTORS if n not in WRITES])
def test_compiled_functions_give_the_same(name, backend):
    if backend == "jax":
        pytest.importorskip("jax")

    def loss(z, w, x):
        value = VECTORS[name](tg, z, w, x)
        return (value * value.conj() * (1 + 2j)).imag.sum()

    inputs = [tg.tensor(p) for p in points()]
    gradient = tg.func.grad(loss, (0, 1, 2))
    compiled = tg.compile(gradient, backend=backend)
    tolerance = 1e-5 if name == "down and up" else 1e-10
    for want, _, got in zip(gradient(*inputs), compiled(*inputs), compiled(*inputs), strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=tolerance, atol=tolerance)


REFUSED = [
    lambda t, z: z > 0,
    lambda t, z: z.max(),
    lambda t, z: z.relu(),
    lambda t, z: z.sign(),
    lambda t, z: z.floor(),
    lambda t, z: z.clamp(0),
    lambda t, z: z.softmax(0),
    lambda t, z: t.maximum(z, z),
    lambda t, z: z % 2,
    lambda t, z: z // 2,
    lambda t, z: z & 1,
    lambda t, z: t.nn.functional.mse_loss(z, z),
    lambda t, z: z.sum().backward(),
    lambda t, z: z.backward(t.ones(3)),
    lambda t, z: z.real.imag,
    lambda t, z: t.view_as_real(z.real),
    lambda t, z: t.view_as_complex(z.real),
    lambda t, z: t.complex(z.real, z.real.float()),
    lambda t, z: z.detach().abs_(),
    lambda t, z: float(z[0]),
    lambda t, z: int(z[0]),
    lambda t, z: z.detach().real.add_(1j),
    lambda t, z: z.H,
    lambda t, z: t.func.jacrev(lambda v: v * v)(z),
    lambda t, z: t.func.jacfwd(lambda v: v * v)(z),
    lambda t, z: t.autograd.functional.jacobian(lambda v: v * v, z),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_torch_refuses_is_refused_with_its_class(number):
    classes = (RuntimeError, TypeError, ValueError)
    with pytest.raises(classes) as theirs:
        REFUSED[number](torch, torch.tensor(points()[0], requires_grad=True))
    with pytest.raises(next(c for c in classes if isinstance(theirs.value, c))):
        REFUSED[number](tg, tg.tensor(points()[0], requires_grad=True))


@pytest.mark.parametrize("method", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_optimisers_take_torch_s_steps_for_complex_parameters(method):
    found = []
    for t in (tg, torch):
        z = t.tensor(points()[0], requires_grad=True)
        optimiser = getattr(t.optim, method)([z], lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            ((z - (2 - 1j)).abs() ** 2).sum().backward()
            optimiser.step()
        found.append(z.detach().numpy())
    np.testing.assert_allclose(*found, rtol=1e-10)
