"""docs/operators.md lists every operator with what it can do: written from the definitions by `pytest tests/docs/test_operators_page.py --bless`."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tracegrad.ir.op import REGISTRY, Op
from tracegrad.ops import modules

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"
HEAD = """# Every operator

Written from the definitions in `tracegrad/ops` by `pytest tests/docs/test_operators_page.py --bless`; the tests compare it with them.

A name is that of the operator in the IR; where the public function has another one, it stands behind it. *Derivative* lists the operands that have a
derivative rule; the second and higher derivatives, forward mode and batching follow from the rules and are tested for each operator, on NumPy and on
XLA. *composite* functions are made of other operators and have all of theirs. A dash: integers, booleans or positions, which have no derivative.
"""


def rows() -> dict[str, list[type[Op]]]:
    """The definitions by module, in the order of the files."""
    found: dict[str, list[type[Op]]] = {module: [] for module in modules()}
    for op in REGISTRY.values():
        module = op.__module__.removeprefix("tracegrad.ops.")
        if module in found:
            found[module].append(op)
    return found


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, without what would break a table or be a link."""
    line = " ".join(text.split("\n\n")[0].split())
    return line.split(".  ")[0].removesuffix(".").replace("|", "\\|").replace("](", "] (")


def title(module: str) -> str:
    """What a module of definitions is about."""
    doc = importlib.import_module(f"tracegrad.ops.{module}").__doc__ or module
    return first_sentence(doc).split(":")[0]


def row(op: type[Op]) -> str:
    """One line of the table."""
    names = ", ".join(f"`{name}`" for name in (op.name, *op.aliases))
    if op.composite:
        derivative = "composite"
    else:
        derivative = ", ".join(f"`{o}`" for o, rule in zip(op.operands, op.rules, strict=True) if rule is not None) or (
            "-" if op.operands else ""
        )
    extra = [word for word, holds in (("view", op.view), ("in place", op.inplace)) if holds]
    return f"| {names} | {derivative} | {', '.join(extra)} | {first_sentence(op.__doc__ or '')} |"


def expected() -> str:
    """The text that the page must have."""
    parts = [HEAD]
    for module, ops in rows().items():
        if ops:
            parts.append(f"\n## {title(module)}\n\n| Name | Derivative | | |\n|---|---|---|---|")
            parts.append("\n".join(row(op) for op in sorted(ops, key=lambda op: op.name)))
    return "\n".join(parts) + "\n"


def test_the_page_lists_the_operators_there_are(request: pytest.FixtureRequest):
    if request.config.getoption("--bless"):
        PAGE.write_text(expected())
    assert PAGE.read_text() == expected(), "run: pytest tests/docs/test_operators_page.py --bless"
