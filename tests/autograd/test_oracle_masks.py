"""Derivatives through selections, compiled for JAX and beside PyTorch's where these are finite."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracegrad as tg

torch = pytest.importorskip("torch")
pytest.importorskip("jax")

_spec = importlib.util.spec_from_file_location("trap_list", Path(__file__).parents[2] / "benchmarks" / "trap_list.py")
assert _spec is not None and _spec.loader is not None
traps = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(traps)

ALL = [pytest.param(t, id=t.text.replace("`", "")) for t in traps.TRAPS]
RECORDABLE = [p for p in ALL if "[mask]" not in p.id]


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    before, other = tg.get_default_dtype(), torch.get_default_dtype()
    tg.set_default_dtype(tg.float64)
    torch.set_default_dtype(torch.float64)
    yield
    tg.set_default_dtype(before)
    torch.set_default_dtype(other)


def total(library: Any, trap: Any) -> Any:
    return lambda x: trap.function(library, x).sum()


@pytest.mark.parametrize("trap", RECORDABLE)
def test_gradients_and_hessians_compiled_for_jax_are_right(trap):
    x = tg.tensor(trap.point, dtype=tg.float64)
    both = tg.compile(
        lambda x: (tg.func.grad(total(tg, trap))(x), tg.func.grad(lambda x: tg.func.grad(total(tg, trap))(x).sum())(x)),
        backend="jax",
    )
    for got, exact in zip(both(x), (trap.first, trap.second), strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(exact, float), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("trap", ALL)
def test_the_value_is_torch_s_and_so_is_a_finite_gradient(trap):
    results = []
    for library in (torch, tg):
        x = library.tensor(trap.point, dtype=library.float64).requires_grad_()
        value = total(library, trap)(x)
        value.backward()
        results.append((value.item(), x.grad.numpy()))
    (value, expected), (ours, got) = results
    assert ours == pytest.approx(value, rel=1e-12)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(got[finite], expected[finite], rtol=1e-9, atol=1e-12)
