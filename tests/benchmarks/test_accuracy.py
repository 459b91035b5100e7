"""The tables of docs/accuracy.md are those of benchmarks/accuracy.py, and tracegrad's errors are as small as they say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpmath")

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import accuracy
finally:
    sys.path.pop(0)

PAGE = (ROOT / "docs" / "accuracy.md").read_text()
ROWS = [(dtype, case) for dtype in accuracy.DTYPES for case in (*accuracy.CASES, *accuracy.WHOLE) if accuracy.point_of(case, dtype) is not None]  # fmt: skip


def stated(dtype: str, text: str) -> list[float]:
    """The three errors that the page states for tracegrad."""
    part = PAGE.split(f"<!-- begin of {dtype} -->")[1].split(f"<!-- end of {dtype} -->")[0]
    (row,) = (line for line in part.splitlines() if line.startswith(f"| {text} |"))
    return [float(cell) for cell in row.split(" | ")[2:5]]


@pytest.mark.parametrize(("dtype", "case"), ROWS, ids=lambda v: v if isinstance(v, str) else v.text)
def test_the_errors_are_as_small_as_the_page_says(dtype, case):
    point = accuracy.point_of(case, dtype)
    found = accuracy.errors_of(case, point, accuracy.by_tracegrad, accuracy.exact(case, point))
    assert all(error <= 4 * limit for error, limit in zip(found, stated(dtype, case.text), strict=True))


def test_the_page_has_no_nan_or_inf_of_tracegrad():
    for dtype in accuracy.DTYPES:
        part = PAGE.split(f"<!-- begin of {dtype} -->")[1].split("<!-- end")[0]
        rows = re.findall(r"^\| .*`.*\|$", part, re.MULTILINE)
        assert len(rows) >= 50
        assert not [
            row for row in rows if "nan" in "".join(row.split(" | ")[2:5]) or "**" in "".join(row.split(" | ")[2:5])
        ]
