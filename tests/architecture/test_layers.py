"""Imports go downward, nothing is loaded in a circle, optional libraries are imported where they are used: read from the source, not from a run."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import networkx
import pytest

PACKAGE = Path(__file__).parents[2] / "tracegrad"

# lowest first; what stands on one line is one layer, and modules of one layer may not import each other unless they share a folder
LAYERS = (
    ("errors", "config", "dtypes", "pytree", "slots", "devices", "amp", "cuda"),
    ("kernels",),
    ("ir",),
    ("ops",),
    ("passes",),
    ("backends",),
    ("export",),
    ("eager",),
    ("autograd",),
    ("compiler",),
    ("func",),
    ("fft", "linalg", "nn", "special", "utils", "random", "signal", "testing"),
    ("optim",),  # averaged models are modules
    ("_dynamo", "_inductor", "_higher_order_ops"),
    ("__init__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
BASE = frozenset(LAYERS[0])
OPTIONAL = frozenset("scipy networkx jax onnx matplotlib tqdm safetensors ml_dtypes sklearn".split())
# modules written over an optional library; they are themselves imported on first use, by name, in the one place below
OVER_OPTIONAL = {
    **{f"backends/jax_{name}.py": "jax" for name in "backend devices direct memory mesh options".split()},
    **{
        f"kernels/jax_{name}.py": "jax"
        for name in "kernels complex_numbers conditions ctc folded_scatters loops matrices ordering polynomials special tails windows".split()
    },
}
# the package loads its larger parts on first use, and autograd what only its rarer modes need
IMPORTS_BY_NAME = {
    "__init__.py",
    "autograd/__init__.py",
    "autograd/saving.py",
    "backends/base.py",
    "eager/late.py",
    "ops/__init__.py",
    "kernels/numpy_kernels.py",
}


class Import(NamedTuple):
    """One import statement: the module it names, its line, the functions around it, and whether only type checkers see it."""

    target: tuple[str, ...]
    line: int
    inside: tuple[str, ...]
    typing_only: bool


def faults(root: Path) -> list[str]:
    """Every breach of the import rules in the package at `root`, as `file:line: what is wrong`."""
    modules = {module_name(root, file): file for file in sorted(root.rglob("*.py"))}
    found: list[str] = []
    loads: networkx.DiGraph[str] = networkx.DiGraph()
    for name, file in modules.items():
        own_path = file.relative_to(root).as_posix()
        if own_path not in IMPORTS_BY_NAME:
            found += [f"{own_path}:{line}: import by name" for line in dynamic_imports(file)]
        for statement in imports(file, name, set(modules)):
            problem = breach(own_path, statement)
            if problem:
                found.append(f"{own_path}:{statement.line}: {problem}")
            if statement.target[0] == root.name and not statement.inside and not statement.typing_only:
                loads.add_edge(".".join(name), ".".join(statement.target))
    circles = (sorted(group) for group in networkx.strongly_connected_components(loads) if len(group) > 1)
    found += [f"load-time circle: {' <-> '.join(circle)}" for circle in sorted(circles)]
    return found


def breach(path: str, statement: Import) -> str:
    """What is wrong with one import of the file `path` (relative to the package), or an empty string."""
    first, *rest = statement.target
    here = path.removesuffix(".py").split("/")[0]
    if first != "tracegrad":
        if statement.inside:
            return "" if first in OPTIONAL else f"import of {first} inside a function"
        if first in OPTIONAL and not statement.typing_only and OVER_OPTIONAL.get(path) != first:
            return f"{first} may be imported only inside a function"
        return ""
    other = rest[0] if rest else "__init__"
    if here not in LEVEL:
        return f"{here} belongs to no layer"
    if other not in LEVEL:
        return f"{other} belongs to no layer"
    if statement.inside:
        if (here, statement.inside) != ("__init__", ("__getattr__",)):
            return f"import of {'.'.join(statement.target)} inside a function"
    same_folder = other == here or {other, here} <= BASE
    if not same_folder and LEVEL[other] >= LEVEL[here]:
        return f"layer {here} may not import {other}"
    return ""


def module_name(root: Path, file: Path) -> tuple[str, ...]:
    """The dotted name of a file, as a tuple; a package's own name for its __init__.py."""
    parts = file.relative_to(root.parent).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(file: Path, name: tuple[str, ...], known: set[tuple[str, ...]]) -> Iterator[Import]:
    """All imports of a file; `from package import module` counts as an import of the module."""
    package = name if file.name == "__init__.py" else name[:-1]
    for node, inside, typing_only in walk(ast.parse(file.read_text()), (), False):
        for target in targets(node, package, known):
            yield Import(target, node.lineno, inside, typing_only)


