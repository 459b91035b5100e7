"""The benchmarks run, check their own results, and print ratios.  How large these are is not tested: machines are shared."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    "arguments", [["per_op.py", "--chain-only", "--rounds", "3"], ["rosenbrock.py", "--rounds", "3"]]
)
def test_a_benchmark_runs_and_prints_ratios(arguments: list[str]):
    script, *options = arguments
    command = [sys.executable, "-W", "error", str(FOLDER / script), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  numpy by hand +1\.00  \[1\.00, 1\.00\]$", done.stdout, re.MULTILINE)
    assert re.search(r"^  tracegrad.* +\d+\.\d\d  \[", done.stdout, re.MULTILINE)


def test_the_engine_s_benchmark_runs_at_a_small_scale() -> None:
    command = [sys.executable, "-W", "error", str(FOLDER / "engine.py"), "--scale", "0.01"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line in (
        "chain of 10,000 nodes",
        "sum of 500 leaves",
        "200 training steps without gc",
        "gradient 180, expected 180",
    ):
        assert line in done.stdout


def test_the_benchmark_of_operators_runs_all_of_them_on_few_elements() -> None:
    command = [sys.executable, "-W", "error", str(FOLDER / "operators.py"), "--quick", "--against", ""]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for family in ("elementwise", "reduction", "ordering", "positions", "products", "convolution", "pool", "linalg"):
        assert re.search(rf"^{family} +.* +\d+\.\d\d$", done.stdout, re.MULTILINE), family
