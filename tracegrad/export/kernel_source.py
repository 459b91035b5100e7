"""The sources of kernels, with all that they use, for modules that must stand alone."""

from __future__ import annotations

import ast
import inspect
import sys

from tracegrad.errors import NotSupportedError, explain
from tracegrad.kernels import numpy_kernels

_PACKAGE = "tracegrad."
_FIRST = ("import numpy as np",)


class ModuleSource:
    """The top-level statements of one module by the names they define."""

    def __init__(self, name: str) -> None:
        self.text = inspect.getsource(sys.modules[name])
        self.lines = self.text.splitlines()
        self.statements: dict[str, ast.stmt] = {}
        for statement in ast.parse(self.text).body:
            for defined in _defined(statement):
                self.statements[defined] = statement

    def source(self, statement: ast.stmt) -> str:
        """The statement's own lines, decorators included."""
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        start = min([statement.lineno, *(d.lineno for d in decorators)])
        return "\n".join(self.lines[start - 1 : statement.end_lineno])


class KernelSource:
    """Collects kernels by name: their functions, constants and imports, each once and after what it uses.

    sources   the collected statements in order       defined   all names they define, imported ones included, and the text that does
    """

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.defined: dict[str, str] = {}
        self._import_lines: dict[str, None] = dict.fromkeys(_FIRST)
        self._modules: dict[str, ModuleSource] = {}
        self._texts: set[str] = set()
        self._seen: set[tuple[str, int]] = set()

    @property
    def uses_scipy(self) -> bool:
        """Whether a collected kernel imports SciPy."""
        return any("scipy" in text for text in (*self.sources, *self._import_lines))

    def imports(self) -> list[str]:
        """The import lines, the standard library's first."""
        ours = sorted(line for line in self._import_lines if "numpy" in line or "scipy" in line)
        standard = sorted(line for line in self._import_lines if line not in ours)
        return [*standard, "", *ours] if standard else ours

    def need(self, name: str) -> None:
        """Collect one kernel.  Raises NotSupportedError when it stands on something that is not source of the kernels."""
        getattr(numpy_kernels, name, None)  # loads the module that has it
        self._collect(numpy_kernels.LATER.get(name, numpy_kernels.__name__), name)

    def _collect(self, module: str, name: str) -> None:
        if module not in self._modules:
            self._modules[module] = ModuleSource(module)
        statement = self._modules[module].statements.get(name)
        if statement is None:
            if module == numpy_kernels.__name__ and hasattr(numpy_kernels, name):
                raise NotSupportedError(explain("to_python", f"the kernel {name!r} has no source of its own"))
            return  # a built-in, a local variable, or a name for annotations only
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            self._import(statement, name)
            return
        if (module, statement.lineno) in self._seen:
            return
        self._seen.add((module, statement.lineno))
        for used in ast.walk(statement):
            if isinstance(used, ast.Name):
                self._collect(module, used.id)
        source = self._modules[module].source(statement)
        if self._define(_defined(statement), source):
            self.sources.append(source)

    def _import(self, statement: ast.Import | ast.ImportFrom, name: str) -> None:
        origin = statement.module or "" if isinstance(statement, ast.ImportFrom) else ""
        if not origin.startswith(_PACKAGE):
            alone = [alias for alias in statement.names if name in (alias.asname, alias.name)]
            kind = ast.Import(alone) if isinstance(statement, ast.Import) else ast.ImportFrom(origin, alone, 0)
            line = ast.unparse(kind)
            self._define([name], line)
            self._import_lines[line] = None
            return
        for alias in statement.names:
            if alias.asname == name != alias.name:
                raise NotSupportedError(explain("to_python", f"kernels import {alias.name!r} under another name"))
            if alias.name == name:  # the others of the same line are not needed
                self._collect(origin, name)

    def _define(self, names: list[str], source: str) -> bool:
        """Note what the names stand for; False if another module has brought the same text."""
        clashing = [name for name in names if self.defined.setdefault(name, source) != source]
        if clashing:
            raise NotSupportedError(explain("to_python", f"two kernel modules define {clashing[0]!r}"))
        known = source in self._texts
        self._texts.add(source)
        return not known


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a top-level statement binds."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in statement.names]
    targets = (
        statement.targets
        if isinstance(statement, ast.Assign)
        else [statement.target]
        if isinstance(statement, ast.AnnAssign)
        else []
    )
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
