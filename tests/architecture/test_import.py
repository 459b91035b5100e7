"""`import tracegrad` is quick and loads NumPy only."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable

import pytest

HEAVY = ("jax", "jaxlib", "onnx", "networkx", "scipy", "torch", "matplotlib", "sklearn", "ml_dtypes", "tqdm")
ON_FIRST_USE = (
    "tracegrad.passes",
    "tracegrad.backends",
    "tracegrad.export",
    "tracegrad.compiler",
    "tracegrad.func",
    "tracegrad.nn",
    "tracegrad.ir.graph",
    "tracegrad.autograd.function",
    "tracegrad.autograd.gradcheck",
    "tracegrad.eager.indexing",
    "tracegrad.eager.inplace",
    "tracegrad.eager.conversions",
    "tracegrad.eager.printing",
)
# modules of the package that `import tracegrad` may load; each costs about 0.1 ms and none is needed by most programs without a reason
MODULES = 60
RATIO = 1.3
ALTERNATIONS = 9
# processor time of the import statement alone, without that of starting Python; it hardly depends on what else the machine does
TIMED = "import time; start = time.process_time(); import {module}; print(time.process_time() - start)"


Run = Callable[[str], str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What a fresh interpreter prints for a program; compiled files are kept between the runs whatever the environment says."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))
    command = [sys.executable, "-c"]

    def program(code: str) -> str:
        return subprocess.run([*command, code], check=True, capture_output=True, text=True, env=environment).stdout

    return program


@pytest.fixture(scope="module")
def loaded(run: Run) -> set[str]:
    """The names of the modules that `import tracegrad` loads."""
    return set(run("import sys, tracegrad; print('\\n'.join(sys.modules))").split())


@pytest.mark.parametrize("library", (*HEAVY, *ON_FIRST_USE))
def test_importing_tracegrad_does_not_load(library: str, loaded: set[str]):
    assert "tracegrad" in loaded
    assert library not in loaded


def test_importing_tracegrad_loads_no_definitions_of_operators(loaded: set[str]):
    found = {m for m in loaded if m.startswith("tracegrad.ops.")}
    assert found == {"tracegrad.ops.names"}, "after adding a file run: pytest tests/ops/test_names.py --bless"


def test_importing_tracegrad_loads_few_modules(loaded: set[str]):
    assert len([m for m in loaded if m.partition(".")[0] == "tracegrad"]) <= MODULES


def test_a_first_gradient_loads_few_definitions(run: Run):
    program = "import tracegrad as t; x = t.ones(3, requires_grad=True); x.sin().sum().backward(); "
    count = run(program + "import sys; print(len([m for m in sys.modules if m.startswith('tracegrad.ops.')]))")
    assert int(count) <= 8


def import_ratio(run: Run) -> float:
    """Time of `import tracegrad` in units of that of `import numpy`: medians of alternating fresh interpreters."""
    run("import tracegrad")  # compiles what is not compiled yet
    times: dict[str, list[float]] = {"numpy": [], "tracegrad": []}
    for _ in range(ALTERNATIONS):
        for module, found in times.items():
            found.append(float(run(TIMED.format(module=module))))
    return statistics.median(times["tracegrad"]) / statistics.median(times["numpy"])


def test_importing_tracegrad_takes_at_most_1_3_times_as_long_as_importing_numpy(run: Run):
    ratios = [import_ratio(run)]
    while ratios[-1] > RATIO and len(ratios) < 5:  # the machine may have been busy with something else
        ratios.append(import_ratio(run))
    assert min(ratios) <= RATIO, ratios