def walk(
    tree: ast.AST, inside: tuple[str, ...], typing_only: bool
) -> Iterator[tuple[ast.Import | ast.ImportFrom, tuple[str, ...], bool]]:
    """Import statements with the names of the functions around them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, inside, typing_only
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from walk(node, (*inside, node.name), typing_only)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from walk(node, inside, True)
        else:
            yield from walk(node, inside, typing_only)


def dynamic_imports(file: Path) -> list[int]:
    """The lines that import a module by its name at run time."""
    by_name = ("importlib.import_module", "import_module", "__import__")
    return [
        n.lineno
        for n in ast.walk(ast.parse(file.read_text()))
        if isinstance(n, ast.Call) and ast.unparse(n.func) in by_name
    ]


def targets(
    node: ast.Import | ast.ImportFrom, package: tuple[str, ...], known: set[tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """The modules that a statement names."""
    if isinstance(node, ast.Import):
        return [tuple(alias.name.split(".")) for alias in node.names]
    base = package[: len(package) - node.level + 1] if node.level else ()
    base += tuple(node.module.split(".")) if node.module else ()
    return [(*base, alias.name) if (*base, alias.name) in known else base for alias in node.names]


@pytest.fixture(scope="module")
def own_faults() -> list[str]:
    """The faults of the package as it is."""
    return faults(PACKAGE)


def test_imports_of_the_package_keep_the_rules(own_faults: list[str]):
    assert own_faults == []


def test_every_folder_and_module_of_the_package_belongs_to_a_layer():
    names = {p.stem for p in PACKAGE.glob("*.py")} | {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert names <= set(LEVEL)


PLANTED = {
    "upward": ("ir/node.py", "from tracegrad.eager.tensor import Tensor\n", "layer ir may not import eager"),
    "upward, relative": ("ir/node.py", "from ..ops import arithmetic\n", "layer ir may not import ops"),
    "upward, as a module": (
        "kernels/numpy_kernels.py",
        "import tracegrad.ir.types\n",
        "layer kernels may not import ir",
    ),
    "upward from the base": ("dtypes.py", "from tracegrad.ir.types import Type\n", "layer dtypes may not import ir"),
    "from the package itself": (
        "func/__init__.py",
        "from tracegrad import sin\n",
        "layer func may not import __init__",
    ),
    "sideways": ("utils/__init__.py", "from tracegrad.nn import Module\n", "layer utils may not import nn"),
    "inside a function": (
        "ir/node.py",
        "def f():\n    from tracegrad.ir import types\n",
        "import of tracegrad.ir.types inside a function",
    ),
    "standard library inside a function": (
        "ir/node.py",
        "def f():\n    import json\n",
        "import of json inside a function",
    ),
    "optional library at load time": (
        "export/__init__.py",
        "import networkx\n",
        "networkx may be imported only inside a function",
    ),
    "import by name": ("ir/node.py", "import importlib\nimportlib.import_module('json')\n", "import by name"),
    "circle": ("ir/types.py", "import tracegrad.ir.graph\n", "load-time circle: "),
    "upward for type checkers only": (
        "ir/node.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tracegrad.eager.tensor import Tensor\n",
        "layer ir may not import eager",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_reported(planted: str, tmp_path: Path, own_faults: list[str]):
    file, text, expected = PLANTED[planted]
    copy = tmp_path / "tracegrad"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a") as target:
        target.write("\n" + text)
    new = [fault for fault in faults(copy) if fault not in own_faults]
    assert any(expected in fault for fault in new), new


@pytest.mark.parametrize("library", sorted(OPTIONAL))
def test_an_optional_library_may_be_imported_inside_a_function(library: str, tmp_path: Path):
    package = tmp_path / "tracegrad"
    (package / "export").mkdir(parents=True)
    (package / "export" / "one.py").write_text(f"def f():\n    import {library}.part\n")
    assert faults(package) == []
