"""Saved values between forward and backward on JAX."""

import pytest

from tests.compiler.test_split import check_gradients

jax = pytest.importorskip("jax")


def test_every_call_has_the_eager_gradients_on_jax():
    check_gradients("jax")
