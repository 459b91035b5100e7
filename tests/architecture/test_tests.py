"""The tests' own imports: a file that is skipped where an optional library is absent cannot lend its functions to another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = sorted(file.relative_to(TESTS).as_posix() for file in TESTS.rglob("*.py"))


def may_be_skipped(file: Path) -> bool:
    """Whether a file leaves at its head where an optional library is absent."""
    body = ast.parse(file.read_text()).body
    return any(
        "importorskip" in ast.unparse(statement)
        for statement in body
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef))
    )


@pytest.mark.parametrize("file", FILES)
def test_a_test_file_imports_from_none_that_may_be_skipped(file: str):
    statements = [node for node in ast.walk(ast.parse((TESTS / file).read_text())) if isinstance(node, ast.ImportFrom)]
    lenders = [
        TESTS.parent / f"{node.module.replace('.', '/')}.py"
        for node in statements
        if node.module and node.module.startswith("tests.")
    ]
    assert [
        lender.name
        for lender in lenders
        if lender.exists() and lender.name.startswith("test_") and may_be_skipped(lender)
    ] == []
