"""Every Python block of the documentation runs, and prints what the text block after it shows.

The blocks of a page share one namespace and run in order.  A block that ends in an error is followed by a text block whose last line is
`ErrorClass: message`.  `pytest --bless` rewrites the text blocks.  A block marked ```python needs=<package> is skipped, with what follows it, where that package is missing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tracegrad import errors
from tracegrad.ir.op import REGISTRY, Op

ROOT = Path(__file__).parents[2]
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(?P<language>\w*)[ ]?(?P<options>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One Python block: its line in the page, its text, the package it needs, the output that the page shows (None: no claim) and where."""

    line: int
    text: str
    needs: str
    output: str | None
    span: tuple[int, int]


def blocks(page: str) -> list[Block]:
    """The Python blocks of a page, each with the text block that follows it."""
    found: list[Block] = []
    for fence in FENCE.finditer(page):
        if fence["language"] == "python":
            line = page.count("\n", 0, fence.start("text"))
            found.append(Block(line, fence["text"], fence["options"].strip().removeprefix("needs="), None, (0, 0)))
        elif fence["language"] == "text" and found and found[-1].output is None:
            found[-1] = found[-1]._replace(output=fence["text"], span=fence.span("text"))
    return found


def printed(block: Block, page: str, namespace: dict[str, Any]) -> str:
    """What a block prints when it is the file example.py; an expected error is part of it, as `ErrorClass: message`."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(block.text, "example.py", "exec"), namespace)
        except Exception as error:
            if block.output is None or type(error).__name__ not in block.output:
                error.add_note(f"in the block at {page}:{block.line}")
                raise
            out.write(f"{type(error).__name__}: {error}\n")
    return out.getvalue()


def shown(text: str, page: str) -> Iterator[tuple[Block, str]]:
    """Run the blocks of a page; each that has a text block, with what it printed."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(text):
        if block.needs and importlib.util.find_spec(block.needs) is None:
            continue
        got = printed(block, page, namespace)
        if block.output is not None:
            yield block, got


def check(text: str, page: str) -> None:
    """Run the blocks of a page and compare."""
    for block, got in shown(text, page):
        assert got.rstrip() == block.output.rstrip(), f"{page}:{block.line}"


def blessed(text: str, page: str) -> str:
    """The page with what its blocks print."""
    for block, got in reversed(list(shown(text, page))):
        text = text[: block.span[0]] + got.rstrip() + "\n" + text[block.span[1] :]
    return text


@pytest.fixture
def registry() -> Iterator[None]:
    """The operators that a page defines are gone after the test."""
    before = dict(REGISTRY)
    yield
    own = {name: op for name, op in REGISTRY.items() if op.__module__.startswith("tracegrad.")}  # loaded meanwhile
    REGISTRY.clear()
    REGISTRY.update({**own, **before})


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_prints_what_the_page_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text()
    if request.config.getoption("--bless"):
        (ROOT / page).write_text(blessed(text, page))
    else:
        check(text, page)


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files(page: str):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (ROOT / page).read_text())
    assert [t for t in targets if not ((ROOT / page).parent / t).exists()] == []


def test_a_wrong_output_is_reported():
    with pytest.raises(AssertionError):
        check("```python\nprint(1)\n```\n```text\n2\n```\n", "page")


def test_blessing_writes_what_is_printed():
    assert (
        blessed("```python\nprint(1)\n```\n```text\n2\n```\n", "page") == "```python\nprint(1)\n```\n```text\n1\n```\n"
    )


def test_an_error_that_the_page_does_not_show_is_reported():
    with pytest.raises(ZeroDivisionError):
        check("```python\n1 / 0\n```\n", "page")


def test_an_error_that_the_page_shows_is_compared():
    check("```python\nprint(1)\n1 / 0\n```\n```text\n1\nZeroDivisionError: division by zero\n```\n", "page")


def test_a_missing_error_is_reported():
    with pytest.raises(AssertionError):
        check("```python\nprint(1)\n```\n```text\n1\nZeroDivisionError: division by zero\n```\n", "page")


def test_a_block_that_needs_a_missing_package_is_left_out():
    check("```python needs=no_such_package\n1 / 0\n```\n", "page")


def test_every_error_class_has_a_section_with_its_example():
    page = (ROOT / "docs/errors/README.md").read_text()
    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == classes


# what the class machinery and the families set, not a definition
DERIVED = {
    "rules",
    "operands",
    "variadic",
    "saves",
    "elementwise",
    "mask_kind",
    "reads_values",
    "scales",
    "composite",
    "back",
    "conjugates",
}


def test_every_field_of_an_operator_is_explained():
    page = (ROOT / "docs/add_an_operator.md").read_text()
    explained = {
        name for names in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)", names)
    }
    assert {name for name in Op.__annotations__ if not name.startswith("_")} - explained <= DERIVED
