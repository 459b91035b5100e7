"""The digits example takes the same 200 steps eagerly, compiled for NumPy, and compiled for XLA."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

for package in ("jax", "sklearn", "matplotlib", "tqdm"):
    pytest.importorskip(package, reason=f"{package} is not installed")
SCRIPT = Path(__file__).parents[2] / "examples" / "digits.py"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_all_ways_of_training_have_the_same_losses_over_200_steps(dtype, tmp_path, capsys):
    main = runpy.run_path(str(SCRIPT))["main"]
    accuracy = main(["--backend", "all", "--steps", "200", "--dtype", dtype, "--out", str(tmp_path)])
    assert accuracy >= 0.95
    assert "jax: a step takes" in capsys.readouterr().out
    assert "jnp." in (tmp_path / "gradient_jax.py").read_text()
