"""Every public name says what it gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracegrad

PACKAGE = Path(__file__).parents[2] / "tracegrad"
FILES = sorted(file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py"))
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# the parts of an operator definition, which docs/add_an_operator.md describes once for all operators
RULES = frozenset("infer call batch jvp vjp decompose expression torch_name".split())


def silent(body: list[ast.stmt], is_operator: bool = False, prefix: str = "") -> Iterator[str]:
    """Public functions and classes, and public methods of public classes, that have no docstring."""
    for node in body:
        if not isinstance(node, DEFINITIONS) or node.name.startswith("_"):
            continue
        decorators = [ast.unparse(d) for d in node.decorator_list]
        repeats = any(d.endswith((".setter", ".deleter", "overload")) for d in decorators)
        is_rule = is_operator and (node.name in RULES or node.name.startswith("grad_"))
        if ast.get_docstring(node) is None and not is_rule and not repeats:
            yield f"line {node.lineno}: {prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            if "Protocol" not in bases:
                yield from silent(node.body, is_operator or bool(bases), f"{prefix}{node.name}.")


@pytest.mark.parametrize("file", FILES)
def test_every_public_definition_of_a_file_has_a_docstring(file: str):
    tree = ast.parse((PACKAGE / file).read_text())
    assert list(silent(tree.body, file.startswith("ops/"))) == []


@pytest.mark.parametrize("file", FILES)
def test_every_file_with_code_says_what_it_is_for(file: str):
    tree = ast.parse((PACKAGE / file).read_text())
    assert not tree.body or ast.get_docstring(tree)


def public_callables() -> list[str]:
    """The callable names that `import tracegrad` offers."""
    return sorted(n for n in dir(tracegrad) if not n.startswith("_") and callable(getattr(tracegrad, n, None)))


@pytest.mark.parametrize("name", dir(tracegrad))
def test_a_name_that_the_package_lists_exists(name: str):
    getattr(tracegrad, name)


@pytest.mark.parametrize("name", public_callables())
def test_a_public_function_or_class_has_documentation(name: str):
    assert (getattr(tracegrad, name).__doc__ or "").strip()


def test_a_public_function_without_docstring_is_reported():
    text = "class A:\n    '''Doc.'''\n    def f(self): ...\ndef g(): ...\ndef _h(): ...\n"
    assert list(silent(ast.parse(text).body)) == ["line 3: A.f", "line 4: g"]
