"""Functions compiled with JAX draw the numbers that the eager ones draw from the same seed."""

import numpy as np
import pytest

pytest.importorskip("jax")

import tracegrad as tg  # noqa: E402
from tests.compiler.test_random import PARAMETERS, check_parameters  # noqa: E402
from tests.eager.random_programs import BITS, ROUNDED, draws, parts  # noqa: E402


@pytest.mark.parametrize("name", [*BITS, *ROUNDED])
def test_draws_of_jax_are_the_eager_ones(name):
    function = {**BITS, **ROUNDED}[name]
    eager, states = draws(function)
    compiled, states_after = draws(tg.compile(function, backend="jax"))
    assert states == states_after
    for one, other in zip(eager, compiled, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_max_ulp(parts(one), parts(other), 4 if name in ROUNDED else 0)


@pytest.mark.parametrize("name", PARAMETERS)
def test_wrong_parameters_of_a_distribution_raise_at_every_call(name):
    check_parameters(*PARAMETERS[name], "jax")
