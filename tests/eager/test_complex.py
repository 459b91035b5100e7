"""Complex values: arithmetic works; what has no meaning or no derivative yet is refused."""

from __future__ import annotations

import numpy as np
import pytest

import tracegrad as tg

Z = np.array([1 + 2j, 3 - 1j])


@pytest.mark.parametrize("name", ["exp", "sin", "sqrt", "square", "sum", "prod", "mean"])
def test_an_operator_with_a_meaning_gives_numpys_value(name):
    np.testing.assert_allclose(getattr(tg.tensor(Z), name)().numpy(), getattr(np, name)(Z), rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["abs", "sign", "floor", "round", "relu", "norm", "var", "std", "max", "amax", "argmin"]
)
def test_an_operator_for_real_values_refuses_complex_ones(name):
    with pytest.raises(NotImplementedError, match="complex"):
        getattr(tg.tensor(Z), name)()


def test_an_order_of_complex_values_is_refused():
    with pytest.raises(NotImplementedError, match="complex"):
        tg.lt(tg.tensor(Z), tg.tensor(Z))


def test_a_complex_leaf_cannot_require_grad():
    with pytest.raises(NotImplementedError, match="complex"):
        tg.tensor(Z, requires_grad=True)


def test_a_complex_result_of_a_followed_value_is_refused():
    x = tg.ones(2, dtype=tg.float64, requires_grad=True)
    with pytest.raises(NotImplementedError, match="complex"):
        x * tg.tensor(Z)
    with tg.no_grad():
        np.testing.assert_allclose((x * tg.tensor(Z)).numpy(), Z)
