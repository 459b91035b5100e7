"""The table of traps in docs/masks.md is that of the script."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tracegrad_is_right_on_every_trap_of_the_page():
    page = (ROOT / "docs" / "masks.md").read_text()
    rows = re.findall(r"^\|.*\|$", page, re.MULTILINE)[2:-1]
    assert len(rows) >= 40
    assert all(row.endswith("| right | right |") for row in rows)


def test_the_script_prints_a_row_for_each_trap():
    script = ROOT / "benchmarks" / "traps.py"
    code = f"import sys; sys.path.insert(0, {str(script.parent)!r}); import traps; del traps.LIBRARIES['PyTorch'], traps.LIBRARIES['JAX']; print(traps.table())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    head, _line, *rows, total = done.stdout.splitlines()
    assert head == "| function of `x` | at | tracegrad 1st | 2nd |"
    assert all(row.endswith("| right | right |") for row in rows)
    assert total == f"| **both right, of {len(rows)}** | | **{len(rows)}** | |"
