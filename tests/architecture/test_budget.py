"""Sizes: files to 400 lines (600 with the reason in the first line), functions to 60 lines, nesting to 4, no TODO marks."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES, LONG_FILE_LINES, FUNCTION_LINES, NESTING, EXAMPLE_LINES = 400, 600, 60, 4, 120
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FILES = sorted(file.relative_to(ROOT).as_posix() for file in (ROOT / "tracegrad").rglob("*.py"))


def nesting(node: ast.AST, here: int = 0) -> int:
    """Deepest nesting of blocks in a function; an elif is no deeper than its if, a nested function counts for itself."""
    deepest = here
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, nesting(child, here + (isinstance(child, BLOCKS) and not is_elif)))
    return deepest


def over_budget(text: str) -> list[str]:
    """What is too large in the source text of one file."""
    lines = text.splitlines()
    found = []
    reason = bool(lines) and re.search(r"\blines (because|allowed)\b", lines[0])
    if len(lines) > (LONG_FILE_LINES if reason else FILE_LINES):
        found.append(f"{len(lines)} lines; a file over {FILE_LINES} says '... lines because ...' in its first line")
    marks = ("TO" + "DO", "FIX" + "ME", "X" + "XX")
    found += [f"line {i}: {mark}" for i, line in enumerate(lines, 1) for mark in marks if mark in line]
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, FUNCTIONS):
            continue
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if size > FUNCTION_LINES:
            found.append(f"line {node.lineno}: {node.name} has {size} lines")
        if nesting(node) > NESTING:
            found.append(f"line {node.lineno}: {node.name} nests {nesting(node)} deep")
    return found


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_package_is_within_the_budget(file: str):
    assert over_budget((ROOT / file).read_text()) == []


@pytest.mark.parametrize("file", sorted(f.name for f in (ROOT / "examples").glob("*.py")))
def test_an_example_is_under_120_lines(file: str):
    assert len((ROOT / "examples" / file).read_text().splitlines()) < EXAMPLE_LINES


DEEP = "def f(x):\n" + "".join(f"{'    ' * (i + 1)}if x:\n" for i in range(5)) + "    " * 6 + "pass\n"
TOO_MUCH = {
    "a long file": ('"""A file."""\n' + "x = 1\n" * 400, "401 lines"),
    "a very long file with a reason": (
        '"""A file of 601 lines because of the table."""\n' + "x = 1\n" * 600,
        "601 lines",
    ),
    "a long function": ("def f():\n" + "    x = 1\n" * 60, "f has 61 lines"),
    "a deep function": (DEEP, "f nests 5 deep"),
    "a mark": ("x = 1  # TO" + "DO later\n", "line 1: TO" + "DO"),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_what_is_over_the_budget_is_reported(case: str):
    text, expected = TOO_MUCH[case]
    assert any(expected in problem for problem in over_budget(text))


def test_a_reason_in_the_first_line_allows_600_lines():
    assert over_budget('"""A file of 600 lines because of the table."""\n' + "x = 1\n" * 599) == []
