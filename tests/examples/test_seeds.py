"""The seeds' programs print what torch 2.13 printed (stored beside this file), and run as scripts."""

import os
import subprocess
import sys

import pytest

from tests.examples.seeds import EXPECTED, FOLDER, NAMES, printed


@pytest.mark.parametrize("name", NAMES)
def test_a_program_prints_torch_s_stored_output(name):
    assert printed(name, "tracegrad") == (EXPECTED / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", ["mul_constant", "basics"])
def test_a_program_runs_as_a_script(name):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / f"{name}.py")],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_short(name):
    assert len((FOLDER / f"{name}.py").read_text().splitlines()) < 120
