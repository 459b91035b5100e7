"""The main job on real data: the same losses eager and compiled, and a network that reads digits."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

for package in ("sklearn", "matplotlib", "tqdm"):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install 'tracegrad[examples]'")
SCRIPT = Path(__file__).parents[2] / "examples" / "digits.py"


@pytest.fixture(scope="module")
def main():
    """The example's main function, which ends with SystemExit when the losses differ, and returns the accuracy."""
    return runpy.run_path(str(SCRIPT))["main"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_eager_and_compiled_training_take_the_same_steps(main, dtype, tmp_path, capsys):
    main(["--backend", "numpy", "--steps", "30", "--dtype", dtype, "--out", str(tmp_path)])
    assert "numpy: a step takes" in capsys.readouterr().out


def test_two_hundred_steps_read_95_percent_of_the_held_out_digits(main, tmp_path):
    assert main(["--backend", "numpy", "--steps", "200", "--dtype", "float64", "--out", str(tmp_path)]) >= 0.95


def test_the_plot_the_program_and_its_source_are_written(main, tmp_path):
    main(["--backend", "numpy", "--steps", "2", "--out", str(tmp_path)])
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "= mm(" in (tmp_path / "gradient_numpy.ir").read_text()
    compile((tmp_path / "gradient_numpy.py").read_text(), "gradient_numpy.py", "exec")
