"""JAX arrays as arguments of compiled functions."""

import pytest

import tracegrad as tg

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_jax_arrays_are_inputs_and_results_are_tensors(backend):
    fast = tg.compile(lambda a, d: a * 2 + d["b"][0], backend=backend)
    for k in range(3):
        found = fast(jnp.full(3, float(k)), {"b": [jnp.arange(3.0)]})
        assert isinstance(found, tg.Tensor) and found.tolist() == [2.0 * k, 2.0 * k + 1, 2.0 * k + 2]
    assert fast.compilations == 1


def test_bfloat16_of_jax_is_ours():
    fast = tg.compile(lambda a, b: a + b)
    assert fast(jnp.ones(2, jnp.bfloat16), tg.ones(2)).dtype == tg.float32
    assert fast(jnp.ones(2, jnp.bfloat16), 1.0).dtype == tg.bfloat16


def test_donate_on_numpy_is_refused_by_name():
    with pytest.raises(TypeError, match="donate"):
        tg.compile(lambda a: a * 2, donate="a")(tg.ones(2))
