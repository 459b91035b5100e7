"""What operators.py measured becomes the tables of a page."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "operator_tables.py"
SPEC = importlib.util.spec_from_file_location("operator_tables", PATH)
tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tables)

MEASURED = {
    "softmax: softmax 1": {"forward": {"tracegrad": 9.0, "torch": 1.5}, "backward": {"tracegrad": 9.0, "torch": 2.5}},
    "random: rand": {"forward": {"tracegrad": 9.0, "torch": 12.4}, "backward": {}},
    "special: erf": {"forward": {"tracegrad": 9.0, "torch": 7.0, "scipy": 1.01}, "backward": {}},
    "special: erf f64": {"forward": {"tracegrad": 9.0, "scipy": 1.3}, "backward": {}},
}


def test_the_figures_above_the_limit_are_listed_by_family() -> None:
    text = tables.against_torch(MEASURED)
    assert "1 of 3 figures" in text
    assert "| softmax | 1 of 2 | softmax 1 ∂ 2.5 |" in text
    assert "| random | 0 of 1 | rand 12 |" in text
    assert "special" not in text


def test_special_functions_have_a_row_with_both_dtypes() -> None:
    text = tables.against_scipy(MEASURED)
    assert "1 of 2 figures" in text
    assert "| erf | 1.01 | 1.30 |" in text


def test_a_page_keeps_what_is_outside_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    tables.write(page, MEASURED)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "softmax 1" in text


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="has no lines"):
        tables.write(page, MEASURED)
