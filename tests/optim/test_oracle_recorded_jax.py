"""A recorded step runs on JAX as the eager one does."""

import pytest

import tracegrad as tg
from tests.optim.test_recorded import check_path

jax = pytest.importorskip("jax")


@pytest.mark.parametrize("name", ["SGD", "Adam", "RAdam", "Rprop"])
def test_a_recorded_step_is_the_eager_step_on_jax(name):
    check_path(name, True, tg.float64, "jax")
