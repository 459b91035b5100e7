"""torch.special against PyTorch: orthogonal polynomials and Airy's function, at ordinary points and at the ends of their domains."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")

POLYNOMIALS = [name for name in tg.special.__all__ if "polynomial" in name]
POINTS = [-1.0, 0.0, 0.5, 1.0, 2.0, -0.3, 0.999]
DEGREES = [0.0, 1.0, 2.0, 5.0, 9.0, -1.0, 2.9, -0.5, 31.0]


def call(library, name, *arguments):
    return getattr(library.special, name)(*arguments).numpy()


def test_every_public_function_of_the_namespace_exists():
    helpers = {"Tensor", "common_args", "multi_dim_common", "torch"}
    assert {n for n in dir(torch.special) if not n.startswith("_")} - helpers <= set(tg.special.__all__)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", POLYNOMIALS)
def test_a_polynomial_of_many_degrees(name, dtype):
    got, want = (
        call(t, name, t.tensor(POINTS, dtype=getattr(t, dtype))[:, None], t.tensor(DEGREES, dtype=getattr(t, dtype)))
        for t in (tg, torch)
    )
    assert got.dtype == want.dtype
    np.testing.assert_allclose(
        got, want, rtol=3e-12 if dtype == "float64" else 3e-3, atol=1e-12 if dtype == "float64" else 3e-5
    )


@pytest.mark.parametrize("name", POLYNOMIALS)
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_compiled_polynomial(name, backend):
    if backend == "jax":
        pytest.importorskip("jax")
    got = tg.compile(getattr(tg.special, name), backend=backend)(
        tg.tensor(POINTS, dtype=tg.float64)[:, None], tg.tensor(DEGREES)
    )
    want = call(torch, name, torch.tensor(POINTS, dtype=torch.float64)[:, None], torch.tensor(DEGREES))
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_degrees_and_points_may_be_numbers_integers_and_bools(name):
    for arguments in (
        lambda t: (t.tensor([1, 2, 3]), 2),
        lambda t: (2.5, t.tensor([0, 1, 4])),
        lambda t: (t.tensor([0.5, float("nan")]), 0),
        lambda t: (t.tensor([True, False]), t.tensor(3)),
    ):
        got, want = (call(t, name, *arguments(t)) for t in (tg, torch))
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("name", [*POLYNOMIALS, "airy_ai"])
def test_what_has_no_derivative_has_none(name):
    for t in (tg, torch):
        x = t.tensor([0.5], requires_grad=True)
        assert not getattr(t.special, name)(x, *([2] if name != "airy_ai" else [])).requires_grad


@pytest.mark.parametrize("x", [[-5.0, -2.0, 0.0, 1.0, 10.0, 50.0], 1, [True, False]])
def test_airy(x):
    got, want = (call(t, "airy_ai", t.tensor(x)) for t in (tg, torch))
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=3e-5)


def test_two_numbers_are_refused():
    for t in (tg, torch):
        with pytest.raises(TypeError):
            t.special.chebyshev_polynomial_t(0.5, 2.0)


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_a_polynomial_of_a_degree_beyond_all_use_is_nan(name):
    assert np.isnan(call(tg, name, tg.tensor([0.5, 2.0], dtype=tg.float64), 1e300)).all()
