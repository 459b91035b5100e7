"""`import tracegrad` is quick and loads NumPy only."""

from __future__ import annotations

import statistics
import subprocess
import sys

import pytest

HEAVY = ("jax", "jaxlib", "onnx", "networkx", "scipy", "torch", "matplotlib", "sklearn", "ml_dtypes", "tqdm")
RATIO = 1.3
ALTERNATIONS = 9
# `tracegrad` is timed on top of a warm file cache in both cases; the time is that of the import statement alone
TIMED = "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"


def run(code: str) -> str:
    """What a fresh interpreter prints for `code`."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The names of the modules that `import tracegrad` loads."""
    return set(run("import sys, tracegrad; print('\\n'.join(sys.modules))").split())


@pytest.mark.parametrize("library", HEAVY)
def test_importing_tracegrad_does_not_load(library: str, loaded: set[str]):
    assert "tracegrad" in loaded
    assert library not in loaded


def import_ratio() -> float:
    """Time of `import tracegrad` in units of the time of `import numpy`: medians of alternating fresh interpreters."""
    times: dict[str, list[float]] = {"numpy": [], "tracegrad": []}
    for _ in range(ALTERNATIONS):
        for module, found in times.items():
            found.append(float(run(TIMED.format(module=module))))
    return statistics.median(times["tracegrad"]) / statistics.median(times["numpy"])


def test_importing_tracegrad_takes_at_most_1_3_times_as_long_as_importing_numpy():
    ratios = [import_ratio()]
    while ratios[-1] > RATIO and len(ratios) < 3:  # the machine may have been busy with something else
        ratios.append(import_ratio())
    assert min(ratios) <= RATIO, ratios
